import { describe, expect, it } from 'vitest';
import { verdictOf } from './sticky';

const pieces = (...lengths: number[]) => {
  let at = 0;
  return lengths.map((length, i) => ({ from: at, to: (at += length), seq: i + 1, atUs: 0 }));
};

describe('verdictOf', () => {
  it('finds sends that arrived in one read', () => {
    const verdict = verdictOf(pieces(5, 5, 5), pieces(15));
    expect(verdict).toMatchObject({ writes: 3, reads: 1, sticky: 1, split: 0 });
    expect(verdict.mostSticky).toMatchObject({ count: 3, from: 0, to: 15 });
  });

  it('finds a send that came in parts', () => {
    const verdict = verdictOf(pieces(100), pieces(40, 40, 20));
    expect(verdict).toMatchObject({ split: 1, sticky: 0 });
    expect(verdict.mostSplit).toMatchObject({ count: 3, piece: { from: 0, to: 100 } });
  });

  it('finds both at once, and counts what merely happened to fit', () => {
    const verdict = verdictOf(pieces(10, 10, 10), pieces(10, 5, 15));
    expect(verdict).toMatchObject({ same: 1, sticky: 1, split: 1 });
    expect(verdictOf(pieces(3, 4), pieces(3, 4))).toMatchObject({ same: 2, sticky: 0, split: 0, mostSticky: undefined });
  });

  it('says nothing of what has not arrived, or is not known', () => {
    expect(verdictOf(pieces(10, 10), pieces(10))).toMatchObject({ writes: 1, reads: 1, same: 1 });
    expect(verdictOf(pieces(10), [])).toMatchObject({ writes: 0, reads: 0 });
  });
});
