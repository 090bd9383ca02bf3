import { Api, ApiError } from '../link/api';
import { Connection, type LinkState } from '../link/connection';
import { launchOf, Session } from '../link/session';
import { workerTransport } from '../link/transport';
import type { Batch } from '../model/log/columns';
import { Sockets } from '../model/sockets/fold';
import { EventLog } from '../model/log/log';
import type { About, Hello, PracticePeer } from '../wire/generated';
import { mode } from './mode.svelte';
import { Queues } from './queues';

/** A hidden tab draws no frames; what comes is taken in this often all the same, in ms. */
const HIDDEN_MS = 500;

/** Counters in the list of sockets change at most this often, in ms: nobody reads faster. */
const COUNTERS_MS = 100;

/** How often the page asks how full the log is, in ms; more often while it grows. */
const ABOUT_MS = { idle: 5000, growing: 1000 } as const;

/** A live flood is this far behind at most; more is a log being replayed. */
const CATCHING_UP = 20_000;

/** What the page is showing as a whole. */
export type Phase = 'starting' | 'locked' | 'ready';

/** Why the gate is closed. */
export type GateError = 'none' | 'wrongToken' | 'usedCode' | 'unreachable';

/**
 * The page's knowledge of the server: one log, the sockets folded from it, and how well it is connected. Batches queue
 * up and are taken in once a frame; runes hold counters only.
 */
class Scope {
  phase = $state<Phase>('starting');
  gate = $state<GateError>('none');
  link = $state.raw<LinkState>({ is: 'connecting' });
  about = $state.raw<About>();
  catalog = $state.raw<readonly PracticePeer[]>([]);
  /** Goes up when the log has changed. */
  version = $state(0);
  /** Goes up when sockets have changed. */
  socketsVersion = $state(0);
  /** The server was restarted while this page watched. */
  restarted = $state(false);
  /** A deep link's target, for the address bar. */
  deepLink = $state('');
  /** The server's clock minus this machine's at the last hello, in µs: what `t_us` is now. */
  clockOffset = 0;

