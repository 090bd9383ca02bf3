import { describe, expect, it } from 'vitest';
import { distribution, overTime } from './series';

describe('overTime', () => {
  it('puts each lane’s delay at the time its message was sent', () => {
    const sent = [1_000_000, 2_000_000];
    expect(overTime(sent, 500_000, [{ sent: [1_000_000], ms: [3] }, { sent: [1_000_000, 2_000_000], ms: [1, -2] }])).toEqual([[0.5, 1.5], [3, null], [1, 0.01]]);
  });

  it('keeps the slowest of what it thins out', () => {
    const sent = Array.from({ length: 12_000 }, (_, i) => i);
    const [x, delays] = overTime(sent, 0, [{ sent, ms: sent.map((at) => (at === 6007 ? 999 : 1)) }]);
    expect(x!.length).toBeLessThanOrEqual(1200);
    expect(delays).toContain(999);
  });
});

describe('distribution', () => {
  it('rises from nothing to all of the messages', () => {
    const [x, fast, slow, none] = distribution([[1, 2, 3], [100, 200], []]);
    expect(x!.at(0)).toBeCloseTo(1);
    expect(x!.at(-1)).toBeCloseTo(200);
    expect(fast!.at(-1)).toBe(100);
    expect(slow!.at(0)).toBe(0);
    expect(slow!.at(-1)).toBe(100);
    const middle = x!.findIndex((limit) => limit! >= 2);
    expect(fast![middle]).toBeCloseTo(200 / 3);
    expect(none!.every((share) => share === null)).toBe(true);
  });

  it('says nothing of nothing', () => {
    expect(distribution([[], []])).toEqual([[], [], []]);
  });
});
