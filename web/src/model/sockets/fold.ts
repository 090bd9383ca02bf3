import type { Event, PauseWhat, PeerSeen, Phase, SendQueue, Seq, Socket, SocketList, SocketState } from '../../wire/generated';
import { type Batch, KIND, socketId, socketNumber } from '../log/columns';
import { FLAGS } from './options';

/** Peers of an unconnected datagram socket that are listed, as on the server. */
export const PEERS_SEEN = 256;

/** Closed sockets that stay listed, as on the server; the oldest leave. */
export const CLOSED_SOCKETS = 1000;

const ENDED: readonly SocketState[] = ['closed', 'failed'];

/** Whether a socket's life is over. */
export function ended(socket: Socket): boolean {
  return ENDED.includes(socket.state);
}

/**
 * The sockets of the workspace: a snapshot, and every event after it folded on top.
 *
 * The race: events are followed first and the snapshot is asked for afterwards, so the snapshot accounts for events
 * that are still on their way here. It says up to which one (`head`); an event at or below that is not folded again,
 * and events that come before the snapshot has are kept and folded once it is there. Folding is idempotent by seq.
 */
export class Sockets {
  /** By id, oldest first. Mutated in place: whoever draws it watches a version counter. */
  readonly all = new Map<string, Socket>();
  /** What stands still beside sending: reading or accepting, and why. */
  readonly paused = new Map<string, string>();
  /** What ended a socket that failed, as far as it was seen here. */
  readonly failures = new Map<string, Event>();
  /** Sockets whose peer does not read, and what waits for it. A bridge's client waits by itself: nothing is queued for it here. */
  readonly blocked = new Set<string>();
  /** Numbers of sockets that belong to practice peers, removed ones included. */
  readonly practice = new Set<number>();
  #through: Seq | undefined;
  #waiting: Batch[] = [];

  /** Whether the snapshot is there. */
  get ready(): boolean {
    return this.#through !== undefined;
  }

  /** Takes the snapshot, then folds what came before it did. */
  snapshot(list: SocketList): void {
    this.all.clear();
    this.paused.clear();
    this.blocked.clear();
    for (const socket of list.sockets) {
      this.all.set(socket.id, structuredClone(socket));
      if (socket.queue.blocked_since_us !== undefined && socket.bridge === undefined) this.blocked.add(socket.id);
      if (socket.practice !== null) this.practice.add(socketNumber(socket.id));
    }
    this.#through = list.head;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const batch of waiting) this.apply(batch);
  }

  /** Another log begins, or the connection was lost and the snapshot is to be taken again. */
  clear(): void {
    this.#through = undefined;
    this.#waiting = [];
  }

  /** Takes in what waits to be sent, as the server says; of a socket that flows, the log knows better. */
  setQueue(id: string, queue: SendQueue): void {
    const socket = this.all.get(id);
    if (socket === undefined || !this.blocked.has(id)) return;
    socket.queue = { ...queue };
    if (queue.blocked_since_us === undefined) this.blocked.delete(id);
  }

  /** Folds the events of a batch that the list does not account for yet. */
  apply(batch: Batch): void {
    this.#note(batch);
    if (this.#through === undefined) {
      this.#waiting.push(batch);
      return;
    }
    const { seq, kind, socket, len, t, address } = batch.columns;
    let extra = 0;
    for (let row = 0; row < batch.count; row += 1) {
      if (seq[row]! <= this.#through) continue;
      const what = kind[row]!;
      if (what === KIND.sent || what === KIND.received) {
        const found = this.all.get(socketId(socket[row]!));
        if (found === undefined) continue;
        const peer = address[row] === 0 ? undefined : batch.strings[address[row]! - 1];
        count(found, what === KIND.sent, len[row]!, peer, t[row]!);
      } else {
        while (extra < batch.extras.length && batch.extras[extra]![0] < row) extra += 1;
        const entry = batch.extras[extra];
        if (entry?.[0] === row && 'event' in entry[1]) this.#fact(entry[1].event);
      }
      this.#through = seq[row]!;
    }
  }

  #note(batch: Batch): void {
    for (const [, extra] of batch.extras) {
      if (!('event' in extra)) continue;
      const { event } = extra;
      if ((event.type === 'opening' || event.type === 'connected') && event.practice !== undefined) {
        this.practice.add(socketNumber(event.socket));
      }
      // The snapshot says that a socket failed, not why; the replayed log does.
      if ((event.type === 'failed' || event.type === 'refused_by_policy') && event.fatal && event.socket !== undefined) {
        this.failures.set(event.socket, event);
      }
    }
  }

