/** `TCPSocket`. */

import { type Channel, type Ends, channel, failure } from './channel.js';
import * as checks from './checks.js';
import type { TCPSocketOptions } from './checks.js';
import { Duplex } from './duplex.js';
import { Later, invalidState, left } from './ways.js';

export interface TCPSocketOpenInfo {
  readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  writable: WritableStream<BufferSource>;
  remoteAddress: string;
  remotePort: number;
  localAddress: string;
  localPort: number;
}

/** A socket that a listener accepted, in place of an address. */
class Accepted {
  constructor(
    readonly channel: Channel,
    readonly socket: number,
    readonly ends: Required<Ends>,
  ) {}
}

export class TCPSocket {
  readonly #opened = new Later<TCPSocketOpenInfo>();
  readonly #duplex: Duplex;
  #isOpen = false;

  constructor(remoteAddress: string, remotePort: number, options?: TCPSocketOptions);
  constructor(...args: unknown[]) {
    const [first] = args;
    if (first instanceof Accepted) {
      this.#duplex = new Duplex(first.channel);
      this.#duplex.start(first.socket);
      first.channel.adopt(first.socket, this.#listener());
      this.#open(first.ends);
      return;
    }
    const asked = checks.tcp(args);
    const through = channel();
    this.#duplex = new Duplex(through);
    this.#duplex.start(through.open(asked, this.#listener()));
  }

  get opened(): Promise<TCPSocketOpenInfo> {
    return this.#opened.promise;
  }

  get closed(): Promise<undefined> {
    return this.#duplex.closed;
  }

  close(): Promise<undefined> {
    const { readable, writable } = this.#duplex;
    if (!this.#isOpen) return invalidState('the socket is not open');
    if (readable.locked || writable.locked) return invalidState('a stream of the socket is locked');
    // An end of either that came before is in `closed`.
    readable.cancel().catch(() => undefined);
    writable.abort(left()).catch(() => undefined);
    return this.closed;
  }

  #listener(): ReturnType<Duplex['listener']> {
    return this.#duplex.listener(
      (ends) => {
        this.#open(ends as Required<Ends>);
      },
      (error) => {
        if (!this.#isOpen) this.#opened.reject(error ?? failure({ code: 'closed', detail: 'the socket was closed' }));
      },
    );
  }

  #open(ends: Required<Ends>): void {
    this.#isOpen = true;
    const { readable, writable } = this.#duplex;
    const { remoteAddress, remotePort, localAddress, localPort } = ends;
    this.#opened.resolve({ readable, writable, remoteAddress, remotePort, localAddress, localPort });
  }
}

/** A socket that a listener accepted: it is open. */
export function accepted(through: Channel, socket: number, ends: Required<Ends>): TCPSocket {
  return Reflect.construct(TCPSocket, [new Accepted(through, socket, ends)]) as TCPSocket;
}
