//! What the kernel and the wire did with a socket: states, counters, segments.

use serde::{Deserialize, Serialize};

use crate::{Payload, SocketId};

/// A state of a TCP connection (RFC 9293 §3.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TcpState {
    /// There is no connection.
    Closed,
    /// Waiting for connections.
    Listen,
    /// Our SYN went.
    SynSent,
    /// A SYN came and was answered.
    SynReceived,
    /// Both directions carry bytes.
    Established,
    /// Our FIN went and is not acknowledged.
    #[serde(rename = "FIN_WAIT_1")]
    FinWait1,
    /// Our FIN is acknowledged, the peer's has not come.
    #[serde(rename = "FIN_WAIT_2")]
    FinWait2,
    /// Both FINs went past each other; ours is not acknowledged.
    Closing,
    /// The peer's FIN came, ours has not gone.
    CloseWait,
    /// The peer's FIN came, ours went and is not acknowledged.
    LastAck,
    /// Both FINs are acknowledged; segments that are late die out (RFC 9293 §3.6.1; 60 s on Linux).
    TimeWait,
}

/// How a state is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The kernel said so.
    Read,
    /// It follows from segments that were seen, or from the only way between two states that were read; it was over
    /// before it could be read.
    PassedThrough,
    /// Nobody can say.
    Unknown,
}

/// A timer of the kernel that runs for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct KernelTimer {
    /// Which.
    pub kind: TimerKind,
    /// In how many ms it fires.
    pub expires_ms: u32,
    /// How often it has fired in a row.
    pub retransmits: u8,
}

/// What a timer of the kernel waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// An acknowledgement, else it sends again.
    Retransmit,
    /// Silence, else nothing: a keepalive probe goes, or FIN_WAIT_2 is given up.
    Keepalive,
    /// The end of TIME_WAIT.
    TimeWait,
    /// A window that is not zero, else it probes (the persist timer).
    ZeroWindowProbe,
}

/// Who holds the other end, on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The process, where it may be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub pid: Option<u32>,
    /// What it is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub process: Option<String>,
}

/// What TCP_INFO says of a connection (tcp(7), linux/tcp.h). Absent: this kernel does not say.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct TcpInfo {
    /// Smoothed round trip in µs.
    pub rtt_us: u32,
    /// Its mean deviation in µs.
    pub rtt_var_us: u32,
    /// The least round trip in µs of the last minutes.
    pub min_rtt_us: u32,
    /// Retransmission timeout in µs.
    pub rto_us: u32,
    /// Segments retransmitted in a row without an answer.
    pub retransmits: u8,
    /// Segments retransmitted in all.
    pub total_retransmits: u32,
    /// The most payload of a segment sent, in bytes.
    pub send_mss: u32,
    /// The same of one received.
    pub receive_mss: u32,
    /// The path's MTU in bytes.
    pub path_mtu: u32,
    /// Congestion window in segments.
    pub congestion_window: u32,
    /// Slow start threshold in segments; absent while none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub slow_start_threshold: Option<u32>,
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// Of those, acknowledged selectively.
    pub sacked: u32,
    /// Of those, taken for lost.
    pub lost: u32,
    /// The window the peer offers, in bytes.
    pub send_window: u32,
    /// Room for received bytes that is offered at most.
    pub receive_space: u32,
    /// Bytes acknowledged by the peer.
    pub bytes_acked: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Payload bytes sent, retransmissions included.
    pub bytes_sent: u64,
    /// Of those, retransmitted.
    pub bytes_retransmitted: u64,
    /// Bytes written and not sent yet.
    pub not_sent: u32,
    /// Segments sent, of any kind.
    pub segments_out: u32,
    /// Segments received, of any kind.
    pub segments_in: u32,
    /// Segments sent with data.
    pub data_segments_out: u32,
    /// Segments received with data.
    pub data_segments_in: u32,
    /// How fast the path delivers, bytes/s.
    pub delivery_rate: u64,
    /// How fast it is paced, bytes/s; absent where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub pacing_rate: Option<u64>,
    /// For how long it had something to send, in µs.
    pub busy_us: u64,
    /// Of that, the peer's window was full.
    pub window_limited_us: u64,
    /// Of that, the send buffer was.
    pub buffer_limited_us: u64,
    /// Segments received out of order.
    pub out_of_order: u32,
}

