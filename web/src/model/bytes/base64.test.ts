import { describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from './base64';

const decoded = (text: string): number[] => {
  const parsed = decodeBase64(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.code} at ${parsed.at}`);
  return [...parsed.bytes];
};

describe('base64', () => {
  it('keeps the examples of RFC 4648 §10', () => {
    const examples = { '': '', f: 'Zg==', fo: 'Zm8=', foo: 'Zm9v', foob: 'Zm9vYg==', fooba: 'Zm9vYmE=', foobar: 'Zm9vYmFy' };
    for (const [text, base64] of Object.entries(examples)) {
      const bytes = new TextEncoder().encode(text);
      expect(encodeBase64(bytes)).toBe(base64);
      expect(decoded(base64)).toEqual([...bytes]);
    }
  });

  it('gives every byte back at every place, and large payloads', () => {
    for (let byte = 0; byte < 256; byte++) {
      for (const bytes of [[byte], [0, byte], [1, 2, byte], [byte, byte, byte, byte]]) {
        expect(decoded(encodeBase64(Uint8Array.from(bytes)))).toEqual(bytes);
      }
    }
    const large = Uint8Array.from({ length: 262_144 }, (_, i) => (i * 31) & 0xff);
    const back = decodeBase64(encodeBase64(large));
    expect(back.ok && back.bytes.length === large.length && back.bytes.every((byte, i) => byte === large[i])).toBe(true);
  });

  it.each([
    ['Z', 1, 'bad_padding'],
    ['Zg', 2, 'bad_padding'],
    ['Zg=', 2, 'bad_padding'],
    ['Zg===', 2, 'bad_padding'],
    ['Z===', 1, 'bad_padding'],
    ['=', 0, 'bad_padding'],
    ['====', 0, 'bad_padding'],
    ['Zg==Zg==', 2, 'bad_padding'],
    ['Zm9v=', 4, 'bad_padding'],
    ['Zm9v====', 4, 'bad_padding'],
    ['Z==g', 1, 'bad_padding'],
    ['Zh==', 1, 'trailing_bits'],
    ['Zm9=', 2, 'trailing_bits'],
    ['Zm 9', 2, 'bad_character'],
    ['Zm9v\n', 4, 'bad_character'],
    ['Zm9-', 3, 'bad_character'],
    ['Zm9_', 3, 'bad_character'],
    ['Zm9你', 3, 'bad_character'],
  ])('refuses %j and says where', (text, at, code) => {
    expect(decodeBase64(text)).toEqual({ ok: false, at, code });
  });
});
