import type { Lane, Meter } from '../../wire/generated';
import { csvLine, LANES } from './report';

/** How many viewers can be chosen. */
export const SIZES = [1, 10, 100, 1000] as const;

/** What so many viewers of one lane cost. */
export interface Cost {
  readonly lane: Lane;
  readonly viewers: number;
  /** Messages the source sent to each. */
  readonly messages: number;
  /** For how many seconds it sent; figures a second are of these. */
  readonly seconds: number;
  /** HTTP requests a second; those that only connected are not among them. */
  readonly requests: number;
  /** Bytes a second, up and down. */
  readonly bytes: number;
  /** Milliseconds of processor time a second. */
  readonly cpu: number;
  /** Bytes, and microseconds of processor time, of a message to one viewer; null where none was sent. */
  readonly bytes_each: number | null;
  readonly cpu_each: number | null;
  /** Viewers that had every byte, in order. */
  readonly complete: number;
}

/** The figures that are plotted against the number of viewers. */
export const COSTS = ['requests', 'bytes', 'cpu', 'bytes_each', 'cpu_each'] as const;

/** One of them. */
export type CostFigure = (typeof COSTS)[number];

/** For how many seconds the source sends to each crowd, and at least how many messages. */
const CROWD_S = 5;
const CROWD_MESSAGES = 3;

/** How long a crowd is sent messages at this rate, in seconds. */
export function crowdSeconds(rate: number): number {
  return Math.max(CROWD_S, Math.ceil(CROWD_MESSAGES / rate));
}

/** What passed between two readings of a meter, where so many messages were sent in so many seconds. */
export function costOf(lane: Lane, viewers: number, before: Meter, after: Meter, { messages, seconds }: Pick<Cost, 'messages' | 'seconds'>, complete: number): Cost {
  const up = after.bytes_up - before.bytes_up;
  const down = after.bytes_down - before.bytes_down;
  const cpu = after.cpu_us - before.cpu_us;
  const each = (sum: number): number | null => (messages === 0 ? null : sum / messages / viewers);
  return {
    lane,
    viewers,
    messages,
    seconds,
    requests: (after.requests - before.requests) / seconds,
    bytes: (up + down) / seconds,
    cpu: cpu / 1000 / seconds,
    bytes_each: each(up + down),
    cpu_each: each(cpu),
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
  return csvLine(['lane', 'viewers', 'messages', 'seconds', 'requests_per_s', 'bytes_per_s', 'cpu_ms_per_s', 'bytes_per_message', 'cpu_us_per_message', 'complete']) + costs.map((cost) => csvLine([cost.lane, cost.viewers, cost.messages, cost.seconds, ...COSTS.map((figure) => cost[figure]), cost.complete])).join('');
}
