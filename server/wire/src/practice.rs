//! Practice peers: real servers on loopback that answer in a known way.

use serde::{Deserialize, Serialize};

use crate::SocketId;

/// How a practice peer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PeerKind {
    /// TCP: sends back what it receives (RFC 862).
    Echo,
    /// UDP: sends each datagram back (RFC 862).
    EchoUdp,
    /// TCP: reads and forgets (RFC 863).
    Discard,
    /// TCP: sends printable characters without end (RFC 864).
    Chargen,
    /// TCP: sends the time and closes (RFC 867).
    Daytime,
    /// TCP: reads 1 KiB a second.
    SlowReader,
    /// TCP: sends back what it receives, a byte at a time.
    Fragmenter,
    /// TCP: shuts its sending direction down at once and keeps reading.
    HalfCloser,
    /// TCP: resets the connection at the first byte it receives.
    Resetter,
    /// TCP: accepts and never answers.
    Silent,
    /// TCP: speaks first.
    Greeter,
    /// TCP: a tiny HTTP/1.1 server, for requests typed by hand.
    Http,
}

impl PeerKind {
    /// Every kind, in the order they are offered.
    pub const ALL: [Self; 12] = [
        Self::Echo,
        Self::EchoUdp,
        Self::Greeter,
        Self::Daytime,
        Self::Http,
        Self::Chargen,
        Self::Discard,
        Self::SlowReader,
        Self::Fragmenter,
        Self::HalfCloser,
        Self::Resetter,
        Self::Silent,
    ];
}

/// The practice peers there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct PracticeCatalog {
    /// In the order they are offered.
    pub peers: Vec<PracticePeer>,
}

/// A practice peer that can be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct PracticePeer {
    /// Which it is; the sentence for people lives in the page.
    pub peer: PeerKind,
    /// `tcp` or `udp`.
    pub scheme: String,
}

/// Starts a practice peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PracticeRequest {
    /// Which one.
    pub peer: PeerKind,
}

/// A practice peer that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct PracticeStarted {
    /// Its listener or bound socket, hidden from the list unless asked for.
    pub id: SocketId,
    /// Which it is.
    pub peer: PeerKind,
    /// What to open to reach it.
    pub target: String,
}
