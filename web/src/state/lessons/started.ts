import { ApiError } from '../../link/api';
import { ended } from '../../model/sockets/fold';
import { scope } from '../scope.svelte';

interface Thing {
  readonly is: 'socket' | 'peer';
  readonly id: string;
  /** Which log it is in: after a restart of the server the same id is somebody else's. */
  readonly epoch: string;
}

/**
 * What a lesson started: sockets and practice peers that must not outlive it. Ending takes the newest first, so that a
 * connection is closed before what it is connected to; leaving the page ends all of it too.
 */
export class Started {
  #things: Thing[] = [];
  readonly #leave = (): void => {
    // Nobody is left to hear an answer: the requests are only handed over, the browser sees to their arrival.
    for (const thing of this.#take()) this.#end(thing, true).catch(() => undefined);
  };

  /** A socket was opened. */
  socket(id: string): void {
    this.#add('socket', id);
  }

  /** A practice peer was started. */
  peer(id: string): void {
    this.#add('peer', id);
  }

  /** Whether there is anything to end. */
  get any(): boolean {
    return this.#things.length > 0;
  }

  /** Ends everything; throws the first reason why something was not ended, after all were tried. */
  async end(): Promise<void> {
    const failures: unknown[] = [];
    for (const thing of this.#take()) {
      try {
        await this.#end(thing, false);
      } catch (error) {
        // What somebody else has removed meanwhile is ended, too.
        if (!(error instanceof ApiError && error.status === 404)) failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  #add(is: Thing['is'], id: string): void {
    if (!this.any) window.addEventListener('pagehide', this.#leave);
    this.#things.push({ is, id, epoch: scope.log.epoch });
  }

  #take(): Thing[] {
    window.removeEventListener('pagehide', this.#leave);
    const things = this.#things.reverse();
    this.#things = [];
    return things;
  }

  async #end({ is, id, epoch }: Thing, leaving: boolean): Promise<void> {
    // It ended with the server that had it.
    if (epoch !== scope.log.epoch) return;
    if (is === 'peer') return scope.api.stopPeer(id, leaving);
    const socket = scope.sockets.all.get(id);
    // Closing one that is over would take it from the list, and its story with it.
    if (socket !== undefined && ended(socket)) return;
    return scope.api.closeSocket(id, leaving);
  }
}
