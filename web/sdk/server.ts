/** `TCPServerSocket`. */

import { NOTHING, channel, failure } from './channel.js';
import * as checks from './checks.js';
import type { TCPServerSocketOptions } from './checks.js';
import { CLOSE, CREDIT, u32 } from './packet.js';
import { type TCPSocket, accepted } from './tcp.js';
import { Later, invalidState } from './ways.js';

export interface TCPServerSocketOpenInfo {
  readable: ReadableStream<TCPSocket>;
  localAddress: string;
  localPort: number;
}

export class TCPServerSocket {
  readonly #opened = new Later<TCPServerSocketOpenInfo>();
  readonly #closed = new Later<undefined>();
  readonly #channel = channel();
  readonly #socket: number;
  readonly #readable: ReadableStream<TCPSocket>;
  #reader!: ReadableStreamDefaultController<TCPSocket>;
  /** Settles with the connection that was asked for. */
  #next = new Later<undefined>();
  #isOpen = false;
  #readOver = false;

  constructor(localAddress: string, options?: TCPServerSocketOptions);
  constructor(...args: unknown[]) {
    const asked = checks.server(args);
    this.#readable = new ReadableStream<TCPSocket>(
      {
        start: (controller) => {
          this.#reader = controller;
        },
        // One connection a read: the others wait in the kernel's queue.
        pull: () => {
          this.#next = new Later();
          this.#channel.say(CREDIT, this.#socket, u32(1));
          return this.#next.promise;
        },
        cancel: () => {
          this.#endRead();
          this.#channel.say(CLOSE, this.#socket, new Uint8Array(1));
        },
      },
      { highWaterMark: 0 },
    );
    this.#socket = this.#channel.open(asked, {
      ...NOTHING,
      opened: ({ localAddress, localPort }) => {
        this.#isOpen = true;
        this.#opened.resolve({ readable: this.#readable, localAddress, localPort });
      },
      accepted: (socket, ends) => {
        if (this.#readOver) return this.#channel.drop(socket);
        this.#reader.enqueue(accepted(this.#channel, socket, ends));
        this.#next.resolve(undefined);
      },
      closed: (error) => {
        this.#ends(error);
      },
    });
  }

  get opened(): Promise<TCPServerSocketOpenInfo> {
    return this.#opened.promise;
  }

  get closed(): Promise<undefined> {
    return this.#closed.promise;
  }

  close(): Promise<undefined> {
    if (!this.#isOpen) return invalidState('the socket is not open');
    if (this.#readable.locked) return invalidState('the stream of the socket is locked');
    this.#readable.cancel().catch(() => undefined);
    return this.closed;
  }

  #endRead(): void {
    this.#readOver = true;
    this.#next.resolve(undefined);
  }

  /** The server has closed it. */
  #ends(error: DOMException | undefined): void {
    if (!this.#isOpen) this.#opened.reject(error ?? failure({ code: 'closed', detail: 'the socket was closed' }));
    if (!this.#readOver) {
      if (error === undefined) this.#reader.close();
      else this.#reader.error(error);
      this.#endRead();
    }
    if (error === undefined) this.#closed.resolve(undefined);
    else this.#closed.reject(error);
  }
}
