import { describe, expect, it } from 'vitest';
import { Arrivals, delaysOf, merged, summaryOf } from './samples';

describe('Arrivals', () => {
  it('has a message when its last byte is there', () => {
    const arrivals = new Arrivals(10);
    arrivals.bytes(0, 25, 1000);
    arrivals.bytes(25, 4, 2000);
    expect(arrivals.messages).toBe(2);
    arrivals.bytes(29, 1, 3000);
    expect(delaysOf(arrivals.at, [500, 600, 700], []).ms).toEqual([0.5, 0.4, 2.3]);
    expect(arrivals.whole).toBe(true);
  });

  it.each([0, 5, 11])('is broken for good by an offset of %i where 10 was due', (offset) => {
    const arrivals = new Arrivals(10);
    arrivals.bytes(0, 10, 1);
    arrivals.bytes(offset, 10, 2);
    arrivals.bytes(10, 10, 3);
    expect(arrivals.whole).toBe(false);
    expect(arrivals.messages).toBe(1);
  });

  it('takes a stream from its middle, an event a message', () => {
    const arrivals = new Arrivals(0, 100);
    arrivals.bytes(100, 7, 1);
    arrivals.bytes(107, 1, 2);
    expect([arrivals.messages, arrivals.covered, arrivals.whole]).toEqual([2, 108, true]);
    arrivals.bytes(100, 1, 3);
    expect(arrivals.whole).toBe(false);
  });

  it('keeps nothing behind what is due, however much comes', () => {
    const arrivals = new Arrivals(0, 100);
    for (let i = 0; i < 3; i += 1) arrivals.bytes(100 + i, 1, i);
    expect([arrivals.full, arrivals.over]).toEqual([false, false]);
    arrivals.cut(5);
    for (let i = 3; i < 50; i += 1) arrivals.bytes(100 + i, 1, i);
    arrivals.lost();
    expect([arrivals.messages, arrivals.full, arrivals.over, arrivals.whole]).toEqual([5, true, true, true]);
    arrivals.cut(2);
    expect(arrivals.at).toEqual([0, 1]);
    const holed = new Arrivals(0);
    holed.lost();
    holed.cut(5);
    expect([holed.full, holed.over, holed.whole]).toEqual([false, true, false]);
  });

  it('counts datagrams, which have no offset', () => {
    const arrivals = new Arrivals(0);
    arrivals.bytes(-1, 7, 1);
    arrivals.bytes(-1, 7, 2);
    expect([arrivals.messages, arrivals.whole]).toEqual([2, true]);
    arrivals.lost();
    expect(arrivals.whole).toBe(false);
  });
});

describe('delaysOf', () => {
  const sent = [0, 1000, 2000, 3000, 4000];
  const at = [500, 1500, 2500, 3500, 4500];

  it('leaves out what was under way while nothing could be measured', () => {
    const delays = delaysOf(at, sent, merged([{ from: 1400, to: 2100 }, { from: 4500, to: 9000 }]));
    expect(delays.sent).toEqual([0, 3000]);
    expect(delays.blind).toBe(3);
  });

  it('begins where it is told', () => {
    expect(delaysOf(at, sent, [], 3).sent).toEqual([3000, 4000]);
  });

  it('says nothing of messages that did not come', () => {
    expect(delaysOf(at.slice(0, 2), sent, []).ms).toEqual([0.5, 0.5]);
  });
});

describe('merged', () => {
  it('makes one of stretches that touch', () => {
    expect(merged([{ from: 5, to: 6 }, { from: 1, to: 3 }, { from: 2, to: 4 }])).toEqual([{ from: 1, to: 4 }, { from: 5, to: 6 }]);
  });
});

describe('summaryOf', () => {
  it('names delays that were met', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(summaryOf(hundred)).toEqual({ samples: 100, mean: 50.5, p50: 50, p95: 95, p99: null, max: 100 });
    const thousand = Array.from({ length: 1000 }, (_, i) => i + 1);
    expect(summaryOf(thousand)?.p99).toBe(990);
    expect(summaryOf([7])?.p95).toBe(7);
    expect(summaryOf([])).toBeNull();
  });
});
