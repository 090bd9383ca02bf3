// Generated from server/wire by `cargo xtask codegen`. Do not edit.
/* eslint-disable */

/**
 * What this server is, how it is set up and what it keeps.
 */
export type About = { 
/**
 * The program's version.
 */
version: string, 
/**
 * The log's epoch.
 */
epoch: string, 
/**
 * Bytes the log may hold.
 */
log_bytes: number, 
/**
 * Bytes it holds now, overhead included.
 */
log_bytes_used: number, 
/**
 * What happens when it is full.
 */
log_full: LogFull, 
/**
 * Sockets open now.
 */
sockets: number, 
/**
 * The most sockets that may be open at once.
 */
max_sockets: number, 
/**
 * The most bytes one socket's send queue takes.
 */
send_queue_bytes: number, 
/**
 * The rules in force.
 */
policy: Policy, };

/**
 * How a datagram arrived, as the kernel says (ip(7), ipv6(7), socket(7)).
 */
export type Arrival = { 
/**
 * How many hops it had left (IP_RECVTTL, IPV6_RECVHOPLIMIT).
 */
ttl?: number, 
/**
 * By which interface (IP_PKTINFO).
 */
interface?: string, 
/**
 * When the kernel had it (SO_TIMESTAMPNS), as `t_us`.
 */
kernel_us?: number, 
/**
 * How long it was, when it was longer than the read.
 */
len?: number, };

/**
 * When ticks come.
 */
export type Arrivals = "regular" | "poisson";

/**
 * A key for bridges, and what was done with it. The secret itself is told once, when it is made.
 */
export type BridgeKey = { 
/**
 * Its name here, also a JWT's `kid`.
 */
id: string, 
/**
 * What it is for.
 */
name: string | null, 
/**
 * What may be reached.
 */
targets: Array<string>, 
/**
 * Pages that may use it.
 */
origins: Array<string>, 
/**
 * The most sockets at once, and the most connections that carry many.
 */
max_streams: number, 
/**
 * The most sockets opened in a second.
 */
connects_per_second: number, 
/**
 * The most bytes in all, if there is a limit.
 */
max_bytes: number | null, 
/**
 * Every byte goes into the log.
 */
record: boolean, 
/**
 * When it was made: RFC 3339, UTC.
 */
made_at: string, 
/**
 * WebSockets it has let in that are open now.
 */
connections: number, 
/**
 * Its sockets that are open now.
 */
sockets: Array<SocketId>, 
/**
 * Sockets opened with it in all.
 */
opened: number, 
/**
 * Bytes in all, both ways together, an empty datagram being one.
 */
bytes: number, };

/**
 * Where an event's bytes lie in the raw part of a binary batch: `[start, length]`.
 */
export type ByteRange = [number, number];

/**
 * A command: an `id` of the viewer's choice and exactly one wish.
 */
export type ClientFrame = { 
/**
 * 1 to 64 characters, letters, digits, `-`, `_`; not repeated on one connection.
 */
id: string, 
/**
 * Open a socket.
 */
open?: OpenRequest, 
/**
 * Send bytes.
 */
send?: SendCommand, 
/**
 * End a direction.
 */
shutdown?: ShutdownCommand, 
/**
 * Close or reset.
 */
close?: CloseCommand, 
/**
 * Rename or set options.
 */
set?: SetCommand, 
/**
 * Say what this connection wants to see.
 */
subscribe?: Subscribe, 
/**
 * Say which sockets somebody looks at.
 */
watch?: WatchCommand, };

/**
 * The server's clock.
 */
export type Clock = { 
/**
 * The log it belongs to.
 */
epoch: string, 
/**
 * The monotonic clock that every `t_us` is of, in µs.
 */
now_us: number, 
/**
 * The last event there is.
 */
head: Seq, };

/**
 * Closes a socket, cancels its connect, or removes a closed one from the list.
 */
export type CloseCommand = { 
/**
 * Which socket.
 */
socket: SocketId, 
/**
 * Send RST instead of FIN.
 */
reset?: boolean, 
/**
 * Close what a listener accepted, too.
 */
children?: boolean, };

/**
 * A stable name for something that is said to people: a problem, a failure, a pause, a note, an end.
 */
export type Code = "malformed_json" | "malformed_frame" | "invalid_target" | "unsupported_scheme" | "invalid_host" | "invalid_port" | "invalid_hex" | "invalid_escape" | "invalid_base64" | "invalid_data" | "invalid_option" | "invalid_key" | "invalid_crowd" | "invalid_http" | "invalid_practice" | "invalid_name" | "invalid_range" | "invalid_query" | "missing_to" | "unexpected_to" | "wrong_family" | "too_large" | "unsupported_media_type" | "not_a_web_socket" | "unauthorized" | "bad_origin" | "bad_host" | "cross_site" | "rate_limited" | "unknown_route" | "method_not_allowed" | "unknown_workspace" | "unknown_socket" | "unknown_event" | "unknown_crowd" | "unknown_key" | "unknown_meter" | "no_payload" | "evicted" | "wrong_state" | "wrong_epoch" | "beyond_head" | "queue_full" | "too_many_sockets" | "too_many_clients" | "too_many_keys" | "key_spent" | "too_many_meters" | "too_many_captures" | "too_many_connections" | "log_full" | "shutting_down" | "send_timed_out" | "internal" | "denied" | "name_not_found" | "no_address" | "resolve_timed_out" | "resolve_failed" | "refused" | "reset" | "timed_out" | "unreachable" | "address_in_use" | "address_not_available" | "permission_denied" | "no_descriptors" | "message_too_long" | "not_http" | "head_too_long" | "answer_timed_out" | "broken_pipe" | "os" | "closed" | "cancelled" | "both_ended" | "was_reset" | "was_failed" | "listener_closed" | "client_closed" | "client_lost" | "peer_not_reading" | "client_not_reading" | "attempt_abandoned" | "forgotten" | "accepted_unserved" | "kernel_buffer_full" | "renamed" | "log_trimmed" | "removed";

/**
 * How a program reaches a socket through this server.
 */
export type Contract = "wsproxy" | "websockify" | "wisp" | "direct";

/**
 * The bytes of a `sent` or `received` event, or why they are not here.
 */
export type Counted = { 
/**
 * The bytes, in JSON.
 */
payload?: Payload, 
/**
 * Where the bytes lie in the raw part of a binary batch.
 */
payload_range?: ByteRange, 
/**
 * Only the first bytes are here, as the viewer asked.
 */
payload_preview?: boolean, 
/**
 * The log was full: the bytes were given up, the event stays.
 */
payload_evicted?: boolean, 
/**
 * The bytes of a practice peer's calls are not recorded: the other end has them.
 */
payload_unrecorded?: boolean, };

/**
 * What passed through a socket, exactly as of the list's `head`.
 */
export type Counters = { 
/**
 * Bytes the kernel took.
 */
sent_bytes: number, 
/**
 * Bytes the kernel handed over.
 */
received_bytes: number, 
/**
 * Successful writes or datagrams sent.
 */
sent_events: number, 
/**
 * Reads or datagrams received.
 */
received_events: number, 
/**
 * Datagrams lost on the way into the log, or from a bridge's client to the socket.
 */
dropped: number, };

/**
 * How a crowd is.
 */
export type CrowdReport = { 
/**
 * Clients that are connected.
 */
ready: number, 
/**
 * Clients that met the end of the stream with every byte of it, in order.
 */
complete: number, 
/**
 * Clients that missed something, or broke.
 */
broken: number, 
/**
 * Messages had whole, all clients together.
 */
messages: number, };

