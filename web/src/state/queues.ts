import type { Sockets } from '../model/sockets/fold';
import type { Socket, SocketId } from '../wire/generated';

/** How often the queue of a socket whose peer does not read is asked for, in ms. */
export const QUEUE_MS = 1000;

/** Sockets asked for at a time; the queues of others are as the log last told. */
export const QUEUES_ASKED = 32;

/** What asking needs of the page. */
interface Doors {
  /** One socket, as it is now. */
  readonly ask: (id: SocketId) => Promise<Socket>;
  /** Whether asking makes sense: the server answers and somebody looks. */
  readonly awake: () => boolean;
  /** Something changed. */
  readonly changed: () => void;
}

/**
 * The log says when a peer stops reading and when it goes on. How much waits in between is no fact of the socket:
 * what is queued meanwhile has not been written. So it is asked for, as long as somebody waits.
 */
export class Queues {
  readonly #sockets: Sockets;
  readonly #doors: Doors;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(sockets: Sockets, doors: Doors) {
    this.#sockets = sockets;
    this.#doors = doors;
  }

  /** Begins to ask if anybody waits; ends by itself. */
  watch(): void {
    if (this.#timer !== undefined || this.#sockets.blocked.size === 0) return;
    this.#timer = setTimeout(() => void this.#ask(), QUEUE_MS);
  }

  async #ask(): Promise<void> {
    if (this.#doors.awake()) {
      const asked = [...this.#sockets.blocked].slice(0, QUEUES_ASKED);
      const answers = await Promise.allSettled(asked.map((id) => this.#doors.ask(id)));
      // One that is gone by now answers 404; that it is gone, the log says.
      for (const answer of answers) if (answer.status === 'fulfilled') this.#sockets.setQueue(answer.value.id, answer.value.queue);
      this.#doors.changed();
    }
    this.#timer = undefined;
    this.watch();
  }
}
