import type { Look } from '../../../model/compare/clock';
import type { Clock, Lane } from '../../../wire/generated';
import type { Following, FromLane, ToLane } from '../protocol';
import { Teller } from './teller';
import { ask, type Halt, LaneBroke, longPoll, shortPoll, stream, webSocket } from './ways';

/** How often the clocks are compared; the quickest answer is the truest. */
const LOOKS = 12;

/** How long the browser may take to say when a request was really sent and answered, in ms. */
const TIMING_MS = 300;

const CLOCK = '/api/v1/workspaces/default/clock';

/** A request the browser kept back for longer than this, in ms, waited for one of its few connections to this host; a busy machine alone does not take so long. */
const HELD_MS = 200;

const WAYS: Record<Lane, (following: Following, teller: Teller, halt: Halt) => Promise<void>> = {
  short_poll: shortPoll,
  long_poll: longPoll,
  sse: stream,
  websocket: webSocket,
};

/**
 * Asks the server for the time, by the clock of whoever calls. Script sees a request long after and before the network
 * does; where the browser says when it was sent and answered there, that is used: it makes the estimate truer.
 */
export async function looks(token: string | undefined): Promise<Look[]> {
  const timings: PerformanceResourceTiming[] = [];
  let all: () => void = () => undefined;
  const timed = new Promise<void>((resolve) => {
    all = resolve;
  });
  const observer = new PerformanceObserver((list) => {
    timings.push(...(list.getEntries() as PerformanceResourceTiming[]).filter(({ name }) => name.endsWith(CLOCK)));
    if (timings.length === LOOKS) all();
  });
  observer.observe({ type: 'resource' });
  const result: Look[] = [];
  for (let i = 0; i < LOOKS; i += 1) {
    const asked = performance.now();
    const response = await ask(token, 'GET', CLOCK, 'application/json');
    const answered = performance.now();
    result.push({ asked, answered, nowUs: ((await response.json()) as Clock).now_us });
  }
  await Promise.race([timed, new Promise((resolve) => setTimeout(resolve, TIMING_MS))]);
  observer.disconnect();
  return result.map((look) => {
    // One request at a time: its timing lies within what script saw.
    const timing = timings.find(({ fetchStart, responseStart }) => fetchStart >= look.asked - 1 && responseStart <= look.answered + 1);
    return timing === undefined || timing.requestStart === 0 ? look : { ...look, asked: timing.requestStart, answered: timing.responseStart };
  });
}

/** The second role of the worker: it is one lane of a comparison, from its first message to its end. */
export class LaneRole {
  readonly #following: Following;
  readonly #post: (message: FromLane, transfer?: Transferable[]) => void;
  readonly #halt = new AbortController();

  constructor(following: Following, post: (message: FromLane, transfer?: Transferable[]) => void) {
    this.#following = following;
    this.#post = post;
    void this.#clock();
  }

  /** Obeys. */
  hear(message: ToLane): void {
    if (message.type === 'go') void this.#follow();
    else if (message.type === 'stop') this.#halt.abort();
  }

  /** How this clock and the server's compare; told before the lane begins and after its end. */
  async #clock(): Promise<void> {
    try {
      this.#post({ type: 'clock', looks: await looks(this.#following.token) });
    } catch (error) {
      this.#broke(error);
    }
  }

  async #follow(): Promise<void> {
    const teller = new Teller(this.#post);
    const held = this.#observeHeld(teller);
    try {
      await WAYS[this.#following.lane](this.#following, teller, this.#halt);
    } catch (error) {
      // Cut off because the page said so: that is no failure.
      if (!this.#halt.signal.aborted) this.#broke(error);
    }
    held.disconnect();
    await this.#clock();
    teller.say({ type: 'stopped' });
  }

  /** Requests that waited for a connection: the browser opens six to a host, and other tabs use them too. */
  #observeHeld(teller: Teller): PerformanceObserver {
    const mine = `&meter=${this.#following.meter}`;
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries() as PerformanceResourceTiming[]) {
        if (!entry.name.includes(mine)) continue;
        const waited = entry.requestStart - entry.fetchStart - (entry.connectEnd - entry.connectStart);
        if (waited > HELD_MS) teller.held(entry.fetchStart, entry.requestStart);
      }
    });
    observer.observe({ type: 'resource' });
    return observer;
  }

  #broke(error: unknown): void {
    const why = error instanceof LaneBroke ? error.why : { is: error instanceof TypeError ? ('network' as const) : ('worker' as const), text: String(error) };
    this.#post({ type: 'broke', why });
  }
}
