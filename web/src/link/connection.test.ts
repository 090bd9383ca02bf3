// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { decodePage } from '../model/log/decode';
import { events, page } from '../model/fixtures';
import type { SocketList } from '../wire/generated';
import { ApiError } from './api';
import { BACKOFF_MS, Connection, type Doors, type LinkState, type Listener, NoReply, REPLAY_EVENTS, REPLY_MS } from './connection';
import type { FromWorker, ToWorker, Transport } from './protocol';

class FakeTransport implements Transport {
  onmessage: (message: FromWorker) => void = () => undefined;
  readonly posted: ToWorker[] = [];

  post(message: ToWorker): void {
    this.posted.push(message);
  }

  get opened(): Extract<ToWorker, { type: 'open' }>[] {
    return this.posted.filter((message) => message.type === 'open');
  }

  get generation(): number {
    return this.opened.at(-1)!.generation;
  }

  sent(): { id: string }[] {
    return this.posted.filter((message) => message.type === 'send').map((message) => JSON.parse(message.text) as { id: string });
  }

  hello(epoch = 'e1', head = 0): void {
    this.onmessage({ type: 'hello', generation: this.generation, hello: { conn: 'v1', epoch, first: 1, head, version: '0', now_us: 0 } });
  }

  batch(seq: number): void {
    this.onmessage({ type: 'batch', generation: this.generation, batch: decodePage(page(events(seq, [{ type: 'eof', offset: 0 }]))) });
  }

  close(code: number): void {
    this.onmessage({ type: 'closed', generation: this.generation, code, reason: '' });
  }
}

class Recorder implements Listener {
  readonly states: LinkState[] = [];
  readonly hellos: boolean[] = [];
  readonly snapshots: SocketList[] = [];
  batches = 0;

  state(state: LinkState): void {
    this.states.push(state);
  }

  hello(_: unknown, fresh: boolean): void {
    this.hellos.push(fresh);
  }

  batch(): void {
    this.batches += 1;
  }

  snapshot(list: SocketList): void {
    this.snapshots.push(list);
  }
}

