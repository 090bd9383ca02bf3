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

/** Rungs of a lane that can be told apart on its ladder. */
const MOST_RUNGS = 40;

/** How much of the stretch is drawn, in s: all of it, or as much from its beginning as every lane can show rung by rung. */
export const SHOWN_S: readonly number[] = [STRETCH_S, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02];

/** The longest of `SHOWN_S` in which no lane has more rungs than can be told apart; counts stay those of the whole stretch. */
export function shown(stretches: readonly Stretch[]): number {
  const fits = (seconds: number): boolean => stretches.every(({ rungs }) => within(rungs, seconds).length <= MOST_RUNGS);
  return SHOWN_S.find(fits) ?? SHOWN_S.at(-1)!;
}

/** Rungs that begin in the first so many seconds. */
export function within(rungs: readonly Exchange[], seconds: number): Exchange[] {
  return rungs.filter((rung) => rung.from <= seconds);
}

/** Where the messages of an exchange leave and arrive on a ladder, in the ladder's own measure. */
export interface Drawn {
  readonly asks: number;
  readonly asked: number;
  readonly leaves: number;
  readonly there: number;
}

/**
 * Where exchanges that follow each other are on a ladder whose messages lean so much on their way: an answer leaves when
 * its question is there, and the next question when that answer is. In a crowd that is a little later than it was.
 */
export function leaned(rungs: readonly { readonly from: number; readonly to: number }[], lean: number): Drawn[] {
  let free = -Infinity;
  return rungs.map(({ from, to }) => {
    const asks = Math.max(from, free);
    const asked = asks + lean;
    const leaves = Math.max(to, asked);
    free = leaves + lean;
    return { asks, asked, leaves, there: free };
  });
}
