/** What a stretch of an HTTP/1.1 message is. Every byte belongs to one of them. */
export type PartKind = 'start' | 'header' | 'blank' | 'body' | 'chunk_size' | 'chunk' | 'chunk_end' | 'last_chunk' | 'trailer' | 'rest';

/** A stretch of a message. */
export interface Part {
  readonly kind: PartKind;
  readonly from: number;
  readonly to: number;
  /** Of a chunk's size: the number it spells. */
  readonly size?: number;
}

/** Why bytes are no HTTP/1.1 message. */
export type Bad = 'no_start' | 'long_head' | 'length' | 'chunk_size' | 'chunk_end';

/** How the end of a body is told. */
export type Framing = 'none' | 'length' | 'chunked' | 'close';

/** A header: its name as it was sent, and its value without the spaces around it. */
export type Header = readonly [name: string, value: string];

/** A message, or as much of it as is there. */
export interface Message {
  /** `head` and `body` wait for more. */
  readonly state: 'head' | 'body' | 'complete' | 'bad';
  readonly bad?: Bad;
  readonly start: string;
  readonly headers: readonly Header[];
  readonly framing: Framing;
  /** In order and without gaps, from where the message begins. */
  readonly parts: readonly Part[];
  /** The body without chunk sizes. */
  readonly body: Uint8Array;
  /** Where it ends, as far as is known. */
  readonly end: number;
}

/** A response, or as much of it as is there. */
export interface Response extends Message {
  readonly status: number;
  readonly reason: string;
  readonly version: string;
  /** Whether the server means to keep the connection for another exchange. */
  readonly keeps: boolean;
}

/** The longest head that is read, interim answers included; servers and proxies mostly stop at 8 to 64 KiB. */
export const HEAD_BYTES = 64 * 1024;

const CR = 0x0d;
const LF = 0x0a;

interface Head {
  readonly state: 'head' | 'ready' | 'bad';
  readonly start: string;
  readonly headers: Header[];
  readonly parts: Part[];
  readonly end: number;
}

/** Each byte as the character of its number: heads have no other encoding, and none can be wrong. */
function latin1(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at += 1) text += String.fromCharCode(bytes[at]!);
  return text;
}

/** Where the line that begins here ends, its line end included; -1 while that is not there. A bare LF counts. */
function lineEnd(bytes: Uint8Array, from: number): number {
  const found = bytes.indexOf(LF, from);
  return found < 0 ? -1 : found + 1;
}

function lineText(bytes: Uint8Array, from: number, to: number): string {
  let end = to;
  if (end > from && bytes[end - 1] === LF) end -= 1;
  if (end > from && bytes[end - 1] === CR) end -= 1;
  return latin1(bytes, from, end);
}

function headerOf(line: string): Header {
  const colon = line.indexOf(':');
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/gu, '')];
}

/** The head from here; `begun` is where the first of those before it began, which are limited together. */
function headOf(bytes: Uint8Array, from: number, begun = from): Head {
  const headers: Header[] = [];
  const parts: Part[] = [];
  let start = '';
  let at = from;
  for (;;) {
    const to = lineEnd(bytes, at);
    if (to < 0 || to - begun > HEAD_BYTES) {
      const state = bytes.length - begun > HEAD_BYTES ? 'bad' : 'head';
      if (at < bytes.length) parts.push({ kind: state === 'bad' ? 'rest' : parts.length === 0 ? 'start' : 'header', from: at, to: bytes.length });
      return { state, start, headers, parts, end: bytes.length };
    }
    const line = lineText(bytes, at, to);
    const first = start === '' && headers.length === 0;
    if (line === '') {
      parts.push({ kind: 'blank', from: at, to });
      at = to;
      // Empty lines before a message are passed over (RFC 9112 §2.2).
      if (!first) return { state: 'ready', start, headers, parts, end: at };
      continue;
    }
    parts.push({ kind: first ? 'start' : 'header', from: at, to });
    if (first) start = line;
    else if (/^[ \t]/u.test(line) && headers.length > 0) {
      // A folded line belongs to the header before it (RFC 9112 §5.2).
      const [name, value] = headers.pop()!;
      headers.push([name, `${value} ${line.trim()}`]);
    } else headers.push(headerOf(line));
    at = to;
  }
}