describe('Connection', () => {
  let transport: FakeTransport;
  let recorder: Recorder;
  let doors: Doors;
  let connection: Connection;
  let listed: SocketList;

  beforeEach(async () => {
    vi.useFakeTimers();
    transport = new FakeTransport();
    recorder = new Recorder();
    listed = { epoch: 'e1', head: 0, sockets: [] };
    let tickets = 0;
    doors = {
      ticket: () => {
        tickets += 1;
        return Promise.resolve({ ticket: `T${String(tickets)}` });
      },
      sockets: () => Promise.resolve(listed),
    };
    connection = new Connection(doors, transport, recorder, () => 1);
    connection.start();
    await vi.advanceTimersByTimeAsync(0);
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('offers the ticket as a subprotocol and asks for the log from its beginning', () => {
    const [opened] = transport.opened;
    expect(opened!.protocols).toEqual(['sockscope.v1', 'ticket.T1']);
    const url = new URL(opened!.url);
    expect(url.protocol).toMatch(/^wss?:$/u);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({ after: '0', binary: '1' });
  });

  it('replays only the end of a long log', async () => {
    connection.stop();
    listed = { epoch: 'e1', head: REPLAY_EVENTS + 500, sockets: [] };
    connection.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(Object.fromEntries(new URL(transport.opened.at(-1)!.url).searchParams)).toMatchObject({ after: '500', epoch: 'e1' });
  });

  it('takes the snapshot only after hello', async () => {
    expect(recorder.snapshots).toHaveLength(0);
    transport.hello();
    await vi.advanceTimersByTimeAsync(0);
    expect(recorder.hellos).toEqual([true]);
    expect(recorder.snapshots).toHaveLength(1);
    expect(recorder.states.at(-1)).toEqual({ is: 'live' });
  });

  it('comes back with the last seq of the same log', async () => {
    transport.hello();
    transport.batch(41);
    transport.close(1006);
    expect(recorder.states.at(-1)).toMatchObject({ is: 'lost', code: 1006, attempt: 1 });
    await vi.advanceTimersByTimeAsync(BACKOFF_MS.first);
    const url = new URL(transport.opened.at(-1)!.url);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({ after: '41', epoch: 'e1' });
    transport.hello();
    expect(recorder.hellos).toEqual([true, false]);
  });

  it('tells every connection to the same log which sockets are looked at', async () => {
    const watches = (): unknown[] => transport.sent().map((frame) => (frame as { watch?: unknown }).watch).filter((watch) => watch !== undefined);
    connection.watch(['s1']);
    expect(watches()).toEqual([]);
    transport.hello();
    connection.watch(['s1', 's2']);
    expect(watches()).toEqual([{ sockets: ['s1'] }, { sockets: ['s1', 's2'] }]);
    transport.close(1006);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS.first);
    transport.hello();
    expect(watches()).toHaveLength(3);
    connection.watch([]);
    expect(watches().at(-1)).toEqual({ sockets: [] });
    connection.watch(['s1']);
    transport.close(4012);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS.first);
    transport.hello('e2');
    expect(watches()).toHaveLength(5);
  });

  it('says that another log began, and follows that from its beginning', async () => {
    transport.hello();
    transport.batch(41);
    transport.close(4012);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS.first);
    listed = { epoch: 'e2', head: 0, sockets: [] };
    transport.hello('e2');
    await vi.advanceTimersByTimeAsync(0);
    expect(recorder.hellos).toEqual([true, true]);
    expect(recorder.snapshots.at(-1)!.epoch).toBe('e2');
    transport.close(1006);
    await vi.advanceTimersByTimeAsync(BACKOFF_MS.first);
    expect(new URL(transport.opened.at(-1)!.url).searchParams.get('after')).toBe('0');
  });

  it('does not take a snapshot of another log', async () => {
    listed = { epoch: 'other', head: 0, sockets: [] };
    transport.hello();
    await vi.advanceTimersByTimeAsync(0);
    expect(recorder.snapshots).toHaveLength(0);
  });

  it('waits longer each time, up to a limit, and tries at once when told', async () => {
    doors.ticket = () => Promise.reject(new ApiError(0, undefined, 'no'));
    transport.hello();
    transport.close(1006);
    const waits: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      const state = recorder.states.at(-1)!;
      if (state.is === 'lost') {
        waits.push(state.retryAt - Date.now());
        await vi.advanceTimersByTimeAsync(state.retryAt - Date.now());
      }
    }
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
    doors.ticket = () => Promise.resolve({ ticket: 'again' });
    connection.retry();
    await vi.advanceTimersByTimeAsync(0);
    expect(transport.opened.at(-1)!.protocols[1]).toBe('ticket.again');
  });

  it('matches answers to commands, whatever their order', async () => {
    transport.hello();
    const one = connection.command({ close: { socket: 's1' } });
    const two = connection.command({ close: { socket: 's2' } });
    const [first, second] = transport.sent();
    transport.onmessage({ type: 'reply', generation: transport.generation, reply: { re: second!.id, cause: 'v1.c2' } });
    transport.onmessage({ type: 'reply', generation: transport.generation, reply: { re: first!.id, cause: 'v1.c1' } });
    expect(await one).toMatchObject({ cause: 'v1.c1' });
    expect(await two).toMatchObject({ cause: 'v1.c2' });
  });

  it('does not wait for ever for an answer', async () => {
    transport.hello();
    const late = expect(connection.command({ close: { socket: 's1' } })).rejects.toMatchObject({ why: 'timeout' });
    await vi.advanceTimersByTimeAsync(REPLY_MS);
    await late;
    const lost = expect(connection.command({ close: { socket: 's1' } })).rejects.toBeInstanceOf(NoReply);
    transport.close(1006);
    await lost;
    await expect(connection.command({ close: { socket: 's1' } })).rejects.toMatchObject({ why: 'lost' });
  });

  it('passes over what comes from a connection that is gone', async () => {
    const old = transport.generation;
    transport.hello();
    transport.close(1006);
    transport.onmessage({ type: 'batch', generation: old, batch: decodePage(page(events(1, [{ type: 'eof', offset: 0 }]))) });
    expect(recorder.batches).toBe(0);
    connection.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(transport.opened).toHaveLength(1);
  });
});
