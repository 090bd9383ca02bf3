import type { Batch } from '../model/log/columns';
import type { ClientFrame, Hello, Reply, Seq, SocketId, SocketList } from '../wire/generated';
import { ApiError } from './api';
import type { FromWorker, Transport } from './protocol';

/** First and longest wait before trying again, in ms. */
export const BACKOFF_MS = { first: 100, most: 10_000 } as const;

/** How long an answer to a command may take; the facts it causes may take longer. */
export const REPLY_MS = 15_000;

/** Bytes of each payload that come without being asked for; the rest is fetched when somebody looks at it. */
export const PREVIEW_BYTES = 4096;

/**
 * Events of a log that are replayed when the page first comes to it. Older ones stay on the server and are fetched when
 * somebody scrolls to them: a page must not be minutes behind because the log is long.
 */
export const REPLAY_EVENTS = 200_000;

/** Close codes of the server. */
export const CLOSE = { slow: 4008, shuttingDown: 4012, gone: 4014 } as const;

/** Where the connection is; `lost` says why, as far as a close code tells, and when it is tried again. */
export type LinkState =
  | { readonly is: 'connecting' }
  | { readonly is: 'live' }
  | { readonly is: 'lost'; readonly code: number; readonly attempt: number; readonly retryAt: number };

/** What the connection needs of the REST half. */
export interface Doors {
  ticket(): Promise<{ ticket: string }>;
  sockets(): Promise<SocketList>;
}

/** What the connection tells. */
export interface Listener {
  state(state: LinkState): void;
  /** A connection is there. `fresh`: it follows another log than before, what was known is void. */
  hello(hello: Hello, fresh: boolean): void;
  batch(batch: Batch): void;
  snapshot(list: SocketList): void;
}

/** The connection was lost before the answer came, or the answer did not come in time. */
export class NoReply extends Error {
  constructor(readonly why: 'lost' | 'timeout') {
    super(why);
    this.name = 'NoReply';
  }
}

interface Pending {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: NoReply) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * Keeps one WebSocket to the server: a ticket, the socket, `hello`, then the snapshot of the sockets, which is asked
 * for only once events are followed (see `Sockets` for the race). When it is lost it comes back with the last seq.
 */
export class Connection {
  readonly #doors: Doors;
  readonly #transport: Transport;
  readonly #listener: Listener;
  readonly #random: () => number;
  #generation = 0;
  #epoch = '';
  #after: Seq = 0;
  /** Where the first replay begins, and in which log. */
  #begin: { readonly epoch: string; readonly after: Seq } | undefined;
  #attempt = 0;
  #commands = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #live = false;
  #pending = new Map<string, Pending>();
  #watched: readonly SocketId[] = [];
  /** There was a connection before. */
  #known = false;

  constructor(doors: Doors, transport: Transport, listener: Listener, random: () => number = Math.random) {
    this.#doors = doors;
    this.#transport = transport;
    this.#listener = listener;
    this.#random = random;
    transport.onmessage = (message) => {
      this.#message(message);
    };
  }

