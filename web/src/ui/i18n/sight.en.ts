import type { SightLevel, Way } from '../../model/wire/sight';

/** What is said of how much of the kernel can be seen, in English; the other languages have the same shape. */
export const sight = {
  title: 'What the kernel shows',
  badge: (level: number): string => `Kernel: level ${String(level)} of 3`,
  badgeLabel: (level: number, name: string): string => `${sight.badge(level)}, ${name}. More about it`,
  intro: 'sockscope drives sockets, and shows what the kernel and the wire did with them. How much of that can be seen depends on what this server may do.',
  active: 'active',
  inactive: 'not available',
  because: (errno: string) => `not available: ${errno}`,
  none: 'nothing',
  levels: {
    1: { name: 'its own sockets', says: 'TCP_INFO, queues and options of every socket opened here: round trip, congestion window, retransmissions. Needs no privilege.' },
    2: { name: 'states of both ends', says: 'The state of a connection’s two ends, asked of the kernel by its addresses (NETLINK_SOCK_DIAG), also after close: FIN_WAIT_2, TIME_WAIT with the time that is left, accept queues, who holds the other end. Needs no privilege.' },
    3: { name: 'the segments', says: 'Every segment on the wire with its numbers, flags, window and bytes, by a packet socket. Needs CAP_NET_RAW, and nothing else.' },
  } satisfies Record<SightLevel, { name: string; says: string }>,
  how: 'How to see segments',
  howContainer: 'This server runs in a container, so the ways for containers come first.',
  have: 'Everything there is can be seen.',
  only: 'The server captures only what belongs to sockets of this workspace, and what they send.',
  ways: {
    setcap: { name: 'For a binary, once and for all', says: 'Simplest: the file carries the capability, whoever starts it. It is lost when the file is built or copied anew, and a file system mounted nosuid ignores it.' },
    once: { name: 'For one run', says: 'Starts it as yourself with that one capability (an ambient one); the file stays as it is.' },
    namespace: { name: 'Without any privilege', says: 'In a network namespace of its own, where you are root. Only its own loopback exists there: practice peers and sockets among themselves can be seen, nothing else can be reached, and the page only by a browser in the same namespace (nsenter).' },
    docker: { name: 'With Docker', says: 'A user that is not root gets no capability from Docker, whatever is added; so it runs as root with all of them dropped but this one. It sees the container’s own network.' },
    podman: { name: 'With Podman', says: 'The same; without root it is your own user outside.' },
  } satisfies Record<Way['id'], { name: string; says: string }>,
  copy: 'Copy',
  copyLabel: (name: string) => `Copy the command: ${name}`,
  restart: 'Then start the server again.',
};

/** The shape these words have in every language. */
export type SightMessages = typeof sight;
