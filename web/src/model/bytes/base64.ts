import type { Parsed } from './result';

/**
 * Why base64 is wrong: `bad_character` is not in the alphabet, `bad_padding` is too few, too many or misplaced `=`,
 * (at the first `=`, or at the end where there is none), `trailing_bits` are not zero in the last character, so that it is not the spelling of its bytes.
 */
export type Base64Error = 'bad_character' | 'bad_padding' | 'trailing_bits';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PAD = 0x3d;

const VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < ALPHABET.length; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

// `fromCharCode` takes its bytes as arguments, and the engine limits their number.
const CHUNK = 0x6000;

/** Writes bytes as base64: RFC 4648 §4, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(binary);
}

/** Reads base64 as RFC 4648 §4 writes it: padded, nothing skipped, one spelling only for any bytes. */
export function decodeBase64(text: string): Parsed<Base64Error> {
  let end = text.length;
  while (end > 0 && text.length - end < 2 && text.charCodeAt(end - 1) === PAD) end--;
  for (let at = 0; at < end; at++) {
    const unit = text.charCodeAt(at);
    if (unit === PAD) return { ok: false, at, code: 'bad_padding' };
    if ((VALUES[unit] ?? -1) < 0) return { ok: false, at, code: 'bad_character' };
  }
  if (text.length % 4 !== 0 || end % 4 === 1) return { ok: false, at: end, code: 'bad_padding' };
  const bytes = new Uint8Array((end * 6) >> 3);
  let bits = 0;
  let held = 0;
  let length = 0;
  for (let at = 0; at < end; at++) {
    held = ((held << 6) | (VALUES[text.charCodeAt(at)] ?? 0)) & 0xfff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = (held >> bits) & 0xff;
  }
  if ((held & ((1 << bits) - 1)) !== 0) return { ok: false, at: end - 1, code: 'trailing_bits' };
  return { ok: true, bytes };
}
