//! Facts: what happened, in the order it was recorded.

use serde::{Deserialize, Serialize};

use crate::{
    ByteRange, Code, Contract, Counters, Evidence, Icmp, KernelTimer, Owner, Payload, PeerKind, Phase, Role,
    SegmentMark, SegmentProtocol, Seq, SocketId, SocketOptions, TcpFlag, TcpInfo, TcpState,
};

/// One fact in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Event {
    /// Its place in the log.
    pub seq: Seq,
    /// When it happened, in µs since the epoch began (monotonic): for a call, when it returned.
    pub t_us: u64,
    /// The same moment as wall-clock time: RFC 3339, UTC, six digits.
    pub at: String,
    /// How long the call took in µs, waiting for readiness included; absent where the fact is no call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub took_us: Option<u64>,
    /// The socket it happened to; absent for facts of the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub socket: Option<SocketId>,
    /// The command that caused it, as `connection.id`; absent where nobody asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub cause: Option<String>,
    /// Who gave that command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub by: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

/// What happened. New kinds are added over time, none is renamed; clients pass over kinds they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Fact {
    /// A socket came to be in the workspace and is about to resolve, connect, bind or listen.
    Opening {
        /// What was asked for, as a URL.
        target: String,
        /// What the socket will be.
        role: Role,
        /// What it is called, if somebody named it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        name: Option<String>,
        /// The practice peer it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        practice: Option<PeerKind>,
        /// How a program reaches it, of the socket of a bridge.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        bridge: Option<Contract>,
        /// Options asked for.
        #[serde(default)]
        options: SocketOptions,
    },
    /// A name was resolved; `took_us` says how long it took.
    Resolved {
        /// The name as it was asked for.
        name: String,
        /// Every address found, in the order they will be tried.
        addresses: Vec<String>,
    },
    /// A connection attempt to one address began.
    Connecting {
        /// The address being tried.
        remote: String,
        /// 1 for the first address tried.
        attempt: u32,
        /// How many addresses there are to try.
        of: u32,
    },
    /// The socket is connected.
    Connected {
        /// Our address.
        local: String,
        /// The peer's address.
        remote: String,
        /// The listener that accepted it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        parent: Option<SocketId>,
        /// The practice peer it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        practice: Option<PeerKind>,
        /// How a program reaches it, of a socket that a bridge's listener accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        bridge: Option<Contract>,
    },
    /// The socket has a local address.
    Bound {
        /// The address the kernel gave.
        local: String,
        /// Other machines can reach this address.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
        reachable_from_outside: bool,
    },
    /// The socket accepts connections.
    Listening {
        /// The address it listens on.
        local: String,
        /// The backlog passed to listen(2).
        backlog: u32,
        /// Other machines can reach this address.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
        reachable_from_outside: bool,
    },
    /// accept(2) returned a connection; recorded on the listener.
    Accepted {
        /// The new socket.
        child: SocketId,
        /// The peer's address.
        remote: String,
    },
    /// A write took bytes: one event a successful call.
    Sent {
        /// How many bytes.
        len: u32,
        /// Stream offset of the first of them in this direction; absent for datagrams.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        offset: Option<u64>,
        /// Where a datagram went.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        to: Option<String>,
        /// The bytes.
        #[serde(flatten)]
        bytes: Counted,
    },
    /// A read returned bytes: one event a call.
    Received {
        /// How many bytes were handed over.
        len: u32,
        /// Stream offset of the first of them in this direction; absent for datagrams.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        offset: Option<u64>,
        /// Where a datagram came from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        from: Option<String>,
        /// The datagram was longer than the read; the rest is gone.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
        truncated: bool,
        /// How a datagram arrived.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        arrival: Option<Arrival>,
        /// The bytes.
        #[serde(flatten)]
        bytes: Counted,
    },
    /// The peer's FIN was read: it will send no more.
    Eof {
        /// How many bytes came before it.
        offset: u64,
    },
    /// We shut a direction down: our FIN goes after what was sent.
    Shutdown {
        /// Which direction.
        how: How,
    },
    /// The connection was reset.
    Reset {
        /// Who reset it: `peer` (its RST arrived) or `local` (ours went). Not `by`: that names who gave the command.
        side: Direction,
        /// The call that found out, where the peer did it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        phase: Option<Phase>,
        /// The errno that call got.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        errno: Option<String>,
    },
    /// Somebody closed it while bytes waited to be sent: those are written first.
    Closing {
        /// How many bytes wait.
        queued_bytes: u64,
    },
    /// The descriptor is closed; nothing follows for this socket but facts of its removal.
    Closed {
        /// Why.
        reason: Code,
        /// Its final counters.
        counters: Counters,
        /// Bytes that had been accepted for sending and were not written.
        #[serde(default)]
        unsent_bytes: u64,
        /// Bytes of a stream that lay unread in the kernel: it sent a RST where a FIN was asked for (RFC 2525 §2.17).
        #[serde(default)]
        unread_bytes: u64,
    },
    /// The policy refused an address; nothing was dialled, bound or sent.
    RefusedByPolicy {
        /// What was asked for.
        target: String,
        /// The address that was refused, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        address: Option<String>,
        /// The class of that address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        class: Option<String>,
        /// The rule that decided.
        rule: String,
        /// The socket is over; false where only one address or one datagram was refused.
        fatal: bool,
    },
    /// A call failed.
    Failed {
        /// What failed, for people and programs.
        code: Code,
        /// Which step it was.
        phase: Phase,
        /// The errno, by its POSIX name; for resolving, the getaddrinfo name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        errno: Option<String>,
        /// The address it failed for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        remote: Option<String>,
        /// The option that could not be set, named as in the socket's `options`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        option: Option<String>,
        /// The ICMP error it is due to, where the kernel keeps it (IP_RECVERR, ip(7)).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        icmp: Option<Icmp>,
        /// The socket is over; false where another address is tried or the socket lives on.
        fatal: bool,
    },
    /// A socket option was set.
    OptionSet {
        /// Its name, as in the socket's `options`.
        option: String,
        /// The value asked for.
        asked: u64,
        /// The value the kernel reports afterwards.
        granted: u64,
    },
    /// Datagrams were lost on their way into the log, or from a bridge's client to the socket.
    Dropped {
        /// How many since the last such event of this reason.
        count: u64,
        /// How many in all for this socket, every reason.
        total: u64,
        /// `kernel_buffer_full` or `log_full`; `queue_full` where the socket did not take them, or was not open yet.
        reason: Code,
    },
    /// The socket stands still in one respect.
    Paused {
        /// What stands still.
        what: PauseWhat,
        /// Why.
        reason: Code,
        /// Bytes waiting, for a send.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        queued_bytes: Option<u64>,
    },
    /// It moves again.
    Resumed {
        /// What stood still.
        what: PauseWhat,
        /// For how long, in µs.
        after_us: u64,
    },
    /// So much passed through the socket of a bridge since that was told last. Only its first bytes each way have events of their
    /// own, unless all of it is recorded.
    Relayed {
        /// Bytes the kernel took.
        sent_bytes: u64,
        /// Writes, or datagrams sent.
        sent_calls: u64,
        /// Bytes the kernel handed over.
        received_bytes: u64,
        /// Reads, or datagrams received.
        received_calls: u64,
    },
    /// A connection's state in the kernel changed; or it goes on, and its timer is another: the persist timer runs or does not,
    /// or one has fired in vain.
    KernelState {
        /// Whose.
        end: Direction,
        /// The state; absent where nobody can say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        state: Option<TcpState>,
        /// How it is known.
        evidence: Evidence,
        /// The timer that runs, where one was read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        timer: Option<KernelTimer>,
        /// Who holds the other end, when it is first seen on this host.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        owner: Option<Owner>,
    },
    /// What the kernel counts of a connection changed; only of sockets somebody looks at, and when they end.
    TcpInfo {
        /// Of which end.
        end: Direction,
        /// What it counts.
        info: Box<TcpInfo>,
        /// Bytes received and not read by the program.
        receive_queue: u32,
        /// Bytes written by the program and not acknowledged.
        send_queue: u32,
    },
    /// How many connections wait for accept(2) changed.
    AcceptQueue {
        /// How many wait.
        length: u32,
        /// How many may: the least of listen(2)'s backlog and net.core.somaxconn. One more is let in.
        limit: u32,
    },
    /// A frame was seen on the wire. Its headers are at `events/{seq}/frame`.
    Segment {
        /// Who sent it.
        sender: Direction,
        /// What it carries.
        protocol: SegmentProtocol,
        /// Where it was seen.
        interface: String,
        /// The socket at the other end, where it is one of this workspace: the segment is told once, by the end that
        /// was opened first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        far: Option<SocketId>,
        /// Its flags, of a TCP segment.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "codegen", ts(optional, as = "Option<Vec<TcpFlag>>"))]
        flags: Vec<TcpFlag>,
        /// Its sequence number, as on the wire.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        seq_number: Option<u32>,
        /// The number it acknowledges, as on the wire.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        ack_number: Option<u32>,
        /// The same, from the sender's first: a SYN is 0, the first byte 1. Absent when the beginning was not seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        seq_relative: Option<u64>,
        /// The acknowledgement, from the other side's first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        ack_relative: Option<u64>,
        /// The window in bytes, scaled (RFC 7323); as in the header where the handshake was not seen.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        window: Option<u32>,
        /// Bytes of payload.
        len: u32,
        /// Stream offset of the first of them, in the sender's direction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        offset: Option<u64>,
        /// How many segments of at most `mss` bytes it stands for: more than one where the card, or loopback, cuts
        /// later (segmentation offload).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        pieces: Option<u32>,
        /// The most payload of a segment in this direction, as the other side asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        mss: Option<u32>,
        /// What is remarkable about it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "codegen", ts(optional, as = "Option<Vec<SegmentMark>>"))]
        marks: Vec<SegmentMark>,
        /// The error it reports, of an ICMP one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "codegen", ts(optional))]
        icmp: Option<Icmp>,
        /// How long the frame was, in bytes.
        frame_len: u32,
    },
    /// The capture missed frames: the kernel's buffer for it was full.
    CaptureLost {
        /// How many since the last such event.
        count: u64,
        /// How many in all.
        total: u64,
    },
    /// Something worth knowing that is none of the above.
    Note(Note),
}

