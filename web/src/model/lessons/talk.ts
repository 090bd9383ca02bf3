import type { Event } from '../../wire/generated';
import { decodeBase64 } from '../bytes/base64';
import { type Message, methodOf, parseRequest, parseResponse, type Response } from './http';

/** What a socket went through, as one reads it off its events. */
export interface Step {
  readonly kind: 'connected' | 'request' | 'response' | 'eof' | 'reset' | 'failed' | 'closed';
  readonly atUs: number;
  /** Which exchange, from 1; of requests and responses. */
  readonly number?: number;
  readonly bytes?: number;
  readonly status?: number;
  readonly errno?: string;
}

/** A request on a socket and what came back for it. */
export interface Exchange {
  readonly request: Message;
  readonly requestBytes: Uint8Array;
  readonly response: Response;
  readonly responseBytes: Uint8Array;
}

interface Piece {
  readonly bytes: Uint8Array;
  readonly atUs: number;
}

/** Bytes of one direction that are read, at most; what is beyond is not looked at, and `more` says so. */
export const MOST_BYTES = 512 * 1024;

/** One socket's conversation, gathered from its events. */
export class Talk {
  readonly #sent: Piece[] = [];
  readonly #received: Piece[] = [];
  readonly #ends: Step[] = [];
  #connected: Step | undefined;
  #bytes = { sent: 0, received: 0 };
  /** Bytes that were said and are not recorded, or were given up since: what is shown is not all. */
  missing = false;
  /** There is more than is read here. */
  more = false;

  constructor(readonly socket: string) {}

  /** Whether the other side says no more. */
  get ended(): boolean {
    return this.#ends.length > 0;
  }

  /** Whether neither side says anything any more. */
  get over(): boolean {
    return this.#ends.some(({ kind }) => kind !== 'eof');
  }

  /** Whether bytes can still be sent and answered. */
  get open(): boolean {
    return this.#connected !== undefined && !this.ended;
  }

  /** Takes events in, in order. */
  add(events: readonly Event[]): void {
    for (const event of events) this.#take(event);
  }

  /** The exchanges on it, in order; the last one's response may not be whole, or have bytes after it that nobody asked for. */
  exchanges(): Exchange[] {
    const [sent, received] = [joined(this.#sent), joined(this.#received)];
    const found: Exchange[] = [];
    for (let up = 0, down = 0; up < sent.length; ) {
      const request = parseRequest(sent, up);
      const response = parseResponse(received, down, { method: methodOf(request.start), ended: this.#ends.some((end) => end.kind === 'eof') });
      const last = request.end >= sent.length && response.end < received.length;
      const answer: Response = last ? { ...response, parts: [...response.parts, { kind: 'rest', from: response.end, to: received.length }] } : response;
      found.push({ request: within(request, up), requestBytes: sent.subarray(up, request.end), response: within(answer, down), responseBytes: received.subarray(down, last ? received.length : response.end) });
      // What is not whole reaches to the end of what is there: nothing can be told apart after it.
      if (request.state !== 'complete' || response.state !== 'complete') break;
      [up, down] = [request.end, response.end];
    }
    return found;
  }

  /** What happened on it, in the order of time. */
  steps(): Step[] {
    const steps: Step[] = this.#connected === undefined ? [] : [this.#connected];
    let [up, down] = [0, 0];
    for (const [i, { requestBytes, responseBytes, response }] of this.exchanges().entries()) {
      up += requestBytes.length;
      down += responseBytes.length;
      const sentUs = timeOf(this.#sent, up);
      const receivedUs = timeOf(this.#received, down);
      if (sentUs !== undefined) steps.push({ kind: 'request', atUs: sentUs, number: i + 1, bytes: requestBytes.length });
      if (responseBytes.length > 0 && receivedUs !== undefined) steps.push({ kind: 'response', atUs: receivedUs, number: i + 1, bytes: responseBytes.length, status: response.status });
    }
    return [...steps, ...this.#ends];
  }

  #take(event: Event): void {
    switch (event.type) {
      case 'connected':
        this.#connected = { kind: 'connected', atUs: event.t_us };
        break;
      case 'sent':
      case 'received':
        this.#piece(event.type, event);
        break;
      case 'eof':
      case 'reset':
        this.#ends.push({ kind: event.type, atUs: event.t_us, ...(event.type === 'reset' && event.errno !== undefined ? { errno: event.errno } : {}) });
        break;
      case 'failed':
        if (event.fatal) this.#ends.push({ kind: 'failed', atUs: event.t_us, ...(event.errno === undefined ? {} : { errno: event.errno }) });
        break;
      case 'closed':
        // After a reset or a failure this only tidies up: nobody closed anything.
        if (!this.over) this.#ends.push({ kind: 'closed', atUs: event.t_us });
        break;
      default:
        break;
    }
  }

  #piece(way: 'sent' | 'received', event: Extract<Event, { type: 'sent' | 'received' }>): void {
    const decoded = event.payload === undefined ? undefined : decodeBase64(event.payload);
    const bytes = decoded?.ok === true ? decoded.bytes : new Uint8Array();
    if (bytes.length < event.len) this.missing = true;
    const room = MOST_BYTES - this.#bytes[way];
    if (bytes.length > room) this.more = true;
    const kept = bytes.subarray(0, Math.max(0, room));
    this.#bytes[way] += kept.length;
    (way === 'sent' ? this.#sent : this.#received).push({ bytes: kept, atUs: event.t_us });
  }
}

/** The same message with its parts counted from its own first byte. */
function within<M extends Message>(message: M, from: number): M {
  return { ...message, parts: message.parts.map((part) => ({ ...part, from: part.from - from, to: part.to - from })), end: message.end - from };
}

function joined(pieces: readonly Piece[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { bytes }) => sum + bytes.length, 0));
  let at = 0;
  for (const { bytes } of pieces) {
    all.set(bytes, at);
    at += bytes.length;
  }
  return all;
}

/** When the byte before this place was sent or read. */
function timeOf(pieces: readonly Piece[], end: number): number | undefined {
  let at = 0;
  for (const { bytes, atUs } of pieces) {
    at += bytes.length;
    if (at >= end) return atUs;
  }
  return undefined;
}
