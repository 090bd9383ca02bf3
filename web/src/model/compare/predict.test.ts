import { describe, expect, it } from 'vitest';
import type { Lane, Meter } from '../../wire/generated';
import { predict, type Predicted } from './predict';
import { type LanePremises, premisesOf, segmentTo } from './premises';
import type { Summary } from './samples';

const premises: LanePremises = { rate: 10, payload: 64, poll: 1, arrivals: 'poisson', seconds: 120, messages: 1200, segment: 65_483 };
const summary = (over: Partial<Summary> = {}): Summary => ({ samples: 1200, mean: 500, p50: 500, p95: 950, p99: 990, max: 999, ...over });
const meter = (over: Partial<Meter> = {}): Meter => ({
  id: 'm1', requests: 1, empty_requests: 0, full_requests: 0, events: 0, connections: 1, open_connections: 0, bytes_up: 0, bytes_down: 0, body_down: 0,
  segments: { data_up: 0, data_down: 0, acks_up: 0, acks_down: 0 }, cpu_us: 0, ...over,
});
const said = (lane: Lane, counted: Partial<Meter>, delay: Summary | null = summary(), over: Partial<LanePremises> = {}): Predicted => predict(lane, { ...premises, ...over }, meter(counted), delay, undefined);

describe('predict', () => {
  it('has a short poll ask once an interval and find messages half of it old', () => {
    expect(said('short_poll', { requests: 121 })).toMatchObject({ requests: 121, mean_delay_ms: 500, requests_agree: true, delay_agrees: true });
    expect(said('short_poll', { requests: 160 }, summary({ mean: 600 }))).toMatchObject({ requests_agree: false, delay_agrees: false });
  });

  it('has a long poll asked once a message, less those that come together', () => {
    expect(said('long_poll', { requests: 1000 }, summary({ mean: 2, p50: 10 })).requests).toBeCloseTo(1200 / (0.2 + Math.exp(-0.2)) + 2);
    expect(said('long_poll', { requests: 1240 }, summary({ p50: 10 })).requests_agree).toBe(true);
    expect(said('long_poll', { requests: 1000 }, summary({ p50: 10 })).requests_agree).toBe(false);
    expect(said('long_poll', {}, summary({ p50: 10 }), { arrivals: 'regular' as const }).requests).toBe(1202);
  });

  it('knows that a long poll’s messages wait for each other when there are many', () => {
    // Round trips of 4.4 ms at 300 a second: 1.3 messages come meanwhile, and half of all take 3.9 ms.
    const many = { rate: 300, messages: 1500 };
    expect(said('long_poll', {}, summary({ p50: 3.94 }), many).requests).toBeCloseTo(1500 / (1.32 + Math.exp(-1.32)) + 2, -1);
    expect(said('long_poll', { requests: 940 }, summary({ p50: 3.94 }), many).requests_agree).toBe(true);
    expect(said('long_poll', { requests: 600 }, summary({ p50: 3.94 }), many).requests_agree).toBe(false);
    // Even ones that come faster than a round trip takes: a whole one waits for the next question.
    expect(said('long_poll', {}, summary({ p50: 10 }), { ...many, arrivals: 'regular' as const }).requests).toBeCloseTo(1500 / 3 + 2);
  });

  it('has messages told together that are read together', () => {
    const prices = { before: 1, up: 1, down: 1, segmentsUp: 1, segmentsDown: 1, event: 1, json: 1, around: 1, reads: 600 };
    const requests = (lane: Lane, reads: number, over: Partial<LanePremises>): number => predict(lane, { ...premises, ...over }, meter(), summary({ p50: 0 }), { ...prices, reads }).requests;
    expect(requests('long_poll', 600, {})).toBe(602);
    // 1,500 events an interval are more than a page, 750 are not.
    const many = { rate: 1500, messages: 180_000, arrivals: 'regular' as const };
    expect(requests('short_poll', 180_000, many)).toBe(241);
    expect(requests('short_poll', 90_000, many)).toBe(121);
  });

  it('lets messages at even intervals keep step with polls', () => {
    const even = { rate: 2, poll: 0.5, arrivals: 'regular' as const };
    expect(said('short_poll', {}, summary({ mean: 40, p50: 40, p95: 260, max: 280 }), even)).toMatchObject({ delay_agrees: true, figures: { p50: { agrees: true }, p95: { agrees: true } } });
    expect(said('short_poll', {}, summary({ mean: 40, p50: 40 }), { ...even, rate: 20 })).toMatchObject({ delay_agrees: false, figures: { p50: { agrees: false } } });
  });

  it('has a push asked for once, with no delay of its own', () => {
    expect(said('sse', {}, summary({ mean: 3 }))).toMatchObject({ requests: 1, mean_delay_ms: 0, requests_agree: true, delay_agrees: true });
    expect(said('websocket', { requests: 9 }, summary({ mean: 30 }))).toMatchObject({ requests_agree: false, delay_agrees: false });
  });

  it('gives no verdict on fewer samples than it says', () => {
    expect(said('sse', {}, null).delay_agrees).toBeNull();
    const few = said('short_poll', { requests: 121 }, summary({ samples: 19 }));
    expect(few).toMatchObject({ requests_agree: true, delay_agrees: null, figures: { p50: { value: 500, agrees: null }, max: { agrees: null }, connections: { agrees: true } } });
    expect(said('short_poll', { requests: 121 }, summary({ samples: 20 })).delay_agrees).toBe(true);
    const one = said('websocket', {}, summary({ samples: 1, mean: 1 }), { messages: 1 });
    expect([one.requests, one.requests_agree, one.delay_agrees]).toEqual([1, null, null]);
    expect(Object.values(one.figures).every(({ agrees }) => agrees === null)).toBe(true);
  });

  it('gives no verdict that rests on a law nobody knows: how somebody else’s messages come', () => {
    const bursts = { arrivals: 'unknown' as const };
    const short = said('short_poll', { requests: 121, empty_requests: 100 }, summary({ mean: 40, max: 90 }), bursts);
    expect(short).toMatchObject({ requests_agree: true, delay_agrees: null, figures: { p50: { agrees: null }, p95: { agrees: null }, max: { agrees: true }, empty_requests: { agrees: null }, full_requests: { agrees: null } } });
    expect(said('long_poll', { requests: 40, empty_requests: 30 }, summary(), bursts)).toMatchObject({ requests_agree: null, figures: { empty_requests: { agrees: null } } });
    expect(said('sse', {}, summary({ mean: 1 }), bursts)).toMatchObject({ requests_agree: true, delay_agrees: true, figures: { connections: { agrees: true } } });
  });

  it('knows the quantiles of delays that are spread evenly', () => {
    const { figures } = said('short_poll', { requests: 121 });
    expect(figures.p50).toEqual({ value: 500, at_most: false, agrees: true });
    expect(figures.p95?.value).toBeCloseTo(950);
    expect(figures.max).toEqual({ value: 1000, at_most: true, agrees: true });
    expect(said('short_poll', {}, summary({ p50: 700, max: 1300 })).figures).toMatchObject({ p50: { agrees: false }, max: { agrees: false } });
    expect(said('websocket', {}).figures.p50).toBeUndefined();
  });

  it('knows how often nothing comes within an interval', () => {
    const slow = { rate: 0.5 };
    const { empty_requests: empty } = said('short_poll', { requests: 100, empty_requests: 61 }, summary(), slow).figures;
    expect(empty?.value).toBeCloseTo(60.65, 1);
    expect(empty?.agrees).toBe(true);
    expect(said('short_poll', { requests: 100, empty_requests: 5 }, summary(), slow).figures.empty_requests?.agrees).toBe(false);
    expect(said('short_poll', { requests: 100 }, summary(), { ...slow, arrivals: 'regular' as const }).figures.empty_requests?.value).toBe(50);
    expect(said('websocket', {}).figures.empty_requests).toEqual({ value: 0, at_most: false, agrees: true });
  });

  it('knows when more comes in an interval than a page holds', () => {
    expect(said('short_poll', {}).figures.full_requests).toEqual({ value: 0, at_most: false, agrees: true });
    expect(said('short_poll', { full_requests: 1 }).figures.full_requests?.agrees).toBe(false);
    // 2,500 events an interval are two full pages and a half; 3.4 MiB are three pages of one MiB and some.
    for (const [over, pages] of [[{ rate: 500, poll: 5 }, 2], [{ rate: 55, poll: 1, payload: 65_536 }, 3]] as const) {
      const ticks = premises.seconds / over.poll;
      const predicted = (full: number): Predicted => said('short_poll', { full_requests: full, requests: ticks + 1 + full }, summary(), { ...over, messages: over.rate * premises.seconds, arrivals: 'regular' as const });
      expect(predicted(pages * ticks)).toMatchObject({ requests: ticks + 1 + pages * ticks, requests_agree: true, figures: { full_requests: { value: pages * ticks, agrees: true } } });
      expect(predicted(0).figures.full_requests?.agrees).toBe(false);
    }
    // Where a whole number of pages is near, luck says on which side of it an interval is.
    expect(said('short_poll', { full_requests: 60 }, summary(), { rate: 1000, messages: 120_000 }).figures.full_requests?.agrees).toBe(true);
    expect(said('short_poll', { full_requests: 1 }, summary(), { rate: 500, poll: 5, messages: 3000 }).figures.full_requests?.agrees).toBe(true);
    expect(said('long_poll', { full_requests: 1 }, summary(), { rate: 1000 }).figures.full_requests?.agrees).toBe(false);
  });

  it('knows how many connections a browser has, and that an idle one is closed', () => {
    const connections = (lane: Lane, counted: Partial<Meter>, over = {}): unknown => said(lane, counted, summary(), over).figures.connections;
    expect(connections('sse', {})).toEqual({ value: 1, at_most: false, agrees: true });
    expect(connections('sse', { connections: 2 })).toMatchObject({ agrees: false });
    expect(connections('long_poll', { requests: 900, connections: 6 })).toEqual({ value: 6, at_most: true, agrees: true });
    expect(connections('short_poll', { requests: 900, connections: 7 })).toMatchObject({ agrees: false });
    expect(connections('short_poll', { requests: 9, connections: 9 }, { poll: 15 })).toEqual({ value: 9, at_most: true, agrees: true });
  });

  it('says nothing of bytes where prices are not known, and nothing of the machine’s time', () => {
    const { figures } = said('websocket', {});
    expect(figures.bytes_up).toBeUndefined();
    expect(Object.keys(figures).some((name) => name.includes('cpu'))).toBe(false);
  });
});