  #fact(event: Event): void {
    if (event.socket === undefined) return;
    const known = this.all.get(event.socket);
    if (event.type === 'opening' || (event.type === 'connected' && known === undefined)) {
      const parent = event.type === 'connected' && event.parent !== undefined ? this.all.get(event.parent) : undefined;
      this.all.set(event.socket, born(event.socket, event, parent));
      return;
    }
    if (known === undefined) return;
    if (event.type === 'note' && event.code === 'removed') {
      this.all.delete(event.socket);
      this.failures.delete(event.socket);
      return;
    }
    if (event.type === 'paused' && !(event.what === 'send' && known.bridge !== undefined)) this.#standing(event.socket, event.what, event.reason);
    if (event.type === 'resumed') this.#standing(event.socket, event.what, undefined);
    change(known, event);
    if (ended(known)) {
      this.paused.delete(event.socket);
      this.blocked.delete(event.socket);
      this.#forgetOldest();
    }
  }

  #standing(id: string, what: PauseWhat, reason: string | undefined): void {
    if (what === 'send') {
      if (reason === undefined) this.blocked.delete(id);
      else this.blocked.add(id);
    } else if (reason === undefined) this.paused.delete(id);
    else this.paused.set(id, reason);
  }

  #forgetOldest(): void {
    let closed = 0;
    for (const socket of this.all.values()) if (ended(socket)) closed += 1;
    for (const socket of this.all.values()) {
      if (closed <= CLOSED_SOCKETS) return;
      if (!ended(socket)) continue;
      this.all.delete(socket.id);
      this.failures.delete(socket.id);
      closed -= 1;
    }
  }
}

function born(id: string, event: Extract<Event, { type: 'opening' | 'connected' }>, listener: Socket | undefined): Socket {
  const opening = event.type === 'opening';
  return {
    id,
    name: (opening ? event.name : undefined) ?? null,
    target: opening ? event.target : (listener?.target ?? `tcp://${event.remote}`),
    role: opening ? event.role : 'accepted',
    state: opening ? 'opening' : 'open',
    local: opening ? null : event.local,
    remote: opening ? null : event.remote,
    parent: (opening ? undefined : event.parent) ?? null,
    counters: { sent_bytes: 0, received_bytes: 0, sent_events: 0, received_events: 0, dropped: 0 },
    opened_seq: event.seq,
    closed_seq: null,
    options: opening ? { ...event.options } : handedDown(listener?.options ?? {}),
    queue: { bytes: 0 },
    practice: event.practice ?? null,
    ...(event.bridge !== undefined ? { bridge: event.bridge } : {}),
    reachable_from_outside: false,
  };
}

const LISTENERS_OWN = new Set(['connect_timeout_ms', 'reuse_addr', 'backlog', 'accepting', 'broadcast', 'ipv6_only']);

/** The options of a listener that hold for what it accepts. */
function handedDown(options: Socket['options']): Socket['options'] {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !LISTENERS_OWN.has(name)));
}

