import { describe, expect, it } from 'vitest';
import { utf8 } from '../fixtures';
import { cutByReads, framed, framingOf, gathered, type Wanted } from './frames';
import { Ruler } from './stream';

const WANTED: Wanted = { by: 'delimiter', delimiter: '\\r\\n', size: '2', order: 'big', includes: false, fixed: '4' };
const spans = (bytes: Uint8Array, wanted: Partial<Wanted>, base = 0) => framed(bytes, base, framingOf({ ...WANTED, ...wanted })!).messages.map(({ from, to, whole, body }) => [from, to, whole, ...body]);

describe('framed', () => {
  it('cuts at a delimiter, and knows what is not whole', () => {
    expect(spans(utf8('ab\r\n\r\nc\r'), {})).toEqual([[0, 4, true, 0, 2], [4, 6, true, 4, 4], [6, 8, false, 6, 8]]);
  });

  it('cuts by a length before each message, of any size and order, with or without itself', () => {
    expect(spans(Uint8Array.of(1, 65, 2, 66, 67, 3, 68), { by: 'length', size: '1' })).toEqual([[0, 2, true, 1, 2], [2, 5, true, 3, 5], [5, 7, false, 6, 7]]);
    expect(spans(Uint8Array.of(0, 1, 65), { by: 'length', size: '2' })).toEqual([[0, 3, true, 2, 3]]);
    expect(spans(Uint8Array.of(1, 0, 65), { by: 'length', size: '2', order: 'little' })).toEqual([[0, 3, true, 2, 3]]);
    expect(spans(Uint8Array.of(0, 0, 0, 5, 65, 0), { by: 'length', size: '4', includes: true })).toEqual([[0, 5, true, 4, 5], [5, 6, false, 6, 6]]);
  });

  it('says where a length makes no sense', () => {
    const framing = framingOf({ ...WANTED, by: 'length', size: '2', includes: true })!;
    expect(framed(Uint8Array.of(0, 3, 65, 0, 1), 100, framing)).toMatchObject({ wrongAt: 103, messages: [{ from: 100, to: 103 }] });
  });

  it('cuts into a fixed size', () => {
    expect(spans(utf8('abcdefghij'), { by: 'fixed' }, 7)).toEqual([[7, 11, true, 7, 11], [11, 15, true, 11, 15], [15, 17, false, 15, 17]]);
  });

  it('takes no framing that is none', () => {
    for (const wrong of [{ delimiter: '' }, { delimiter: '\\q' }, { by: 'fixed', fixed: '0' }, { by: 'fixed', fixed: '1.5' }] as Partial<Wanted>[]) expect(framingOf({ ...WANTED, ...wrong })).toBeUndefined();
  });
});

describe('gathered', () => {
  const ruler = (...pieces: [number, number, number][]) => {
    const made = new Ruler();
    for (const [seq, from, to] of pieces) made.add({ seq, from, to, atUs: 0 });
    return made;
  };
  const bytes: Record<number, Uint8Array> = { 1: utf8('abc'), 2: utf8('de'), 3: utf8('abcd'), 4: utf8('efgh') };

  it('puts the stream together from either side', () => {
    const all = gathered([ruler([1, 0, 3], [2, 3, 8]), ruler([3, 0, 4], [4, 4, 8])], (seq) => bytes[seq]);
    expect(new TextDecoder().decode(all.bytes)).toBe('abcdefgh');
    expect(all.hole).toBeUndefined();
  });

  it('says where a hole begins and which event has its bytes', () => {
    const all = gathered([ruler([1, 0, 3], [2, 3, 8])], (seq) => bytes[seq]);
    expect(all).toMatchObject({ base: 0, hole: { at: 5, seq: 2 } });
    expect(gathered([ruler([9, 40, 50])], () => undefined)).toMatchObject({ base: 40, hole: { at: 40, seq: 9 } });
  });

  it('stops where enough is enough', () => {
    expect(gathered([ruler([1, 0, 3])], (seq) => bytes[seq], 2).bytes).toHaveLength(2);
  });
});

describe('cutByReads', () => {
  it('counts messages that end in a later read than they began in', () => {
    const { messages } = framed(utf8('ab\ncd\nef\n'), 0, framingOf({ ...WANTED, delimiter: '\\n' })!);
    const read = (from: number, to: number) => ({ from, to, seq: 1, atUs: 0 });
    expect(cutByReads(messages, [read(0, 4), read(4, 9)])).toBe(1);
    expect(cutByReads(messages, [read(0, 9)])).toBe(0);
    expect(cutByReads(messages, [])).toBe(0);
  });
});