/** The values of a header, whatever its spelling. */
export function valuesOf(headers: readonly Header[], name: string): string[] {
  return headers.filter(([one]) => one.toLowerCase() === name).flatMap(([, value]) => value.split(',').map((part) => part.trim()));
}

/** Whether a list header names something. */
function names(headers: readonly Header[], header: string, token: string): boolean {
  return valuesOf(headers, header).some((value) => value.toLowerCase() === token);
}

/** The length the head promises: undefined for none, NaN for one that cannot be believed. */
function lengthOf(headers: readonly Header[]): number | undefined {
  const values = [...new Set(valuesOf(headers, 'content-length'))];
  if (values.length === 0) return undefined;
  const length = values.length === 1 && /^\d{1,15}$/u.test(values[0]!) ? Number(values[0]) : Number.NaN;
  return length;
}

interface Body {
  readonly state: 'body' | 'complete' | 'bad';
  readonly bad?: Bad;
  readonly parts: Part[];
  readonly body: Uint8Array;
  readonly end: number;
}

function sized(bytes: Uint8Array, from: number, length: number): Body {
  const end = Math.min(bytes.length, from + length);
  return { state: end - from === length ? 'complete' : 'body', parts: end > from ? [{ kind: 'body', from, to: end }] : [], body: bytes.subarray(from, end), end };
}

function untilClose(bytes: Uint8Array, from: number, ended: boolean): Body {
  const parts: Part[] = bytes.length > from ? [{ kind: 'body', from, to: bytes.length }] : [];
  return { state: ended ? 'complete' : 'body', parts, body: bytes.subarray(from), end: bytes.length };
}

function chunked(bytes: Uint8Array, from: number): Body {
  const parts: Part[] = [];
  const pieces: Uint8Array[] = [];
  let at = from;
  // What is there of a part that is not whole belongs to that part.
  const done = (state: Body['state'], open: PartKind, bad?: Bad): Body => {
    if (state !== 'complete' && at < bytes.length) parts.push({ kind: open, from: at, to: bytes.length });
    const body = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let filled = 0;
    for (const piece of pieces) {
      body.set(piece, filled);
      filled += piece.length;
    }
    return { state, ...(bad === undefined ? {} : { bad }), parts, body, end: state === 'complete' ? at : bytes.length };
  };
  for (;;) {
    const to = lineEnd(bytes, at);
    if (to < 0) return bytes.length - at > HEAD_BYTES ? done('bad', 'rest', 'chunk_size') : done('body', 'chunk_size');
    const digits = /^([0-9a-f]{1,13})[ \t]*(?:;.*)?$/iu.exec(lineText(bytes, at, to))?.[1];
    if (digits === undefined) return done('bad', 'rest', 'chunk_size');
    const size = Number.parseInt(digits, 16);
    parts.push({ kind: size === 0 ? 'last_chunk' : 'chunk_size', from: at, to, size });
    at = to;
    if (size === 0) break;
    const end = Math.min(bytes.length, at + size);
    if (end > at) parts.push({ kind: 'chunk', from: at, to: end });
    pieces.push(bytes.subarray(at, end));
    const whole = end - at === size;
    at = end;
    if (!whole || at === bytes.length || (bytes[at] === CR && at + 1 === bytes.length)) return done('body', 'chunk_end');
    const width = bytes[at] === LF ? 1 : bytes[at] === CR && bytes[at + 1] === LF ? 2 : 0;
    if (width === 0) return done('bad', 'rest', 'chunk_end');
    parts.push({ kind: 'chunk_end', from: at, to: at + width });
    at += width;
  }
  for (;;) {
    const to = lineEnd(bytes, at);
    if (to < 0) return bytes.length - at > HEAD_BYTES ? done('bad', 'rest', 'long_head') : done('body', 'trailer');
    const empty = lineText(bytes, at, to) === '';
    parts.push({ kind: empty ? 'blank' : 'trailer', from: at, to });
    at = to;
    if (empty) return done('complete', 'blank');
  }
}

const NOTHING = new Uint8Array();
const STATUS = /^(HTTP\/1\.[01]) (\d{3})(?: (.*))?$/u;

/**
 * Reads a response from where it begins. `method` is what was asked with (HEAD has no body); `ended` says that the
 * server has closed its direction, which is how some bodies end. Whatever the bytes are, this answers.
 */
