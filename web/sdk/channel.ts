/** The channel: one WebSocket that all sockets share. It is opened with the first of them, and again when it was lost. */

import { ACCEPTED, CLOSE, CLOSED, CREDIT, DATA, DATAGRAM, FIN, LOST, OPEN, OPENED, decode, encode, fromJson, toJson } from './packet.js';

/** The addresses of a socket. */
export interface Ends {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
}

/** Why something failed, as the server tells it. */
interface Why {
  readonly error?: 'NotAllowedError' | 'NetworkError';
  readonly errno?: string;
  readonly phase?: string;
  readonly code?: string;
  readonly detail?: string;
}

/** A DOMException that says what the standard hides. `code` is a word here, not the number that a DOMException has. */
export interface SocketError extends Omit<DOMException, 'code'> {
  readonly errno?: string;
  readonly phase?: string;
  readonly code?: string;
}

export function failure(why: Why): DOMException {
  const { error = 'NetworkError', errno, phase, code, detail = 'the socket failed' } = why;
  const exception = new DOMException(errno === undefined ? detail : `${errno}: ${detail}`, error);
  for (const [name, value] of Object.entries({ errno, phase, code })) {
    Object.defineProperty(exception, name, { value, enumerable: true, configurable: true });
  }
  return exception;
}

/** What is heard of a socket. After `closed` nothing more is. */
export interface Listener {
  opened(ends: Ends): void;
  data(bytes: Uint8Array<ArrayBuffer>): void;
  datagram(payload: Uint8Array<ArrayBuffer>): void;
  credit(amount: number): void;
  fin(): void;
  accepted(socket: number, ends: Required<Ends>): void;
  lost(error: DOMException): void;
  closed(error: DOMException | undefined): void;
}

/** Who hears nothing. */
export const NOTHING: Listener = {
  opened: () => undefined,
  data: () => undefined,
  datagram: () => undefined,
  credit: () => undefined,
  fin: () => undefined,
  accepted: () => undefined,
  lost: () => undefined,
  closed: () => undefined,
};

/** Where the channel is, and what opens it. */
export interface ChannelOptions {
  /** The URL of the channel, its key included: `wss://host/k/SECRET/bridge/sockets`. Without it, `/bridge/sockets` where this module came from. */
  url?: string | URL | undefined;
  /** Gives a ticket for one WebSocket: for pages of sockscope's own origin. */
  ticket?: (() => Promise<string>) | undefined;
}

const PROTOCOL = 'sockscope.direct.v1';

/** Numbers from here on are the server's. */
const SERVERS = 2 ** 31;

export class Channel {
  readonly #options: ChannelOptions;
  readonly #sockets = new Map<number, Listener>();
  #web: WebSocket | undefined;
  /** It is open, or being opened. */
  #up = false;
  /** What was said before it was open. */
  #early: Uint8Array<ArrayBuffer>[] = [];
  #next = 1;

  constructor(options: ChannelOptions) {
    this.#options = options;
  }

  /** Has a socket opened. Returns its number. */
  open(asked: unknown, listener: Listener): number {
    while (this.#sockets.has(this.#next)) this.#next = (this.#next + 1) % SERVERS;
    const socket = this.#next;
    this.#next = (this.#next + 1) % SERVERS;
    this.#sockets.set(socket, listener);
    this.#say(encode(OPEN, socket, toJson(asked)));
    if (!this.#up) {
      this.#up = true;
      void this.#connect();
    }
    return socket;
  }

  /** Listens for a socket that a listener accepted. */
  adopt(socket: number, listener: Listener): void {
    this.#sockets.set(socket, listener);
  }

  /** Says something of a socket, unless it is over. */
  say(type: number, socket: number, ...parts: readonly Uint8Array[]): void {
    if (this.#sockets.has(socket)) this.#say(encode(type, socket, ...parts));
  }

  /** Closes a socket that nobody took. */
  drop(socket: number): void {
    this.#say(encode(CLOSE, socket, new Uint8Array([1])));
  }

  #say(packet: Uint8Array<ArrayBuffer>): void {
    if (this.#web?.readyState === WebSocket.OPEN) this.#web.send(packet);
    else this.#early.push(packet);
  }

  async #connect(): Promise<void> {
    try {
      const { url, ticket } = this.#options;
      const protocols = [PROTOCOL];
      if (ticket !== undefined) protocols.push(`ticket.${await ticket()}`);
      const where = new URL(url ?? new URL('/bridge/sockets', import.meta.url));
      where.protocol = where.protocol.replace('http', 'ws');
      const web = new WebSocket(where, protocols);
      web.binaryType = 'arraybuffer';
      this.#web = web;
      web.onopen = () => {
        for (const packet of this.#early.splice(0)) web.send(packet);
      };
      web.onmessage = ({ data }: MessageEvent) => {
        try {
          if (data instanceof ArrayBuffer) this.#hear(data);
        } catch (error) {
          // Whatever this is, it is no server of ours.
          web.close(4002, 'a packet is not understood');
          throw error;
        }
      };
      web.onclose = ({ code, reason }) => {
        this.#lost(reason === '' ? `the channel was closed (${String(code)})` : `the channel was closed: ${reason}`, code === 1008 ? 'NotAllowedError' : 'NetworkError');
      };
    } catch (error) {
      this.#lost(`the channel cannot be opened: ${String(error)}`, 'NetworkError');
    }
  }

  #lost(detail: string, error: 'NotAllowedError' | 'NetworkError'): void {
    const listeners = [...this.#sockets.values()];
    this.#sockets.clear();
    this.#early = [];
    this.#web = undefined;
    this.#up = false;
    for (const listener of listeners) listener.closed(failure({ error, code: 'channel_closed', detail }));
  }

  #hear(message: ArrayBuffer): void {
    const packet = decode(message);
    if (packet === undefined) return;
    const { type, socket, payload } = packet;
    const listener = this.#sockets.get(socket);
    if (listener === undefined) {
      if (type === ACCEPTED) this.drop((fromJson(payload) as { socket: number }).socket);
      return;
    }
    switch (type) {
      case OPENED:
        return listener.opened(fromJson(payload) as Ends);
      case DATA:
        return listener.data(payload);
      case DATAGRAM:
        return listener.datagram(payload);
      case CREDIT:
        return listener.credit(new DataView(payload.buffer, payload.byteOffset).getUint32(0, true));
      case FIN:
        return listener.fin();
      case ACCEPTED: {
        const { socket: child, ...ends } = fromJson(payload) as Required<Ends> & { socket: number };
        return listener.accepted(child, ends);
      }
      case LOST:
        return listener.lost(failure(fromJson(payload) as Why));
      case CLOSED: {
        this.#sockets.delete(socket);
        const why = fromJson(payload) as Why;
        return listener.closed(why.error === undefined ? undefined : failure(why));
      }
    }
  }
}

let current: Channel | undefined;

/** Has the sockets of from now on go through there. */
export function use(options: ChannelOptions): void {
  current = new Channel(options);
}

/** The channel of a socket that is made now. */
export function channel(): Channel {
  return (current ??= new Channel({}));
}