  /** Connects, and keeps connecting. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#attempt = 0;
    void this.#connect();
  }

  /** Ends the connection until `start`. */
  stop(): void {
    this.#running = false;
    this.#live = false;
    this.#generation += 1;
    clearTimeout(this.#retry);
    this.#transport.post({ type: 'close' });
    this.#forget();
  }

  /** Tries again now instead of waiting. */
  retry(): void {
    if (!this.#running || this.#live) return;
    clearTimeout(this.#retry);
    void this.#connect();
  }

  /**
   * Takes the snapshot of the sockets again. While a long log is replayed, a socket that was just opened is in the
   * snapshot long before its facts arrive; those are then passed over by their seq.
   */
  refresh(): Promise<void> {
    return this.#live ? this.#snapshot() : Promise.resolve();
  }

  /** Gives a command and answers its reply, problem or not. */
  command(wish: Omit<ClientFrame, 'id'>): Promise<Reply> {
    if (!this.#live) return Promise.reject(new NoReply('lost'));
    this.#commands += 1;
    const id = `c${String(this.#commands)}`;
    return new Promise<Reply>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new NoReply('timeout'));
      }, REPLY_MS);
      this.#pending.set(id, { resolve, reject, timer });
      this.#transport.post({ type: 'send', text: JSON.stringify({ id, ...wish } satisfies ClientFrame) });
    });
  }

  /**
   * Says which sockets somebody looks at: the server samples those. It forgets with the connection, so the next one is
   * told again; a server that was restarted knows none of them.
   */
  watch(sockets: readonly SocketId[]): void {
    this.#watched = [...sockets];
    if (this.#live) this.#tellWatched();
  }

  #tellWatched(): void {
    // A server that does not sample says so with a problem; what is missing then is said where it would be shown.
    this.command({ watch: { sockets: [...this.#watched] } }).catch(() => undefined);
  }

  async #connect(): Promise<void> {
    this.#generation += 1;
    const generation = this.#generation;
    if (this.#attempt === 0) this.#listener.state({ is: 'connecting' });
    let ticket: string;
    try {
      if (this.#epoch === '') {
        const { epoch, head } = await this.#doors.sockets();
        this.#begin = { epoch, after: Math.max(0, head - REPLAY_EVENTS) };
      }
      ({ ticket } = await this.#doors.ticket());
    } catch (error) {
      // 401 is the gate's affair: it stops this connection and asks for a token.
      if (generation === this.#generation) this.#lost(error instanceof ApiError ? error.status : 0);
      return;
    }
    if (generation !== this.#generation || !this.#running) return;
    const from = this.#epoch === '' ? this.#begin : { epoch: this.#epoch, after: this.#after };
    const query = new URLSearchParams({ after: String(from?.after ?? 0), binary: '1', payload: `preview:${String(PREVIEW_BYTES)}` });
    if (from !== undefined && from.after > 0) query.set('epoch', from.epoch);
    const url = new URL(`/api/v1/workspaces/default/ws?${query.toString()}`, location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    this.#transport.post({ type: 'open', generation, url: url.href, protocols: ['sockscope.v1', `ticket.${ticket}`] });
  }

  #message(message: FromWorker): void {
    if (message.generation !== this.#generation || !this.#running) return;
    switch (message.type) {
      case 'hello':
        this.#hello(message.hello);
        break;
      case 'reply':
        this.#reply(message.reply);
        break;
      case 'batch':
        this.#after = Math.max(this.#after, message.batch.next);
        this.#listener.batch(message.batch);
        break;
      case 'closed':
        this.#lost(message.code);
        break;
    }
  }

  #hello(hello: Hello): void {
    const fresh = hello.epoch !== this.#epoch;
    if (fresh) this.#after = this.#begin?.epoch === hello.epoch ? this.#begin.after : 0;
    this.#begin = undefined;
    this.#epoch = hello.epoch;
    this.#attempt = 0;
    this.#live = true;
    this.#listener.hello(hello, fresh);
    this.#listener.state({ is: 'live' });
    if (fresh && this.#known) this.#watched = [];
    this.#known = true;
    if (this.#watched.length > 0) this.#tellWatched();
    void this.#snapshot();
  }

  async #snapshot(): Promise<void> {
    const generation = this.#generation;
    try {
      const list = await this.#doors.sockets();
      if (generation !== this.#generation) return;
      // A list of another log: the server was restarted in between, and its WebSocket is about to say so.
      if (list.epoch === this.#epoch) this.#listener.snapshot(list);
    } catch (error) {
      if (generation === this.#generation) this.#lost(error instanceof ApiError ? error.status : 0);
    }
  }

  #reply(reply: Reply): void {
    const pending = reply.re === null ? undefined : this.#pending.get(reply.re);
    if (pending === undefined || reply.re === null) return;
    clearTimeout(pending.timer);
    this.#pending.delete(reply.re);
    pending.resolve(reply);
  }

  #lost(code: number): void {
    this.#generation += 1;
    this.#live = false;
    this.#transport.post({ type: 'close' });
    this.#forget();
    if (!this.#running) return;
    this.#attempt += 1;
    const most = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** (this.#attempt - 1));
    // Half fixed, half chance: many tabs must not come back in one instant.
    const wait = most / 2 + (most / 2) * this.#random();
    this.#listener.state({ is: 'lost', code, attempt: this.#attempt, retryAt: Date.now() + wait });
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#connect(), wait);
  }

  #forget(): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(new NoReply('lost'));
    }
    this.#pending.clear();
  }
}
