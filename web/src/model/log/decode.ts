import type { Event, Gap, Page } from '../../wire/generated';
import { decodeBase64 } from '../bytes/base64';
import { type Batch, columns, type Columns, type Extra, FLAG, KERNEL_KINDS, KIND, type Kind, socketNumber } from './columns';
import { fitsColumns, type SegmentEvent, SegmentList } from './segments';
import { wallOf } from '../time';

const text = new TextDecoder();

/** Splits a binary batch: `u32 big-endian length of JSON | JSON page in UTF-8 | raw payload bytes`. */
export function splitFrame(frame: ArrayBuffer): { page: Page; raw: Uint8Array } {
  const length = new DataView(frame).getUint32(0);
  if (4 + length > frame.byteLength) throw new RangeError('the batch is shorter than it says');
  const page = JSON.parse(text.decode(new Uint8Array(frame, 4, length))) as Page;
  return { page, raw: new Uint8Array(frame, 4 + length) };
}

/** Turns one page of JSON into a batch; payloads are taken from `raw` by their range, or from base64. */
export function decodePage(page: Page, raw?: Uint8Array): Batch {
  const builder = new BatchBuilder();
  builder.add(page, raw);
  return builder.finish();
}

/** Everything a batch can be handed over with instead of being copied. */
export function transferables(batch: Batch): ArrayBuffer[] {
  const buffers = (batch.segments.word.length > 0 ? [batch.columns, batch.segments] : [batch.columns]).flatMap((columns) => Object.values(columns as unknown as Record<string, { buffer: ArrayBuffer }>).map((column) => column.buffer));
  if (batch.raw.length > 0) buffers.push(batch.raw.buffer as ArrayBuffer);
  return buffers;
}

/** Gathers pages, as they come, into one batch of columns. */
export class BatchBuilder {
  #columns: Columns = columns(64);
  #capacity = 64;
  #row = 0;
  #extras: [number, Extra][] = [];
  #strings: string[] = [];
  #ids = new Map<string, number>();
  #parts: Uint8Array[] = [];
  #kernel = false;
  #segments = new SegmentList();
  #rawBytes = 0;
  #anchor = Number.NaN;
  #last: Page | undefined;

  /** Whether there is nothing to hand over: neither rows nor news about the log's ends. */
  get empty(): boolean {
    return this.#last === undefined;
  }

  /** Adds the rows of a page, gaps in their places. */
  add(page: Page, raw: Uint8Array = new Uint8Array(0)): void {
    this.#last = page;
    this.#reserve(page.events.length + page.gaps.length);
    const start = this.#rawBytes;
    this.#part(raw);
    // A cursor of another log is no hole in this one: the page says that the server was restarted.
    const gaps = page.gaps.filter((gap) => gap.reason === 'evicted' || gap.reason === 'trimmed').sort((a, b) => a.from - b.from);
    let gap = 0;
    for (const event of page.events) {
      for (; gap < gaps.length && gaps[gap]!.from < event.seq; gap += 1) this.#gap(gaps[gap]!);
      this.#event(event, start);
    }
    for (; gap < gaps.length; gap += 1) this.#gap(gaps[gap]!);
  }