  readonly api = new Api();
  readonly log = new EventLog();
  readonly sockets = new Sockets();
  /** Called after batches were taken in, before anything is drawn. */
  onflush: (() => void)[] = [];
  readonly #session = new Session();
  readonly #queues = new Queues(this.sockets, {
    ask: (id) => this.api.socket(id),
    awake: () => this.link.is === 'live' && !document.hidden,
    changed: () => {
      this.socketsVersion += 1;
    },
  });
  #connection: Connection | undefined;
  #queue: Batch[] = [];
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #counted = 0;
  #countTimer: ReturnType<typeof setTimeout> | undefined;
  #starting = false;
  #growing: ReturnType<typeof setTimeout> | undefined;

  /** The connection; there is one once the gate is open. */
  get connection(): Connection {
    if (this.#connection === undefined) throw new Error('the gate is closed');
    return this.#connection;
  }

  /** Finds a way in: a launch link, a token of this tab or of another one, or no token at all. */
  async start(): Promise<void> {
    this.api.onunauthorized = () => {
      if (!this.#starting) this.#lock('wrongToken');
    };
    this.#session.ontoken = (token) => {
      if (this.phase === 'locked') void this.enter({ token });
    };
    window.addEventListener('hashchange', () => {
      const { code } = this.#launch();
      if (code !== undefined) void this.enter({ code });
    });
    const { code } = this.#launch();
    if (code !== undefined && (await this.enter({ code }))) return;
    const failed = this.gate;
    const token = this.#session.token;
    if (token !== undefined && (await this.enter({ token }))) return;
    // Without --no-token this is a 401, which costs nothing.
    if (await this.#try(undefined)) return;
    if (this.gate !== 'unreachable') {
      const other = await this.#session.ask();
      if (other !== undefined && (await this.enter({ token: other }))) return;
      this.gate = failed;
    }
    this.phase = 'locked';
  }

  /** Tries a launch code or a token. */
  async enter(key: { readonly code: string } | { readonly token: string }): Promise<boolean> {
    if ('token' in key) {
      const admitted = await this.#try(key.token);
      if (admitted && this.#session.token !== key.token) this.#session.keep(key.token);
      return admitted;
    }
    try {
      this.#starting = true;
      const { token } = await this.api.session(key.code);
      this.#starting = false;
      return await this.enter({ token });
    } catch (error) {
      this.gate = error instanceof ApiError && error.status === 0 ? 'unreachable' : 'usedCode';
      return false;
    } finally {
      this.#starting = false;
    }
  }

  /** How many events of a long log are still to be replayed; 0 when the page is at the end. */
  get catchingUp(): number {
    void this.version;
    const left = this.log.head - (this.log.length === 0 ? this.log.serverFirst - 1 : this.log.seqAt(this.log.end - 1));
    return left > CATCHING_UP ? left : 0;
  }

  /** Seconds until the connection is tried again. */
  retryIn(now: number): number {
    return this.link.is === 'lost' ? Math.max(0, Math.ceil((this.link.retryAt - now) / 1000)) : 0;
  }

  /** `t_us` now, by the server's clock. */
  nowUs(): number {
    return performance.now() * 1000 + this.clockOffset;
  }

  #launch(): ReturnType<typeof launchOf> {
    const launch = launchOf(location.hash);
    // The code works once and the token must never be in a history or a bookmark.
    if (location.hash !== '') history.replaceState(null, '', location.pathname + location.search);
    if (launch.open !== undefined) this.deepLink = launch.open;
    mode.follow(launch);
    return launch;
  }

  async #try(token: string | undefined): Promise<boolean> {
    const before = this.api.token;
    this.api.token = token;
    this.#starting = true;
    try {
      this.about = await this.api.about();
    } catch (error) {
      this.api.token = before;
      const status = error instanceof ApiError ? error.status : 0;
      this.gate = status === 401 && token !== undefined ? 'wrongToken' : status === 401 ? 'none' : 'unreachable';
      if (status === 401 && this.#session.token === token) this.#session.forget();
      return false;
    } finally {
      this.#starting = false;
    }
    this.gate = 'none';
    this.phase = 'ready';
    this.#follow();
    return true;
  }

  #lock(why: GateError): void {
    this.#connection?.stop();
    this.#session.forget();
    this.api.token = undefined;
    this.gate = why;
    this.phase = 'locked';
  }

  #follow(): void {
    if (this.#connection === undefined) {
      this.#connection = new Connection(this.api, workerTransport(), {
        state: (state) => {
          this.link = state;
          if (state.is === 'lost') this.sockets.clear();
          else if (state.is === 'live') void this.#refresh();
        },
        hello: (hello, fresh) => {
          this.#hello(hello, fresh);
        },
        batch: (batch) => {
          this.#queue.push(batch);
          this.#schedule();
        },
        snapshot: (list) => {
          this.#flush();
          this.sockets.snapshot(list);
          this.socketsVersion += 1;
          this.#queues.watch();
        },
      });
      setInterval(() => void this.#refresh(), ABOUT_MS.idle);
    }
    this.#connection.start();
  }

  #hello(hello: Hello, fresh: boolean): void {
    this.api.epoch = hello.epoch;
    this.clockOffset = hello.now_us - performance.now() * 1000;
    this.#flush();
    this.sockets.clear();
    if (fresh) {
      // Ids and seqs of another log mean nothing here: what was known is void, and the person is told so.
      this.restarted = this.log.epoch !== '';
      this.log.reset(hello.epoch);
      this.sockets.practice.clear();
      this.version += 1;
      for (const listener of this.onflush) listener();
    }
    this.log.head = Math.max(this.log.head, hello.head);
  }

  async #refresh(): Promise<void> {
    if (this.phase !== 'ready' || this.link.is !== 'live' || document.hidden) return;
    try {
      this.about = await this.api.about();
      if (this.catalog.length === 0) this.catalog = (await this.api.practice()).peers;
    } catch {
      // Whether the server answers is the connection's to say; this only keeps figures fresh.
    }
  }

  #schedule(): void {
    if (this.#frame !== 0 || this.#timer !== undefined) return;
    const flush = (): void => {
      this.#flush();
    };
    this.#frame = requestAnimationFrame(flush);
    this.#timer = setTimeout(flush, HIDDEN_MS);
  }

  #flush(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = 0;
    this.#timer = undefined;
    if (this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    for (const batch of queue) {
      if (batch.epoch !== this.log.epoch) continue;
      this.log.append(batch);
      this.sockets.apply(batch);
    }
    for (const listener of this.onflush) listener();
    this.version += 1;
    this.#queues.watch();
    this.#count();
    if (this.#growing === undefined) {
      this.#growing = setTimeout(() => {
        this.#growing = undefined;
        void this.#refresh();
      }, ABOUT_MS.growing);
    }
  }

  #count(): void {
    if (this.#countTimer !== undefined) return;
    const wait = Math.max(0, this.#counted + COUNTERS_MS - performance.now());
    const count = (): void => {
      this.#countTimer = undefined;
      this.#counted = performance.now();
      this.socketsVersion += 1;
    };
    if (wait === 0) count();
    else this.#countTimer = setTimeout(count, wait);
  }
}

/** The page's knowledge of the server. */
export const scope = new Scope();