export function parseResponse(bytes: Uint8Array, from = 0, { method = 'GET', ended = false } = {}): Response {
  const parts: Part[] = [];
  let at = from;
  for (;;) {
    const head = headOf(bytes, at, from);
    const match = STATUS.exec(head.start);
    const none = head.start !== '' && match === null;
    // What does not begin as a response has no headers either: all of it is marked as one.
    for (const part of none ? [] : head.parts) parts.push(part);
    const [, version = '', digits = '0', reason = ''] = match ?? [];
    const known = { start: head.start, headers: head.headers, status: Number(digits), reason, version };
    const made = (state: Response['state'], framing: Framing, body: Uint8Array, end: number, bad?: Bad): Response => ({
      ...known, state, framing, body, end, parts, keeps: state !== 'bad' && framing !== 'close' && keeps(version, head.headers), ...(bad === undefined ? {} : { bad }),
    });
    if (none) {
      parts.push({ kind: 'rest', from: at, to: bytes.length });
      return made('bad', 'none', NOTHING, bytes.length, 'no_start');
    }
    if (head.state === 'bad') return made('bad', 'none', NOTHING, head.end, 'long_head');
    if (head.state === 'head') return made('head', 'none', NOTHING, head.end);
    // Interim answers come before the answer (RFC 9110 §15.2); 101 is the last word of HTTP on this connection.
    if (known.status >= 100 && known.status < 200 && known.status !== 101) {
      at = head.end;
      continue;
    }
    const framing = framingOf(known.status, head.headers, method);
    const length = lengthOf(head.headers) ?? 0;
    if (framing === 'none') return made('complete', framing, NOTHING, head.end);
    if (framing === 'length' && Number.isNaN(length)) {
      if (head.end < bytes.length) parts.push({ kind: 'rest', from: head.end, to: bytes.length });
      return made('bad', framing, NOTHING, bytes.length, 'length');
    }
    const body = framing === 'chunked' ? chunked(bytes, head.end) : framing === 'length' ? sized(bytes, head.end, length) : untilClose(bytes, head.end, ended);
    for (const part of body.parts) parts.push(part);
    return made(body.state, framing, body.body, body.end, body.bad);
  }
}

function framingOf(status: number, headers: readonly Header[], method: string): Framing {
  if (method.toUpperCase() === 'HEAD' || status < 200 || status === 204 || status === 304) return 'none';
  const codings = valuesOf(headers, 'transfer-encoding').filter((value) => value !== '');
  // Transfer-Encoding overrides Content-Length, and only `chunked` as the last of them tells where the end is.
  if (codings.length > 0) return codings.at(-1)!.toLowerCase() === 'chunked' ? 'chunked' : 'close';
  return lengthOf(headers) === undefined ? 'close' : 'length';
}

function keeps(version: string, headers: readonly Header[]): boolean {
  if (names(headers, 'connection', 'close')) return false;
  return version === 'HTTP/1.1' || names(headers, 'connection', 'keep-alive');
}

/** Reads a request from where it begins: its body, if any, has a length or comes in chunks. */
export function parseRequest(bytes: Uint8Array, from = 0): Message {
  const head = headOf(bytes, from);
  const made = (state: Message['state'], framing: Framing, body: Uint8Array, end: number, parts: readonly Part[], bad?: Bad): Message => ({
    start: head.start, headers: head.headers, state, framing, body, end, parts, ...(bad === undefined ? {} : { bad }),
  });
  if (head.state === 'bad') return made('bad', 'none', NOTHING, head.end, head.parts, 'long_head');
  if (head.state === 'head') return made('head', 'none', NOTHING, head.end, head.parts);
  const isChunked = names(head.headers, 'transfer-encoding', 'chunked');
  const length = lengthOf(head.headers) ?? 0;
  if (!isChunked && Number.isNaN(length)) {
    const rest: Part[] = head.end < bytes.length ? [{ kind: 'rest', from: head.end, to: bytes.length }] : [];
    return made('bad', 'length', NOTHING, bytes.length, [...head.parts, ...rest], 'length');
  }
  const body = isChunked ? chunked(bytes, head.end) : sized(bytes, head.end, length);
  return made(body.state, isChunked ? 'chunked' : length > 0 ? 'length' : 'none', body.body, body.end, [...head.parts, ...body.parts], body.bad);
}

/** The method of a request, as far as it is there. */
export function methodOf(start: string): string {
  return start.split(' ', 1)[0] ?? '';
}
