import { KERNEL_KINDS, type Kind } from './columns';
import type { EventLog } from './log';
import { factMatches, type Matcher } from './matcher';

/** Rows whose bytes are looked through at one go; more wait for the next frame. */
export const SEARCH_ROWS = 20_000;

/** Which rows a view shows. Gaps are shown whatever the filter: what is missing might have passed it. */
export interface Filter {
  /** Only the sockets with these numbers; null for all. May grow while the filter is in use. */
  readonly sockets: ReadonlySet<number> | null;
  /** Only bytes that went this way; both with everything else. */
  readonly direction: 'all' | 'sent' | 'received';
  /** Only these kinds; null for all. */
  readonly kinds: ReadonlySet<Kind> | null;
  /** Whether rows of the kernel shelf are shown where no kinds are chosen: segments would drown what was said. */
  readonly kernel: boolean;
  /** Only rows that say this. */
  readonly matcher: Matcher | undefined;
  /** Numbers of sockets that are left out. May grow while the filter is in use. */
  readonly without: ReadonlySet<number>;
}

/** A filter that lets everything pass. */
export const EVERYTHING: Filter = { sockets: null, direction: 'all', kinds: null, kernel: true, matcher: undefined, without: new Set() };

/**
 * The rows of a log that pass a filter, by number, kept as the log grows and is given up. Work is proportional to what
 * is new, never to what is there.
 */
export class Rows {
  readonly #log: EventLog;
  readonly #filter: Filter;
  #rows = new Uint32Array(1024);
  #start = 0;
  #end = 0;
  #seen: number;
  #dropped = 0;
  #away: number[] = [];

  constructor(log: EventLog, filter: Filter) {
    this.#log = log;
    this.#filter = filter;
    this.#seen = log.base;
  }

  /** How many rows pass. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** How many passing rows the log gave up since the beginning: by so much every index has moved. */
  get dropped(): number {
    return this.#dropped;
  }

  /** How many rows were not looked at yet. */
  get behind(): number {
    return this.#log.end - Math.max(this.#seen, this.#log.base);
  }

  /** Rows that could not be judged because their bytes are on the server only; oldest first. */
  get away(): readonly number[] {
    return this.#away;
  }

  /** The number of the i-th row that passes. */
  at(i: number): number {
    return this.#rows[this.#start + i]!;
  }

  /** How many passing rows come before a row number. */
  before(row: number): number {
    let low = this.#start;
    let high = this.#end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#rows[middle]! < row) low = middle + 1;
      else high = middle;
    }
    return low - this.#start;
  }

  /** Looks at new rows, up to a row number if one is given, and drops those the log gave up. */
  update(end = this.#log.end): void {
    const { base } = this.#log;
    const dropped = this.before(base);
    this.#start += dropped;
    this.#dropped += dropped;
    if (this.#away.length > 0 && this.#away[0]! < base) this.#away = this.#away.filter((row) => row >= base);
    this.#seen = Math.max(this.#seen, base);
    const until = this.#filter.matcher === undefined ? end : Math.min(end, this.#seen + SEARCH_ROWS);
    for (; this.#seen < until; this.#seen += 1) {
      const passes = this.#passes(this.#seen);
      if (passes === true) this.#push(this.#seen);
      else if (passes === undefined) this.#away.push(this.#seen);
    }
  }

  /** Says of rows that were away whether they pass, now that their bytes were fetched. */
  judge(verdicts: ReadonlyMap<number, boolean>): void {
    this.#away = this.#away.filter((row) => !verdicts.has(row));
    const found = [...verdicts].filter(([row, passes]) => passes && row >= this.#log.base).map(([row]) => row);
    if (found.length === 0) return;
    const merged = [...this.#rows.subarray(this.#start, this.#end), ...found].sort((a, b) => a - b);
    this.#rows = Uint32Array.from(merged);
    this.#start = 0;
    this.#end = merged.length;
  }

  #passes(row: number): boolean | undefined {
    const log = this.#log;
    const kind = log.kindAt(row);
    const { sockets, direction, kinds, kernel, matcher, without } = this.#filter;
    if (kind === 'gap') return kernel || log.gap(row)?.shelf !== 'kernel';
    const socket = log.socketAt(row);
    if (without.has(socket) || (sockets !== null && !sockets.has(socket))) return false;
    if (direction !== 'all' && kind !== direction) return false;
    if (kinds === null ? !kernel && KERNEL_KINDS.has(kind) : !kinds.has(kind)) return false;
    if (matcher === undefined) return true;
    if (kind !== 'sent' && kind !== 'received') return factMatches(log.event(row)!, matcher);
    const bytes = log.bytes(row);
    if (bytes !== undefined && matcher.bytes(bytes)) return true;
    const address = log.addressAt(row);
    if (address !== undefined && matcher.text(address)) return true;
    return log.away(row) ? undefined : false;
  }

  #push(row: number): void {
    if (this.#end === this.#rows.length) {
      const kept = this.#rows.subarray(this.#start, this.#end);
      const wider = this.length * 2 > this.#rows.length ? new Uint32Array(this.#rows.length * 2) : new Uint32Array(this.#rows.length);
      wider.set(kept);
      this.#end = kept.length;
      this.#start = 0;
      this.#rows = wider;
    }
    this.#rows[this.#end] = row;
    this.#end += 1;
  }
}
