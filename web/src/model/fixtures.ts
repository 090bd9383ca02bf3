import type { Event, Fact, Page, Socket } from '../wire/generated';

/** What a test does not care about, for facts of its own. */
type Loose = Fact & { seq?: number; socket?: string; t_us?: number; took_us?: number; cause?: string };

const ANCHOR = Date.parse('2026-11-21T08:00:00Z');

/** Events with consecutive seqs from `first`, of socket s1 unless said. */
export function events(first: number, facts: readonly Loose[]): Event[] {
  return facts.map((fact, i) => {
    const seq = first + i;
    const t = seq * 1000;
    return { seq, t_us: t, at: new Date(ANCHOR + t / 1000).toISOString().replace('Z', '000Z'), socket: 's1', ...fact } as Event;
  });
}

/** A page of events, as a server would answer it. */
export function page(list: readonly Event[], more: Partial<Page> = {}): Page {
  const last = list.at(-1)?.seq ?? 0;
  return { epoch: 'e1', first: 1, shelves: { conversation: { first: 1 } }, head: last, next: last, events: [...list], gaps: [], ...more };
}

/** A socket with every default. */
export function socket(more: Partial<Socket> = {}): Socket {
  return {
    id: 's1',
    name: null,
    target: 'tcp://127.0.0.1:7',
    role: 'client',
    state: 'open',
    local: '127.0.0.1:50000',
    remote: '127.0.0.1:7',
    parent: null,
    counters: { sent_bytes: 0, received_bytes: 0, sent_events: 0, received_events: 0, dropped: 0 },
    opened_seq: 1,
    closed_seq: null,
    options: {},
    queue: { bytes: 0 },
    practice: null,
    reachable_from_outside: false,
    ...more,
  };
}

/** Bytes of a text. */
export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
