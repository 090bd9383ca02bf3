import { describe, expect, it } from 'vitest';
import { amount } from './amount';

describe('amount', () => {
  it.each([
    ['1', 1],
    [' 500000 ', 500_000],
    ['12 b', 12],
    ['64KiB', 65_536],
    ['1.5 GiB', 1_610_612_736],
    ['1 tib', 1_099_511_627_776],
  ])('reads %j', (text, bytes) => {
    expect(amount(text)).toBe(bytes);
  });

  it.each(['', '0', '-1', '1e9', '10 MB', '5 k', 'much', '999999999999 TiB', '0.4 B', '1,000'])('refuses %j', (text) => {
    expect(amount(text)).toBeUndefined();
  });
});
