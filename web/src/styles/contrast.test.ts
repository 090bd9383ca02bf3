import { describe, expect, it } from 'vitest';
import css from './tokens.css?raw';

/** WCAG 2 AA: text, and what must be seen to use a control. */
const TEXT = 4.5;
const SHAPE = 3;

function tokens(theme: string): Map<string, string> {
  const block = new RegExp(`\\[data-theme='${theme}'\\]\\s*\\{([^}]*)\\}`, 'u').exec(css)?.[1] ?? '';
  return new Map([...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/gu)].map(([, name, value]) => [name!, value!]));
}

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const GROUNDS = ['ground', 'surface', 'raised', 'hover', 'selected'];
const INKS = ['text', 'muted', 'sent', 'received', 'ok', 'warn', 'danger', 'control'];

describe.each(['light', 'dark'])('%s', (theme) => {
  const colours = tokens(theme);

  it('has every colour', () => {
    for (const name of [...GROUNDS, ...INKS, 'line', 'line-strong', 'focus', 'mark', 'primary', 'on-primary', 'sent-soft', 'received-soft', 'danger-soft']) expect(colours.get(name), name).toBeDefined();
  });

  it.each(GROUNDS.flatMap((ground) => INKS.map((ink) => [ink, ground] as const)))('%s can be read on %s', (ink, ground) => {
    expect(contrast(colours.get(ink)!, colours.get(ground)!)).toBeGreaterThanOrEqual(TEXT);
  });

  it.each([
    ['on-primary', 'primary'],
    ['text', 'mark'],
    ['muted', 'mark'],
    ['sent', 'mark'],
    ['received', 'mark'],
    ['danger', 'danger-soft'],
    ['warn', 'sent-soft'],
    ['focus', 'surface'],
    ['focus', 'raised'],
  ])('%s can be read on %s', (ink, ground) => {
    expect(contrast(colours.get(ink)!, colours.get(ground)!)).toBeGreaterThanOrEqual(TEXT);
  });

  it.each(GROUNDS.map((ground) => ['focus', ground] as const).concat([['line-strong', 'surface'], ['line-strong', 'raised']] as never))('%s can be seen on %s', (shape, ground) => {
    expect(contrast(colours.get(shape)!, colours.get(ground)!)).toBeGreaterThanOrEqual(SHAPE);
  });
});
