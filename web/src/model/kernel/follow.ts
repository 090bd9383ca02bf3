import type { EventLog, LogEvent } from '../log/log';
import { socketNumber } from '../log/columns';

/** Rows looked at in one go; a longer log is read over several frames. */
export const FOLLOWED_ROWS = 200_000;

/** Reads the events of a few sockets from the log, each once, in the log's order. */
export class Follower {
  readonly #log: EventLog;
  readonly #sockets: ReadonlySet<number>;
  readonly #take: (event: LogEvent) => void;
  readonly #bytes: boolean;
  readonly #epoch: string;
  #next = 0;

  /** `bytes`: whether sends and receives are wanted too, of which there may be very many. */
  constructor(log: EventLog, sockets: readonly string[], take: (event: LogEvent) => void, bytes = false) {
    this.#log = log;
    this.#sockets = new Set(sockets.map(socketNumber));
    this.#take = take;
    this.#bytes = bytes;
    this.#epoch = log.epoch;
  }

  /** Whether the log is no longer the one that was followed. */
  get stale(): boolean {
    return this.#log.epoch !== this.#epoch;
  }

  /** Whether there is more to read. */
  get behind(): boolean {
    return this.#next < this.#log.end;
  }

  /** Reads on; answers whether there was anything. */
  update(): boolean {
    const log = this.#log;
    let found = false;
    let row = Math.max(this.#next, log.base);
    const end = Math.min(log.end, row + FOLLOWED_ROWS);
    for (; row < end; row += 1) {
      if (!this.#sockets.has(log.socketAt(row))) continue;
      if (!this.#bytes) {
        const kind = log.kindAt(row);
        if (kind === 'sent' || kind === 'received') continue;
      }
      const event = log.event(row);
      if (event === undefined) continue;
      this.#take(event);
      found = true;
    }
    this.#next = row;
    return found;
  }
}
