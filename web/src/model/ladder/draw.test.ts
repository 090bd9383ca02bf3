import { describe, expect, it } from 'vitest';
import { bars, BAR_PX } from './bars';
import { received, sent, testLog, testSocket, type TestFact } from './fixtures';
import { links, LINKS_DRAWN, rungBySeq } from './links';
import { Rungs } from './rungs';
import { TimeMap } from './timemap';

function rungsOf(facts: TestFact[]): Rungs {
  const rungs = new Rungs(testLog([...facts].sort((a, b) => a.t - b.t)), 's1', [{ socket: testSocket('s2') }]);
  rungs.update();
  return rungs;
}

const MAP = new TimeMap(Float64Array.of(0, 1000), 1, false);

describe('bars', () => {
  it('reach from entry to return, a short one still being visible', () => {
    const { ours } = rungsOf([sent(100, 40, 1, 0), sent(200, 0, 1, 1), { type: 'connecting', t: 300, remote: 'a', attempt: 1, of: 1 }]);
    expect(bars(ours, MAP, 0, 1000).map(({ top, bottom, call }) => [top, bottom, call])).toEqual([
      [60, 100, true],
      [200, 200 + BAR_PX, true],
      [300, 300, false],
    ]);
  });

  it('are only those in sight, a call that surrounds the view included', () => {
    const { ours } = rungsOf([sent(50, 5, 1, 0), sent(500, 5, 1, 1), received(900, 800, 1, 0), sent(950, 5, 1, 2)]);
    expect(bars(ours, MAP, 450, 600).map((bar) => bar.top)).toEqual([495, 100]);
  });

  it('join where they cannot be told apart, and never hide an error', () => {
    const many = Array.from({ length: 5000 }, (_, i): TestFact => sent(i * 0.1, 0.05, 1, i));
    const failed: TestFact = { type: 'failed', t: 250, took: 0, code: 'broken_pipe', phase: 'send', fatal: false };
    const drawn = bars(rungsOf([...many, failed]).ours, MAP, 0, 1000);
    expect(drawn.length).toBeLessThan(5);
    expect(drawn.reduce((sum, bar) => sum + bar.count, 0)).toBe(5001);
    expect(drawn.some((bar) => bar.tone === 'error')).toBe(true);
  });

  it('take the tone of calls, not of a remark among them', () => {
    const pause: TestFact = { type: 'paused', t: 0, what: 'send', reason: 'peer_not_reading' };
    const drawn = bars(rungsOf([pause, sent(0.2, 0.1, 1, 0), sent(0.4, 0.1, 1, 1)]).ours, MAP, 0, 100);
    expect(drawn.map(({ tone, count }) => [tone, count])).toEqual([['sent', 3]]);
  });
});

