import { language } from '../../ui/i18n/lang.svelte';
import { layers as en, type LayersMessages } from '../../ui/i18n/layers.en';
import { layers as zh } from '../../ui/i18n/layers.zh';

/** Everything said of a frame, in the language now. */
export function words(): LayersMessages {
  return language() === 'zh' ? zh : en;
}
