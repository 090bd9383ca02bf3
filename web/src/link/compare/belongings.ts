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

  /** Ends one of them now. */
  async end(path: string): Promise<void> {
    this.#paths = this.#paths.filter((other) => other !== path);
    await this.#end(path);
  }

  /** Ends all of them; what could not be ended is answered. */
  async endAll(): Promise<unknown[]> {
    const paths = this.#paths.reverse();
    this.#paths = [];
    const failures: unknown[] = [];
    for (const path of paths) {
      try {
        await this.#end(path);
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }

  /** The page is being left: asks for the end of all of them, and waits for nothing. */
  leave(): void {
    for (const path of this.#paths.reverse()) this.#api.farewell(path);
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
