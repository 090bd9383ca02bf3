import type { Lane, Meter, MeterSegments } from '../../wire/generated';
import type { ExpectedFigure, Predicted } from './predict';
import type { Premises } from './premises';
import type { Settings } from './settings';
import type { Summary } from './samples';

/** Every lane, from the least to the most like a socket. */
export const LANES: readonly Lane[] = ['short_poll', 'long_poll', 'sse', 'websocket'];

/** How a run ended: with all of it, by whoever watched, because the source died or sent more than is kept, because lanes were late or broke, or not at all well. */
export type Ending = 'whole' | 'stopped' | 'died' | 'flooded' | 'late' | 'broke' | 'failed';

/** What one lane cost and brought; the names are those of `sockscope compare --json`. */
export interface LaneReport {
  readonly name: Lane;
  readonly requests: number;
  readonly empty_requests: number;
  readonly full_requests: number;
  readonly bytes_up: number;
  readonly bytes_down: number;
  readonly body_down: number;
  /** Of the content, the events themselves, reckoned from one of them: the rest is what a page or a stream puts around them. Null where that is not known. */
  readonly json_down: number | null;
  readonly events: number;
  readonly missing: number;
  readonly complete: boolean;
  readonly delay_ms: Summary | null;
  readonly segments: MeterSegments;
  readonly cpu_us: number;
  readonly connections: number;
  /** Null while it runs and of a run that is not whole: what did not run as it was set can be held against nothing. */
  readonly predicted: Predicted | null;
  /** What came, came in order. */
  readonly in_order: boolean;
  /** Messages that came while the tab was hidden or the browser held requests back; they are in no delay. */
  readonly not_timed: number;
  /** Why it ended before the source did. */
  readonly broke: string | null;
}

/** What one comparison found. */
export interface Report {
  readonly settings: ReportSettings;
  readonly seconds: number;
  readonly sent: number;
  readonly clock_uncertainty_ms: number;
  readonly reference: Summary | null;
  readonly lanes: readonly LaneReport[];
  readonly complete: boolean;
  /** Null while it runs. */
  readonly ending: Ending | null;
  /** What the predictions reckon with. */
  readonly premises: Premises;
}

interface ReportSettings {
  readonly rate: number;
  readonly seconds: number;
  readonly payload: number;
  readonly viewers: 1;
  readonly poll_interval: number;
  readonly server: string;
  readonly regular: boolean;
  readonly source: string;
  readonly websocket: 'text' | 'binary';
}

/** Settings by the names of `sockscope compare --json`. */
export function reportSettings(settings: Settings, server: string): ReportSettings {
  const { rate, seconds, payload, poll, regular, source, binary } = settings;
  return { rate, seconds, payload, viewers: 1, poll_interval: poll, server, regular, source, websocket: binary ? 'binary' : 'text' };
}

/** A meter's part of a lane's report. */
export function metered(meter: Meter): Pick<LaneReport, 'requests' | 'empty_requests' | 'full_requests' | 'bytes_up' | 'bytes_down' | 'body_down' | 'segments' | 'cpu_us' | 'connections'> {
  const { requests, empty_requests, full_requests, bytes_up, bytes_down, body_down, segments, cpu_us, connections } = meter;
  return { requests, empty_requests, full_requests, bytes_up, bytes_down, body_down, segments, cpu_us, connections };
}

/** Predicted figures that have columns: with one that is not known they stay empty. */
const EXPECTED: readonly ExpectedFigure[] = ['p50', 'p95', 'max', 'empty_requests', 'full_requests', 'bytes_up', 'bytes_down', 'bytes_per_event', 'data_up', 'data_down', 'acks_up', 'acks_down', 'connections'];

const COLUMNS = [
  'lane', 'samples', 'mean_ms', 'p50_ms', 'p95_ms', 'p99_ms', 'max_ms', 'requests', 'empty_requests', 'full_requests', 'bytes_up', 'bytes_down', 'body_down',
  'data_segments_up', 'data_segments_down', 'acks_up', 'acks_down', 'cpu_us', 'connections', 'events', 'missing', 'not_timed', 'complete', 'ending', 'predicted_requests', 'requests_agree', 'predicted_mean_ms', 'delay_agrees',
  ...EXPECTED.flatMap((figure) => [`predicted_${figure}`, `${figure}_agrees`]), 'broke',
];

/** A line of CSV (RFC 4180). Text that a spreadsheet would take for a formula is made plain text. */
export function csvLine(cells: readonly (string | number | boolean | null)[]): string {
  return `${cells.map((cell) => {
    if (typeof cell !== 'string') return cell === null ? '' : String(cell);
    const plain = /^[=+\-@\t\r]/u.test(cell) ? `'${cell}` : cell;
    return /[",\r\n]/u.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  }).join(',')}\r\n`;
}

/** A report as CSV: a line a lane, the reference first. */
export function csvOf(report: Report): string {
  const delays = (summary: Summary | null): (number | null)[] =>
    summary === null ? [null, null, null, null, null, null] : [summary.samples, summary.mean, summary.p50, summary.p95, summary.p99, summary.max];
  let text = csvLine(COLUMNS);
  if (report.reference !== null) text += csvLine(['raw_socket', ...delays(report.reference), ...COLUMNS.slice(7).map(() => null)]);
  for (const lane of report.lanes) {
    const { segments, predicted } = lane;
    text += csvLine([
      lane.name, ...delays(lane.delay_ms), lane.requests, lane.empty_requests, lane.full_requests, lane.bytes_up, lane.bytes_down, lane.body_down,
      segments.data_up, segments.data_down, segments.acks_up, segments.acks_down, lane.cpu_us, lane.connections, lane.events, lane.missing, lane.not_timed, lane.complete, report.ending,
      predicted?.requests ?? null, predicted?.requests_agree ?? null, predicted?.mean_delay_ms ?? null, predicted?.delay_agrees ?? null,
      ...EXPECTED.flatMap((figure) => [predicted?.figures[figure]?.value ?? null, predicted?.figures[figure]?.agrees ?? null]), lane.broke,
    ]);
  }
  return text;
}
