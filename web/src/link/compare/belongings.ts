import { type Api, ApiError } from '../api';

/** Everything on the server that a comparison started, to be ended with it, the last first. */
export class Belongings {
  readonly #api: Api;
  #paths: string[] = [];

  constructor(api: Api) {
    this.#api = api;
  }

  /** Something that `DELETE` of this path ends. */
  add(path: string): void {
    this.#paths.push(path);
  }

  /** Ends all of them; what could not be ended is answered. */
  async endAll(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let path = this.#paths.at(-1); path !== undefined; path = this.#paths.at(-1)) {
      try {
        await this.#end(path);
      } catch (error) {
        failures.push(error);
      }
      // Not before: a page that is left in between asks for it once more.
      const ended = path;
      this.#paths = this.#paths.filter((other) => other !== ended);
    }
    return failures;
  }

  /** The page is being left: asks for the end of all of them, and waits for nothing. */
  leave(): void {
    for (const path of [...this.#paths].reverse()) this.#api.farewell(path);
    this.#paths = [];
  }

  async #end(path: string): Promise<void> {
    try {
      await this.#api.tell('DELETE', path);
      const socket = /^sockets\/(\w+)/u.exec(path)?.[1];
      if (socket === undefined) return;
      // One that was open is closed now, and stays in the list until it is removed; one that was closed is gone.
      const { sockets } = await this.#api.sockets();
      if (sockets.some(({ id }) => id === socket)) await this.#api.tell('DELETE', `sockets/${socket}`);
    } catch (error) {
      // Somebody else ended it, or the server is another one now.
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }
}
