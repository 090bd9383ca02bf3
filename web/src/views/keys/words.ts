import type { KeyFault } from '../../model/bridge/draft';
import { safeLine } from '../../model/bytes/text';
import { keys as en, type KeysMessages } from '../../ui/i18n/keys.en';
import { keys as zh } from '../../ui/i18n/keys.zh';
import { language } from '../../ui/i18n/lang.svelte';
import type { BridgeKey } from '../../wire/generated';

/** Everything said of keys for bridges, in the language now. */
export function words(): KeysMessages {
  return language() === 'zh' ? zh : en;
}

/** What a key is called: by its name and id, since names need not differ. */
export function called(key: BridgeKey): string {
  return key.name === null || key.name === '' ? key.id : `${safeLine(key.name)} (${key.id})`;
}

/** The sentence of what is wrong with a field. */
export function faultText(fault: KeyFault | undefined): string {
  const w = words().faults;
  switch (fault?.code) {
    case undefined:
      return '';
    case 'none':
    case 'amount':
      return w[fault.code];
    case 'long':
    case 'many':
      return w[fault.code](fault.most);
    case 'range':
      return w.range(fault.min, fault.max);
    case 'line':
      return w.line(fault.line, w.why[fault.why](safeLine(fault.found)));
  }
}
