//! What is wrong with a target, and where.

use std::fmt;

/// Why a text is not a target. Positions count characters from 0 in the text that was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The text as a whole has not the shape `scheme://host:port`.
    #[error("not a target: {reason} (at character {at})")]
    InvalidTarget {
        /// What is wrong with it.
        reason: TargetReason,
        /// Where.
        at: usize,
    },
    /// The scheme is well formed, but names no kind of socket we have.
    #[error("no such kind of socket: {scheme}")]
    UnsupportedScheme {
        /// The scheme, lower-case; letters, digits, `+`, `-` and `.` only.
        scheme: String,
    },
    /// The host is neither an address in its one accepted spelling nor a DNS name.
    #[error("not a host: {reason} (at character {at})")]
    InvalidHost {
        /// What is wrong with it.
        reason: HostReason,
        /// Where.
        at: usize,
    },
    /// The port is absent, not a number, or not one this kind of socket can have.
    #[error("not a port: {reason} (at character {at})")]
    InvalidPort {
        /// What is wrong with it.
        reason: PortReason,
        /// Where.
        at: usize,
    },
}

impl TargetError {
    /// The stable name of the finer reason, for programs; a sentence in the reader's language is made from it.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::InvalidTarget { reason, .. } => reason.as_str(),
            Self::UnsupportedScheme { .. } => "unsupported_scheme",
            Self::InvalidHost { reason, .. } => reason.as_str(),
            Self::InvalidPort { reason, .. } => reason.as_str(),
        }
    }

    /// The character the complaint is about, counted from 0.
    #[must_use]
    pub const fn position(&self) -> Option<usize> {
        match self {
            Self::InvalidTarget { at, .. } | Self::InvalidHost { at, .. } | Self::InvalidPort { at, .. } => {
                Some(*at)
            }
            Self::UnsupportedScheme { .. } => None,
        }
    }
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident: $($variant:ident $text:literal $sentence:literal,)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $sentence] $variant,)*
        }

        impl $name {
            /// The stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $sentence,)* })
            }
        }
    };
}

reasons! {
    /// What can be wrong with the shape of a target.
    TargetReason:
    TooLong "too_long" "it is longer than 512 bytes",
    NoScheme "no_scheme" "it does not begin with a kind of socket and ://",
    Whitespace "whitespace" "it contains white space",
    Control "control_character" "it contains a control character",
    UserInfo "userinfo" "it has a user name or password",
    Path "path" "it has a path",
    Query "query" "it has a query",
    Fragment "fragment" "it has a fragment",
}

reasons! {
    /// What can be wrong with a host.
    HostReason:
    Empty "host_missing" "this kind of socket needs a host",
    Numeric "numeric" "it looks like a number; write an IPv4 address as four decimal numbers without leading zeros",
    Character "character" "it contains a character no host name has",
    Unicode "unicode" "its characters make no international domain name",
    Hyphen "hyphen" "a part of it begins or ends with a hyphen",
    EmptyLabel "empty_label" "it has an empty part between its dots",
    LabelTooLong "label_too_long" "a part of it is longer than 63 bytes",
    TooLong "name_too_long" "it is longer than 253 bytes",
    Bracket "bracket" "a bracket is missing or too many",
    NotIpv6 "not_ipv6" "only an IPv6 address may stand in brackets",
    Unbracketed "unbracketed_ipv6" "an IPv6 address must stand in brackets",
    Zone "zone" "what follows % is no name or number of an interface",
}

reasons! {
    /// What can be wrong with a port.
    PortReason:
    Missing "port_missing" "a port is missing",
    NotANumber "not_a_number" "it is not written in decimal digits",
    LeadingZero "leading_zero" "it begins with a zero",
    OutOfRange "out_of_range" "it is larger than 65535",
    Zero "zero" "only a socket that is bound may ask for port 0",
    Doubled "doubled" "there is more than one",
}
