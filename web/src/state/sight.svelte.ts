import type { Frame, KernelSight } from '../wire/generated';
import { scope } from './scope.svelte';

/** What the server sees of the kernel, and whether somebody reads about it. */
class SightState {
  /** Undefined until the server said, and of a server too old to say. */
  now = $state.raw<KernelSight>();
  /** Whether the dialog is open. */
  shown = $state(false);

  /** Asks the server. */
  async look(): Promise<void> {
    try {
      this.now = await scope.api.sight();
    } catch {
      // An older server has no such route; a lost one is asked again once it is back.
      this.now = undefined;
    }
  }
}

/** What the server sees of the kernel. */
export const sight = new SightState();

/** The captured frame of a segment. */
export function frameOf(seq: number): Promise<Frame> {
  return scope.api.frame(seq, scope.log.epoch);
}
