import { describe, expect, it } from 'vitest';
import { decodePage } from '../log/decode';
import { received, sent, testLog, testPage, testSocket, type TestFact } from './fixtures';
import { Rungs, RUNGS_KEPT } from './rungs';

const seqs = (rungs: readonly { seq: number }[]): number[] => rungs.map((rung) => rung.seq);
const peer = (id: string, only?: string) => ({ socket: testSocket(id), ...(only === undefined ? {} : { only }) });

describe('Rungs', () => {
  it('draws a call from its entry to its return, and a fact as a moment', () => {
    const log = testLog([
      { type: 'connecting', t: 100, remote: '127.0.0.1:7', attempt: 1, of: 1 },
      { type: 'connected', t: 160, took: 60, local: 'a:1', remote: 'b:2' },
    ]);
    const rungs = new Rungs(log, 's1', []);
    expect(rungs.update()).toBe(true);
    expect(rungs.ours.map(({ start, end, call }) => [start, end, call])).toEqual([
      [100, 100, false],
      [100, 160, true],
    ]);
    expect(rungs.update()).toBe(false);
  });

  it('keeps both ends and nobody else', () => {
    const log = testLog([sent(10, 1, 5, 0), sent(20, 1, 5, 0, 's2'), sent(30, 1, 5, 0, 's3'), { type: 'note', t: 40, code: 'log_trimmed', socket: 's1' }]);
    const rungs = new Rungs(log, 's1', [peer('s3')]);
    rungs.update();
    expect([seqs(rungs.ours), seqs(rungs.peer)]).toEqual([[1], [3]]);
  });

  it('leaves out what a datagram peer has to do with others', () => {
    const us = '127.0.0.1:4000';
    const log = testLog([
      { type: 'bound', t: 1, local: '127.0.0.1:9', socket: 's2' },
      { type: 'received', t: 2, len: 1, from: us, socket: 's2' },
      { type: 'received', t: 3, len: 1, from: '127.0.0.1:4001', socket: 's2' },
      { type: 'sent', t: 4, len: 1, to: '[::ffff:127.0.0.1]:4000', socket: 's2' },
      { type: 'sent', t: 5, len: 1, to: '127.0.0.1:4001', socket: 's2' },
    ]);
    const rungs = new Rungs(log, 's1', [peer('s2', us)]);
    rungs.update();
    expect(seqs(rungs.peer)).toEqual([1, 2, 4]);
  });

  it('passes over what people do to the list, and keeps kinds it does not know', () => {
    const log = testLog([
      { type: 'note', t: 1, code: 'renamed' },
      { type: 'note', t: 2, code: 'evicted' },
      { type: 'teleported', t: 3 } as unknown as TestFact,
    ]);
    const rungs = new Rungs(log, 's1', []);
    rungs.update();
    expect(rungs.ours.map((rung) => rung.kind)).toEqual(['note', 'unknown']);
  });

  it('draws an attempt until it was given up', () => {
    const log = testLog([
      { type: 'connecting', t: 100, remote: '[::1]:7', attempt: 1, of: 2 },
      { type: 'connecting', t: 350, remote: '127.0.0.1:7', attempt: 2, of: 2 },
      { type: 'connected', t: 400, took: 50, local: 'a:1', remote: '127.0.0.1:7' },
      { type: 'note', t: 401, took: 301, code: 'attempt_abandoned', params: { remote: '[::1]:7' } },
    ]);
    const rungs = new Rungs(log, 's1', []);
    rungs.update();
    expect(rungs.ours.at(-1)).toMatchObject({ start: 100, end: 401, call: true });
    expect(rungs.ours.at(-1)?.lane).not.toBe(rungs.ours.at(-2)?.lane);
  });

  it('draws a close that sent a reset as one call', () => {
    const closed = { type: 'closed', reason: 'closed', counters: { sent_bytes: 0, received_bytes: 0, sent_events: 0, received_events: 0, dropped: 0 }, unsent_bytes: 0, unread_bytes: 9 } as const;
    const calls = (facts: TestFact[]): boolean[] => {
      const rungs = new Rungs(testLog(facts), 's1', []);
      rungs.update();
      return rungs.ours.map((rung) => rung.call);
    };
    expect(calls([{ type: 'reset', side: 'local', t: 50, took: 8 }, { ...closed, t: 50, took: 8 }])).toEqual([true, false]);
    expect(calls([{ type: 'reset', side: 'peer', phase: 'receive', t: 20, took: 8 }, { ...closed, t: 50, took: 8 }])).toEqual([true, true]);
  });

  it('reads only what came since', () => {
    const log = testLog([sent(10, 1, 5, 0)]);
    const rungs = new Rungs(log, 's1', []);
    rungs.update();
    const first = rungs.ours[0];
    log.append(decodePage(testPage([sent(20, 1, 5, 5)], 1)));
    expect(rungs.update()).toBe(true);
    expect(rungs.ours[0]).toBe(first);
    expect(seqs(rungs.ours)).toEqual([1, 2]);
  });

  it('lets a late fact fall into its place in time', () => {
    const log = testLog([sent(10, 1, 5, 0), sent(30, 1, 5, 5), sent(20, 1, 5, 10)]);
    const rungs = new Rungs(log, 's1', []);
    rungs.update();
    expect(seqs(rungs.ours)).toEqual([1, 3, 2]);
  });

  it('lets go of what the log let go of', () => {
    const log = testLog([sent(10, 1, 5, 0), sent(20, 1, 5, 5), sent(30, 1, 5, 10)]);
    const rungs = new Rungs(log, 's1', []);
    rungs.update();
    log.append(decodePage(testPage([], 3, 3)));
    expect(rungs.update()).toBe(true);
    expect(seqs(rungs.ours)).toEqual([3]);
  });

  it('notices that the log is another one', () => {
    const log = testLog([sent(10, 1, 5, 0)]);
    const rungs = new Rungs(log, 's1', []);
    expect(rungs.stale).toBe(false);
    log.reset('f');
    expect(rungs.stale).toBe(true);
  });

  it('keeps the newest when there are too many, and counts the others', () => {
    const many = (count: number, after: number): TestFact[] => Array.from({ length: count }, (_, i) => sent(after + i, 1, 1, after + i));
    const log = testLog([...many(RUNGS_KEPT * 2, 0), received(RUNGS_KEPT * 3, 1, 1, 0, 's2')]);
    const rungs = new Rungs(log, 's1', [peer('s2')]);
    rungs.update();
    expect(rungs.ours).toHaveLength(RUNGS_KEPT);
    expect(rungs.ours.at(-1)?.seq).toBe(RUNGS_KEPT * 2);
    expect([rungs.peer.length, rungs.left]).toEqual([1, RUNGS_KEPT]);
    // Little by little an eighth more is kept; a flood between two looks leaves only the newest.
    log.append(decodePage(testPage(many(100, RUNGS_KEPT * 4), log.head)));
    rungs.update();
    expect(rungs.ours).toHaveLength(RUNGS_KEPT + 100);
    log.append(decodePage(testPage(many(RUNGS_KEPT / 8, RUNGS_KEPT * 5), log.head)));
    rungs.update();
    expect(rungs.ours).toHaveLength(RUNGS_KEPT);
    log.append(decodePage(testPage(many(RUNGS_KEPT + 50, RUNGS_KEPT * 6), log.head)));
    rungs.update();
    expect([rungs.ours.length, rungs.ours.at(-1)?.seq]).toEqual([RUNGS_KEPT, log.head]);
    expect(rungs.left + rungs.ours.length + rungs.peer.length).toBe(log.head);
  });
});