/**
 * Many clients of one lane, in a process of their own: their work is not the server's, nor the page's.
 */
export type CrowdRequest = { 
/**
 * By which way they follow.
 */
lane: Lane, 
/**
 * How many there are (1 to 1,000).
 */
clients: number, 
/**
 * Whose received bytes.
 */
socket: SocketId, 
/**
 * After which seq.
 */
after: Seq, 
/**
 * Bytes of one message, for counting them (16 to 65,536).
 */
message: number, 
/**
 * How often a short poll asks, in ms (10 to 60,000; default 1,000).
 */
poll_interval_ms?: number, 
/**
 * The meter that counts them.
 */
meter?: string, };

/**
 * A crowd that runs. It ends when it is deleted, and by itself after ten minutes.
 */
export type CrowdStarted = { 
/**
 * Its name.
 */
id: string, };

/**
 * Which end did it.
 */
export type Direction = "local" | "peer";

/**
 * One fact in the log.
 */
export type Event = { 
/**
 * Its place in the log.
 */
seq: Seq, 
/**
 * When it happened, in µs since the epoch began (monotonic): for a call, when it returned.
 */
t_us: number, 
/**
 * The same moment as wall-clock time: RFC 3339, UTC, six digits.
 */
at: string, 
/**
 * How long the call took in µs, waiting for readiness included; absent where the fact is no call.
 */
took_us?: number, 
/**
 * The socket it happened to; absent for facts of the workspace.
 */
socket?: SocketId, 
/**
 * The command that caused it, as `connection.id`; absent where nobody asked for it.
 */
cause?: string, 
/**
 * Who gave that command.
 */
by?: string, } & ({ "type": "opening", 
/**
 * What was asked for, as a URL.
 */
target: string, 
/**
 * What the socket will be.
 */
role: Role, 
/**
 * What it is called, if somebody named it.
 */
name?: string, 
/**
 * The practice peer it belongs to.
 */
practice?: PeerKind, 
/**
 * How a program reaches it, of the socket of a bridge.
 */
bridge?: Contract, 
/**
 * Options asked for.
 */
options: SocketOptions, } | { "type": "resolved", 
/**
 * The name as it was asked for.
 */
name: string, 
/**
 * Every address found, in the order they will be tried.
 */
addresses: Array<string>, } | { "type": "connecting", 
/**
 * The address being tried.
 */
remote: string, 
/**
 * 1 for the first address tried.
 */
attempt: number, 
/**
 * How many addresses there are to try.
 */
of: number, } | { "type": "connected", 
/**
 * Our address.
 */
local: string, 
/**
 * The peer's address.
 */
remote: string, 
/**
 * The listener that accepted it.
 */
parent?: SocketId, 
/**
 * The practice peer it belongs to.
 */
practice?: PeerKind, 
/**
 * How a program reaches it, of a socket that a bridge's listener accepted.
 */
bridge?: Contract, } | { "type": "bound", 
/**
 * The address the kernel gave.
 */
local: string, 
/**
 * Other machines can reach this address.
 */
reachable_from_outside?: boolean, } | { "type": "listening", 
/**
 * The address it listens on.
 */
local: string, 
/**
 * The backlog passed to listen(2).
 */
backlog: number, 
/**
 * Other machines can reach this address.
 */
reachable_from_outside?: boolean, } | { "type": "accepted", 
/**
 * The new socket.
 */
child: SocketId, 
/**
 * The peer's address.
 */
remote: string, } | { "type": "sent", 
/**
 * How many bytes.
 */
len: number, 
/**
 * Stream offset of the first of them in this direction; absent for datagrams.
 */
offset?: number, 
/**
 * Where a datagram went.
 */
to?: string, 
/**
 * The bytes, in JSON.
 */
payload?: Payload, 
/**
 * Where the bytes lie in the raw part of a binary batch.
 */
payload_range?: ByteRange, 
/**
 * Only the first bytes are here, as the viewer asked.
 */
payload_preview?: boolean, 
/**
 * The log was full: the bytes were given up, the event stays.
 */
payload_evicted?: boolean, 
/**
 * The bytes of a practice peer's calls are not recorded: the other end has them.
 */
payload_unrecorded?: boolean, } | { "type": "received", 
/**
 * How many bytes were handed over.
 */
len: number, 
/**
 * Stream offset of the first of them in this direction; absent for datagrams.
 */
offset?: number, 
/**
 * Where a datagram came from.
 */
from?: string, 
/**
 * The datagram was longer than the read; the rest is gone.
 */
truncated?: boolean, 
/**
 * How a datagram arrived.
 */
arrival?: Arrival, 
/**
 * The bytes, in JSON.
 */
payload?: Payload, 
/**
 * Where the bytes lie in the raw part of a binary batch.
 */
payload_range?: ByteRange, 
/**
 * Only the first bytes are here, as the viewer asked.
 */
payload_preview?: boolean, 
/**
 * The log was full: the bytes were given up, the event stays.
 */
payload_evicted?: boolean, 
/**
 * The bytes of a practice peer's calls are not recorded: the other end has them.
 */
payload_unrecorded?: boolean, } | { "type": "eof", 
/**
 * How many bytes came before it.
 */
offset: number, } | { "type": "shutdown", 
/**
 * Which direction.
 */
how: How, } | { "type": "reset", 
/**
 * Who reset it: `peer` (its RST arrived) or `local` (ours went). Not `by`: that names who gave the command.
 */
side: Direction, 
/**
 * The call that found out, where the peer did it.
 */
phase?: Phase, 
/**
 * The errno that call got.
 */
errno?: string, } | { "type": "closing", 
/**
 * How many bytes wait.
 */
queued_bytes: number, } | { "type": "closed", 
/**
 * Why.
 */
reason: Code, 
/**
 * Its final counters.
 */
counters: Counters, 
/**
 * Bytes that had been accepted for sending and were not written.
 */
unsent_bytes: number, 
/**
 * Bytes of a stream that lay unread in the kernel: it sent a RST where a FIN was asked for (RFC 2525 §2.17).
 */
unread_bytes: number, } | { "type": "refused_by_policy", 
/**
 * What was asked for.
 */
target: string, 
/**
 * The address that was refused, where there is one.
 */
address?: string, 
/**
 * The class of that address.
 */
class?: string, 
/**
 * The rule that decided.
 */
rule: string, 
/**
 * The socket is over; false where only one address or one datagram was refused.
 */
fatal: boolean, } | { "type": "failed", 
/**
 * What failed, for people and programs.
 */
code: Code, 
/**
 * Which step it was.
 */
phase: Phase, 
/**
 * The errno, by its POSIX name; for resolving, the getaddrinfo name.
 */
errno?: string, 
/**
 * The address it failed for.
 */
remote?: string, 
/**
 * The option that could not be set, named as in the socket's `options`.
 */
option?: string, 
/**
 * The ICMP error it is due to, where the kernel keeps it (IP_RECVERR, ip(7)).
 */
icmp?: Icmp, 
/**
 * The socket is over; false where another address is tried or the socket lives on.
 */
fatal: boolean, } | { "type": "option_set", 
/**
 * Its name, as in the socket's `options`.
 */
option: string, 
/**
 * The value asked for.
 */
asked: number, 
/**
 * The value the kernel reports afterwards.
 */
granted: number, } | { "type": "dropped", 
/**
 * How many since the last such event of this reason.
 */
count: number, 
/**
 * How many in all for this socket, every reason.
 */
total: number, 
/**
 * `kernel_buffer_full` or `log_full`; `queue_full` where the socket did not take them, or was not open yet.
 */
reason: Code, } | { "type": "paused", 
/**
 * What stands still.
 */
what: PauseWhat, 
/**
 * Why.
 */
reason: Code, 
/**
 * Bytes waiting, for a send.
 */
queued_bytes?: number, } | { "type": "resumed", 
/**
 * What stood still.
 */
what: PauseWhat, 
/**
 * For how long, in µs.
 */
after_us: number, } | { "type": "relayed", 
/**
 * Bytes the kernel took.
 */
sent_bytes: number, 
/**
 * Writes, or datagrams sent.
 */
sent_calls: number, 
/**
 * Bytes the kernel handed over.
 */
received_bytes: number, 
/**
 * Reads, or datagrams received.
 */
received_calls: number, } | { "type": "kernel_state", 
/**
 * Whose.
 */
end: Direction, 
/**
 * The state; absent where nobody can say.
 */
state?: TcpState, 
/**
 * How it is known.
 */
evidence: Evidence, 
/**
 * The timer that runs, where one was read.
 */
timer?: KernelTimer, 
/**
 * Who holds the other end, when it is first seen on this host.
 */
owner?: Owner, } | { "type": "tcp_info", 
/**
 * Of which end.
 */
end: Direction, 
/**
 * What it counts.
 */
info: TcpInfo, 
/**
 * Bytes received and not read by the program.
 */
receive_queue: number, 
/**
 * Bytes written by the program and not acknowledged.
 */
send_queue: number, } | { "type": "accept_queue", 
/**
 * How many wait.
 */
length: number, 
/**
 * How many may: the least of listen(2)'s backlog and net.core.somaxconn. One more is let in.
 */
limit: number, } | { "type": "segment", 
/**
 * Who sent it.
 */
sender: Direction, 
/**
 * What it carries.
 */
protocol: SegmentProtocol, 
/**
 * Where it was seen.
 */
interface: string, 
/**
 * The socket at the other end, where it is one of this workspace: the segment is told once, by the end that
 * was opened first.
 */
far?: SocketId, 
/**
 * Its flags, of a TCP segment.
 */
flags?: Array<TcpFlag>, 
/**
 * Its sequence number, as on the wire.
 */
seq_number?: number, 
/**
 * The number it acknowledges, as on the wire.
 */
ack_number?: number, 
/**
 * The same, from the sender's first: a SYN is 0, the first byte 1. Absent when the beginning was not seen.
 */
seq_relative?: number, 
/**
 * The acknowledgement, from the other side's first.
 */
ack_relative?: number, 
/**
 * The window in bytes, scaled (RFC 7323); as in the header where the handshake was not seen.
 */
window?: number, 
/**
 * Bytes of payload.
 */
len: number, 
/**
 * Stream offset of the first of them, in the sender's direction.
 */
offset?: number, 
/**
 * How many segments of at most `mss` bytes it stands for: more than one where the card, or loopback, cuts
 * later (segmentation offload).
 */
pieces?: number, 
/**
 * The most payload of a segment in this direction, as the other side asked.
 */
mss?: number, 
/**
 * What is remarkable about it.
 */
marks?: Array<SegmentMark>, 
/**
 * The error it reports, of an ICMP one.
 */
icmp?: Icmp, 
/**
 * How long the frame was, in bytes.
 */
frame_len: number, } | { "type": "capture_lost", 
/**
 * How many since the last such event.
 */
count: number, 
/**
 * How many in all.
 */
total: number, } | { "type": "note" } & Note);

