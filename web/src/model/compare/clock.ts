/** One question for the time: when it was asked and answered here, in ms, and what the server's clock said, in µs. */
export interface Look {
  readonly asked: number;
  readonly answered: number;
  readonly nowUs: number;
}

/** A moment on both clocks. */
export interface Fix {
  readonly hereMs: number;
  readonly thereUs: number;
  /** By how much it may be wrong, in µs. */
  readonly uncertaintyUs: number;
}

/** Browsers round their clock to a tenth of a millisecond, so that pages cannot spy on each other. */
const ROUNDED_US = 100;

/** The quickest answer is the truest: half the way there, half back (as NTP does, RFC 5905 §8). */
export function fixOf(looks: readonly Look[]): Fix | undefined {
  let best: Fix | undefined;
  for (const { asked, answered, nowUs } of looks) {
    const uncertaintyUs = ((answered - asked) * 1000) / 2 + ROUNDED_US;
    if (best === undefined || uncertaintyUs < best.uncertaintyUs) best = { hereMs: (asked + answered) / 2, thereUs: nowUs, uncertaintyUs };
  }
  return best;
}

/** The server's clock at a moment here. With a second fix, what the two clocks drifted apart in between is taken out. */
export function thereUs(atMs: number, before: Fix, after?: Fix): number {
  const here = (atMs - before.hereMs) * 1000;
  if (after === undefined || after.hereMs <= before.hereMs) return before.thereUs + here;
  const pace = (after.thereUs - before.thereUs) / ((after.hereMs - before.hereMs) * 1000);
  return before.thereUs + here * pace;
}
