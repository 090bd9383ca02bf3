import type { Lane, Meter } from '../../wire/generated';
import type { Summary } from './samples';

/** What arithmetic needs to know of a run. */
export interface Premises {
  /** Messages a second: as set, or as seen where the source is somebody else's. */
  readonly rate: number;
  /** Seconds between two short polls. */
  readonly poll: number;
  readonly regular: boolean;
  /** How long it ran. */
  readonly seconds: number;
}

/** What arithmetic says of a lane; the same rules as `sockscope compare`. */
export interface Predicted {
  readonly requests: number;
  readonly mean_delay_ms: number;
  /** The requests counted are as predicted, give or take 5 %, two, and twice the standard error of how many messages come together. */
  readonly requests_agree: boolean;
  /** The mean delay is as predicted, give or take 10 %, twice its standard error, and 5 ms of the machine's. */
  readonly delay_agrees: boolean;
}

/** The machine's own share of a delay, in ms. */
const MACHINE_MS = 5;

/** Every so many seconds a long poll of which nothing came is answered empty, and asked again. */
export const LONG_POLL_S = 30;

/** A short poll asks at its rate and finds a message half an interval old on average; a long poll is asked once a message, less those that come together; a push is asked for once. */
export function predict(lane: Lane, { rate, poll, regular, seconds }: Premises, meter: Pick<Meter, 'requests'>, delay: Summary | null): Predicted {
  const messages = delay?.samples ?? 0;
  // What comes while an answer and the next question are on their way, waits for the question and is told together: k
  // messages, or the next one where k is 0. With k distributed as Poisson's law says, that is k̄ + e^(−k̄) an answer.
  const meanwhile = delay === null ? 0 : (rate * 2 * Math.max(0, delay.p50)) / 1000;
  const together = regular ? Math.max(1, meanwhile) : meanwhile + Math.exp(-meanwhile);
  const requests = lane === 'short_poll' ? seconds / poll + 1 : lane === 'long_poll' ? messages / together + 2 : 1;
  const luck = lane === 'long_poll' ? 2 * Math.sqrt(messages - messages / together) : 0;
  const mean = lane === 'short_poll' ? poll * 500 : 0;
  // The mean of n delays that are spread evenly over an interval strays by its standard error; twice that is met 19 times of 20.
  const chance = lane === 'short_poll' ? (2 * poll * 1000) / Math.sqrt(12 * Math.max(1, delay?.samples ?? 0)) : 0;
  return {
    requests,
    mean_delay_ms: mean,
    requests_agree: Math.abs(meter.requests - requests) <= requests * 0.05 + 2 + luck,
    delay_agrees: delay !== null && Math.abs(delay.mean - mean) <= mean * 0.1 + chance + MACHINE_MS,
  };
}

/** One figure's arithmetic: what it should be, and whether it is. */
export interface Expected {
  readonly value: number;
  /** It may be less. */
  readonly atMost: boolean;
  readonly agrees: boolean;
}

/** Figures beside the mean and the requests that arithmetic says something of. */
export type ExpectedFigure = 'p50' | 'p95' | 'max' | 'empty' | 'connections';

function near(value: number, measured: number, slack: number): Expected {
  return { value, atMost: false, agrees: Math.abs(measured - value) <= slack };
}

/** What more can be predicted of a lane; absent where arithmetic has nothing to say. */
export function expect(lane: Lane, { rate, poll, regular }: Premises, meter: Pick<Meter, 'requests' | 'empty_requests' | 'connections'>, delay: Summary | null): Partial<Record<ExpectedFigure, Expected>> {
  const result: Partial<Record<ExpectedFigure, Expected>> = {};
  const interval = poll * 1000;
  if (lane === 'short_poll' && delay !== null) {
    // Delays are spread evenly over an interval; a quantile of n of them strays by its standard error.
    for (const [name, share] of [['p50', 0.5], ['p95', 0.95]] as const) {
      const chance = 2 * interval * Math.sqrt((share * (1 - share)) / delay.samples);
      result[name] = near(interval * share, delay[name], interval * share * 0.1 + chance + MACHINE_MS);
    }
    result.max = { value: interval, atMost: true, agrees: delay.max <= interval * 1.1 + MACHINE_MS };
  }
  // How often nothing comes within one wait: e^(−rate × wait) for messages that come independently of each other.
  const wait = lane === 'short_poll' ? poll : lane === 'long_poll' ? LONG_POLL_S : undefined;
  const share = wait === undefined ? 0 : regular ? Math.max(0, 1 - rate * wait) : Math.exp(-rate * wait);
  const empty = meter.requests * share;
  result.empty = near(empty, meter.empty_requests, empty * 0.05 + 2 * Math.sqrt(empty * (1 - share)) + (wait === undefined ? 0 : 2));
  // A stream and a WebSocket are one connection each, for as long as they last.
  if (wait === undefined) result.connections = near(1, meter.connections, 0);
  return result;
}
