import type { Lane, Meter } from '../../wire/generated';
import type { LanePremises } from './premises';
import type { Prices } from './prices';

/** One figure's arithmetic: what it should be, and whether it is. */
export interface Expected {
  readonly value: number;
  /** It may be less. */
  readonly at_most: boolean;
  /** Null: nothing is said of it. */
  readonly agrees: boolean | null;
}

/** Figures of the bill: what bytes and segments a lane takes. */
export type BillFigure = 'bytes_up' | 'bytes_down' | 'bytes_per_event' | 'data_up' | 'data_down' | 'acks_up' | 'acks_down';

/** Requests as predicted, and by how many they may differ. */
export interface Asked {
  readonly value: number;
  readonly slack: number;
}

/** Numbers in headers and events get digits as a run goes on: at most ten characters of two hundred. */
const DIGITS = 0.05;

/** A stream that is busy brings together what comes within so many seconds (`PACE` in the server's feed). */
const TOGETHER_S = 0.008;

/** A WebSocket is asked whether it lives every so many seconds, and says so in a masked frame without content; in the end the page closes it with a code. */
const PING_S = 20;
const PONG_BYTES = 6;
const PING_BYTES = 2;
const CLOSE_BYTES = 8;

/** Segments of a connection without data: SYN, its acknowledgement, FIN. */
const HANDSHAKE = 3;

/** A kernel fills no segment beyond half the largest window its peer has shown, and the first is of one segment of loopback. */
const HALF_WINDOW = 32_741;

/** A figure that is as predicted, give or take. */
export function near(value: number, measured: number, slack: number): Expected {
  return { value, at_most: false, agrees: Math.abs(measured - value) <= slack };
}

/** Of how many messages one comes so soon after another that both may be told together. */
function together({ rate, arrivals }: LanePremises): number {
  return arrivals === 'regular' ? Math.max(0, 1 - 1 / (rate * TOGETHER_S)) : 1 - Math.exp(-rate * TOGETHER_S);
}

/** What arithmetic says of bytes and segments with data. */
export function bill(lane: Lane, premises: LanePremises, prices: Prices, asked: Asked, meter: Pick<Meter, 'bytes_up' | 'bytes_down' | 'segments'>): Partial<Record<BillFigure, Expected>> {
  const { up, down, segments } = lane === 'short_poll' || lane === 'long_poll' ? polled(prices, asked, premises) : pushed(lane, prices, premises);
  const messages = Math.max(1, premises.messages);
  const { data_up: dataUp, data_down: dataDown } = meter.segments;
  return {
    bytes_up: near(up.value, meter.bytes_up, up.slack),
    bytes_down: near(down.value, meter.bytes_down, down.slack),
    bytes_per_event: near((up.value + down.value) / messages, (meter.bytes_up + meter.bytes_down) / messages, (up.slack + down.slack) / messages),
    data_up: near(segments.up.value, dataUp, segments.up.slack),
    data_down: near(segments.down.value, dataDown, segments.down.slack),
  };
}

/** Every segment with data is acknowledged once at most, and what opens and closes a connection has none. */
export function acknowledged({ connections, segments }: Pick<Meter, 'connections' | 'segments'>): Partial<Record<BillFigure, Expected>> {
  const most = (data: number, measured: number): Expected => {
    const value = data + HANDSHAKE * connections;
    return { value, at_most: true, agrees: measured <= value };
  };
  return { acks_up: most(segments.data_down, segments.acks_up), acks_down: most(segments.data_up, segments.acks_down) };
}

interface Bill {
  readonly up: Asked;
  readonly down: Asked;
  readonly segments: { readonly up: Asked; readonly down: Asked };
}

/** Segments for so many bytes, `most` of them if luck has it so. */
function segmentsOf(bytes: number, most: number, { segment }: LanePremises): Asked {
  const value = Math.max(1, Math.ceil(bytes / segment));
  return { value, slack: Math.max(value, Math.ceil(most / Math.min(segment, HALF_WINDOW))) - value };
}

/** A request each, an answer each, and the messages in them. */
function polled({ up, down, event, reads }: Prices, { value, slack }: Asked, premises: LanePremises): Bill {
  const content = reads * event;
  const bytesUp = value * up;
  const bytesDown = value * down + content;
  // Messages that come independently of each other are not the same number each time (Poisson: two standard deviations).
  const spread = 2 * Math.sqrt(reads / value) * event;
  const answer = segmentsOf(bytesDown / value, bytesDown / value + spread, premises);
  return {
    up: { value: bytesUp, slack: bytesUp * DIGITS + slack * up },
    // The end of the stream is an event too.
    down: { value: bytesDown, slack: bytesDown * DIGITS + slack * down + event },
    segments: { up: { value, slack }, down: { value: value * answer.value, slack: slack * answer.value + value * answer.slack } },
  };
}

/** Once what connecting costs, a push a message, and one for the end; fewer where messages come together. */
function pushed(lane: Lane, { up, down, event, around, reads, segmentsUp, segmentsDown }: Prices, premises: LanePremises): Bill {
  const share = together(premises);
  // Fewer pushes by the share that may come together, twice the standard error of that, and two: the end comes by itself or not.
  const fewer = reads * share + 2 * Math.sqrt(reads * share * (1 - share)) + 2;
  const [pings, closes] = lane === 'websocket' ? [Math.floor(premises.seconds / PING_S), 1] : [0, 0];
  const push = segmentsOf(event + around, event + around, premises);
  const bytesDown = down + pings * PING_BYTES + reads * (event + around);
  return {
    up: { value: up + pings * PONG_BYTES + closes * CLOSE_BYTES, slack: 2 * PONG_BYTES },
    down: { value: bytesDown, slack: (bytesDown - down) * DIGITS + fewer * around + event + around },
    segments: {
      up: { value: segmentsUp + pings + closes, slack: 2 },
      down: { value: segmentsDown + pings + reads * push.value + 1, slack: fewer * push.value + reads * push.slack },
    },
  };
}
