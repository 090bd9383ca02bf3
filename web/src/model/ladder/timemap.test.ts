import { describe, expect, it } from 'vitest';
import { BREAK_PX, clampScale, fitScale, Gaps, IDLE_PX, lastIndex, MAX_SCALE, MIN_SCALE, moments, READABLE_RUNGS, readableScale, TimeMap } from './timemap';

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

describe('TimeMap with room', () => {
  const ROW = 20;
  const roomFor = (...rails: number[][]) => ({ rails: rails.map((ends) => times(...ends)), row: ROW });

  it('gives every rung of a burst a row, however short it was', () => {
    const ends = [0, 3, 6, 1e6, 1e6 + 2, 1e6 + 4, 1e6 + 5];
    const map = new TimeMap(times(...ends), 1000, true, roomFor(ends));
    for (let i = 1; i < ends.length; i += 1) expect(map.y(ends[i]!) - map.y(ends[i - 1]!)).toBeGreaterThanOrEqual(ROW);
    expect(map.roomy).toHaveLength(2);
    expect(map.breaks).toHaveLength(1);
    expect(map.roomyAt(map.y(3))?.from).toBe(0);
    expect(map.roomyAt((map.breaks[0]!.top + map.breaks[0]!.bottom) / 2)).toBeUndefined();
  });

  it('asks for rows on each rail alone: three rails are no taller than the longest', () => {
    const [ours, wire, peer] = [[0, 10, 20, 30], [1, 11, 21, 31], [2, 12, 22, 32]];
    const all = times(...[...ours, ...wire, ...peer].sort((a, b) => a - b));
    const map = new TimeMap(all, 100, true, roomFor(ours, wire, peer));
    expect(map.height).toBeLessThan(4 * (ROW + 2));
  });

  it('leaves room around rungs of one moment, unless they are too many to label', () => {
    const few = [0, 50, 50, 50, 51];
    const map = new TimeMap(times(...few), 100, true, roomFor(few));
    expect(map.y(50) - map.y(0)).toBeGreaterThanOrEqual(2 * ROW);
    expect(map.y(51) - map.y(50)).toBeGreaterThanOrEqual(2 * ROW);
    const many = [0, ...new Array<number>(40).fill(50), 51];
    expect(new TimeMap(times(...many), 100, true, roomFor(many)).height).toBeLessThan(3 * (ROW + 2));
  });

  it('leaves a burst of many to scale, and one of few beside it not', () => {
    const crowd = Array.from({ length: READABLE_RUNGS + 1 }, (_, i) => 5e6 + i);
    const ends = [0, 1, 2, ...crowd];
    const map = new TimeMap(times(...ends), 1, true, roomFor(ends));
    expect(map.roomy).toHaveLength(1);
    expect(map.y(crowd.at(-1)!) - map.y(crowd[0]!)).toBeCloseTo(READABLE_RUNGS, 6);
    expect(new TimeMap(times(...ends), 1, false, roomFor(ends)).roomy).toEqual([]);
  });

  it('still goes up with time and gives every moment back', () => {
    let state = 7;
    const random = (below: number): number => (state = (state * 48271) % 0x7fffffff) % below;
    for (let round = 0; round < 200; round += 1) {
      const rails: number[][] = [[], [], []];
      let t = 0;
      for (let i = 0; i < random(150); i += 1) rails[random(3)]!.push((t += random(8) === 0 ? random(5e6) : random(9)));
      const all = Float64Array.from(rails.flat()).sort();
      const map = new TimeMap(all, [0.05, 1, 40, 1e4, 1e7][round % 5]!, true, roomFor(...rails));
      let last = -Infinity;
      for (const at of all) {
        const y = map.y(at);
        expect(y).toBeGreaterThanOrEqual(last - 1e-6);
        expect(map.y(map.t(y))).toBeCloseTo(y, 3);
        last = y;
      }
      expect(map.y(map.end)).toBeCloseTo(map.height, 3);
      for (const gap of map.breaks) expect(map.y(gap.to) - map.y(gap.from)).toBeCloseTo(gap.bottom - gap.top, 3);
    }
  });

  it('is the same in the memory of a map nobody looks at any more', () => {
    const ends = Array.from({ length: 300 }, (_, i) => i * 40 + (i % 7) + Math.floor(i / 30) * 1e6);
    const all = times(...ends);
    let used: TimeMap | undefined;
    for (const scale of [0.05, 3, 1e5, 0.2, 900, 0.05]) {
      const fresh = new TimeMap(all, scale, true, roomFor(ends));
      used = new TimeMap(all, scale, true, roomFor(ends), used);
      expect([used.height, used.breaks, used.roomy]).toEqual([fresh.height, fresh.breaks, fresh.roomy]);
      for (const at of ends) expect(used.y(at)).toBe(fresh.y(at));
    }
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
  it('are every beginning and end, in order and once', () => {
    expect([...moments([{ start: 5, end: 9 }], [{ start: 1, end: 7 }, { start: 7, end: 7 }])]).toEqual([1, 5, 7, 9]);
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
