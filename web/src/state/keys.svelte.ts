import type { BridgeKey, KeyMade, KeyRequest } from '../wire/generated';
import { errorText } from './actions';
import { scope } from './scope.svelte';

/** How often the list is asked for while somebody looks, in ms. */
const REFRESH_MS = 2000;

/** The keys for bridges. Their secrets are never here: whoever makes one is handed it, and nobody keeps it. */
class Keys {
  /** Whether the dialog is open. */
  shown = $state(false);
  /** Undefined until the server said. */
  list = $state.raw<readonly BridgeKey[]>();
  /** Why the list may be out of date; empty while it is not. */
  fault = $state('');
  #asked = 0;

  /** Keeps the list fresh until what it answers is called. */
  follow(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let over = false;
    const round = async (): Promise<void> => {
      if (!document.hidden) await this.#look();
      if (!over) timer = setTimeout(() => void round(), REFRESH_MS);
    };
    void round();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }

  /** Makes a key, or throws why not. */
  async make(request: KeyRequest): Promise<KeyMade> {
    const made = await scope.api.makeKey(request);
    void this.#look();
    return made;
  }

  /** Revokes a key, or throws why not. */
  async revoke(id: string): Promise<void> {
    try {
      await scope.api.revokeKey(id);
    } finally {
      // Somebody else may have been faster; either way the list tells.
      void this.#look();
    }
  }

  async #look(): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const { keys } = await scope.api.keys();
      // An answer to what was asked before a change is out of date.
      if (asked !== this.#asked) return;
      this.list = keys;
      this.fault = '';
    } catch (error) {
      if (asked === this.#asked) this.fault = errorText(error);
    }
  }
}

/** The keys for bridges. */
export const keys = new Keys();
