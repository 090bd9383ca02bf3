import { Belongings } from '../../link/belongings';
import { ended } from '../../model/sockets/fold';
import { scope } from '../scope.svelte';

const begun = new Set<Belongings>();

// A lesson does not outlive the page; nobody is left to hear an answer.
window.addEventListener('pagehide', () => {
  for (const belongings of begun) belongings.leave();
});

/** Where a lesson writes down what it starts. A socket that has ended stays in the list, and its story with it. */
export function started(): Belongings {
  for (const before of begun) if (!before.any) begun.delete(before);
  const belongings = new Belongings(scope.api, (id) => {
    const socket = scope.sockets.all.get(id);
    return socket !== undefined && ended(socket);
  });
  begun.add(belongings);
  return belongings;
}