describe('premisesOf', () => {
  const settings = { source: 'ticker', rate: 5, payload: 32, regular: true, seconds: 9, poll: 2, binary: false } as const;

  it('are what was set, of a ticker', () => {
    expect(premisesOf(settings, 9.5, 40, 1280, 'localhost')).toEqual({ rate: 5, payload: 32, poll: 2, arrivals: 'regular', seconds: 9.5, segment: 65_483 });
    expect(premisesOf({ ...settings, regular: false }, 9, 40, 1280, 'localhost').arrivals).toBe('poisson');
  });

  it('are what was seen, of somebody else’s socket, whatever is set', () => {
    expect(premisesOf({ ...settings, source: 's3' }, 10, 40, 800, 'example.org')).toEqual({ rate: 4, payload: 20, poll: 2, arrivals: 'unknown', seconds: 10, segment: 1448 });
    expect(premisesOf({ ...settings, source: 's3' }, 0, 0, 0, 'localhost')).toMatchObject({ rate: 0, payload: 0 });
  });
});

describe('segmentTo', () => {
  it('is long on loopback and as long as an Ethernet lets it elsewhere', () => {
    expect(['127.0.0.1', 'localhost', '[::1]'].map(segmentTo)).toEqual([65_483, 65_483, 65_483]);
    expect(segmentTo('example.org')).toBe(1448);
  });
});
