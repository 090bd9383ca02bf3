import type { OptionName } from '../../model/sockets/options';

const n = (count: number): string => count.toLocaleString('en');

/** What the options of a socket say. */
export const knobs = {
  range: (min: number, max: number) => `${n(min)} to ${n(max)}`,
  asks: 'in bytes; what is granted, the kernel decides',
  wrong: (min: number, max: number) => `From ${n(min)} to ${n(max)}.`,
  now: 'In force',
  asked: 'asked',
  granted: 'granted',
  says: {
    connect_timeout_ms: 'How long connecting may take in ms, all addresses together.',
    reuse_addr: 'SO_REUSEADDR: may bind a port whose old connections are in TIME_WAIT, if they had it too.',
    backlog: 'listen(backlog): how many finished connections may wait for accept, at most net.core.somaxconn.',
    read_size: 'The most bytes one recv may return: small ones cut the stream into many reads.',
    nodelay: 'TCP_NODELAY: on sends small segments at once; off waits for an acknowledgement first (Nagle).',
    keepalive: 'SO_KEEPALIVE: the kernel probes a silent peer.',
    keepalive_idle_s: 'TCP_KEEPIDLE: seconds of silence before the first probe.',
    keepalive_interval_s: 'TCP_KEEPINTVL: seconds between probes nobody answers.',
    keepalive_count: 'TCP_KEEPCNT: after so many unanswered probes it is given up.',
    user_timeout_ms: 'TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged, in ms; 0 is the system’s.',
    recv_buffer: 'SO_RCVBUF: room for what is not read yet, and with it the window. Linux doubles what is asked.',
    send_buffer: 'SO_SNDBUF: room for what is not acknowledged yet. Linux doubles what is asked.',
    cork: 'TCP_CORK: only whole segments go until it is taken off, or 200 ms have passed.',
    quickack: 'TCP_QUICKACK: acknowledges at once instead of waiting for bytes to go with it; the kernel may change its mind.',
    maxseg: 'TCP_MAXSEG: the most payload of a segment; before connecting it is told to the peer, later it can only shrink.',
    reading: 'Off: nobody calls recv. The receive queue fills, the window closes, the sender’s queue fills and its persist timer starts.',
    accepting: 'Off: nobody calls accept. Connections are made all the same and wait in the kernel’s queue.',
    broadcast: 'SO_BROADCAST: may send to broadcast addresses.',
    ipv6_only: 'IPV6_V6ONLY: takes no IPv4 connections by mapped addresses.',
  } satisfies Record<OptionName, string> as Record<OptionName, string>,
  opening: {
    button: 'Options',
    count: (count: number) => `Options (${n(count)})`,
    title: 'Options to open with',
    hint: 'They are set before connect or listen, and kept here for the next socket until they are taken out.',
    add: 'Add',
    remove: (name: string) => `Take ${name} out`,
    none: 'None: the defaults are used.',
    other: 'These do not apply to this kind of socket and are left out:',
  },
};
