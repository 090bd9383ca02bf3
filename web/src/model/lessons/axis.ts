import { roundStep, tickText } from '../ladder/ticks';

/** A mark of the common time axis. */
export interface AxisTick {
  /** Where, from 0 to 1. */
  readonly at: number;
  readonly text: string;
}

/** Marks at round times, at most about so many. */
export function axisTicks(spanUs: number, most: number): AxisTick[] {
  if (!(spanUs > 0)) return [];
  const step = roundStep(spanUs / Math.max(1, most));
  return Array.from({ length: Math.floor(spanUs / step) + 1 }, (_, i) => ({ at: (i * step) / spanUs, text: tickText(i * step, step) }));
}

/** A place on the axis as a share of it, kept on it. */
export function share(us: number, fromUs: number, spanUs: number): number {
  return spanUs > 0 ? Math.min(1, Math.max(0, (us - fromUs) / spanUs)) : 0;
}
