//! Getting in, and what one got into.

use serde::{Deserialize, Serialize};

/// Exchanges a launch code for the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// The code from the launch link; works once, for 60 s.
    pub code: String,
}

/// The token: sent as `Authorization: Bearer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct SessionToken {
    /// Keep it secret.
    pub token: String,
}

/// A ticket opens one WebSocket within 10 s: offered as subprotocol `ticket.XXXX` beside `sockscope.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Ticket {
    /// Works once.
    pub ticket: String,
}

/// What happens when the log is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogFull {
    /// Old history is given up.
    Evict,
    /// Sockets stop being read until somebody trims the log.
    Pause,
}

/// The rules in force, for the page to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Policy {
    /// `local`.
    pub mode: String,
    /// A token is required.
    pub token_required: bool,
    /// Classes of address that are never dialled.
    pub never: Vec<String>,
    /// Ports a listener may use, as `first-last`, where limited.
    pub listen_ports: Option<String>,
}

/// What this server is, how it is set up and what it keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct About {
    /// The program's version.
    pub version: String,
    /// The log's epoch.
    pub epoch: String,
    /// Bytes the log may hold.
    pub log_bytes: u64,
    /// Bytes it holds now, overhead included.
    pub log_bytes_used: u64,
    /// What happens when it is full.
    pub log_full: LogFull,
    /// Sockets open now.
    pub sockets: u32,
    /// The most sockets that may be open at once.
    pub max_sockets: u32,
    /// The most bytes one socket's send queue takes.
    pub send_queue_bytes: u32,
    /// The rules in force.
    pub policy: Policy,
}
