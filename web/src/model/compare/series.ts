import type { Delays } from './samples';

/** Columns a chart is drawn from: x first, then one a line; null where there is nothing. */
export type Columns = readonly (readonly (number | null)[])[];

/** Points a line is drawn with at most: more than a screen shows. */
const MOST_POINTS = 1200;

/** A delay below this, in ms, is the clocks' uncertainty and not a delay. */
const LEAST_MS = 0.01;

/** Steps of a distribution: a logarithmic scale is cut into so many. */
const STEPS = 160;

/**
 * Delay over time, a column a lane: message i was sent at `sent[i]` on all of them. Of many messages the slowest of each
 * stretch is kept: what is thinned out must not make a lane look better than it was.
 */
export function overTime(sent: readonly number[], from: number, lanes: readonly Pick<Delays, 'sent' | 'ms'>[]): Columns {
  const stride = Math.max(1, Math.ceil(sent.length / MOST_POINTS));
  const x: number[] = [];
  const columns: (number | null)[][] = lanes.map(() => []);
  // Each lane's messages are some of those sent, in the same order: one walk along both finds them.
  const next = lanes.map(() => 0);
  for (let begin = 0; begin < sent.length; begin += stride) {
    x.push((sent[begin]! - from) / 1e6);
    lanes.forEach((delays, lane) => {
      let slowest: number | null = null;
      const last = sent[Math.min(begin + stride, sent.length) - 1]!;
      let at = next[lane]!;
      for (; at < delays.sent.length && delays.sent[at]! <= last; at += 1) {
        // A logarithmic scale has no place for what the clocks' uncertainty makes nothing, or less.
        if (delays.sent[at]! >= sent[begin]!) slowest = Math.max(slowest ?? 0, LEAST_MS, delays.ms[at]!);
      }
      next[lane] = at;
      columns[lane]!.push(slowest);
    });
  }
  return [x, ...columns];
}

/** The share of messages, in per cent, that took no longer than x ms: x on a logarithmic scale, a column a lane. */
export function distribution(lanes: readonly (readonly number[])[]): Columns {
  const sorted = lanes.map((delays) => Float64Array.from(delays).sort());
  const some = sorted.filter((delays) => delays.length > 0);
  if (some.length === 0) return [[], ...lanes.map(() => [])];
  const low = Math.log10(Math.max(LEAST_MS, Math.min(...some.map((delays) => delays[0]!))));
  const high = Math.log10(Math.max(2 * LEAST_MS, ...some.map((delays) => delays.at(-1)!)));
  const x = Array.from({ length: STEPS + 1 }, (_, i) => 10 ** (low + ((high - low) * i) / STEPS));
  // Rounding must not leave the slowest message out.
  x[STEPS] = Math.max(x[STEPS]!, 10 ** high);
  return [
    x,
    ...sorted.map((delays) => {
      let at = 0;
      return x.map((limit, i) => {
        while (at < delays.length && (delays[at]! <= limit || i === STEPS)) at += 1;
        return delays.length === 0 ? null : (at * 100) / delays.length;
      });
    }),
  ];
}
