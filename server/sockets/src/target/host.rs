//! The host of a target: an address in its one accepted spelling, or a DNS name.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use super::error::HostReason;

/// The longest name (RFC 1035 §2.3.4, without the final dot).
const NAME_MAX: usize = 253;
/// The longest label of a name.
const LABEL_MAX: usize = 63;
/// IFNAMSIZ without its NUL.
const ZONE_MAX: usize = 15;

/// A host as it was asked for. An address stays an address and a name stays a name: nothing here is looked up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// None given: the default for listening.
    Empty,
    /// A literal address.
    Ip {
        /// The address as written: v4-mapped IPv6 stays IPv6.
        addr: IpAddr,
        /// The IPv6 zone as written, the name or the number of an interface; never present with IPv4.
        zone: Option<String>,
    },
    /// A DNS name: lower case, ASCII (A-labels), letters, digits, hyphens, underscores and dots, no final dot, and
    /// never anything that could be read as a number.
    Name(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Ip { addr: IpAddr::V4(addr), .. } => write!(f, "{addr}"),
            Self::Ip { addr: IpAddr::V6(addr), zone: None } => write!(f, "[{addr}]"),
            Self::Ip { addr: IpAddr::V6(addr), zone: Some(zone) } => write!(f, "[{addr}{}]", ZoneText(zone)),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A zone as it is written behind an address: `%eth0`. A zone that itself begins with `25` is written in the manner of
/// RFC 6874 (`%2525x`), because `%25x` is read as `%x`.
pub(crate) struct ZoneText<'a>(pub(crate) &'a str);

impl fmt::Display for ZoneText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escape = if self.0.len() > 2 && self.0.starts_with("25") { "25" } else { "" };
        write!(f, "%{escape}{}", self.0)
    }
}

/// A reason, and the byte of the host's text it is about.
pub(super) type HostError = (HostReason, usize);

/// Reads what stands between brackets.
pub(super) fn bracketed(inner: &str) -> Result<Host, HostError> {
    let (addr, zone) = match inner.split_once('%') {
        Some((addr, zone)) => (addr, Some((zone, addr.len() + 1))),
        None => (inner, None),
    };
    let addr: Ipv6Addr = addr.parse().map_err(|_| (HostReason::NotIpv6, 0))?;
    let zone = zone.map(|(text, at)| read_zone(text).ok_or((HostReason::Zone, at))).transpose()?;
    Ok(Host::Ip { addr: IpAddr::V6(addr), zone })
}

/// Reads a zone, written bare (`%eth0`) or as RFC 6874 has it (`%25eth0`).
fn read_zone(text: &str) -> Option<String> {
    let zone = match text.strip_prefix("25") {
        Some(zone) if !zone.is_empty() => zone,
        _ => text,
    };
    let plausible = |b: u8| b.is_ascii_alphanumeric() || b"._-~@+".contains(&b);
    let numeric = zone.bytes().all(|b| b.is_ascii_digit());
    let sound = !zone.is_empty()
        && zone.len() <= ZONE_MAX
        && zone.bytes().all(plausible)
        && (!numeric || zone.parse::<u32>().is_ok_and(|index| index != 0));
    sound.then(|| zone.to_owned())
}

/// Reads what stands before the port without brackets: an IPv4 address or a name.
pub(super) fn bare(text: &str) -> Result<Host, HostError> {
    // Four decimal numbers without leading zeros: the standard library takes no other spelling.
    if let Ok(addr) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Ip { addr: IpAddr::V4(addr), zone: None });
    }
    if let Some((at, c)) = text.char_indices().find(|&(_, c)| c.is_ascii() && !ldh(c)) {
        let reason = if matches!(c, '[' | ']') { HostReason::Bracket } else { HostReason::Character };
        return Err((reason, at));
    }
    let name = map(text)?;
    let name = name.strip_suffix('.').unwrap_or(&name);
    check_name(name)?;
    Ok(Host::Name(name.to_owned()))
}

/// A character of a name as it goes into DNS. Underscores are in no host name by RFC 952, and in many real ones.
const fn ldh(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// The name in lower-case ASCII (UTS #46, non-transitional). This also turns the ideographic and full-width dots into
/// dots and circled digits into digits, so whatever is said of numbers must be said of its result.
fn map(text: &str) -> Result<Cow<'_, str>, HostError> {
    Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore)
        .map_err(|_| (HostReason::Unicode, 0))
}

fn check_name(name: &str) -> Result<(), HostError> {
    if name.len() > NAME_MAX {
        return Err((HostReason::TooLong, 0));
    }
    // Mapping can make ASCII out of anything (a full-width slash becomes a slash): look again.
    if !name.chars().all(ldh) {
        return Err((HostReason::Character, 0));
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err((HostReason::EmptyLabel, 0));
        }
        if label.len() > LABEL_MAX {
            return Err((HostReason::LabelTooLong, 0));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err((HostReason::Hyphen, 0));
        }
    }
    if ends_in_number(name) { Err((HostReason::Numeric, 0)) } else { Ok(()) }
}

/// The WHATWG URL rule "ends in a number": no top-level domain is a number, and everything `inet_aton` takes (octal,
/// hexadecimal, one number, two, three) ends in one. So what passes here is a number to nobody.
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    match last.strip_prefix("0x") {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => last.bytes().all(|b| b.is_ascii_digit()),
    }
}
