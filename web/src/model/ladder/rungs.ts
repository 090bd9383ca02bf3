import type { Evidence, KernelTimer, SocketId, TcpState } from '../../wire/generated';
import { endOf, type Heard, taken, type Word, wordOf } from '../kernel/word';
import { KERNEL_KINDS, type Kind, KINDS, socketNumber } from '../log/columns';
import type { EventLog, LogEvent } from '../log/log';
import type { SegmentEvent } from '../log/segments';
import { type Mark, marksOf } from '../wire/marks';
import { type Peer, sameAddress } from './peers';

/** Rungs kept of one rail; beyond it the oldest leave the ladder (the timeline still has them). */
export const RUNGS_KEPT = 10_000;

/** Whose calls a rail shows. */
export type Side = 'ours' | 'peer';

/** A rail of the ladder: the calls of one end, or the wire between them. */
export type Rail = Side | 'wire';

/** All of them, from left to right. */
export const RAILS = ['ours', 'wire', 'peer'] as const satisfies readonly Rail[];

/** What a rung looks like: what it did to the connection. */
export type Tone = 'open' | 'sent' | 'received' | 'end' | 'error' | 'quiet' | 'state';

/** One call, or one fact that is no call, on one rail. */
export interface Rung {
  /** Its row in the log. */
  readonly row: number;
  readonly seq: number;
  readonly side: Rail;
  readonly kind: Kind;
  readonly tone: Tone;
  /** When the call was entered, in µs; equal to `end` for a fact that is no call. */
  readonly start: number;
  /** When it returned. */
  readonly end: number;
  /** Whether it is a call, with a duration. */
  call: boolean;
  /** Bytes it moved. */
  readonly len: number;
  /** Stream offset of the first of them (for an `eof`, how many came before it); NaN where there is none. */
  readonly offset: number;
  /** For a `reset`: whether this end did it, not its peer. For a segment: whether our end sent it. */
  readonly local: boolean;
  /** Which of the rail's lanes it is drawn in: calls that overlap in time lie side by side. */
  lane: number;
  /** For the state of an end: which, how it is known, by whom, and what it waits for in vain. */
  readonly state?: { readonly name: TcpState | undefined; readonly evidence: Evidence; readonly word: Word; readonly waits: Waits | undefined };
  /** For a segment: what is remarkable about it, most remarkable first. */
  readonly marks?: readonly Mark[];
}

/** What keeps an end from going on: an acknowledgement that does not come, or a window that stays closed. */
export type Waits = 'retransmit' | 'zero_window_probe';

/** Lanes of a rail; calls beyond that many at a time share the last. */
export const LANES = 4;

const TONES: Partial<Record<Kind, Tone>> = {
  opening: 'quiet',
  resolved: 'open',
  connecting: 'quiet',
  connected: 'open',
  bound: 'open',
  listening: 'open',
  accepted: 'open',
  sent: 'sent',
  received: 'received',
  eof: 'end',
  shutdown: 'end',
  closing: 'end',
  closed: 'end',
  reset: 'error',
  failed: 'error',
  refused_by_policy: 'error',
  dropped: 'error',
  kernel_state: 'state',
  capture_lost: 'error',
};

// What people do to the list and the log is no call of the socket.
const NO_RUNG: ReadonlySet<string> = new Set(['renamed', 'removed', 'log_trimmed']);

const KNOWN: ReadonlySet<string> = new Set(KINDS);

/**
 * The calls of a socket and of its peers as the log has them, each side in the order the calls returned. It follows
 * the log: `update` reads only rows that came since, and drops those the log gave up.
 */
export class Rungs {
  ours: Rung[] = [];
  peer: Rung[] = [];
  /** Captured segments, at the time they were seen. */
  wire: Rung[] = [];
  /** Rungs that left because a rail was full. */
  left = 0;
  readonly #log: EventLog;
  readonly #socket: SocketId;
  readonly #own: number;
  readonly #peers: ReadonlyMap<number, Peer>;
  readonly #lanes = { ours: new Lanes(), peer: new Lanes() };
  /** Whose words of the state of each end were heard, also where they have left the ladder since. */
  readonly #heard: Record<Side, Heard> = { ours: {}, peer: {} };
  readonly #epoch: string;
  #next = 0;

  constructor(log: EventLog, socket: SocketId, peers: readonly Peer[]) {
    this.#log = log;
    this.#socket = socket;
    this.#own = socketNumber(socket);
    this.#peers = new Map(peers.map((peer) => [socketNumber(peer.socket.id), peer]));
    this.#epoch = log.epoch;
  }

