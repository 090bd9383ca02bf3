import { describe, expect, it } from 'vitest';
import { keys as en } from './keys.en';
import { keys as zh } from './keys.zh';

type Texts = readonly (readonly [string, unknown])[];

const texts = (value: object, path = ''): Texts =>
  Object.entries(value).flatMap(([key, inner]) => (typeof inner === 'object' && inner !== null ? texts(inner as object, `${path}${key}.`) : [[`${path}${key}`, inner] as const]));

/** What a sentence says of numbers that show in it. */
const said = (text: unknown): string => (typeof text === 'function' ? String((text as (...parts: unknown[]) => unknown)(11, 23, 37)) : String(text));

describe('the words of bridge keys', () => {
  it('have one shape in both languages', () => {
    const shape = (table: object): string[] => texts(table).map(([path, text]) => `${path}:${typeof text}`);
    expect(shape(zh).sort()).toEqual(shape(en).sort());
  });

  it('name the same figures in both languages, and leave nothing empty', () => {
    const other = new Map(texts(zh));
    const figures = (text: unknown): string[] => (said(text).match(/\b(?:11|23|37|8000-8099|500000|64|10|65535)\b/gu) ?? []).sort();
    for (const [path, text] of texts(en)) {
      expect(figures(other.get(path)), path).toEqual(figures(text));
      expect([said(text), said(other.get(path))], path).toEqual([expect.stringMatching(/\S/u), expect.stringMatching(/\S/u)]);
    }
  });

  it('are Chinese where they are meant to be', () => {
    expect(texts(zh).filter(([, text]) => !/\p{Script=Han}/u.test(said(text)))).toEqual([]);
  });

  it('say how many sockets a revoked key closes', () => {
    for (const words of [en, zh]) {
      expect(words.revokeAsk(0)).not.toMatch(/\d/u);
      expect(words.revokeAsk(1)).toContain('1');
      expect(words.revokeAsk(1200)).toContain('1,200');
    }
  });
});
