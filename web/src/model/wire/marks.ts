import type { SegmentMark } from '../../wire/generated';
import type { SegmentEvent } from '../log/segments';

/** What is remarkable about a segment: what the server marked, and what its flags and sizes say by themselves. */
export type Mark = SegmentMark | 'reset' | 'icmp' | 'offload';

/** All of them, most remarkable first. */
export const ALL_MARKS = [
  'reset',
  'icmp',
  'retransmission',
  'out_of_order',
  'zero_window',
  'zero_window_probe',
  'duplicate_ack',
  'window_update',
  'keepalive',
  'keepalive_ack',
  'offload',
] as const satisfies readonly Mark[];

/** A sign for each, so that none is told by its colour alone. */
export const SIGNS: Readonly<Record<Mark, string>> = {
  reset: '✕',
  icmp: '!',
  retransmission: '↻',
  out_of_order: '⇅',
  zero_window: '∅',
  zero_window_probe: '?',
  duplicate_ack: '≡',
  window_update: '↥',
  keepalive: '♥',
  keepalive_ack: '♡',
  offload: '×',
};

/** How the arrow of a segment is drawn. */
export type Stroke = 'plain' | 'dashed' | 'dotted' | 'broken';

/** The stroke a mark gives an arrow: sent again, only asking, or the end of all. */
export function strokeOf(marks: readonly Mark[] | undefined): Stroke {
  if (marks === undefined) return 'plain';
  if (marks.includes('reset') || marks.includes('icmp')) return 'broken';
  if (marks.includes('retransmission') || marks.includes('out_of_order')) return 'dashed';
  return marks.some((mark) => mark === 'zero_window_probe' || mark === 'keepalive' || mark === 'keepalive_ack' || mark === 'duplicate_ack') ? 'dotted' : 'plain';
}

/** What is remarkable about a segment. */
export function marksOf(event: SegmentEvent): Mark[] {
  const found = new Set<string>(event.marks ?? []);
  if (event.flags?.includes('rst') === true) found.add('reset');
  if (event.icmp !== undefined) found.add('icmp');
  if ((event.pieces ?? 1) > 1) found.add('offload');
  return found.size === 0 ? [] : ALL_MARKS.filter((mark) => found.has(mark));
}
