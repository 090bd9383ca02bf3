import { describe, expect, it } from 'vitest';
import { leaned, polled, pushed, shown, within } from './exchanges';

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

describe('a ladder', () => {
  const every = (ms: number) => pushed(Array.from({ length: 10_000 / ms }, (_, i) => s((i * ms) / 1000)), [], s(0));

  it.each([[1000, 10], [500, 10], [100, 2], [20, 0.5], [10, 0.2], [1, 0.02]])('of a message every %d ms shows %d s', (ms, seconds) => {
    const stretch = every(ms);
    expect(shown([every(1000), stretch])).toBe(seconds);
    expect(within(stretch.rungs, seconds).length).toBeGreaterThan(9);
    // What is counted is what the ten seconds had.
    expect(stretch.pushes).toBe(10_000 / ms);
  });

  it('lets no answer leave before its question is there, and no question before the last answer is', () => {
    expect(leaned([{ from: 100, to: 100.2 }, { from: 100.3, to: 180 }, { from: 181, to: 182 }, { from: 300, to: 300 }], 6)).toEqual([
      { asks: 100, asked: 106, leaves: 106, there: 112 },
      { asks: 112, asked: 118, leaves: 180, there: 186 },
      { asks: 186, asked: 192, leaves: 192, there: 198 },
      { asks: 300, asked: 306, leaves: 306, there: 312 },
    ]);
  });
});
