import { formatEscapes } from '../bytes/escapes';
import type { Header, Message, PartKind } from './http';

/** Why a difference is no surprise: it names the moment, or was made for this one answer. */
export type Expected = 'moment' | 'each' | 'connection';

/** A kind of line that says nothing by itself beside what is compared by its meaning. */
export type LineKind = Exclude<PartKind, 'start' | 'header' | 'body' | 'chunk'>;

/** Something in which two messages are not the same; a side that does not have it is undefined. */
export interface Difference {
  readonly what: 'start' | 'header' | 'order' | 'framing' | 'body' | LineKind;
  /** The header's name. */
  readonly name: string;
  /** Both mean the same and are only written in other bytes, which `left` and `right` show with escapes. */
  readonly spelling?: true;
  readonly left: string | undefined;
  readonly right: string | undefined;
  readonly expected: Expected | undefined;
}

/** Two messages, byte by byte. */
export interface Comparison {
  readonly identical: boolean;
  readonly left: number;
  readonly right: number;
  /** Where the first byte stands that differs, from 0; undefined where there is none. */
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
  const differences = [...lines(left, right)];
  const sameBody = firstDifference(left.message.body, right.message.body) < 0;
  if (!sameBody) differences.push({ what: 'body', name: '', left: String(left.message.body.length), right: String(right.message.body.length), expected: undefined });
  const sameCuts = cuts(left.message) === cuts(right.message);
  if (sameBody && !sameCuts) differences.push({ what: 'framing', name: '', left: cuts(left.message), right: cuts(right.message), expected: undefined });
  for (const what of LINES) {
    // Where chunks are other chunks, their lines are other lines.
    if ((what === 'chunk_size' || what === 'chunk_end') && !(sameBody && sameCuts)) continue;
    const [one, other] = [written(left, what), written(right, what)];
    const means = what === 'trailer' || what === 'rest';
    if (one !== other) differences.push({ what, name: '', left: one, right: other, expected: undefined, ...(means ? {} : { spelling: true }) });
  }
  return { identical: false, ...sizes, at, differences };
}

const LINES: readonly LineKind[] = ['blank', 'chunk_size', 'chunk_end', 'last_chunk', 'trailer', 'rest'];

/** What both sides wrote of a kind, every byte of it visible; undefined for nothing. */
function written({ bytes, message }: Side, kind: PartKind): string | undefined {
  const parts = message.parts.filter((part) => part.kind === kind);
  return parts.length === 0 ? undefined : parts.map(({ from, to }) => formatEscapes(bytes.subarray(from, to))).join('');
}

function firstDifference(left: Uint8Array, right: Uint8Array): number {
  const both = Math.min(left.length, right.length);
  for (let at = 0; at < both; at += 1) if (left[at] !== right[at]) return at;
  return left.length === right.length ? -1 : both;
}

function* lines(left: Side, right: Side): Generator<Difference> {
  const [first, second] = [left.message.start, right.message.start];
  if (first !== second) yield { what: 'start', name: '', left: first, right: second, expected: undefined };
  else if (written(left, 'start') !== written(right, 'start')) yield { what: 'start', name: '', left: written(left, 'start'), right: written(right, 'start'), expected: undefined, spelling: true };
  const there = grouped(left.message.headers);
  const here = grouped(right.message.headers);
  const [thereRaw, hereRaw] = [headerLines(left), headerLines(right)];
  for (const name of new Set([...there.keys(), ...here.keys()])) {
    const [one, other] = [there.get(name), here.get(name)];
    const [oneRaw, otherRaw] = [thereRaw.get(name), hereRaw.get(name)];
    if (one !== other) yield { what: 'header', name, left: one, right: other, expected: EXPECTED[name] };
    else if (oneRaw !== otherRaw) yield { what: 'header', name, left: oneRaw, right: otherRaw, expected: undefined, spelling: true };
  }
  const order = (message: Message): string => namesOf(message).filter((name) => there.has(name) && here.has(name)).join(', ');
  const [before, after] = [order(left.message), order(right.message)];
  if (before !== after) yield { what: 'order', name: '', left: before, right: after, expected: undefined, spelling: true };
}

function namesOf({ headers }: Message): string[] {
  return headers.map(([name]) => name.toLowerCase());
}

/** Values by name; of several of one name their order matters. */
function grouped(headers: readonly Header[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of headers) add(found, name.toLowerCase(), value, ', ');
  return found;
}

/** The lines of headers as they were written, by name; a folded line belongs to the one before it. */
function headerLines({ bytes, message }: Side): Map<string, string> {
  const found = new Map<string, string>();
  let name = '';
  for (const part of message.parts) {
    if (part.kind !== 'header') continue;
    const line = bytes.subarray(part.from, part.to);
    if (line[0] !== 0x20 && line[0] !== 0x09) name = nameOf(line);
    add(found, name, formatEscapes(line), '');
  }
  return found;
}

/** A header's name, read as the head is: each byte as the character of its number. */
function nameOf(line: Uint8Array): string {
  const colon = line.indexOf(0x3a);
  return String.fromCharCode(...line.subarray(0, colon < 0 ? line.length : colon)).replace(/\r?\n$/u, '').toLowerCase();
}

function add(found: Map<string, string>, key: string, more: string, between: string): void {
  const before = found.get(key);
  found.set(key, before === undefined ? more : `${before}${between}${more}`);
}

/** Where a chunked body was cut. */
function cuts(message: Message): string {
  return message.parts.filter((part) => part.kind === 'chunk_size').map((part) => String(part.size ?? 0)).join(' + ');
}
