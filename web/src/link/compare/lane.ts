import { type Fix, fixOf, type Look, thereUs } from '../../model/compare/clock';
import { Arrivals, type Blind, merged } from '../../model/compare/samples';
import type { Lane, Meter } from '../../wire/generated';
import { startWorker } from '../transport';
import { ASKED, type Broken, type Following, type FromLane, HELD, TOLD, type ToLane } from './protocol';

/** One lane of a comparison, as the page sees it: its worker, what came over it, what it asked. */
export class LaneRun {
  readonly name: Lane;
  readonly meter: string;
  readonly arrivals: Arrivals;
  /** Requests, times in ms of the worker's clock: the numbers of each `Asked` one after the other, `ASKED` of them. */
  readonly asked: number[] = [];
  /** The last figures of its meter. */
  figures: Meter | undefined;
  /** They are those of the moment at which it had brought all it was to bring. */
  settled = false;
  /** What connecting, or asking for nothing, had cost before the first message. */
  base: Meter | undefined;
  ready = false;
  /** The stream ended at this offset. */
  end: number | undefined;
  broke: Broken | undefined;
  stopped = false;
  readonly #worker: Worker;
  /** Stretches of the worker’s clock, in ms, in which the browser kept a request back. */
  readonly #held: Blind[] = [];
  #before: Fix | undefined;
  #after: Fix | undefined;
  #waiting: (() => void)[] = [];

  constructor(following: Following, message: number, start: number) {
    this.name = following.lane;
    this.meter = following.meter;
    this.arrivals = new Arrivals(message, start);
    this.#worker = startWorker(`sockscope ${following.lane}`);
    this.#worker.onmessage = ({ data }: MessageEvent<FromLane>) => {
      this.#hear(data);
    };
    this.#worker.onerror = (event) => {
      this.#break({ is: 'worker', text: event.message });
    };
    this.#tell({ type: 'follow', following });
  }

  /** The worker knows how its clock and the server's compare. */
  get timed(): boolean {
    return this.#before !== undefined;
  }

  /** By how much the clocks may differ after correction, in µs. */
  get uncertaintyUs(): number {
    return Math.max(this.#before?.uncertaintyUs ?? 0, this.#after?.uncertaintyUs ?? 0);
  }

  /** A moment of the worker's clock on the server's, in µs. */
  there(ms: number): number {
    return this.#before === undefined ? 0 : thereUs(ms, this.#before, this.#after);
  }

  /** When each message was whole, in µs of the server's clock, from message `first` on. */
  at(first = 0): number[] {
    const result: number[] = new Array<number>(first).fill(0);
    for (let i = first; i < this.arrivals.messages; i += 1) result.push(this.there(this.arrivals.at[i]!));
    return result;
  }

  /** The same of the first messages, until a moment. */
  firstAt(untilUs: number): number[] {
    const result: number[] = [];
    for (const ms of this.arrivals.at) {
      const us = this.there(ms);
      if (us > untilUs) break;
      result.push(us);
    }
    return result;
  }

  /** Stretches in which the browser kept its requests back, in µs of the server's clock. */
  get held(): Blind[] {
    return merged(this.#held.map(({ from, to }) => ({ from: this.there(from), to: this.there(to) })));
  }

  /** Begins to follow. */
  go(): void {
    this.#tell({ type: 'go' });
  }

  /** Follows no further; `stopped` says when its clock was compared a last time. */
  stop(): void {
    this.#tell({ type: 'stop' });
  }

  /** Ends the worker. */
  terminate(): void {
    this.#worker.terminate();
    this.stopped = true;
    this.#wake();
  }

  /** Waits until it is so, or the lane broke. */
  async until(so: () => boolean): Promise<void> {
    while (!so() && this.broke === undefined) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #tell(message: ToLane): void {
    this.#worker.postMessage(message);
  }

  #hear(message: FromLane): void {
    switch (message.type) {
      case 'clock':
        this.#clock(message.looks);
        break;
      case 'ready':
        this.ready = true;
        break;
      case 'told':
        this.#told(message.told, message.asked, message.held);
        break;
      case 'lost':
        this.arrivals.lost();
        break;
      case 'end':
        this.end = message.total;
        break;
      case 'broke':
        this.#break(message.why);
        break;
      case 'stopped':
        this.stopped = true;
        break;
    }
    this.#wake();
  }

  #clock(looks: readonly Look[]): void {
    const fix = fixOf(looks);
    if (this.#before === undefined) this.#before = fix;
    else this.#after = fix;
  }

  #told(told: Float64Array, asked: Float64Array, held: Float64Array): void {
    for (let i = 0; i < told.length; i += TOLD) this.arrivals.bytes(told[i]!, told[i + 1]!, told[i + 2]!);
    for (let i = 0; i < asked.length; i += ASKED) this.asked.push(asked[i]!, asked[i + 1]!, asked[i + 2]!);
    for (let i = 0; i < held.length; i += HELD) this.#held.push({ from: held[i]!, to: held[i + 1]! });
  }

  #break(why: Broken): void {
    this.broke ??= why;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
