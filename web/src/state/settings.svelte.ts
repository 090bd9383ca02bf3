import type { Wanted } from '../model/panes';

/** How bytes are drawn in the timeline. */
export type View = 'text' | 'hex' | 'split';
/** How times are drawn in the timeline. */
export type TimeMode = 'absolute' | 'relative' | 'delta';
/** Which colours. */
export type Theme = 'system' | 'light' | 'dark';
/** What is typed into the composer. */
export type Mode = 'text' | 'escapes' | 'hex';
/** What is appended to what was typed. */
export type Ending = 'none' | 'lf' | 'crlf' | 'cr';

interface Stored {
  view: View;
  time: TimeMode;
  theme: Theme;
  mode: Mode;
  ending: Ending;
  enterSends: boolean;
  hidden: boolean;
  /** Whether the timeline shows what the kernel saw. */
  kernel: boolean;
  panes: Wanted;
  /** Whether the inspector has most of the window. */
  wide: boolean;
  history: string[];
}

const KEY = 'sockscope-settings';

/** Targets remembered for the address bar; the oldest go. */
export const HISTORY = 50;

const DEFAULTS: Stored = { view: 'text', time: 'absolute', theme: 'system', mode: 'text', ending: 'none', enterSends: true, hidden: false, kernel: false, panes: { sockets: null, detail: null }, wide: false, history: [] };

function stored(): Stored {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Stored>) };
  } catch {
    // Somebody else's data under our key: start anew rather than not at all.
    return { ...DEFAULTS };
  }
}

/** What a person chose, kept in this browser. */
class Settings {
  readonly #stored = $state<Stored>(stored());

  get all(): Readonly<Stored> {
    return this.#stored;
  }

  /** Changes a choice, and remembers it. */
  set<K extends keyof Stored>(key: K, value: Stored[K]): void {
    this.#stored[key] = value;
    localStorage.setItem(KEY, JSON.stringify(this.#stored));
  }

  /** Remembers a target, the newest first. */
  remember(target: string): void {
    this.set('history', [target, ...this.#stored.history.filter((other) => other !== target)].slice(0, HISTORY));
  }
}

/** What a person chose, kept in this browser. */
export const settings = new Settings();

const darkness = matchMedia('(prefers-color-scheme: dark)');

/** Puts the chosen colours in force, and keeps them there when the system changes its mind. */
export function applyTheme(): void {
  const apply = (): void => {
    const { theme } = settings.all;
    document.documentElement.dataset.theme = theme === 'system' ? (darkness.matches ? 'dark' : 'light') : theme;
  };
  darkness.addEventListener('change', apply);
  $effect.root(() => {
    $effect(apply);
  });
}