  /** The rungs of one rail. */
  side(side: Rail): readonly Rung[] {
    return this[side];
  }

  /** Whether the log is no longer the one these rungs are of. */
  get stale(): boolean {
    return this.#log.epoch !== this.#epoch;
  }

  /** Takes in what the log has learned since; answers whether anything changed. */
  update(): boolean {
    const log = this.#log;
    let changed = this.#forget(log.base);
    const late = { ours: false, peer: false, wire: false };
    const states = { ours: false, peer: false };
    const start = Math.max(this.#next, log.base);
    const from = this.#newest(start);
    for (let row = start; row < log.end; row += 1) {
      const side = this.#sideOf(row);
      const rung = side === undefined || row < from[side] ? undefined : this.#read(row, side);
      if (rung === undefined) continue;
      const list = this[rung.side];
      const last = list.at(-1);
      if (last !== undefined && sameClose(last, rung)) rung.call = false;
      if (last !== undefined && rung.end < last.end) late[rung.side] = true;
      else if (rung.side !== 'wire') this.#lanes[rung.side].place(rung);
      if (rung.state !== undefined && rung.side !== 'wire') {
        states[rung.side] = true;
        this.#heard[rung.side][rung.state.word] = true;
      }
      list.push(rung);
      changed = true;
    }
    this.#next = log.end;
    for (const side of RAILS) {
      if (late[side]) {
        this[side].sort((a, b) => a.end - b.end || a.seq - b.seq);
        if (side !== 'wire') this.#lanes[side].again(this[side]);
      }
      if (side !== 'wire' && states[side]) this[side] = changesOnly(this[side], taken(this.#heard[side]));
      const over = this[side].length - RUNGS_KEPT;
      // An eighth more is let in before the oldest go: dropping one at a time would copy the list for each.
      if (over > RUNGS_KEPT / 8) {
        this[side] = this[side].slice(over);
        this.left += over;
      }
    }
    return changed;
  }

  /**
   * Where the newest rows of each side begin, as many as are kept, without reading any: after a flood only those
   * become rungs. What a side had before a row that is passed over is older still, and goes.
   */
  #newest(start: number): Record<Rail, number> {
    const from = { ours: start, peer: start, wire: start };
    const count = { ours: 0, peer: 0, wire: 0 };
    if (this.#log.end - start <= RUNGS_KEPT) return from;
    for (let row = this.#log.end - 1; row >= start; row -= 1) {
      const side = this.#sideOf(row);
      if (side === undefined) continue;
      count[side] += 1;
      if (count[side] === RUNGS_KEPT) from[side] = row;
    }
    for (const side of RAILS) {
      if (count[side] <= RUNGS_KEPT) continue;
      this.left += count[side] - RUNGS_KEPT + this[side].length;
      this[side] = [];
    }
    return from;
  }

  #sideOf(row: number): Rail | undefined {
    const number = this.#log.socketAt(row);
    const kind = this.#log.kindAt(row);
    if (KERNEL_KINDS.has(kind)) return this.#kernelRail(row, kind, number);
    if (number === this.#own) return 'ours';
    return this.#peers.has(number) ? 'peer' : undefined;
  }

  /** Which rail a fact of the kernel is on. */
  #kernelRail(row: number, kind: Kind, number: number): Rail | undefined {
    const own = number === this.#own;
    if (kind === 'segment') return own || this.#log.farAt(row) === this.#own ? 'wire' : undefined;
    if (kind === 'capture_lost') return this.wire.length > 0 && (own || number === 0) ? 'wire' : undefined;
    if (kind !== 'kernel_state' || !(own || this.#peers.has(number))) return undefined;
    const event = this.#log.event(row);
    if (event?.type !== 'kernel_state') return undefined;
    return endOf(event, this.#socket) === 'local' ? 'ours' : 'peer';
  }

  #read(row: number, side: Rail): Rung | undefined {
    const event = this.#log.event(row);
    if (event === undefined) return undefined;
    if (event.type === 'segment') return segmentRung(event, row, this.#log.socketAt(row) === this.#own);
    if (event.type === 'kernel_state') return { ...rungOf(event, row, side)!, state: { name: event.state, evidence: event.evidence, word: wordOf(event), waits: waitsFor(event.timer) } };
    const only = side !== 'peer' ? undefined : this.#peers.get(this.#log.socketAt(row))?.only;
    return only !== undefined && !concerns(event, only) ? undefined : rungOf(event, row, side);
  }

  /** Drops rungs whose rows the log gave up. Rows grow along a side but for late facts, so the test is on each. */
  #forget(base: number): boolean {
    let changed = false;
    for (const side of RAILS) {
      if (!this[side].some((rung) => rung.row < base)) continue;
      this[side] = this[side].filter((rung) => rung.row >= base);
      changed = true;
    }
    return changed;
  }
}

/** The rung of an event; undefined for what is no call of its socket. */
export function rungOf(event: LogEvent, row: number, side: Rail): Rung | undefined {
  if (event.type === 'note' && NO_RUNG.has(event.code)) return undefined;
  const kind = KNOWN.has(event.type) ? event.type : 'unknown';
  const bytes = event.type === 'sent' || event.type === 'received';
  const offset = bytes || event.type === 'eof' ? event.offset : undefined;
  return {
    row,
    seq: event.seq,
    side,
    kind,
    tone: TONES[kind] ?? 'quiet',
    start: event.t_us - (event.took_us ?? 0),
    end: event.t_us,
    call: event.took_us !== undefined,
    len: bytes ? event.len : 0,
    offset: offset ?? NaN,
    local: event.type === 'reset' && event.side === 'local',
    lane: 0,
  };
}

/** The timer runs whenever something is under way; that it ran out says that nothing goes on. */
function waitsFor(timer: KernelTimer | undefined): Waits | undefined {
  if (timer?.kind === 'zero_window_probe') return timer.kind;
  return timer?.kind === 'retransmit' && timer.retransmits > 0 ? timer.kind : undefined;
}

/** A captured segment. Only one time is known of it: when it was seen. */
function segmentRung(event: SegmentEvent, row: number, told: boolean): Rung {
  // Told by the socket at the other end, everything is seen from there.
  const ours = (event.sender === 'local') === told;
  const marks = marksOf(event);
  return {
    row,
    seq: event.seq,
    side: 'wire',
    kind: 'segment',
    tone: marks.includes('reset') || marks.includes('icmp') ? 'error' : ours ? 'sent' : 'received',
    start: event.t_us,
    end: event.t_us,
    call: false,
    len: event.len,
    offset: event.offset ?? NaN,
    local: ours,
    lane: 0,
    ...(marks.length === 0 ? {} : { marks }),
  };
}

/**
 * A state is a rung where it changes, by the word that is taken for its end. One that followed from segments is read a
 * little later: said again, it only counts as read.
 */
function changesOnly(rungs: readonly Rung[], word: Word): Rung[] {
  const kept: Rung[] = [];
  let last = -1;
  for (const rung of rungs) {
    const before = kept[last];
    if (rung.state !== undefined) {
      if (rung.state.word !== word) continue;
      if (before?.state !== undefined && before.state.name === rung.state.name && before.state.waits === rung.state.waits) {
        if (rung.state.evidence === 'read' && before.state.evidence !== 'read') kept[last] = { ...before, state: rung.state };
        continue;
      }
      last = kept.length;
    }
    kept.push(rung);
  }
  return kept;
}

/** Whether a `closed` tells of the very close(2) that the reset before it was sent by: one call is not drawn as two. */
function sameClose(reset: Rung, closed: Rung): boolean {
  return closed.kind === 'closed' && reset.kind === 'reset' && reset.local && reset.end === closed.end;
}

/** Whether a fact of an unconnected datagram socket has to do with the end at this address. */
function concerns(event: LogEvent, end: string): boolean {
  if (event.type === 'sent') return event.to !== undefined && sameAddress(event.to, end);
  if (event.type === 'received') return event.from !== undefined && sameAddress(event.from, end);
  return true;
}

/** Gives out lanes in the order calls return. A lane is free for a call entered after the last one in it returned. */
class Lanes {
  #busyUntil: number[] = new Array<number>(LANES).fill(-Infinity);

  place(rung: Rung): void {
    // Reading waits while the rest goes on, so it has a lane of its own that nothing else asks for first.
    const reads = rung.kind === 'received' || rung.kind === 'eof' || rung.kind === 'accepted';
    const wanted = reads ? 1 : 0;
    rung.lane = wanted;
    if (!rung.call) return;
    const order = reads ? [1, 2, 3, 0] : [0, 2, 3, 1];
    const free = order.find((lane) => rung.start >= this.#busyUntil[lane]!);
    rung.lane = free ?? LANES - 1;
    this.#busyUntil[rung.lane] = rung.end;
  }

  again(rungs: readonly Rung[]): void {
    this.#busyUntil.fill(-Infinity);
    for (const rung of rungs) this.place(rung);
  }
}