/**
 * How a state is known.
 */
export type Evidence = "read" | "passed_through" | "unknown";

/**
 * What happened. New kinds are added over time, none is renamed; clients pass over kinds they do not know.
 */
export type Fact = { "type": "opening", 
/**
 * What was asked for, as a URL.
 */
target: string, 
/**
 * What the socket will be.
 */
role: Role, 
/**
 * What it is called, if somebody named it.
 */
name?: string, 
/**
 * The practice peer it belongs to.
 */
practice?: PeerKind, 
/**
 * How a program reaches it, of the socket of a bridge.
 */
bridge?: Contract, 
/**
 * Options asked for.
 */
options: SocketOptions, } | { "type": "resolved", 
/**
 * The name as it was asked for.
 */
name: string, 
/**
 * Every address found, in the order they will be tried.
 */
addresses: Array<string>, } | { "type": "connecting", 
/**
 * The address being tried.
 */
remote: string, 
/**
 * 1 for the first address tried.
 */
attempt: number, 
/**
 * How many addresses there are to try.
 */
of: number, } | { "type": "connected", 
/**
 * Our address.
 */
local: string, 
/**
 * The peer's address.
 */
remote: string, 
/**
 * The listener that accepted it.
 */
parent?: SocketId, 
/**
 * The practice peer it belongs to.
 */
practice?: PeerKind, 
/**
 * How a program reaches it, of a socket that a bridge's listener accepted.
 */
bridge?: Contract, } | { "type": "bound", 
/**
 * The address the kernel gave.
 */
local: string, 
/**
 * Other machines can reach this address.
 */
reachable_from_outside?: boolean, } | { "type": "listening", 
/**
 * The address it listens on.
 */
local: string, 
/**
 * The backlog passed to listen(2).
 */
backlog: number, 
/**
 * Other machines can reach this address.
 */
reachable_from_outside?: boolean, } | { "type": "accepted", 
/**
 * The new socket.
 */
child: SocketId, 
/**
 * The peer's address.
 */
remote: string, } | { "type": "sent", 
/**
 * How many bytes.
 */
len: number, 
/**
 * Stream offset of the first of them in this direction; absent for datagrams.
 */
offset?: number, 
/**
 * Where a datagram went.
 */
to?: string, 
/**
 * The bytes, in JSON.
 */
payload?: Payload, 
/**
 * Where the bytes lie in the raw part of a binary batch.
 */
payload_range?: ByteRange, 
/**
 * Only the first bytes are here, as the viewer asked.
 */
payload_preview?: boolean, 
/**
 * The log was full: the bytes were given up, the event stays.
 */
payload_evicted?: boolean, 
/**
 * The bytes of a practice peer's calls are not recorded: the other end has them.
 */
payload_unrecorded?: boolean, } | { "type": "received", 
/**
 * How many bytes were handed over.
 */
len: number, 
/**
 * Stream offset of the first of them in this direction; absent for datagrams.
 */
offset?: number, 
/**
 * Where a datagram came from.
 */
from?: string, 
/**
 * The datagram was longer than the read; the rest is gone.
 */
truncated?: boolean, 
/**
 * How a datagram arrived.
 */
arrival?: Arrival, 
/**
 * The bytes, in JSON.
 */
payload?: Payload, 
/**
 * Where the bytes lie in the raw part of a binary batch.
 */
payload_range?: ByteRange, 
/**
 * Only the first bytes are here, as the viewer asked.
 */
payload_preview?: boolean, 
/**
 * The log was full: the bytes were given up, the event stays.
 */
payload_evicted?: boolean, 
/**
 * The bytes of a practice peer's calls are not recorded: the other end has them.
 */
payload_unrecorded?: boolean, } | { "type": "eof", 
/**
 * How many bytes came before it.
 */
offset: number, } | { "type": "shutdown", 
/**
 * Which direction.
 */
how: How, } | { "type": "reset", 
/**
 * Who reset it: `peer` (its RST arrived) or `local` (ours went). Not `by`: that names who gave the command.
 */
side: Direction, 
/**
 * The call that found out, where the peer did it.
 */
phase?: Phase, 
/**
 * The errno that call got.
 */
errno?: string, } | { "type": "closing", 
/**
 * How many bytes wait.
 */
queued_bytes: number, } | { "type": "closed", 
/**
 * Why.
 */
reason: Code, 
/**
 * Its final counters.
 */
counters: Counters, 
/**
 * Bytes that had been accepted for sending and were not written.
 */
unsent_bytes: number, 
/**
 * Bytes of a stream that lay unread in the kernel: it sent a RST where a FIN was asked for (RFC 2525 §2.17).
 */
unread_bytes: number, } | { "type": "refused_by_policy", 
/**
 * What was asked for.
 */
target: string, 
/**
 * The address that was refused, where there is one.
 */
address?: string, 
/**
 * The class of that address.
 */
class?: string, 
/**
 * The rule that decided.
 */
rule: string, 
/**
 * The socket is over; false where only one address or one datagram was refused.
 */
fatal: boolean, } | { "type": "failed", 
/**
 * What failed, for people and programs.
 */
code: Code, 
/**
 * Which step it was.
 */
phase: Phase, 
/**
 * The errno, by its POSIX name; for resolving, the getaddrinfo name.
 */
errno?: string, 
/**
 * The address it failed for.
 */
remote?: string, 
/**
 * The option that could not be set, named as in the socket's `options`.
 */
option?: string, 
/**
 * The ICMP error it is due to, where the kernel keeps it (IP_RECVERR, ip(7)).
 */
icmp?: Icmp, 
/**
 * The socket is over; false where another address is tried or the socket lives on.
 */
fatal: boolean, } | { "type": "option_set", 
/**
 * Its name, as in the socket's `options`.
 */
option: string, 
/**
 * The value asked for.
 */
asked: number, 
/**
 * The value the kernel reports afterwards.
 */
granted: number, } | { "type": "dropped", 
/**
 * How many since the last such event of this reason.
 */
count: number, 
/**
 * How many in all for this socket, every reason.
 */
total: number, 
/**
 * `kernel_buffer_full` or `log_full`; `queue_full` where the socket did not take them, or was not open yet.
 */
reason: Code, } | { "type": "paused", 
/**
 * What stands still.
 */
what: PauseWhat, 
/**
 * Why.
 */
reason: Code, 
/**
 * Bytes waiting, for a send.
 */
queued_bytes?: number, } | { "type": "resumed", 
/**
 * What stood still.
 */
what: PauseWhat, 
/**
 * For how long, in µs.
 */
after_us: number, } | { "type": "relayed", 
/**
 * Bytes the kernel took.
 */
sent_bytes: number, 
/**
 * Writes, or datagrams sent.
 */
sent_calls: number, 
/**
 * Bytes the kernel handed over.
 */
received_bytes: number, 
/**
 * Reads, or datagrams received.
 */
received_calls: number, } | { "type": "kernel_state", 
/**
 * Whose.
 */
end: Direction, 
/**
 * The state; absent where nobody can say.
 */
state?: TcpState, 
/**
 * How it is known.
 */
evidence: Evidence, 
/**
 * The timer that runs, where one was read.
 */
timer?: KernelTimer, 
/**
 * Who holds the other end, when it is first seen on this host.
 */
owner?: Owner, } | { "type": "tcp_info", 
/**
 * Of which end.
 */
end: Direction, 
/**
 * What it counts.
 */
info: TcpInfo, 
/**
 * Bytes received and not read by the program.
 */
receive_queue: number, 
/**
 * Bytes written by the program and not acknowledged.
 */
send_queue: number, } | { "type": "accept_queue", 
/**
 * How many wait.
 */
length: number, 
/**
 * How many may: the least of listen(2)'s backlog and net.core.somaxconn. One more is let in.
 */
limit: number, } | { "type": "segment", 
/**
 * Who sent it.
 */
sender: Direction, 
/**
 * What it carries.
 */
protocol: SegmentProtocol, 
/**
 * Where it was seen.
 */
interface: string, 
/**
 * The socket at the other end, where it is one of this workspace: the segment is told once, by the end that
 * was opened first.
 */
far?: SocketId, 
/**
 * Its flags, of a TCP segment.
 */
flags?: Array<TcpFlag>, 
/**
 * Its sequence number, as on the wire.
 */
seq_number?: number, 
/**
 * The number it acknowledges, as on the wire.
 */
ack_number?: number, 
/**
 * The same, from the sender's first: a SYN is 0, the first byte 1. Absent when the beginning was not seen.
 */
seq_relative?: number, 
/**
 * The acknowledgement, from the other side's first.
 */
ack_relative?: number, 
/**
 * The window in bytes, scaled (RFC 7323); as in the header where the handshake was not seen.
 */
window?: number, 
/**
 * Bytes of payload.
 */
len: number, 
/**
 * Stream offset of the first of them, in the sender's direction.
 */
offset?: number, 
/**
 * How many segments of at most `mss` bytes it stands for: more than one where the card, or loopback, cuts
 * later (segmentation offload).
 */
pieces?: number, 
/**
 * The most payload of a segment in this direction, as the other side asked.
 */
mss?: number, 
/**
 * What is remarkable about it.
 */
marks?: Array<SegmentMark>, 
/**
 * The error it reports, of an ICMP one.
 */
icmp?: Icmp, 
/**
 * How long the frame was, in bytes.
 */
frame_len: number, } | { "type": "capture_lost", 
/**
 * How many since the last such event.
 */
count: number, 
/**
 * How many in all.
 */
total: number, } | { "type": "note" } & Note;

