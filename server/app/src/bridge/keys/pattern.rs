//! Which targets a key allows: `tcp://host:port`, with `*` for any host or port, and ranges of ports; and where it lets listen,
//! `tcp-listen://address:port` and `udp-bind://address:port`.

use std::{fmt, net::IpAddr, ops::RangeInclusive};

use sockscope_sockets::target::{Host, Scheme, Target};

use crate::ask::number;

/// Targets that are allowed. It is held against what is asked for, a name or an address; where a name leads to is the policy's
/// matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    scheme: Scheme,
    /// `None` is any.
    host: Option<Host>,
    ports: RangeInclusive<u16>,
}

/// Every port there is to dial, or to listen on: there 0 is one that the system chooses.
const fn all(scheme: Scheme) -> RangeInclusive<u16> {
    if scheme.is_local() { 0..=u16::MAX } else { 1..=u16::MAX }
}

impl Pattern {
    /// Reads one; the error says what is wrong, in English.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (before, port) = text.rsplit_once(':').ok_or("it has the form tcp://host:port")?;
        let ports = ports(port).ok_or("a port is a number, a range like 8000-8099, or *")?;
        // The port is read already: any will do to have the rest read as strictly as what it is held against.
        let any_host = before.strip_suffix("://*").map(|scheme| format!("{scheme}://any:1"));
        let like = any_host.clone().unwrap_or_else(|| format!("{before}:1"));
        let target: Target = like.parse().map_err(|error| format!("{error}"))?;
        let host = any_host.is_none().then(|| canonical(&target.host));
        if target.scheme.is_local() && matches!(host, Some(Host::Name(_) | Host::Empty)) {
            return Err("where to listen is an address, or *".to_owned());
        }
        let ports = ports.unwrap_or_else(|| all(target.scheme));
        Ok(Self { scheme: target.scheme, host, ports })
    }

    /// Whether this is one of them.
    pub(super) fn matches(&self, target: &Target) -> bool {
        self.scheme == target.scheme
            && self.ports.contains(&target.port)
            && self.host.as_ref().is_none_or(|host| *host == canonical(&target.host))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        match &self.host {
            Some(host) => write!(f, "{host}:")?,
            None => f.write_str("*:")?,
        }
        match (self.ports.start(), self.ports.end()) {
            _ if self.ports == all(self.scheme) => f.write_str("*"),
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// One host, one spelling: an IPv4 address stays one when it is written as IPv6. Names are canonical already.
fn canonical(host: &Host) -> Host {
    match host {
        Host::Ip { addr, zone } => match addr.to_canonical() {
            addr @ IpAddr::V4(_) => Host::Ip { addr, zone: None },
            addr @ IpAddr::V6(_) => Host::Ip { addr, zone: zone.clone() },
        },
        Host::Name(_) | Host::Empty => host.clone(),
    }
}

/// `Some(None)` is every one there is.
#[expect(clippy::option_option, reason = "wrong, any, or these")]
fn ports(text: &str) -> Option<Option<RangeInclusive<u16>>> {
    if text == "*" {
        return Some(None);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(Some(first..=last))
}

fn port(text: &str) -> Option<u16> {
    number(text).filter(|_| !text.starts_with('0'))
}
