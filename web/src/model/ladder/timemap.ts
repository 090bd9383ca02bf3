/** The closest look: µs in one pixel. */
export const MIN_SCALE = 0.05;

/** The farthest look: ten minutes in one pixel. */
export const MAX_SCALE = 600e6;

/** An idle stretch taller than this is drawn as a break, where breaks are wanted. */
export const IDLE_PX = 220;

/** How tall a break is, however long it lasted. */
export const BREAK_PX = 52;

/** A stretch of time in which nothing began or ended, drawn shorter than it was. */
export interface Break {
  readonly from: number;
  readonly to: number;
  readonly top: number;
  readonly bottom: number;
}

/** Rungs of one rail, between two breaks, that are given a row each; of more, those that lie close are grouped. */
export const READABLE_RUNGS = 60;

/** Rungs of one rail that returned in the same microsecond and are still labelled one by one. */
export const SAME_MOMENT = 6;

/** What needs room on the ladder: when the rungs of each rail returned, ascending, and how tall a label is. */
export interface Room {
  readonly rails: readonly Float64Array[];
  readonly row: number;
}

/** A stretch between two breaks whose rungs all have a row, so that no label there has to move or be grouped. */
export interface Roomy {
  readonly from: number;
  readonly to: number;
  readonly top: number;
  readonly bottom: number;
  /** Its moments among the map's: `first` up to but not including `last`. The axis is not to scale there. */
  readonly first: number;
  readonly last: number;
}

// Rows exactly as far apart as they are tall would touch.
const BETWEEN_PX = 1;

/**
 * Where a moment lies on the ladder: straight lines between knots. Without breaks there is one line; with them every
 * long idle stretch is a line of its own, steeper than the others. Where room is asked for, a burst of few rungs is
 * drawn taller than it lasted, as much as its labels need: a handshake of six microseconds is three rows.
 */
export class TimeMap {
  readonly scale: number;
  readonly start: number;
  readonly end: number;
  /** Height of everything, in pixels. */
  readonly height: number;
  /** All moments, and the pixels of those in stretches with rows. */
  readonly times: Float64Array;
  readonly ys: Float64Array;
  readonly #knots: Knots;
  /** The knot at which each break begins; the next is where it ends. */
  readonly #breaks: number[] = [];
  /** The first moment of each stretch with rows, and the one after its last. */
  readonly #first: number[] = [];
  readonly #last: number[] = [];

