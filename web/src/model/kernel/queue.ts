import type { Event, Seq } from '../../wire/generated';

/** Slots that are drawn one by one; more are drawn as a bar. */
export const SLOTS_DRAWN = 48;

/** What waits to be accepted, and how much may. */
export interface Waiting {
  readonly length: number;
  readonly limit: number;
  readonly atUs: number;
  readonly seq: Seq;
}

/** The accept queue of a listener as the kernel told it. */
export class AcceptQueue {
  now: Waiting | undefined;
  /** The most that were seen waiting. */
  most = 0;
  /** What was asked for with listen(2). */
  backlog: number | undefined;

  /** Takes an event of the listener. */
  add(event: Event): void {
    if (event.type === 'listening') this.backlog = event.backlog;
    if (event.type !== 'accept_queue') return;
    this.now = { length: event.length, limit: event.limit, atUs: event.t_us, seq: event.seq };
    this.most = Math.max(this.most, event.length);
  }
}

/** A place in the queue. The last one is that which Linux lets in beyond the limit. */
export interface Slot {
  readonly taken: boolean;
  readonly beyond: boolean;
}

/** The queue as slots; empty where there are too many to draw. */
export function slots({ length, limit }: Pick<Waiting, 'length' | 'limit'>): readonly Slot[] {
  const count = Math.max(limit + 1, length);
  return count > SLOTS_DRAWN ? [] : Array.from({ length: count }, (_, i) => ({ taken: i < length, beyond: i >= limit }));
}
