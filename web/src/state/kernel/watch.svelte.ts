import { scope } from '../scope.svelte';
import type { SocketId } from '../../wire/generated';

/** Sockets one viewer may have sampled at a time. */
export const WATCHED = 100;

/** Who looks at which sockets; the server is told the sum of it whenever that changes. */
class Watching {
  #lookers = new Map<object, readonly SocketId[]>();
  #told = '';
  #epoch = '';

  constructor() {
    document.addEventListener('visibilitychange', () => {
      this.#tell();
    });
  }

  /** Somebody looks at these until the answer is called. */
  look(sockets: readonly SocketId[]): () => void {
    const key = {};
    this.#lookers.set(key, sockets);
    this.#tell();
    return () => {
      this.#lookers.delete(key);
      this.#tell();
    };
  }

  #tell(): void {
    // Nobody looks at a hidden tab.
    const sockets = document.hidden ? [] : [...new Set([...this.#lookers.values()].flat())].sort().slice(0, WATCHED);
    const said = sockets.join();
    if (said === this.#told && scope.log.epoch === this.#epoch) return;
    this.#told = said;
    this.#epoch = scope.log.epoch;
    scope.connection.watch(sockets);
  }
}

/** Which sockets are sampled because of this page. */
export const watching = new Watching();
