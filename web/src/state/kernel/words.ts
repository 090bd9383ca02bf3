import { language } from '../../ui/i18n/lang.svelte';
import { kernel as en, type KernelMessages } from '../../ui/i18n/kernel.en';
import { kernel as zh } from '../../ui/i18n/kernel.zh';

/** Everything the views of the kernel say, in the language now. */
export function words(): KernelMessages {
  return language() === 'zh' ? zh : en;
}