/**
 * A captured frame, taken apart.
 */
export type Frame = { 
/**
 * How long it was, in bytes.
 */
len: number, 
/**
 * Its first bytes: every header, and what was captured of the payload. The rest of the payload is that of the
 * stream, from the segment's `offset`.
 */
bytes: Payload, 
/**
 * The layers, outermost first.
 */
layers: Array<FrameLayer>, };

/**
 * One field of a header.
 */
export type FrameField = { 
/**
 * Its name, as in the RFC, in snake case: `source_port`, `window`, `option_mss`.
 */
name: string, 
/**
 * What it says, as people read it: an address, a number, flags by name.
 */
value: string, 
/**
 * Where it begins in the frame, in bits.
 */
bit_offset: number, 
/**
 * How long it is, in bits.
 */
bit_len: number, 
/**
 * Something to know of this value, as a code: `checksum_unfilled`, `checksum_wrong`, `offloaded_length`.
 */
remark?: string, };

/**
 * One layer of a frame.
 */
export type FrameLayer = { 
/**
 * Which: `ethernet`, `ipv4`, `ipv6`, `tcp`, `udp`, `icmp`, `icmpv6`, `payload`.
 */
name: string, 
/**
 * Where it begins in the frame, in bytes.
 */
offset: number, 
/**
 * How long it is, in bytes; of the payload, as much as the frame had.
 */
len: number, 
/**
 * Its fields, in the order of the bytes.
 */
fields: Array<FrameField>, };

/**
 * Events that cannot be had: `from` and `to` are both missing.
 */
export type Gap = { 
/**
 * The first missing event.
 */
from: Seq, 
/**
 * The last missing event.
 */
to: Seq, 
/**
 * The shelf they were on, where only one is meant.
 */
shelf?: ShelfName, 
/**
 * Why they are missing.
 */
reason: GapReason, };

