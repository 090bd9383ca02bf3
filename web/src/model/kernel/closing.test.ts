import { describe, expect, it } from 'vitest';
import { events } from '../fixtures';
import type { Fact, TcpState } from '../../wire/generated';
import { Calls, CALLS_KEPT, CASES, waitsOf } from './closing';
import type { End } from './path';

const end = (...states: TcpState[]): End => ({ owner: undefined, steps: states.map((state, i) => ({ state, evidence: 'read', atUs: i, seq: i })) });
const closed = (unread: number): Fact => ({ type: 'closed', reason: 'closed', counters: { sent_bytes: 0, received_bytes: 0, sent_events: 0, received_events: 0, dropped: 0 }, unsent_bytes: 0, unread_bytes: unread });

describe('waitsOf', () => {
  it('names the end that closed first, by its own state', () => {
    expect(waitsOf({ client: end('ESTABLISHED', 'TIME_WAIT'), server: end('CLOSED') }, [])).toBe('client');
    expect(waitsOf({ client: end('CLOSED'), server: end('TIME_WAIT', 'CLOSED') }, [])).toBe('server');
    expect(waitsOf({ client: end('TIME_WAIT'), server: end('TIME_WAIT') }, [])).toBe('both');
  });

  it('tells a reset from nothing known', () => {
    expect(waitsOf({ client: end(), server: end() }, events(1, [closed(0)]))).toBe('none');
    expect(waitsOf({ client: end(), server: end() }, events(1, [closed(9)]))).toBe('reset');
    expect(waitsOf({ client: end(), server: end() }, events(1, [{ type: 'reset', side: 'peer' }]))).toBe('reset');
  });
});

describe('Calls', () => {
  it('keeps the calls of both ends, and of options only pausing', () => {
    const calls = new Calls(['s1', 's2']);
    const facts: (Fact & { socket?: string })[] = [
      { type: 'option_set', option: 'nodelay', asked: 1, granted: 1 },
      { type: 'option_set', option: 'reading', asked: 0, granted: 0 },
      { type: 'eof', offset: 0, socket: 's2' },
      { type: 'eof', offset: 0, socket: 's3' },
      { type: 'kernel_state', end: 'local', state: 'CLOSED', evidence: 'read' },
    ];
    for (const event of events(1, facts)) calls.add(event);
    expect(calls.all.map(({ seq }) => seq)).toEqual([2, 3]);
    for (const event of events(10, Array.from({ length: CALLS_KEPT + 9 }, (): Fact => ({ type: 'eof', offset: 0 })))) calls.add(event);
    expect(calls.all).toHaveLength(CALLS_KEPT);
  });

  it('are in the order of time, in which they need not be told', () => {
    const calls = new Calls(['s1', 's2']);
    const eof = (socket: string, t_us: number): Fact & { socket: string; t_us: number } => ({ type: 'eof', offset: 0, socket, t_us });
    for (const event of events(1, [eof('s1', 10), eof('s1', 30), eof('s2', 20), eof('s2', 30)])) calls.add(event);
    expect(calls.all.map(({ seq }) => seq)).toEqual([1, 3, 2, 4]);
  });
});

it('tries every case of SO_REUSEADDR', () => {
  expect(new Set(CASES.map(({ old, fresh }) => `${String(old)} ${String(fresh)}`)).size).toBe(4);
});
