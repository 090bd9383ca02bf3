import { duration } from '../time';
import type { Lane, Message } from './lane';

/** What can be said of a connection now. Durations are in µs. */
export type Verdict =
  /** Nobody has asked yet. */
  | { readonly is: 'silent' }
  /** Asked, and neither an answer nor an error is there; `sinceForgotten` is there once it was forgotten. */
  | { readonly is: 'unnoticed'; readonly sinceSpoken: number; readonly sinceForgotten?: number }
  /** The echo came back. */
  | { readonly is: 'works'; readonly took: number }
  /** Its program was told that it is over: before it spoke, when `sinceSpoken` is not there. */
  | { readonly is: 'ended'; readonly errno?: string; readonly how: 'failed' | 'reset' | 'eof' | 'closed'; readonly sinceForgotten?: number; readonly sinceSpoken?: number };

/** What the log says of a connection at a time. */
export function verdictOf(lane: Lane, nowUs: number): Verdict {
  const question = lane.messages.find((message) => message.why === 'question');
  const asked = question?.sentUs;
  const forgotten = lane.forgottenUs;
  if (question?.answeredUs !== undefined) return { is: 'works', took: question.answeredUs - (asked ?? question.answeredUs) };
  if (lane.end !== undefined) {
    const { atUs, how, errno } = lane.end;
    return {
      is: 'ended',
      how,
      ...(errno === undefined ? {} : { errno }),
      ...(forgotten === undefined || forgotten > atUs ? {} : { sinceForgotten: atUs - forgotten }),
      ...(asked === undefined || asked > atUs ? {} : { sinceSpoken: atUs - asked }),
    };
  }
  if (asked === undefined) return { is: 'silent' };
  return { is: 'unnoticed', sinceSpoken: Math.max(0, nowUs - asked), ...(forgotten === undefined ? {} : { sinceForgotten: Math.max(0, nowUs - forgotten) }) };
}

/**
 * How long something has lasted until now, as far as the page can tell: what the server's clock says now is an estimate,
 * good to some milliseconds, so no more than tenths of a second are said.
 */
export function lasting(us: number): string {
  return us < 60e6 ? `${(Math.max(0, us) / 1e6).toFixed(1)} s` : duration(us);
}

/** A keepalive probe, calculated: the kernel sends them and tells no program. */
export interface Probe {
  readonly atUs: number;
  readonly answered: boolean;
}

/** Probes drawn at most: a long run with quick probes must not become a page of marks. */
export const MOST_PROBES = 400;

/**
 * When keepalive probes went, by tcp(7): the first after so long without a sign of the other side, each answered one
 * starts the wait anew, unanswered ones follow at the interval until there were enough. While bytes are unacknowledged
 * TCP sends those again instead, and no probes.
 */
export function probes(lane: Lane, options: { readonly keepalive_idle_s?: number; readonly keepalive_interval_s?: number; readonly keepalive_count?: number }, nowUs: number): Probe[] {
  const { keepalive_idle_s: idle, keepalive_interval_s: interval, keepalive_count: count } = options;
  if (idle === undefined || interval === undefined || count === undefined || lane.openedUs === undefined) return [];
  const signs = lane.messages.map((message) => message.answeredUs).filter((at) => at !== undefined);
  const stop = Math.min(nowUs, lane.end?.atUs ?? Infinity, ...lane.messages.filter(unacknowledged).map((message) => message.sentUs ?? Infinity));
  const deaf = lane.forgottenUs ?? Infinity;
  const found: Probe[] = [];
  let last = lane.openedUs;
  let missed = 0;
  while (found.length < MOST_PROBES) {
    const at = missed === 0 ? last + idle * 1e6 : last + interval * 1e6;
    const sign = missed === 0 ? signs.filter((one) => one > last && one <= at).at(-1) : undefined;
    if (sign !== undefined) {
      last = sign;
      continue;
    }
    if (at > stop || missed >= count) break;
    const answered = at < deaf;
    found.push({ atUs: at, answered });
    missed = answered ? 0 : missed + 1;
    last = at;
  }
  return found;
}

function unacknowledged(message: Message): boolean {
  return message.sentUs !== undefined && message.answeredUs === undefined;
}
