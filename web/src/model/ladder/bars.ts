import type { Rung, Tone } from './rungs';
import { lastIndex, type TimeMap } from './timemap';

/** A call as it is drawn: from entry to return. Calls too short to tell apart are drawn as one. */
export interface Bar {
  readonly lane: number;
  readonly top: number;
  readonly bottom: number;
  readonly tone: Tone;
  /** The first of the rungs it stands for, and how many there are. */
  readonly seq: number;
  readonly count: number;
  /** Whether it is a call, with a beginning and an end; a fact that is none is a dot. */
  readonly call: boolean;
}

/** A bar shorter than this is drawn this tall, or a call of a microsecond could not be seen. */
export const BAR_PX = 3;

/** A call taller than this has waited: it is drawn hollow, with its return solid. */
const WAIT_PX = 12;

/** How tall the return of a call that waited is drawn, and the radius of a fact that is no call. */
export const CAP_PX = 4;
export const DOT_PX = 3;

// A call entered further above what is drawn than this is cut off: no screen shows it.
const ABOVE_PX = 50;

/** Where a bar is drawn, counted from a pixel of the map. */
export function spanOf(bar: Bar, origin: number): { readonly top: number; readonly height: number } {
  const top = Math.max(bar.top - origin, -ABOVE_PX);
  return { top, height: Math.max(0, bar.bottom - origin - top) };
}

/** Whether a bar that is so tall is one call that waited. */
export function waits(bar: Bar, height: number): boolean {
  return height > WAIT_PX && bar.count === 1;
}

/** The bars of rungs (in the order they returned) that can be seen between two pixels, at most one a pixel and lane. */
export function bars(rungs: readonly Rung[], map: TimeMap, top: number, bottom: number): Bar[] {
  const found: Bar[] = [];
  const open: (number | undefined)[] = [];
  const [earliest, latest] = [map.t(top - BAR_PX), map.t(bottom + BAR_PX)];
  const first = lastIndex(rungs, (rung) => rung.end < earliest) + 1;
  for (let i = first; i < rungs.length; i += 1) {
    const rung = rungs[i]!;
    if (rung.start > latest) continue;
    const bar = barOf(rung, map);
    const last = open[rung.lane];
    const before = last === undefined ? undefined : found[last];
    if (before !== undefined && joins(before, bar)) {
      found[last!] = {
        ...before,
        bottom: Math.max(before.bottom, bar.bottom),
        count: before.count + 1,
        tone: louder(before.tone, bar.tone),
        call: before.call || bar.call,
      };
    } else open[rung.lane] = found.push(bar) - 1;
  }
  return found;
}

function barOf(rung: Rung, map: TimeMap): Bar {
  const top = map.y(rung.start);
  const bottom = rung.call ? Math.max(map.y(rung.end), top + BAR_PX) : top;
  return { lane: rung.lane, top, bottom, tone: rung.tone, seq: rung.seq, count: 1, call: rung.call };
}

function joins(before: Bar, next: Bar): boolean {
  return next.top - before.bottom < 1 && short(next) && (before.count > 1 || short(before));
}

/** What failed must not vanish behind its neighbours, nor a call behind a mere remark. */
function louder(before: Tone, next: Tone): Tone {
  return next === 'error' || before === 'quiet' ? next : before;
}

function short(bar: Bar): boolean {
  return bar.bottom - bar.top < BAR_PX + 0.5;
}
