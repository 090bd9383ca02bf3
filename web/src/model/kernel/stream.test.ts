import { describe, expect, it } from 'vitest';
import { events } from '../fixtures';
import type { Fact } from '../../wire/generated';
import { blocks, Ruler, Streams } from './stream';

const piece = (from: number, to: number, seq = from + 1) => ({ from, to, seq, atUs: 0 });
const segment = (sender: 'local' | 'peer', offset: number, len: number, socket = 's1'): Fact & { socket: string } => ({ type: 'segment', socket, sender, protocol: 'tcp', interface: 'lo', len, offset, frame_len: len + 66, pieces: 2, mss: 10 });

describe('Streams', () => {
  it('tells the directions apart, whoever tells of them', () => {
    const streams = new Streams('s1');
    const facts: (Fact & { socket: string })[] = [
      { type: 'sent', socket: 's1', len: 5, offset: 0 },
      { type: 'received', socket: 's2', len: 5, offset: 0 },
      { type: 'sent', socket: 's2', len: 7, offset: 0 },
      { type: 'received', socket: 's1', len: 3, offset: 0 },
      segment('local', 0, 5),
      segment('peer', 0, 7),
      segment('local', 7, 2, 's2'),
      { type: 'segment', socket: 's1', sender: 'local', protocol: 'tcp', interface: 'lo', len: 0, frame_len: 66 },
      { type: 'sent', socket: 's1', len: 9 },
    ];
    for (const event of events(1, facts)) streams.add(event);
    const { out, in: back } = streams;
    expect([out.written.pieces.length, out.wire.pieces.length, out.read.pieces.length]).toEqual([1, 1, 1]);
    expect([back.written.pieces.length, back.wire.pieces.length, back.read.pieces.length]).toEqual([1, 2, 1]);
    expect([out.end, back.end, back.start]).toEqual([5, 9, 0]);
    expect(out.wire.pieces[0]).toMatchObject({ pieces: 2, mss: 10 });
  });
});

describe('Ruler', () => {
  it('keeps its order, whatever comes late, and finds what reaches beyond a place', () => {
    const ruler = new Ruler();
    for (const [from, to] of [[0, 10], [20, 30], [10, 20], [5, 40]] as const) ruler.add(piece(from, to));
    expect(ruler.pieces.map(({ from }) => from)).toEqual([0, 5, 10, 20]);
    expect(ruler.end).toBe(40);
    expect([ruler.after(0), ruler.after(10), ruler.after(35), ruler.after(40)]).toEqual([0, 1, 1, 4]);
    expect(ruler.beginning(6)).toBe(2);
  });

  it('draws no more blocks than there is room for, however many pieces there are', () => {
    const ruler = new Ruler();
    for (let i = 0; i < 100_000; i += 1) ruler.add(piece(i * 2, i * 2 + 2));
    const drawn = blocks(ruler, 0, 200_000 / 600, 600);
    expect(drawn.length).toBeLessThanOrEqual(200);
    expect(drawn.reduce((sum, { count }) => sum + count, 0)).toBe(100_000);
  });

  it('draws each piece by itself where there is room, and only what is in view', () => {
    const ruler = new Ruler();
    for (let i = 0; i < 1000; i += 1) ruler.add(piece(i * 10, i * 10 + 10));
    const drawn = blocks(ruler, 105, 1, 30);
    expect(drawn.map(({ first, count, x, width }) => [first, count, x, width])).toEqual([[10, 1, -5, 10], [11, 1, 5, 10], [12, 1, 15, 10], [13, 1, 25, 10]]);
  });
});
