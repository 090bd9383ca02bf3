import type { Header, Message } from './http';

/** Why a difference is no surprise: it names the moment, or was made for this one answer. */
export type Expected = 'moment' | 'each' | 'connection';

/** Something in which two messages are not the same; a side that does not have it is undefined. */
export interface Difference {
  readonly what: 'start' | 'header' | 'framing' | 'body';
  /** The header's name. */
  readonly name: string;
  readonly left: string | undefined;
  readonly right: string | undefined;
  readonly expected: Expected | undefined;
}

/** Two messages, byte by byte. */
export interface Comparison {
  readonly identical: boolean;
  readonly left: number;
  readonly right: number;
  /** The first byte that differs; undefined where there is none. */
  readonly at: number | undefined;
  readonly differences: readonly Difference[];
}

/** Headers that differ from answer to answer, and why. */
const EXPECTED: Readonly<Record<string, Expected | undefined>> = {
  date: 'moment',
  age: 'moment',
  expires: 'moment',
  'last-modified': 'moment',
  'set-cookie': 'each',
  'x-request-id': 'each',
  'x-trace-id': 'each',
  connection: 'connection',
  'keep-alive': 'connection',
};

/** A message and the bytes it was read from. */
export interface Side {
  readonly bytes: Uint8Array;
  readonly message: Message;
}

/** Holds two messages side by side. */
export function compare(left: Side, right: Side): Comparison {
  const at = firstDifference(left.bytes, right.bytes);
  const sizes = { left: left.bytes.length, right: right.bytes.length };
  if (at < 0) return { identical: true, ...sizes, at: undefined, differences: [] };
  const differences = [...lines(left.message, right.message)];
  const sameBody = firstDifference(left.message.body, right.message.body) < 0;
  if (!sameBody) differences.push({ what: 'body', name: '', left: String(left.message.body.length), right: String(right.message.body.length), expected: undefined });
  else if (cuts(left.message) !== cuts(right.message)) differences.push({ what: 'framing', name: '', left: cuts(left.message), right: cuts(right.message), expected: undefined });
  return { identical: false, ...sizes, at, differences };
}

function firstDifference(left: Uint8Array, right: Uint8Array): number {
  const both = Math.min(left.length, right.length);
  for (let at = 0; at < both; at += 1) if (left[at] !== right[at]) return at;
  return left.length === right.length ? -1 : both;
}

function* lines(left: Message, right: Message): Generator<Difference> {
  if (left.start !== right.start) yield { what: 'start', name: '', left: left.start, right: right.start, expected: undefined };
  const there = grouped(left.headers);
  const here = grouped(right.headers);
  for (const name of new Set([...there.keys(), ...here.keys()])) {
    const [one, other] = [there.get(name), here.get(name)];
    if (one !== other) yield { what: 'header', name, left: one, right: other, expected: EXPECTED[name] };
  }
}

/** Values by name; of several of one name their order matters. */
function grouped(headers: readonly Header[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    const before = found.get(key);
    found.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return found;
}

/** Where a chunked body was cut. */
function cuts(message: Message): string {
  return message.parts.filter((part) => part.kind === 'chunk_size').map((part) => String(part.size ?? 0)).join(' + ');
}
