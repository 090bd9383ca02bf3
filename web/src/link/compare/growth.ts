import { type Cost, costOf, crowdSeconds } from '../../model/compare/growth';
import { LANES } from '../../model/compare/report';
import type { Settings } from '../../model/compare/settings';
import type { CrowdReport, CrowdStarted, Lane, Meter, MeterStarted } from '../../wire/generated';
import { type Api, ApiError } from '../api';
import { Belongings } from '../belongings';
import { openSource } from './source';

/** How long a crowd has to connect, and to bring the end beside one poll interval, in ms. */
const PATIENCE_MS = 60_000;
const GRACE_MS = 15_000;

/** How often a crowd is asked how it is, in ms: it says so itself five times a second. */
const LOOK_MS = 200;

/** Where it is. */
export interface Step {
  readonly lane: Lane;
  readonly viewers: number;
}

/** The growth was ended by whoever watched. */
class Stopped extends Error {}

/** The crowd did not connect, or not come to the end, in time. */
export class CrowdLate extends Error {
  constructor(readonly step: Step) {
    super('the crowd was late');
    this.name = 'CrowdLate';
  }
}

/** One lane after the other with more and more viewers, clients of a process of their own: what it costs the server. */
export class Growth {
  readonly costs: Cost[] = [];
  step: Step | undefined;
  /** There were not enough connections for so many; smaller crowds were measured. */
  refused: { readonly viewers: number; readonly error: ApiError } | undefined;
  error: unknown;
  done = false;
  stopped = false;
  readonly #api: Api;
  readonly #settings: Settings;
  readonly #sizes: readonly number[];
  readonly #changed: () => void;
  readonly #belongings: Belongings;

  constructor(api: Api, settings: Settings, sizes: readonly number[], changed: () => void) {
    this.#api = api;
    // A crowd needs to know the size of a message: a ticker's is known. At even intervals every crowd is sent equally many.
    this.#settings = { ...settings, source: 'ticker', regular: true, seconds: crowdSeconds(settings.rate) };
    this.#sizes = sizes;
    this.#changed = changed;
    this.#belongings = new Belongings(api);
  }

  /** Runs to the end, however it ends; it never rejects. */
  async run(sourceName: string): Promise<void> {
    try {
      sizes: for (const viewers of this.#sizes) {
        for (const lane of LANES) {
          this.step = { lane, viewers };
          this.#changed();
          try {
            this.costs.push(await this.#measure(this.step, sourceName));
          } catch (error) {
            if (!(error instanceof ApiError && error.problem?.code === 'too_many_clients')) throw error;
            // Larger ones would be refused too.
            this.refused = { viewers, error };
            break sizes;
          } finally {
            this.error ??= (await this.#belongings.endAll())[0];
          }
        }
      }
    } catch (error) {
      if (!(error instanceof Stopped)) this.error ??= error;
    }
    this.step = undefined;
    this.done = true;
    this.#changed();
  }

  /** Ends it before its time; what was measured stays. */
  stop(): void {
    this.stopped = true;
  }

  /** The page is being left. */
  leave(): void {
    this.stop();
    this.#belongings.leave();
  }

  async #measure(step: Step, sourceName: string): Promise<Cost> {
    const { lane, viewers } = step;
    const source = await openSource(this.#api, this.#settings, this.#belongings, sourceName);
    const { id: meter }: MeterStarted = await this.#api.call('POST', 'meters', {});
    this.#belongings.add(`meters/${meter}`);
    this.#goOn();
    const { payload, poll } = this.#settings;
    // A crowd counts its interval in whole milliseconds.
    const crowd: CrowdStarted = await this.#api.call('POST', 'crowds', { lane, clients: viewers, socket: source.socket, after: source.after, message: payload, poll_interval_ms: Math.round(poll * 1000), meter });
    this.#belongings.add(`crowds/${crowd.id}`);
    await this.#until(step, crowd.id, PATIENCE_MS, ({ ready, broken }) => ready + broken >= viewers);
    const before = await this.#meter(meter);
    await source.go();
    const { seconds } = this.#settings;
    const end = seconds * 1000 + poll * 1000 + GRACE_MS;
    const report = await this.#until(step, crowd.id, end, ({ complete, broken }) => complete + broken >= viewers);
    const after = await this.#meter(meter);
    await source.look();
    // By the source's own time: how much later the last viewer is done is a matter of its polls.
    return costOf(lane, viewers, before, after, { messages: source.sent.length, seconds }, report.complete);
  }

  #meter(id: string): Promise<Meter> {
    return this.#api.call('GET', `meters/${id}`);
  }

  async #until(step: Step, crowd: string, ms: number, so: (report: CrowdReport) => boolean): Promise<CrowdReport> {
    const deadline = performance.now() + ms;
    for (;;) {
      const report: CrowdReport = await this.#api.call('GET', `crowds/${crowd}`);
      this.#goOn();
      if (so(report)) return report;
      if (performance.now() > deadline) throw new CrowdLate(step);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  #goOn(): void {
    if (this.stopped) throw new Stopped();
  }
}
