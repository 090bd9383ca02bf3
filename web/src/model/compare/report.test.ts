import { describe, expect, it } from 'vitest';
import { premisesOf } from './premises';
import { csvLine, csvOf, type LaneReport, LANES, type Report, reportSettings } from './report';
import { DEFAULTS } from './settings';

const lane = (over: Partial<LaneReport> = {}): LaneReport => ({
  name: 'sse', requests: 1, empty_requests: 0, full_requests: 0, bytes_up: 200, bytes_down: 9000, body_down: 8000, json_down: 7000, events: 3, missing: 0, complete: true,
  delay_ms: { samples: 3, mean: 1.5, p50: 1, p95: 2, p99: null, max: 2 }, segments: { data_up: 1, data_down: 4, acks_up: 4, acks_down: 1 }, cpu_us: 77, connections: 1,
  predicted: { requests: 1, mean_delay_ms: 0, requests_agree: true, delay_agrees: true, figures: { acks_up: { value: 7, at_most: true, agrees: true } } }, in_order: true, not_timed: 0, broke: null, ...over,
});
const report = (over: Partial<Report> = {}): Report => ({ settings: reportSettings(DEFAULTS, 'h:1'), seconds: 30, sent: 3, clock_uncertainty_ms: 0.2, reference: null, lanes: [lane()], complete: true, ending: 'whole', premises: premisesOf(DEFAULTS, 30, 3, 192, 'h'), ...over });

describe('a report', () => {
  it('has the names sockscope compare --json has', () => {
    const keys = Object.keys(JSON.parse(JSON.stringify(report())) as object);
    expect(keys).toEqual(['settings', 'seconds', 'sent', 'clock_uncertainty_ms', 'reference', 'lanes', 'complete', 'ending', 'premises']);
    expect(Object.keys(reportSettings(DEFAULTS, ''))).toEqual(expect.arrayContaining(['rate', 'seconds', 'payload', 'viewers', 'poll_interval', 'server', 'regular']));
  });

  it('is as many cells a line in CSV as there are heads', () => {
    const reference = { samples: 3, mean: 1, p50: 1, p95: 1, p99: null, max: 1 };
    const lines = csvOf(report({ reference, lanes: LANES.map((name) => lane({ name })) })).trimEnd().split('\r\n');
    expect(lines).toHaveLength(6);
    expect(new Set(lines.map((line) => line.split(',').length)).size).toBe(1);
    expect(lines[1]).toMatch(/^raw_socket,3,1,/u);
    const broken = csvOf(report({ complete: false, ending: 'died', lanes: [lane({ predicted: null })] })).trimEnd().split('\r\n');
    expect(broken[1]).toMatch(/,true,died,,,,,/u);
    expect(new Set(broken.map((line) => line.split(',').length)).size).toBe(1);
  });
});

describe('csvLine', () => {
  it('quotes what would break a line, and lets no formula through', () => {
    expect(csvLine(['a,b', 'c"d', 1, null, true])).toBe('"a,b","c""d",1,,true\r\n');
    expect(csvLine(['=1+1', '-2', -2])).toBe("'=1+1,'-2,-2\r\n");
  });
});
