import { hexByte, hexDigit, type Parsed } from './result';
import { isHidden, walkUtf8 } from './utf8';

/**
 * Why text with escapes is wrong:
 * `unknown_escape` no escape begins with this letter, `unfinished_escape` the text ends inside one,
 * `bad_hex` not the hexadecimal digits (or the braces) that belong there, `bad_code_point` no Unicode scalar value,
 * `lone_surrogate` half a character outside any escape, which has no UTF-8.
 */
export type EscapeError = 'unknown_escape' | 'unfinished_escape' | 'bad_hex' | 'bad_code_point' | 'lone_surrogate';

const SINGLE: Readonly<Record<string, number>> = {
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  '0': 0x00,
  '\\': 0x5c,
  '"': 0x22,
  "'": 0x27,
  a: 0x07,
  b: 0x08,
  f: 0x0c,
  v: 0x0b,
  e: 0x1b,
};

/** The letters of bytes that have an escape of their own; quotes need none outside a program. */
const LETTER = new Map([...'nrt0abfve\\'].map((letter) => [SINGLE[letter], `\\${letter}`]));

const MAX_CODE_POINT_DIGITS = 6;

interface Escape {
  readonly bytes: Uint8Array | readonly number[];
  readonly end: number;
}

const encoder = new TextEncoder();

/**
 * Reads text in which `\n \r \t \0 \\ \" \' \a \b \f \v \e \xHH \u{H…}` stand for bytes and everything else for its
 * UTF-8. `\xHH` is one byte, whatever it is; `\u{…}` takes one to six digits. An error points at the backslash of the
 * escape that is wrong. The server reads the same grammar.
 */
export function parseEscapes(text: string): Parsed<EscapeError> {
  const parts: (Uint8Array | readonly number[])[] = [];
  let length = 0;
  let at = 0;
  while (at < text.length) {
    const slash = text.indexOf('\\', at);
    const plain = text.slice(at, slash < 0 ? text.length : slash);
    const lone = loneSurrogate(plain);
    if (lone >= 0) return { ok: false, at: at + lone, code: 'lone_surrogate' };
    const encoded = encoder.encode(plain);
    parts.push(encoded);
    length += encoded.length;
    if (slash < 0) break;
    const escape = readEscape(text, slash);
    if (typeof escape === 'string') return { ok: false, at: slash, code: escape };
    parts.push(escape.bytes);
    length += escape.bytes.length;
    at = escape.end;
  }
  const bytes = new Uint8Array(length);
  let filled = 0;
  for (const part of parts) {
    bytes.set(part, filled);
    filled += part.length;
  }
  return { ok: true, bytes };
}

/** Writes bytes so that `parseEscapes` reads the same bytes back and every character of the text can be seen. */
export function formatEscapes(bytes: Uint8Array): string {
  let text = '';
  walkUtf8(bytes, (codePoint, at) => {
    if (codePoint < 0) {
      text += `\\x${hexByte(bytes[at] ?? 0)}`;
      return;
    }
    const letter = LETTER.get(codePoint);
    if (letter !== undefined) text += letter;
    else if (codePoint < 0x80 && isHidden(codePoint)) text += `\\x${hexByte(codePoint)}`;
    else if (isHidden(codePoint)) text += `\\u{${codePoint.toString(16)}}`;
    else text += String.fromCodePoint(codePoint);
  });
  return text;
}

function readEscape(text: string, slash: number): Escape | EscapeError {
  const letter = text[slash + 1];
  if (letter === undefined) return 'unfinished_escape';
  if (letter === 'x') return readByte(text, slash + 2);
  if (letter === 'u') return readCodePoint(text, slash + 2);
  const byte = SINGLE[letter];
  return byte === undefined ? 'unknown_escape' : { bytes: [byte], end: slash + 2 };
}

function readByte(text: string, at: number): Escape | EscapeError {
  let value = 0;
  for (let i = at; i < at + 2; i++) {
    if (i >= text.length) return 'unfinished_escape';
    const digit = hexDigit(text.charCodeAt(i));
    if (digit < 0) return 'bad_hex';
    value = value * 16 + digit;
  }
  return { bytes: [value], end: at + 2 };
}

function readCodePoint(text: string, at: number): Escape | EscapeError {
  if (at >= text.length) return 'unfinished_escape';
  if (text[at] !== '{') return 'bad_hex';
  let value = 0;
  let i = at + 1;
  for (; text[i] !== '}'; i++) {
    if (i >= text.length) return 'unfinished_escape';
    const digit = hexDigit(text.charCodeAt(i));
    if (digit < 0 || i - at > MAX_CODE_POINT_DIGITS) return 'bad_hex';
    value = value * 16 + digit;
  }
  if (i === at + 1) return 'bad_hex';
  if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return 'bad_code_point';
  return { bytes: encoder.encode(String.fromCodePoint(value)), end: i + 1 };
}

function loneSurrogate(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    // A pair is a high half followed by a low one; NaN at the end fails both comparisons.
    if (unit <= 0xdbff && next >= 0xdc00 && next <= 0xdfff) i++;
    else return i;
  }
  return -1;
}
