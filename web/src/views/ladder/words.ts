import { language } from '../../ui/i18n/lang.svelte';
import { ladder as en, type LadderMessages } from '../../ui/i18n/ladder.en';
import { ladder as zh } from '../../ui/i18n/ladder.zh';
import { size } from '../../ui/format';
import { duration } from '../../model/time';
import type { Saying } from '../../model/ladder/call';

/** Everything the ladder says, in the language now. */
export function words(): LadderMessages {
  return language() === 'zh' ? zh : en;
}

/** The pieces of a rung's label, in the language now. */
export interface Label {
  readonly name: string;
  readonly bytes: string;
  readonly word: string;
  readonly what: string;
  readonly took: string;
}

/** Turns what a rung says into the pieces of its label. */
export function labelOf(said: Saying, took: number | undefined): Label {
  return {
    name: 'call' in said.name ? said.name.call : words().words[said.name.word],
    bytes: said.bytes === undefined ? '' : size(said.bytes),
    word: said.word === undefined || (said.word === 'failed' && said.errno !== undefined) ? '' : words().words[said.word],
    what: said.what,
    took: took === undefined ? '' : duration(took),
  };
}

/** A label as one line of text, in the order in which it is drawn: on two lines the time it took comes first, where it is drawn. */
export function spoken(label: Label, tookFirst: boolean): string {
  const rest = tookFirst ? [label.took, label.what] : [label.what, label.took];
  return [label.name, label.bytes, label.word, ...rest].filter((part) => part !== '').join(' ');
}

/** A scale as text: `250 ns`, `1.20 ms`. */
export function scaleText(scale: number): string {
  return scale < 1 ? `${String(Math.round(scale * 1000))} ns` : scale < 10 ? `${scale.toFixed(1)} µs` : duration(scale);
}
