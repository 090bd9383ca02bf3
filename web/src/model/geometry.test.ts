import { describe, expect, it } from 'vitest';
import { MAX_HEIGHT, maxTop, reveal, scaled, scrollHeight, scrollOf, topOf, visible } from './geometry';

const short = { rows: 100, rowHeight: 20, viewport: 200 };
const long = { rows: 5_000_000, rowHeight: 26, viewport: 600 };

describe('geometry', () => {
  it('is pixel for pixel while a browser can lay the list out', () => {
    expect(scaled(short)).toBe(false);
    expect(scrollHeight(short)).toBe(2000);
    expect(maxTop(short)).toBe(90);
    expect(topOf(500, short)).toBeCloseTo(25);
    expect(scrollOf(25, short)).toBeCloseTo(500);
  });

  it('scales a list that is too tall, and both ends are reached', () => {
    expect(scaled(long)).toBe(true);
    expect(scrollHeight(long)).toBe(MAX_HEIGHT);
    expect(topOf(0, long)).toBe(0);
    expect(topOf(MAX_HEIGHT - long.viewport, long)).toBeCloseTo(maxTop(long));
    const { first, count } = visible(maxTop(long), long);
    expect(first + count).toBe(long.rows);
  });

  it('finds every position again', () => {
    for (const g of [short, long]) for (const top of [0, 1, 17.5, maxTop(g) / 2, maxTop(g)]) expect(topOf(scrollOf(top, g), g)).toBeCloseTo(top, 3);
  });

  it('draws what is in sight, and never what is not there', () => {
    expect(visible(0, short)).toEqual({ first: 0, count: 11 });
    expect(visible(90, short)).toEqual({ first: 90, count: 10 });
    expect(visible(5, { ...short, rows: 3 })).toEqual({ first: 2, count: 1 });
    expect(visible(0, { ...short, rows: 0 }).count).toBe(0);
    expect(maxTop({ ...short, rows: 3 })).toBe(0);
    expect(scrollOf(5, { ...short, rows: 3 })).toBe(0);
  });

  it('moves no further than needed to reveal a row', () => {
    expect(reveal(5, 10, short)).toBe(5);
    expect(reveal(12, 10, short)).toBe(10);
    expect(reveal(20, 10, short)).toBe(11);
  });

  it('comes to rest also where nothing can be drawn', () => {
    const hidden = { ...short, viewport: 0 };
    const top = reveal(7, 0, hidden);
    expect(reveal(7, top, hidden)).toBe(top);
  });
});
