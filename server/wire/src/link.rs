//! What is said on the WebSocket.

use serde::{Deserialize, Serialize};

use crate::{OpenRequest, Page, PayloadMode, Problem, Seq, SocketId, SocketOptions, WatchCommand};

/// Close codes of the WebSocket: those of RFC 6455 that are used, and ours.
pub mod close_code {
    /// What came is no frame of RFC 6455.
    pub const PROTOCOL: u16 = 1002;
    /// A text frame was not UTF-8.
    pub const NOT_TEXT: u16 = 1007;
    /// A command was larger than the limit.
    pub const TOO_LARGE: u16 = 1009;
    /// The server failed.
    pub const INTERNAL: u16 = 1011;
    /// The viewer did not read for 10 s; come back with the last seq.
    pub const SLOW: u16 = 4008;
    /// The server is shutting down; come back later.
    pub const SHUTTING_DOWN: u16 = 4012;
    /// The viewer did not answer pings.
    pub const GONE: u16 = 4014;
}

/// Everything a server says in a text frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(untagged)]
pub enum ServerFrame {
    /// The first frame.
    Hello {
        /// What the viewer needs to know first.
        hello: Hello,
    },
    /// The answer to one command.
    Reply(Reply),
    /// Events.
    Page(Page),
}

/// The first frame down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Hello {
    /// The connection's name: the first half of every `cause` of its commands.
    pub conn: String,
    /// The log's epoch.
    pub epoch: String,
    /// The oldest event still kept.
    pub first: Seq,
    /// The last event there is.
    pub head: Seq,
    /// The program's version.
    pub version: String,
    /// The server's monotonic clock now, as `t_us`, to place events in the viewer's time.
    pub now_us: u64,
}

/// The answer to one command: it was understood, and its facts carry `cause`; or the problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Reply {
    /// The command's id; null when the frame was too malformed to have one.
    // Always there, so that no other frame can be read as a reply.
    #[serde(deserialize_with = "Option::deserialize")]
    pub re: Option<String>,
    /// What its facts are marked with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub cause: Option<String>,
    /// The socket it opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub socket: Option<SocketId>,
    /// Why nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub problem: Option<Problem>,
}

/// A command: an `id` of the viewer's choice and exactly one wish.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ClientFrame {
    /// 1 to 64 characters, letters, digits, `-`, `_`; not repeated on one connection.
    pub id: String,
    /// Open a socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub open: Option<OpenRequest>,
    /// Send bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub send: Option<SendCommand>,
    /// End a direction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub shutdown: Option<ShutdownCommand>,
    /// Close or reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub close: Option<CloseCommand>,
    /// Rename or set options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub set: Option<SetCommand>,
    /// Say what this connection wants to see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub subscribe: Option<Subscribe>,
    /// Say which sockets somebody looks at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub watch: Option<WatchCommand>,
}

/// Sends bytes on a socket: the fields of [`SendRequest`](crate::SendRequest), and which socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SendCommand {
    /// Which socket.
    pub socket: SocketId,
    /// UTF-8 text, sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub text: Option<String>,
    /// Text with escapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub escaped: Option<String>,
    /// Hexadecimal digits in pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub hex: Option<String>,
    /// Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub base64: Option<String>,
    /// Where a datagram of an unconnected socket goes, as `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub to: Option<String>,
}

/// Half-closes a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ShutdownCommand {
    /// Which socket.
    pub socket: SocketId,
    /// Which direction.
    pub how: crate::How,
}

/// Closes a socket, cancels its connect, or removes a closed one from the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CloseCommand {
    /// Which socket.
    pub socket: SocketId,
    /// Send RST instead of FIN.
    #[serde(default)]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
    pub reset: bool,
    /// Close what a listener accepted, too.
    #[serde(default)]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
    pub children: bool,
}

/// Renames a socket or changes its options.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetCommand {
    /// Which socket.
    pub socket: SocketId,
    /// The new name; empty removes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub name: Option<String>,
    /// Options to set now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub options: Option<SocketOptions>,
}

/// What a viewer wants to see; replaces what it asked for before, from the next batch on.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// How much of each payload.
    #[serde(default)]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<PayloadMode>"))]
    pub payload: PayloadMode,
    /// Batches as binary frames with raw payload bytes.
    #[serde(default)]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
    pub binary: bool,
    /// Only this socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub socket: Option<SocketId>,
    /// Only these types of event; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<Vec<String>>"))]
    pub types: Vec<String>,
    /// Practice peers' events too (default true).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub hidden: Option<bool>,
    /// The kernel's shelf too (default true).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub kernel: Option<bool>,
    /// Move the cursor here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub after: Option<Seq>,
    /// Stop sending events until the next `subscribe`: a viewer that shows none.
    #[serde(default)]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<bool>"))]
    pub paused: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_what_it_is() {
        let read = |json: &str| serde_json::from_str::<ServerFrame>(json).expect("a frame");
        let page = r#"{"epoch":"e","first":1,"shelves":{},"head":2,"next":2,"events":[],"gaps":[]}"#;
        assert!(matches!(read(page), ServerFrame::Page(Page { head: Seq(2), .. })));
        assert!(matches!(read(r#"{"re":null}"#), ServerFrame::Reply(Reply { re: None, .. })));
        assert!(matches!(read(r#"{"re":"c1","cause":"v1.c1"}"#), ServerFrame::Reply(_)));
        let hello = r#"{"hello":{"conn":"v1","epoch":"e","first":1,"head":0,"version":"0","now_us":5}}"#;
        assert!(matches!(read(hello), ServerFrame::Hello { .. }));
    }
}