  /** The batch of everything added; the builder is empty again. */
  finish(): Batch {
    const page = this.#last;
    if (page === undefined) throw new Error('a batch is made of at least one page');
    const rows = this.#row;
    const trimmed = columns(rows);
    for (const name of Object.keys(trimmed) as (keyof Columns)[]) trimmed[name].set(this.#columns[name].subarray(0, rows));
    const raw = new Uint8Array(this.#rawBytes);
    let at = 0;
    for (const part of this.#parts) {
      raw.set(part, at);
      at += part.length;
    }
    const batch: Batch = {
      epoch: page.epoch,
      first: page.first,
      head: page.head,
      next: page.next,
      count: rows,
      anchor: this.#anchor,
      columns: trimmed,
      strings: this.#strings,
      extras: this.#extras,
      kernel: this.#kernel,
      segments: this.#segments.trimmed(),
      raw,
    };
    this.#row = 0;
    this.#extras = [];
    this.#strings = [];
    this.#ids = new Map();
    this.#parts = [];
    this.#kernel = false;
    this.#segments = new SegmentList();
    this.#rawBytes = 0;
    this.#anchor = Number.NaN;
    this.#last = undefined;
    return batch;
  }

  #reserve(rows: number): void {
    if (this.#row + rows <= this.#capacity) return;
    this.#capacity = Math.max(this.#capacity * 2, this.#row + rows);
    const wider = columns(this.#capacity);
    for (const name of Object.keys(wider) as (keyof Columns)[]) wider[name].set(this.#columns[name].subarray(0, this.#row));
    this.#columns = wider;
  }

  #gap(gap: Gap): void {
    this.#columns.seq[this.#row] = gap.from;
    this.#columns.kind[this.#row] = KIND.gap;
    this.#columns.socket[this.#row] = 0;
    this.#columns.flags[this.#row] = 0;
    this.#extra({ gap });
    this.#row += 1;
  }

  #event(event: Event, rawStart: number): void {
    if (Number.isNaN(this.#anchor)) this.#anchor = wallOf(event.at) - event.t_us;
    const c = this.#columns;
    const row = this.#row;
    c.seq[row] = event.seq;
    c.t[row] = event.t_us;
    c.took[row] = event.took_us ?? Number.NaN;
    c.offset[row] = Number.NaN;
    c.socket[row] = socketNumber(event.socket);
    c.address[row] = 0;
    c.flags[row] = 0;
    // A kind this page does not know is shown with its fields instead of being hidden.
    c.kind[row] = KIND[event.type as Kind] ?? KIND.unknown;
    this.#kernel ||= KERNEL_KINDS.has(event.type as Kind);
    if (event.type === 'sent' || event.type === 'received') this.#bytes(event, rawStart);
    else if (event.type === 'segment' && fitsColumns(event)) this.#segment(event);
    else this.#extra({ event });
    this.#row += 1;
  }

  #bytes(event: Extract<Event, { type: 'sent' | 'received' }>, rawStart: number): void {
    const c = this.#columns;
    const row = this.#row;
    c.len[row] = event.len;
    if (event.offset !== undefined) c.offset[row] = event.offset;
    let flags = 0;
    if (event.payload_preview) flags |= FLAG.preview;
    if (event.payload_evicted) flags |= FLAG.evicted;
    if (event.payload_unrecorded) flags |= FLAG.unrecorded;
    const address = event.type === 'sent' ? event.to : event.from;
    if (event.type === 'received' && event.truncated) flags |= FLAG.truncated;
    if (address !== undefined) c.address[row] = this.#intern(address);
    if (event.payload_range !== undefined) {
      c.start[row] = rawStart + event.payload_range[0];
      c.size[row] = event.payload_range[1];
      flags |= FLAG.bytes;
    } else if (event.payload !== undefined) {
      const parsed = decodeBase64(event.payload);
      const bytes = parsed.ok ? parsed.bytes : new Uint8Array(0);
      c.start[row] = this.#rawBytes;
      c.size[row] = bytes.length;
      this.#part(bytes);
      flags |= FLAG.bytes;
    }
    c.flags[row] = flags;
    if (event.cause !== undefined || event.by !== undefined) {
      const { cause, by } = event;
      this.#extra({ ...(cause === undefined ? {} : { cause }), ...(by === undefined ? {} : { by }) });
    }
  }

  #segment(event: SegmentEvent): void {
    const c = this.#columns;
    const row = this.#row;
    c.len[row] = event.len;
    if (event.offset !== undefined) c.offset[row] = event.offset;
    c.address[row] = this.#intern(event.interface);
    c.start[row] = this.#segments.push(event);
    c.flags[row] = FLAG.segment;
  }

  #part(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#parts.push(bytes);
    this.#rawBytes += bytes.length;
  }

  #extra(extra: Extra): void {
    this.#extras.push([this.#row, extra]);
    this.#columns.flags[this.#row]! |= FLAG.extra;
  }

  #intern(address: string): number {
    let id = this.#ids.get(address);
    if (id === undefined) {
      id = this.#strings.push(address);
      this.#ids.set(address, id);
    }
    return id;
  }
}
