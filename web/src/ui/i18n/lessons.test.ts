import { describe, expect, it } from 'vitest';
import { lessons as en } from './lessons.en';
import { lessons as zh } from './lessons.zh';

type Texts = readonly (readonly [string, unknown])[];

const texts = (value: object, path = ''): Texts =>
  Object.entries(value).flatMap(([key, inner]) => (typeof inner === 'object' && inner !== null ? texts(inner as object, `${path}${key}.`) : [[`${path}${key}`, inner] as const]));

/** What a sentence says of arguments that show in it. */
const said = (text: unknown): string => (typeof text === 'function' ? String((text as (...parts: string[]) => unknown)('«1»', '«2»', '«3»', '«4»')) : String(text));

describe('the lessons’ words', () => {
  it('have one shape in both languages', () => {
    const shape = (table: object): string[] => texts(table).map(([path, text]) => `${path}:${typeof text}`);
    expect(shape(zh).sort()).toEqual(shape(en).sort());
  });

  it.each(Object.entries({ en, zh }))('leave nothing empty in %s', (_, table) => {
    for (const [path, text] of texts(table)) if (path !== 'heartbeat.phases.none') expect(said(text), path).toMatch(/\S/u);
  });

  it('name the same figures in both languages', () => {
    const other = new Map(texts(zh));
    const figures = (text: unknown): string[] => (said(text).match(/«\d»/gu) ?? []).sort();
    for (const [path, text] of texts(en)) expect(figures(other.get(path)), path).toEqual(figures(text));
  });

  it('are Chinese where they are meant to be', () => {
    const same = texts(en).filter(([path, text]) => typeof text === 'string' && text !== '' && !/\p{Script=Han}/u.test(said(new Map(texts(zh)).get(path))));
    // Names of options and of parts of a protocol are the same in every language.
    expect(same.map(([path]) => path)).toEqual(['heartbeat.fields.userTimeout.label']);
  });
});
