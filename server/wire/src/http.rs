//! A request made by a real HTTP client over a socket of the workspace, so that its bytes can be seen.

use serde::{Deserialize, Serialize};

use crate::SocketId;

/// What to ask, of whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    /// `http://host:port/path?query`.
    pub url: String,
    /// The method (default GET).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub method: Option<String>,
    /// Headers beside Host, User-Agent, Accept and what the body needs: names and values, at most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<Vec<(String, String)>>"))]
    pub headers: Vec<(String, String)>,
    /// The body, sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub body: Option<String>,
    /// How often, one after the other (1 to 5; default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub times: Option<u8>,
    /// Whether the connection is kept for the next request (default true); else each says `Connection: close` and has a
    /// connection of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub keep_alive: Option<bool>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct HttpAnswer {
    /// In the order they were asked.
    pub exchanges: Vec<HttpExchange>,
}

/// One answer, as the HTTP client understood it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct HttpExchange {
    /// The socket it went over: its events hold the bytes.
    pub socket: SocketId,
    /// That socket had carried another exchange before.
    pub reused: bool,
    /// `HTTP/1.1`.
    pub version: String,
    /// The status code.
    pub status: u16,
    /// What the server called it, where it said more than the code.
    pub reason: String,
    /// Names and values, in the order they came; bytes that are not text are replaced.
    pub headers: Vec<(String, String)>,
    /// The body, chunk sizes taken away, in base64; at most 256 KiB of it.
    pub body: crate::Payload,
    /// How long it was.
    pub body_bytes: u64,
    /// There was more than `body` holds.
    pub truncated: bool,
}
