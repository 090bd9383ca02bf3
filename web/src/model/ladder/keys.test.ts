import { describe, expect, it } from 'vitest';
import { Keys } from './keys';
import type { Item } from './layout';

const items = (...from: number[]): Item[] => from.map((at) => ({ side: 'ours', from: at, to: at + 1, top: at, bottom: at, label: at }));

describe('Keys', () => {
  it('keep the elements of labels that stay, and take those of labels that went from there', () => {
    const keys = new Keys();
    const give = (...from: number[]) => keys.give(items(...from)).map(({ key }) => key);
    expect(give(1, 2, 3, 4)).toEqual([0, 1, 2, 3]);
    // The first and the last are out of sight.
    expect(give(2, 3)).toEqual([1, 2]);
    // 2 is now two labels, and 3 begins elsewhere.
    expect(give(2, 25, 35)).toEqual([1, 2, 4]);
    expect(give(1, 2, 35)).toEqual([5, 1, 4]);
    expect(give()).toEqual([]);
    expect(give(1)).toEqual([6]);
  });

  it('are never the same for two, nor out of order where elements stay', () => {
    let state = 3;
    const random = (below: number): number => (state = (state * 48271) % 0x7fffffff) % below;
    const keys = new Keys();
    let before: number[] = [];
    for (let round = 0; round < 300; round += 1) {
      const wanted = Array.from({ length: 60 }, (_, at) => at).filter(() => random(3) > 0);
      const given = keys.give(items(...wanted));
      expect(given.map(({ item }) => item.from)).toEqual(wanted);
      const now = given.map(({ key }) => key);
      expect(new Set(now).size).toBe(now.length);
      const places = now.map((key) => before.indexOf(key)).filter((place) => place >= 0);
      expect(places).toEqual([...places].sort((a, b) => a - b));
      before = now;
    }
  });
});
