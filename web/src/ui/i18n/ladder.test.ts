import { describe, expect, it } from 'vitest';
import { ladder as en } from './ladder.en';
import { ladder as zh } from './ladder.zh';
import { layers as layersEn } from './layers.en';
import { layers as layersZh } from './layers.zh';
import { sight as sightEn } from './sight.en';
import { sight as sightZh } from './sight.zh';

const keys = (value: object, path = ''): string[] =>
  Object.entries(value).flatMap(([key, inner]) => (typeof inner === 'object' && inner !== null ? keys(inner as object, `${path}${key}.`) : [`${path}${key}:${typeof inner}`]));

describe.each([
  ['the ladder’s words', en, zh],
  ['the words of layers', layersEn, layersZh],
  ['the words of the kernel’s sight', sightEn, sightZh],
])('%s', (_, english, chinese) => {
  it('have one shape in both languages', () => {
    expect(keys(chinese).sort()).toEqual(keys(english).sort());
  });
});
