import { type Fix, fixOf, thereUs } from '../../model/compare/clock';
import { type Premises, premisesOf } from '../../model/compare/premises';
import { type Prices, pricesOf, type Reads } from '../../model/compare/prices';
import { type Ending, LANES, type Report, reportSettings } from '../../model/compare/report';
import { type Blind, merged } from '../../model/compare/samples';
import { MOST_MESSAGES, type Settings } from '../../model/compare/settings';
import type { Meter, MeterStarted } from '../../wire/generated';
import type { Api } from '../api';
import { Belongings } from '../belongings';
import { LaneRun } from './lane';
import { laneReport, rawReport } from './reporting';
import { looks } from './worker/role';
import { openSource, type Source } from './source';

/** How long lanes have to connect, in ms. */
const CONNECT_MS = 20_000;

/** How long lanes have to bring the end after the source has ended, beside one poll interval, in ms. */
const GRACE_MS = 10_000;

/** How long a lane has to end, and its connections to close, in ms. */
const END_MS = 5000;

/** How often figures are read while it runs, and how often a meter is looked at until its connections are closed, in ms. */
const LIVE_MS = 1000;
const LOOK_MS = 30;

/** A source that ends this much before its time, in µs, has died. */
const EARLY_US = 500_000;

/** Events of somebody else's socket that are kept: each is looked at again for every picture. A source that sends more is cut there. */
const MOST_EVENTS = MOST_MESSAGES / 10;

/** Pictures are drawn anew every so many readings only: drawing takes time that lanes of the same machine then lack. */
const PICTURE_EVERY = 5;

/** Live delays are those of so many last messages a lane; the final ones are of all. */
const LIVE_MESSAGES = 5000;

/** Where a comparison is. */
export type Phase = 'preparing' | 'connecting' | 'running' | 'finishing' | 'done';

/** One comparison: a source, four lanes at the same time, and the meters that count them. */
export class Run {
  phase: Phase = 'preparing';
  ending: Ending | undefined;
  /** Goes up when pictures of the run should be drawn anew. */
  pictures = 0;
  /** What failed, beside a lane. */
  error: unknown;
  lanes: LaneRun[] = [];
  source: Source | undefined;
  /** Bytes up and down of each lane, a second each. */
  readonly history: { readonly seconds: number; readonly bytes: readonly number[] }[] = [];
  /** When the source was let go, by this page's clock in ms. */
  begunMs = 0;
  /** How long it ran, in seconds. */
  seconds = 0;
  readonly settings: Settings;
  readonly #api: Api;
  readonly #changed: () => void;
  readonly #belongings: Belongings;
  #fix: Fix | undefined;
  #reads: Reads | undefined;
  /** The look at all figures that is under way, or was last. */
  #reading: Promise<void> | undefined;
  readonly #hidden: { from: number; to: number }[] = [];
  #halt: () => void = () => undefined;
  readonly #halted: Promise<void>;
  #flood: () => void = () => undefined;
  /** Somebody else's socket has sent as much as is kept. */
  readonly #flooded: Promise<void>;
  #stopping = false;
  #left = false;
  /** The run is over; what comes is the last figures. */
  #ran = false;

