import type { KeyRequest } from '../../wire/generated';
import { typed } from '../lessons/range';
import { amount } from './amount';
import { keyTarget, type KeyTargetError } from './target';

/** What was typed for a new key. */
export interface KeyDraft {
  readonly name: string;
  /** One a line. */
  readonly targets: string;
  /** One a line. */
  readonly origins: string;
  readonly streams: string;
  readonly rate: string;
  readonly bytes: string;
  readonly record: boolean;
}

/** The fields that can be wrong, in the order they stand. */
export const KEY_FIELDS = ['name', 'targets', 'origins', 'streams', 'rate', 'bytes'] as const;

/** A field that can be wrong. */
export type KeyField = (typeof KEY_FIELDS)[number];

/** What the server takes, as its contract says. */
export const KEY_LIMITS = {
  name: 200,
  lines: 64,
  streams: { min: 1, max: 65_536, usual: 64 },
  rate: { min: 1, max: 100_000, usual: 100 },
} as const;

/** Why a field is not right. */
export type KeyFault =
  | { readonly code: 'long' | 'many'; readonly most: number }
  | { readonly code: 'none' | 'amount' }
  | { readonly code: 'range'; readonly min: number; readonly max: number }
  | { readonly code: 'line'; readonly line: number; readonly why: KeyTargetError | 'origin'; readonly found: string };

/** What the server is asked, or what is wrong with each field. */
export type ReadDraft = { readonly ok: true; readonly request: KeyRequest } | { readonly ok: false; readonly faults: Partial<Record<KeyField, KeyFault>> };

/** Reads what was typed. An empty limit is left to the server; lines that say nothing are passed over. */
export function readDraft(draft: KeyDraft): ReadDraft {
  const faults: Partial<Record<KeyField, KeyFault>> = {};
  const name = draft.name.trim();
  if ([...name].length > KEY_LIMITS.name) faults.name = { code: 'long', most: KEY_LIMITS.name };

  const targets = lines(draft.targets, (line) => {
    const read = keyTarget(line);
    return read.ok ? { ok: true, text: read.target.text } : { ok: false, why: read.code, found: read.found };
  });
  if (!Array.isArray(targets)) faults.targets = targets;
  else if (targets.length === 0) faults.targets = { code: 'none' };

  const origins = lines(draft.origins, (line) => {
    const text = originOf(line);
    return text === undefined ? { ok: false, why: 'origin', found: line } : { ok: true, text };
  });
  if (!Array.isArray(origins)) faults.origins = origins;

  const streams = number(draft.streams, KEY_LIMITS.streams);
  if (typeof streams === 'object') faults.streams = streams;
  const rate = number(draft.rate, KEY_LIMITS.rate);
  if (typeof rate === 'object') faults.rate = rate;
  const bytes = draft.bytes.trim() === '' ? undefined : (amount(draft.bytes) ?? ({ code: 'amount' } as const));
  if (typeof bytes === 'object') faults.bytes = bytes;

  if (Object.keys(faults).length > 0) return { ok: false, faults };
  const request: KeyRequest = { targets: targets as string[] };
  if (name !== '') request.name = name;
  if ((origins as string[]).length > 0) request.origins = origins as string[];
  if (typeof streams === 'number') request.max_streams = streams;
  if (typeof rate === 'number') request.connects_per_second = rate;
  if (typeof bytes === 'number') request.max_bytes = bytes;
  if (draft.record) request.record = true;
  return { ok: true, request };
}

type ReadLine = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly why: KeyTargetError | 'origin'; readonly found: string };

/** The lines that say something, each once, or what is wrong with the first that is not right. */
function lines(text: string, read: (line: string) => ReadLine): string[] | KeyFault {
  const found = new Set<string>();
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const one = read(line.trim());
    if (!one.ok) return { code: 'line', line: i + 1, why: one.why, found: one.found };
    found.add(one.text);
  }
  return found.size > KEY_LIMITS.lines ? { code: 'many', most: KEY_LIMITS.lines } : [...found];
}

/** An origin as browsers write it, which is how it is compared; undefined for what is none: a path, a query, a name alone, a pattern. */
function originOf(line: string): string | undefined {
  const text = line.replace(/\/$/u, '').toLowerCase();
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@\\*]+$/u.test(text) || !URL.canParse(text)) return undefined;
  // Of schemes that are not the web's, like those of extensions, the parser knows no origin: it is taken as it stands.
  return /^https?:/u.test(text) ? new URL(text).origin : text;
}

function number(text: string, { min, max }: { readonly min: number; readonly max: number }): number | KeyFault | undefined {
  if (text.trim() === '') return undefined;
  const read = typed(text, { min, max });
  return read.ok ? read.value : { code: 'range', min, max };
}
