//! What a way of delivery costs, counted where its requests arrive.

use serde::{Deserialize, Serialize};

use crate::Seq;

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
    /// Of those, bodies of answers, stream contents and WebSocket messages; the rest is headers and framing.
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
