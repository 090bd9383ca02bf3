import type { OptionName } from '../sockets/options';
import type { Event, Socket, SocketId } from '../../wire/generated';
import type { Scheme } from '../sockets/target';

/** The values an option takes, as the server checks them. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

const BUFFER: Range = { min: 1, max: 2 ** 30 };

/** The ranges of options that are numbers. */
const RANGES: Partial<Record<OptionName, Range>> = {
  connect_timeout_ms: { min: 1, max: 600_000 },
  backlog: { min: 0, max: 65_535 },
  read_size: { min: 1, max: 262_144 },
  recv_buffer: BUFFER,
  send_buffer: BUFFER,
  keepalive_idle_s: { min: 1, max: 32_767 },
  keepalive_interval_s: { min: 1, max: 32_767 },
  keepalive_count: { min: 1, max: 127 },
  user_timeout_ms: { min: 0, max: 3_600_000 },
  maxseg: { min: 88, max: 32_767 },
};

/** No datagram is larger than what is read of one. */
const DATAGRAM: Range = { min: 1, max: 65_536 };

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

/** The range of an option of a socket of streams or of datagrams; undefined for one that is on or off. */
export function rangeOf(name: OptionName, datagrams: boolean): Range | undefined {
  return name === 'read_size' && datagrams ? DATAGRAM : RANGES[name];
}

/** Whether a number is one an option with this range takes. */
export function inRange(range: Range | undefined, value: number): boolean {
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
