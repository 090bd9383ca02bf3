//! Whatever may be typed into the address bar, or stand in the path of a bridge.

use std::net::IpAddr;

use super::{Host, Target, parse_endpoint};

/// What is taken says what was meant: printed, it reads back as itself, in ASCII. What is refused is refused at a character
/// that is there, or where one is missing.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let endpoint = parse_endpoint(text);
    assert_eq!(
        format!("tcp://{text}").parse::<Target>().ok().map(|target| (target.host, target.port)),
        endpoint.ok(),
        "with a scheme and without"
    );
    match text.parse::<Target>() {
        Ok(target) => {
            let printed = target.to_string();
            assert!(printed.is_ascii(), "{printed:?}");
            assert_eq!(printed.parse().as_ref(), Ok(&target), "{printed:?}");
            let local = target.scheme.is_local();
            assert!(local || target.port > 0);
            match target.host {
                Host::Empty => assert!(local),
                Host::Ip { addr, zone } => assert!(zone.is_none() || addr.is_ipv6()),
                Host::Name(name) => assert!(name.parse::<IpAddr>().is_err(), "{name:?} is an address"),
            }
        }
        Err(error) => assert!(error.position().is_none_or(|at| at <= text.chars().count()), "{error}"),
    }
}
