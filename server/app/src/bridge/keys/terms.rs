//! What a key allows, as it was asked for and understood.

use sockscope_sockets::target::{Host, Target};
use sockscope_wire::{Code, KeyRequest};

use super::pattern::Pattern;
use crate::{
    ask,
    problem::{Refused, Saying as _, problem},
};

/// The most targets, and the most origins, of a key.
const LISTED: usize = 64;

/// The longest origin taken.
const ORIGIN: usize = 300;

const STREAMS: u32 = 64;
const MOST_STREAMS: u32 = 65_536;

const CONNECTS: u32 = 100;
const MOST_CONNECTS: u32 = 100_000;

/// What a key allows.
pub(super) struct Terms {
    pub(super) name: Option<Box<str>>,
    pub(super) targets: Vec<Pattern>,
    pub(super) origins: Vec<Box<str>>,
    pub(super) max_streams: u32,
    pub(super) connects_per_second: u32,
    pub(super) max_bytes: Option<u64>,
    pub(super) record: bool,
}

impl Terms {
    /// Reads a request, all of it before anything is made.
    pub(super) fn of(request: &KeyRequest) -> Result<Self, Refused> {
        let KeyRequest { name, targets, origins, max_streams, connects_per_second, max_bytes, record } =
            request;
        if targets.is_empty() || targets.len() > LISTED {
            return Err(invalid("targets", format!("1 to {LISTED} targets")));
        }
        if origins.len() > LISTED {
            return Err(invalid("origins", format!("at most {LISTED} origins")));
        }
        let read = |text: &String| {
            Pattern::parse(text).map_err(|why| invalid("targets", format!("{text:?}: {why}")))
        };
        Ok(Self {
            name: name.as_deref().map(ask::name).transpose()?.flatten(),
            targets: targets.iter().map(read).collect::<Result<_, _>>()?,
            origins: origins.iter().map(|text| origin(text)).collect::<Result<_, _>>()?,
            max_streams: limit("max_streams", *max_streams, STREAMS, MOST_STREAMS)?,
            connects_per_second: limit("connects_per_second", *connects_per_second, CONNECTS, MOST_CONNECTS)?,
            max_bytes: match max_bytes {
                Some(0) => return Err(invalid("max_bytes", "at least 1")),
                other => *other,
            },
            record: *record,
        })
    }
}

fn invalid(field: &str, want: impl Into<String>) -> Refused {
    problem(Code::InvalidKey, want).with("field", field)
}

fn limit(field: &str, asked: Option<u32>, default: u32, most: u32) -> Result<u32, Refused> {
    let asked = asked.unwrap_or(default);
    if (1..=most).contains(&asked) { Ok(asked) } else { Err(invalid(field, format!("1 to {most}"))) }
}

/// An origin exactly as a browser writes it (RFC 6454 §6.2), so that it can be compared as it is: in lower case, without a path
/// and without a port that goes without saying. `null` is the origin of everybody's sandbox, so nobody's.
pub(super) fn origin(text: &str) -> Result<Box<str>, Refused> {
    written(text)
        .filter(|written| text.len() <= ORIGIN && written == text)
        .map(String::into_boxed_str)
        .ok_or_else(|| {
            let example = "an origin as a browser writes it, like https://example.com";
            invalid("origins", format!("{text:?} is not {example}"))
        })
}

/// How a browser writes the origin of this.
fn written(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    if !scheme.starts_with(|first: char| first.is_ascii_lowercase()) || !scheme.bytes().all(plain) {
        return None;
    }
    let default = match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    let has_port = rest.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let like =
        if has_port { format!("tcp://{rest}") } else { format!("tcp://{rest}:{}", default.unwrap_or(1)) };
    let Target { host, port, .. } = like.parse().ok()?;
    // A zone means something on one machine: browsers refuse it in a URL.
    if matches!(host, Host::Ip { zone: Some(_), .. }) {
        return None;
    }
    let shown = has_port && Some(port) != default;
    Some(if shown { format!("{scheme}://{host}:{port}") } else { format!("{scheme}://{host}") })
}
