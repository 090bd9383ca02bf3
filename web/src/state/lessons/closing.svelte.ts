import { ApiError } from '../../link/api';
import { CASES, Calls, type Deed, type ReuseCase, waitsOf, type Waits, type Who } from '../../model/kernel/closing';
import { Follower } from '../../model/kernel/follow';
import { type End, Path } from '../../model/kernel/path';
import { address } from '../../model/ladder/peers';
import { ended } from '../../model/sockets/fold';
import type { Event, Socket, SocketOptions } from '../../wire/generated';
import { errorText } from '../actions';
import { targetOf } from '../kernel/actions';
import { words } from '../kernel/words';
import { scope } from '../scope.svelte';
import { started } from './started';

/** How long the listener may take to accept, and the kernel to tell a state, in ms. */
const PATIENCE_MS = 3000;

/** How often what is waited for is looked for, in ms. */
const LOOK_MS = 20;

/** How long the other side keeps sending, how often, and what. */
const SENDING_MS = 1000;
const SEND_EVERY_MS = 50;
const BYTES = new TextEncoder().encode('still sending\n');

/** A connection of the lesson: both its ends are sockets of the workspace. */
export interface Connection {
  readonly listener: Socket;
  readonly client: Socket;
  readonly server: Socket;
  readonly epoch: string;
}

/** What became of binding a port again. */
export interface Bound {
  readonly is: 'pending' | 'trying' | 'bound' | 'refused';
  readonly text: string;
  readonly code?: string;
  readonly errno?: string;
  readonly seq?: number;
}

/** A case of SO_REUSEADDR as it was tried. */
export interface Tried extends ReuseCase {
  readonly bound: Bound;
  readonly target?: string;
  readonly port?: string;
  /** The connection whose server's end was left in TIME_WAIT. */
  readonly connection?: Connection;
}

class Failed extends Error {}

/**
 * The close laboratory: a listener and a client of its own, closed by the calls any program has, and what both kernels
 * and both programs had to say. The port's fate afterwards is tried, never told from memory.
 */
class ClosingLesson {
  phase = $state<'none' | 'opening' | 'open' | 'failed'>('none');
  fault = $state('');
  /** A deed under way. */
  busy = $state(false);
  connection = $state.raw<Connection>();
  cases = $state.raw<readonly Tried[]>(CASES.map((one) => ({ ...one, bound: { is: 'pending', text: '' } })));
  /** The case that is tried now, from 1; 0 for none. */
  trying = $state(0);
  /** Goes up when more is known. */
  version = $state(0);
  #belongings = started();
  #path = new Path('');
  #calls = new Calls([]);
  #follower: Follower | undefined;
  #listener: Socket | undefined;
  #listening = false;

  /** Whether anything of it lives. */
  get any(): boolean {
    void this.version;
    return this.phase === 'open';
  }