/**
 * Why events are missing.
 */
export type GapReason = "evicted" | "trimmed" | "wrong_epoch" | "beyond_head";

/**
 * The first frame down.
 */
export type Hello = { 
/**
 * The connection's name: the first half of every `cause` of its commands.
 */
conn: string, 
/**
 * The log's epoch.
 */
epoch: string, 
/**
 * The oldest event still kept.
 */
first: Seq, 
/**
 * The last event there is.
 */
head: Seq, 
/**
 * The program's version.
 */
version: string, 
/**
 * The server's monotonic clock now, as `t_us`, to place events in the viewer's time.
 */
now_us: number, };

/**
 * Which direction of a stream shutdown(2) ends.
 */
export type How = "write";

/**
 * What was answered.
 */
export type HttpAnswer = { 
/**
 * In the order they were asked.
 */
exchanges: Array<HttpExchange>, };

/**
 * One answer, as the HTTP client understood it.
 */
export type HttpExchange = { 
/**
 * The socket it went over: its events hold the bytes.
 */
socket: SocketId, 
/**
 * That socket had carried another exchange before.
 */
reused: boolean, 
/**
 * `HTTP/1.1`.
 */
version: string, 
/**
 * The status code.
 */
status: number, 
/**
 * What the server called it, where it said more than the code.
 */
reason: string, 
/**
 * Names and values, in the order they came; bytes that are not text are replaced.
 */
headers: Array<[string, string]>, 
/**
 * The body, chunk sizes taken away, in base64; at most 256 KiB of it.
 */
body: Payload, 
/**
 * How long it was.
 */
body_bytes: number, 
/**
 * There was more than `body` holds.
 */
truncated: boolean, };

/**
 * What to ask, of whom.
 */
export type HttpRequest = { 
/**
 * `http://host:port/path?query`.
 */
url: string, 
/**
 * The method (default GET).
 */
method?: string, 
/**
 * Headers beside Host, User-Agent, Accept and what the body needs: names and values, at most 64.
 */
headers?: Array<[string, string]>, 
/**
 * The body, sent as it is.
 */
body?: string, 
/**
 * How often, one after the other (1 to 5; default 1).
 */
times?: number, 
/**
 * Whether the connection is kept for the next request (default true); else each says `Connection: close` and has a
 * connection of its own.
 */
keep_alive?: boolean, };

/**
 * An ICMP error.
 */
export type Icmp = { 
/**
 * Its type (RFC 792; over IPv6 RFC 4443).
 */
type: number, 
/**
 * Its code.
 */
code: number, 
/**
 * Who sent it, where that is known.
 */
from?: string, };

/**
 * How much of the kernel can be seen.
 */
export type KernelSight = { 
/**
 * TCP_INFO, queues and options of our own descriptors.
 */
tcp_info: Level, 
/**
 * Any socket of this network namespace, by its addresses (NETLINK_SOCK_DIAG, sock_diag(7)).
 */
sock_diag: Level, 
/**
 * The segments on the wire (packet(7)).
 */
segments: Level, 
/**
 * The program runs in a container, as far as it can tell.
 */
container: boolean, };

/**
 * A timer of the kernel that runs for a connection.
 */
export type KernelTimer = { 
/**
 * Which.
 */
kind: TimerKind, 
/**
 * In how many ms it fires.
 */
expires_ms: number, 
/**
 * How often it has fired in a row.
 */
retransmits: number, };

/**
 * The keys there are, oldest first.
 */
export type KeyList = { 
/**
 * At most 256.
 */
keys: Array<BridgeKey>, };

/**
 * A key that was just made.
 */
export type KeyMade = { 
/**
 * What it allows.
 */
key: BridgeKey, 
/**
 * What opens the gate, 256 bits: goes into paths, `/k/{secret}/bridge/tcp/{host}/{port}`.
 */
secret: string, };

/**
 * What a new key for bridges is to allow. Whoever has the key needs no token, and can do nothing else.
 */
export type KeyRequest = { 
/**
 * What it is for, at most 200 characters.
 */
name?: string, 
/**
 * What may be reached, 1 to 64: `tcp://host:port` or `udp://host:port`, where the host is one name or address, or `*`, and
 * the port a number, a range like `8000-8099`, or `*`. And where may be listened: `tcp-listen://address:port`,
 * `udp-bind://address:port`; a port that nobody chooses needs `*`. The policy has the last word.
 */
targets: Array<string>, 
/**
 * Pages that may use it, by their origin, like `https://example.com`; at most 64. Programs that are no pages send none, and
 * need none.
 */
origins?: Array<string>, 
/**
 * The most sockets at once, and the most connections that carry many (1 to 65,536; default 64).
 */
max_streams?: number, 
/**
 * The most sockets opened in a second (1 to 100,000; default 100).
 */
connects_per_second?: number, 
/**
 * The most bytes in all, both ways together, an empty datagram being one; absent: as many as come.
 */
max_bytes?: number, 
/**
 * Every byte goes into the log, not only the first ones.
 */
record?: boolean, };

/**
 * A way events reach a client.
 */
export type Lane = "short_poll" | "long_poll" | "sse" | "websocket";

/**
 * Whether a source of kernel facts works here.
 */
export type Level = { 
/**
 * It does.
 */
active: boolean, 
/**
 * Why it does not, by POSIX name.
 */
errno?: string, };

/**
 * What happens when the log is full.
 */
export type LogFull = "evict" | "pause";

/**
 * What was counted under a meter. Bytes are those of the accepted connections: request lines, headers, bodies, chunk
 * sizes, frames; TCP and IP headers are not among them.
 */
export type Meter = { 
/**
 * Its name.
 */
id: string, 
/**
 * HTTP requests, upgrades included.
 */
requests: number, 
/**
 * Of those, polls that were answered without any event.
 */
empty_requests: number, 
/**
 * Of those, polls whose page ended at a limit: the next one only continues.
 */
full_requests: number, 
/**
 * Events delivered.
 */
events: number, 
/**
 * Connections that carried any of its requests.
 */
connections: number, 
/**
 * Of those, open now and last used by it.
 */
open_connections: number, 
/**
 * Bytes from the client.
 */
bytes_up: number, 
/**
 * Bytes to the client.
 */
bytes_down: number, 
/**
 * Of those, bodies of answers, stream contents and WebSocket messages; the rest is headers and framing. A connection
 * that was cut while it was written to may have had less of them than is said here, never more than was sent.
 */
body_down: number, 
/**
 * TCP segments, as the server's end of the connections counts them.
 */
segments: MeterSegments, 
/**
 * CPU time of the threads that served these connections while they did, in µs (user and system).
 */
cpu_us: number, };

/**
 * TCP segments. Those with data are exact. Pure acknowledgements (SYN and FIN among them) are approximate: one that
 * comes late, on a connection that is used for something else meanwhile, is counted there.
 */
export type MeterSegments = { 
/**
 * From the client, with data.
 */
data_up: number, 
/**
 * To the client, with data.
 */
data_down: number, 
/**
 * From the client, without.
 */
acks_up: number, 
/**
 * To the client, without.
 */
acks_down: number, };

/**
 * A meter that runs: requests to `events` and `ws` that carry `meter=ID` are counted under it.
 */
export type MeterStarted = { 
/**
 * Its name, for the query of the requests it is to count.
 */
id: string, };

/**
 * What a middlebox stands in front of.
 */
export type MiddleboxSettings = { 
/**
 * Where it hands connections on to, as `tcp://host:port`.
 */
to: string, 
/**
 * After how long without a segment from either side a connection is forgotten, in ms (500 to 3,600,000).
 */
idle_ms: number, };

