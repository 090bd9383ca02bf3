//! What a way of delivery costs, counted where its requests arrive.

use serde::{Deserialize, Serialize};

use crate::{Seq, SocketId};

/// A meter that runs: requests to `events` and `ws` that carry `meter=ID` are counted under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct MeterStarted {
    /// Its name, for the query of the requests it is to count.
    pub id: String,
}

/// What was counted under a meter. Bytes are those of the accepted connections: request lines, headers, bodies, chunk
/// sizes, frames; TCP and IP headers are not among them.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Meter {
    /// Its name.
    pub id: String,
    /// HTTP requests, upgrades included.
    pub requests: u64,
    /// Of those, polls that were answered without any event.
    pub empty_requests: u64,
    /// Of those, polls whose page ended at a limit: the next one only continues.
    pub full_requests: u64,
    /// Events delivered.
    pub events: u64,
    /// Connections that carried any of its requests.
    pub connections: u64,
    /// Of those, open now and last used by it.
    pub open_connections: u64,
    /// Bytes from the client.
    pub bytes_up: u64,
    /// Bytes to the client.
    pub bytes_down: u64,
    /// Of those, bodies of answers, stream contents and WebSocket messages; the rest is headers and framing. A connection
    /// that was cut while it was written to may have had less of them than is said here, never more than was sent.
    pub body_down: u64,
    /// TCP segments, as the server's end of the connections counts them.
    pub segments: MeterSegments,
    /// CPU time of the threads that served these connections while they did, in µs (user and system).
    pub cpu_us: u64,
}

/// TCP segments. Those with data are exact. Pure acknowledgements (SYN and FIN among them) are approximate: one that
/// comes late, on a connection that is used for something else meanwhile, is counted there.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct MeterSegments {
    /// From the client, with data.
    pub data_up: u64,
    /// To the client, with data.
    pub data_down: u64,
    /// From the client, without.
    pub acks_up: u64,
    /// To the client, without.
    pub acks_down: u64,
}

/// A way events reach a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Asking again and again, at a fixed rate.
    ShortPoll,
    /// Asking, and being answered when there is something.
    LongPoll,
    /// One answer that does not end (server-sent events).
    Sse,
    /// A socket both sides write to.
    Websocket,
}

impl Lane {
    /// Every lane, from the least to the most like a socket.
    pub const ALL: [Self; 4] = [Self::ShortPoll, Self::LongPoll, Self::Sse, Self::Websocket];

    /// Its name, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShortPoll => "short_poll",
            Self::LongPoll => "long_poll",
            Self::Sse => "sse",
            Self::Websocket => "websocket",
        }
    }
}

/// Many clients of one lane, in a process of their own: their work is not the server's, nor the page's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CrowdRequest {
    /// By which way they follow.
    pub lane: Lane,
    /// How many there are (1 to 1,000).
    pub clients: u32,
    /// Whose received bytes.
    pub socket: SocketId,
    /// After which seq.
    pub after: Seq,
    /// Bytes of one message, for counting them (16 to 65,536).
    pub message: u32,
    /// How often a short poll asks, in ms (10 to 60,000; default 1,000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub poll_interval_ms: Option<u32>,
    /// The meter that counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub meter: Option<String>,
}

/// A crowd that runs. It ends when it is deleted, and by itself after ten minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct CrowdStarted {
    /// Its name.
    pub id: String,
}

/// How a crowd is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct CrowdReport {
    /// Clients that are connected.
    pub ready: u32,
    /// Clients that met the end of the stream with every byte of it, in order.
    pub complete: u32,
    /// Clients that missed something, or broke.
    pub broken: u32,
    /// Messages had whole, all clients together.
    pub messages: u64,
}

/// The server's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Clock {
    /// The log it belongs to.
    pub epoch: String,
    /// The monotonic clock that every `t_us` is of, in µs.
    pub now_us: u64,
    /// The last event there is.
    pub head: Seq,
}
