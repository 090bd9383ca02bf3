import { describe, expect, it } from 'vitest';
import { parseEscapes } from './escapes';
import { safeLine, safeRuns, safeText } from './text';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const joined = (bytes: Uint8Array): string =>
  safeText(bytes)
    .map((run) => run.text)
    .join('');

/** Every character that could break a line, hide, or turn its neighbours round. */
const HOSTILE = [
  ...Array.from({ length: 0x20 }, (_, code) => code),
  ...Array.from({ length: 0x21 }, (_, i) => 0x7f + i),
  0x00ad, 0x034f, 0x061c, 0x115f, 0x1160, 0x17b4, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a,
  0x202b, 0x202c, 0x202d, 0x202e, 0x2060, 0x2061, 0x2064, 0x2066, 0x2067, 0x2068, 0x2069, 0x206a, 0x206f, 0x3164, 0xfe0f,
  0xfeff, 0xffa0, 0xfff9, 0xfffb, 0xfffe, 0xffff, 0x1d173, 0xe0001, 0xe0020, 0xe007f, 0xe0100, 0x10ffff,
];

describe('safeText', () => {
  it('leaves text of every script alone', () => {
    const text = 'plain "quoted" <b>&amp;</b> \\ é 你好，世界 мир שלום مرحبا नमस्ते ไทย 😀 \u00a0\u3000';
    expect(safeText(utf8(text))).toEqual([{ kind: 'text', text }]);
    expect(safeText(new Uint8Array())).toEqual([]);
  });

  it('makes controls visible, with short escapes where people know them', () => {
    expect(safeText(utf8('a\r\n\t\0b\x1b[31m'))).toEqual([
      { kind: 'text', text: 'a' },
      { kind: 'control', text: String.raw`\r\n\t\0` },
      { kind: 'text', text: 'b' },
      { kind: 'control', text: String.raw`\x1b` },
      { kind: 'text', text: '[31m' },
    ]);
    expect(joined(utf8('\u202egnp.exe'))).toBe(String.raw`\u{202e}gnp.exe`);
  });

  it('escapes every hostile character, alone and between letters', () => {
    for (const code of HOSTILE) {
      const character = String.fromCodePoint(code);
      const [before, run, after, ...rest] = safeText(utf8(`a${character}b`));
      expect(before, code.toString(16)).toEqual({ kind: 'text', text: 'a' });
      expect(run?.kind, code.toString(16)).toBe('control');
      expect(run?.text).toMatch(/^\\([nrt0]|x[0-9a-f]{2}|u\{[0-9a-f]+\})$/);
      expect(after).toEqual({ kind: 'text', text: 'b' });
      expect(rest).toEqual([]);
      expect(parseEscapes(run?.text ?? '')).toEqual({ ok: true, bytes: utf8(character) });
      expect(safeLine(character)).toBe(run?.text);
    }
  });

  it('writes every byte that is not UTF-8 as itself', () => {
    for (const bytes of [
      [0x80],
      [0xbf],
      [0xc0, 0x80],
      [0xc1, 0xbf],
      [0xc2],
      [0xe0, 0x80, 0x80],
      [0xe0, 0x9f, 0xbf],
      [0xe4, 0xbd],
      [0xed, 0xa0, 0x80],
      [0xed, 0xbf, 0xbf],
      [0xf0, 0x80, 0x80, 0x80],
      [0xf0, 0x8f, 0xbf, 0xbf],
      [0xf0, 0x9f, 0x98],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xfe],
      [0xff, 0xff],
    ]) {
      const text = bytes.map((byte) => `\\x${byte.toString(16)}`).join('');
      expect(safeText(Uint8Array.from(bytes))).toEqual([{ kind: 'invalid', text }]);
      expect(joined(Uint8Array.from([0x61, ...bytes, 0x62]))).toBe(`a${text}b`);
    }
  });

  it('calls invalid exactly what a strict decoder refuses', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const refused = (bytes: Uint8Array): boolean => {
      try {
        strict.decode(bytes);
        return false;
      } catch {
        return true;
      }
    };
    const wrong: Uint8Array[] = [];
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second += 3) {
        for (const tail of [[], [0x80], [0xbf, 0x80]]) {
          const bytes = Uint8Array.from([first, second, ...tail]);
          if (safeText(bytes).some((run) => run.kind === 'invalid') !== refused(bytes)) wrong.push(bytes);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('never lets a single byte through that is not printable', () => {
    for (let byte = 0; byte < 256; byte++) {
      const printable = byte >= 0x20 && byte < 0x7f;
      expect(safeText(Uint8Array.of(byte))[0]?.kind).toBe(printable ? 'text' : byte < 0x80 ? 'control' : 'invalid');
      expect(joined(Uint8Array.of(byte))).toMatch(/^[\x20-\x7e]+$/);
    }
  });

  it('draws no code point of a kind that could hide, wherever it lies', () => {
    const hides = /[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
    const drawn: string[] = [];
    for (let code = 0; code <= 0x10ffff; code += code < 0x3000 ? 1 : 37) {
      if (hides.test(safeLine(`a${String.fromCodePoint(code)}`))) drawn.push(code.toString(16));
    }
    expect(drawn).toEqual([]);
  });

  it('lets a letter carry a few marks and escapes the tower', () => {
    expect(safeLine('e\u0301')).toBe('e\u0301');
    expect(safeLine('\u0301e')).toBe(String.raw`\u{301}e`);
    expect(safeLine('\n\u0301')).toBe(String.raw`\n\u{301}`);
    const tower = safeLine(`a${'\u0301'.repeat(100)}b`);
    expect(tower).toBe(`a${'\u0301'.repeat(4)}${String.raw`\u{301}`.repeat(96)}b`);
  });
});

describe('safeLine', () => {
  it('shows half a surrogate pair', () => {
    expect(safeLine('a\ud800b')).toBe(String.raw`a\u{d800}b`);
    expect(safeRuns('\udc00')).toEqual([{ kind: 'control', text: String.raw`\u{dc00}` }]);
  });

  it('is one line whatever it is given', () => {
    expect(safeLine('bad\r\nname\u2028\u0085\u202e')).toBe(String.raw`bad\r\nname\u{2028}\u{85}\u{202e}`);
    expect(safeLine('')).toBe('');
  });
});
