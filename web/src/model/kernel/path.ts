import type { Direction, Event, Evidence, KernelTimer, Owner, Seq, SocketId, TcpState } from '../../wire/generated';
import { endOf, taken, type Word, wordOf } from './word';

/** States of one end that are kept; of a path longer than this the oldest go. */
export const STEPS_KEPT = 64;

/** A state an end was in. */
export interface Step {
  /** Absent where nobody can say. */
  readonly state: TcpState | undefined;
  readonly evidence: Evidence;
  /** Since when, as `t_us`. */
  readonly atUs: number;
  readonly seq: Seq;
  /** The timer that runs, and when it was read. */
  readonly timer?: KernelTimer;
  readonly timerAtUs?: number;
}

/** One end of a connection: the states it was in, oldest first, and who holds it. */
export interface End {
  readonly steps: readonly Step[];
  readonly owner: Owner | undefined;
}

const CERTAINTY: Record<Evidence, number> = { unknown: 0, passed_through: 1, read: 2 };

class Track {
  steps: Step[] = [];
  owner: Owner | undefined;

  add(event: Extract<Event, { type: 'kernel_state' }>): void {
    this.owner = event.owner ?? this.owner;
    const last = this.steps.at(-1);
    const timed = event.timer === undefined ? {} : { timer: event.timer, timerAtUs: event.t_us };
    if (last !== undefined && last.state === event.state) {
      // The same state told again: a timer read anew, or the kernel's word for what had only been concluded.
      const evidence = CERTAINTY[event.evidence] > CERTAINTY[last.evidence] ? event.evidence : last.evidence;
      this.steps[this.steps.length - 1] = { state: last.state, atUs: last.atUs, seq: last.seq, evidence, ...timed };
      return;
    }
    this.steps.push({ state: event.state, evidence: event.evidence, atUs: event.t_us, seq: event.seq, ...timed });
    if (this.steps.length > STEPS_KEPT) this.steps.shift();
  }
}

/** The states both ends of a connection went through, as the kernel told; each by the word that is taken for it. */
export class Path {
  readonly #socket: SocketId;
  readonly #tracks: Record<Word, Record<Direction, Track>> = { own: { local: new Track(), peer: new Track() }, told: { local: new Track(), peer: new Track() } };

  constructor(socket: SocketId) {
    this.#socket = socket;
  }

  /** Takes an event of the socket, or of the socket at the other end. */
  add(event: Event): void {
    if (event.type !== 'kernel_state') return;
    this.#tracks[wordOf(event)][endOf(event, this.#socket)].add(event);
  }

  /** One end as it is known: ours is `local`. */
  end(which: Direction): End {
    const { own, told } = this.#tracks;
    const { steps } = this.#tracks[taken({ own: own[which].steps.length > 0 })][which];
    return { steps, owner: own[which].owner ?? told[which].owner };
  }
}

/** How long the timer of a step still runs, in µs; undefined where none does. */
export function timerLeft(step: Step | undefined, nowUs: number): number | undefined {
  if (step?.timer === undefined || step.timerAtUs === undefined) return undefined;
  return Math.max(0, step.timer.expires_ms * 1000 - Math.max(0, nowUs - step.timerAtUs));
}
