import { beforeEach, describe, expect, it } from 'vitest';
import type { Fact } from '../../wire/generated';
import type { LogEvent } from '../log/log';
import { axisTicks, share } from './axis';
import { type Lane, Run } from './lane';
import { marksOf } from './marks';
import { lasting, MOST_PROBES, probes, verdictOf } from './verdict';

const SECOND = 1e6;
let seq = 0;
const event = (socket: string, t: number, fact: Fact): LogEvent => ({ seq: (seq += 1), t_us: t * SECOND, at: '', socket, ...fact }) as LogEvent;

/** A run in which `nothing` is s5 and `app` s6, behind the middlebox s2. */
function begun(): Run {
  const run = new Run('s2', [['nothing', 's5'], ['app', 's6']]);
  run.apply(event('s5', 0, { type: 'connected', local: '127.0.0.1:5005', remote: '127.0.0.1:9' }));
  run.apply(event('s2', 0, { type: 'accepted', child: 's7', remote: '127.0.0.1:5005' }));
  run.apply(event('s6', 0.5, { type: 'connected', local: '127.0.0.1:5006', remote: '127.0.0.1:9' }));
  run.apply(event('s2', 0.5, { type: 'accepted', child: 's8', remote: '127.0.0.1:5006' }));
  return run;
}

const lane = (run: Run, id: string): Lane => run.lanes.find((one) => one.id === id)!;

beforeEach(() => {
  seq = 0;
});

describe('a run', () => {
  it('begins when the first connection is open', () => {
    expect(new Run('s2', [['nothing', 's5']]).beganUs).toBeUndefined();
    expect(begun().beganUs).toBe(0);
  });

  it('maps what the middlebox forgot to the connection by its address', () => {
    const run = begun();
    run.apply(event('s8', 5, { type: 'note', code: 'forgotten', params: { idle_ms: '5000' } }));
    expect(lane(run, 'nothing').forgottenUs).toBeUndefined();
    expect(lane(run, 'app').forgottenUs).toBe(5 * SECOND);
  });

  it('knows the middlebox, what it accepted and its own connections, and nobody else', () => {
    const run = begun();
    expect(['s2', 's5', 's6', 's7', 's8', 's9'].map((id) => run.knows(id))).toEqual([true, true, true, true, true, false]);
    // A remark of the same name elsewhere is not about this run.
    run.apply(event('s9', 5, { type: 'note', code: 'forgotten' }));
    expect(run.lanes.every((one) => one.forgottenUs === undefined)).toBe(true);
  });

  it('tells messages apart by their place in the stream, however reads cut them', () => {
    const run = begun();
    run.says('app', 'hello', 6);
    run.says('app', 'beat', 4);
    run.apply(event('s6', 1, { type: 'sent', len: 6, offset: 0 }));
    run.apply(event('s6', 1.1, { type: 'received', len: 5, offset: 0 }));
    expect(run.answered('hello')).toBe(false);
    run.apply(event('s6', 2, { type: 'sent', len: 4, offset: 6 }));
    run.apply(event('s6', 2.2, { type: 'received', len: 5, offset: 5 }));
    expect(lane(run, 'app').messages).toEqual([
      { why: 'hello', end: 6, sentUs: 1 * SECOND, answeredUs: 2.2 * SECOND },
      { why: 'beat', end: 10, sentUs: 2 * SECOND, answeredUs: 2.2 * SECOND },
    ]);
  });

  it('answers what is, and leaves what it answered before as it was', () => {
    const run = begun();
    run.says('app', 'hello', 6);
    const before = run.lanes;
    run.apply(event('s6', 1, { type: 'sent', len: 6, offset: 0 }));
    expect(before[1]!.messages).toEqual([{ why: 'hello', end: 6 }]);
    expect(lane(run, 'app').messages[0]!.sentUs).toBe(1 * SECOND);
  });

  it('is answered when every connection that is left has its echo', () => {
    const run = begun();
    expect(run.answered('question')).toBe(false);
    run.says('app', 'question', 3);
    run.apply(event('s6', 1, { type: 'sent', len: 3, offset: 0 }));
    run.apply(event('s6', 2, { type: 'received', len: 3, offset: 0 }));
    expect(run.answered('question')).toBe(false);
    run.apply(event('s5', 3, { type: 'failed', code: 'timed_out', phase: 'receive', errno: 'ETIMEDOUT', fatal: true }));
    expect(run.answered('question')).toBe(true);
  });

  it('keeps the first reason for an end', () => {
    const run = begun();
    run.apply(event('s5', 1, { type: 'failed', code: 'os', phase: 'option', fatal: false }));
    expect(lane(run, 'nothing').end).toBeUndefined();
    run.apply(event('s5', 2, { type: 'reset', side: 'peer', phase: 'receive', errno: 'ECONNRESET' }));
    run.apply(event('s5', 3, { type: 'closed', reason: 'was_reset', counters: { sent_bytes: 0, received_bytes: 0, sent_events: 0, received_events: 0, dropped: 0 } } as Fact));
    expect(lane(run, 'nothing').end).toEqual({ atUs: 2 * SECOND, how: 'reset', errno: 'ECONNRESET' });
  });
});

