import { safeLine } from '../../model/bytes/text';
import type { LogEvent } from '../../model/log/log';
import type { Gap } from '../../wire/generated';
import { en, type Messages } from './en';
import type { CodeParams, SayCode, Words } from './types';
import { zh } from './zh';

/** The languages the page speaks. */
export const LANGUAGES = { en, zh } as const;

/** A language the page speaks. */
export type Language = keyof typeof LANGUAGES;

const KEY = 'sockscope-language';

function initial(): Language {
  const stored = localStorage.getItem(KEY);
  if (stored === 'en' || stored === 'zh') return stored;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

let current = $state<Language>(initial());

/** The language now. */
export function language(): Language {
  return current;
}

/** Everything the page says, in the language now. */
export function t(): Messages {
  return LANGUAGES[current];
}

/** Switches the language, and remembers it. */
export function speak(language: Language): void {
  current = language;
  localStorage.setItem(KEY, language);
}

/** The sentence of a code in some words, with errno and phase where there are any. */
export function sayIn(words: Words): SayCode {
  return (code, context = {}) => {
    // A code newer than this page is shown as it is.
    const sentence = words.codes[code] ?? code;
    const params: CodeParams = { params: context.params ?? {}, ...(context.rule === undefined ? {} : { rule: context.rule }) };
    const text = typeof sentence === 'string' ? sentence : sentence(params);
    const where = context.phase === undefined ? undefined : (words.phases[context.phase] ?? context.phase);
    const origin = [context.errno, where].filter((part) => part !== undefined).join(', ');
    return origin === '' ? text : words.origin(text, origin);
  };
}

/** The sentence of an event: one line in which every character shows, whatever names and addresses it has. */
export function sentenceIn(words: Words, event: LogEvent): string {
  const make = words.facts[event.type] as ((event: LogEvent, say: SayCode) => string) | undefined;
  if (make === undefined) return safeLine(`${String((event as { type: string }).type)} ${JSON.stringify(event)}`);
  return safeLine(make(event, sayIn(words)));
}

/** The sentence of a code in the language now. */
export const say: SayCode = (code, context) => safeLine(sayIn(t().words)(code, context));

/** The sentence of an event in the language now. */
export function sentence(event: LogEvent): string {
  return sentenceIn(t().words, event);
}

/** The sentence of a gap in the language now. */
export function gapSentence(gap: Gap): string {
  return t().words.gaps[gap.reason](t().number(gap.from), t().number(gap.to));
}
