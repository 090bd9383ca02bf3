import type { Lane, Meter } from '../../wire/generated';
import { csvLine, LANES } from './report';

/** How many viewers can be chosen. */
export const SIZES = [1, 10, 100, 1000] as const;

/** What so many viewers of one lane cost. */
export interface Cost {
  readonly lane: Lane;
  readonly viewers: number;
  /** HTTP requests a second; those that only connected are not among them. */
  readonly requests: number;
  /** Bytes a second, up and down. */
  readonly bytes: number;
  /** Milliseconds of processor time a second. */
  readonly cpu: number;
  /** Viewers that had every byte, in order. */
  readonly complete: number;
}

/** The figures that are plotted against the number of viewers. */
export const COSTS = ['requests', 'bytes', 'cpu'] as const;

/** One of them. */
export type CostFigure = (typeof COSTS)[number];

/** What passed between two readings of a meter. */
export function costOf(lane: Lane, viewers: number, before: Meter, after: Meter, seconds: number, complete: number): Cost {
  const up = after.bytes_up - before.bytes_up;
  const down = after.bytes_down - before.bytes_down;
  return {
    lane,
    viewers,
    requests: (after.requests - before.requests) / seconds,
    bytes: (up + down) / seconds,
    cpu: (after.cpu_us - before.cpu_us) / 1000 / seconds,
    complete,
  };
}

/** A figure against the number of viewers: x first, then a column a lane; null where it was not measured. */
export function costColumns(costs: readonly Cost[], figure: CostFigure): (number | null)[][] {
  const sizes = [...new Set(costs.map(({ viewers }) => viewers))].sort((a, b) => a - b);
  return [sizes, ...LANES.map((lane) => sizes.map((viewers) => costs.find((cost) => cost.lane === lane && cost.viewers === viewers)?.[figure] ?? null))];
}

/** As CSV, a line a lane and size. */
export function costsCsv(costs: readonly Cost[]): string {
  return csvLine(['lane', 'viewers', 'requests_per_s', 'bytes_per_s', 'cpu_ms_per_s', 'complete']) + costs.map(({ lane, viewers, requests, bytes, cpu, complete }) => csvLine([lane, viewers, requests, bytes, cpu, complete])).join('');
}
