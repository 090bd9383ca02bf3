import { describe, expect, it } from 'vitest';
import { formatHex, hexRowCount, hexRows, parseHex } from './hex';

const bytesOf = (text: string): number[] => {
  const parsed = parseHex(text);
  if (!parsed.ok) throw new Error(`${JSON.stringify(text)}: ${parsed.code} at ${parsed.at}`);
  return [...parsed.bytes];
};

describe('parseHex', () => {
  it('reads pairs in either case, however they are separated', () => {
    const expected = [0x0a, 0xff, 0x10];
    for (const text of [
      '0aff10',
      '0AFF10',
      '0a ff 10',
      '0a:ff:10',
      '0a-ff-10',
      '0a, ff, 10',
      '0x0a 0xFF 0X10',
      '0x0aff10',
      '0x0a0xff0x10',
      ' \t0a\r\n\u3000ff\u00a010\u0085',
      '::0a,,ff--10  ',
    ]) {
      expect(bytesOf(text), text).toEqual(expected);
    }
    expect(bytesOf('')).toEqual([]);
    expect(bytesOf(' \n')).toEqual([]);
    expect(bytesOf('0x')).toEqual([]);
  });

  it('reads every byte', () => {
    for (let byte = 0; byte < 256; byte++) {
      const digits = byte.toString(16).padStart(2, '0');
      expect(bytesOf(digits)).toEqual([byte]);
      expect(bytesOf(`0x${digits.toUpperCase()}`)).toEqual([byte]);
    }
  });

  it.each([
    ['4', 0, 'unpaired_digit'],
    ['41 4', 3, 'unpaired_digit'],
    ['4 1', 0, 'unpaired_digit'],
    ['41:4:42', 3, 'unpaired_digit'],
    ['4\u3000', 0, 'unpaired_digit'],
    ['4g', 1, 'unexpected_character'],
    ['41 g1', 3, 'unexpected_character'],
    ['41;42', 2, 'unexpected_character'],
    ['x41', 0, 'unexpected_character'],
    ['1x41', 1, 'unexpected_character'],
    ['00x41', 2, 'unexpected_character'],
    ['\\x41', 0, 'unexpected_character'],
    ['41 你', 3, 'unexpected_character'],
    ['😀', 0, 'unexpected_character'],
    ['41\ufeff', 2, 'unexpected_character'],
    ['41\0', 2, 'unexpected_character'],
  ])('says where %j is wrong', (text, at, code) => {
    expect(parseHex(text)).toEqual({ ok: false, at, code });
  });

  it('takes only digits, separators and the prefix: every ASCII character tried', () => {
    for (let unit = 0; unit < 0x80; unit++) {
      const text = String.fromCharCode(unit);
      const separator = ' \t\n\v\f\r:,-'.includes(text);
      expect(parseHex(text).ok, JSON.stringify(text)).toBe(separator);
      expect(parseHex(`4${text}`).ok, JSON.stringify(text)).toBe(/[0-9a-fA-F]/.test(text));
    }
  });

  it('reads back what formatHex writes', () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(bytesOf(formatHex(all))).toEqual([...all]);
    expect(formatHex(Uint8Array.of(0, 255, 16))).toBe('00 ff 10');
    expect(formatHex(new Uint8Array())).toBe('');
  });
});

describe('hexRows', () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => i + 0x10);

  it('makes rows of sixteen that begin at the offset', () => {
    const rows = hexRows(bytes, 1000);
    expect(rows.map((row) => row.offset)).toEqual([1000, 1016, 1032]);
    expect(rows.map((row) => row.cells.length)).toEqual([16, 16, 8]);
    expect(rows[0]?.cells.slice(0, 2)).toEqual(['10', '11']);
    expect(rows[1]?.text).toBe(' !"#$%&\'()*+,-./');
    expect(rows[0]?.text).toBe('·'.repeat(16));
  });

  it('makes only the rows asked for', () => {
    expect(hexRows(bytes, 0, 1, 1).map((row) => row.offset)).toEqual([16]);
    expect(hexRows(bytes, 0, 2, 9)).toHaveLength(1);
    expect(hexRows(bytes, 0, 3)).toEqual([]);
    expect(hexRows(new Uint8Array(), 0)).toEqual([]);
    expect([0, 1, 16, 17].map((length) => hexRowCount(new Uint8Array(length)))).toEqual([0, 1, 1, 2]);
  });

  it('shows every byte in one printable column', () => {
    for (let byte = 0; byte < 256; byte++) {
      const text = hexRows(Uint8Array.of(byte), 0)[0]?.text ?? '';
      expect(text).toBe(byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '·');
    }
  });
});
