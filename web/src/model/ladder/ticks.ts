import type { Roomy, TimeMap } from './timemap';

/** A mark of the time axis. */
export interface Tick {
  readonly y: number;
  /** µs since the ladder's first moment. */
  readonly t: number;
  /** The time with as many digits as the distance between marks needs. */
  readonly text: string;
  /** Whether it stands where the axis is not to scale: at a moment, and after a first one counted from there. */
  readonly moment: boolean;
}

/** Pixels between two marks, at least. */
export const TICK_PX = 64;

/** Pixels between two marks where the axis is not to scale, at least. */
const MOMENT_PX = 34;

// A mark this near to a break would run into the break's own text.
const CLEAR_PX = 10;

// So many digits of how long a break was are of interest.
const BREAK_DIGITS = 4;

// Two marks nearer than this would run into each other.
const AFTER_PX = 16;

/** Marks at round times between two pixels, and one where each break ends; none lies inside a break. */
export function ticks(map: TimeMap, top: number, bottom: number): Tick[] {
  const step = roundStep(TICK_PX * map.scale);
  const marks: Tick[] = [];
  let from = Math.max(0, top);
  const end = Math.min(bottom, map.height);
  for (const gap of [...map.breaksIn(top, bottom), undefined]) {
    const stretchEnd = gap === undefined ? end : Math.min(end, Math.max(0, gap.top - CLEAR_PX));
    const stretch = roomyIn(map, from, stretchEnd);
    if (stretch !== undefined) marks.push(...moments(stretch, map, top, gap === undefined ? end : gap.top));
    else {
      const first = Math.ceil((map.t(from) - map.start) / step);
      for (let i = first; map.y(map.start + i * step) <= stretchEnd; i += 1) {
        const t = i * step;
        marks.push({ y: map.y(map.start + t), t, text: tickText(t, step), moment: false });
      }
    }
    if (gap === undefined) break;
    const t = gap.to - map.start;
    // After a break nobody can count on from the last mark; a digit more, since no round time begins there, but no more
    // than tell it from the one before the break.
    const digit = Math.max(1, step / 10, 10 ** (Math.floor(Math.log10(gap.to - gap.from)) - BREAK_DIGITS));
    if (gap.bottom <= end) marks.push({ y: gap.bottom, t, text: tickText(t, digit), moment: false });
    from = gap.bottom + AFTER_PX;
  }
  return marks;
}

/** The stretch with rows that reaches into these pixels. */
function roomyIn(map: TimeMap, top: number, bottom: number): Roomy | undefined {
  const found = map.roomyAt(top - AFTER_PX) ?? map.roomyBelow(top - AFTER_PX);
  return found !== undefined && found.top <= bottom ? found : undefined;
}

/** Marks at moments themselves, where distances say nothing: each counts from the first, which the mark of the break names. */
function moments({ from, first, last: end, top }: Roomy, { start, times, ys }: TimeMap, above: number, below: number): Tick[] {
  const chosen: { readonly t: number; readonly y: number }[] = [];
  const begins = from === start;
  let last = begins ? -Infinity : top;
  for (let i = first; i < end && ys[i]! <= below; i += 1) {
    if (ys[i]! < last + MOMENT_PX) continue;
    chosen.push({ t: times[i]!, y: ys[i]! });
    last = ys[i]!;
  }
  // As many digits as tell a mark from both its neighbours.
  return chosen.flatMap(({ t, y }, i) => {
    if (y < above) return [];
    const apart = Math.min(t - (chosen[i - 1]?.t ?? from) || Infinity, (chosen[i + 1]?.t ?? Infinity) - t || Infinity);
    const since = tickText(t - from, Number.isFinite(apart) ? 10 ** Math.max(0, Math.floor(Math.log10(apart)) - 1) : 1);
    return [{ y, t: t - start, text: begins ? since : `+${since}`, moment: true }];
  });
}

const NICE = [1, 2, 5, 10];
const LONG = [60e6, 120e6, 300e6, 600e6, 1800e6, 3600e6, 7200e6, 21_600e6, 43_200e6, 86_400e6];

/** The smallest round distance of at least `least` µs: 1, 2, 5 of a power of ten, from a minute on parts of an hour. */
export function roundStep(least: number): number {
  if (least > 50e6) {
    const day = 86_400e6;
    return LONG.find((step) => step >= least) ?? Math.ceil(least / day) * day;
  }
  const power = 10 ** Math.floor(Math.log10(least));
  return (NICE.find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10) * power;
}

/** A time since the first moment, as the axis prints it. */
export function tickText(us: number, step: number): string {
  if (us === 0) return '0';
  if (us >= 60e6 && step >= 1e6) {
    const seconds = Math.round(us / 1e6);
    const two = (n: number): string => String(n).padStart(2, '0');
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    return hours > 0 ? `${String(hours)}:${two(minutes)}:${two(seconds % 60)}` : `${String(minutes)}:${two(seconds % 60)}`;
  }
  const [unit, name] = us >= 1e6 ? [1e6, 's'] : us >= 1e3 ? [1e3, 'ms'] : [1, 'µs'];
  const digits = Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9));
  return `${(us / unit).toFixed(digits)} ${name}`;
}
