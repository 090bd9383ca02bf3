/** The two ways of a socket, in and out: what is common to all that have both. */

import { CREDITS_BACK, WINDOW } from './packet.js';

/** A promise, and what settles it. Nobody need look at it. */
export class Later<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (reason: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => undefined);
  }
}

/** Something that one waits for, again and again. */
export class Bell {
  #waiting: (() => void) | undefined;

  ring(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }

  rung(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }
}

/** Credits for what was taken, paid back in larger parts. */
export class Purse {
  #due = 0;
  readonly #pay: (amount: number) => void;

  constructor(pay: (amount: number) => void) {
    this.#pay = pay;
  }

  spend(amount: number): void {
    this.#due += amount;
    if (this.#due < CREDITS_BACK) return;
    const due = this.#due;
    this.#due = 0;
    this.#pay(due);
  }
}

/** Credits to send, and who waits for them: one at a time. */
export class Credits {
  #left = WINDOW;
  #over = false;
  readonly #more = new Bell();

  add(amount: number): void {
    this.#left += amount;
    this.#more.ring();
  }

  /** Nobody waits any more. */
  end(): void {
    this.#over = true;
    this.#more.ring();
  }

  /** Takes at least `least` and at most `most`, when there are so many; 0 when it is over. */
  async take(least: number, most: number): Promise<number> {
    while (!this.#over && this.#left < least) await this.#more.rung();
    if (this.#over) return 0;
    const taken = Math.min(this.#left, most);
    this.#left -= taken;
    return taken;
  }
}

/** Which ways are over, and what `closed` says of it. */
export class Ways {
  /** Settles when both ways are over and the server has closed the socket: with the first error, if there was one. */
  readonly closed = new Later<undefined>();
  readonly #leave: () => void;
  #isGone = false;
  #readOver = false;
  #writeOver = false;
  #error: unknown;

  /** `leave` has the server close a socket whose ways are both over here. */
  constructor(leave: () => void) {
    this.#leave = leave;
  }

  /** The server has closed it. */
  get isGone(): boolean {
    return this.#isGone;
  }

  get readOver(): boolean {
    return this.#readOver;
  }

  get writeOver(): boolean {
    return this.#writeOver;
  }

  endRead(): void {
    if (this.#readOver) return;
    this.#readOver = true;
    this.#settle();
  }

  endWrite(error?: unknown): void {
    if (this.#writeOver) return;
    this.#writeOver = true;
    this.#error ??= error;
    this.#settle();
  }

  gone(error: unknown): void {
    this.#isGone = true;
    this.#error ??= error;
    this.#settle();
  }

  #settle(): void {
    if (!this.#readOver || !this.#writeOver) return;
    if (!this.#isGone) this.#leave();
    else if (this.#error === undefined) this.closed.resolve(undefined);
    else this.closed.reject(this.#error);
  }
}

/** Why what was not sent is not: its owner has closed the socket. */
export function left(): DOMException {
  return new DOMException('the socket was closed', 'AbortError');
}

/** What a method answers that is called too early or too late. */
export function invalidState(what: string): Promise<never> {
  return Promise.reject(new DOMException(what, 'InvalidStateError'));
}
