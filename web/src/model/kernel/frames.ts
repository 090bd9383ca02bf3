import { parseEscapes } from '../bytes/escapes';
import type { Piece, Ruler } from './stream';

/** Bytes of one direction that are cut into messages, at most. */
export const FRAMED_BYTES = 1024 * 1024;

/** Messages that are told apart, at most. */
export const MESSAGES_KEPT = 100_000;

/** A way to find the messages in a stream. */
export type Framing =
  | { readonly by: 'delimiter'; readonly bytes: Uint8Array }
  | { readonly by: 'length'; readonly size: 1 | 2 | 4; readonly little: boolean; readonly includes: boolean }
  | { readonly by: 'fixed'; readonly size: number };

/** How it is typed. */
export interface Wanted {
  readonly by: Framing['by'];
  readonly delimiter: string;
  readonly size: '1' | '2' | '4';
  readonly order: 'big' | 'little';
  readonly includes: boolean;
  readonly fixed: string;
}

/** What was typed as a framing; undefined where it is none. */
export function framingOf(wanted: Wanted): Framing | undefined {
  switch (wanted.by) {
    case 'delimiter': {
      const parsed = parseEscapes(wanted.delimiter);
      return parsed.ok && parsed.bytes.length > 0 ? { by: 'delimiter', bytes: parsed.bytes } : undefined;
    }
    case 'length':
      return { by: 'length', size: Number(wanted.size) as 1 | 2 | 4, little: wanted.order === 'little', includes: wanted.includes };
    case 'fixed':
      return /^\d{1,7}$/u.test(wanted.fixed.trim()) && Number(wanted.fixed) > 0 ? { by: 'fixed', size: Number(wanted.fixed) } : undefined;
  }
}

/** A message that came out of the framing: where it begins and ends, and where what it carries begins and ends. */
export interface Message extends Piece {
  readonly body: readonly [number, number];
  /** Its end has not come yet. */
  readonly whole: boolean;
}

/** What came out of a stretch of the stream. */
export interface Framed {
  readonly messages: readonly Message[];
  /** Where the framing made no sense any more: a length shorter than its own header. */
  readonly wrongAt: number | undefined;
  /** There was more than is told apart. */
  readonly more: boolean;
}

/** Cuts bytes into messages; `base` is the offset of the first of them. What is left at the end is a message not whole yet. */
export function framed(bytes: Uint8Array, base: number, framing: Framing): Framed {
  const messages: Message[] = [];
  let at = 0;
  const put = (from: number, to: number, body: readonly [number, number], whole: boolean): void => {
    messages.push({ from: base + from, to: base + to, seq: messages.length + 1, atUs: 0, body: [base + body[0], base + body[1]], whole });
  };
  while (at < bytes.length) {
    if (messages.length >= MESSAGES_KEPT) return { messages, wrongAt: undefined, more: true };
    const next = nextOf(bytes, at, framing);
    if (next === 'wrong') return { messages, wrongAt: base + at, more: false };
    if (next.end > bytes.length) {
      put(at, bytes.length, [Math.min(next.body[0], bytes.length), bytes.length], false);
      break;
    }
    put(at, next.end, next.body, true);
    at = next.end;
  }
  return { messages, wrongAt: undefined, more: false };
}

interface Next {
  readonly end: number;
  readonly body: readonly [number, number];
}

function nextOf(bytes: Uint8Array, at: number, framing: Framing): Next | 'wrong' {
  switch (framing.by) {
    case 'fixed':
      return { end: at + framing.size, body: [at, at + framing.size] };
    case 'delimiter': {
      const found = find(bytes, framing.bytes, at);
      return found < 0 ? { end: Infinity, body: [at, Infinity] } : { end: found + framing.bytes.length, body: [at, found] };
    }
    case 'length': {
      const { size, little, includes } = framing;
      if (at + size > bytes.length) return { end: Infinity, body: [at + size, Infinity] };
      let length = 0;
      for (let i = 0; i < size; i += 1) length = length * 256 + bytes[little ? at + size - 1 - i : at + i]!;
      if (includes && length < size) return 'wrong';
      const end = at + length + (includes ? 0 : size);
      return { end, body: [at + size, end] };
    }
  }
}

function find(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(wanted[0]!, from); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    let i = 1;
    while (i < wanted.length && bytes[at + i] === wanted[i]) i += 1;
    if (i === wanted.length) return at;
  }
  return -1;
}

/** The stream's bytes as far as they are here without a hole. */
export interface Gathered {
  readonly base: number;
  readonly bytes: Uint8Array;
  /** The first byte that is not here, and the event that has it, where one does. */
  readonly hole: { readonly at: number; readonly seq: number } | undefined;
}

/** Puts the stream together from what was written and what was read: the same bytes, so either does. */
export function gathered(rulers: readonly Ruler[], bytesOf: (seq: number) => Uint8Array | undefined, most = FRAMED_BYTES): Gathered {
  const firsts = rulers.map(({ pieces }) => pieces[0]?.from).filter((from) => from !== undefined);
  const end = Math.max(0, ...rulers.map((ruler) => ruler.end));
  const base = firsts.length === 0 ? 0 : Math.min(...firsts);
  const parts: Uint8Array[] = [];
  const next = rulers.map(() => 0);
  let at = base;
  let hole: Gathered['hole'];
  while (at < end && at - base < most) {
    let part: Uint8Array | undefined;
    let seq = 0;
    for (const [i, { pieces }] of rulers.entries()) {
      while (next[i]! < pieces.length && pieces[next[i]!]!.to <= at) next[i]! += 1;
      const piece = pieces[next[i]!];
      if (piece === undefined || piece.from > at) continue;
      seq ||= piece.seq;
      const bytes = bytesOf(piece.seq)?.subarray(at - piece.from);
      if (bytes !== undefined && bytes.length > (part?.length ?? 0)) part = bytes;
    }
    if (part === undefined || part.length === 0) {
      hole = { at, seq };
      break;
    }
    const kept = part.subarray(0, most - (at - base));
    parts.push(kept);
    at += kept.length;
  }
  const bytes = new Uint8Array(at - base);
  let filled = 0;
  for (const part of parts) {
    bytes.set(part, filled);
    filled += part.length;
  }
  return { base, bytes, hole };
}

/** How many messages lie across the end of a read: those a program gets in parts. */
export function cutByReads(messages: readonly Message[], reads: readonly Piece[]): number {
  let cut = 0;
  let i = 0;
  for (const message of messages) {
    while (i < reads.length && reads[i]!.to <= message.from) i += 1;
    const read = reads[i];
    if (read !== undefined && read.from <= message.from && read.to < message.to) cut += 1;
  }
  return cut;
}
