import type { Cause } from '../../model/kernel/graph';
import type { Evidence, TcpState, TimerKind } from '../../wire/generated';
import { closing } from './kernel.closing.en';
import { knobs } from './kernel.knobs.en';
import { figures, stream } from './kernel.stream.en';

const n = (count: number): string => count.toLocaleString('en');

/** What the views of the kernel say, in English; the other languages have the same shape. */
export const kernel = {
  tabs: { state: 'State', figures: 'Figures', stream: 'Stream' },
  none: 'Select a socket to see what the kernel says of it',
  notTcp: 'TCP only: datagrams have no states, no stream and no window.',
  state: {
    title: (socket: string) => `States of ${socket}`,
    ours: 'Our end',
    peer: 'The peer’s end',
    legend: 'How to read it',
    tokens: { ours: 'our end now; the way it came is drawn solid', peer: 'the peer’s end now; the way it came is dashed' },
    evidence: { read: 'read', passed_through: 'passed through', unknown: 'unknown' } satisfies Record<Evidence, string> as Record<Evidence, string>,
    evidenceSays: {
      read: 'read: the kernel was asked and said so',
      passed_through: 'passed through: it follows from segments that were seen; too short to be read',
      unknown: 'unknown: nobody can say',
    } satisfies Record<Evidence, string> as Record<Evidence, string>,
    nobody: 'No state has been told yet.',
    nobodyPeer: 'Not known. The peer’s end can be seen where it is on this host; else it is told by segments, where they are captured.',
    unknown: 'not known',
    path: 'The way so far',
    at: (time: string) => `after ${time}`,
    first: 'first seen',
    says: {
      CLOSED: (who: string) => `${who} is closed: the kernel keeps nothing of this connection any more.`,
      LISTEN: (who: string) => `${who} listens: it waits for a SYN from anybody.`,
      SYN_SENT: (who: string) => `${who} has sent SYN and waits for SYN+ACK; without an answer it repeats it after 1, 2, 4 … s.`,
      SYN_RECEIVED: (who: string) => `${who} has answered SYN with SYN+ACK and waits for the last ACK of the handshake.`,
      ESTABLISHED: (who: string) => `${who} is connected: both directions are open.`,
      FIN_WAIT_1: (who: string) => `${who} has sent FIN and waits for it to be acknowledged.`,
      FIN_WAIT_2: (who: string) => `${who} has ended its direction and knows that the other side had its FIN. It waits for the other side’s FIN, which may take as long as its program likes.`,
      CLOSING: (who: string) => `Both sides closed at once: ${who} had the other’s FIN and waits for its own to be acknowledged.`,
      CLOSE_WAIT: (who: string) => `${who} had the other side’s FIN. Now its own program has to close; one that forgets leaves it here for ever.`,
      LAST_ACK: (who: string) => `${who} has answered FIN with its own and waits for the last ACK.`,
      TIME_WAIT: (who: string) => `${who} closed first, so it is the one that waits: late segments must not be taken for those of a new connection, and a lost last ACK can be repeated.`,
    } satisfies Record<TcpState, (who: string) => string> as Record<TcpState, (who: string) => string>,
    causes: {
      listen: 'listen() was called',
      connect: 'connect() sent SYN',
      syn_arrives: 'SYN came, SYN+ACK went',
      both_syn: 'a SYN came while ours was under way: both opened at once',
      syn_ack_arrives: 'SYN+ACK came, ACK went',
      ack_arrives: 'the ACK of the handshake came',
      close: 'close() or shutdown() sent FIN',
      fin_arrives: 'FIN came, ACK went',
      fin_acked: 'the ACK of its FIN came',
      fin_and_ack: 'FIN and the ACK of its own came in one segment',
      wait_over: 'the time of TIME_WAIT was over',
      abandoned: 'it was ended at once: RST, a timeout, or closed before it was open',
    } satisfies Record<Cause, string> as Record<Cause, string>,
    jump: 'states between were too short to be seen',
    timers: {
      retransmit: (left: string, again: number) => `What is not acknowledged is sent again in ${left}${again > 0 ? ` (sent again ${n(again)} times so far)` : ''}.`,
      keepalive: (left: string) => `The next keepalive probe goes in ${left}.`,
      time_wait: (left: string) => `TIME_WAIT ends in ${left}. On Linux it takes 60 s, whatever anybody sets.`,
      zero_window_probe: (left: string, again: number) => `The window is closed; the persist timer asks again in ${left}${again > 0 ? ` (asked ${n(again)} times so far)` : ''}.`,
    } satisfies Record<TimerKind, (left: string, again: number) => string> as Record<TimerKind, (left: string, again: number) => string>,
    over: 'TIME_WAIT is over: its 60 s have passed.',
    owner: (uid: number, pid: number | undefined, process: string | undefined) =>
      pid === undefined ? `The peer’s end belongs to user ${String(uid)} on this host; which process may not be read.` : `The peer’s end belongs to ${process ?? 'a process'} (pid ${String(pid)}) of user ${String(uid)} on this host.`,
    peerIs: (socket: string) => `The peer’s end is ${socket} of this workspace.`,
  },
  queue: {
    title: 'Accept queue',
    none: 'The kernel has not told the queue’s length yet.',
    slots: 'Places in the queue',
    slot: (taken: boolean, beyond: boolean) => `${taken ? 'a connection waits' : 'free'}${beyond ? ', beyond the limit' : ''}`,
    now: (length: number, limit: number, most: number) => `${n(length)} ${length === 1 ? 'connection waits' : 'connections wait'} to be accepted; the limit is ${n(limit)}. At most ${n(most)} were seen waiting.`,
    full: 'The queue is full. Linux ignores the last ACK of further handshakes and does not answer new SYNs: to a client that looks as if the network lost them, and connect() hangs.',
    limit: (backlog: number | undefined, limit: number | undefined) =>
      `What listen(backlog) limits on Linux is this queue of finished connections, to min(backlog, net.core.somaxconn)${backlog === undefined ? '' : `; asked for were ${n(backlog)}${limit === undefined ? '' : `, in force are ${n(limit)}`}`}. One more than that is let in, since the kernel compares with “greater than”.`,
    connects: 'connect() succeeds before anybody calls accept(): the kernel makes the handshake alone and puts the connection here. accept() only takes it out.',
    pause: 'Stop accepting',
    resume: 'Accept again',
    paused: 'Nobody calls accept() now; connections stay in the queue.',
    connect: 'Connect one client',
    connectHint: 'Opens a client of this workspace to the listener.',
    socket: (number: number) => `queue: client ${n(number)}`,
  },
  figures,
  stream,
  knobs,
  closing,
};

/** The shape the kernel views' words have in every language. */
export type KernelMessages = typeof kernel;