/// What a segment says beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TcpFlag {
    /// Synchronise: a sequence begins.
    Syn,
    /// The acknowledgement number counts.
    Ack,
    /// Hand over at once.
    Psh,
    /// The sender sends no more.
    Fin,
    /// The connection is over, at once.
    Rst,
    /// Urgent.
    Urg,
    /// Congestion was met (RFC 3168).
    Ece,
    /// The congestion window was reduced (RFC 3168).
    Cwr,
}

/// What is remarkable about a segment, from those seen before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SegmentMark {
    /// Its bytes, SYN or FIN went before.
    Retransmission,
    /// It comes after bytes that were sent later: it was overtaken on the way.
    OutOfOrder,
    /// It acknowledges the same byte as the one before: a segment behind a hole has come.
    DuplicateAck,
    /// The sender has no room.
    ZeroWindow,
    /// The sender has room again, or more.
    WindowUpdate,
    /// One byte, or none, to see whether the peer has room again.
    ZeroWindowProbe,
    /// One byte, or none, of what was sent long ago: is anybody there?
    Keepalive,
    /// It answers a keepalive probe.
    KeepaliveAck,
}

/// Which protocol a captured frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SegmentProtocol {
    /// A TCP segment.
    Tcp,
    /// A UDP datagram, or a fragment of one.
    Udp,
    /// An ICMP error about one of this socket's (RFC 792, RFC 4443).
    Icmp,
}

/// An ICMP error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Icmp {
    /// Its type (RFC 792; over IPv6 RFC 4443).
    #[serde(rename = "type")]
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// Who sent it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub from: Option<String>,
}

/// Whether a source of kernel facts works here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Level {
    /// It does.
    pub active: bool,
    /// Why it does not, by POSIX name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub errno: Option<String>,
}

/// How much of the kernel can be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct KernelSight {
    /// TCP_INFO, queues and options of our own descriptors.
    pub tcp_info: Level,
    /// Any socket of this network namespace, by its addresses (NETLINK_SOCK_DIAG, sock_diag(7)).
    pub sock_diag: Level,
    /// The segments on the wire (packet(7)).
    pub segments: Level,
    /// The program runs in a container, as far as it can tell.
    pub container: bool,
}

/// Which sockets a viewer looks at: those are sampled. Replaces what it said before; ends with its connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WatchCommand {
    /// At most 100.
    pub sockets: Vec<SocketId>,
}

/// A captured frame, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Frame {
    /// How long it was, in bytes.
    pub len: u32,
    /// Its first bytes: every header, and what was captured of the payload. The rest of the payload is that of the
    /// stream, from the segment's `offset`.
    pub bytes: Payload,
    /// The layers, outermost first.
    pub layers: Vec<FrameLayer>,
}

/// One layer of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct FrameLayer {
    /// Which: `ethernet`, `ipv4`, `ipv6`, `tcp`, `udp`, `icmp`, `icmpv6`, `payload`.
    pub name: String,
    /// Where it begins in the frame, in bytes.
    pub offset: u32,
    /// How long it is, in bytes; of the payload, as much as the frame had.
    pub len: u32,
    /// Its fields, in the order of the bytes.
    pub fields: Vec<FrameField>,
}

/// One field of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct FrameField {
    /// Its name, as in the RFC, in snake case: `source_port`, `window`, `option_mss`.
    pub name: String,
    /// What it says, as people read it: an address, a number, flags by name.
    pub value: String,
    /// Where it begins in the frame, in bits.
    pub bit_offset: u32,
    /// How long it is, in bits.
    pub bit_len: u32,
    /// Something to know of this value, as a code: `checksum_unfilled`, `checksum_wrong`, `offloaded_length`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub remark: Option<String>,
}
