import type { Lane, Meter } from '../../wire/generated';
import { acknowledged, type Asked, bill, type BillFigure, type Expected, near } from './bill';
import type { Arrival, LanePremises } from './premises';
import type { Prices } from './prices';
import type { Summary } from './samples';

/** Figures beside the mean and the requests that arithmetic says something of. */
export type ExpectedFigure = BillFigure | 'p50' | 'p95' | 'max' | 'empty_requests' | 'full_requests' | 'connections';

/** What arithmetic says of a lane; the same rules as `sockscope compare`. Without a verdict, null, where too few messages came or a figure rests on a law that nobody knows. */
export interface Predicted {
  readonly requests: number;
  readonly mean_delay_ms: number;
  /** The requests counted are as predicted, give or take 5 %, two, and twice the standard error of how many messages come together. */
  readonly requests_agree: boolean | null;
  /** The mean delay is as predicted, give or take 10 %, twice its standard error, and 5 ms of the machine's. */
  readonly delay_agrees: boolean | null;
  /** Every other figure that can be predicted. Absent where the premises are not known; CPU time always is: it is the machine's. */
  readonly figures: Readonly<Partial<Record<ExpectedFigure, Expected>>>;
}

/** Of fewer messages luck says more than arithmetic: what is predicted is said, and no verdict. */
export const ENOUGH_FOR_VERDICT = 20;

/** Figures that depend on how messages come: at even moments, at random, or many at once. The longest delay does not, nor what is asked by the clock. */
const BY_LAW: Readonly<Record<Lane, readonly string[]>> = {
  short_poll: ['mean', 'p50', 'p95', 'empty_requests', 'full_requests'],
  long_poll: ['requests', 'empty_requests'],
  sse: [],
  websocket: [],
};

/** The machine's own share of a delay, in ms. */
const MACHINE_MS = 5;

/** Every so many seconds a long poll of which nothing came is answered empty, and asked again. */
export const LONG_POLL_S = 30;

/** What a poll is answered with at most: so many events, so many bytes of payload. */
const PAGE_EVENTS = 1000;
const PAGE_BYTES = 1024 * 1024;

/** What keeping a payload takes beside its bytes; the limit counts it. */
const KEPT = 32;

/** Connections a browser opens to one host. */
const BROWSER_CONNECTIONS = 6;

/** The server closes a connection on which nothing was asked for so many seconds. */
const IDLE_S = 10;

/** A short poll asks at its rate and finds a message half an interval old on average; a long poll is asked once a message, less those that come together; a push is asked for once. */
export function predict(lane: Lane, premises: LanePremises, meter: Omit<Meter, 'id'>, delay: Summary | null, prices: Prices | undefined): Predicted {
  const { poll } = premises;
  // What comes in the same millisecond is read together: events a message.
  const each = prices === undefined || premises.messages === 0 ? 1 : prices.reads / premises.messages;
  const read = { ...premises, rate: premises.rate * each, payload: premises.payload / each, messages: premises.messages * each };
  const full = continued(lane, read, meter);
  const asked = requests(lane, read, delay, full.value, prices?.before ?? 1);
  const mean = lane === 'short_poll' ? poll * 500 : 0;
  // The mean of n delays that are spread evenly over an interval strays by its standard error; twice that is met 19 times of 20.
  const error = (2 * poll * 1000) / Math.sqrt(12 * Math.max(1, delay?.samples ?? 0));
  const chance = lane === 'short_poll' ? error + lockstep(premises) : 0;
  const timed = delay?.samples ?? 0;
  const verdict = (figure: string, samples: number, agrees: boolean | null): boolean | null =>
    samples < ENOUGH_FOR_VERDICT || (premises.arrivals === 'unknown' && BY_LAW[lane].includes(figure)) ? null : agrees;
  const judged = (figures: Partial<Record<ExpectedFigure, Expected>>, samples: number): Partial<Record<ExpectedFigure, Expected>> =>
    Object.fromEntries(Object.entries(figures).map(([figure, expected]) => [figure, { ...expected, agrees: verdict(figure, samples, expected.agrees) }]));
  return {
    requests: asked.value,
    mean_delay_ms: mean,
    requests_agree: verdict('requests', premises.messages, near(asked.value, meter.requests, asked.slack).agrees),
    delay_agrees: verdict('mean', timed, delay !== null && Math.abs(delay.mean - mean) <= mean * 0.1 + chance + MACHINE_MS),
    figures: {
      ...(lane === 'short_poll' && delay !== null ? judged(quantiles(premises, delay), timed) : {}),
      ...judged(
        {
          empty_requests: empty(lane, premises, meter),
          full_requests: full,
          connections: connections(lane, premises, meter),
          ...acknowledged(meter),
          ...(prices === undefined ? {} : bill(lane, premises, prices, asked, meter)),
        },
        premises.messages,
      ),
    },
  };
}

