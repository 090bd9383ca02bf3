import type { Event } from '../../wire/generated';
import { parseHex } from '../bytes/hex';

/** Finds a text in bytes and in fields. */
export interface Matcher {
  /** Whether the bytes contain it; ASCII letters match in either case. */
  bytes(bytes: Uint8Array): boolean;
  /** Whether a text contains it. */
  text(text: string): boolean;
}

/** A matcher for what was typed: text, or `hex:` and digits for bytes. Undefined when there is nothing to look for. */
export function matcherOf(query: string): Matcher | undefined {
  if (query === '') return undefined;
  if (/^hex:/iu.test(query)) {
    const parsed = parseHex(query.slice(4));
    if (!parsed.ok || parsed.bytes.length === 0) return undefined;
    return { bytes: (bytes) => contains(bytes, parsed.bytes, false), text: () => false };
  }
  const needle = new TextEncoder().encode(query).map(lower);
  const folded = query.toLowerCase();
  return { bytes: (bytes) => contains(bytes, needle, true), text: (text) => text.toLowerCase().includes(folded) };
}

/** Whether any field of a fact says it, its kind included. */
export function factMatches(event: Event, matcher: Matcher): boolean {
  return Object.entries(event).some(([key, value]) => key !== 'at' && key !== 'bytes' && says(value, matcher));
}

function says(value: unknown, matcher: Matcher): boolean {
  if (typeof value === 'string') return matcher.text(value);
  if (typeof value === 'object' && value !== null) return Object.values(value).some((inner) => says(inner, matcher));
  return false;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

function contains(bytes: Uint8Array, needle: Uint8Array, fold: boolean): boolean {
  const first = needle[0]!;
  const last = bytes.length - needle.length;
  for (let at = 0; at <= last; at += 1) {
    const byte = bytes[at]!;
    if ((fold ? lower(byte) : byte) !== first) continue;
    let i = 1;
    while (i < needle.length && (fold ? lower(bytes[at + i]!) : bytes[at + i]!) === needle[i]) i += 1;
    if (i === needle.length) return true;
  }
  return false;
}
