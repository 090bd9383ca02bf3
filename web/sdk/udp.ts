/** `UDPSocket`. */

import { NOTHING, channel, failure } from './channel.js';
import * as checks from './checks.js';
import type { UDPMessage, UDPSocketOptions } from './checks.js';
import { CLOSE, CREDIT, DATAGRAM, DATAGRAM_COST, MAX_DATAGRAM, PLACE, placeBytes, readDatagram, u32 } from './packet.js';
import { Bell, Credits, Later, Purse, Ways, invalidState, left } from './ways.js';

/** A message that came: of a bound socket with its sender. */
export interface UDPReceived {
  data: Uint8Array<ArrayBuffer>;
  remoteAddress?: string;
  remotePort?: number;
}

export interface UDPSocketOpenInfo {
  readable: ReadableStream<UDPReceived>;
  writable: WritableStream<UDPMessage>;
  remoteAddress?: string;
  remotePort?: number;
  localAddress: string;
  localPort: number;
}

export class UDPSocket {
  readonly #opened = new Later<UDPSocketOpenInfo>();
  readonly #channel = channel();
  readonly #isConnected: boolean;
  readonly #socket: number;
  readonly #ways: Ways;
  readonly #credits = new Credits();
  readonly #purse: Purse;
  /** What came and was not asked for yet: at most a window. */
  readonly #came: UDPReceived[] = [];
  readonly #stirred = new Bell();
  readonly #readable: ReadableStream<UDPReceived>;
  readonly #writable: WritableStream<UDPMessage>;
  #reader!: ReadableStreamDefaultController<UDPReceived>;
  #writer!: WritableStreamDefaultController;
  #isOpen = false;
  /** Why nothing can be sent any more. */
  #why = failure({ code: 'closed', detail: 'the socket is closed' });

  constructor(options: UDPSocketOptions);
  constructor(...args: unknown[]) {
    const asked = checks.udp(args);
    this.#isConnected = asked.kind === 'udp';
    this.#ways = new Ways(() => {
      this.#channel.say(CLOSE, this.#socket, new Uint8Array(1));
    });
    this.#purse = new Purse((amount) => {
      this.#channel.say(CREDIT, this.#socket, u32(amount));
    });
    this.#readable = new ReadableStream<UDPReceived>(
      {
        start: (controller) => {
          this.#reader = controller;
        },
        pull: () => this.#pull(),
        cancel: () => {
          for (const { data } of this.#came.splice(0)) this.#pay(data);
          this.#endRead();
        },
      },
      { highWaterMark: 0 },
    );
    this.#writable = new WritableStream<UDPMessage>({
      start: (controller) => {
        this.#writer = controller;
        // An abort waits for the write that is under way, which may wait for credits.
        controller.signal.addEventListener('abort', () => {
          this.#credits.end();
        });
      },
      write: (message) => this.#write(message),
      close: () => {
        this.#endWrite();
      },
      abort: () => {
        this.#endWrite();
      },
    });
    this.#socket = this.#channel.open(asked, {
      ...NOTHING,
      opened: (ends) => {
        this.#isOpen = true;
        this.#opened.resolve({ readable: this.#readable, writable: this.#writable, ...ends });
      },
      datagram: (payload) => {
        this.#datagram(payload);
      },
      credit: (amount) => {
        this.#credits.add(amount);
      },
      lost: (error) => {
        if (this.#ways.writeOver) return;
        this.#writer.error(error);
        this.#endWrite(error);
      },
      closed: (error) => {
        this.#ends(error);
      },
    });
  }

  get opened(): Promise<UDPSocketOpenInfo> {
    return this.#opened.promise;
  }

  get closed(): Promise<undefined> {
    return this.#ways.closed.promise;
  }

  close(): Promise<undefined> {
    if (!this.#isOpen) return invalidState('the socket is not open');
    if (this.#readable.locked || this.#writable.locked) return invalidState('a stream of the socket is locked');
    this.#readable.cancel().catch(() => undefined);
    this.#writable.abort(left()).catch(() => undefined);
    return this.closed;
  }

  #datagram(payload: Uint8Array<ArrayBuffer>): void {
    const { place, data } = readDatagram(payload);
    if (this.#ways.readOver) return this.#pay(data);
    this.#came.push(place === undefined ? { data } : { data, remoteAddress: place.host, remotePort: place.port });
    this.#stirred.ring();
  }

  async #pull(): Promise<void> {
    while (this.#came.length === 0 && !this.#ways.readOver) await this.#stirred.rung();
    const message = this.#came.shift();
    if (message === undefined) return;
    this.#reader.enqueue(message);
    this.#pay(message.data);
  }

  async #write(message: unknown): Promise<void> {
    try {
      const { data, to } = checks.datagram(message, this.#isConnected);
      if (data.byteLength > MAX_DATAGRAM) throw failure({ errno: 'EMSGSIZE', phase: 'send', code: 'message_too_long', detail: 'no datagram is so long' });
      // Its owner may use the buffer again while it waits.
      const bytes = data.slice();
      const place = placeBytes(to);
      const cost = bytes.byteLength + place.byteLength + DATAGRAM_COST - PLACE;
      if ((await this.#credits.take(cost, cost)) === 0) throw this.#writer.signal.aborted ? this.#writer.signal.reason : this.#why;
      this.#channel.say(DATAGRAM, this.#socket, place, bytes);
    } catch (error) {
      // The stream is over with this, and does not say so again. An abort does.
      if (!this.#writer.signal.aborted) this.#endWrite(error);
      throw error;
    }
  }

  #pay(data: Uint8Array): void {
    this.#purse.spend(data.byteLength + DATAGRAM_COST);
  }

  #endRead(): void {
    this.#ways.endRead();
    this.#stirred.ring();
  }

  #endWrite(error?: unknown): void {
    this.#credits.end();
    this.#ways.endWrite(error);
  }

  /** The server has closed it. */
  #ends(error: DOMException | undefined): void {
    this.#why = error ?? this.#why;
    if (!this.#isOpen) this.#opened.reject(this.#why);
    if (!this.#ways.writeOver) this.#writer.error(this.#why);
    if (!this.#ways.readOver) {
      if (error === undefined) this.#reader.close();
      else this.#reader.error(error);
    }
    this.#ways.gone(error);
    this.#endWrite();
    this.#endRead();
  }
}
