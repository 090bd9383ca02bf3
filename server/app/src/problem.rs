//! Problems: how the house says no, on every door alike.

use std::collections::BTreeMap;

use sockscope_wire::{Code, Phase, Problem};

/// An answer that is a problem. Boxed, because it is rare and large.
pub type Refused = Box<Problem>;

/// A problem with a code and what exactly it is, in English.
#[must_use]
pub fn problem(code: Code, detail: impl Into<String>) -> Refused {
    Box::new(Problem {
        r#type: format!("urn:sockscope:{}", code.as_str()),
        title: code.title().to_owned(),
        status: status(code),
        detail: detail.into(),
        code,
        errno: None,
        phase: None,
        rule: None,
        socket: None,
        seq: None,
        taken: None,
        params: BTreeMap::new(),
    })
}

/// Adds what a problem is said of.
pub trait Saying: Sized {
    /// A name and a value for the sentence.
    fn with(self, name: &str, value: impl ToString) -> Self;
    /// The step it went wrong in.
    fn in_phase(self, phase: Phase) -> Self;
}

impl Saying for Refused {
    fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }

    fn in_phase(mut self, phase: Phase) -> Self {
        self.phase = Some(phase);
        self
    }
}

/// The HTTP status of a code.
#[must_use]
pub fn status(code: Code) -> u16 {
    match code {
        Code::MalformedJson | Code::MalformedFrame | Code::InvalidQuery => 400,
        Code::InvalidTarget
        | Code::UnsupportedScheme
        | Code::InvalidHost
        | Code::InvalidPort
        | Code::InvalidHex
        | Code::InvalidEscape
        | Code::InvalidBase64
        | Code::InvalidData
        | Code::InvalidOption
        | Code::InvalidName
        | Code::InvalidPractice
        | Code::InvalidHttp
        | Code::InvalidCrowd
        | Code::InvalidKey
        | Code::MissingTo
        | Code::UnexpectedTo
        | Code::WrongFamily => 422,
        Code::Unauthorized => 401,
        Code::BadOrigin | Code::CrossSite | Code::Denied | Code::PermissionDenied => 403,
        Code::UnknownRoute
        | Code::UnknownWorkspace
        | Code::UnknownSocket
        | Code::UnknownEvent
        | Code::UnknownCrowd
        | Code::UnknownMeter
        | Code::UnknownKey
        | Code::NoPayload => 404,
        Code::MethodNotAllowed => 405,
        Code::WrongState
        | Code::WrongEpoch
        | Code::BeyondHead
        | Code::AddressInUse
        | Code::AddressNotAvailable
        | Code::Closed
        | Code::Cancelled
        | Code::BothEnded
        | Code::WasReset
        | Code::WasFailed
        | Code::ListenerClosed
        | Code::ClientClosed
        | Code::ClientLost
        | Code::Removed => 409,
        Code::Evicted | Code::LogTrimmed => 410,
        Code::TooLarge | Code::MessageTooLong => 413,
        Code::UnsupportedMediaType => 415,
        Code::InvalidRange => 416,
        Code::BadHost => 421,
        Code::NotAWebSocket => 426,
        Code::RateLimited
        | Code::QueueFull
        | Code::TooManySockets
        | Code::TooManyClients
        | Code::TooManyMeters
        | Code::TooManyKeys
        | Code::KeySpent
        | Code::TooManyCaptures
        | Code::LogFull => 429,
        Code::Internal => 500,
        Code::NameNotFound
        | Code::NoAddress
        | Code::ResolveFailed
        | Code::Refused
        | Code::Reset
        | Code::BrokenPipe
        | Code::NotHttp
        | Code::HeadTooLong
        | Code::Os
        | Code::Unreachable => 502,
        Code::TooManyConnections | Code::ShuttingDown | Code::NoDescriptors => 503,
        Code::TimedOut | Code::ResolveTimedOut | Code::SendTimedOut | Code::AnswerTimedOut => 504,
        // Never an answer to a request: they say why something stands still or was remarked.
        Code::PeerNotReading
        | Code::ClientNotReading
        | Code::KernelBufferFull
        | Code::Renamed
        | Code::AttemptAbandoned
        | Code::Forgotten
        | Code::AcceptedUnserved => 500,
    }
}
