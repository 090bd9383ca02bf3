import { untrack } from 'svelte';
import { Follower } from '../../model/kernel/follow';
import { findPeers } from '../../model/ladder/peers';
import type { LogEvent } from '../../model/log/log';
import type { Socket, SocketId } from '../../wire/generated';
import { scope } from '../scope.svelte';

/** A model that is fed events. */
export interface Fed {
  add(event: LogEvent): void;
}

/** How often a view of a socket is drawn anew, in ms, however fast its events come. */
const REFRESH_MS = 100;

/** The socket at the other end, where it is one of the workspace. */
export function peerOf(socket: Socket): SocketId | undefined {
  return findPeers(socket, scope.sockets.all)[0]?.socket.id;
}

/**
 * A model of a connection kept up with the log: the events of its socket and of the one at the other end. Call it while
 * a component is made; it goes with the component.
 */
export class Followed<M extends Fed> {
  /** Goes up when the model has changed. */
  version = $state(0);
  peer = $state<SocketId>();
  #model: M;
  #socket: Socket;
  #follower: Follower | undefined;
  #key = '';
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at = 0;
  readonly #make: (socket: SocketId) => M;
  readonly #bytes: boolean;

  constructor(socket: () => Socket, make: (socket: SocketId) => M, bytes = false) {
    this.#make = make;
    this.#bytes = bytes;
    this.#socket = socket();
    this.#model = make(this.#socket.id);
    $effect.pre(() => {
      void scope.version;
      const now = socket();
      // What is counted here is drawn by others, not read by this.
      untrack(() => {
        this.#soon(now);
      });
    });
    $effect(() => () => {
      clearTimeout(this.#timer);
    });
  }

  /** The model; depends on its version. */
  get model(): M {
    void this.version;
    return this.#model;
  }

  #soon(socket: Socket): void {
    this.#socket = socket;
    const wait = this.#at + REFRESH_MS - performance.now();
    if (wait <= 0 || !this.#key.startsWith(`${socket.id} `)) {
      this.#update();
      return;
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#update();
    }, wait);
  }

  #update(): void {
    const socket = this.#socket;
    this.#at = performance.now();
    const peer = peerOf(socket);
    const key = `${socket.id} ${peer ?? ''}`;
    let changed = false;
    if (key !== this.#key || this.#follower === undefined || this.#follower.stale) {
      this.#key = key;
      this.peer = peer;
      const model = this.#make(socket.id);
      this.#model = model;
      this.#follower = new Follower(scope.log, peer === undefined ? [socket.id] : [socket.id, peer], (event) => {
        model.add(event);
      }, this.#bytes);
      changed = true;
    }
    if (this.#follower.update()) changed = true;
    if (changed) this.version += 1;
    // A long log is read over several frames.
    if (this.#follower.behind) this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#update();
    }, 0);
  }
}
