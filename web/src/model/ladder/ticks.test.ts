import { describe, expect, it } from 'vitest';
import { roundStep, TICK_PX, ticks, tickText } from './ticks';
import { MAX_SCALE, MIN_SCALE, TimeMap } from './timemap';

describe('ticks', () => {
  it('lie at round times, as far apart as text needs', () => {
    const map = new TimeMap(Float64Array.of(1000, 2000), 1, true);
    expect(ticks(new TimeMap(Float64Array.of(1000, 1200), 1, true), 0, 200).map((tick) => tick.text)).toEqual(['0', '100 µs', '200 µs']);
    expect(ticks(map, 0, 2000)).toEqual([
      { y: 0, t: 0, text: '0', moment: false },
      { y: map.height, t: 1000, text: '1.00 ms', moment: false },
    ]);
  });

  it('go on behind a break and stay clear of it', () => {
    const map = new TimeMap(Float64Array.of(0, 150, 1_000_130, 1_000_300), 1, true);
    const marks = ticks(map, 0, map.height);
    expect(marks.map((mark) => mark.text)).toEqual(['0', '100 µs', '1.00013 s', '1.0002 s', '1.0003 s']);
    const [gap] = map.breaks;
    for (const mark of marks) expect(mark.y < gap!.top || mark.y >= gap!.bottom).toBe(true);
  });

  it('say no more digits behind a break than tell it from what was before', () => {
    const after = (idle: number): string => ticks(new TimeMap(Float64Array.of(0, 3, 3 + idle, 8 + idle), 0.05, true), 0, 1e6).find(({ t }) => t === 3 + idle)!.text;
    expect([after(1234), after(177_213), after(3_475_409), after(63_475_409)]).toEqual(['1.237 ms', '177.22 ms', '3.4754 s', '63.475 s']);
  });

  it('are never crowded and always enough, at every scale', () => {
    for (let scale = MIN_SCALE; scale <= MAX_SCALE; scale *= 1.7) {
      const map = new TimeMap(Float64Array.of(5, 5 + 100_000 * scale), scale, false);
      const marks = ticks(map, 40_000, 41_000);
      expect(marks.length).toBeGreaterThanOrEqual(5);
      for (let i = 1; i < marks.length; i += 1) {
        expect(marks[i]!.y - marks[i - 1]!.y).toBeGreaterThanOrEqual(TICK_PX - 0.01);
        expect(marks[i]!.text).not.toBe(marks[i - 1]!.text);
      }
    }
  });

  it('stand at moments where the axis gives rungs room, counted from the break before', () => {
    const times = Float64Array.of(0, 3, 6, 2e6, 2e6 + 4, 2e6 + 9, 2e6 + 1200);
    const map = new TimeMap(times, 5000, true, { rails: [times], row: 40 });
    const marks = ticks(map, 0, map.height);
    expect(marks.map((mark) => mark.text)).toEqual(['0', '3 µs', '6 µs', '2.00 s', '+4 µs', '+9 µs', '+1.2 ms']);
    expect(marks.map((mark) => Math.abs(map.y(mark.t) - mark.y) < 1e-6)).not.toContain(false);
  });

  it('do not run beyond the ladder', () => {
    const map = new TimeMap(Float64Array.of(0, 100), 1, true);
    for (const mark of ticks(map, -500, 5000)) expect(mark.y).toBeLessThanOrEqual(map.height);
  });
});

describe('roundStep', () => {
  it('is the next of 1, 2, 5, and parts of an hour from a minute on', () => {
    expect([0.3, 1, 1.1, 3, 64, 70, 640, 12_800].map(roundStep)).toEqual([0.5, 1, 2, 5, 100, 100, 1000, 20_000]);
    expect([55e6, 70e6, 3000e6, 80_000e6, 100_000e6].map(roundStep)).toEqual([60e6, 120e6, 3600e6, 86_400e6, 172_800e6]);
  });
});

describe('tickText', () => {
  it('has the digits that tell neighbours apart', () => {
    expect(tickText(0, 10)).toBe('0');
    expect(tickText(0.5, 0.5)).toBe('0.5 µs');
    expect(tickText(20, 10)).toBe('20 µs');
    expect(tickText(1500, 500)).toBe('1.5 ms');
    expect(tickText(2_000_020, 20)).toBe('2.00002 s');
    expect(tickText(59e6, 1e6)).toBe('59 s');
    expect(tickText(125e6, 5e6)).toBe('2:05');
    expect(tickText(3725e6, 5e6)).toBe('1:02:05');
    expect(tickText(61_200_100, 100)).toBe('61.2001 s');
  });
});
