import { language } from '../../ui/i18n/lang.svelte';
import { sight as en, type SightMessages } from '../../ui/i18n/sight.en';
import { sight as zh } from '../../ui/i18n/sight.zh';

/** Everything said of the kernel's sight, in the language now. */
export function words(): SightMessages {
  return language() === 'zh' ? zh : en;
}
