import type { TcpFlag } from '../../wire/generated';
import type { SegmentEvent } from '../log/segments';

/** Which numbers are shown: from each side's first, or as on the wire. */
export type Numbers = 'relative' | 'absolute';

// As tcpdump and Wireshark say them: what opens and ends first, then the rest.
const ORDER: readonly TcpFlag[] = ['syn', 'fin', 'rst', 'psh', 'urg', 'ece', 'cwr', 'ack'];

/** Flags as people write them: `SYN, ACK`. */
export function flagsText(flags: readonly TcpFlag[]): string {
  return ORDER.filter((flag) => flags.includes(flag))
    .map((flag) => flag.toUpperCase())
    .join(', ');
}

/** What a segment is: its flags, or the protocol it is of; for an error its type and code. */
export function nameOf(event: SegmentEvent): string {
  if (event.icmp !== undefined) return icmpName(event.icmp.type, event.icmp.code, event.icmp.from?.includes(':') === true);
  if (event.protocol !== 'tcp') return event.protocol.toUpperCase();
  const flags = flagsText(event.flags ?? []);
  return flags === '' ? '–' : flags;
}

// RFC 792 and RFC 4443, those a socket meets; the names are the protocol's, in every language.
const ICMP: Readonly<Record<string, string>> = {
  '3/0': 'network unreachable',
  '3/1': 'host unreachable',
  '3/2': 'protocol unreachable',
  '3/3': 'port unreachable',
  '3/4': 'fragmentation needed',
  '3/9': 'network prohibited',
  '3/10': 'host prohibited',
  '3/13': 'prohibited',
  '11/0': 'time exceeded',
};
const ICMP6: Readonly<Record<string, string>> = {
  '1/0': 'no route',
  '1/1': 'prohibited',
  '1/3': 'address unreachable',
  '1/4': 'port unreachable',
  '2/0': 'packet too big',
  '3/0': 'hop limit exceeded',
};

function icmpName(type: number, code: number, six: boolean): string {
  const numbers = `${String(type)}/${String(code)}`;
  return `ICMP ${(six ? ICMP6 : ICMP)[numbers] ?? numbers}`;
}

/**
 * The bytes of the stream a segment carries: `1:6 (5)`. A number that is not known relatively is shown as on the wire; a
 * segment without bytes carries none, unless it takes a number (SYN, FIN).
 */
export function rangeOf(event: SegmentEvent, numbers: Numbers = 'relative'): string {
  if (event.protocol !== 'tcp' || event.icmp !== undefined) return event.len > 0 ? `(${String(event.len)})` : '';
  const first = numbers === 'relative' ? (event.seq_relative ?? event.seq_number) : event.seq_number;
  if (first === undefined) return event.len > 0 ? `(${String(event.len)})` : '';
  if (event.len > 0) return `${String(first)}:${String(after(first, event.len, numbers, event))} (${String(event.len)})`;
  const takes = event.flags?.includes('syn') === true || event.flags?.includes('fin') === true;
  return takes ? String(first) : '';
}

/** The number a segment acknowledges, where it does. */
export function ackOf(event: SegmentEvent, numbers: Numbers = 'relative'): number | undefined {
  if (event.flags?.includes('ack') !== true) return undefined;
  return numbers === 'relative' ? (event.ack_relative ?? event.ack_number) : event.ack_number;
}

/** A segment in one line: `PSH, ACK 1:6 (5) ack 1 win 512`. */
export function segmentText(event: SegmentEvent, numbers: Numbers = 'relative'): string {
  const ack = ackOf(event, numbers);
  return [nameOf(event), rangeOf(event, numbers), ack === undefined ? '' : `ack ${String(ack)}`, event.window === undefined ? '' : `win ${String(event.window)}`].filter((part) => part !== '').join(' ');
}

/** A number on the wire goes around after 2³²; a relative one does not. */
function after(first: number, len: number, numbers: Numbers, event: SegmentEvent): number {
  const wire = numbers === 'absolute' || event.seq_relative === undefined;
  return wire ? (first + len) % 2 ** 32 : first + len;
}
