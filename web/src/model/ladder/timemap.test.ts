import { describe, expect, it } from 'vitest';
import { BREAK_PX, clampScale, fitScale, Gaps, IDLE_PX, lastIndex, MAX_SCALE, MIN_SCALE, moments, readableScale, TimeMap } from './timemap';

const times = (...list: number[]): Float64Array => Float64Array.from(list);
const gaps = (...list: number[]): Gaps => new Gaps(times(...list));
const BURSTS = times(0, 100, 5e6, 5e6 + 80, 5e6 + 200, 65e6);

describe('TimeMap', () => {
  it('is one straight line without breaks', () => {
    const map = new TimeMap(BURSTS, 1000, false);
    expect(map.height).toBe(65_000);
    expect(map.breaks).toEqual([]);
    expect(map.y(5e6)).toBe(5000);
    expect(map.t(5000)).toBe(5e6);
  });

  it('draws long idle stretches at one height, and says how long they were', () => {
    const map = new TimeMap(BURSTS, 1, true);
    expect(map.breaks.map(({ from, to }) => [from, to])).toEqual([
      [100, 5e6],
      [5e6 + 200, 65e6],
    ]);
    expect(map.height).toBe(100 + BREAK_PX + 200 + BREAK_PX);
    expect(map.y(100)).toBe(100);
    expect(map.y(5e6)).toBe(100 + BREAK_PX);
    expect(map.y(5e6 + 80)).toBe(180 + BREAK_PX);
    expect(map.breaks[1]).toMatchObject({ top: 300 + BREAK_PX, bottom: 300 + 2 * BREAK_PX });
  });

  it('breaks only what is taller than an idle stretch may be', () => {
    expect(new TimeMap(times(0, IDLE_PX), 1, true).breaks).toEqual([]);
    expect(new TimeMap(times(0, IDLE_PX + 1), 1, true).breaks).toHaveLength(1);
  });

  it('goes up with time and gives every moment back, at every scale', () => {
    for (let scale = MIN_SCALE; scale < MAX_SCALE; scale *= 7) {
      for (const compress of [true, false]) {
        const map = new TimeMap(BURSTS, scale, compress);
        let last = -Infinity;
        for (const t of [-50, 0, 30, 100, 2e6, 5e6, 5e6 + 80, 6e7, 65e6, 66e6]) {
          const y = map.y(t);
          expect(y).toBeGreaterThan(last);
          expect(Math.abs(map.t(y) - t)).toBeLessThan(1e-3 * Math.max(1, scale));
          last = y;
        }
        expect(map.y(map.end)).toBeCloseTo(map.height, 6);
        expect(gaps(...BURSTS).height(scale, compress)).toBeCloseTo(map.height, 3);
      }
    }
  });

  it('finds the breaks in sight', () => {
    const map = new TimeMap(Float64Array.from({ length: 100 }, (_, i) => i * 1e6), 1, true);
    expect(map.breaks).toHaveLength(99);
    expect(map.breaksIn(10 * BREAK_PX + 1, 12 * BREAK_PX - 1).map((gap) => gap.from)).toEqual([10e6, 11e6]);
    expect(map.breaksIn(-100, -1)).toEqual([]);
    expect(map.breaksIn(map.height + 1, map.height + 9)).toEqual([]);
  });

  it('bears to be empty, and to hold one moment', () => {
    expect(new TimeMap(times(), 1, true).height).toBe(0);
    const one = new TimeMap(times(42), 1, true);
    expect([one.height, one.y(42), one.t(0)]).toEqual([0, 0, 42]);
  });
});

describe('scales', () => {
  it('fit everything, as closely as possible', () => {
    for (const compress of [true, false]) {
      for (const height of [150, 400, 3000]) {
        const scale = fitScale(gaps(...BURSTS), height, compress);
        expect(gaps(...BURSTS).height(scale, compress)).toBeLessThanOrEqual(height);
        if (!compress) expect(gaps(...BURSTS).height(scale / 1.2, false)).toBeGreaterThan(height);
      }
    }
    expect(fitScale(gaps(0, 100), 500, false)).toBeCloseTo(0.2, 1);
    expect(fitScale(gaps(0, 100), 500, false, 3)).toBe(3);
    expect(fitScale(gaps(), 500, true)).toBe(MIN_SCALE);
    expect(fitScale(gaps(0, 1e15), 100, false)).toBe(MAX_SCALE);
  });

  it('are readable where most neighbours are a row apart', () => {
    expect(readableScale(gaps(0, 20, 40, 60), 20)).toBe(1);
    expect(readableScale(gaps(0, 40, 80, 5e6), 20)).toBe(2);
    expect(readableScale(gaps(5, 5, 5), 20)).toBe(1);
    expect(readableScale(gaps(), 20)).toBe(1);
  });

  it('stay within bounds', () => {
    expect([clampScale(0), clampScale(1), clampScale(Infinity)]).toEqual([MIN_SCALE, 1, MAX_SCALE]);
  });
});

describe('moments', () => {
  it('are every beginning and end, in order', () => {
    expect([...moments([{ start: 5, end: 9 }], [{ start: 1, end: 7 }])]).toEqual([1, 5, 7, 9]);
  });
});

describe('lastIndex', () => {
  it('finds the last of the leading part', () => {
    for (let n = 0; n < 20; n += 1) {
      const list = Array.from({ length: n }, (_, i) => i);
      for (let limit = -1; limit <= n; limit += 1) expect(lastIndex(list, (i) => i < limit)).toBe(Math.min(n, Math.max(0, limit)) - 1);
    }
  });
});
