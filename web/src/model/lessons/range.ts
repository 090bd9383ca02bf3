/** Whole numbers a setting may have. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** What was typed for a setting: a number in its range, or why not. */
export type Typed = { readonly ok: true; readonly value: number } | { readonly ok: false; readonly code: 'number' | 'range'; readonly range: Range };

/** Reads a whole number of a range; what is out of it is refused, never moved into it. */
export function typed(text: string, range: Range): Typed {
  const digits = text.trim();
  // A minus is understood so that what is wrong with it is its size.
  if (!/^-?\d{1,15}$/u.test(digits)) return { ok: false, code: 'number', range };
  const value = Number(digits);
  return value >= range.min && value <= range.max ? { ok: true, value } : { ok: false, code: 'range', range };
}
