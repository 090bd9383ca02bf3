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

interface Knot {
  readonly t: number;
  readonly y: number;
  /** µs per pixel from here to the next knot. */
  readonly scale: number;
}

/**
 * Where a moment lies on the ladder: straight lines between knots. Without breaks there is one line; with them every
 * long idle stretch is a line of its own, steeper than the others. 0 is the first moment.
 */
export class TimeMap {
  readonly scale: number;
  readonly start: number;
  readonly end: number;
  /** Height of everything, in pixels. */
  readonly height: number;
  readonly breaks: readonly Break[];
  readonly #knots: readonly Knot[];

  /** `times` are the moments at which something began or ended, ascending. */
  constructor(times: Float64Array, scale: number, compress: boolean) {
    this.scale = scale;
    this.start = times[0] ?? 0;
    this.end = times.at(-1) ?? 0;
    const knots: Knot[] = [{ t: this.start, y: 0, scale }];
    const breaks: Break[] = [];
    let y = 0;
    let last = this.start;
    const idle = compress ? IDLE_PX * scale : Infinity;
    for (let i = 1; i < times.length; i += 1) {
      const gap = times[i]! - times[i - 1]!;
      if (gap <= idle) continue;
      const from = times[i - 1]!;
      const to = times[i]!;
      const top = y + (from - last) / scale;
      y = top + BREAK_PX;
      last = to;
      knots.push({ t: from, y: top, scale: gap / BREAK_PX }, { t: to, y, scale });
      breaks.push({ from, to, top, bottom: y });
    }
    this.height = y + (this.end - last) / scale;
    this.breaks = breaks;
    this.#knots = knots;
  }

  /** The pixel of a moment; moments before the first and after the last go on at the same scale. */
  y(t: number): number {
    const knot = this.#knots[Math.max(0, lastIndex(this.#knots, (at) => at.t <= t))]!;
    return knot.y + (t - knot.t) / knot.scale;
  }

  /** The moment at a pixel. */
  t(y: number): number {
    const knot = this.#knots[Math.max(0, lastIndex(this.#knots, (at) => at.y <= y))]!;
    return knot.t + (y - knot.y) * knot.scale;
  }

  /** The breaks between two pixels. */
  breaksIn(top: number, bottom: number): readonly Break[] {
    const first = lastIndex(this.breaks, (at) => at.bottom < top);
    const found: Break[] = [];
    for (let i = Math.max(0, first); i < this.breaks.length && this.breaks[i]!.top <= bottom; i += 1) {
      if (this.breaks[i]!.bottom >= top) found.push(this.breaks[i]!);
    }
    return found;
  }
}

/** The moments at which any of the spans began or ended, ascending. */
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
  return times.sort();
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

// Steps of an eighth of a factor of two: finer than anyone sees, coarse enough to try them all.
const STEP = 2 ** (1 / 8);

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
