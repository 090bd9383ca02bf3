import type { Event, Gap } from '../../wire/generated';
import type { Segments } from './segments';

/** Every kind of row, by the number it has in a column. Numbers live only in memory; a new kind goes before `unknown`. */
export const KINDS = [
  'gap',
  'sent',
  'received',
  'opening',
  'resolved',
  'connecting',
  'connected',
  'bound',
  'listening',
  'accepted',
  'eof',
  'shutdown',
  'reset',
  'closing',
  'closed',
  'refused_by_policy',
  'failed',
  'option_set',
  'dropped',
  'paused',
  'resumed',
  'note',
  'kernel_state',
  'tcp_info',
  'accept_queue',
  'segment',
  'capture_lost',
  'relayed',
  'unknown',
] as const;

/** The name of a kind of row. */
export type Kind = (typeof KINDS)[number];

/** The number of each kind. */
export const KIND = Object.fromEntries(KINDS.map((kind, number) => [kind, number])) as Record<Kind, number>;

/** Kinds of the log's kernel shelf: what the kernel saw, beside what programs asked of it. */
export const KERNEL_KINDS: ReadonlySet<Kind> = new Set<Kind>(['kernel_state', 'tcp_info', 'accept_queue', 'segment', 'capture_lost']);

/** What is true of a `sent` or `received` row, as bits. */
export const FLAG = {
  preview: 1,
  evicted: 2,
  unrecorded: 4,
  truncated: 8,
  /** Bytes came with the row; whether the page still has them is the arena's affair. */
  bytes: 16,
  /** The row has an entry among the extras: the whole fact, or who caused a send. */
  extra: 32,
  /** The row is a segment in columns; `start` says where. */
  segment: 64,
} as const;

/** What does not fit a column: a fact that carries no bytes, a gap, or who caused a call. */
export type Extra = { event: Event } | { gap: Gap } | { cause?: string; by?: string };

/** Rows as columns: a flood of events must not become a flood of objects. */
export interface Columns {
  readonly seq: Float64Array;
  readonly t: Float64Array;
  /** NaN where the fact is no call. */
  readonly took: Float64Array;
  /** NaN for datagrams. */
  readonly offset: Float64Array;
  /** The number in `s12`; 0 for facts of the workspace. */
  readonly socket: Uint32Array;
  readonly len: Uint32Array;
  /** How many bytes came with the row. */
  readonly size: Uint32Array;
  /** Where they begin; for a segment in columns, its place there. */
  readonly start: Uint32Array;
  /** 1 + the index of a datagram's address, or a segment's interface, among the strings; 0 for none. */
  readonly address: Uint32Array;
  readonly kind: Uint8Array;
  readonly flags: Uint8Array;
}

/** Columns for `rows` rows. */
export function columns(rows: number): Columns {
  return {
    seq: new Float64Array(rows),
    t: new Float64Array(rows),
    took: new Float64Array(rows),
    offset: new Float64Array(rows),
    socket: new Uint32Array(rows),
    len: new Uint32Array(rows),
    size: new Uint32Array(rows),
    start: new Uint32Array(rows),
    address: new Uint32Array(rows),
    kind: new Uint8Array(rows),
    flags: new Uint8Array(rows),
  };
}

/** One page of the log, decoded: what the worker hands over and the log takes in. */
export interface Batch {
  readonly epoch: string;
  /** The oldest event the server keeps. */
  readonly first: number;
  readonly head: number;
  /** Where to continue. */
  readonly next: number;
  readonly count: number;
  /** Wall-clock µs at `t_us` 0; NaN when the batch holds no event. */
  readonly anchor: number;
  readonly columns: Columns;
  readonly strings: readonly string[];
  /** `[row in this batch, what belongs to it]`, in order. */
  readonly extras: readonly (readonly [number, Extra])[];
  /** Whether any row is of the kernel shelf. */
  readonly kernel: boolean;
  /** The rows that are captured segments, in order. */
  readonly segments: Segments;
  /** The payloads; `start` counts from its beginning. */
  readonly raw: Uint8Array;
}

/** `12` for `s12`. */
export function socketNumber(id: string | undefined): number {
  return id === undefined ? 0 : Number(id.slice(1));
}

/** `s12` for 12. */
export function socketId(number: number): string {
  return `s${String(number)}`;
}
