import type { Event, Gap, GapReason, Seq } from '../../wire/generated';
import { Arena } from './arena';
import { type Batch, columns, type Columns, type Extra, FLAG, KERNEL_KINDS, KIND, KINDS, type Kind, socketId, socketNumber } from './columns';
import { segmentFields, SegmentList } from './segments';
import { isoOf } from '../time';

/** Rows the page keeps, at 62 bytes each; beyond it the oldest go and only the server has them. */
export const INDEX_ROWS = 1_000_000;

/** Facts kept as objects (all but `sent` and `received`, which are columns, and those of the kernel); beyond it the oldest rows go. */
export const FACT_ROWS = 100_000;

/** Facts of the kernel shelf kept as objects (all but segments, which are columns): so many beside the others. */
export const KERNEL_ROWS = 100_000;

/** Addresses of datagrams kept before those no row names any more are looked for and forgotten. */
export const ADDRESSES = 65_536;

const BLOCK_ROWS = 8192;

/** An event as the page holds it: the wire's event with its bytes as bytes. */
export type LogEvent = Event & {
  /** The payload, or its first bytes where `payload_preview`. A view: copy before keeping. */
  readonly bytes?: Uint8Array;
  /** The server has bytes of this event and the page no longer does. */
  readonly away?: true;
};

const ON_KERNEL_SHELF: readonly boolean[] = KINDS.map((kind) => KERNEL_KINDS.has(kind));

interface Block {
  readonly columns: Columns;
  /** Which piece of the arena each row's bytes are in. */
  readonly piece: Uint32Array;
  readonly extras: Map<number, Extra>;
  readonly segments: SegmentList;
  /** How many of the extras are facts of the kernel shelf. */
  kernel: number;
  /** How many of the rows are. */
  kernelRows: number;
}

/**
 * The retained log, oldest first: a ring of column blocks. Rows are events and gaps in the order of their seq, and
 * are numbered: `base` is the number of the oldest row held, and a row keeps its number as long as it is here.
 * Nothing in it is reactive; whoever draws it watches a version counter.
 */
export class EventLog {
  /** Which log this is; a seq means something only with it. */
  epoch = '';
  /** The last event there is, as far as the page knows. */
  head: Seq = 0;
  /** The oldest event the server keeps. */
  serverFirst: Seq = 1;
  /** Wall-clock µs at `t_us` 0. */
  anchor = 0;
  /** Whether it has, or had, anything of the kernel shelf. */
  kernel = false;
  #blocks: Block[] = [];
  #base = 0;
  #end = 0;
  #blockStart = 0;
  #facts = 0;
  #kernel = 0;
  #lost: GapReason = 'evicted';
  #arena: Arena;
  #strings: string[] = [];
  #stringIds = new Map<string, number>();
  #stringsAllowed = ADDRESSES;
  readonly #limits: { rows: number; facts: number; kernel: number };

  constructor(limits: { rows: number; facts: number; kernel?: number } = { rows: INDEX_ROWS, facts: FACT_ROWS }, arena = new Arena()) {
    this.#limits = { kernel: KERNEL_ROWS, ...limits };
    this.#arena = arena;
  }

  /** How many rows are held: events and gaps. */
  get length(): number {
    return this.#end - this.#base;
  }

  /** The number of the oldest row held. */
  get base(): number {
    return this.#base;
  }

  /** One past the number of the newest row. */
  get end(): number {
    return this.#end;
  }