function change(socket: Socket, event: Event): void {
  // What comes after the end changes nothing any more but the name.
  if (socket.closed_seq !== null && event.type !== 'note') return;
  switch (event.type) {
    case 'connected':
      socket.state = 'open';
      socket.local = event.local;
      socket.remote = event.remote;
      break;
    case 'bound':
      socket.local = event.local;
      socket.reachable_from_outside = event.reachable_from_outside ?? false;
      if (socket.role === 'bound') socket.state = 'open';
      break;
    case 'listening':
      socket.local = event.local;
      socket.reachable_from_outside = event.reachable_from_outside ?? false;
      socket.state = 'listening';
      break;
    case 'eof':
      // Where both directions have ended, `closed` follows at once: there is no state between.
      if (socket.state === 'open') socket.state = 'half_closed_remote';
      break;
    case 'shutdown':
      if (socket.state === 'open') socket.state = 'half_closed_local';
      break;
    case 'closing':
      socket.state = 'closing';
      socket.queue = { ...socket.queue, bytes: event.queued_bytes };
      break;
    case 'closed':
      if (socket.state !== 'failed') socket.state = 'closed';
      socket.counters = { ...event.counters };
      socket.closed_seq = event.seq;
      socket.queue = { bytes: 0 };
      break;
    case 'refused_by_policy':
      if (event.fatal) over(socket, event.seq);
      break;
    case 'failed':
      if (!event.fatal) break;
      socket.state = 'failed';
      // One that was open is closed afterwards, which is another fact.
      if (UNOPENED.has(event.phase)) over(socket, event.seq);
      break;
    case 'option_set':
      // What it was opened with is known already; defaults of the server that opening sets nobody asked for.
      if (socket.state !== 'opening') socket.options = { ...socket.options, ...asked(event.option, event.asked) };
      break;
    case 'relayed':
      socket.counters.sent_bytes += event.sent_bytes;
      socket.counters.sent_events += event.sent_calls;
      socket.counters.received_bytes += event.received_bytes;
      socket.counters.received_events += event.received_calls;
      break;
    case 'dropped':
      socket.counters.dropped = event.total;
      break;
    case 'paused':
      if (event.what === 'send') socket.queue = { bytes: event.queued_bytes ?? 0, blocked_since_us: event.t_us - (event.took_us ?? 0) };
      break;
    case 'resumed':
      // What still waits goes down with every write.
      if (event.what === 'send') socket.queue = { bytes: socket.queue.bytes };
      break;
    case 'note':
      if (event.code === 'renamed') socket.name = event.params?.name || null;
      break;
    default:
      break;
  }
}

/** The steps before a socket is open: what fails there ends it, no `closed` follows. */
const UNOPENED: ReadonlySet<Phase> = new Set<Phase>(['resolve', 'socket', 'connect', 'bind', 'listen']);

function over(socket: Socket, seq: Seq): void {
  socket.state = 'failed';
  socket.closed_seq = seq;
  socket.queue = { bytes: 0 };
}

function asked(option: string, value: number): Socket['options'] {
  return option === '__proto__' ? {} : { [option]: FLAGS.has(option) ? value !== 0 : value };
}

function count(socket: Socket, sent: boolean, bytes: number, peer: string | undefined, t: number): void {
  if (socket.closed_seq !== null) return;
  if (sent) {
    socket.counters.sent_bytes += bytes;
    socket.counters.sent_events += 1;
    const { queue } = socket;
    if (queue.bytes > 0) queue.bytes = Math.max(0, queue.bytes - bytes);
    if (queue.blocked_since_us !== undefined) queue.blocked_since_us = t;
  } else {
    socket.counters.received_bytes += bytes;
    socket.counters.received_events += 1;
  }
  if (peer !== undefined && socket.role === 'bound') seen(socket, sent, bytes, peer, t);
}

function seen(socket: Socket, sent: boolean, bytes: number, address: string, t: number): void {
  const peers = (socket.peers ??= []);
  // The one that speaks most is most often in front: a flood from one sender costs no search.
  let at = peers[0]?.address === address ? 0 : peers.findIndex((peer) => peer.address === address);
  if (at < 0) {
    const peer: PeerSeen = { address, received_events: 0, received_bytes: 0, sent_events: 0, sent_bytes: 0, last_us: t };
    peers.unshift(peer);
    if (peers.length > PEERS_SEEN) peers.pop();
    at = 0;
  } else if (at > 0) {
    peers.unshift(...peers.splice(at, 1));
    at = 0;
  }
  const peer = peers[at]!;
  peer.last_us = t;
  if (sent) {
    peer.sent_events += 1;
    peer.sent_bytes += bytes;
  } else {
    peer.received_events += 1;
    peer.received_bytes += bytes;
  }
}

