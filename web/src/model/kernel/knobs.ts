import type { OptionName } from '../sockets/options';
import type { Event, Socket, SocketId } from '../../wire/generated';
import type { Scheme } from '../sockets/target';

/** The values an option takes, as the server checks them. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** The ranges of options that are numbers; buffers are the kernel's to judge. */
export const RANGES: Partial<Record<OptionName, Range>> = {
  connect_timeout_ms: { min: 1, max: 600_000 },
  backlog: { min: 0, max: 65_535 },
  read_size: { min: 1, max: 262_144 },
  keepalive_idle_s: { min: 1, max: 32_767 },
  keepalive_interval_s: { min: 1, max: 32_767 },
  keepalive_count: { min: 1, max: 127 },
  user_timeout_ms: { min: 0, max: 3_600_000 },
  maxseg: { min: 88, max: 32_767 },
};

const STREAM: readonly OptionName[] = ['nodelay', 'cork', 'quickack', 'send_buffer', 'recv_buffer', 'maxseg', 'read_size', 'reading', 'keepalive', 'keepalive_idle_s', 'keepalive_interval_s', 'keepalive_count', 'user_timeout_ms'];
const DATAGRAMS: readonly OptionName[] = ['send_buffer', 'recv_buffer', 'read_size', 'broadcast'];

/** The options a socket can be opened with, by what it will be. */
export function openable(scheme: Scheme): readonly OptionName[] {
  switch (scheme) {
    case 'tcp':
      return [...STREAM, 'connect_timeout_ms'];
    case 'tcp-listen':
      return ['backlog', 'reuse_addr', 'accepting', ...STREAM, 'ipv6_only'];
    case 'udp':
      return [...DATAGRAMS, 'connect_timeout_ms'];
    case 'udp-bind':
      return [...DATAGRAMS, 'reuse_addr', 'ipv6_only'];
  }
}

/** Whether a number is one an option takes. */
export function inRange(name: OptionName, value: number): boolean {
  const range = RANGES[name];
  return range === undefined || (value >= range.min && value <= range.max);
}

/** What was asked for of an option, and what the kernel made of it. */
export interface Granted {
  readonly asked: number;
  readonly granted: number;
}

/** The newest answer of the kernel for each option of a socket. */
export class Grants {
  readonly all = new Map<string, Granted>();
  readonly #socket: SocketId;

  constructor(socket: SocketId) {
    this.#socket = socket;
  }

  /** Takes an event in. */
  add(event: Event): void {
    if (event.socket === this.#socket && event.type === 'option_set') this.all.set(event.option, { asked: event.asked, granted: event.granted });
  }
}

/** Whether an option is in force on a socket, where it says nothing: NODELAY, reading, accepting and a listener's REUSEADDR are. */
export function isOn(socket: Socket, name: 'nodelay' | 'cork' | 'quickack' | 'reading' | 'accepting' | 'reuse_addr'): boolean {
  return socket.options[name] ?? (name === 'nodelay' || name === 'reading' || name === 'accepting' || (name === 'reuse_addr' && socket.role === 'listener'));
}