/**
 * A remark with a stable code and its parameters; the sentence for people lives in the page.
 */
export type Note = { 
/**
 * What is said.
 */
code: Code, 
/**
 * What it is said of: names and values for the sentence.
 */
params?: { [key in string]: string }, };

/**
 * Opens a socket.
 */
export type OpenRequest = { 
/**
 * What to open, as a URL: `tcp://host:port`, `tcp-listen://addr:port`, `udp://host:port`, `udp-bind://addr:port`.
 */
open: string, 
/**
 * What to call it (at most 200 characters).
 */
name?: string, 
/**
 * Options to open it with.
 */
options?: SocketOptions, };

/**
 * Who holds the other end, on this host.
 */
export type Owner = { 
/**
 * The user.
 */
uid: number, 
/**
 * The process, where it may be read.
 */
pid?: number, 
/**
 * What it is called.
 */
process?: string, };

/**
 * One stretch of the log: the answer to GET events, and every text frame of events on a WebSocket.
 */
export type Page = { 
/**
 * The log these seqs belong to.
 */
epoch: string, 
/**
 * The oldest conversation event still kept (`head + 1` when there is none).
 */
first: Seq, 
/**
 * The same for every shelf.
 */
shelves: { [key in ShelfName]?: ShelfView }, 
/**
 * The last event there is.
 */
head: Seq, 
/**
 * Continue after this one: past everything looked at, filtered events too.
 */
next: Seq, 
/**
 * The events, in order.
 */
events: Array<Event>, 
/**
 * Stretches between the cursor and `next` that are gone.
 */
gaps: Array<Gap>, };

/**
 * Renames a socket or changes its options.
 */
export type PatchSocket = { 
/**
 * The new name; empty removes it.
 */
name?: string, 
/**
 * Options to set now.
 */
options?: SocketOptions, };

/**
 * What stands still.
 */
export type PauseWhat = "read" | "send" | "accept";

/**
 * Bytes as base64 (RFC 4648 §4, padded)
 */
export type Payload = string;

/**
 * `full`, `none`, or `preview:N` for the first N bytes
 */
export type PayloadMode = string;

/**
 * How a practice peer behaves.
 */
export type PeerKind = "echo" | "echo_udp" | "discard" | "chargen" | "daytime" | "slow_reader" | "fragmenter" | "half_closer" | "resetter" | "silent" | "greeter" | "http" | "ticker" | "middlebox";

/**
 * A sender seen by an unconnected datagram socket.
 */
export type PeerSeen = { 
/**
 * Its address.
 */
address: string, 
/**
 * Datagrams received from it.
 */
received_events: number, 
/**
 * Bytes received from it.
 */
received_bytes: number, 
/**
 * Datagrams sent to it.
 */
sent_events: number, 
/**
 * Bytes sent to it.
 */
sent_bytes: number, 
/**
 * When it was last heard or spoken to, as `t_us`.
 */
last_us: number, };

/**
 * Which step of an operation it was.
 */
export type Phase = "parse" | "resolve" | "policy" | "socket" | "connect" | "bind" | "listen" | "accept" | "send" | "receive" | "shutdown" | "option";

/**
 * The rules in force, for the page to show.
 */
export type Policy = { 
/**
 * `local`.
 */
mode: string, 
/**
 * A token is required.
 */
token_required: boolean, 
/**
 * Classes of address that are never dialled.
 */
never: Array<string>, 
/**
 * Ports a listener may use, as `first-last`, where limited.
 */
listen_ports: string | null, };

/**
 * The practice peers there are.
 */
export type PracticeCatalog = { 
/**
 * In the order they are offered.
 */
peers: Array<PracticePeer>, };

/**
 * A practice peer that can be started.
 */
export type PracticePeer = { 
/**
 * Which it is; the sentence for people lives in the page.
 */
peer: PeerKind, 
/**
 * `tcp` or `udp`.
 */
scheme: string, };

/**
 * Starts a practice peer.
 */
export type PracticeRequest = { 
/**
 * Which one.
 */
peer: PeerKind, 
/**
 * How a `ticker` ticks; absent means its defaults.
 */
ticker?: TickerSettings, 
/**
 * What a `middlebox` stands in front of; it has no defaults.
 */
middlebox?: MiddleboxSettings, };

/**
 * A practice peer that runs.
 */
export type PracticeStarted = { 
/**
 * Its listener or bound socket, hidden from the list unless asked for.
 */
id: SocketId, 
/**
 * Which it is.
 */
peer: PeerKind, 
/**
 * What to open to reach it.
 */
target: string, };

/**
 * A problem, RFC 9457 (`application/problem+json`). `title` and `detail` are for a developer's log; sentences for
 * people, in their language, are made by the page from `code` and `params`.
 */
export type Problem = { 
/**
 * `urn:sockscope:` and the code.
 */
type: string, 
/**
 * The code as a short phrase.
 */
title: string, 
/**
 * The HTTP status.
 */
status: number, 
/**
 * What exactly, in English.
 */
detail: string, 
/**
 * What went wrong, stable.
 */
code: Code, 
/**
 * The errno, by its POSIX name.
 */
errno?: string, 
/**
 * Which step it was.
 */
phase?: Phase, 
/**
 * The rule that denied it.
 */
rule?: string, 
/**
 * The socket it happened to.
 */
socket?: SocketId, 
/**
 * The fact in the log, where there is one.
 */
seq?: Seq, 
/**
 * Bytes the kernel took before it.
 */
taken?: number, 
/**
 * Names and values for the sentence.
 */
params?: { [key in string]: string }, };

/**
 * The answer to one command: it was understood, and its facts carry `cause`; or the problem.
 */
export type Reply = { 
/**
 * The command's id; null when the frame was too malformed to have one.
 */
re: string | null, 
/**
 * What its facts are marked with.
 */
cause?: string, 
/**
 * The socket it opened.
 */
socket?: SocketId, 
/**
 * Why nothing was done.
 */
problem?: Problem, };

/**
 * What a socket is for.
 */
export type Role = "client" | "listener" | "accepted" | "bound" | "connected";

/**
 * What is remarkable about a segment, from those seen before it.
 */
export type SegmentMark = "retransmission" | "out_of_order" | "duplicate_ack" | "zero_window" | "window_update" | "zero_window_probe" | "keepalive" | "keepalive_ack";

/**
 * Which protocol a captured frame carries.
 */
export type SegmentProtocol = "tcp" | "udp" | "icmp";

/**
 * The kernel took all of it.
 */
export type SendAnswer = { 
/**
 * The last `sent` event of it.
 */
seq: Seq, 
/**
 * How many bytes.
 */
sent: number, };

/**
 * Sends bytes on a socket: the fields of [`SendRequest`](crate::SendRequest), and which socket.
 */
export type SendCommand = { 
/**
 * Which socket.
 */
socket: SocketId, 
/**
 * UTF-8 text, sent as it is.
 */
text?: string, 
/**
 * Text with escapes.
 */
escaped?: string, 
/**
 * Hexadecimal digits in pairs.
 */
hex?: string, 
/**
 * Base64.
 */
base64?: string, 
/**
 * Where a datagram of an unconnected socket goes, as `host:port`.
 */
to?: string, };

/**
 * Bytes accepted for sending that the kernel has not taken yet.
 */
