import { hexByte, hexDigit, type Parsed } from './result';

/** Why hexadecimal text is wrong: `unpaired_digit` stands alone, `unexpected_character` is neither digit nor separator. */
export type HexError = 'unpaired_digit' | 'unexpected_character';

/** Bytes in a row of a hex view. */
export const ROW_BYTES = 16;

/** A row of a hex view. */
export interface HexRow {
  /** Offset of its first byte. */
  readonly offset: number;
  /** Two digits for each byte; the last row may hold fewer than sixteen. */
  readonly cells: readonly string[];
  /** One character for each byte: itself where it is printable ASCII, a middle dot where not. */
  readonly text: string;
}

// The same set as Rust's `char::is_whitespace`; `\s` differs from it in U+0085 and U+FEFF.
const SEPARATOR = /[\p{White_Space}:,-]/u;

const CELLS = Array.from({ length: 256 }, (_, byte) => hexByte(byte));

/**
 * Reads hexadecimal digits in pairs, in either case. White space, `:`, `,`, `-` and `0x` are passed over between pairs,
 * never inside one. An unpaired digit is pointed at itself, any other character likewise. The server reads the same.
 */
export function parseHex(text: string): Parsed<HexError> {
  const bytes = new Uint8Array(text.length >> 1);
  let length = 0;
  let at = 0;
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit === 0x30 && (text.charCodeAt(at + 1) | 0x20) === 0x78) {
      at += 2;
      continue;
    }
    const high = hexDigit(unit);
    if (high < 0) {
      // Separators are all in the basic plane, so a surrogate never passes as one.
      if (!SEPARATOR.test(text.charAt(at))) return { ok: false, at, code: 'unexpected_character' };
      at++;
      continue;
    }
    const next = text.charAt(at + 1);
    const low = next === '' ? -1 : hexDigit(next.charCodeAt(0));
    if (low < 0) {
      const separated = next === '' || SEPARATOR.test(next);
      return separated ? { ok: false, at, code: 'unpaired_digit' } : { ok: false, at: at + 1, code: 'unexpected_character' };
    }
    bytes[length++] = high * 16 + low;
    at += 2;
  }
  return { ok: true, bytes: bytes.slice(0, length) };
}

/** Writes bytes as pairs of lower-case digits with a space between. */
export function formatHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += text === '' ? CELLS[byte] : ` ${CELLS[byte]}`;
  return text;
}

/** How many rows `bytes` fill. */
export function hexRowCount(bytes: Uint8Array): number {
  return Math.ceil(bytes.length / ROW_BYTES);
}

/**
 * Rows of sixteen bytes, the first byte being at `offset`; `from` and `count` pick rows, so that a view of a large
 * payload makes only those it shows.
 */
export function hexRows(bytes: Uint8Array, offset: number, from = 0, count = Infinity): HexRow[] {
  const rows: HexRow[] = [];
  const end = Math.min(hexRowCount(bytes), from + count);
  for (let index = Math.max(0, from); index < end; index++) {
    const row = bytes.subarray(index * ROW_BYTES, (index + 1) * ROW_BYTES);
    const cells: string[] = [];
    let text = '';
    for (const byte of row) {
      cells.push(CELLS[byte] ?? '');
      text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·';
    }
    rows.push({ offset: offset + index * ROW_BYTES, cells, text });
  }
  return rows;
}
