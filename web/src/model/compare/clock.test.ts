import { describe, expect, it } from 'vitest';
import { fixOf, thereUs } from './clock';

describe('fixOf', () => {
  it('believes the quickest answer, half-way', () => {
    const fix = fixOf([
      { asked: 0, answered: 10, nowUs: 1 },
      { asked: 100, answered: 102, nowUs: 5_000_000 },
      { asked: 200, answered: 220, nowUs: 2 },
    ]);
    expect(fix).toEqual({ hereMs: 101, thereUs: 5_000_000, uncertaintyUs: 1100 });
  });

  it('knows nothing without an answer', () => {
    expect(fixOf([])).toBeUndefined();
  });
});

describe('thereUs', () => {
  const before = { hereMs: 1000, thereUs: 0, uncertaintyUs: 1 };

  it('counts on from a fix, and back', () => {
    expect(thereUs(1002, before)).toBe(2000);
    expect(thereUs(999, before)).toBe(-1000);
  });

  it('takes out what the clocks drifted apart', () => {
    const after = { hereMs: 2000, thereUs: 1_000_100, uncertaintyUs: 1 };
    expect(thereUs(1500, before, after)).toBeCloseTo(500_050);
    expect(thereUs(2000, before, after)).toBeCloseTo(1_000_100);
  });
});
