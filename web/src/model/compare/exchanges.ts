/** A request: when it was made, when its answer was there, and how many events that brought. */
export type Asked = readonly [made: number, answered: number, events: number];

/** One exchange, as a rung: from the question to the answer, or a push nobody asked for. Times in s of the stretch looked at. */
export interface Exchange {
  readonly from: number;
  readonly to: number;
  /** Events it brought. */
  readonly events: number;
  readonly is: 'empty' | 'answer' | 'push';
}

/** What a lane did in a stretch of time. */
export interface Stretch {
  readonly rungs: readonly Exchange[];
  readonly requests: number;
  readonly empty: number;
  readonly pushes: number;
}

/** How long the stretch is that the lanes are looked at side by side, in s. */
export const STRETCH_S = 10;

/** Requests of a polling lane in a stretch that begins at `from`; times in µs. */
export function polled(asked: readonly Asked[], from: number): Stretch {
  const seconds = (us: number): number => (us - from) / 1e6;
  const rungs: Exchange[] = [];
  for (const [made, answered, events] of asked) {
    const [begin, end] = [seconds(made), seconds(answered)];
    if (end < 0 || begin > STRETCH_S) continue;
    rungs.push({ from: begin, to: end, events, is: events === 0 ? 'empty' : 'answer' });
  }
  return { rungs, requests: rungs.filter((rung) => rung.from >= 0).length, empty: rungs.filter((rung) => rung.is === 'empty').length, pushes: 0 };
}

/** Messages of a pushing lane, by when each was there (µs). What came at the same moment is one rung. */
export function pushed(at: readonly number[], asked: readonly Asked[], from: number): Stretch {
  const rungs: Exchange[] = [];
  let pushes = 0;
  for (const us of at) {
    const when = (us - from) / 1e6;
    if (when < 0) continue;
    if (when > STRETCH_S) break;
    pushes += 1;
    const last = rungs.at(-1);
    if (last?.to === when) rungs[rungs.length - 1] = { ...last, events: last.events + 1 };
    else rungs.push({ from: when, to: when, events: 1, is: 'push' });
  }
  const requests = asked.filter(([made]) => made >= from && made <= from + STRETCH_S * 1e6).length;
  return { rungs, requests, empty: 0, pushes };
}
