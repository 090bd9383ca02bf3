//! Errors as programs read them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Seq, SocketId};

/// Which step of an operation it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading what was asked for.
    Parse,
    /// Turning a name into addresses.
    Resolve,
    /// Asking the policy.
    Policy,
    /// socket(2).
    Socket,
    /// connect(2).
    Connect,
    /// bind(2).
    Bind,
    /// listen(2).
    Listen,
    /// accept(2).
    Accept,
    /// send(2) and its kin.
    Send,
    /// recv(2) and its kin.
    Receive,
    /// shutdown(2).
    Shutdown,
    /// setsockopt(2).
    Option,
}

/// A problem, RFC 9457 (`application/problem+json`). `title` and `detail` are for a developer's log; sentences for
/// people, in their language, are made by the page from `code` and `params`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct Problem {
    /// `urn:sockscope:` and the code.
    pub r#type: String,
    /// The code as a short phrase.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What exactly, in English.
    pub detail: String,
    /// What went wrong, stable.
    pub code: Code,
    /// The errno, by its POSIX name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub errno: Option<String>,
    /// Which step it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub phase: Option<Phase>,
    /// The rule that denied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub rule: Option<String>,
    /// The socket it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub socket: Option<SocketId>,
    /// The fact in the log, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub seq: Option<Seq>,
    /// Bytes the kernel took before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "codegen", ts(optional))]
    pub taken: Option<u64>,
    /// Names and values for the sentence.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "codegen", ts(optional, as = "Option<BTreeMap<String, String>>"))]
    pub params: BTreeMap<String, String>,
}

