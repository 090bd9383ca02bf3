import { describe, expect, it } from 'vitest';
import type { Meter } from '../../wire/generated';
import { costColumns, costOf, costsCsv, crowdSeconds } from './growth';

const meter = (over: Partial<Meter>): Meter => ({
  id: 'm1', requests: 0, empty_requests: 0, full_requests: 0, events: 0, connections: 0, open_connections: 0, bytes_up: 0, bytes_down: 0, body_down: 0,
  segments: { data_up: 0, data_down: 0, acks_up: 0, acks_down: 0 }, cpu_us: 0, ...over,
});

describe('the cost of many', () => {
  const cost = costOf('sse', 10, meter({ requests: 10, bytes_up: 100, cpu_us: 500 }), meter({ requests: 10, bytes_up: 100, bytes_down: 4000, cpu_us: 8500 }), { messages: 20, seconds: 4 }, 10);

  it('is what passed between two readings, a second of the source’s and a message', () => {
    expect(cost).toEqual({ lane: 'sse', viewers: 10, messages: 20, seconds: 4, requests: 0, bytes: 1000, cpu: 2, bytes_each: 20, cpu_each: 40, complete: 10 });
    expect(costOf('sse', 1, meter({}), meter({}), { messages: 0, seconds: 5 }, 1)).toMatchObject({ bytes_each: null, cpu_each: null });
  });

  it('is of five seconds, or of as many as a few rare messages take', () => {
    expect([1000, 5, 0.6, 0.5, 0.1].map(crowdSeconds)).toEqual([5, 5, 5, 6, 30]);
  });

  it('is a column a lane, with holes where nothing was measured', () => {
    const columns = costColumns([cost, { ...cost, lane: 'websocket', viewers: 1, bytes: 5 }], 'bytes');
    expect(columns).toEqual([[1, 10], [null, null], [null, null], [null, 1000], [5, null]]);
  });

  it('is CSV too', () => {
    expect(costsCsv([cost]).split('\r\n')).toEqual(['lane,viewers,messages,seconds,requests_per_s,bytes_per_s,cpu_ms_per_s,bytes_per_message,cpu_us_per_message,complete', 'sse,10,20,4,0,1000,2,20,40,10', '']);
  });
});
