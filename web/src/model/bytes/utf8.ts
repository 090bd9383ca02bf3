/**
 * Characters that draw nothing of their own or change how others are laid out: C0 and C1 controls, DEL, bidi controls,
 * zero-width and other format characters, line and paragraph separators, fillers, variation selectors, tags,
 * surrogates, and code points nothing is assigned to.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/** Whether a code point must be written as an escape to be seen, and to leave what surrounds it in place. */
export function isHidden(codePoint: number): boolean {
  if (codePoint < 0x7f) return codePoint < 0x20;
  return HIDDEN.test(String.fromCodePoint(codePoint));
}

/**
 * Walks over bytes as UTF-8, strictly (no overlong forms, no surrogates, nothing beyond U+10FFFF). Calls `visit` with
 * each code point, or with -1 for each single byte that is not part of a valid sequence, and where it lies.
 */
export function walkUtf8(bytes: Uint8Array, visit: (codePoint: number, at: number, length: number) => void): void {
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    visit(length === 0 ? -1 : decode(bytes, at, length), at, length || 1);
    at += length || 1;
  }
}

/** The length of the valid sequence at `at`, or 0. The second byte's range depends on the first: Unicode, table 3-7. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  const second = bytes[at + 1] ?? 0;
  if (second < low || second > high) return 0;
  for (let i = at + 2; i < at + length; i++) {
    if (((bytes[i] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

function decode(bytes: Uint8Array, at: number, length: number): number {
  const first = bytes[at] ?? 0;
  if (length === 1) return first;
  let codePoint = first & (0x7f >> length);
  for (let i = at + 1; i < at + length; i++) codePoint = (codePoint << 6) | ((bytes[i] ?? 0) & 0x3f);
  return codePoint;
}
