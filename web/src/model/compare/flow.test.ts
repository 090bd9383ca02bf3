import { describe, expect, it } from 'vitest';
import { flow } from './flow';

describe('things beside each other', () => {
  it('go on in the next row where there is no more room', () => {
    expect(flow([40, 40, 40], 100, 10)).toEqual({ places: [{ x: 0, row: 0 }, { x: 50, row: 0 }, { x: 0, row: 1 }], rows: 2 });
  });

  it('that are wider than all the room have a row of their own', () => {
    expect(flow([200, 20, 20], 100, 10).places).toEqual([{ x: 0, row: 0 }, { x: 0, row: 1 }, { x: 30, row: 1 }]);
    expect(flow([], 100, 10)).toEqual({ places: [], rows: 0 });
  });
});
