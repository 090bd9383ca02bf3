/** Where the events of a comparison come from: a ticker of its own, or a socket that is open already. */
export type Source = 'ticker' | `s${number}`;

/** What a comparison is run with. */
export interface Settings {
  readonly source: Source;
  /** Messages a second. */
  readonly rate: number;
  /** Bytes a message. */
  readonly payload: number;
  /** At even intervals instead of at random ones (Poisson). */
  readonly regular: boolean;
  readonly seconds: number;
  /** Seconds between two short polls. */
  readonly poll: number;
  /** The WebSocket carries binary batches instead of the JSON the other lanes carry. */
  readonly binary: boolean;
}

/** Settings that are numbers. */
export type NumberField = 'rate' | 'payload' | 'seconds' | 'poll';

interface Range {
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
}

/** What the server takes, and `sockscope compare` too. */
export const RANGES: Readonly<Record<NumberField, Range>> = {
  rate: { min: 0.1, max: 1000, whole: false },
  payload: { min: 16, max: 65_536, whole: true },
  seconds: { min: 1, max: 3600, whole: false },
  poll: { min: 0.01, max: 60, whole: false },
};

/** Bytes a second a ticker sends at most. */
export const MOST_BYTES = 4 * 1024 * 1024;

/** Messages of one run at most: when each was sent and had is kept in the page, some 50 MB for so many. */
export const MOST_MESSAGES = 1_000_000;

/** What is proposed. */
export const DEFAULTS: Settings = { source: 'ticker', rate: 10, payload: 64, regular: false, seconds: 30, poll: 1, binary: false };

/** Settings as they are typed. */
export type Draft = Omit<Settings, NumberField> & Readonly<Record<NumberField, string>>;

/** Why a setting is refused. */
export type Wrong = { readonly is: 'range'; readonly min: number; readonly max: number; readonly whole: boolean } | { readonly is: 'product'; readonly most: number } | { readonly is: 'messages'; readonly most: number };

/** Settings read from what was typed, or what is wrong with it, a field each. */
export type Read = { readonly ok: true; readonly settings: Settings } | { readonly ok: false; readonly wrong: Readonly<Partial<Record<NumberField, Wrong>>> };

const NUMBERS = Object.keys(RANGES) as NumberField[];

/** Settings as somebody would type them. */
export function draftOf(settings: Settings): Draft {
  return { ...settings, rate: String(settings.rate), payload: String(settings.payload), seconds: String(settings.seconds), poll: String(settings.poll) };
}

function numberOf(text: string, { min, max, whole }: Range): number | undefined {
  // Whatever `sockscope compare` reads as a number. Number('') is 0 and Number('0x10') is 16: neither was meant.
  if (!/^\s*\+?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/iu.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max && (!whole || Number.isInteger(value)) ? value : undefined;
}

/** Reads settings; a value out of range is refused with the range, never bent into it. */
export function readDraft(draft: Draft): Read {
  const wrong: Partial<Record<NumberField, Wrong>> = {};
  const values: Partial<Record<NumberField, number>> = {};
  for (const field of NUMBERS) {
    // A socket that is open already has its own rate and sizes.
    if (draft.source !== 'ticker' && (field === 'rate' || field === 'payload')) {
      values[field] = DEFAULTS[field];
      continue;
    }
    const value = numberOf(draft[field], RANGES[field]);
    if (value === undefined) wrong[field] = { is: 'range', ...RANGES[field] };
    else values[field] = value;
  }
  if (values.rate !== undefined && values.payload !== undefined && values.rate * values.payload > MOST_BYTES) wrong.rate = { is: 'product', most: MOST_BYTES };
  if (draft.source === 'ticker' && values.rate !== undefined && values.seconds !== undefined && values.rate * values.seconds > MOST_MESSAGES) {
    wrong.seconds = { is: 'messages', most: MOST_MESSAGES };
  }
  if (Object.keys(wrong).length > 0) return { ok: false, wrong };
  return { ok: true, settings: { ...draft, ...(values as Record<NumberField, number>) } };
}

/** Settings as the query of a link; what is as proposed is left out. */
export function linkOf(settings: Settings): string {
  const query = new URLSearchParams();
  for (const field of NUMBERS) if (settings[field] !== DEFAULTS[field]) query.set(field, String(settings[field]));
  if (settings.regular) query.set('arrivals', 'regular');
  if (settings.binary) query.set('websocket', 'binary');
  if (settings.source !== 'ticker') query.set('source', settings.source);
  const text = query.toString();
  // The names of the fields make a link worth reading; an empty one is filled with the first of them.
  return `#compare?${text === '' ? `rate=${String(settings.rate)}` : text}`;
}

/** What a link's query fills in. Values are shown as they came, also wrong ones: they are refused with their range. */
export function draftFrom(query: string): Draft {
  const given = new URLSearchParams(query);
  const source = given.get('source') ?? '';
  const draft: Draft = {
    ...draftOf(DEFAULTS),
    source: /^s[1-9]\d{0,15}$/u.test(source) ? (source as Source) : 'ticker',
    regular: given.get('arrivals') === 'regular',
    binary: given.get('websocket') === 'binary',
  };
  const typed: Partial<Record<NumberField, string>> = {};
  for (const field of NUMBERS) {
    const value = given.get(field);
    if (value !== null) typed[field] = value.slice(0, 32);
  }
  return { ...draft, ...typed };
}
