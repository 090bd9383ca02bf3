/** A stretch of time, in µs of the server's clock, in which what arrived says nothing about the way of delivery. */
export interface Blind {
  readonly from: number;
  readonly to: number;
}

/** When each message of a stream was had whole. */
export class Arrivals {
  /** Bytes of a message; 0 where every event is one, as of a socket whose messages nobody knows. */
  readonly #message: number;
  /** When message 0, 1, 2 … was whole, on the server's clock in µs. */
  readonly #at: number[] = [];
  readonly #start: number;
  #covered: number;
  #broken = false;
  /** No more messages than these are of interest. */
  #due = Infinity;

  /** `start`: the offset of the first byte that is to come. */
  constructor(message: number, start = 0) {
    this.#message = message;
    this.#start = start;
    this.#covered = start;
  }

  /** Bytes came, in order or the stream is broken for good. A negative offset: a datagram, which has none. */
  bytes(offset: number, len: number, at: number): void {
    if (offset >= 0 && offset !== this.#covered && this.#at.length < this.#due) this.#broken = true;
    if (this.#broken || this.#at.length >= this.#due) return;
    this.#covered += len;
    if (this.#message === 0) this.#at.push(at);
    else while ((this.#at.length + 1) * this.#message <= this.#covered - this.#start) this.#at.push(at);
  }

  /** What comes after so many messages is not kept; what came already is forgotten. */
  cut(due: number): void {
    this.#due = due;
    this.#at.length = Math.min(this.#at.length, due);
  }

  /** All that is of interest has come. */
  get full(): boolean {
    return this.#at.length >= this.#due;
  }

  /** It has, or never will. */
  get over(): boolean {
    return this.#broken || this.full;
  }

  /** History was given up before it came. */
  lost(): void {
    if (this.#at.length < this.#due) this.#broken = true;
  }

  /** The offset behind the last byte that was had without a hole. */
  get covered(): number {
    return this.#covered;
  }

  get messages(): number {
    return this.#at.length;
  }

  get at(): readonly number[] {
    return this.#at;
  }

  /** Whether all came until now, in order. */
  get whole(): boolean {
    return !this.#broken;
  }
}

/** Delays of messages, and when they were sent. */
export interface Delays {
  /** When each was sent, in µs of the server's clock. */
  readonly sent: number[];
  readonly ms: number[];
  /** Messages that came while nothing could be measured. */
  readonly blind: number;
}

/** Puts stretches in order and makes one of those that touch. */
export function merged(blinds: readonly Blind[]): Blind[] {
  const result: { from: number; to: number }[] = [];
  for (const { from, to } of [...blinds].sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else result.push({ from, to });
  }
  return result;
}

/** How long each message took from its sending, in ms; from message `first` on. Blind stretches are merged ones. */
export function delaysOf(at: readonly number[], sent: readonly number[], blinds: readonly Blind[], first = 0): Delays {
  const result: { sent: number[]; ms: number[]; blind: number } = { sent: [], ms: [], blind: 0 };
  const count = Math.min(at.length, sent.length);
  let next = 0;
  for (let i = first; i < count; i += 1) {
    const from = sent[i]!;
    const to = at[i]!;
    // Both run forward, so a stretch that ended before this message was sent is behind all later ones too.
    while (next < blinds.length && blinds[next]!.to < from) next += 1;
    if (next < blinds.length && blinds[next]!.from <= to) result.blind += 1;
    else {
      result.sent.push(from);
      result.ms.push((to - from) / 1000);
    }
  }
  return result;
}

/** What can be said of many delays, in ms. */
export interface Summary {
  readonly samples: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  /** Only said of 1,000 samples and more. */
  readonly p99: number | null;
  readonly max: number;
}

/** Fewer samples say nothing of one in a hundred. */
export const ENOUGH_FOR_P99 = 1000;

/** Of these, if there are any. Percentiles are nearest-rank: a delay that was met, not one between two. */
export function summaryOf(delays: readonly number[]): Summary | null {
  if (delays.length === 0) return null;
  const sorted = Float64Array.from(delays).sort();
  const at = (percent: number): number => sorted[Math.max(1, Math.ceil((sorted.length * percent) / 100)) - 1]!;
  let sum = 0;
  for (const delay of sorted) sum += delay;
  return { samples: sorted.length, mean: sum / sorted.length, p50: at(50), p95: at(95), p99: sorted.length >= ENOUGH_FOR_P99 ? at(99) : null, max: sorted.at(-1)! };
}