/** Requests for events, of which `full` only continued and `before` were made before the first message. */
function requests(lane: Lane, { rate, poll, arrivals, seconds, messages }: LanePremises, delay: Summary | null, full: number, before: number): Asked {
  // What comes while an answer and the next question are on their way, waits for the question and is told together: k
  // messages, or the next one where k is 0. With k distributed as Poisson's law says, that is k̄ + e^(−k̄) an answer.
  const meanwhile = delay === null ? 0 : rate * roundTrip(Math.max(0, delay.p50) / 1000, rate, arrivals);
  const together = arrivals === 'regular' ? Math.max(1, meanwhile) : meanwhile + Math.exp(-meanwhile);
  const value = lane === 'short_poll' ? before + seconds / poll + full : lane === 'long_poll' ? messages / together + 2 : 1;
  const luck = lane === 'long_poll' ? 2 * Math.sqrt(messages - messages / together) : 0;
  return { value, slack: value * 0.05 + 2 + luck };
}

/**
 * How long an answer and the next question are under way, in seconds, where half of the messages took no longer than
 * `median`. One that was waited for takes half a round trip; one that came meanwhile waits for the question as well, and
 * as those become more, the median grows from half a round trip to a whole one.
 */
function roundTrip(median: number, rate: number, arrivals: Arrival): number {
  if (arrivals === 'regular') return 2 * median * rate < 1 ? 2 * median : Math.max(median, 1 / rate);
  let [least, most] = [median, 2 * median];
  // Halved until it is known to a thousand millionth of itself.
  for (let step = 0; step < 30; step += 1) {
    const trip = (least + most) / 2;
    const waited = Math.exp(-rate * trip) / (rate * trip + Math.exp(-rate * trip));
    const half = trip / 2 + trip * Math.max(0, (0.5 - waited) / (1 - waited));
    if (half < median) least = trip;
    else most = trip;
  }
  return most;
}

/** Messages at even intervals keep step with polls at even intervals: by how much, in ms, that may shift all delays. */
function lockstep({ rate, poll, arrivals }: LanePremises): number {
  return arrivals === 'regular' ? Math.min(poll, 1 / rate) * 500 : 0;
}

/** Delays are spread evenly over an interval; a quantile of n of them strays by its standard error. */
function quantiles(premises: LanePremises, delay: Summary): Partial<Record<ExpectedFigure, Expected>> {
  const interval = premises.poll * 1000;
  const quantile = (share: number, measured: number): Expected => {
    const chance = 2 * interval * Math.sqrt((share * (1 - share)) / delay.samples) + lockstep(premises);
    return near(interval * share, measured, interval * share * 0.1 + chance + MACHINE_MS);
  };
  return {
    p50: quantile(0.5, delay.p50),
    p95: quantile(0.95, delay.p95),
    max: { value: interval, at_most: true, agrees: delay.max <= interval * 1.1 + MACHINE_MS },
  };
}

/** How often nothing comes within one wait: e^(−rate × wait) for messages that come independently of each other. */
function empty(lane: Lane, { rate, poll, arrivals }: LanePremises, meter: Pick<Meter, 'requests' | 'empty_requests'>): Expected {
  const wait = lane === 'short_poll' ? poll : lane === 'long_poll' ? LONG_POLL_S : undefined;
  if (wait === undefined) return near(0, meter.empty_requests, 0);
  const share = arrivals === 'regular' ? Math.max(0, 1 - rate * wait) : Math.exp(-rate * wait);
  const value = meter.requests * share;
  return near(value, meter.empty_requests, value * 0.05 + 2 * Math.sqrt(value * (1 - share)) + 2);
}

/** Polls whose page was full: as many whole pages as come in one interval. A long poll is answered long before that. */
function continued(lane: Lane, { rate, poll, payload, messages, arrivals }: LanePremises, { full_requests: measured }: Pick<Meter, 'full_requests'>): Expected {
  if (lane !== 'short_poll') return near(0, measured, 0);
  const due = rate * poll;
  const pages = due / Math.min(PAGE_EVENTS, Math.floor(PAGE_BYTES / (payload + KEPT)));
  // Three standard deviations of a Poisson count: of a thousand intervals three are further off.
  const spread = arrivals === 'regular' || due === 0 ? 0 : 3 / Math.sqrt(due);
  const intervals = due === 0 ? 0 : Math.floor(messages / due);
  const [least, value, most] = [1 - spread, 1, 1 + spread].map((times) => Math.max(0, Math.floor(pages * times))) as [number, number, number];
  // Where a whole number of pages is near, luck says each time on which side of it an interval is. And the source begins
  // and ends within one.
  const luck = Math.max(most - value, value - least) * intervals + (most > 0 ? most + 1 : 0);
  return near(value * intervals, measured, value * intervals * 0.05 + luck);
}

/** A push is one connection for as long as it lasts. Polls share those a browser has, unless they idle too long in between. */
function connections(lane: Lane, { poll }: LanePremises, { connections: measured, requests: made }: Pick<Meter, 'connections' | 'requests'>): Expected {
  if (lane === 'sse' || lane === 'websocket') return near(1, measured, 0);
  const value = lane === 'short_poll' && poll >= IDLE_S ? made : BROWSER_CONNECTIONS;
  return { value, at_most: true, agrees: measured <= value };
}