export type SendQueue = { 
/**
 * How many bytes wait.
 */
bytes: number, 
/**
 * Since when the peer has taken none, as `t_us`; absent while bytes flow.
 */
blocked_since_us?: number, };

/**
 * Bytes to send, in exactly one of four spellings.
 */
export type SendRequest = { 
/**
 * UTF-8 text, sent as it is.
 */
text?: string, 
/**
 * Text with `\n`, `\r`, `\t`, `\0`, `\\`, `\"`, `\'`, `\a`, `\b`, `\f`, `\v`, `\e`, `\xHH` and `\u{H…}`.
 */
escaped?: string, 
/**
 * Hexadecimal digits in pairs; white space, `:`, `,`, `-` and `0x` between pairs are passed over.
 */
hex?: string, 
/**
 * Base64 (RFC 4648 §4, padded).
 */
base64?: string, 
/**
 * Where a datagram of an unconnected socket goes, as `host:port`.
 */
to?: string, 
/**
 * How long to wait for the kernel to take all of it, in ms (0 to 60,000; default 10,000).
 */
timeout_ms?: number, };

/**
 * A place in the log: 1 for the first event of an epoch, then 2, 3 … without gaps. 0 is "before everything".
 */
export type Seq = number;

/**
 * Everything a server says in a text frame.
 */
export type ServerFrame = { 
/**
 * What the viewer needs to know first.
 */
hello: Hello, } | Reply | Page;

/**
 * Exchanges a launch code for the token.
 */
export type SessionRequest = { 
/**
 * The code from the launch link; works once, for 60 s.
 */
code: string, };

/**
 * The token: sent as `Authorization: Bearer`.
 */
export type SessionToken = { 
/**
 * Keep it secret.
 */
token: string, };

/**
 * Renames a socket or changes its options.
 */
export type SetCommand = { 
/**
 * Which socket.
 */
socket: SocketId, 
/**
 * The new name; empty removes it.
 */
name?: string, 
/**
 * Options to set now.
 */
options?: SocketOptions, };

/**
 * A part of the log with its own share of memory.
 */
export type ShelfName = "conversation" | "kernel";

/**
 * What a shelf still holds.
 */
export type ShelfView = { 
/**
 * The oldest event still kept (`head + 1` when there is none).
 */
first: Seq, };

/**
 * Half-closes a socket.
 */
export type ShutdownCommand = { 
/**
 * Which socket.
 */
socket: SocketId, 
/**
 * Which direction.
 */
how: How, };

/**
 * Ends a direction of a stream.
 */
export type ShutdownRequest = { 
/**
 * Which direction.
 */
how: How, };

/**
 * A socket as the workspace lists it.
 */
export type Socket = { 
/**
 * Its name in the log.
 */
id: SocketId, 
/**
 * What somebody called it.
 */
name: string | null, 
/**
 * What was asked for, as a URL.
 */
target: string, 
/**
 * What it is for.
 */
role: Role, 
/**
 * Where it is in its life.
 */
state: SocketState, 
/**
 * Our address, once there is one.
 */
local: string | null, 
/**
 * The peer's address, once there is one.
 */
remote: string | null, 
/**
 * The listener that accepted it.
 */
parent: SocketId | null, 
/**
 * What passed through it.
 */
counters: Counters, 
/**
 * The seq of its `opening`, or for an accepted socket of its `connected`.
 */
opened_seq: Seq, 
/**
 * The seq of the fact that ended it.
 */
closed_seq: Seq | null, 
/**
 * Options as asked for when it was opened or changed since.
 */
options: SocketOptions, 
/**
 * Bytes waiting to be sent.
 */
queue: SendQueue, 
/**
 * The practice peer it belongs to; such sockets are hidden unless asked for.
 */
practice: PeerKind | null, 
/**
 * How a program reaches it, of the socket of a bridge: its bytes belong to that program's connection.
 */
bridge?: Contract, 
/**
 * Other machines can reach its local address.
 */
reachable_from_outside: boolean, 
/**
 * Senders seen by an unconnected datagram socket, latest first, at most 256.
 */
peers?: Array<PeerSeen>, };

/**
 * A socket of a workspace, written `s1`, `s2` …
 */
export type SocketId = string;

/**
 * The sockets of a workspace, exactly as they were when the log's last event was `head`.
 */
export type SocketList = { 
/**
 * The log these ids and seqs belong to.
 */
epoch: string, 
/**
 * The last event this list accounts for.
 */
head: Seq, 
/**
 * Oldest first; closed ones stay (at most 1,000) until they are removed.
 */
sockets: Array<Socket>, };

/**
 * Options of a socket. Absent means the default.
 */
export type SocketOptions = { 
/**
 * How long connecting may take in ms, all addresses together (1 to 600,000; default 10,000).
 */
connect_timeout_ms?: number, 
/**
 * SO_REUSEADDR on a listener (default true) or a bound datagram socket (default false).
 */
reuse_addr?: boolean, 
/**
 * The backlog passed to listen(2) (0 to 65,535; default 1,024).
 */
backlog?: number, 
/**
 * The most bytes one read or one datagram may return (1 to 262,144, for datagrams to
 * 65,536; default the most).
 */
read_size?: number, 
/**
 * TCP_NODELAY (default true).
 */
nodelay?: boolean, 
/**
 * SO_KEEPALIVE (default false).
 */
keepalive?: boolean, 
/**
 * TCP_KEEPIDLE: after how many seconds of silence the first keepalive probe goes (1 to 32,767; default the
 * system's, mostly 7,200). Only means something with `keepalive`.
 */
keepalive_idle_s?: number, 
/**
 * TCP_KEEPINTVL: seconds between probes that are not answered (1 to 32,767; default the system's, mostly 75).
 */
keepalive_interval_s?: number, 
/**
 * TCP_KEEPCNT: after how many of those the connection is given up (1 to 127; default the system's, mostly 9).
 */
keepalive_count?: number, 
/**
 * TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged in ms (0, the system's, to 3,600,000; tcp(7)).
 */
user_timeout_ms?: number, 
/**
 * SO_RCVBUF in bytes as asked; Linux doubles it (default: the system's; for datagrams 4 MiB is asked).
 */
recv_buffer?: number, 
/**
 * SO_SNDBUF in bytes as asked; Linux doubles it.
 */
send_buffer?: number, 
/**
 * TCP_CORK: nothing but whole segments goes until it is taken off, or 200 ms passed (default false).
 */
cork?: boolean, 
/**
 * TCP_QUICKACK: acknowledge at once instead of with the next bytes; the kernel may change it again by itself.
 */
quickack?: boolean, 
/**
 * TCP_MAXSEG: the most payload of a segment in bytes (88 to 32,767; before connecting it is told to the peer).
 */
maxseg?: number, 
/**
 * Whether it is read (default true); while it is not, the kernel's buffer fills and the window closes.
 */
reading?: boolean, 
/**
 * Whether a listener accepts (default true); while it does not, connections wait in the kernel's queue.
 */
accepting?: boolean, 
/**
 * SO_BROADCAST (default false).
 */
broadcast?: boolean, 
/**
 * IPV6_V6ONLY on a listener or bound socket (default: the system's).
 */
ipv6_only?: boolean, };

/**
 * Where a socket is in its life.
 */
export type SocketState = "opening" | "listening" | "open" | "half_closed_local" | "half_closed_remote" | "closing" | "closed" | "failed";

/**
 * What a viewer wants to see; replaces what it asked for before, from the next batch on.
 */
