import { describe, expect, it } from 'vitest';
import { duration, isoOf, relative, wallOf } from './time';

describe('time', () => {
  it('keeps microseconds there and back', () => {
    for (const iso of ['2026-11-21T08:00:00.123456Z', '2026-11-21T08:00:00.000001Z', '1970-01-01T00:00:00.999999Z']) expect(isoOf(wallOf(iso))).toBe(iso);
    expect(isoOf(wallOf('2026-11-21T08:00:00Z'))).toBe('2026-11-21T08:00:00.000000Z');
    expect(isoOf(wallOf('2026-11-21T08:00:00.5Z'))).toBe('2026-11-21T08:00:00.500000Z');
  });

  it.each([
    [0, '0 µs'],
    [41, '41 µs'],
    [1200, '1.20 ms'],
    [51_234, '51.2 ms'],
    [999_400, '999 ms'],
    [3_456_000, '3.456 s'],
    [12_345_000, '12.35 s'],
    [125_000_000, '2 min 05 s'],
  ])('writes %d µs as %s', (us, text) => {
    expect(duration(us)).toBe(text);
  });

  it('counts seconds since the beginning', () => {
    expect(relative(512_345)).toBe('0.512345');
  });
});
