import type { Socket } from '../../wire/generated';

/** Peers of an unconnected datagram socket whose calls are drawn; a socket heard from more keeps to these. */
export const PEERS_DRAWN = 16;

/** An address string taken apart, its host in one spelling. */
export interface Address {
  readonly host: string;
  readonly port: string;
}

/** A socket of the workspace that is the other end, and which datagrams of it concern us (all, where absent). */
export interface Peer {
  readonly socket: Socket;
  /** Our address as the peer sees it: only datagrams from or to it are ours. */
  readonly only?: string;
}

const MAPPED_DOTTED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/;
const MAPPED_HEX = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** Takes `127.0.0.1:80` or `[::1]:80` apart; an IPv4 address mapped into IPv6 becomes the IPv4 address it is. */
export function address(text: string): Address | undefined {
  const colon = text.lastIndexOf(':');
  if (colon < 1 || text.startsWith('unix:')) return undefined;
  const written = text.slice(0, colon).toLowerCase();
  const host = written.startsWith('[') && written.endsWith(']') ? written.slice(1, -1) : written;
  return { host: unmapped(host), port: text.slice(colon + 1) };
}

/** Whether two address strings name the same end. */
export function sameAddress(a: string, b: string): boolean {
  if (a === b) return true;
  const left = address(a);
  const right = address(b);
  return left !== undefined && right !== undefined && left.host === right.host && left.port === right.port;
}

/**
 * The other end, where it is a socket of this workspace too. A stream's is the socket with our two addresses swapped;
 * ports are used again, so of several the one that opened nearest to ours. Datagram sockets are found by address.
 */
export function findPeers(socket: Socket, sockets: ReadonlyMap<string, Socket>): Peer[] {
  if (socket.local === null || socket.role === 'listener') return [];
  return isDatagram(socket) ? datagramPeers(socket, socket.local, sockets) : streamPeer(socket, socket.local, sockets);
}

function streamPeer(socket: Socket, local: string, sockets: ReadonlyMap<string, Socket>): Peer[] {
  let found: Socket | undefined;
  for (const other of sockets.values()) {
    if (other.id === socket.id || isDatagram(other) || other.role === 'listener') continue;
    if (socket.remote === null || other.local === null || other.remote === null) continue;
    if (!sameAddress(other.local, socket.remote) || !sameAddress(other.remote, local)) continue;
    if (found === undefined || distance(other, socket) < distance(found, socket)) found = other;
  }
  return found === undefined ? [] : [{ socket: found }];
}

function datagramPeers(socket: Socket, local: string, sockets: ReadonlyMap<string, Socket>): Peer[] {
  const found: Peer[] = [];
  for (const other of sockets.values()) {
    if (other.id === socket.id || !isDatagram(other) || other.local === null) continue;
    const peer = datagramPeer(socket, local, other, other.local);
    if (peer !== undefined) found.push(peer);
  }
  return found.sort((a, b) => distance(a.socket, socket) - distance(b.socket, socket)).slice(0, PEERS_DRAWN);
}

function datagramPeer(socket: Socket, local: string, other: Socket, theirs: string): Peer | undefined {
  // A connected socket has one peer only, so each of the two must be able to hear the other.
  if (socket.remote !== null && !reaches(socket.remote, theirs, local)) return undefined;
  if (other.remote !== null) return reaches(other.remote, local, theirs) ? { socket: other } : undefined;
  if (socket.remote !== null) return { socket: other, only: local };
  const heard = socket.peers?.find((peer) => reaches(peer.address, theirs, local));
  const seen = other.peers?.find((peer) => reaches(peer.address, local, theirs));
  if (heard === undefined && seen === undefined) return undefined;
  return { socket: other, only: seen?.address ?? local };
}

/**
 * Whether a datagram to `to` arrives at a socket bound to `bound`. Behind a wildcard it does only if `to` is an address
 * of this machine: a loopback address, or the very one `from` stands on.
 */
function reaches(to: string, bound: string, from: string): boolean {
  if (sameAddress(to, bound)) return true;
  const target = address(to);
  const open = address(bound);
  if (target === undefined || open?.port !== target.port) return false;
  const bothFamilies = open.host === '::';
  const wildcard = bothFamilies || (open.host === '0.0.0.0' && !target.host.includes(':'));
  return wildcard && (isLoopback(target.host) || address(from)?.host === target.host);
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}

function unmapped(host: string): string {
  const dotted = MAPPED_DOTTED.exec(host);
  if (dotted?.[1] !== undefined) return dotted[1];
  const hex = MAPPED_HEX.exec(host);
  if (hex === null) return host;
  const bits = parseInt(hex[1] ?? '', 16) * 0x1_0000 + parseInt(hex[2] ?? '', 16);
  return [24, 16, 8, 0].map((shift) => (bits / 2 ** shift) & 0xff).join('.');
}

function isDatagram(socket: Socket): boolean {
  return socket.role === 'bound' || socket.role === 'connected';
}

function distance(a: Socket, b: Socket): number {
  return Math.abs(a.opened_seq - b.opened_seq);
}
