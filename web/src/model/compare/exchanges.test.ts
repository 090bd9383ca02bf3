import { describe, expect, it } from 'vitest';
import { polled, pushed } from './exchanges';

const s = (seconds: number): number => 5_000_000 + seconds * 1e6;

describe('polled', () => {
  it('tells wasted rungs from those that brought something, within ten seconds', () => {
    const stretch = polled([[s(-2), s(-1), 3], [s(-0.5), s(0.1), 1], [s(1), s(1.01), 0], [s(2), s(4.5), 2], [s(10.1), s(11), 1]], s(0));
    expect(stretch.rungs.map(({ is }) => is)).toEqual(['answer', 'empty', 'answer']);
    expect([stretch.requests, stretch.empty, stretch.pushes]).toEqual([2, 1, 0]);
    expect(stretch.rungs[2]).toMatchObject({ from: 2, to: 4.5, events: 2 });
  });
});

describe('pushed', () => {
  it('has a rung for each moment something came, without a request', () => {
    const stretch = pushed([s(-1), s(0.5), s(0.5), s(3), s(10.5)], [[s(-2), s(-1.9), 0]], s(0));
    expect(stretch.rungs).toEqual([
      { from: 0.5, to: 0.5, events: 2, is: 'push' },
      { from: 3, to: 3, events: 1, is: 'push' },
    ]);
    expect([stretch.requests, stretch.pushes]).toEqual([0, 3]);
  });
});
