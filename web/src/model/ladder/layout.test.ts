import { describe, expect, it } from 'vitest';
import { testLog, type TestFact } from './fixtures';
import { Layout, spread, summary, TILE_PX, tileOf } from './layout';
import { Rungs } from './rungs';
import { moments, TimeMap } from './timemap';

const ROW = 20;

function layoutOf(ends: readonly number[], scale = 1, compress = false): Layout {
  const facts = ends.map((t, i): TestFact => ({ type: 'sent', t, took: 0, len: 10, offset: i * 10 }));
  const rungs = new Rungs(testLog(facts), 's1', []);
  rungs.update();
  return new Layout(rungs, new TimeMap(moments(rungs.ours), scale, compress), ROW);
}

function checked(layout: Layout) {
  const items = layout.items('ours', 0, tileOf(layout.map.height));
  let next = 0;
  for (const item of items) {
    expect(item.from).toBe(next);
    expect(item.to).toBeGreaterThan(item.from);
    next = item.to;
  }
  expect(next).toBe(layout.rungs.ours.length);
  for (let i = 1; i < items.length; i += 1) expect(items[i]!.label - items[i - 1]!.label).toBeGreaterThanOrEqual(ROW - 1e-6);
  return items;
}

describe('Layout', () => {
  it('puts a label beside its rung where there is room', () => {
    const items = checked(layoutOf([0, 100, 140, 300]));
    expect(items.map((item) => item.label)).toEqual([10, 100, 140, 300]);
  });

  it('moves a few apart, no farther than needed', () => {
    const items = checked(layoutOf([0, 100, 101, 102, 300]));
    expect(items.map((item) => item.label)).toEqual([10, 81, 101, 121, 300]);
  });

  it('groups what is too dense, row by row', () => {
    const items = checked(layoutOf([0, ...Array.from({ length: 200 }, (_, i) => 100 + i)]));
    expect(items[0]).toMatchObject({ from: 0, to: 1 });
    expect(items.length).toBeLessThan(14);
    expect(items.some((item) => item.to - item.from === ROW)).toBe(true);
    for (const item of items) expect(item.bottom - item.top).toBeLessThan(ROW);
  });

  it('opens groups at a closer look', () => {
    const ends = Array.from({ length: 50 }, (_, i) => i * 3);
    expect(checked(layoutOf(ends, 1)).length).toBeLessThan(15);
    expect(checked(layoutOf(ends, 0.1))).toHaveLength(50);
  });

  it('never overlaps labels nor loses a rung, whatever the rungs are', () => {
    let state = 11;
    const random = (below: number): number => (state = (state * 48271) % 0x7fffffff) % below;
    for (let round = 0; round < 150; round += 1) {
      const ends: number[] = [];
      let t = 0;
      for (let i = 0; i < random(400); i += 1) ends.push((t += random(10) === 0 ? random(2000) : random(12)));
      const layout = layoutOf(ends, [0.05, 0.5, 1, 7, 100][round % 5], round % 2 === 0);
      for (const item of checked(layout)) {
        expect(tileOf(item.label)).toBe(tileOf(item.bottom));
        // A label stays near what it names; only an edge of a tile can push a pile farther.
        expect(Math.abs(item.label - (item.top + item.bottom) / 2)).toBeLessThan(TILE_PX / 2);
      }
    }
  });

  it('lays a tile out the same whatever else is in sight', () => {
    const layout = layoutOf(Array.from({ length: 500 }, (_, i) => i * 7));
    const all = layout.items('ours', 0, 20);
    const again = new Layout(layout.rungs, layout.map, ROW);
    expect(again.items('ours', 3, 4)).toEqual(all.filter((item) => tileOf(item.bottom) === 3 || tileOf(item.bottom) === 4));
  });

  it('finds the label of a rung', () => {
    const layout = layoutOf(Array.from({ length: 300 }, (_, i) => i * 2));
    for (let index = 0; index < 300; index += 1) {
      const item = layout.itemOf('ours', index);
      expect(item !== undefined && index >= item.from && index < item.to).toBe(true);
    }
    expect(layout.itemOf('ours', 300)).toBeUndefined();
    expect(layout.itemOf('peer', 0)).toBeUndefined();
  });

  it('lays out ten thousand rungs, all in sight, in a few rows', () => {
    const layout = layoutOf(Array.from({ length: 10_000 }, (_, i) => i * 10), 200);
    const items = checked(layout);
    expect(items.length).toBeLessThanOrEqual(Math.ceil(layout.map.height / ROW) + 2);
  });
});