  constructor(api: Api, settings: Settings, changed: () => void) {
    this.#api = api;
    this.settings = settings;
    this.#changed = changed;
    this.#belongings = new Belongings(api);
    this.#halted = new Promise((resolve) => {
      this.#halt = resolve;
    });
    this.#flooded = new Promise((resolve) => {
      this.#flood = resolve;
    });
  }

  /** Runs to the end, however it ends; it never rejects. */
  async run(sourceName: string): Promise<void> {
    try {
      await this.#prepare(sourceName);
      if (!this.#stopping) await this.#measure();
    } catch (error) {
      this.error = error;
      this.ending = 'failed';
    }
    this.#over();
    // Shown again after it was left, a page finds nothing more to read: what it started is gone.
    if (this.#left) this.ending = 'stopped';
    else await this.#finishOrFail();
    for (const lane of this.lanes) lane.terminate();
    const failures = await this.#belongings.endAll();
    this.error ??= failures[0];
    this.#now('done');
  }

  /** However it ended: how long it ran, and for how long of that nobody watched. */
  #over(): void {
    const now = performance.now();
    if (this.begunMs > 0) this.seconds = (now - this.begunMs) / 1000;
    const last = this.#hidden.at(-1);
    if (last?.to === Infinity) last.to = now;
    this.#ran = true;
  }

  async #finishOrFail(): Promise<void> {
    try {
      await this.#finish();
    } catch (error) {
      this.error ??= error;
      this.ending = 'failed';
    }
  }

  /** Ends it before its time; what was measured stays. */
  stop(): void {
    this.#stopping = true;
    this.#halt();
  }

  /** The page is being left. */
  leave(): void {
    this.#left = true;
    this.stop();
    for (const lane of this.lanes) lane.terminate();
    this.#belongings.leave();
  }

  /** The tab was hidden, or is seen again: a browser slows timers of hidden tabs, and what comes meanwhile is not timed. */
  visible(seen: boolean): void {
    if (this.#ran) return;
    const now = performance.now();
    const last = this.#hidden.at(-1);
    if (!seen) this.#hidden.push({ from: now, to: Infinity });
    else if (last?.to === Infinity) last.to = now;
    this.#changed();
  }

  /** For how long the tab was hidden while it ran, in ms. */
  get hiddenMs(): number {
    return this.#hidden.reduce((sum, { from, to }) => sum + Math.min(to, performance.now()) - from, 0);
  }

  /** A moment of this page's clock on the server's, in µs. */
  there(ms: number): number {
    return this.#fix === undefined ? 0 : thereUs(ms, this.#fix);
  }

  /** Stretches in which nothing could be timed on any lane, in µs of the server's clock: the tab was hidden, or not every lane was connected yet. */
  get blinds(): Blind[] {
    const hidden = this.#hidden.map(({ from, to }) => ({ from: this.there(from), to: to === Infinity ? Infinity : this.there(to) }));
    // A ticker is held until then; somebody else's socket is not.
    return this.settings.source === 'ticker' ? hidden : [{ from: -Infinity, to: this.there(this.begunMs) }, ...hidden];
  }

  /** What was found until now. */
  report(): Report {
    const { source } = this;
    const sent = source?.sent ?? [];
    const seconds = this.phase === 'running' ? (performance.now() - this.begunMs) / 1000 : this.seconds;
    const { settings } = this;
    const bytes = source === undefined ? 0 : source.read.covered - source.start;
    const premises: Premises = premisesOf(settings, seconds, sent.length, bytes, location.hostname);
    // What did not run as it was set, or of which nothing came, can be held against nothing.
    const told = this.phase === 'done' && this.ending === 'whole' && sent.length > 0 ? premises : undefined;
    const { first } = this;
    const hidden = merged(this.blinds);
    const lanes = this.lanes.map((lane) => laneReport(lane, told, this.#prices(lane), sent, hidden, first));
    return {
      settings: reportSettings(settings, location.host),
      seconds,
      sent: sent.length,
      clock_uncertainty_ms: Math.max(0, ...this.lanes.map((lane) => lane.uncertaintyUs)) / 1000,
      reference: source === undefined || settings.source !== 'ticker' ? null : rawReport(source, first),
      lanes,
      complete: this.ending === 'whole' && lanes.every((lane) => lane.complete),
      ending: this.phase === 'done' ? (this.ending ?? 'stopped') : null,
      premises,
    };
  }

  #prices(lane: LaneRun): Prices | undefined {
    const poll = this.lanes[0]?.base;
    return lane.base === undefined || poll === undefined || this.#reads === undefined ? undefined : pricesOf(lane.name, lane.base, poll, this.#reads, this.settings.binary);
  }

  /** From which message on delays are looked at: the last ones while it runs, all once it is done. */
  get first(): number {
    return this.phase === 'done' ? 0 : Math.max(0, (this.source?.sent.length ?? 0) - LIVE_MESSAGES);
  }

  #now(phase: Phase): void {
    this.phase = phase;
    this.pictures += 1;
    this.#changed();
  }

  /** Waits for something, but not for longer, and not when halted. */
  async #within(ms: number, what: Promise<unknown>): Promise<'done' | 'late' | 'halted'> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => {
        resolve('late');
      }, ms);
    });
    try {
      return await Promise.race([what.then(() => 'done' as const), late, this.#halted.then(() => 'halted' as const)]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #prepare(sourceName: string): Promise<void> {
    this.#changed();
    const source = await openSource(this.#api, this.settings, this.#belongings, sourceName);
    this.source = source;
    this.#fix = fixOf(await looks(this.#api.token));
    for (const lane of LANES) {
      const { id }: MeterStarted = await this.#api.call('POST', 'meters', {});
      this.#belongings.add(`meters/${id}`);
      if (this.#stopping) return;
      const { poll, binary } = this.settings;
      const following = { lane, token: this.#api.token, socket: source.socket, after: source.after, meter: id, pollMs: poll * 1000, binary };
      this.lanes.push(new LaneRun(following, source.message, source.start));
    }
    this.#now('connecting');
    await this.#within(CONNECT_MS, this.#each((lane) => lane.timed));
    for (const lane of this.lanes) lane.go();
    const connected = await this.#within(CONNECT_MS, this.#each((lane) => lane.ready));
    if (connected === 'late') this.ending = 'late';
    else if (connected === 'done') await this.#readBases();
  }

  /** What each lane's meter says before the first message; of the long poll once its question has arrived. */
  async #readBases(): Promise<void> {
    const deadline = performance.now() + CONNECT_MS;
    for (const lane of this.lanes) {
      do {
        lane.base = await this.#meter(lane);
      } while (lane.base.requests === 0 && lane.broke === undefined && !this.#stopping && performance.now() < deadline);
    }
  }

  #each(so: (lane: LaneRun) => boolean): Promise<unknown> {
    return Promise.all(this.lanes.map((lane) => lane.until(() => so(lane))));
  }

  async #measure(): Promise<void> {
    if (this.ending !== undefined) return;
    const source = this.source!;
    this.begunMs = performance.now();
    this.#now('running');
    await source.go();
    const length = this.settings.seconds * 1000;
    const ended = this.settings.source === 'ticker' ? this.#tickerEnds(length) : this.#foreignEnds(length);
    // What ends it is the lanes, the clock or whoever watches; reading figures goes on beside it, and failing at that fails all.
    this.ending = await Promise.race([ended, this.#live()]);
  }

  /** Until every lane has brought the end of a ticker that closes by itself. */
  async #tickerEnds(length: number): Promise<Ending> {
    const grace = GRACE_MS + this.settings.poll * 1000;
    const how = await this.#within(length + grace, this.#each((lane) => lane.end !== undefined));
    if (how !== 'done') return how === 'halted' ? 'stopped' : 'late';
    const source = this.source!;
    await source.look();
    const lasted = (source.ended?.atUs ?? Infinity) - this.there(this.begunMs);
    return source.ended?.how === 'died' || lasted < length * 1000 - EARLY_US ? 'died' : this.#orBroke();
  }

  /** For as long as was asked, and until every lane has brought what the socket had received by then. */
  async #foreignEnds(length: number): Promise<Ending> {
    const source = this.source!;
    const ran = await this.#within(length, this.#flooded);
    if (ran === 'halted') return 'stopped';
    await source.look();
    // It goes on sending; what it sends from here on is not waited for.
    source.close();
    const due = source.sent.length;
    const how = await this.#within(GRACE_MS + this.settings.poll * 1000, Promise.all(this.lanes.map((lane) => this.#cut(lane, due))));
    if (how === 'halted') return 'stopped';
    if (ran === 'done') return 'flooded';
    return how === 'late' ? 'late' : source.ended === undefined ? this.#orBroke() : 'died';
  }

  /** Ends a lane as soon as it has brought so many messages: what comes after them would be in its bill and in nothing else. */
  async #cut(lane: LaneRun, due: number): Promise<void> {
    lane.arrivals.cut(due);
    await lane.until(() => lane.arrivals.over);
    lane.figures = await this.#meter(lane);
    lane.settled = true;
    lane.stop();
  }

  #orBroke(): Ending {
    return this.lanes.some((lane) => lane.broke !== undefined || !lane.arrivals.whole) ? 'broke' : 'whole';
  }

  /** Reads figures until the source has died; never ends otherwise. */
  async #live(): Promise<Ending> {
    for (let reading = 1; ; reading += 1) {
      await new Promise((resolve) => setTimeout(resolve, LIVE_MS));
      if (this.phase !== 'running') return new Promise(() => undefined);
      this.#reading = this.#look();
      await this.#reading;
      if (reading % PICTURE_EVERY === 0) this.pictures += 1;
      this.#changed();
      // A socket that was reset or closed here brings no end to any lane.
      if (this.source!.ended?.how === 'died') return 'died';
      if (this.settings.source !== 'ticker' && this.source!.ended !== undefined) return 'died';
    }
  }

  /** One after the other: a browser has six connections to a host, and the lanes hold three of them. */
  async #look(): Promise<void> {
    await this.source!.look();
    if (this.settings.source !== 'ticker' && this.source!.sent.length >= MOST_EVENTS) this.#flood();
    for (const lane of this.lanes) {
      // The run ended meanwhile, and with it the meters are ended.
      if (this.phase !== 'running') return;
      const figures = await this.#meter(lane);
      if (!lane.settled) lane.figures = figures;
    }
    this.#remember();
  }

  #remember(): void {
    const bytes = this.lanes.map(({ figures }) => (figures?.bytes_up ?? 0) + (figures?.bytes_down ?? 0));
    this.history.push({ seconds: (performance.now() - this.begunMs) / 1000, bytes });
  }

  #meter(lane: LaneRun): Promise<Meter> {
    return this.#api.call('GET', `meters/${lane.meter}`);
  }

  /** Ends every lane, reads on to the end, and reads the meters once their connections are closed. */
  async #finish(): Promise<void> {
    if (this.#stopping) this.ending ??= 'stopped';
    this.#now('finishing');
    for (const lane of this.lanes) lane.stop();
    // What is being read must still be there. Should reading it fail, what is read below fails as well, and is heard.
    await Promise.allSettled([this.#reading]);
    const deadline = performance.now() + END_MS;
    const stopped = Promise.all(this.lanes.map((lane) => lane.until(() => lane.stopped)));
    await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, END_MS))]);
    await this.source?.look();
    this.#reads = await this.source?.reads();
    for (const lane of this.lanes.filter(({ settled }) => !settled)) {
      lane.figures = await this.#meter(lane);
      // A stream and a WebSocket are closed with their lane, which takes a moment; connections of polls the browser keeps.
      const closes = lane.name === 'sse' || lane.name === 'websocket';
      while (closes && lane.figures.open_connections > 0 && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
        lane.figures = await this.#meter(lane);
      }
    }
    if (this.begunMs > 0) this.#remember();
  }
}
