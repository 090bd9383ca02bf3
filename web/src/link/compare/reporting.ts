import { predict } from '../../model/compare/predict';
import type { Premises } from '../../model/compare/premises';
import type { Prices } from '../../model/compare/prices';
import { type LaneReport, metered } from '../../model/compare/report';
import { type Blind, delaysOf, merged, type Summary, summaryOf } from '../../model/compare/samples';
import type { Meter } from '../../wire/generated';
import type { LaneRun } from './lane';
import type { Source } from './source';

const NOTHING: Meter = {
  id: '', requests: 0, empty_requests: 0, full_requests: 0, events: 0, connections: 0, open_connections: 0, bytes_up: 0, bytes_down: 0, body_down: 0,
  segments: { data_up: 0, data_down: 0, acks_up: 0, acks_down: 0 }, cpu_us: 0,
};

/** What a lane cost and brought until now; delays from message `first` on. Without premises nothing is predicted. */
export function laneReport(lane: LaneRun, premises: Premises | undefined, prices: Prices | undefined, sent: readonly number[], hidden: readonly Blind[], first: number): LaneReport {
  const figures = lane.figures ?? NOTHING;
  const delays = delaysOf(lane.at(first), sent, merged([...hidden, ...lane.held]), first);
  const summary = summaryOf(delays.ms);
  const { arrivals } = lane;
  const whole = arrivals.whole && arrivals.messages >= sent.length && (lane.end === undefined || lane.end === arrivals.covered || arrivals.full);
  const events = Math.min(arrivals.messages, sent.length);
  return {
    name: lane.name,
    ...metered(figures),
    json_down: prices === undefined ? null : Math.min(figures.body_down, Math.round(prices.reads * prices.json)),
    events,
    missing: Math.max(0, sent.length - arrivals.messages),
    complete: whole && lane.broke === undefined,
    delay_ms: summary,
    predicted: premises === undefined ? null : predict(lane.name, { ...premises, messages: events }, figures, summary, prices),
    in_order: arrivals.whole,
    not_timed: delays.blind,
    broke: lane.broke === undefined ? null : `${lane.broke.is} ${lane.broke.problem?.code ?? lane.broke.text}`.trim(),
  };
}

/** The raw socket: from the source's send to the server's read, both on the server's clock. */
export function rawReport(source: Source, first: number): Summary | null {
  return summaryOf(delaysOf(source.read.at, source.sent, [], first).ms);
}
