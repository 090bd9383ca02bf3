import type { Event, Fact, Page, Socket } from '../../wire/generated';
import { decodePage } from '../log/decode';
import { EventLog } from '../log/log';

/** A fact of a test, with only what the test is about. */
export type TestFact = Fact & { readonly socket?: string; readonly t: number; readonly took?: number; readonly seq?: number };

/** A socket with everything defaulted. */
export function testSocket(id: string, fields: Partial<Socket> = {}): Socket {
  return {
    id,
    name: null,
    target: 'tcp://127.0.0.1:7',
    role: 'client',
    state: 'open',
    local: null,
    remote: null,
    parent: null,
    counters: { sent_bytes: 0, received_bytes: 0, sent_events: 0, received_events: 0, dropped: 0 },
    opened_seq: 1,
    closed_seq: null,
    options: {},
    queue: { bytes: 0 },
    practice: null,
    reachable_from_outside: false,
    ...fields,
  };
}

/** A page of facts, numbered on from `after`. */
export function testPage(facts: readonly TestFact[], after = 0, first = 1, epoch = 'e'): Page {
  const events = facts.map(({ t, took, seq, ...fact }, i) => ({
    seq: seq ?? after + i + 1,
    t_us: t,
    at: '2026-11-21T08:00:00.000000Z',
    socket: 's1',
    ...(took === undefined ? {} : { took_us: took }),
    ...fact,
  })) as Event[];
  const head = after + facts.length;
  return { epoch, first, shelves: { conversation: { first } }, head, next: head, events, gaps: [] };
}

/** A log of facts, numbered from 1. */
export function testLog(facts: readonly TestFact[]): EventLog {
  const log = new EventLog();
  if (facts.length > 0) log.append(decodePage(testPage(facts)));
  return log;
}

/** A `sent` fact. */
export function sent(t: number, took: number, len: number, offset: number, socket = 's1'): TestFact {
  return { type: 'sent', t, took, len, offset, socket };
}

/** A `received` fact. */
export function received(t: number, took: number, len: number, offset: number, socket = 's1'): TestFact {
  return { type: 'received', t, took, len, offset, socket };
}
