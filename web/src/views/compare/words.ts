import { language } from '../../ui/i18n/lang.svelte';
import { compare as en, type CompareMessages } from '../../ui/i18n/compare.en';
import { compare as zh } from '../../ui/i18n/compare.zh';

/** Everything the comparison says, in the language now. */
export function words(): CompareMessages {
  return language() === 'zh' ? zh : en;
}

/** Milliseconds with as many digits as mean something: `0.42`, `3.1`, `502`. */
export function ms(value: number): string {
  const size = Math.abs(value);
  const digits = value === 0 || size >= 100 ? 0 : size < 10 ? 2 : 1;
  return `${value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })} ms`;
}

/** A count that may be a fraction, where arithmetic made it. */
export function about(value: number): string {
  return value < 10 ? String(Number(value.toFixed(1))) : Math.round(value).toLocaleString('en');
}
