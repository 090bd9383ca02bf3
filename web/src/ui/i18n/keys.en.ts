import type { KeyField } from '../../model/bridge/draft';
import type { KeyTargetError } from '../../model/bridge/target';

const n = (count: number): string => count.toLocaleString('en');
const many = (count: number, one: string, more: string): string => `${n(count)} ${count === 1 ? one : more}`;

/** What is said of keys for bridges, in English; the other languages have the same shape. */
export const keys = {
  title: 'Bridge keys',
  intro: 'A program, or a page of another site, reaches TCP and UDP through this server with a key in place of the token. It can reach what the key names and nothing else, and every connection shows up among the sockets.',
  list: 'Keys',
  loading: 'Asking the server…',
  none: 'There is no key yet. Without one, no program gets through.',
  stale: (why: string) => `${why} What stands below may be out of date.`,
  make: 'Make a key',
  form: 'A new key',
  fields: {
    name: { label: 'Name', hint: 'What it is for; may stay empty.' },
    targets: { label: 'Targets', hint: 'What may be reached, one a line: tcp:// or udp://, a host or *, a port, a range like 8000-8099 or *. Where a page may listen: tcp-listen:// or udp-bind://, an address or *, and ports. The server’s policy has the last word.' },
    origins: { label: 'Origins', hint: 'Pages that may use it, one a line. Programs that are no pages need none.' },
    streams: { label: 'Sockets at once' },
    rate: { label: 'New ones a second' },
    bytes: { label: 'Bytes in all', hint: 'Both ways together: 500000, 64 KiB, 10 GiB. Empty: no limit.' },
  } satisfies Record<KeyField, { label: string; hint?: string }>,
  record: 'Record every byte',
  recordHint: 'Otherwise the log gets the first bytes each way, and then how much passed.',
  submit: 'Make it',
  making: 'Making it…',
  cancel: 'Cancel',
  faults: {
    none: 'Name at least one target.',
    long: (most: number) => `At most ${n(most)} characters.`,
    many: (most: number) => `At most ${n(most)} lines.`,
    range: (min: number, max: number) => `A whole number from ${n(min)} to ${n(max)}.`,
    amount: 'A number of bytes, like 500000, 64 KiB or 10 GiB.',
    line: (line: number, what: string) => `Line ${n(line)}: ${what}`,
    why: {
      scheme: (found) => `“${found}” begins with none of tcp://, udp://, tcp-listen:// and udp-bind://`,
      host: (found) => `“${found}” is neither a name nor an address nor *`,
      bracket: () => 'an IPv6 address stands in brackets: [::1]:80',
      address: (found) => `“${found}” is a name: where to listen is an address or *`,
      port: (found) => (found === '' ? 'a port is missing at the end: host:port' : `“${found}” is no port: a number from 1 to 65535, a range or *`),
      range: (found) => `“${found}” ends before it begins`,
      origin: (found) => `“${found}” is no origin: https://host, with a port where it has one, and nothing behind`,
    } satisfies Record<KeyTargetError | 'origin', (found: string) => string> as Record<KeyTargetError | 'origin', (found: string) => string>,
  },
  made: {
    title: (name: string) => `The key ${name} is made`,
    once: 'What stands here holds its secret. It is shown this once and kept nowhere: copy what you need now. Whoever has it gets in.',
    wsproxy: 'One connection to a target (wsproxy)',
    wisp: 'Many connections over one WebSocket (Wisp)',
    direct: 'Sockets in a page: TCP, UDP and listeners (Direct Sockets)',
    noOrigin: 'No page of another site may use this key: it names no origin.',
    blanks: (what: string) => `Put the real value in place of ${what}.`,
    copy: 'Copy',
    copyLabel: (what: string) => `Copy: ${what}`,
    done: 'Done, hide it',
  },
  unnamed: 'without a name',
  targets: 'Targets',
  origins: 'Origins',
  originsNone: 'no page, programs only',
  limits: 'Limits',
  limitsText: (streams: number, rate: number, bytes: string | null) => `${many(streams, 'socket', 'sockets')} at once, ${n(rate)} new a second, ${bytes ?? 'any number of bytes'}`,
  connections: 'Connections',
  connectionsText: (count: number) => (count === 0 ? 'none' : `${many(count, 'WebSocket', 'WebSockets')} let in`),
  live: 'Open now',
  liveNone: 'none',
  liveMore: (count: number) => `and ${n(count)} more`,
  select: (id: string) => `Select the socket ${id}`,
  used: 'Used',
  usedText: (opened: number, bytes: string) => `${many(opened, 'socket', 'sockets')} in all, ${bytes}`,
  madeAt: 'Made',
  recorded: 'every byte recorded',
  revoke: 'Revoke',
  revokeLabel: (name: string) => `Revoke the key ${name}`,
  revokeAsk: (live: number) => `Nobody gets in with it any more, for good. ${live === 0 ? 'It has no open socket.' : `${many(live, 'open socket is', 'open sockets are')} closed.`}`,
  revokeDo: 'Revoke for good',
  revokeNot: 'Keep it',
};

/** The shape these words have in every language. */
export type KeysMessages = typeof keys;
