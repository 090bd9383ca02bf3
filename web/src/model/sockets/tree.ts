import type { Socket } from '../../wire/generated';
import { ended } from './fold';

/** A line of the list of sockets. */
export interface Branch {
  readonly socket: Socket;
  /** 1 for what a listener accepted. */
  readonly depth: 0 | 1;
  /** How many of what a listener accepted are listed, and how many of them live. */
  readonly children: number;
  readonly alive: number;
}

/** The sockets to list: what a listener accepted stands below it; practice peers' own only if asked for. */
export function branches(sockets: ReadonlyMap<string, Socket>, hidden: boolean): Branch[] {
  const shown = [...sockets.values()].filter((socket) => hidden || socket.practice === null);
  const below = new Map<string, Socket[]>();
  for (const socket of shown) {
    if (socket.parent === null) continue;
    const siblings = below.get(socket.parent);
    if (siblings === undefined) below.set(socket.parent, [socket]);
    else siblings.push(socket);
  }
  const lines: Branch[] = [];
  for (const socket of shown) {
    // One whose listener was removed stands on its own.
    if (socket.parent !== null && shownIn(sockets, socket.parent, hidden)) continue;
    const children = below.get(socket.id) ?? [];
    lines.push({ socket, depth: 0, children: children.length, alive: children.filter((child) => !ended(child)).length });
    for (const child of children) lines.push({ socket: child, depth: 1, children: 0, alive: 0 });
  }
  return lines;
}

/** What a socket is called: its name, or the best address there is. */
export function label(socket: Socket): string {
  if (socket.name !== null) return socket.name;
  if (socket.role === 'accepted') return socket.remote ?? socket.target;
  return socket.target;
}

function shownIn(sockets: ReadonlyMap<string, Socket>, id: string, hidden: boolean): boolean {
  const socket = sockets.get(id);
  return socket !== undefined && (hidden || socket.practice === null);
}
