//! What the user asked to open: `tcp://example.com:80`, `udp-bind://:9000`.
//!
//! Reading a target is strict and does nothing else: no name is looked up, no interface is asked for. There is one
//! spelling for an IPv4 address (four decimal numbers without leading zeros), one for IPv6 (in brackets), and anything
//! else is a DNS name or an error. In particular nothing that `getaddrinfo` or `inet_aton` would take for a number
//! (`0177.1`, `2130706433`, `0x7f.0.0.1`, `127.1`, `①②⑦.0.0.1`) is ever a name: such texts are refused, so that no
//! resolver further down can turn one into an address nobody has looked at.

mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod host;

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

pub use error::{HostReason, PortReason, TargetError, TargetReason};
pub use host::Host;
pub(crate) use host::ZoneText;

/// The longest text that is looked at, in bytes. The longest host is 253 and the rest is short.
pub const TEXT_MAX: usize = 512;

/// The kinds of sockets that can be asked for. Later kinds (`unix`, `tls`, `ws`) are added here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// A TCP connection.
    Tcp,
    /// A TCP listener.
    TcpListen,
    /// A UDP socket with one peer.
    Udp,
    /// A UDP socket that takes datagrams from anybody.
    UdpBind,
}

impl Scheme {
    /// Every kind there is.
    pub const ALL: &[Self] = &[Self::Tcp, Self::TcpListen, Self::Udp, Self::UdpBind];

    /// The scheme as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::TcpListen => "tcp-listen",
            Self::Udp => "udp",
            Self::UdpBind => "udp-bind",
        }
    }

    /// Whether the address is our own side of the socket: then the host may be left out and the port may be 0.
    #[must_use]
    pub const fn is_local(self) -> bool {
        match self {
            Self::TcpListen | Self::UdpBind => true,
            Self::Tcp | Self::Udp => false,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was asked for, understood but not yet judged. Displayed, it is the canonical URL, which reads back as itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The kind of socket.
    pub scheme: Scheme,
    /// The host, empty only where [`Scheme::is_local`].
    pub host: Host,
    /// The port, 0 only where [`Scheme::is_local`].
    pub port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let text = Text::new(text)?;
        let (scheme, rest) = text.scheme()?;
        let (host, port) = text.endpoint(rest, scheme.is_local())?;
        Ok(Self { scheme, host, port })
    }
}

/// Reads `host:port`, the `to` of a datagram: the host must be given and the port is not 0.
///
/// # Errors
///
/// Says what is wrong with it and where.
pub fn parse_endpoint(text: &str) -> Result<(Host, u16), TargetError> {
    Text::new(text)?.endpoint(0, false)
}