/// A remark with a stable code and its parameters; the sentence for people lives in the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Note {
    /// What is said.
    pub code: Code,
    /// What it is said of: names and values for the sentence.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<std::collections::BTreeMap<String, String>>"))]
    pub params: std::collections::BTreeMap<String, String>,
}

/// The bytes of a `sent` or `received` event, or why they are not here.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Counted {
    /// The bytes, in JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub payload: Option<Payload>,
    /// Where the bytes lie in the raw part of a binary batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub payload_range: Option<ByteRange>,
    /// Only the first bytes are here, as the viewer asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
    pub payload_preview: bool,
    /// The log was full: the bytes were given up, the event stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
    pub payload_evicted: bool,
    /// The bytes of a practice peer's calls are not recorded: the other end has them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
    pub payload_unrecorded: bool,
}

/// How a datagram arrived, as the kernel says (ip(7), ipv6(7), socket(7)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Arrival {
    /// How many hops it had left (IP_RECVTTL, IPV6_RECVHOPLIMIT).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub ttl: Option<u8>,
    /// By which interface (IP_PKTINFO).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub interface: Option<String>,
    /// When the kernel had it (SO_TIMESTAMPNS), as `t_us`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub kernel_us: Option<u64>,
    /// How long it was, when it was longer than the read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub len: Option<u32>,
}

/// Which end did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// This socket.
    Local,
    /// Its peer.
    Peer,
}

/// Which direction of a stream shutdown(2) ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// SHUT_WR: no more is sent, the peer reads to our FIN.
    Write,
}

/// What stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PauseWhat {
    /// Reading from the peer.
    Read,
    /// Writing to the peer.
    Send,
    /// Accepting connections.
    Accept,
}