describe('the verdict', () => {
  const of = (more: Partial<Lane>): Lane => ({ id: 'nothing', socket: 's5', messages: [], openedUs: 0, ...more });
  const question = (sentUs: number, answeredUs?: number) => ({ messages: [{ why: 'question' as const, end: 1, sentUs, ...(answeredUs === undefined ? {} : { answeredUs }) }] });

  it('is open while nobody has asked', () => {
    expect(verdictOf(of({ messages: [{ why: 'hello', end: 1, sentUs: 1, answeredUs: 2 }] }), 9)).toEqual({ is: 'silent' });
  });

  it('says how long nothing was noticed, since both beginnings', () => {
    expect(verdictOf(of({ ...question(15), forgottenUs: 5 }), 25)).toEqual({ is: 'unnoticed', sinceSpoken: 10, sinceForgotten: 20 });
    expect(verdictOf(of(question(15)), 14)).toEqual({ is: 'unnoticed', sinceSpoken: 0 });
  });

  it('is an answer, whatever came after it', () => {
    expect(verdictOf(of({ ...question(15, 17), end: { atUs: 18, how: 'closed' } }), 25)).toEqual({ is: 'works', took: 2 });
  });

  it('says of an end its errno and how long it took, since it spoke only if it had spoken', () => {
    const end = { atUs: 18, how: 'failed' as const, errno: 'ETIMEDOUT' };
    expect(verdictOf(of({ ...question(15), forgottenUs: 5, end }), 25)).toEqual({ is: 'ended', how: 'failed', errno: 'ETIMEDOUT', sinceForgotten: 13, sinceSpoken: 3 });
    expect(verdictOf(of({ forgottenUs: 5, end }), 25)).toEqual({ is: 'ended', how: 'failed', errno: 'ETIMEDOUT', sinceForgotten: 13 });
    expect(verdictOf(of({ end: { atUs: 1, how: 'eof' } }), 25)).toEqual({ is: 'ended', how: 'eof' });
  });
});

describe('what has lasted until now', () => {
  it('is said no more exactly than it is known', () => {
    expect([-1, 0, 1_991_000, 59.9e6, 125e6].map(lasting)).toEqual(['0.0 s', '0.0 s', '2.0 s', '59.9 s', '2 min 05 s']);
  });
});

describe('keepalive probes', () => {
  const set = { keepalive_idle_s: 2, keepalive_interval_s: 1, keepalive_count: 3 };
  const of = (more: Partial<Lane>): Lane => ({ id: 'fast', socket: 's5', messages: [], openedUs: 0, ...more });
  const times = (one: Lane, now: number, options: Parameters<typeof probes>[1] = set) => probes(one, options, now * SECOND).map(({ atUs, answered }) => `${String(atUs / SECOND)}${answered ? '' : '!'}`);

  it('go after each silence while they are answered', () => {
    expect(times(of({}), 7)).toEqual(['2', '4', '6']);
  });

  it('wait anew after every sign of the other side', () => {
    expect(times(of({ messages: [{ why: 'hello', end: 1, sentUs: 1 * SECOND, answeredUs: 1.5 * SECOND }] }), 6)).toEqual(['3.5', '5.5']);
  });

  it('follow at the interval when nobody answers, and then there are no more', () => {
    expect(times(of({ forgottenUs: 3 * SECOND }), 60)).toEqual(['2', '4!', '5!', '6!']);
  });

  it('stop where bytes wait for their acknowledgement, and where the connection ended', () => {
    expect(times(of({ messages: [{ why: 'question', end: 1, sentUs: 5 * SECOND }] }), 60)).toEqual(['2', '4']);
    expect(times(of({ end: { atUs: 5 * SECOND, how: 'failed' } }), 60)).toEqual(['2', '4']);
  });

  it('are none without the options, and never too many to draw', () => {
    expect(times(of({}), 9, {})).toEqual([]);
    const unopened: Lane = { id: 'fast', socket: 's5', messages: [] };
    expect(times(unopened, 9)).toEqual([]);
    expect(probes(of({}), set, 1e12)).toHaveLength(MOST_PROBES);
  });
});

describe('marks', () => {
  it('are in the order of time, calculated ones apart from seen ones', () => {
    const setup = { id: 'fast' as const, options: { keepalive_idle_s: 2, keepalive_interval_s: 1, keepalive_count: 1 }, everyMs: undefined };
    const one: Lane = { id: 'fast', socket: 's5', openedUs: 0, forgottenUs: 3 * SECOND, end: { atUs: 7 * SECOND, how: 'failed' }, messages: [{ why: 'question', end: 1, sentUs: 6 * SECOND, answeredUs: 6.5 * SECOND }] };
    expect(marksOf(one, setup, 9 * SECOND).map(({ kind, atUs }) => `${kind} ${String(atUs / SECOND)}`)).toEqual(['probe 2', 'forgotten 3', 'missed 4', 'question 6', 'answer 6.5', 'end 7']);
  });
});

describe('the axis', () => {
  it('has marks at round times from 0 on', () => {
    expect(axisTicks(30 * SECOND, 6).map((tick) => tick.text)).toEqual(['0', '5 s', '10 s', '15 s', '20 s', '25 s', '30 s']);
    expect(axisTicks(30 * SECOND, 6)[3]!.at).toBe(0.5);
    expect(axisTicks(0, 6)).toEqual([]);
    expect(axisTicks(Number.NaN, 6)).toEqual([]);
  });

  it('keeps every place on itself', () => {
    expect([share(-1, 0, 10), share(5, 0, 10), share(11, 0, 10), share(5, 0, 0)]).toEqual([0, 0.5, 1, 0]);
  });
});
