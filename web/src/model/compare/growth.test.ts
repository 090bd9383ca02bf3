import { describe, expect, it } from 'vitest';
import type { Meter } from '../../wire/generated';
import { costColumns, costOf, costsCsv } from './growth';

const meter = (over: Partial<Meter>): Meter => ({
  id: 'm1', requests: 0, empty_requests: 0, full_requests: 0, events: 0, connections: 0, open_connections: 0, bytes_up: 0, bytes_down: 0, body_down: 0,
  segments: { data_up: 0, data_down: 0, acks_up: 0, acks_down: 0 }, cpu_us: 0, ...over,
});

describe('the cost of many', () => {
  const cost = costOf('sse', 10, meter({ requests: 10, bytes_up: 100, cpu_us: 500 }), meter({ requests: 10, bytes_up: 100, bytes_down: 4000, cpu_us: 8500 }), 4, 10);

  it('is what passed between two readings, a second', () => {
    expect(cost).toEqual({ lane: 'sse', viewers: 10, requests: 0, bytes: 1000, cpu: 2, complete: 10 });
  });

  it('is a column a lane, with holes where nothing was measured', () => {
    const columns = costColumns([cost, { ...cost, lane: 'websocket', viewers: 1, bytes: 5 }], 'bytes');
    expect(columns).toEqual([[1, 10], [null, null], [null, null], [null, 1000], [5, null]]);
  });

  it('is CSV too', () => {
    expect(costsCsv([cost]).split('\r\n')).toEqual(['lane,viewers,requests_per_s,bytes_per_s,cpu_ms_per_s,complete', 'sse,10,0,1000,2,10', '']);
  });
});
