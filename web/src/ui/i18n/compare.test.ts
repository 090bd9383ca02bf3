import { describe, expect, it } from 'vitest';
import { compare as en } from './compare.en';
import { compare as zh } from './compare.zh';

/** Every path to a text, with what kind of text it is. */
const paths = (value: object, at = ''): string[] =>
  Object.entries(value).flatMap(([key, inner]) => (typeof inner === 'object' && inner !== null ? paths(inner as object, `${at}${key}.`) : [`${at}${key}:${typeof inner}`]));

const textAt = (table: object, path: string): unknown => path.split(':')[0]!.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], table);

describe('the comparison’s words', () => {
  it('have one shape in both languages', () => {
    expect(paths(zh).sort()).toEqual(paths(en).sort());
  });

  it('are said anew in Chinese, and none is empty', () => {
    for (const path of paths(en).filter((path) => path.endsWith(':string'))) {
      const [english, chinese] = [textAt(en, path), textAt(zh, path)] as [string, string];
      expect(english, path).not.toBe('');
      // Names and units are the same in every language.
      if (/^(?:WebSocket|KiB|–)$/u.test(english)) continue;
      expect(/\p{Script=Han}/u.test(chinese), path).toBe(true);
    }
  });

  it('take two or three sentences for each lane and each figure', () => {
    for (const table of [en, zh]) {
      for (const { name, says } of [...Object.values(table.lanes), ...Object.values(table.figures)]) {
        const sentences = says.match(/[.!?。？！](?=\s|”|$|[^\s\d])/gu)?.length ?? 0;
        expect(sentences, `${name}: ${says}`).toBeGreaterThanOrEqual(2);
        expect(sentences, `${name}: ${says}`).toBeLessThanOrEqual(4);
      }
    }
  });
});
