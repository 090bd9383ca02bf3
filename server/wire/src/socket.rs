//! A socket as the workspace lists it.

use serde::{Deserialize, Serialize};

use crate::{Contract, PeerKind, Seq, SocketId};

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A stream we connected.
    Client,
    /// A socket that accepts streams.
    Listener,
    /// A stream a listener accepted.
    Accepted,
    /// A datagram socket with a local address and no fixed peer.
    Bound,
    /// A datagram socket with one peer.
    Connected,
}

/// Where a socket is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SocketState {
    /// Resolving, connecting or binding.
    Opening,
    /// Accepting connections.
    Listening,
    /// Both directions carry bytes.
    Open,
    /// We sent our FIN; the peer may still send.
    HalfClosedLocal,
    /// The peer sent its FIN; we may still send.
    HalfClosedRemote,
    /// What was queued is still being written, then it closes.
    Closing,
    /// Closed in order, or reset after it was open.
    Closed,
    /// Did not open, or was ended by a call that failed.
    Failed,
}

/// What passed through a socket, exactly as of the list's `head`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Counters {
    /// Bytes the kernel took.
    pub sent_bytes: u64,
    /// Bytes the kernel handed over.
    pub received_bytes: u64,
    /// Successful writes or datagrams sent.
    pub sent_events: u64,
    /// Reads or datagrams received.
    pub received_events: u64,
    /// Datagrams lost on the way into the log, or from a bridge's client to the socket.
    pub dropped: u64,
}

/// Bytes accepted for sending that the kernel has not taken yet.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct SendQueue {
    /// How many bytes wait.
    pub bytes: u64,
    /// Since when the peer has taken none, as `t_us`; absent while bytes flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub blocked_since_us: Option<u64>,
}

/// A sender seen by an unconnected datagram socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct PeerSeen {
    /// Its address.
    pub address: String,
    /// Datagrams received from it.
    pub received_events: u64,
    /// Bytes received from it.
    pub received_bytes: u64,
    /// Datagrams sent to it.
    pub sent_events: u64,
    /// Bytes sent to it.
    pub sent_bytes: u64,
    /// When it was last heard or spoken to, as `t_us`.
    pub last_us: u64,
}

/// Options of a socket. Absent means the default.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SocketOptions {
    /// How long connecting may take in ms, all addresses together (1 to 600,000; default 10,000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub connect_timeout_ms: Option<u32>,
    /// SO_REUSEADDR on a listener (default true) or a bound datagram socket (default false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub reuse_addr: Option<bool>,
    /// The backlog passed to listen(2) (0 to 65,535; default 1,024).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub backlog: Option<u32>,
    /// The most bytes one read or one datagram may return (1 to 262,144, for datagrams to
    /// 65,536; default the most).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub read_size: Option<u32>,
    /// TCP_NODELAY (default true).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub nodelay: Option<bool>,
    /// SO_KEEPALIVE (default false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub keepalive: Option<bool>,
    /// TCP_KEEPIDLE: after how many seconds of silence the first keepalive probe goes (1 to 32,767; default the
    /// system's, mostly 7,200). Only means something with `keepalive`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub keepalive_idle_s: Option<u32>,
    /// TCP_KEEPINTVL: seconds between probes that are not answered (1 to 32,767; default the system's, mostly 75).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub keepalive_interval_s: Option<u32>,
    /// TCP_KEEPCNT: after how many of those the connection is given up (1 to 127; default the system's, mostly 9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub keepalive_count: Option<u32>,
    /// TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged in ms (0, the system's, to 3,600,000; tcp(7)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub user_timeout_ms: Option<u32>,
    /// SO_RCVBUF in bytes as asked; Linux doubles it (default: the system's; for datagrams 4 MiB is asked).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub recv_buffer: Option<u32>,
    /// SO_SNDBUF in bytes as asked; Linux doubles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub send_buffer: Option<u32>,
    /// TCP_CORK: nothing but whole segments goes until it is taken off, or 200 ms passed (default false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub cork: Option<bool>,
    /// TCP_QUICKACK: acknowledge at once instead of with the next bytes; the kernel may change it again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub quickack: Option<bool>,
    /// TCP_MAXSEG: the most payload of a segment in bytes (88 to 32,767; before connecting it is told to the peer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub maxseg: Option<u32>,
    /// Whether it is read (default true); while it is not, the kernel's buffer fills and the window closes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub reading: Option<bool>,
    /// Whether a listener accepts (default true); while it does not, connections wait in the kernel's queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub accepting: Option<bool>,
    /// SO_BROADCAST (default false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub broadcast: Option<bool>,
    /// IPV6_V6ONLY on a listener or bound socket (default: the system's).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub ipv6_only: Option<bool>,
}

/// A socket as the workspace lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Socket {
    /// Its name in the log.
    pub id: SocketId,
    /// What somebody called it.
    pub name: Option<String>,
    /// What was asked for, as a URL.
    pub target: String,
    /// What it is for.
    pub role: Role,
    /// Where it is in its life.
    pub state: SocketState,
    /// Our address, once there is one.
    pub local: Option<String>,
    /// The peer's address, once there is one.
    pub remote: Option<String>,
    /// The listener that accepted it.
    pub parent: Option<SocketId>,
    /// What passed through it.
    pub counters: Counters,
    /// The seq of its `opening`, or for an accepted socket of its `connected`.
    pub opened_seq: Seq,
    /// The seq of the fact that ended it.
    pub closed_seq: Option<Seq>,
    /// Options as asked for when it was opened or changed since.
    pub options: SocketOptions,
    /// Bytes waiting to be sent.
    pub queue: SendQueue,
    /// The practice peer it belongs to; such sockets are hidden unless asked for.
    pub practice: Option<PeerKind>,
    /// How a program reaches it, of the socket of a bridge: its bytes belong to that program's connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub bridge: Option<Contract>,
    /// Other machines can reach its local address.
    pub reachable_from_outside: bool,
    /// Senders seen by an unconnected datagram socket, latest first, at most 256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<Vec<PeerSeen>>"))]
    pub peers: Vec<PeerSeen>,
}

/// The sockets of a workspace, exactly as they were when the log's last event was `head`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct SocketList {
    /// The log these ids and seqs belong to.
    pub epoch: String,
    /// The last event this list accounts for.
    pub head: Seq,
    /// Oldest first; closed ones stay (at most 1,000) until they are removed.
    pub sockets: Vec<Socket>,
}