  /** The seq of the oldest row held; `head + 1` when there is none. */
  get first(): Seq {
    return this.length === 0 ? this.head + 1 : this.seqAt(this.#base);
  }

  /** Events the server keeps and the page does not: they are older than every row here. */
  get older(): number {
    return this.length === 0 ? 0 : Math.max(0, this.first - this.serverFirst);
  }

  /** How many rows from `from` up to but not including `to` are of the kernel shelf. */
  kernelIn(from: number, to: number): number {
    if (!this.kernel) return 0;
    let count = 0;
    for (let row = Math.max(from, this.#base); row < to; ) {
      const block = this.#blockOf(row);
      const slot = this.#slot(row);
      const rows = Math.min(to - row, BLOCK_ROWS - slot);
      if (rows === BLOCK_ROWS || (slot === 0 && row + rows === this.#end)) count += block.kernelRows;
      else for (let i = slot; i < slot + rows; i += 1) if (ON_KERNEL_SHELF[block.columns.kind[i]!] === true) count += 1;
      row += rows;
    }
    return count;
  }

  /** What the server gave up at the log's beginning; undefined while it has everything. */
  get lost(): Gap | undefined {
    return this.serverFirst > 1 ? { from: 1, to: this.serverFirst - 1, reason: this.#lost } : undefined;
  }

  /** Payload bytes held. */
  get payloadBytes(): number {
    return this.#arena.bytes;
  }

  /** The stretches that are gone, oldest first, as far as rows of them are held. */
  get gaps(): readonly Gap[] {
    const found: Gap[] = [];
    for (const block of this.#blocks) {
      for (const [row, extra] of block.extras) {
        if ('gap' in extra && this.#rowIn(block, row) >= this.#base) found.push(extra.gap);
      }
    }
    return found;
  }

  /** The event of the i-th row held, counted from the oldest; undefined for a gap. */
  at(i: number): LogEvent | undefined {
    return this.event(this.#base + i);
  }

  /** The event with this seq, if it is held. */
  get(seq: Seq): LogEvent | undefined {
    const row = this.rowOf(seq);
    return row < 0 ? undefined : this.event(row);
  }

  /** The events of one socket, oldest first. */
  *ofSocket(id: string): IterableIterator<LogEvent> {
    const wanted = socketNumber(id);
    for (let row = this.#base; row < this.#end; row += 1) {
      const block = this.#blockOf(row);
      if (block.columns.socket[this.#slot(row)] !== wanted) continue;
      const event = this.event(row);
      if (event !== undefined) yield event;
    }
  }

  /** The number of the row of an event; -1 when it is not held. */
  rowOf(seq: Seq): number {
    const row = this.rowAtOrAfter(seq);
    return row < this.#end && this.seqAt(row) === seq && this.kindAt(row) !== 'gap' ? row : -1;
  }

  /** The number of the first row whose seq is at least this; `end` when there is none. */
  rowAtOrAfter(seq: Seq): number {
    let low = this.#base;
    let high = this.#end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.seqAt(middle) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The seq of a row by its number; for a gap, the first missing one. */
  seqAt(row: number): Seq {
    return this.#blockOf(row).columns.seq[this.#slot(row)]!;
  }

  /** The time of a row in µs. */
  timeAt(row: number): number {
    return this.#blockOf(row).columns.t[this.#slot(row)]!;
  }

  /** The kind of a row by its number. */
  kindAt(row: number): Kind {
    return KINDS[this.#blockOf(row).columns.kind[this.#slot(row)]!]!;
  }

  /** The number of the socket of a row; 0 for the workspace. */
  socketAt(row: number): number {
    return this.#blockOf(row).columns.socket[this.#slot(row)]!;
  }

  /** A datagram's peer of a row, if it has one. */
  addressAt(row: number): string | undefined {
    return this.#strings[this.#blockOf(row).columns.address[this.#slot(row)]! - 1];
  }

  /** The number of the socket at the other end of a captured segment; 0 where it is none of ours. */
  farAt(row: number): number {
    const block = this.#blockOf(row);
    const slot = this.#slot(row);
    if (flagsOf(block.columns, slot) & FLAG.segment) return block.segments.columns.far[block.columns.start[slot]!]!;
    const extra = block.extras.get(slot);
    return extra !== undefined && 'event' in extra && extra.event.type === 'segment' ? socketNumber(extra.event.far) : 0;
  }

  /** The gap a row stands for, if it does. */
  gap(row: number): Gap | undefined {
    if (row < this.#base || row >= this.#end) return undefined;
    const extra = this.#blockOf(row).extras.get(this.#slot(row));
    return extra !== undefined && 'gap' in extra ? extra.gap : undefined;
  }

  /** The bytes of a row, where the page has any. */
  bytes(row: number): Uint8Array | undefined {
    const block = this.#blockOf(row);
    const slot = this.#slot(row);
    if ((block.columns.flags[slot]! & FLAG.bytes) === 0) return undefined;
    return this.#arena.view(block.piece[slot]!, block.columns.start[slot]!, block.columns.size[slot]!);
  }

  /** Whether the server has bytes of this row that the page gave up. */
  away(row: number): boolean {
    const block = this.#blockOf(row);
    const slot = this.#slot(row);
    return (block.columns.flags[slot]! & FLAG.bytes) !== 0 && !this.#arena.holds(block.piece[slot]!);
  }

  /** The event of a row by its number, built anew; undefined for a gap or a row that is not held. */
  event(row: number): LogEvent | undefined {
    if (row < this.#base || row >= this.#end) return undefined;
    const block = this.#blockOf(row);
    const slot = this.#slot(row);
    const { columns: c } = block;
    const extra = block.extras.get(slot);
    if (extra !== undefined) {
      if ('event' in extra) return extra.event;
      if ('gap' in extra) return undefined;
    }
    if (flagsOf(c, slot) & FLAG.segment) return this.#segment(block, slot);
    const t = c.t[slot]!;
    const took = c.took[slot]!;
    const offset = c.offset[slot]!;
    const flags = c.flags[slot]!;
    const received = c.kind[slot] === KIND.received;
    const address = this.#strings[c.address[slot]! - 1];
    const bytes = this.bytes(row);
    const common = {
      seq: c.seq[slot]!,
      t_us: t,
      at: isoOf(this.anchor + t),
      ...(Number.isNaN(took) ? {} : { took_us: took }),
      socket: socketId(c.socket[slot]!),
      ...extra,
      len: c.len[slot]!,
      ...(Number.isNaN(offset) ? {} : { offset }),
      ...(flags & FLAG.preview ? { payload_preview: true } : {}),
      ...(flags & FLAG.evicted ? { payload_evicted: true } : {}),
      ...(flags & FLAG.unrecorded ? { payload_unrecorded: true } : {}),
      ...(bytes === undefined ? {} : { bytes }),
      ...(flags & FLAG.bytes && bytes === undefined ? { away: true as const } : {}),
    };
    return received
      ? { ...common, type: 'received', ...(address === undefined ? {} : { from: address }), ...(flags & FLAG.truncated ? { truncated: true } : {}) }
      : { ...common, type: 'sent', ...(address === undefined ? {} : { to: address }) };
  }

  #segment(block: Block, slot: number): LogEvent {
    const { columns: c } = block;
    const t = c.t[slot]!;
    const offset = c.offset[slot]!;
    return {
      seq: c.seq[slot]!,
      t_us: t,
      at: isoOf(this.anchor + t),
      ...(c.socket[slot] === 0 ? {} : { socket: socketId(c.socket[slot]!) }),
      type: 'segment',
      interface: this.#strings[c.address[slot]! - 1] ?? '',
      len: c.len[slot]!,
      ...(Number.isNaN(offset) ? {} : { offset }),
      ...segmentFields(block.segments.columns, c.start[slot]!),
    };
  }

  /**
   * Takes a batch in. Rows at or below the newest seq held are passed over, so a page that comes twice does no harm.
   * Answers how many rows were added.
   */
  append(batch: Batch): number {
    this.epoch = batch.epoch;
    this.head = Math.max(this.head, batch.head);
    if (!Number.isNaN(batch.anchor)) this.anchor = batch.anchor;
    const from = this.#skip(batch);
    if (from < batch.count) {
      this.#copy(batch, from);
      this.#evict();
    }
    if (batch.first > this.serverFirst) this.#lost = lossOf(batch);
    this.#drop(batch.first);
    return batch.count - from;
  }

  /** Forgets everything: another log begins. */
  reset(epoch: string): void {
    this.epoch = epoch;
    this.head = 0;
    this.serverFirst = 1;
    this.kernel = false;
    this.#blocks = [];
    this.#base = 0;
    this.#end = 0;
    this.#blockStart = 0;
    this.#facts = 0;
    this.#kernel = 0;
    this.#arena = new Arena();
    this.#strings = [];
    this.#stringIds.clear();
  }

  #skip(batch: Batch): number {
    if (this.length === 0) return 0;
    const newest = this.seqAt(this.#end - 1);
    const { seq } = batch.columns;
    let from = 0;
    while (from < batch.count && seq[from]! <= newest) from += 1;
    return from;
  }

  #copy(batch: Batch, from: number): void {
    const place = batch.raw.length > 0 ? this.#arena.put(batch.raw) : { piece: 0, start: 0 };
    const ids = batch.strings.map((text) => this.#intern(text));
    let extra = batch.extras.findIndex(([row]) => row >= from);
    if (extra < 0) extra = batch.extras.length;
    for (let row = from; row < batch.count; ) {
      const block = this.#room();
      const slot = this.#slot(this.#end);
      const rows = Math.min(batch.count - row, BLOCK_ROWS - slot);
      for (const name of Object.keys(block.columns) as (keyof Columns)[]) {
        block.columns[name].set(batch.columns[name].subarray(row, row + rows), slot);
      }
      this.kernel ||= batch.kernel;
      const moved = copySegments(block, batch, row, row + rows);
      for (let i = slot; i < slot + rows; i += 1) {
        if (ON_KERNEL_SHELF[block.columns.kind[i]!] === true) block.kernelRows += 1;
        if (flagsOf(block.columns, i) & FLAG.segment) block.columns.start[i]! += moved;
        else {
          block.columns.start[i]! += place.start;
          block.piece[i] = place.piece;
        }
        const address = block.columns.address[i]!;
        if (address !== 0) block.columns.address[i] = ids[address - 1]!;
      }
      for (; extra < batch.extras.length && batch.extras[extra]![0] < row + rows; extra += 1) {
        const [at, what] = batch.extras[extra]!;
        block.extras.set(slot + at - row, what);
        if (KERNEL_KINDS.has(KINDS[block.columns.kind[slot + at - row]!]!)) {
          block.kernel += 1;
          this.#kernel += 1;
        } else this.#facts += 1;
      }
      row += rows;
      this.#end += rows;
    }
  }

  #intern(text: string): number {
    let id = this.#stringIds.get(text);
    if (id === undefined) {
      id = this.#strings.push(text);
      this.#stringIds.set(text, id);
    }
    return id;
  }

  /** Keeps the addresses that rows still name; they are never more than there are rows. */
  #forgetAddresses(): void {
    const old = this.#strings;
    this.#strings = [];
    this.#stringIds.clear();
    for (const { columns: c } of this.#blocks) {
      for (let slot = 0; slot < BLOCK_ROWS; slot += 1) {
        const address = c.address[slot]!;
        if (address !== 0) c.address[slot] = this.#intern(old[address - 1]!);
      }
    }
    this.#stringsAllowed = Math.max(ADDRESSES, this.#strings.length * 2);
  }

  #room(): Block {
    if (this.#slot(this.#end) === 0 && this.#end === this.#blockStart + this.#blocks.length * BLOCK_ROWS) {
      this.#blocks.push({ columns: columns(BLOCK_ROWS), piece: new Uint32Array(BLOCK_ROWS), extras: new Map(), segments: new SegmentList(), kernel: 0, kernelRows: 0 });
    }
    return this.#blocks.at(-1)!;
  }

  /** Gives up whole blocks, oldest first, while a capacity is exceeded. */
  #evict(): void {
    while ((this.length > this.#limits.rows || this.#facts > this.#limits.facts || this.#kernel > this.#limits.kernel) && this.#blocks.length > 1) this.#shift();
    if (this.#strings.length > this.#stringsAllowed) this.#forgetAddresses();
  }

  /** Gives up rows the server no longer has, so that every viewer of a workspace sees the same log. */
  #drop(first: Seq): void {
    if (first <= this.serverFirst) return;
    this.serverFirst = first;
    this.#base = this.rowAtOrAfter(first);
    while (this.#blocks.length > 1 && this.#blockStart + BLOCK_ROWS <= this.#base) this.#shift();
  }

  #shift(): void {
    const block = this.#blocks.shift()!;
    this.#facts -= block.extras.size - block.kernel;
    this.#kernel -= block.kernel;
    this.#blockStart += BLOCK_ROWS;
    this.#base = Math.max(this.#base, this.#blockStart);
  }

  #slot(row: number): number {
    return (row - this.#blockStart) % BLOCK_ROWS;
  }

  #blockOf(row: number): Block {
    return this.#blocks[Math.floor((row - this.#blockStart) / BLOCK_ROWS)]!;
  }

  #rowIn(block: Block, slot: number): number {
    return this.#blockStart + this.#blocks.indexOf(block) * BLOCK_ROWS + slot;
  }
}

/** Copies the segments among the rows of a batch; answers by how much their places have moved. */
function copySegments(block: Block, batch: Batch, from: number, to: number): number {
  const isSegment = (row: number): boolean => (flagsOf(batch.columns, row) & FLAG.segment) !== 0;
  let first = from;
  while (first < to && !isSegment(first)) first += 1;
  if (first === to) return 0;
  let last = to - 1;
  while (!isSegment(last)) last -= 1;
  const at = batch.columns.start[first]!;
  return block.segments.append(batch.segments, at, batch.columns.start[last]! - at + 1) - at;
}

function flagsOf(c: Columns, slot: number): number {
  return c.flags[slot]!;
}

/** Why the log begins later than it did: somebody cleared it and the batch says so, or it was full. */
function lossOf(batch: Batch): GapReason {
  for (const [, extra] of batch.extras) {
    if ('gap' in extra && extra.gap.to === batch.first - 1) return extra.gap.reason;
    if ('event' in extra && extra.event.type === 'note' && extra.event.code === 'log_trimmed') return 'trimmed';
  }
  return 'evicted';
}