  /**
   * `times` are the moments at which something began or ended, ascending. A map nobody looks at any more may be given:
   * its memory is taken, since a zoom makes a map of thousands of knots at every step.
   */
  constructor(times: Float64Array, scale: number, compress: boolean, room?: Room, old?: TimeMap) {
    this.scale = scale;
    this.start = times[0] ?? 0;
    this.end = times.at(-1) ?? 0;
    const knots = old === undefined ? new Knots() : old.#knots;
    knots.count = 0;
    knots.push(this.start, 0, scale);
    const rows = room === undefined || !compress ? undefined : new Rows(room, times, scale, old?.ys.length === times.length ? old.ys : new Float64Array(times.length));
    this.times = times;
    this.ys = rows?.ys ?? new Float64Array();
    const idle = compress ? IDLE_PX * scale : Infinity;
    let y = 0;
    for (let i = 0; i < times.length; ) {
      // A burst is what lies between two breaks.
      let to = i + 1;
      while (to < times.length && times[to]! - times[to - 1]! <= idle) to += 1;
      const from = times[i]!;
      const until = times[to - 1]!;
      const stretched = rows?.stretch(i, to, y) === true;
      if (!stretched) y += (until - from) / scale;
      else {
        const top = this.ys[i]!;
        if (top > y) {
          // The labels of the first moment need more than a break leaves them.
          const last = knots.count - 1;
          knots.y[last] = top;
          if (this.#breaks.length > 0) knots.scale[last - 1] = (from - knots.t[last - 1]!) / (top - knots.y[last - 1]!);
        }
        knots.follow(times, this.ys, i, to);
        y = this.ys[to - 1]!;
        this.#first.push(i);
        this.#last.push(to);
      }
      if (to < times.length) {
        const next = times[to]!;
        this.#breaks.push(knots.count);
        knots.push(until, y, (next - until) / BREAK_PX);
        y += BREAK_PX;
        knots.push(next, y, scale);
      } else if (stretched) knots.push(until, y, scale);
      i = to;
    }
    this.height = y;
    this.#knots = knots;
  }

  /** All breaks. */
  get breaks(): readonly Break[] {
    return this.#breaks.map((knot) => this.#break(knot));
  }

  /** The stretches in which every rung has a row. */
  get roomy(): readonly Roomy[] {
    return this.#first.map((_, at) => this.#roomy(at)!);
  }

  /** Whether there are any. */
  get hasRoom(): boolean {
    return this.#first.length > 0;
  }

  /** The stretch at a pixel in which every rung has a row, where there is one. */
  roomyAt(y: number): Roomy | undefined {
    const found = this.#roomy(lastIndex(this.#first, (first) => this.ys[first]! <= y));
    return found !== undefined && found.bottom >= y ? found : undefined;
  }

  /** The nearest such stretch that ends at a pixel or above. */
  roomyAbove(y: number): Roomy | undefined {
    return this.#roomy(lastIndex(this.#last, (last) => this.ys[last - 1]! <= y));
  }

  /** The nearest such stretch that begins below a pixel. */
  roomyBelow(y: number): Roomy | undefined {
    return this.#roomy(lastIndex(this.#first, (first) => this.ys[first]! <= y) + 1);
  }

  /** The pixel of a moment; moments before the first and after the last go on at the same scale. */
  y(t: number): number {
    const { t: ts, y, scale } = this.#knots;
    const knot = this.#knots.at(ts, t);
    return y[knot]! + (t - ts[knot]!) / scale[knot]!;
  }

  /** The moment at a pixel. */
  t(y: number): number {
    const { t, y: ys, scale } = this.#knots;
    const knot = this.#knots.at(ys, y);
    return t[knot]! + (y - ys[knot]!) * scale[knot]!;
  }

  /** The breaks between two pixels. */
  breaksIn(top: number, bottom: number): readonly Break[] {
    const { y } = this.#knots;
    const first = lastIndex(this.#breaks, (knot) => y[knot + 1]! < top) + 1;
    const found: Break[] = [];
    for (let i = first; i < this.#breaks.length && y[this.#breaks[i]!]! <= bottom; i += 1) found.push(this.#break(this.#breaks[i]!));
    return found;
  }

  #break(knot: number): Break {
    const { t, y } = this.#knots;
    return { from: t[knot]!, to: t[knot + 1]!, top: y[knot]!, bottom: y[knot + 1]! };
  }

  #roomy(at: number): Roomy | undefined {
    const [first, last] = [this.#first[at], this.#last[at]];
    if (first === undefined || last === undefined) return undefined;
    return { from: this.times[first]!, to: this.times[last - 1]!, top: this.ys[first]!, bottom: this.ys[last - 1]!, first, last };
  }
}

/** Where the lines of a map begin: moments, their pixels, and µs per pixel from there to the next. Columns, not objects: there are tens of thousands. */
class Knots {
  t = new Float64Array(16);
  y = new Float64Array(16);
  scale = new Float64Array(16);
  count = 0;

  push(t: number, y: number, scale: number): void {
    if (this.count === this.t.length) {
      this.t = longer(this.t);
      this.y = longer(this.y);
      this.scale = longer(this.scale);
    }
    this.t[this.count] = t;
    this.y[this.count] = y;
    this.scale[this.count] = scale;
    this.count += 1;
  }

  /** Straight lines through the moments of a stretched burst, a knot only where the direction changes. */
  follow(times: Float64Array, ys: Float64Array, from: number, to: number): void {
    for (let i = from + 1; i < to; i += 1) {
      const [t, y] = [times[i - 1]!, ys[i - 1]!];
      if (times[i]! <= t) continue;
      const scale = (times[i]! - t) / (ys[i]! - y);
      const last = this.count - 1;
      if (this.t[last] === t) {
        this.y[last] = y;
        this.scale[last] = scale;
      } else if (Math.abs(this.scale[last]! - scale) > scale * 1e-9) this.push(t, y, scale);
    }
  }

  /** The last knot whose value in a column is no more than this; the first where there is none. */
  at(column: Float64Array, value: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (column[middle]! <= value) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

function longer(column: Float64Array): Float64Array<ArrayBuffer> {
  const copy = new Float64Array(2 * column.length);
  copy.set(column);
  return copy;
}

/** Gives the rungs of a burst their rows, burst after burst. There can be thousands at every step of a zoom. */
class Rows {
  readonly ys: Float64Array;
  readonly #times: Float64Array;
  readonly #scale: number;
  readonly #rails: readonly Float64Array[];
  readonly #row: number;
  /** The next rung of each rail, and how far down the last label of each reaches. */
  readonly #next: number[];
  readonly #reach: number[];

  constructor({ rails, row }: Room, times: Float64Array, scale: number, ys: Float64Array) {
    this.#times = times;
    this.#scale = scale;
    this.ys = ys;
    this.#rails = rails;
    this.#row = row + BETWEEN_PX;
    this.#next = rails.map(() => 0);
    this.#reach = rails.map(() => -Infinity);
  }

  /** Finds the pixels of a burst's moments, the first being at `top` or below; false where it has too many rungs. */
  stretch(from: number, to: number, top: number): boolean {
    const times = this.#times;
    const { ys } = this;
    const scale = this.#scale;
    if (this.#crowded(times[to - 1]!)) return false;
    const count = this.#rails.length;
    for (let i = from; i < to; i += 1) {
      const t = times[i]!;
      let y = i === from ? top : ys[i - 1]! + (t - times[i - 1]!) / scale;
      let returned = false;
      for (let rail = 0; rail < count; rail += 1) {
        if (this.#rails[rail]![this.#next[rail]!] !== t) continue;
        const half = this.#halfAt(rail, t);
        y = Math.max(y, this.#reach[rail]! + half, i === 0 ? half - this.#row / 2 : 0);
        returned = true;
      }
      ys[i] = y;
      for (let rail = 0; returned && rail < count; rail += 1) {
        const ends = this.#rails[rail]!;
        if (ends[this.#next[rail]!] !== t) continue;
        this.#reach[rail] = y + this.#halfAt(rail, t);
        while (ends[this.#next[rail]!] === t) this.#next[rail]! += 1;
      }
    }
    return true;
  }

  /** Whether a rail has more rungs up to a moment than can have a row each; if so they are passed over. */
  #crowded(last: number): boolean {
    const count = this.#rails.length;
    for (let rail = 0; rail < count; rail += 1) {
      const next = this.#next[rail]! + READABLE_RUNGS;
      const ends = this.#rails[rail]!;
      if (next >= ends.length || ends[next]! > last) continue;
      for (let one = 0; one < count; one += 1) {
        this.#next[one] = lastIndex(this.#rails[one]!, (t) => t <= last) + 1;
        this.#reach[one] = -Infinity;
      }
      return true;
    }
    return false;
  }

  /** Half the height of the labels of one moment on a rail; those too many to be labelled one by one share a row. */
  #halfAt(rail: number, t: number): number {
    const ends = this.#rails[rail]!;
    let count = 0;
    for (let at = this.#next[rail]!; ends[at] === t; at += 1) count += 1;
    return ((count > SAME_MOMENT ? 1 : count) * this.#row) / 2;
  }
}

/** The moments at which any of the spans began or ended, ascending, each once. */
export function moments(...sides: readonly (readonly { readonly start: number; readonly end: number }[])[]): Float64Array {
  const times = new Float64Array(2 * sides.reduce((sum, side) => sum + side.length, 0));
  let at = 0;
  for (const side of sides) {
    for (const span of side) {
      times[at] = span.start;
      times[at + 1] = span.end;
      at += 2;
    }
  }
  times.sort();
  let count = 0;
  for (const time of times) if (count === 0 || time > times[count - 1]!) times[count++] = time;
  return times.slice(0, count);
}

/** The stretches between moments by length, for asking how tall everything is at many scales. */
export class Gaps {
  readonly #sorted: Float64Array;
  /** The sum of those before each. */
  readonly #sums: Float64Array;

  /** `times` ascending. */
  constructor(times: Float64Array) {
    const count = Math.max(0, times.length - 1);
    this.#sorted = new Float64Array(count);
    for (let i = 0; i < count; i += 1) this.#sorted[i] = times[i + 1]! - times[i]!;
    this.#sorted.sort();
    this.#sums = new Float64Array(count + 1);
    for (let i = 0; i < count; i += 1) this.#sums[i + 1] = this.#sums[i]! + this.#sorted[i]!;
  }

  /** How tall everything is at a scale. */
  height(scale: number, compress: boolean): number {
    const all = this.#sorted.length;
    const drawn = compress ? lastIndex(this.#sorted, (gap) => gap <= IDLE_PX * scale) + 1 : all;
    return this.#sums[drawn]! / scale + (all - drawn) * BREAK_PX;
  }

  /** The length that a share of the stretches longer than nothing do not reach; undefined when there is none. */
  quantile(share: number): number | undefined {
    const none = lastIndex(this.#sorted, (gap) => gap <= 0) + 1;
    return this.#sorted[none + Math.floor((this.#sorted.length - none) * share)];
  }
}

/** Steps of an eighth of a factor of two: finer than anyone sees, coarse enough to try them all. */
export const STEP = 2 ** (1 / 8);

/**
 * The closest scale at which everything is at most `height` tall. A stretch that becomes a break shrinks at once, so
 * height does not fall evenly with the scale and scales are tried from the close end.
 */
export function fitScale(gaps: Gaps, height: number, compress: boolean, closest = MIN_SCALE): number {
  for (let scale = closest; scale < MAX_SCALE; scale *= STEP) {
    if (gaps.height(scale, compress) <= height) return scale;
  }
  return MAX_SCALE;
}

/** The share of neighbours that a readable scale may leave closer than a row. */
const CROWDED_SHARE = 0.35;

/** A scale at which most neighbours lie at least `row` pixels apart. */
export function readableScale(gaps: Gaps, row: number): number {
  const gap = gaps.quantile(CROWDED_SHARE);
  return gap === undefined ? 1 : clampScale(gap / row);
}

/** A scale within what the ladder offers. */
export function clampScale(scale: number): number {
  return Math.min(MAX_SCALE, Math.max(MIN_SCALE, scale));
}

/** The index of the last element for which the test holds, the test holding for a leading part only; -1 for none. */
export function lastIndex<T>(list: ArrayLike<T>, holds: (element: T) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(list[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
