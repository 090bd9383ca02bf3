//! Addresses as people and programs read them.

use std::net::{IpAddr, SocketAddr};

use nix::net::if_::{if_indextoname, if_nametoindex};

use crate::target::ZoneText;

/// The address and port as the kernel has them: `127.0.0.1:80`, `[::1]:80`, `[::ffff:127.0.0.1]:80`, and with a zone
/// by the name of its interface, `[fe80::1%eth0]:80`, or by its number when it has none any more.
#[must_use]
pub fn display_addr(address: &SocketAddr) -> String {
    match address {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => {
            format!("[{}{}]:{}", v6.ip(), ZoneText(&zone_name(v6.scope_id())), v6.port())
        }
        SocketAddr::V6(v6) => format!("[{}]:{}", v6.ip(), v6.port()),
        SocketAddr::V4(v4) => v4.to_string(),
    }
}

fn zone_name(index: u32) -> String {
    interface(index).unwrap_or_else(|| index.to_string())
}

/// The name of an interface. For a number that is none's, nix gives an empty name instead of an error.
fn interface(index: u32) -> Option<String> {
    if_indextoname(index).ok()?.into_string().ok().filter(|name| !name.is_empty())
}

/// The number of a zone given by the name of its interface or by its number; none when there is no such interface.
/// A number must be an interface's too, so that a typo is said here and not by the kernel in the words "invalid
/// argument".
pub(super) fn zone_index(zone: &str) -> Option<u32> {
    if_nametoindex(zone).ok().or_else(|| zone.parse().ok().filter(|&index| interface(index).is_some()))
}

/// An address with its port and, for IPv6, its zone.
pub(super) fn with_zone(ip: IpAddr, port: u16, zone: u32) -> SocketAddr {
    let mut address = SocketAddr::new(ip, port);
    if let SocketAddr::V6(v6) = &mut address {
        v6.set_scope_id(zone);
    }
    address
}
