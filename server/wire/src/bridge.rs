//! Sockets that programs reach through a WebSocket.

use serde::{Deserialize, Serialize};

use crate::SocketId;

/// How a program reaches a socket through this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Contract {
    /// One WebSocket to the host and port that its path names.
    Wsproxy,
    /// One WebSocket to a target that was set up before.
    Websockify,
    /// Many streams over one WebSocket.
    Wisp,
    /// Many sockets over one WebSocket, listeners among them: the channel of `/sdk/direct-sockets.js`.
    Direct,
}

/// What a new key for bridges is to allow. Whoever has the key needs no token, and can do nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// What it is for, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub name: Option<String>,
    /// What may be reached, 1 to 64: `tcp://host:port` or `udp://host:port`, where the host is one name or address, or `*`, and
    /// the port a number, a range like `8000-8099`, or `*`. And where may be listened: `tcp-listen://address:port`,
    /// `udp-bind://address:port`; a port that nobody chooses needs `*`. The policy has the last word.
    pub targets: Vec<String>,
    /// Pages that may use it, by their origin, like `https://example.com`; at most 64. Programs that are no pages send none, and
    /// need none.
    #[serde(default)]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<Vec<String>>"))]
    pub origins: Vec<String>,
    /// The most sockets at once, and the most connections that carry many (1 to 65,536; default 64).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub max_streams: Option<u32>,
    /// The most sockets opened in a second (1 to 100,000; default 100).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub connects_per_second: Option<u32>,
    /// The most bytes in all, both ways together, an empty datagram being one; absent: as many as come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub max_bytes: Option<u64>,
    /// Every byte goes into the log, not only the first ones.
    #[serde(default)]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
    pub record: bool,
}

/// A key for bridges, and what was done with it. The secret itself is told once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct BridgeKey {
    /// Its name here, also a JWT's `kid`.
    pub id: String,
    /// What it is for.
    pub name: Option<String>,
    /// What may be reached.
    pub targets: Vec<String>,
    /// Pages that may use it.
    pub origins: Vec<String>,
    /// The most sockets at once, and the most connections that carry many.
    pub max_streams: u32,
    /// The most sockets opened in a second.
    pub connects_per_second: u32,
    /// The most bytes in all, if there is a limit.
    pub max_bytes: Option<u64>,
    /// Every byte goes into the log.
    pub record: bool,
    /// When it was made: RFC 3339, UTC.
    pub made_at: String,
    /// WebSockets it has let in that are open now.
    pub connections: u32,
    /// Its sockets that are open now.
    pub sockets: Vec<SocketId>,
    /// Sockets opened with it in all.
    pub opened: u64,
    /// Bytes in all, both ways together, an empty datagram being one.
    pub bytes: u64,
}

/// A key that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct KeyMade {
    /// What it allows.
    pub key: BridgeKey,
    /// What opens the gate, 256 bits: goes into paths, `/k/{secret}/bridge/tcp/{host}/{port}`.
    pub secret: String,
}

/// The keys there are, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct KeyList {
    /// At most 256.
    pub keys: Vec<BridgeKey>,
}