describe('links', () => {
  const between = (facts: TestFact[], top = 0, bottom = 1000) => {
    const { ours, peer } = rungsOf(facts);
    return links(ours, peer, MAP, top, bottom);
  };

  it('join the calls that had the same bytes', () => {
    const found = between([sent(100, 10, 5, 0), received(130, 130, 5, 0, 's2'), sent(150, 5, 5, 0, 's2'), received(180, 100, 5, 0)]);
    expect(found).toEqual([
      { from: 'ours', kind: 'bytes', sender: 1, receiver: 2, leaves: 100, arrives: 130 },
      { from: 'peer', kind: 'bytes', sender: 3, receiver: 4, leaves: 150, arrives: 180 },
    ]);
  });

  it('show one send read in pieces, and several read at once', () => {
    const pieces = between([sent(100, 1, 10, 0), received(200, 1, 4, 0, 's2'), received(300, 1, 4, 4, 's2'), received(400, 1, 2, 8, 's2')]);
    expect(pieces.map((link) => [link.leaves, link.arrives])).toEqual([
      [100, 200],
      [100, 300],
      [100, 400],
    ]);
    const sticky = between([sent(100, 1, 4, 0), sent(200, 1, 4, 4), sent(300, 1, 4, 8), received(400, 1, 10, 0, 's2'), received(500, 1, 2, 10, 's2')]);
    expect(sticky.map((link) => [link.leaves, link.arrives])).toEqual([
      [100, 400],
      [200, 400],
      [300, 400],
      [300, 500],
    ]);
  });

  it('never go back in time, even where the peer had the bytes before our call returned', () => {
    expect(between([sent(100, 60, 5, 0), received(80, 80, 5, 0, 's2')])[0]).toMatchObject({ leaves: 80, arrives: 80 });
  });

  it('need both ends: not for bytes still on their way, nor for datagrams', () => {
    expect(between([sent(100, 1, 5, 0)])).toEqual([]);
    expect(between([{ type: 'sent', t: 100, len: 5, to: 'a:1' }, { type: 'received', t: 120, len: 5, from: 'b:1', socket: 's2' }])).toEqual([]);
  });

  it('show the FIN that became an end of file', () => {
    const eof: TestFact = { type: 'eof', t: 230, took: 100, offset: 0, socket: 's2' };
    expect(between([{ type: 'shutdown', t: 200, took: 3, how: 'write' }, eof])).toMatchObject([{ from: 'ours', kind: 'fin', leaves: 200, arrives: 230 }]);
    const counters = { sent_bytes: 0, received_bytes: 0, sent_events: 0, received_events: 0, dropped: 0 };
    const close: TestFact = { type: 'closed', t: 210, took: 3, reason: 'closed', counters, unsent_bytes: 0, unread_bytes: 0 };
    expect(between([close, eof])).toMatchObject([{ kind: 'fin', leaves: 210 }]);
    // Our close after their FIN was read is no cause of it.
    expect(between([{ ...close, t: 400 }, eof])).toEqual([]);
  });

  it('show the reset that the peer found', () => {
    const ours: TestFact = { type: 'reset', t: 200, took: 2, side: 'local' };
    const theirs: TestFact = { type: 'reset', t: 240, side: 'peer', phase: 'receive', errno: 'ECONNRESET', socket: 's2' };
    expect(between([ours, theirs])).toMatchObject([{ from: 'ours', kind: 'rst', leaves: 200, arrives: 240 }]);
  });

  it('are drawn where any part of them is in sight', () => {
    const facts = [sent(100, 1, 5, 0), received(900, 1, 5, 0, 's2')];
    expect(between(facts, 400, 500)).toHaveLength(1);
    expect(between(facts, 0, 50)).toEqual([]);
    expect(between(facts, 901, 1000)).toEqual([]);
  });

  it('are bounded, and one where several would look the same', () => {
    const facts: TestFact[] = [];
    for (let i = 0; i < 4000; i += 1) facts.push(sent(i / 4, 0.01, 1, i), received(i / 4 + 0.1, 0.01, 1, i, 's2'));
    expect(between(facts).length).toBeLessThanOrEqual(LINKS_DRAWN);
    expect(between(facts, 100, 200).length).toBeLessThan(30);
  });
});

describe('links of crowded calls', () => {
  it('are left out, unless one end stands alone; the end of a stream is always shown', () => {
    const { ours, peer } = rungsOf([
      sent(100, 1, 5, 0),
      received(120, 1, 5, 0, 's2'),
      sent(200, 1, 5, 5),
      received(220, 1, 5, 5, 's2'),
      { type: 'shutdown', t: 300, took: 1, how: 'write' },
      { type: 'eof', t: 320, took: 1, offset: 10, socket: 's2' },
    ]);
    const kinds = (apart: (seq: number) => boolean) => links(ours, peer, MAP, 0, 1000, apart).map((link) => [link.kind, link.sender]);
    expect(kinds(() => false)).toEqual([['fin', 5]]);
    expect(kinds((seq) => seq === 4)).toEqual([['bytes', 3], ['fin', 5]]);
  });
});

describe('rungBySeq', () => {
  it('finds a rung, in its order or out of it', () => {
    const { ours } = rungsOf([sent(10, 1, 1, 0), sent(20, 1, 1, 1), sent(30, 1, 1, 2)]);
    expect([1, 2, 3, 4].map((seq) => rungBySeq(ours, seq))).toEqual([0, 1, 2, -1]);
    const late = [...ours].reverse();
    expect([1, 2, 3, 4].map((seq) => rungBySeq(late, seq))).toEqual([2, 1, 0, -1]);
  });
});
