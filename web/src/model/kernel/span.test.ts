import { describe, expect, it } from 'vitest';
import { LEAST_BYTES, Span } from './span';

describe('Span', () => {
  it('is all of it until somebody moves', () => {
    expect(new Span().within(5, 105)).toMatchObject({ from: 5, length: 100, whole: true });
    expect(new Span().within(0, 0).length).toBe(LEAST_BYTES);
  });

  it('zooms around a place and stays inside', () => {
    const half = new Span().within(0, 100).zoom(0.5, 0.5).within(0, 100);
    expect(half).toMatchObject({ from: 25, length: 50 });
    expect(half.pan(1000).within(0, 100).from).toBe(50);
    expect(half.to(-5).within(0, 100).from).toBe(0);
    expect(half.zoom(100, 0.5).within(0, 100)).toMatchObject({ from: 0, length: 100 });
    expect(half.zoom(0, 0.5).within(0, 100).length).toBe(LEAST_BYTES);
  });
});
