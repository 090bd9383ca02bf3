import type { Event, Lane, Meter } from '../../wire/generated';

/** How often the server read the source, the end not counted, and how many bytes that were; one of these reads as an event, and the log it is in. */
export interface Reads {
  readonly count: number;
  readonly bytes: number;
  readonly sample: Event;
  readonly epoch: string;
}

/** What a lane's meter said once all were connected and before the first message: what asking, or connecting, costs. */
export type Base = Pick<Meter, 'requests' | 'empty_requests' | 'bytes_up' | 'bytes_down' | 'body_down' | 'segments'>;

/** What things cost on a lane, in bytes. */
export interface Prices {
  /** Requests made before the first message. */
  readonly before: number;
  /** Up: of one request; of all that connecting a push takes. */
  readonly up: number;
  /** Down: of an empty answer; of what a push says before the first event. */
  readonly down: number;
  /** Data segments of connecting a push. */
  readonly segmentsUp: number;
  readonly segmentsDown: number;
  /** Of one event, with what is said for it alone. */
  readonly event: number;
  /** Of that, the event itself: its JSON, or in a binary batch that and its payload. */
  readonly json: number;
  /** Of what wraps a push, however many events it brings. */
  readonly around: number;
  readonly reads: number;
}

/** A WebSocket frame's header, unmasked (RFC 6455 §5.2). */
const frameHeader = (bytes: number): number => (bytes < 126 ? 2 : bytes < 65_536 ? 4 : 10);

const base64 = (bytes: number): number => 4 * Math.ceil(bytes / 3);

const jsonOf = (value: unknown): number => new TextEncoder().encode(JSON.stringify(value)).length;

/** What this lane pays: `base` is its own, `poll` that of the short poll, whose answers were empty until then. */
export function pricesOf(lane: Lane, base: Base, poll: Base, { count, bytes, sample, epoch }: Reads, binary: boolean): Prices {
  const { segments } = base;
  const connecting = { before: base.requests, segmentsUp: segments.data_up, segmentsDown: segments.data_down, reads: count };
  const content = Math.round(bytes / count);
  // The sample's own payload may be longer or shorter than most: the rest of it is what every event has.
  const { payload = '', ...rest } = sample as Event & { payload?: string };
  const json = jsonOf(sample) - payload.length + base64(content);
  const answered = Math.max(1, poll.empty_requests);
  if (lane === 'short_poll' || lane === 'long_poll') {
    // Between two events there is a comma.
    return { up: base.bytes_up / Math.max(1, base.requests), down: poll.bytes_down / answered, ...connecting, event: json + 1, json, around: 0 };
  }
  const price = { up: base.bytes_up, down: base.bytes_down, ...connecting };
  if (lane === 'sse') {
    const event = `id: ${epoch}:${String(sample.seq)}\ndata: \n\n`.length + json;
    return { ...price, event, json, around: event.toString(16).length + '\r\n\r\n'.length };
  }
  // A frame is a page as a poll is answered with; in a binary one its length comes first, and payloads last.
  const page = poll.body_down / answered;
  const event = binary ? jsonOf({ ...rest, payload_range: [0, content] }) + content : json;
  return { ...price, event, json: event, around: page + (binary ? 4 : 0) + frameHeader(page + event) };
}
