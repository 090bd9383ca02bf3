import { describe, expect, it } from 'vitest';
import type { Lane, Meter } from '../../wire/generated';
import { acknowledged, bill, type BillFigure } from './bill';
import type { LanePremises } from './premises';
import type { Prices } from './prices';

const premises: LanePremises = { rate: 10, payload: 64, poll: 1, arrivals: 'poisson', seconds: 60, messages: 600, segment: 65_483 };
const polls: Prices = { before: 1, up: 210, down: 500, segmentsUp: 1, segmentsDown: 1, event: 250, json: 240, around: 0, reads: 600 };
const stream: Prices = { before: 1, up: 210, down: 600, segmentsUp: 1, segmentsDown: 1, event: 300, json: 240, around: 7, reads: 600 };
const socket: Prices = { before: 1, up: 300, down: 700, segmentsUp: 1, segmentsDown: 2, event: 250, json: 240, around: 150, reads: 600 };
const asked = { value: 61, slack: 5 };

type Counted = Pick<Meter, 'bytes_up' | 'bytes_down' | 'segments'>;
const counted = (up: number, down: number, dataUp: number, dataDown: number): Counted => ({ bytes_up: up, bytes_down: down, segments: { data_up: dataUp, data_down: dataDown, acks_up: 0, acks_down: 0 } });

/** Which figures are not as predicted. */
function differing(lane: Lane, prices: Prices, meter: Counted, over: Partial<LanePremises> = {}): string[] {
  const figures = bill(lane, { ...premises, ...over }, prices, asked, meter);
  return (Object.keys(figures) as BillFigure[]).filter((name) => !figures[name]!.agrees);
}

describe('bill', () => {
  it('has a poll pay a request and an answer each time, and each message once', () => {
    const figures = bill('short_poll', premises, polls, asked, counted(0, 0, 0, 0));
    expect([figures.bytes_up?.value, figures.bytes_down?.value]).toEqual([61 * 210, 61 * 500 + 600 * 250]);
    expect(figures.bytes_per_event?.value).toBeCloseTo((61 * 710 + 600 * 250) / 600);
    expect([figures.data_up?.value, figures.data_down?.value]).toEqual([61, 61]);
    expect(differing('short_poll', polls, counted(61 * 212, 61 * 505 + 600 * 252, 61, 61))).toEqual([]);
  });

  it('sees where a poll’s headers, messages or segments are more or fewer', () => {
    expect(differing('short_poll', polls, counted(61 * 300, 61 * 500 + 600 * 250, 61, 61))).toContain('bytes_up');
    expect(differing('short_poll', polls, counted(61 * 210, 61 * 500 + 600 * 300, 61, 61))).toEqual(['bytes_down', 'bytes_per_event']);
    expect(differing('short_poll', polls, counted(61 * 210, 61 * 500 + 600 * 250, 61, 122))).toEqual(['data_down']);
    expect(differing('short_poll', polls, counted(61 * 210, 61 * 500 + 600 * 250, 122, 61))).toEqual(['data_up']);
  });

  it('has a push pay once, and a push a message', () => {
    const figures = bill('sse', premises, stream, asked, counted(0, 0, 0, 0));
    expect([figures.bytes_up?.value, figures.bytes_down?.value]).toEqual([210, 600 + 600 * 307]);
    expect([figures.data_up?.value, figures.data_down?.value]).toEqual([1, 602]);
    expect(differing('sse', stream, counted(210, 600 + 590 * 307, 1, 595))).toEqual([]);
    expect(differing('sse', stream, counted(420, 600 + 600 * 400, 4, 400))).toEqual(['bytes_up', 'bytes_down', 'bytes_per_event', 'data_up', 'data_down']);
  });

  it('counts a WebSocket’s signs of life', () => {
    const figures = bill('websocket', premises, socket, asked, counted(0, 0, 0, 0));
    expect([figures.bytes_up?.value, figures.bytes_down?.value]).toEqual([300 + 3 * 6 + 8, 700 + 3 * 2 + 600 * 400]);
    expect([figures.data_up?.value, figures.data_down?.value]).toEqual([5, 606]);
    expect(differing('websocket', socket, counted(300 + 3 * 6 + 8, 700 + 600 * 400, 5, 600))).toEqual([]);
    expect(differing('websocket', socket, counted(400, 700 + 600 * 250, 5, 600))).toEqual(['bytes_up', 'bytes_down', 'bytes_per_event']);
  });

  it('lets messages come together as often as their rate says, and no more', () => {
    const few = (pushes: number): Counted => counted(210, 600 + 600 * 300 + pushes * 7, 1, 1 + pushes);
    expect(differing('sse', stream, few(540))).toEqual([]);
    expect(differing('sse', stream, few(500))).toEqual(['data_down']);
    expect(differing('sse', stream, few(500), { rate: 100 })).toEqual([]);
    // At even intervals longer than a batch, none do.
    expect(differing('sse', stream, few(590), { arrivals: 'regular' })).toEqual(['data_down']);
  });

  it('cuts what is longer than a segment', () => {
    const large = { ...stream, event: 90_000, reads: 10 };
    const figures = bill('sse', { ...premises, arrivals: 'regular' }, large, asked, counted(210, 0, 1, 31));
    expect(figures.data_down).toEqual({ value: 22, at_most: false, agrees: true });
    expect(bill('sse', { ...premises, arrivals: 'regular' }, large, asked, counted(210, 0, 1, 41)).data_down?.agrees).toBe(false);
    const far = bill('short_poll', { ...premises, segment: 1448 }, polls, asked, counted(0, 0, 0, 61 * 3));
    expect(far.data_down).toMatchObject({ value: 61 * 3, agrees: true });
  });
});

describe('acknowledged', () => {
  const acks = (up: number, down: number): unknown => acknowledged({ connections: 2, segments: { data_up: 10, data_down: 20, acks_up: up, acks_down: down } });

  it('is at most once a segment, beside three a connection', () => {
    expect(acks(26, 16)).toEqual({ acks_up: { value: 26, at_most: true, agrees: true }, acks_down: { value: 16, at_most: true, agrees: true } });
    expect(acks(27, 17)).toMatchObject({ acks_up: { agrees: false }, acks_down: { agrees: false } });
  });
});
