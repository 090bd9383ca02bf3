import type { Event, Gap } from '../../../wire/generated';
import type { FromLane } from '../protocol';

/** What a lane has to tell travels together, at most this often: a message of its own for each event would cost more than the event. */
const FLUSH_MS = 40;

/** Gathers what a lane hears. When it was heard is noted before, so gathering changes no figure. */
export class Teller {
  readonly #post: (message: FromLane, transfer?: Transferable[]) => void;
  #told: number[] = [];
  #asked: number[] = [];
  #held: number[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(post: (message: FromLane, transfer?: Transferable[]) => void) {
    this.#post = post;
  }

  /** The stream's end was heard. */
  get ended(): boolean {
    return this.#ended;
  }

  /** An event came at `at`. */
  event(event: Event, at: number): void {
    if (event.type === 'received') this.#told.push(event.offset ?? -1, event.len, at, event.t_us);
    else if (event.type === 'eof') {
      this.#ended = true;
      this.say({ type: 'end', total: event.offset });
    }
    this.#soon();
  }

  /** Whether history was given up before it came. */
  gaps(gaps: readonly Gap[]): void {
    if (gaps.length > 0) this.say({ type: 'lost' });
  }

  /** A request was made, and answered. */
  asked(from: number, to: number, events: number): void {
    this.#asked.push(from, to, events);
    this.#soon();
  }

  /** The browser kept a request back. */
  held(from: number, to: number): void {
    this.#held.push(from, to);
    this.#soon();
  }

  /** Says something at once, after all that was gathered before it. */
  say(message: FromLane): void {
    this.#flush();
    this.#post(message);
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#flush();
    }, FLUSH_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#told.length + this.#asked.length + this.#held.length === 0) return;
    const message = { type: 'told', told: Float64Array.from(this.#told), asked: Float64Array.from(this.#asked), held: Float64Array.from(this.#held) } as const;
    this.#told = [];
    this.#asked = [];
    this.#held = [];
    this.#post(message, [message.told.buffer, message.asked.buffer, message.held.buffer]);
  }
}
