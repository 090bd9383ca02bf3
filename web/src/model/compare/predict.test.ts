import { describe, expect as expectThat, it } from 'vitest';
import { expect, predict } from './predict';
import type { Summary } from './samples';

const premises = { rate: 10, poll: 1, regular: false, seconds: 120 };
const summary = (over: Partial<Summary> = {}): Summary => ({ samples: 1200, mean: 500, p50: 500, p95: 950, p99: 990, max: 999, ...over });
const meter = (requests: number, empty_requests = 0, connections = 1) => ({ requests, empty_requests, connections });

describe('predict', () => {
  it('has a short poll ask once an interval and find messages half of it old', () => {
    const said = predict('short_poll', premises, meter(121), summary());
    expectThat(said).toEqual({ requests: 121, mean_delay_ms: 500, requests_agree: true, delay_agrees: true });
    expectThat(predict('short_poll', premises, meter(160), summary({ mean: 600 }))).toMatchObject({ requests_agree: false, delay_agrees: false });
  });

  it('has a long poll asked once a message, less those that come together', () => {
    expectThat(predict('long_poll', premises, meter(1000), summary({ mean: 2, p50: 10 })).requests).toBeCloseTo(1200 / (0.2 + Math.exp(-0.2)) + 2);
    expectThat(predict('long_poll', premises, meter(1240), summary({ p50: 10 })).requests_agree).toBe(true);
    expectThat(predict('long_poll', premises, meter(1000), summary({ p50: 10 })).requests_agree).toBe(false);
    expectThat(predict('long_poll', { ...premises, regular: true }, meter(1), summary({ p50: 10 })).requests).toBe(1202);
  });

  it('has a push asked for once, with no delay of its own', () => {
    expectThat(predict('sse', premises, meter(1), summary({ mean: 3 }))).toEqual({ requests: 1, mean_delay_ms: 0, requests_agree: true, delay_agrees: true });
    expectThat(predict('websocket', premises, meter(9), summary({ mean: 30 }))).toMatchObject({ requests_agree: false, delay_agrees: false });
  });

  it('agrees with nothing where nothing was measured', () => {
    expectThat(predict('sse', premises, meter(1), null).delay_agrees).toBe(false);
  });
});

describe('expect', () => {
  it('knows the quantiles of delays that are spread evenly', () => {
    const said = expect('short_poll', premises, meter(121), summary());
    expectThat(said.p50).toEqual({ value: 500, atMost: false, agrees: true });
    expectThat(said.p95?.value).toBeCloseTo(950);
    expectThat(said.max).toEqual({ value: 1000, atMost: true, agrees: true });
    expectThat(expect('short_poll', premises, meter(121), summary({ p50: 700, max: 1300 }))).toMatchObject({ p50: { agrees: false }, max: { agrees: false } });
  });

  it('knows how often nothing comes within an interval', () => {
    const slow = { ...premises, rate: 0.5 };
    const said = expect('short_poll', slow, meter(100, 61), summary());
    expectThat(said.empty?.value).toBeCloseTo(60.65, 1);
    expectThat(said.empty?.agrees).toBe(true);
    expectThat(expect('short_poll', slow, meter(100, 5), summary()).empty?.agrees).toBe(false);
    expectThat(expect('short_poll', { ...slow, regular: true }, meter(100, 50), summary()).empty?.value).toBe(50);
  });

  it('knows that a push is never empty, and one connection', () => {
    const said = expect('websocket', premises, meter(1), summary());
    expectThat(said.empty).toEqual({ value: 0, atMost: false, agrees: true });
    expectThat(said.connections?.agrees).toBe(true);
    expectThat(said.p50).toBeUndefined();
    expectThat(expect('sse', premises, meter(1, 0, 2), summary()).connections?.agrees).toBe(false);
  });
});
