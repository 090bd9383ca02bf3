import type { Direction, Event, SegmentMark, SegmentProtocol, TcpFlag } from '../../wire/generated';
import { socketId, socketNumber } from './columns';

/** Flags of a TCP segment, by the bit each has in a column: as in the header. */
export const TCP_FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr'] as const satisfies readonly TcpFlag[];

/** What can be remarkable about a segment, by the bit each has in a column. */
export const MARKS = [
  'retransmission',
  'out_of_order',
  'duplicate_ack',
  'zero_window',
  'window_update',
  'zero_window_probe',
  'keepalive',
  'keepalive_ack',
] as const satisfies readonly SegmentMark[];

const PROTOCOLS = ['tcp', 'udp', 'icmp'] as const satisfies readonly SegmentProtocol[];

/** A `segment` event. */
export type SegmentEvent = Extract<Event, { type: 'segment' }>;

// The word of a segment, from the lowest bit: who sent it, its protocol, which fields it has, its flags, its marks.
const FROM_PEER = 1;
const PROTOCOL = 1;
const HAS = { flags: 1 << 3, seq: 1 << 4, ack: 1 << 5, window: 1 << 6, marks: 1 << 7 } as const;
const FLAGS = 8;
const MARKED = 16;

/**
 * Captured segments as columns beside a log's own: ten thousand a second must not become as many objects. A row's
 * `start` says which of them is its own; its length, offset and interface are where those of other rows are.
 */
export interface Segments {
  readonly word: Uint32Array;
  readonly seq: Uint32Array;
  readonly ack: Uint32Array;
  /** NaN where the beginning was not seen. */
  readonly seqRelative: Float64Array;
  readonly ackRelative: Float64Array;
  readonly window: Uint32Array;
  readonly frame: Uint32Array;
  /** The number of the socket at the other end; 0 for none of ours. */
  readonly far: Uint32Array;
  /** 0 where it was not said. */
  readonly pieces: Uint16Array;
  readonly mss: Uint16Array;
}

/** Columns for so many segments: 44 bytes each. */
export function segmentColumns(count: number): Segments {
  return {
    word: new Uint32Array(count),
    seq: new Uint32Array(count),
    ack: new Uint32Array(count),
    seqRelative: new Float64Array(count),
    ackRelative: new Float64Array(count),
    window: new Uint32Array(count),
    frame: new Uint32Array(count),
    far: new Uint32Array(count),
    pieces: new Uint16Array(count),
    mss: new Uint16Array(count),
  };
}

/** A growing list of segments. */
export class SegmentList {
  columns = segmentColumns(0);
  count = 0;

  /** Adds one; answers its place. */
  push(event: SegmentEvent): number {
    this.#reserve(1);
    const at = this.count;
    const c = this.columns;
    c.word[at] = wordOf(event);
    c.seq[at] = event.seq_number ?? 0;
    c.ack[at] = event.ack_number ?? 0;
    c.seqRelative[at] = event.seq_relative ?? Number.NaN;
    c.ackRelative[at] = event.ack_relative ?? Number.NaN;
    c.window[at] = event.window ?? 0;
    c.frame[at] = event.frame_len;
    c.far[at] = socketNumber(event.far);
    c.pieces[at] = event.pieces ?? 0;
    c.mss[at] = event.mss ?? 0;
    this.count += 1;
    return at;
  }

  /** Adds what another list holds from a place on; answers where the first of them is now. */
  append(other: Segments, from: number, count: number): number {
    this.#reserve(count);
    const at = this.count;
    for (const name of names(this.columns)) this.columns[name].set(other[name].subarray(from, from + count), at);
    this.count += count;
    return at;
  }

  /** The columns without room to spare, to be handed over. */
  trimmed(): Segments {
    const exact = segmentColumns(this.count);
    for (const name of names(exact)) exact[name].set(this.columns[name].subarray(0, this.count));
    return exact;
  }

  #reserve(more: number): void {
    const room = this.columns.word.length;
    if (this.count + more <= room) return;
    const wider = segmentColumns(Math.max(this.count + more, room * 2, 64));
    for (const name of names(wider)) wider[name].set(this.columns[name].subarray(0, this.count));
    this.columns = wider;
  }
}

function names(columns: Segments): (keyof Segments)[] {
  return Object.keys(columns) as (keyof Segments)[];
}

/** Whether a segment can be held in columns; one that reports an error (ICMP) or holds what this page does not know is kept whole. */
export function fitsColumns(event: SegmentEvent): boolean {
  return (
    event.icmp === undefined &&
    event.cause === undefined &&
    PROTOCOLS.includes(event.protocol) &&
    (event.flags ?? []).every((flag) => TCP_FLAGS.includes(flag)) &&
    (event.marks ?? []).every((mark) => MARKS.includes(mark)) &&
    (event.pieces ?? 0) <= 0xffff &&
    (event.mss ?? 0) <= 0xffff
  );
}

/** The fields of a segment that are in its columns. */
export function segmentFields(c: Segments, at: number) {
  const word = c.word[at]!;
  const seqRelative = c.seqRelative[at]!;
  const ackRelative = c.ackRelative[at]!;
  return {
    sender: ((word & FROM_PEER) === 0 ? 'local' : 'peer') as Direction,
    protocol: PROTOCOLS[(word >>> PROTOCOL) & 3]!,
    ...(c.far[at] === 0 ? {} : { far: socketId(c.far[at]!) }),
    ...(word & HAS.flags ? { flags: among(TCP_FLAGS, word >>> FLAGS) } : {}),
    ...(word & HAS.seq ? { seq_number: c.seq[at]! } : {}),
    ...(word & HAS.ack ? { ack_number: c.ack[at]! } : {}),
    ...(Number.isNaN(seqRelative) ? {} : { seq_relative: seqRelative }),
    ...(Number.isNaN(ackRelative) ? {} : { ack_relative: ackRelative }),
    ...(word & HAS.window ? { window: c.window[at]! } : {}),
    ...(c.pieces[at] === 0 ? {} : { pieces: c.pieces[at]! }),
    ...(c.mss[at] === 0 ? {} : { mss: c.mss[at]! }),
    ...(word & HAS.marks ? { marks: among(MARKS, word >>> MARKED) } : {}),
    frame_len: c.frame[at]!,
  };
}

function wordOf(event: SegmentEvent): number {
  let word = (event.sender === 'local' ? 0 : FROM_PEER) | (PROTOCOLS.indexOf(event.protocol) << PROTOCOL);
  if (event.flags !== undefined) word |= HAS.flags;
  if (event.seq_number !== undefined) word |= HAS.seq;
  if (event.ack_number !== undefined) word |= HAS.ack;
  if (event.window !== undefined) word |= HAS.window;
  if (event.marks !== undefined) word |= HAS.marks;
  for (const flag of event.flags ?? []) word |= 1 << (FLAGS + TCP_FLAGS.indexOf(flag));
  for (const mark of event.marks ?? []) word |= 1 << (MARKED + MARKS.indexOf(mark));
  return word >>> 0;
}

function among<T>(all: readonly T[], bits: number): T[] {
  return all.filter((_, bit) => (bits >>> bit) & 1);
}
