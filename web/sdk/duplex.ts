/** The streams of a TCP socket. */

import { type Channel, type Ends, type Listener, NOTHING, failure } from './channel.js';
import { bytesOf, isBytes } from './checks.js';
import { CLOSE, CREDIT, DATA, FIN, u32 } from './packet.js';
import { Bell, Credits, Purse, Ways } from './ways.js';

/** The most one packet carries. */
const PIECE = 64 * 1024;

/** What a writer may have waiting before `desiredSize` says to wait: beside it, a window is on its way. */
const HIGH_WATER = 64 * 1024;

export class Duplex {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<BufferSource>;
  /** Called with the peer's FIN. */
  onfin: (() => void) | undefined;

  readonly #channel: Channel;
  readonly #ways: Ways;
  #socket = 0;
  #reader!: ReadableByteStreamController;
  #writer!: WritableStreamDefaultController;
  /** What came and was not asked for yet: at most a window. */
  readonly #came: Uint8Array<ArrayBuffer>[] = [];
  readonly #stirred = new Bell();
  readonly #credits = new Credits();
  readonly #purse: Purse;
  #eof = false;
  /** What ended it, if it was not as it should. */
  #error: DOMException | undefined;
  /** Chunks that were written and are not on their way, and whether they are the last. */
  #queued = 0;
  #isLast = false;

  constructor(channel: Channel) {
    this.#channel = channel;
    this.#ways = new Ways(() => {
      // With both FINs, the server closes it by itself.
      if (!this.#eof) channel.say(CLOSE, this.#socket, new Uint8Array(1));
    });
    this.#purse = new Purse((amount) => {
      channel.say(CREDIT, this.#socket, u32(amount));
    });
    this.readable = new ReadableStream({
      type: 'bytes',
      start: (controller) => {
        this.#reader = controller;
      },
      pull: () => this.#pull(),
      cancel: () => {
        this.#forget();
        this.#endRead();
      },
    });
    this.writable = new WritableStream<BufferSource>(
      {
        start: (controller) => {
          this.#writer = controller;
          // An abort waits for the write that is under way, which may wait for the peer.
          controller.signal.addEventListener('abort', () => {
            this.#credits.end();
          });
        },
        write: (chunk) => this.#write(chunk),
        close: () => {
          this.#endWrite();
        },
        abort: () => {
          this.#endWrite();
        },
      },
      {
        highWaterMark: HIGH_WATER,
        size: (chunk) => {
          this.#queued += 1;
          // What is no BufferSource has no length; writing it says so.
          return isBytes(chunk) ? chunk.byteLength : 0;
        },
      },
    );
  }

  get closed(): Promise<undefined> {
    return this.#ways.closed.promise;
  }

  /** Which socket it is. Nothing is sent before that is known. */
  start(socket: number): void {
    this.#socket = socket;
  }

  /** What it does with what is heard of its socket. */
  listener(opened: (ends: Ends) => void, closed: (error: DOMException | undefined) => void): Listener {
    return {
      ...NOTHING,
      opened,
      data: (bytes) => {
        this.#data(bytes);
      },
      credit: (amount) => {
        this.#credits.add(amount);
      },
      fin: () => {
        this.#fin();
      },
      closed: (error) => {
        closed(error);
        this.#ends(error);
      },
    };
  }

  /** Ends the writable, also where its holder has it locked: what was written before goes. */
  async finish(): Promise<void> {
    if (this.#ways.writeOver) return;
    if (!this.writable.locked) return this.writable.close();
    this.#isLast = true;
    this.#finishWrite();
  }

  /** Ends the readable, also where its holder has it locked. */
  leave(): void {
    this.#forget();
    if (!this.#ways.readOver) this.#endRead(true);
  }

  #data(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#ways.readOver) {
      this.#purse.spend(bytes.byteLength);
      return;
    }
    this.#came.push(bytes);
    this.#stirred.ring();
  }

  #fin(): void {
    this.#eof = true;
    this.#finishRead();
    this.onfin?.();
  }

  /** The server has closed it. */
  #ends(error: DOMException | undefined): void {
    this.#error = error;
    if (!this.#ways.writeOver) this.#writer.error(this.#why());
    this.#credits.end();
    this.#ways.gone(error);
    this.#ways.endWrite();
    this.#finishRead();
  }

  #why(): DOMException {
    return this.#error ?? failure({ code: 'closed', detail: 'the socket is closed' });
  }

  async #pull(): Promise<void> {
    while (this.#came.length === 0 && !this.#ways.readOver) await this.#stirred.rung();
    if (this.#ways.readOver) return;
    const first = this.#came.shift()!;
    const view = this.#reader.byobRequest?.view;
    let taken = first.byteLength;
    if (view === null || view === undefined) {
      this.#reader.enqueue(first);
    } else {
      taken = Math.min(taken, view.byteLength);
      new Uint8Array(view.buffer, view.byteOffset, taken).set(first.subarray(0, taken));
      if (taken < first.byteLength) this.#came.unshift(first.subarray(taken));
      this.#reader.byobRequest!.respond(taken);
    }
    this.#purse.spend(taken);
    this.#finishRead();
  }

  /** With all of it read and nothing further to come, says so: the FIN, or why there was none. */
  #finishRead(): void {
    if (this.#ways.readOver || this.#came.length > 0 || !(this.#eof || this.#ways.isGone)) return;
    if (this.#eof || this.#error === undefined) return this.#endRead(true);
    this.#reader.error(this.#error);
    this.#endRead();
  }

  #endRead(closes = false): void {
    this.#ways.endRead();
    this.#stirred.ring();
    if (!closes) return;
    try {
      this.#reader.close();
      // Who reads into a buffer of his own gets it back.
      this.#reader.byobRequest?.respond(0);
    } catch {
      // It ends within an element of the reader's array: the standard has that stream errored, and it is.
    }
  }

  async #write(chunk: unknown): Promise<void> {
    try {
      const bytes = bytesOf(chunk);
      for (let at = 0; at < bytes.byteLength; ) {
        const taken = await this.#credits.take(1, Math.min(bytes.byteLength - at, PIECE));
        if (taken === 0) throw this.#writer.signal.aborted ? this.#writer.signal.reason : this.#why();
        this.#channel.say(DATA, this.#socket, bytes.subarray(at, at + taken));
        at += taken;
      }
    } catch (error) {
      // The stream is over with this, and does not say so again. An abort does.
      if (!this.#writer.signal.aborted) this.#endWrite(error);
      throw error;
    }
    this.#queued -= 1;
    if (this.#isLast) this.#finishWrite();
  }

  #finishWrite(): void {
    if (this.#queued > 0 || this.#ways.writeOver) return;
    this.#writer.error(failure({ code: 'closed', detail: 'the socket is closed' }));
    this.#endWrite();
  }

  #endWrite(error?: unknown): void {
    if (this.#ways.writeOver) return;
    this.#credits.end();
    this.#channel.say(FIN, this.#socket);
    this.#ways.endWrite(error);
  }

  /** What was not read is paid back. */
  #forget(): void {
    for (const bytes of this.#came.splice(0)) this.#purse.spend(bytes.byteLength);
  }
}
