import { type LaneId, type Settings, type Setup, setups } from '../../model/lessons/heartbeat';
import { Run, type Why } from '../../model/lessons/lane';
import { type Verdict, verdictOf } from '../../model/lessons/verdict';
import { encodeBase64 } from '../../model/bytes/base64';
import { errorText, problemText } from '../actions';
import { scope } from '../scope.svelte';
import { words } from './words';
import { started } from './started';
import type { Belongings } from '../../link/belongings';

/** Where a run is. `stopped` and `failed` keep what was measured until then. */
export type Phase = 'none' | 'starting' | 'silent' | 'asking' | 'done' | 'stopped' | 'failed';

/** How often the axis moves on, in ms: calm, and quick enough for a bar that grows. */
const TICK_MS = 100;

/** Runs remembered to be held against the newest; the oldest go. */
const RUNS = 6;

/** A run that is over, and what became of its connections. */
export interface Past {
  readonly number: number;
  readonly settings: Settings;
  readonly verdicts: ReadonlyMap<LaneId, Verdict>;
}

/** How long the first echo may take, in ms; on this machine it takes less than one. */
const HELLO_MS = 10_000;

/** What is said. An echo of it is the answer, so its words are for whoever reads the log. */
const SAYINGS: Record<Why, string> = { hello: 'hello\n', beat: 'heartbeat\n', question: 'still there?\n' };

/** Why a run ended before its end. */
type Fault = 'restarted' | 'quiet' | 'lost';

class Stopped extends Error {}

/** The connection ended before its first echo, the log is another one, or a command was not taken. */
class Failed extends Error {
  constructor(readonly why: Fault | { readonly text: string }) {
    super(typeof why === 'string' ? why : why.text);
  }
}

/**
 * The heartbeat lesson: starts an echo peer with a middlebox before it and four connections through it, says hello,
 * keeps silent, asks, and watches the log for what comes of it. It goes on while somebody looks at another part of the
 * page, and ends with the page.
 */
class HeartbeatLesson {
  phase = $state<Phase>('none');
  /** Goes up when the run has changed. */
  version = $state(0);
  /** The time on the axis, in the log's µs. */
  nowUs = $state(0);
  /** When the silence began, and when the page asked; by the log's clock. */
  silentUs = $state<number>();
  askedUs = $state<number>();
  settings = $state.raw<Settings>();
  /** Why it failed, as it is to be said. */
  fault = $state.raw<Fault | { readonly text: string }>();
  /** The tab was hidden during the run: the browser may have let heartbeats wait. */
  hidden = $state(false);
  /** Runs that came to their end, the newest last. */
  past = $state.raw<readonly Past[]>([]);
  run: Run | undefined;
  setups: readonly Setup[] = [];
  #row = 0;
  #epoch = '';
  #timers: ReturnType<typeof setTimeout>[] = [];
  #belongings = started();
  /** Those who wait for the log to say something. */
  #waiting: { readonly met: () => boolean; readonly done: (met: boolean) => void }[] = [];
  #stop: ((reason: Error) => void) | undefined;

  /** Whether a run is under way. */
  get running(): boolean {
    return this.phase === 'starting' || this.phase === 'silent' || this.phase === 'asking';
  }

