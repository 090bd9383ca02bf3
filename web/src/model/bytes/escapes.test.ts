import { describe, expect, it } from 'vitest';
import { formatEscapes, parseEscapes } from './escapes';

const bytesOf = (text: string): number[] => {
  const parsed = parseEscapes(text);
  if (!parsed.ok) throw new Error(`${JSON.stringify(text)}: ${parsed.code} at ${parsed.at}`);
  return [...parsed.bytes];
};

describe('parseEscapes', () => {
  it('reads every escape of the grammar', () => {
    expect(bytesOf(String.raw`\n\r\t\0\\\"\'\a\b\f\v\e`)).toEqual([10, 13, 9, 0, 0x5c, 0x22, 0x27, 7, 8, 12, 11, 27]);
    expect(bytesOf(String.raw`\x00\xff\xAb`)).toEqual([0, 255, 0xab]);
    expect(bytesOf(String.raw`\u{41}\u{000041}\u{e9}\u{4F60}\u{1f600}`)).toEqual([
      0x41, 0x41, 0xc3, 0xa9, 0xe4, 0xbd, 0xa0, 0xf0, 0x9f, 0x98, 0x80,
    ]);
  });

  it('takes everything else as UTF-8', () => {
    expect(bytesOf('')).toEqual([]);
    expect(bytesOf('a\nb 你😀')).toEqual([...new TextEncoder().encode('a\nb 你😀')]);
  });

  it('ends an escape where the grammar ends it', () => {
    expect(bytesOf(String.raw`\01`)).toEqual([0, 0x31]);
    expect(bytesOf(String.raw`\x411`)).toEqual([0x41, 0x31]);
    expect(bytesOf(String.raw`\\n`)).toEqual([0x5c, 0x6e]);
  });

  it('knows every byte by \\x', () => {
    for (let byte = 0; byte < 256; byte++) {
      const digits = byte.toString(16).padStart(2, '0');
      expect(bytesOf(`\\x${digits}`)).toEqual([byte]);
      expect(bytesOf(`\\x${digits.toUpperCase()}`)).toEqual([byte]);
    }
  });

  it.each([
    ['\\', 0, 'unfinished_escape'],
    ['ab\\', 2, 'unfinished_escape'],
    ['a\\x', 1, 'unfinished_escape'],
    ['\\x4', 0, 'unfinished_escape'],
    ['\\xg0', 0, 'bad_hex'],
    ['\\x4 ', 0, 'bad_hex'],
    ['\\u', 0, 'unfinished_escape'],
    ['\\u{', 0, 'unfinished_escape'],
    ['\\u{41', 0, 'unfinished_escape'],
    ['\\u41', 0, 'bad_hex'],
    ['\\u{}', 0, 'bad_hex'],
    ['\\u{0000041}', 0, 'bad_hex'],
    ['\\u{4g}', 0, 'bad_hex'],
    ['\\u{110000}', 0, 'bad_code_point'],
    ['\\u{ffffff}', 0, 'bad_code_point'],
    ['\\u{d800}', 0, 'bad_code_point'],
    ['\\u{dfff}', 0, 'bad_code_point'],
    ['\\q', 0, 'unknown_escape'],
    ['\\N', 0, 'unknown_escape'],
    ['\\1', 0, 'unknown_escape'],
    ['\\你', 0, 'unknown_escape'],
    ['\\\n', 0, 'unknown_escape'],
    // Positions count UTF-16 units: the face is two of them.
    ['😀\\q', 2, 'unknown_escape'],
    ['a\ud800b', 1, 'lone_surrogate'],
    ['ab\udc00', 2, 'lone_surrogate'],
    ['\\n\ud83d', 2, 'lone_surrogate'],
    ['\ud83d\\n', 0, 'lone_surrogate'],
  ])('says where %j is wrong', (text, at, code) => {
    expect(parseEscapes(text)).toEqual({ ok: false, at, code });
  });

  it('knows no escape but those', () => {
    for (let unit = 0x20; unit < 0x7f; unit++) {
      const letter = String.fromCharCode(unit);
      const parsed = parseEscapes(`\\${letter}`);
      expect(parsed.ok, letter).toBe('nrt0\\"\'abfve'.includes(letter));
    }
  });
});

describe('formatEscapes', () => {
  it('is read back as the same bytes, whatever they are', () => {
    for (let byte = 0; byte < 256; byte++) {
      for (const bytes of [[byte], [0x61, byte, 0x62], [0xe4, 0xbd, byte], [byte, 0x80], [0xc2, byte]]) {
        expect(bytesOf(formatEscapes(Uint8Array.from(bytes)))).toEqual(bytes);
      }
    }
    let state = 1;
    for (let round = 0; round < 200; round++) {
      const bytes = Array.from({ length: round }, () => (state = (state * 48271) % 0x7fffffff) & 0xff);
      expect(bytesOf(formatEscapes(Uint8Array.from(bytes)))).toEqual(bytes);
    }
  });

  it('leaves text readable and hides nothing', () => {
    const bytes = new TextEncoder().encode('GET / "你"\r\n\0\x1b\x7f\u202e\\');
    expect(formatEscapes(bytes)).toBe(String.raw`GET / "你"\r\n\0\e\x7f\u{202e}\\`);
    expect(formatEscapes(Uint8Array.of(0xff, 0xe4, 0xbd))).toBe(String.raw`\xff\xe4\xbd`);
  });
});