describe('Layout with room', () => {
  it('labels every rung of few at its own place, at every scale', () => {
    let state = 5;
    const random = (below: number): number => (state = (state * 48271) % 0x7fffffff) % below;
    for (let round = 0; round < 60; round += 1) {
      const ends: number[] = [];
      let t = 0;
      for (let i = 0; i < 1 + random(60); i += 1) ends.push((t += random(6) === 0 ? random(3e6) : 1 + random(8)));
      const facts = ends.map((end, i): TestFact => ({ type: 'sent', t: end, took: 0, len: 10, offset: i * 10 }));
      const rungs = new Rungs(testLog(facts), 's1', []);
      rungs.update();
      const row = round % 2 === 0 ? ROW : 34;
      const room = { rails: [Float64Array.from(ends)], row };
      const layout = new Layout(rungs, new TimeMap(moments(rungs.ours), [0.1, 1, 50, 1e5, 1e8][round % 5]!, true, room), row);
      const items = layout.items('ours', 0, tileOf(layout.map.height));
      expect(items).toHaveLength(ends.length);
      for (const item of items) expect(Math.abs(item.label - item.top)).toBeLessThan(1e-6);
    }
  });

  it('never overlaps labels nor loses a rung where bursts of few and of many take turns', () => {
    let state = 3;
    const random = (below: number): number => (state = (state * 48271) % 0x7fffffff) % below;
    for (let round = 0; round < 16; round += 1) {
      const ends: number[] = [];
      let t = 0;
      for (let burst = 0; burst < 8; burst += 1) {
        t += 2e6;
        const count = random(2) === 0 ? 1 + random(12) : 70 + random(300);
        for (let i = 0; i < count; i += 1) ends.push((t += 1 + random(6)));
      }
      const rungs = new Rungs(testLog(ends.map((end, i): TestFact => ({ type: 'sent', t: end, took: 0, len: 1, offset: i }))), 's1', []);
      rungs.update();
      const map = new TimeMap(moments(rungs.ours), [0.3, 2, 40, 900][round % 4]!, true, { rails: [Float64Array.from(ends)], row: ROW });
      checked(new Layout(rungs, map, ROW));
    }
  });
});

describe('spread', () => {
  it('leaves alone what is far enough apart', () => {
    expect(spread([0, 20, 45], 20).at).toEqual([0, 20, 45]);
  });

  it('keeps within bounds', () => {
    expect(spread([0, 1, 2], 20, { top: 10, bottom: 100 }).at).toEqual([10, 30, 50]);
    expect(spread([98, 99], 20, { top: 10, bottom: 100 }).at).toEqual([80, 100]);
    expect(spread([], 20).at).toEqual([]);
  });
});

describe('summary', () => {
  it('adds up bytes and errors, and names the kind if it is one', () => {
    const log = testLog([
      { type: 'sent', t: 10, took: 4, len: 5, offset: 0 },
      { type: 'sent', t: 20, took: 4, len: 7, offset: 5 },
      { type: 'received', t: 30, took: 29, len: 3, offset: 0 },
      { type: 'failed', t: 40, code: 'broken_pipe', phase: 'send', fatal: true },
    ]);
    const rungs = new Rungs(log, 's1', []);
    rungs.update();
    expect(summary(rungs.ours, 0, 2)).toMatchObject({ calls: 2, sent: 12, received: 0, errors: 0, kind: 'sent', start: 6, end: 20 });
    expect(summary(rungs.ours, 0, 4)).toMatchObject({ calls: 4, sent: 12, received: 3, errors: 1, kind: undefined, start: 1, end: 40 });
  });
});
