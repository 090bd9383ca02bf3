import type { Launch } from '../link/session';

/** The parts of the page, in the order of its tabs. */
export const MODES = ['instrument', 'compare', 'lessons'] as const;

/** A part of the page. */
export type Mode = (typeof MODES)[number];

/** Which part of the page is in front, and what a link said about it. */
class ModeState {
  now = $state<Mode>('instrument');
  /** Settings a link brought for the part in front, not yet taken; they are filled in and start nothing. */
  settings = $state.raw<string>();
  /** Something runs in the comparison, whatever is in front. */
  comparing = $state(false);

  /** Goes where a link leads. */
  follow(launch: Launch): void {
    if (launch.mode !== undefined) {
      this.now = launch.mode;
      this.settings = launch.settings;
    } else if (launch.open !== undefined) this.now = 'instrument';
  }
}

/** Which part of the page is in front. */
export const mode = new ModeState();
