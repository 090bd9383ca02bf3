import type { Direction, Event, SocketId } from '../../wire/generated';

type State = Extract<Event, { type: 'kernel_state' }>;

/** Whose word of an end it is: its own, or that of the socket at the other end, which is a socket of ours too. */
export type Word = 'own' | 'told';

/** Which words of an end were heard. */
export type Heard = Partial<Record<Word, boolean>>;

/** Whose word an event is. */
export function wordOf(event: State): Word {
  return event.end === 'local' ? 'own' : 'told';
}

/** Which end of a socket's connection an event tells of; the event is this socket's, or that of the one at the other end. */
export function endOf(event: State, socket: SocketId): Direction {
  return (event.end === 'local') === (event.socket === socket) ? 'local' : 'peer';
}

/**
 * The word that is taken for an end: what it says of itself goes before what the other saw of it. Each reads at its own
 * time and concludes what it has not read, so that both together make a path that never was.
 */
export function taken(heard: Heard): Word {
  return heard.own === true ? 'own' : 'told';
}
