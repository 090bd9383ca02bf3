import { openable } from '../../model/kernel/knobs';
import type { OptionName } from '../../model/sockets/options';
import type { Scheme } from '../../model/sockets/target';
import type { SocketOptions } from '../../wire/generated';

/** Options sockets are opened with from the address bar, until somebody takes them out. */
class Opening {
  options = $state.raw<SocketOptions>({});

  /** Adds an option, or gives it another value. */
  add(options: SocketOptions): void {
    this.options = { ...this.options, ...options };
  }

  /** Takes an option out. */
  remove(name: OptionName): void {
    this.options = Object.fromEntries(Object.entries(this.options).filter(([other]) => other !== name));
  }

  /** Those that mean something for what is opened. */
  of(scheme: Scheme): SocketOptions {
    const names = openable(scheme);
    return Object.fromEntries(Object.entries(this.options).filter(([name]) => names.includes(name as OptionName)));
  }
}

/** Options sockets are opened with from the address bar. */
export const opening = new Opening();