  /** Makes a run, to its end; what goes wrong is kept for the page to say. */
  async start(settings: Settings): Promise<void> {
    if (this.running) return;
    this.#begin(settings);
    const stopped = new Promise<never>((_, reject) => {
      this.#stop = reject;
    });
    const look = (): void => { this.#look(); };
    const away = (): void => { this.hidden ||= document.hidden; };
    scope.onflush.push(look);
    document.addEventListener('visibilitychange', away);
    try {
      await Promise.race([this.#script(settings), stopped]);
      this.phase = 'done';
      this.#remember(settings);
    } catch (error) {
      this.#ended(error);
    } finally {
      this.nowUs = scope.nowUs();
      for (const timer of this.#timers) clearInterval(timer);
      this.#timers = [];
      this.#waiting = [];
      scope.onflush = scope.onflush.filter((one) => one !== look);
      document.removeEventListener('visibilitychange', away);
      await this.#clear();
    }
  }

  /** Ends a run that is under way. */
  stop(): void {
    this.#stop?.(new Stopped());
  }

  #remember(settings: Settings): void {
    const nowUs = scope.nowUs();
    const verdicts = new Map((this.run?.lanes ?? []).map((lane) => [lane.id, verdictOf(lane, nowUs)]));
    this.past = [...this.past, { number: (this.past.at(-1)?.number ?? 0) + 1, settings, verdicts }].slice(-RUNS);
  }

  #begin(settings: Settings): void {
    this.phase = 'starting';
    this.settings = settings;
    this.setups = setups(settings);
    this.run = undefined;
    this.fault = undefined;
    this.silentUs = undefined;
    this.askedUs = undefined;
    this.hidden = document.hidden;
    this.#belongings = started();
    this.#epoch = scope.log.epoch;
    this.#row = scope.log.end;
    this.version += 1;
  }

  #ended(error: unknown): void {
    if (error instanceof Stopped) this.phase = 'stopped';
    else {
      this.phase = 'failed';
      this.fault = error instanceof Failed ? error.why : { text: errorText(error) };
    }
  }

  /** The lesson from its first step to its last. */
  async #script(settings: Settings): Promise<void> {
    const belongings = this.#belongings;
    const still = async <T>(work: Promise<T>): Promise<T> => {
      const [done] = await Promise.allSettled([work]);
      // Stopped meanwhile: what was just being started is here only now, and nothing may go on.
      if (this.#belongings !== belongings || !this.running) {
        await belongings.endAll();
        throw new Stopped();
      }
      if (done.status === 'rejected') throw done.reason;
      return done.value;
    };
    const run = (this.run = await still(this.#open(settings, belongings)));
    this.#timers.push(setInterval(() => { this.nowUs = scope.nowUs(); }, TICK_MS));
    this.#look();

    await still(this.#say(run, 'hello'));
    if (!(await still(this.#until(() => run.answered('hello'), HELLO_MS)))) throw new Failed('quiet');
    if (run.lanes.some((lane) => lane.end !== undefined)) throw new Failed('lost');

    this.silentUs = scope.nowUs();
    this.phase = 'silent';
    for (const { id, everyMs } of this.setups) {
      if (everyMs !== undefined) this.#timers.push(setInterval(() => { this.#beat(run, id); }, everyMs));
    }
    await still(this.#pause(settings.silence * 1000));

    this.askedUs = scope.nowUs();
    this.phase = 'asking';
    await still(this.#say(run, 'question'));
    await still(this.#until(() => run.answered('question'), settings.watch * 1000));
  }

  async #open(settings: Settings, belongings: Belongings): Promise<Run> {
    const echo = await scope.api.startPeerWith({ peer: 'echo' });
    belongings.add(`practice/${echo.id}`);
    const middlebox = await scope.api.startPeerWith({ peer: 'middlebox', middlebox: { to: echo.target, idle_ms: settings.idle * 1000 } });
    belongings.add(`practice/${middlebox.id}`);
    const lanes: [LaneId, string][] = [];
    for (const { id, options } of this.setups) {
      const socket = await scope.api.openSocket({ open: middlebox.target, name: words().heartbeat.socket(words().heartbeat.lanes[id].name), options });
      belongings.add(`sockets/${socket.id}`);
      lanes.push([id, socket.id]);
      // Stopped meanwhile: nobody waits for the others.
      if (!this.running) break;
    }
    return new Run(middlebox.id, lanes);
  }

  /** Says the same on every connection that is not over. */
  async #say(run: Run, why: Why): Promise<void> {
    await Promise.all(run.lanes.filter((lane) => lane.end === undefined).map(async (lane) => this.#tell(run, lane.id, lane.socket, why)));
  }

  #beat(run: Run, id: LaneId): void {
    const lane = run.lanes.find((one) => one.id === id);
    if (lane === undefined || lane.end !== undefined) return;
    this.#tell(run, id, lane.socket, 'beat').catch((error: unknown) => this.#stop?.(error as Error));
  }

  async #tell(run: Run, id: LaneId, socket: string, why: Why): Promise<void> {
    const bytes = new TextEncoder().encode(SAYINGS[why]);
    run.says(id, why, bytes.length);
    const { problem } = await scope.connection.command({ send: { socket, base64: encodeBase64(bytes) } });
    // A connection that ended this moment cannot be spoken on; the log is about to say how it ended.
    if (problem !== undefined && problem.code !== 'wrong_state') throw new Failed({ text: problemText(problem) });
  }

  /** Takes in what the log has of the run since the last look. */
  #look(): void {
    const { log } = scope;
    if (log.epoch !== this.#epoch) {
      this.#stop?.(new Failed('restarted'));
      return;
    }
    const { run } = this;
    // Before the run knows its sockets nothing is passed over: the place in the log stays where it began.
    if (run === undefined) return;
    let changed = false;
    for (let row = Math.max(this.#row, log.base); row < log.end; row += 1) {
      const event = run.knows(`s${String(log.socketAt(row))}`) ? log.event(row) : undefined;
      if (event === undefined) continue;
      run.apply(event);
      changed = true;
    }
    this.#row = log.end;
    if (!changed) return;
    this.nowUs = scope.nowUs();
    this.version += 1;
    for (const wait of this.#waiting.filter(({ met }) => met())) wait.done(true);
  }

  /** Waits until the log says so, or as long as it may take; answers whether it did. */
  #until(met: () => boolean, patience: number): Promise<boolean> {
    if (met()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (how: boolean): void => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((one) => one !== wait);
        resolve(how);
      };
      const wait = { met, done };
      const timer = setTimeout(() => { done(met()); }, patience);
      this.#timers.push(timer);
      this.#waiting.push(wait);
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#timers.push(setTimeout(resolve, ms));
    });
  }

  async #clear(): Promise<void> {
    const [failure] = await this.#belongings.endAll();
    // What the run showed stays true; that something of it is still open has to be said, too.
    if (failure !== undefined) this.fault ??= { text: errorText(failure) };
  }
}

/** The heartbeat lesson. */
export const heartbeat = new HeartbeatLesson();
