import type { Socket, SocketOptions } from '../../wire/generated';
import { ended } from './fold';

/** An option of a socket, by its name on the wire. */
export type OptionName = keyof SocketOptions;

/** Options that are on or off; the others are numbers. */
export const FLAGS: ReadonlySet<string> = new Set<OptionName>(['reuse_addr', 'nodelay', 'cork', 'quickack', 'reading', 'accepting', 'keepalive', 'broadcast', 'ipv6_only']);

const ANY = ['read_size', 'recv_buffer', 'send_buffer'] as const;
const STREAM = ['nodelay', 'cork', 'quickack', 'maxseg', 'reading', 'keepalive'] as const;

/** The options that can be set on a socket as it is: which of them it takes, the server decides when asked. Those of practice peers and of bridges take none. */
export function settable(socket: Socket): readonly OptionName[] {
  if (ended(socket) || socket.state === 'opening' || socket.practice !== null || socket.bridge !== undefined) return [];
  const datagrams = socket.role === 'bound' || socket.role === 'connected';
  if (datagrams) return [...ANY, 'broadcast'];
  return socket.role === 'listener' ? ['accepting', ...ANY, ...STREAM] : [...ANY, ...STREAM];
}

/** What was typed or chosen as the value of an option; undefined when it is none. */
export function optionValue(name: OptionName, typed: string): SocketOptions | undefined {
  const text = typed.trim();
  if (FLAGS.has(name)) return text === 'on' || text === 'off' ? { [name]: text === 'on' } : undefined;
  return /^\d{1,10}$/u.test(text) && Number(text) <= 0xffff_ffff ? { [name]: Number(text) } : undefined;
}