describe('lanes', () => {
  const lanes = (facts: TestFact[]): number[] => {
    const rungs = new Rungs(testLog(facts), 's1', []);
    rungs.update();
    return rungs.ours.map((rung) => rung.lane);
  };

  it('put waiting reads beside everything else', () => {
    expect(lanes([sent(20, 10, 1, 0), sent(40, 10, 1, 1), received(100, 95, 1, 0), sent(120, 5, 1, 2)])).toEqual([0, 0, 1, 0]);
  });

  it('put calls that overlap side by side', () => {
    const failed = (t: number, took: number): TestFact => ({ type: 'failed', t, took, code: 'refused', phase: 'connect', fatal: false });
    expect(lanes([failed(100, 100), failed(150, 100), failed(160, 100), failed(200, 40)])).toEqual([0, 2, 3, 0]);
  });

  it('never put two overlapping calls of one reader and one writer into one lane', () => {
    let state = 7;
    const random = (below: number): number => (state = (state * 48271) % 0x7fffffff) % below;
    const facts: TestFact[] = [];
    for (const [kind, from] of [
      ['sent', 0],
      ['received', 3],
    ] as const) {
      let t = from;
      for (let i = 0; i < 300; i += 1) {
        const took = random(50);
        t += took + random(5);
        facts.push({ type: kind, t, took, len: 1, offset: i });
      }
    }
    facts.sort((a, b) => a.t - b.t);
    const rungs = new Rungs(testLog(facts), 's1', []);
    rungs.update();
    for (let lane = 0; lane < 4; lane += 1) {
      const calls = rungs.ours.filter((rung) => rung.lane === lane);
      for (let i = 1; i < calls.length; i += 1) expect(calls[i]!.start).toBeGreaterThanOrEqual(calls[i - 1]!.end);
    }
  });
});
