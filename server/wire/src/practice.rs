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
    /// TCP: sends small messages at a rate, as a source of events does.
    Ticker,
    /// TCP: hands everything on to another address, and forgets connections that are idle for too long, as firewalls and
    /// address translators do.
    Middlebox,
}

impl PeerKind {
    /// Every kind, in the order they are offered.
    pub const ALL: [Self; 14] = [
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
        Self::Ticker,
        Self::Middlebox,
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PracticeRequest {
    /// Which one.
    pub peer: PeerKind,
    /// How a `ticker` ticks; absent means its defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub ticker: Option<TickerSettings>,
    /// What a `middlebox` stands in front of; it has no defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub middlebox: Option<MiddleboxSettings>,
}

/// How a ticker ticks. `rate` × `payload` is at most 4 MiB/s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TickerSettings {
    /// Ticks a second (0.1 to 1,000; default 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub rate: Option<f64>,
    /// Bytes a tick (16 to 65,536; default 64).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub payload: Option<u32>,
    /// When they come (default `poisson`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub arrivals: Option<Arrivals>,
    /// Closes a connection after so many seconds of ticking (0.1 to 86,400; default never).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub seconds: Option<f64>,
    /// Waits for the client's first byte before it ticks, so that everybody can be there in time.
    #[serde(default)]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
    pub hold: bool,
}

/// When ticks come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Each as long after the other.
    Regular,
    /// Independently of each other, as many users' events do: the time between two is exponentially distributed.
    Poisson,
}

/// What a middlebox stands in front of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MiddleboxSettings {
    /// Where it hands connections on to, as `tcp://host:port`.
    pub to: String,
    /// After how long without a segment from either side a connection is forgotten, in ms (500 to 3,600,000).
    pub idle_ms: u32,
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
