import { describe, expect, it } from 'vitest';
import type { Event, Lane } from '../../wire/generated';
import { type Base, pricesOf } from './prices';

const base = (over: Partial<Base> = {}): Base => ({ requests: 1, empty_requests: 0, bytes_up: 300, bytes_down: 700, body_down: 147, segments: { data_up: 1, data_down: 2, acks_up: 0, acks_down: 0 }, ...over });
const poll = base({ requests: 2, empty_requests: 2, bytes_up: 420, bytes_down: 1000, body_down: 294 });
const sample: Event = { seq: 14, t_us: 1_713_620, at: '2026-11-21T10:09:34.565846Z', took_us: 168_313, socket: 's2', type: 'received', len: 64, offset: 128, payload: `${'A'.repeat(86)}==` };
const reads = { count: 100, bytes: 6400, sample, epoch: 'e'.repeat(22) };
const json = JSON.stringify(sample).length;
const of = (lane: Lane, binary = false, over = {}): ReturnType<typeof pricesOf> => pricesOf(lane, lane === 'short_poll' ? poll : base(), poll, { ...reads, ...over }, binary);

describe('pricesOf', () => {
  it('takes a poll’s from what asking for nothing cost', () => {
    expect(of('short_poll')).toMatchObject({ before: 2, up: 210, down: 500, event: json + 1, around: 0, reads: 100 });
    // The long poll’s first answer is held: an empty one costs what a short poll’s does.
    expect(of('long_poll')).toMatchObject({ before: 1, up: 300, down: 500, event: json + 1 });
  });

  it('takes a push’s from what connecting cost, and counts what wraps each event', () => {
    const block = `id: ${'e'.repeat(22)}:14\ndata: ${JSON.stringify(sample)}\n\n`;
    expect(of('sse')).toMatchObject({ up: 300, down: 700, segmentsUp: 1, segmentsDown: 2, event: block.length, around: `${block.length.toString(16)}\r\n\r\n`.length });
    expect(of('websocket')).toMatchObject({ event: json, around: 147 + 4 });
  });

  it('carries payloads as they are in a binary batch', () => {
    const told = JSON.stringify(sample).replace(/"payload":"[^"]*"/u, '"payload_range":[0,64]');
    expect(of('websocket', true)).toMatchObject({ event: told.length + 64, around: 147 + 4 + 4 });
  });

  it('reckons with what was read on average, whatever the sample brought', () => {
    expect(of('websocket', false, { bytes: 100 * 64_000 })).toMatchObject({ event: json - 88 + 85_336, around: 147 + 10 });
  });
});
