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

  it('hold whatever the run shows: few messages or many, wrapped as they are', () => {
    expect(en.lanes.short_poll.says).not.toMatch(/mostly an empty one/u);
    expect(en.lanes.short_poll.says).toMatch(/fewer messages than questions.*with more, one answer brings several/u);
    expect(en.claims.list.again.evidence(31, 0, '10', 'a', 'b')).toMatch(/an interval brought 10 messages.*none of them for nothing/u);
    for (const { figures, claims, table } of [en, zh]) {
      expect(figures.down.says).toContain('{epoch, first, shelves, head, next, gaps}');
      expect(figures.perEvent.says).toMatch(/WebSocket/u);
      for (const figure of [figures.requests, figures.up]) expect(figure.says, figure.name).toMatch(/ticket|票/u);
      expect(claims.list.connection.evidence(30, 5)).toMatch(/at most|最多/u);
      expect(table.split3('1', '2', '3')).toMatch(/1.*2.*3/u);
    }
  });

  it('say how a run ended, and why messages were not timed', () => {
    for (const { table, warn } of [en, zh]) {
      for (const ending of ['stopped', 'died', 'flooded', 'late', 'broke', 'failed'] as const) {
        expect(table.until[ending](0)).not.toBe(table.complete);
        expect(table.until[ending](7)).toMatch(/7/u);
        expect(table.mark(ending)).toMatch(/incomplete|不完整/u);
      }
      expect(warn.notTimed(17, [warn.whyNot.early])).toMatch(/17.*(?:before all lanes were connected|尚未全部连上)/u);
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
