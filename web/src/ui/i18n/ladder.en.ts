import type { Word } from '../../model/ladder/call';

const n = (count: number): string => count.toLocaleString('en');
const many = (count: number, one: string, more: string): string => `${n(count)} ${count === 1 ? one : more}`;

/** What the ladder says, in English; the other languages have the same shape. */
export const ladder = {
  label: (socket: string) => `Ladder of ${socket}: calls in the order of time`,
  rails: { ours: 'Our calls', wire: 'Wire', peer: 'Peer’s calls' },
  wireEmpty: 'Nothing captured: this server does not record segments yet.',
  peerNot: 'The peer is not ours: its calls cannot be seen from here.',
  peerListener: 'A listener has no peer; each of its connections has a ladder of its own.',
  peerLater: 'No peer yet.',
  peers: (count: number) => many(count, 'socket of ours', 'sockets of ours'),
  empty: 'No calls yet',
  emptyHint: 'What this socket does appears here as it happens.',
  cut: 'Earlier calls are no longer shown here.',
  zoomIn: 'Zoom in',
  zoomOut: 'Zoom out',
  fit: 'Fit',
  fitLabel: 'Show the whole ladder',
  scale: (time: string) => `${time} per pixel`,
  idle: 'Shorten idle time',
  legend: 'Legend',
  position: 'Position in time',
  gap: (time: string) => `${time} idle`,
  group: (count: number) => many(count, 'call', 'calls'),
  groupOf: (count: number, call: string) => `${n(count)} × ${call}`,
  groupErrors: (count: number) => `${n(count)} failed`,
  groupHint: 'Enter or click: look closer',
  took: (time: string) => `took ${time}`,
  at: (time: string) => `at ${time}`,
  event: (seq: number) => `event ${n(seq)}`,
  ofPeer: (socket: string) => `peer ${socket}`,
  nothingChosen: 'Point at a call, or walk with the arrow keys.',
  words: {
    opening: 'open',
    resolved: 'resolve',
    connected: 'connected',
    denied: 'denied',
    dropped: 'lost',
    paused: 'stands still',
    resumed: 'goes on',
    note: 'note',
    fact: 'fact',
    fin: 'FIN',
    truncated: 'truncated',
    reset_by_peer: 'RST by peer',
    reset_by_us: 'RST',
    failed: 'failed',
    of_read: 'reading',
    of_send: 'sending',
    of_accept: 'accepting',
  } satisfies Record<Word, string> as Record<Word, string>,
  legendRows: {
    ours: 'What our socket asked of the kernel. A bar reaches from the call’s entry to its return; its label stands at the return.',
    wire: 'What went over the network. Empty until the server can capture segments.',
    peer: 'What the other end asked of its kernel, where the other end is a socket of this workspace too.',
    wait: 'A long call: it waited, for bytes to read or for room to write.',
    link: 'The same bytes at both ends, by their place in the stream. Not a packet: one send may be read in pieces, several may be read at once.',
    end: 'FIN or RST that the other end found.',
    idle: 'Time in which nothing began or ended, drawn shorter than it was.',
    group: 'Calls too close to tell apart; a closer look opens them.',
  },
  keys: 'Wheel or drag: move · Ctrl+wheel or + −: zoom · 0: fit · arrows: walk · Enter: select',
};

/** The shape the ladder's words have in every language. */
export type LadderMessages = typeof ladder;
