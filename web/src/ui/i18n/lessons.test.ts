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

  it('say nothing of sides that a narrow page stacks, of proxies that do not relay bytes, or of an end that no probe reaches', () => {
    expect(en.http.lead).not.toMatch(/\b(left|right)\b/u);
    expect(zh.http.lead).not.toMatch(/[左右]边/u);
    expect([en.heartbeat.lanes.app.says(1), zh.heartbeat.lanes.app.says(1)]).toEqual([expect.stringMatching(/hands bytes on as they are/u), expect.stringMatching(/原样转发字节/u)]);
    expect([en.heartbeat.lanes.fast.says(1), zh.heartbeat.lanes.fast.says(1)]).toEqual([expect.stringMatching(/the middlebox’s kernel answers/u), expect.stringMatching(/中间设备的内核应答/u)]);
    expect([en.heartbeat.verdict.ended('X', undefined, undefined), zh.heartbeat.verdict.ended('X', undefined, undefined)]).toEqual(['X, before the question.', 'X：在发问之前。']);
  });

  it('call a header and an answer what the comparison calls them', () => {
    for (const [path, text] of texts(zh)) expect(said(text), path).not.toMatch(/首部|回答/u);
  });
});
