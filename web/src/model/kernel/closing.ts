import type { Event, SocketId } from '../../wire/generated';
import type { End } from './path';

/** An end of the lesson's connection: the one that connected, and the one that was accepted. */
export type Who = 'client' | 'server';

/** What can be done to an end. */
export const DEEDS = ['shutdown', 'close', 'unread', 'reset', 'sending'] as const;

/** What can be done to an end. */
export type Deed = (typeof DEEDS)[number];

/** Which end waits: the one in TIME_WAIT, both, none, or none because a RST ended it. */
export type Waits = 'client' | 'server' | 'both' | 'reset' | 'none';

/** Who is, or was last, in TIME_WAIT, by what the kernels said and the programs saw. */
export function waitsOf(ends: Readonly<Record<Who, End>>, calls: readonly Event[]): Waits {
  const was = (who: Who): boolean => ends[who].steps.some(({ state }) => state === 'TIME_WAIT');
  const [client, server] = [was('client'), was('server')];
  if (client && server) return 'both';
  if (client || server) return client ? 'client' : 'server';
  return calls.some(resets) ? 'reset' : 'none';
}

/** A reset, or a close that had to be one: bytes lay unread. */
function resets(event: Event): boolean {
  return event.type === 'reset' || (event.type === 'closed' && event.unread_bytes > 0);
}

const TOLD: ReadonlySet<string> = new Set(['connected', 'accepted', 'sent', 'received', 'eof', 'shutdown', 'reset', 'closing', 'closed', 'failed', 'paused', 'resumed', 'option_set']);

/** Calls kept of a connection; a peer that keeps sending makes many. */
export const CALLS_KEPT = 200;

/** What the programs at both ends saw, in the order of time. */
export class Calls {
  readonly all: Event[] = [];
  readonly #ends: ReadonlySet<SocketId>;

  constructor(ends: readonly SocketId[]) {
    this.#ends = new Set(ends);
  }

  /** Takes an event in; what opening one set is of no interest here. */
  add(event: Event): void {
    if (event.socket === undefined || !this.#ends.has(event.socket) || !TOLD.has(event.type)) return;
    if (event.type === 'option_set' && event.option !== 'reading') return;
    // What the two programs saw is told by two tasks, and not always in the order of time.
    this.all.splice(this.all.findLastIndex(({ t_us: at }) => at <= event.t_us) + 1, 0, event);
    if (this.all.length > CALLS_KEPT) this.all.shift();
  }
}

/** A case of SO_REUSEADDR: whether the old listener had it and whether the new one has. */
export interface ReuseCase {
  readonly old: boolean;
  readonly fresh: boolean;
}

/** The four there are, the three that surprise after the plain one. */
export const CASES: readonly ReuseCase[] = [
  { old: false, fresh: false },
  { old: false, fresh: true },
  { old: true, fresh: false },
  { old: true, fresh: true },
];
