//! Wishes: bodies of requests and of commands.

use serde::{Deserialize, Serialize};

use crate::{How, Seq, SocketOptions};

/// Opens a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OpenRequest {
    /// What to open, as a URL: `tcp://host:port`, `tcp-listen://addr:port`, `udp://host:port`, `udp-bind://addr:port`.
    pub open: String,
    /// What to call it (at most 200 characters).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub name: Option<String>,
    /// Options to open it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub options: Option<SocketOptions>,
}

/// Renames a socket or changes its options.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PatchSocket {
    /// The new name; empty removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub name: Option<String>,
    /// Options to set now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub options: Option<SocketOptions>,
}

/// Bytes to send, in exactly one of four spellings.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// UTF-8 text, sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub text: Option<String>,
    /// Text with `\n`, `\r`, `\t`, `\0`, `\\`, `\"`, `\'`, `\a`, `\b`, `\f`, `\v`, `\e`, `\xHH` and `\u{H…}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub escaped: Option<String>,
    /// Hexadecimal digits in pairs; white space, `:`, `,`, `-` and `0x` between pairs are passed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub hex: Option<String>,
    /// Base64 (RFC 4648 §4, padded).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub base64: Option<String>,
    /// Where a datagram of an unconnected socket goes, as `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub to: Option<String>,
    /// How long to wait for the kernel to take all of it, in ms (0 to 60,000; default 10,000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub timeout_ms: Option<u32>,
}

/// The kernel took all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct SendAnswer {
    /// The last `sent` event of it.
    pub seq: Seq,
    /// How many bytes.
    pub sent: u64,
}

/// Ends a direction of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ShutdownRequest {
    /// Which direction.
    pub how: How,
}

/// Clears the log up to a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TrimRequest {
    /// The last event to give up.
    pub up_to: Seq,
    /// The log that seq belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub epoch: Option<String>,
}

/// The log is cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct TrimAnswer {
    /// The oldest event still kept.
    pub first: Seq,
    /// The last event there is.
    pub head: Seq,
    /// How many events were given up.
    pub trimmed: u64,
}
