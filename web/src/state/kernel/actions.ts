import { address } from '../../model/ladder/peers';
import type { Socket } from '../../wire/generated';
import { errorText, problemText } from '../actions';
import { notices } from '../notices.svelte';
import { scope } from '../scope.svelte';

/** Where a client of this machine reaches a listener. */
export function targetOf(listener: Socket): string | undefined {
  const at = listener.local === null ? undefined : address(listener.local);
  if (at === undefined) return undefined;
  const host = at.host === '0.0.0.0' ? '127.0.0.1' : at.host === '::' ? '::1' : at.host;
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${at.port}`;
}

/** Opens a client to a listener and goes on looking at the listener. */
export async function connectTo(listener: Socket, name: string): Promise<void> {
  const open = targetOf(listener);
  if (open === undefined) return;
  try {
    const reply = await scope.connection.command({ open: { open, name } });
    if (reply.problem !== undefined) notices.error(problemText(reply.problem));
  } catch (error) {
    notices.error(errorText(error));
  }
}
