import { describe, expect, it } from 'vitest';
import { ladder as en } from './ladder.en';
import { ladder as zh } from './ladder.zh';

const keys = (value: object, path = ''): string[] =>
  Object.entries(value).flatMap(([key, inner]) => (typeof inner === 'object' && inner !== null ? keys(inner as object, `${path}${key}.`) : [`${path}${key}:${typeof inner}`]));

describe('the ladder’s words', () => {
  it('have one shape in both languages', () => {
    expect(keys(zh).sort()).toEqual(keys(en).sort());
  });
});
