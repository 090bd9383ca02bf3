import type { SocketList } from '../wire/generated';
import { type Api, ApiError } from './api';

interface Thing {
  /** `DELETE` of it ends it. */
  readonly path: string;
  /** Which log it is in: after a restart of the server the same id is somebody else's. */
  readonly epoch: string;
}

/** What of the API is needed here. */
export type Ends = Pick<Api, 'epoch' | 'tell' | 'farewell'> & { sockets(): Promise<Pick<SocketList, 'epoch' | 'sockets'>> };

/**
 * Everything on the server that a part of the page started, to be ended with it, the last first. Nothing is ended in
 * another log than it was started in: the server is told which one is meant, since it may have been restarted without
 * this page having heard of it.
 */
export class Belongings {
  readonly #api: Ends;
  /** Sockets whose story is to stay in the list: of one that has ended, says so. */
  readonly #stays: ((socket: string) => boolean) | undefined;
  #things: Thing[] = [];

  /** Sockets leave the list when they are ended, unless `stays` says which of them have ended already, and may stay. */
  constructor(api: Ends, stays?: (socket: string) => boolean) {
    this.#api = api;
    this.#stays = stays;
  }

  /** Something was started that `DELETE` of this path ends. */
  add(path: string): void {
    this.#things.push({ path, epoch: this.#api.epoch });
  }

  /** Whether there is anything to end. */
  get any(): boolean {
    return this.#things.length > 0;
  }

  /** Ends all of them; what could not be ended is answered. */
  async endAll(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let thing = this.#things.at(-1); thing !== undefined; thing = this.#things.at(-1)) {
      try {
        if (this.#ours(thing)) await this.#end(thing);
      } catch (error) {
        // Somebody else ended it, or the server is another one now.
        if (!(error instanceof ApiError && (error.status === 404 || error.problem?.code === 'wrong_epoch'))) failures.push(error);
      }
      // Not before: a page that is left in between asks for it once more.
      const ended = thing;
      this.#things = this.#things.filter((other) => other !== ended);
    }
    return failures;
  }

  /** The page is being left: asks for the end of all of them, and waits for nothing. */
  leave(): void {
    for (const thing of [...this.#things].reverse()) if (this.#ours(thing)) this.#api.farewell(marked(thing));
    this.#things = [];
  }

  /** Whether it is there to be ended, as far as this page knows. */
  #ours({ path, epoch }: Thing): boolean {
    if (epoch !== this.#api.epoch) return false;
    const socket = socketOf(path);
    // Ending one that has ended takes it from the list.
    return socket === undefined || this.#stays?.(socket) !== true;
  }

  async #end(thing: Thing): Promise<void> {
    await this.#api.tell('DELETE', marked(thing));
    const socket = socketOf(thing.path);
    if (socket === undefined || this.#stays !== undefined) return;
    // One that was open is closed now, and stays in the list until it is removed; one that was closed is gone.
    const { epoch, sockets } = await this.#api.sockets();
    if (epoch === thing.epoch && sockets.some(({ id }) => id === socket)) await this.#api.tell('DELETE', marked({ ...thing, path: `sockets/${socket}` }));
  }
}

function socketOf(path: string): string | undefined {
  return /^sockets\/(\w+)/u.exec(path)?.[1];
}

function marked({ path, epoch }: Thing): string {
  // Before the first word of the server no log is known.
  if (!epoch) return path;
  return `${path}${path.includes('?') ? '&' : '?'}epoch=${encodeURIComponent(epoch)}`;
}
