import { describe, expect, it } from 'vitest';
import { kernel as en } from './kernel.en';
import { kernel as zh } from './kernel.zh';

type Texts = readonly (readonly [string, unknown])[];

const texts = (value: object, path = ''): Texts =>
  Object.entries(value).flatMap(([key, inner]) => (typeof inner === 'object' && inner !== null ? texts(inner as object, `${path}${key}.`) : [[`${path}${key}`, inner] as const]));

/** What a sentence says of numbers that show in it. */
const said = (text: unknown): string => (typeof text === 'function' ? String((text as (...parts: unknown[]) => unknown)(11, 23, 37, 41)) : String(text));

describe('the words of the kernel views', () => {
  it('have one shape in both languages', () => {
    const shape = (table: object): string[] => texts(table).map(([path, text]) => `${path}:${typeof text}`);
    expect(shape(zh).sort()).toEqual(shape(en).sort());
  });

  it.each(Object.entries({ en, zh }))('leave nothing empty in %s', (_, table) => {
    for (const [path, text] of texts(table)) expect(said(text), path).toMatch(/\S/u);
  });

  it('name the same figures in both languages', () => {
    const other = new Map(texts(zh));
    const figures = (text: unknown): string[] => (said(text).match(/\b(?:11|23|37|41|10|22|12)\b/gu) ?? []).sort();
    for (const [path, text] of texts(en)) expect(figures(other.get(path)), path).toEqual(figures(text));
  });

  it('are Chinese where they are meant to be', () => {
    const same = texts(zh).filter(([, text]) => !/\p{Script=Han}/u.test(said(text)));
    expect(same.map(([path]) => path)).toEqual(['figures.absent']);
  });
});