/// A text of bearable length without white space and control characters.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn new(text: &'a str) -> Result<Self, TargetError> {
        let this = Self(text);
        if text.len() > TEXT_MAX {
            return Err(this.target(TargetReason::TooLong, TEXT_MAX));
        }
        match text.char_indices().find(|(_, c)| c.is_whitespace() || c.is_control()) {
            Some((at, c)) if c.is_control() => Err(this.target(TargetReason::Control, at)),
            Some((at, _)) => Err(this.target(TargetReason::Whitespace, at)),
            None => Ok(this),
        }
    }

    /// The scheme, and where the rest begins.
    fn scheme(&self) -> Result<(Scheme, usize), TargetError> {
        let well_formed = |s: &str| {
            s.starts_with(|c: char| c.is_ascii_alphabetic())
                && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        };
        match self.0.split_once("://") {
            Some((scheme, _)) if well_formed(scheme) => {
                let rest = scheme.len() + "://".len();
                let scheme = scheme.to_ascii_lowercase();
                match Scheme::ALL.iter().find(|known| known.as_str() == scheme) {
                    Some(&known) => Ok((known, rest)),
                    None => Err(TargetError::UnsupportedScheme { scheme }),
                }
            }
            _ => Err(self.target(TargetReason::NoScheme, 0)),
        }
    }

    /// `host:port` from the byte `start` on.
    fn endpoint(&self, start: usize, local: bool) -> Result<(Host, u16), TargetError> {
        let rest = &self.0[start..];
        let foreign = |c: char| match c {
            '@' => Some(TargetReason::UserInfo),
            '/' | '\\' => Some(TargetReason::Path),
            '?' => Some(TargetReason::Query),
            '#' => Some(TargetReason::Fragment),
            _ => None,
        };
        if let Some((at, reason)) = rest.char_indices().find_map(|(at, c)| Some((at, foreign(c)?))) {
            return Err(self.target(reason, start + at));
        }
        let (host, colon) = if rest.starts_with('[') { self.bracketed(start)? } else { self.bare(start)? };
        let port = self.port(colon)?;
        match (&host, port, local) {
            (Host::Empty, _, false) => Err(self.host(HostReason::Empty, start)),
            (_, 0, false) => Err(self.port_error(PortReason::Zero, colon + 1)),
            _ => Ok((host, port)),
        }
    }

    /// `[address%zone]`, and where the colon after it must be.
    fn bracketed(&self, start: usize) -> Result<(Host, usize), TargetError> {
        let inside = start + 1;
        let Some(len) = self.0[inside..].find(']') else {
            return Err(self.host(HostReason::Bracket, start));
        };
        let end = inside + len;
        let host = host::bracketed(&self.0[inside..end]).map_err(|(why, at)| self.host(why, inside + at))?;
        match self.0[end + 1..].chars().next() {
            None | Some(':') => Ok((host, end + 1)),
            Some(_) => Err(self.host(HostReason::Bracket, end + 1)),
        }
    }

    /// A name or an IPv4 address, and where the colon after it must be.
    fn bare(&self, start: usize) -> Result<(Host, usize), TargetError> {
        let rest = &self.0[start..];
        let len = rest.find(':').unwrap_or(rest.len());
        if let Some(second) = rest[len..].bytes().skip(1).position(|b| b == b':') {
            // An IPv6 address without brackets, alone or with a port behind it, deserves a better sentence.
            let without_port = rest.rsplit_once(':').map_or(rest, |(head, _)| head);
            let is_v6 = |text: &str| text.split('%').next().is_some_and(|t| t.parse::<Ipv6Addr>().is_ok());
            return Err(if is_v6(rest) || is_v6(without_port) {
                self.host(HostReason::Unbracketed, start)
            } else {
                self.port_error(PortReason::Doubled, start + len + 1 + second)
            });
        }
        let host = match &rest[..len] {
            "" => Host::Empty,
            text => host::bare(text).map_err(|(why, at)| self.host(why, start + at))?,
        };
        Ok((host, start + len))
    }

    /// The port behind the colon at the byte `colon`, which may be the end of the text.
    fn port(&self, colon: usize) -> Result<u16, TargetError> {
        let start = colon + 1;
        let digits = self.0.get(start..).unwrap_or_default();
        if digits.is_empty() {
            return Err(self.port_error(PortReason::Missing, self.0.len()));
        }
        if let Some(at) = digits.find(|c: char| !c.is_ascii_digit()) {
            return Err(self.port_error(PortReason::NotANumber, start + at));
        }
        if digits.len() > 1 && digits.starts_with('0') {
            return Err(self.port_error(PortReason::LeadingZero, start));
        }
        digits.parse().map_err(|_| self.port_error(PortReason::OutOfRange, start))
    }

    /// The index of the character that begins at, or covers, a byte.
    fn at(&self, byte: usize) -> usize {
        self.0.char_indices().take_while(|&(start, _)| start < byte).count()
    }

    fn target(&self, reason: TargetReason, byte: usize) -> TargetError {
        TargetError::InvalidTarget { reason, at: self.at(byte) }
    }

    fn host(&self, reason: HostReason, byte: usize) -> TargetError {
        TargetError::InvalidHost { reason, at: self.at(byte) }
    }

    fn port_error(&self, reason: PortReason, byte: usize) -> TargetError {
        TargetError::InvalidPort { reason, at: self.at(byte) }
    }
}

#[cfg(test)]
mod tests;