  /** Both ends' states. */
  get ends(): Readonly<Record<Who, End>> {
    void this.version;
    return { client: this.#path.end('local'), server: this.#path.end('peer') };
  }

  /** What both programs saw. */
  get calls(): readonly Event[] {
    void this.version;
    return [...this.#calls.all];
  }

  /** Who waits. */
  get waits(): Waits {
    return waitsOf(this.ends, this.calls);
  }

  /** Whether an end still takes calls. */
  alive(who: Who): boolean {
    void scope.socketsVersion;
    const id = this.connection?.[who].id;
    const socket = id === undefined || this.connection?.epoch !== scope.log.epoch ? undefined : scope.sockets.all.get(id);
    return socket !== undefined && !ended(socket);
  }

  /** Opens a listener, where there is none, and a connection to it. */
  async start(): Promise<void> {
    if (this.phase === 'opening' || this.busy) return;
    this.phase = 'opening';
    this.fault = '';
    try {
      const { names } = words().closing;
      const known = this.#listener === undefined ? undefined : scope.sockets.all.get(this.#listener.id);
      if (known === undefined || ended(known) || this.connection?.epoch !== scope.log.epoch) this.#listener = await this.#open('tcp-listen://127.0.0.1:0', names.listener);
      this.connection = await this.#connect(this.#listener!);
      this.#follow(this.connection);
      this.phase = 'open';
    } catch (error) {
      this.#failed(error);
      this.phase = 'failed';
    }
  }

  /** Does something to one end. */
  async act(who: Who, deed: Deed): Promise<void> {
    const { connection } = this;
    if (connection === undefined || this.busy) return;
    const here = connection[who].id;
    const there = connection[who === 'client' ? 'server' : 'client'].id;
    this.busy = true;
    this.fault = '';
    try {
      switch (deed) {
        case 'shutdown':
          await scope.api.tell('POST', `sockets/${here}/shutdown`, { how: 'write' });
          break;
        case 'close':
          await this.#close(here);
          break;
        case 'reset':
          await scope.api.tell('DELETE', `sockets/${here}?reset=true`);
          break;
        case 'unread':
          await scope.api.call('PATCH', `sockets/${here}`, { options: { reading: false } satisfies SocketOptions });
          await scope.api.send(there, BYTES);
          await this.#close(here);
          break;
        case 'sending':
          await Promise.all([this.#keepSending(there), wait(SENDING_MS / 2).then(() => this.#close(here))]);
          break;
      }
    } catch (error) {
      this.#failed(error);
    }
    this.busy = false;
  }

  /** Tries every case of SO_REUSEADDR, one after the other. */
  async tryAll(): Promise<void> {
    if (this.trying !== 0) return;
    this.fault = '';
    this.#waitFollowers = [];
    this.#waiting.clear();
    for (const [i] of CASES.entries()) {
      this.trying = i + 1;
      await this.#tryCase(i);
    }
    this.trying = 0;
  }

  /** Binds the port of a case once more. */
  async again(index: number): Promise<void> {
    const one = this.cases[index];
    if (this.trying !== 0 || one?.target === undefined) return;
    this.trying = index + 1;
    await this.#bind(index, one.target);
    this.trying = 0;
  }

  /** How a state of the server's end of a case is known to run out, in µs from the log's clock; undefined where it was not seen. */
  timeWait(one: Tried): End | undefined {
    void this.version;
    return one.connection === undefined ? undefined : this.#waiting.get(one.connection.server.id)?.end('local');
  }

  /** Ends everything the lesson started. */
  async end(): Promise<void> {
    const [failure] = await this.#belongings.endAll();
    if (failure !== undefined) this.#failed(failure);
    this.phase = 'none';
    this.connection = undefined;
    this.#listener = undefined;
    this.#follower = undefined;
  }

  /** The server's ends of the cases and what was told of them. */
  #waiting = new Map<string, Path>();
  #waitFollowers: Follower[] = [];

  async #tryCase(index: number): Promise<void> {
    const one = CASES[index]!;
    this.#set(index, { bound: { is: 'trying', text: '' } });
    try {
      const { names, reuse } = words().closing;
      const name = names.bind(one.old ? reuse.on : reuse.off, one.fresh ? reuse.on : reuse.off);
      const listener = await this.#open('tcp-listen://127.0.0.1:0', name, { reuse_addr: one.old });
      const connection = await this.#connect(listener);
      const path = new Path(connection.server.id);
      this.#waiting.set(connection.server.id, path);
      this.#waitFollowers.push(new Follower(scope.log, [connection.server.id, connection.client.id], (event) => {
        path.add(event);
      }));
      this.#listen();
      const target = `tcp-listen://127.0.0.1:${address(listener.local ?? '')?.port ?? '0'}`;
      this.#set(index, { connection, target, port: target.split(':').at(-1)! });
      // The server's end first, so that it is the one that waits; its listener is gone before the port is asked for.
      await this.#close(connection.server.id);
      await this.#close(connection.client.id);
      await this.#close(listener.id);
      // Where nobody tells states, the kernel has it there all the same.
      await this.#until(() => path.end('local').steps.some(({ state }) => state === 'TIME_WAIT'), PATIENCE_MS / 10);
      await this.#bind(index, target);
    } catch (error) {
      this.#set(index, { bound: outcomeOf(error) });
    }
  }