export type Subscribe = { 
/**
 * How much of each payload.
 */
payload?: PayloadMode, 
/**
 * Batches as binary frames with raw payload bytes.
 */
binary?: boolean, 
/**
 * Only this socket.
 */
socket?: SocketId, 
/**
 * Only these types of event; empty for all.
 */
types?: Array<string>, 
/**
 * Practice peers' events too (default true).
 */
hidden?: boolean, 
/**
 * The kernel's shelf too (default true).
 */
kernel?: boolean, 
/**
 * Move the cursor here.
 */
after?: Seq, 
/**
 * Stop sending events until the next `subscribe`: a viewer that shows none.
 */
paused?: boolean, };

/**
 * What a segment says beside its bytes.
 */
export type TcpFlag = "syn" | "ack" | "psh" | "fin" | "rst" | "urg" | "ece" | "cwr";

/**
 * What TCP_INFO says of a connection (tcp(7), linux/tcp.h). Absent: this kernel does not say.
 */
export type TcpInfo = { 
/**
 * Smoothed round trip in µs.
 */
rtt_us: number, 
/**
 * Its mean deviation in µs.
 */
rtt_var_us: number, 
/**
 * The least round trip in µs of the last minutes.
 */
min_rtt_us: number, 
/**
 * Retransmission timeout in µs.
 */
rto_us: number, 
/**
 * Segments retransmitted in a row without an answer.
 */
retransmits: number, 
/**
 * Segments retransmitted in all.
 */
total_retransmits: number, 
/**
 * The most payload of a segment sent, in bytes.
 */
send_mss: number, 
/**
 * The same of one received.
 */
receive_mss: number, 
/**
 * The path's MTU in bytes.
 */
path_mtu: number, 
/**
 * Congestion window in segments.
 */
congestion_window: number, 
/**
 * Slow start threshold in segments; absent while none is known.
 */
slow_start_threshold?: number, 
/**
 * Segments sent and not acknowledged.
 */
unacked: number, 
/**
 * Of those, acknowledged selectively.
 */
sacked: number, 
/**
 * Of those, taken for lost.
 */
lost: number, 
/**
 * The window the peer offers, in bytes.
 */
send_window: number, 
/**
 * Room for received bytes that is offered at most.
 */
receive_space: number, 
/**
 * Bytes acknowledged by the peer.
 */
bytes_acked: number, 
/**
 * Bytes received.
 */
bytes_received: number, 
/**
 * Payload bytes sent, retransmissions included.
 */
bytes_sent: number, 
/**
 * Of those, retransmitted.
 */
bytes_retransmitted: number, 
/**
 * Bytes written and not sent yet.
 */
not_sent: number, 
/**
 * Segments sent, of any kind.
 */
segments_out: number, 
/**
 * Segments received, of any kind.
 */
segments_in: number, 
/**
 * Segments sent with data.
 */
data_segments_out: number, 
/**
 * Segments received with data.
 */
data_segments_in: number, 
/**
 * How fast the path delivers, bytes/s.
 */
delivery_rate: number, 
/**
 * How fast it is paced, bytes/s; absent where it is not.
 */
pacing_rate?: number, 
/**
 * For how long it had something to send, in µs.
 */
busy_us: number, 
/**
 * Of that, the peer's window was full.
 */
window_limited_us: number, 
/**
 * Of that, the send buffer was.
 */
buffer_limited_us: number, 
/**
 * Segments received out of order.
 */
out_of_order: number, };

/**
 * A state of a TCP connection (RFC 9293 §3.3.2).
 */
export type TcpState = "CLOSED" | "LISTEN" | "SYN_SENT" | "SYN_RECEIVED" | "ESTABLISHED" | "FIN_WAIT_1" | "FIN_WAIT_2" | "CLOSING" | "CLOSE_WAIT" | "LAST_ACK" | "TIME_WAIT";

/**
 * How a ticker ticks. `rate` × `payload` is at most 4 MiB/s.
 */
export type TickerSettings = { 
/**
 * Ticks a second (0.1 to 1,000; default 10).
 */
rate?: number, 
/**
 * Bytes a tick (16 to 65,536; default 64).
 */
payload?: number, 
/**
 * When they come (default `poisson`).
 */
arrivals?: Arrivals, 
/**
 * Closes a connection after so many seconds of ticking (0.1 to 86,400; default never).
 */
seconds?: number, 
/**
 * Waits for the client's first byte before it ticks, so that everybody can be there in time.
 */
hold?: boolean, };

/**
 * A ticket opens one WebSocket within 10 s: offered as subprotocol `ticket.XXXX` beside `sockscope.v1`.
 */
export type Ticket = { 
/**
 * Works once.
 */
ticket: string, };

/**
 * What a timer of the kernel waits for.
 */
export type TimerKind = "retransmit" | "keepalive" | "time_wait" | "zero_window_probe";

/**
 * The log is cleared.
 */
export type TrimAnswer = { 
/**
 * The oldest event still kept.
 */
first: Seq, 
/**
 * The last event there is.
 */
head: Seq, 
/**
 * How many events were given up.
 */
trimmed: number, };

/**
 * Clears the log up to a place.
 */
export type TrimRequest = { 
/**
 * The last event to give up.
 */
up_to: Seq, 
/**
 * The log that seq belongs to.
 */
epoch?: string, };

/**
 * Which sockets a viewer looks at: those are sampled. Replaces what it said before; ends with its connection.
 */
export type WatchCommand = { 
/**
 * At most 100.
 */
sockets: Array<SocketId>, };

/** Every code there is. */
export const CODES = [
  "malformed_json",
  "malformed_frame",
  "invalid_target",
  "unsupported_scheme",
  "invalid_host",
  "invalid_port",
  "invalid_hex",
  "invalid_escape",
  "invalid_base64",
  "invalid_data",
  "invalid_option",
  "invalid_key",
  "invalid_crowd",
  "invalid_http",
  "invalid_practice",
  "invalid_name",
  "invalid_range",
  "invalid_query",
  "missing_to",
  "unexpected_to",
  "wrong_family",
  "too_large",
  "unsupported_media_type",
  "not_a_web_socket",
  "unauthorized",
  "bad_origin",
  "bad_host",
  "cross_site",
  "rate_limited",
  "unknown_route",
  "method_not_allowed",
  "unknown_workspace",
  "unknown_socket",
  "unknown_event",
  "unknown_crowd",
  "unknown_key",
  "unknown_meter",
  "no_payload",
  "evicted",
  "wrong_state",
  "wrong_epoch",
  "beyond_head",
  "queue_full",
  "too_many_sockets",
  "too_many_clients",
  "too_many_keys",
  "key_spent",
  "too_many_meters",
  "too_many_captures",
  "too_many_connections",
  "log_full",
  "shutting_down",
  "send_timed_out",
  "internal",
  "denied",
  "name_not_found",
  "no_address",
  "resolve_timed_out",
  "resolve_failed",
  "refused",
  "reset",
  "timed_out",
  "unreachable",
  "address_in_use",
  "address_not_available",
  "permission_denied",
  "no_descriptors",
  "message_too_long",
  "not_http",
  "head_too_long",
  "answer_timed_out",
  "broken_pipe",
  "os",
  "closed",
  "cancelled",
  "both_ended",
  "was_reset",
  "was_failed",
  "listener_closed",
  "client_closed",
  "client_lost",
  "peer_not_reading",
  "client_not_reading",
  "attempt_abandoned",
  "forgotten",
  "accepted_unserved",
  "kernel_buffer_full",
  "renamed",
  "log_trimmed",
  "removed",
] as const satisfies readonly Code[];
