import { language } from '../../ui/i18n/lang.svelte';
import { lessons as en, type LessonMessages } from '../../ui/i18n/lessons.en';
import { lessons as zh } from '../../ui/i18n/lessons.zh';

/** Everything the lessons say, in the language now. */
export function words(): LessonMessages {
  return language() === 'zh' ? zh : en;
}