  async #bind(index: number, target: string): Promise<void> {
    const { old, fresh } = CASES[index]!;
    const { names, reuse } = words().closing;
    this.#set(index, { bound: { is: 'trying', text: '' } });
    try {
      const socket = await this.#open(target, names.bind(old ? reuse.on : reuse.off, fresh ? reuse.on : reuse.off), { reuse_addr: fresh });
      this.#set(index, { bound: { is: 'bound', text: '', seq: socket.opened_seq } });
      await this.#close(socket.id);
    } catch (error) {
      this.#set(index, { bound: outcomeOf(error) });
    }
  }

  #set(index: number, change: Partial<Tried>): void {
    this.cases = this.cases.map((one, i) => (i === index ? { ...one, ...change } : one));
  }

  async #open(target: string, name: string, options: SocketOptions = {}): Promise<Socket> {
    const socket = await scope.api.openSocket({ open: target, name, ...(Object.keys(options).length > 0 ? { options } : {}) });
    this.#belongings.add(`sockets/${socket.id}`);
    return socket;
  }

  #close(socket: string): Promise<void> {
    return scope.api.tell('DELETE', `sockets/${socket}`);
  }

  async #connect(listener: Socket): Promise<Connection> {
    const target = targetOf(listener);
    if (target === undefined) throw new Failed(words().closing.timeout);
    const client = await this.#open(target, words().closing.names.client);
    let server: Socket | undefined;
    await this.#until(() => {
      server = [...scope.sockets.all.values()].find(({ parent, remote }) => parent === listener.id && remote === client.local);
      return server !== undefined;
    }, PATIENCE_MS);
    if (server === undefined) throw new Failed(words().closing.timeout);
    this.#belongings.add(`sockets/${server.id}`);
    return { listener, client, server: { ...server }, epoch: scope.log.epoch };
  }

  #follow({ client, server }: Connection): void {
    const [path, calls] = [new Path(client.id), new Calls([client.id, server.id])];
    this.#path = path;
    this.#calls = calls;
    this.#follower = new Follower(
      scope.log,
      [client.id, server.id],
      (event) => {
        path.add(event);
        calls.add(event);
      },
      true,
    );
    this.#listen();
  }

  #listen(): void {
    if (!this.#listening) scope.onflush.push(() => {
      this.#read();
    });
    this.#listening = true;
    this.#read();
  }

  #read(): void {
    let changed = false;
    for (const follower of [this.#follower, ...this.#waitFollowers]) {
      if (follower === undefined || follower.stale) continue;
      while (follower.behind) if (follower.update()) changed = true;
    }
    if (this.connection !== undefined && this.connection.epoch !== scope.log.epoch && this.phase === 'open') {
      this.phase = 'failed';
      this.fault = words().closing.restarted;
      changed = true;
    }
    if (changed) this.version += 1;
  }

  async #keepSending(id: string): Promise<void> {
    const until = performance.now() + SENDING_MS;
    while (performance.now() < until) {
      try {
        await scope.api.send(id, BYTES);
      } catch (error) {
        // That the other side is gone is what was to be learned, and the log says how.
        if (error instanceof ApiError && error.problem !== undefined) return;
        throw error;
      }
      await wait(SEND_EVERY_MS);
    }
  }

  async #until(met: () => boolean, patience: number): Promise<void> {
    const deadline = performance.now() + patience;
    while (!met() && performance.now() < deadline) await wait(LOOK_MS);
  }

  #failed(error: unknown): void {
    this.fault = error instanceof Failed ? error.message : errorText(error);
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Why a port was not bound, in the server's words. */
function outcomeOf(error: unknown): Bound {
  const problem = error instanceof ApiError ? error.problem : undefined;
  return {
    is: 'refused',
    text: error instanceof Failed ? error.message : errorText(error),
    ...(problem === undefined ? {} : { code: problem.code, ...(problem.errno === undefined ? {} : { errno: problem.errno }), ...(problem.seq === undefined ? {} : { seq: problem.seq }) }),
  };
}

/** The close laboratory. */
export const closing = new ClosingLesson();
