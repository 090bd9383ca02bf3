/** Packets of the channel: `type: u8 | socket: u32 | payload`, integers little-endian (docs/BRIDGES.md, "Direct sockets"). */

export const OPEN = 1;
export const DATA = 2;
export const DATAGRAM = 3;
export const CREDIT = 4;
export const FIN = 5;
export const CLOSE = 6;
export const OPENED = 7;
export const ACCEPTED = 8;
export const CLOSED = 9;
export const LOST = 10;

const HEAD = 5;

/** Bytes of one socket that may be on their way, each way. */
export const WINDOW = 256 * 1024;

/** Credits are given back when they are so many. */
export const CREDITS_BACK = WINDOW / 4;

/** The longest datagram there can be. */
export const MAX_DATAGRAM = 65_527;

/** What a datagram costs beside its bytes. */
export const DATAGRAM_COST = 64;

/** What stands in front of the host of a place. */
export const PLACE = 4;

/** Where a datagram goes, or came from. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly family?: 'ipv4' | 'ipv6' | undefined;
}

/** What the server says. */
export interface Packet {
  readonly type: number;
  readonly socket: number;
  readonly payload: Uint8Array<ArrayBuffer>;
}

export function encode(type: number, socket: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, HEAD));
  packet[0] = type;
  new DataView(packet.buffer).setUint32(1, socket, true);
  let at = HEAD;
  for (const part of parts) {
    packet.set(part, at);
    at += part.byteLength;
  }
  return packet;
}

/** Undefined where it is no packet. */
export function decode(message: ArrayBuffer): Packet | undefined {
  if (message.byteLength < HEAD) return undefined;
  const view = new DataView(message);
  return { type: view.getUint8(0), socket: view.getUint32(1, true), payload: new Uint8Array(message, HEAD) };
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function toJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

export function fromJson(payload: Uint8Array): unknown {
  return JSON.parse(decoder.decode(payload));
}

/** What stands in front of a datagram's bytes. The host is at most 255 bytes long: that is for the caller to see to. */
export function placeBytes(place: Place | undefined): Uint8Array {
  if (place === undefined) return new Uint8Array(PLACE);
  const host = encoder.encode(place.host);
  const family = place.family === undefined ? 0 : place.family === 'ipv4' ? 4 : 6;
  const bytes = new Uint8Array(PLACE + host.byteLength);
  bytes.set([family, host.byteLength, place.port & 0xff, place.port >> 8]);
  bytes.set(host, PLACE);
  return bytes;
}

/** A datagram, and where it came from, of a socket that is not connected. */
export function readDatagram(payload: Uint8Array<ArrayBuffer>): { place: Place | undefined; data: Uint8Array<ArrayBuffer> } {
  const length = payload[1]!;
  const host = decoder.decode(payload.subarray(PLACE, PLACE + length));
  const port = payload[2]! | (payload[3]! << 8);
  return { place: length === 0 ? undefined : { host, port }, data: payload.slice(PLACE + length) };
}
