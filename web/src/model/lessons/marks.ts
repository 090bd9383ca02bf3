import type { Setup } from './heartbeat';
import type { Lane } from './lane';
import { probes } from './verdict';

/** What a mark on a connection's line stands for. */
export const MARKS = ['hello', 'beat', 'probe', 'missed', 'forgotten', 'question', 'answer', 'end'] as const;

/** What a mark on a connection's line stands for. */
export type MarkKind = (typeof MARKS)[number];

/** Something that happened on a connection, or that was calculated (`probe`, `missed`). */
export interface Mark {
  readonly kind: MarkKind;
  readonly atUs: number;
}

/** Everything there is to draw of a connection, in the order of time. */
export function marksOf(lane: Lane, setup: Setup, nowUs: number): Mark[] {
  const found: Mark[] = probes(lane, setup.options, nowUs).map(({ atUs, answered }) => ({ kind: answered ? 'probe' : 'missed', atUs }));
  for (const { why, sentUs, answeredUs } of lane.messages) {
    if (sentUs !== undefined) found.push({ kind: why, atUs: sentUs });
    if (why === 'question' && answeredUs !== undefined) found.push({ kind: 'answer', atUs: answeredUs });
  }
  if (lane.forgottenUs !== undefined) found.push({ kind: 'forgotten', atUs: lane.forgottenUs });
  if (lane.end !== undefined) found.push({ kind: 'end', atUs: lane.end.atUs });
  return found.sort((a, b) => a.atUs - b.atUs);
}