macro_rules! codes {
    ($($name:ident $text:literal $title:literal,)*) => {
        /// A stable name for something that is said to people: a problem, a failure, a pause, a note, an end.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
        pub enum Code {
            $(#[doc = $title] #[serde(rename = $text)] $name,)*
        }

        impl Code {
            /// Every code there is.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name, as in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// A short phrase in English.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    // Not understood.
    MalformedJson "malformed_json" "The body is not the JSON this route takes",
    MalformedFrame "malformed_frame" "The frame is not a command",
    InvalidTarget "invalid_target" "The target is not a socket's URL",
    UnsupportedScheme "unsupported_scheme" "There is no such kind of socket",
    InvalidHost "invalid_host" "The host is neither a name nor an address",
    InvalidPort "invalid_port" "A port is a number from 0 to 65535",
    InvalidHex "invalid_hex" "The hexadecimal text is wrong",
    InvalidEscape "invalid_escape" "An escape is wrong",
    InvalidBase64 "invalid_base64" "The base64 text is wrong",
    InvalidData "invalid_data" "Give exactly one of text, escaped, hex, base64",
    InvalidOption "invalid_option" "An option is out of range or does not apply",
    InvalidKey "invalid_key" "A bridge key cannot be like that",
    InvalidCrowd "invalid_crowd" "A setting of a crowd is out of range",
    InvalidHttp "invalid_http" "The HTTP request cannot be made",
    InvalidPractice "invalid_practice" "A setting of a practice peer is out of range or does not apply",
    InvalidName "invalid_name" "A name has at most 200 characters",
    InvalidRange "invalid_range" "The range lies beyond the bytes there are",
    InvalidQuery "invalid_query" "The query is wrong",
    MissingTo "missing_to" "An unconnected datagram needs an address to go to",
    UnexpectedTo "unexpected_to" "This socket has one peer; an address cannot be given",
    WrongFamily "wrong_family" "The address is of another family than the socket",
    TooLarge "too_large" "It is larger than the limit",
    UnsupportedMediaType "unsupported_media_type" "The content type is not one this route takes",
    NotAWebSocket "not_a_web_socket" "This route takes a WebSocket upgrade",
    // Not let in.
    Unauthorized "unauthorized" "A token is needed",
    BadOrigin "bad_origin" "The Origin is not this server's",
    BadHost "bad_host" "The Host is not this server's",
    CrossSite "cross_site" "The request comes from another site",
    RateLimited "rate_limited" "Too many attempts",
    // Not there.
    UnknownRoute "unknown_route" "There is no such route",
    MethodNotAllowed "method_not_allowed" "The route does not take this method",
    UnknownWorkspace "unknown_workspace" "There is no such workspace",
    UnknownSocket "unknown_socket" "There is no such socket",
    UnknownEvent "unknown_event" "There is no such event",
    UnknownCrowd "unknown_crowd" "There is no such crowd",
    UnknownKey "unknown_key" "There is no such bridge key",
    UnknownMeter "unknown_meter" "There is no such meter",
    NoPayload "no_payload" "The event has no payload",
    Evicted "evicted" "The log has given it up",
    // Not now.
    WrongState "wrong_state" "The socket is not in a state for this",
    WrongEpoch "wrong_epoch" "It belongs to another log",
    BeyondHead "beyond_head" "The seq lies beyond the log's head",
    QueueFull "queue_full" "The socket's send queue is full",
    TooManySockets "too_many_sockets" "No more sockets may be open",
    TooManyClients "too_many_clients" "There are not enough connections for so many clients",
    TooManyKeys "too_many_keys" "No more bridge keys may be made",
    KeySpent "key_spent" "The bridge key's limit is reached",
    TooManyMeters "too_many_meters" "No more meters may run",
    TooManyCaptures "too_many_captures" "No more captures may be taken away at once",
    TooManyConnections "too_many_connections" "No more connections are served",
    LogFull "log_full" "The log is full",
    ShuttingDown "shutting_down" "The server is shutting down",
    SendTimedOut "send_timed_out" "The peer did not take all of it in time",
    Internal "internal" "The server failed",
    // What sockets meet.
    Denied "denied" "The policy refused it",
    NameNotFound "name_not_found" "The name does not exist",
    NoAddress "no_address" "The name has no address",
    ResolveTimedOut "resolve_timed_out" "The name server did not answer in time",
    ResolveFailed "resolve_failed" "The name could not be resolved",
    Refused "refused" "The connection was refused",
    Reset "reset" "The connection was reset",
    TimedOut "timed_out" "No answer came in time",
    Unreachable "unreachable" "The host or network cannot be reached",
    AddressInUse "address_in_use" "The address is in use",
    AddressNotAvailable "address_not_available" "The address is not this machine's",
    PermissionDenied "permission_denied" "The system does not permit it",
    NoDescriptors "no_descriptors" "No file descriptor is left",
    MessageTooLong "message_too_long" "The datagram is too long",
    NotHttp "not_http" "The answer is not HTTP, or breaks off",
    HeadTooLong "head_too_long" "The head of the answer has no end",
    AnswerTimedOut "answer_timed_out" "The other server did not finish its answer in time",
    BrokenPipe "broken_pipe" "The connection can no longer be written",
    Os "os" "The system call failed",
    // Why something ended, stands still or is remarked.
    Closed "closed" "It was closed here",
    Cancelled "cancelled" "It was cancelled",
    BothEnded "both_ended" "Both directions ended",
    WasReset "was_reset" "It was reset",
    WasFailed "was_failed" "It failed",
    ListenerClosed "listener_closed" "Its listener was closed",
    ClientClosed "client_closed" "The bridge's client closed its connection",
    ClientLost "client_lost" "The bridge's client is gone without a word",
    PeerNotReading "peer_not_reading" "The peer does not read",
    ClientNotReading "client_not_reading" "The bridge's client does not read",
    AttemptAbandoned "attempt_abandoned" "Another address answered first",
    Forgotten "forgotten" "The middlebox forgot the connection: nothing passes any more",
    AcceptedUnserved "accepted_unserved" "An accepted connection was closed unserved",
    KernelBufferFull "kernel_buffer_full" "The kernel's receive buffer was full",
    Renamed "renamed" "It was renamed",
    LogTrimmed "log_trimmed" "The log was cleared",
    Removed "removed" "It was removed from the list",
}
