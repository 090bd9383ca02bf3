//! IPv4 addresses inside IPv6 addresses.
//!
//! A translator or a tunnel somewhere on the way may unwrap such an address and reach the IPv4 host inside, so whatever
//! must never be reached must not be reached through a wrapping either. What cannot be known from the address alone is
//! a provider's own prefix (6rd, RFC 5969; network-specific NAT64, RFC 6052 §2.2): those look like any global unicast.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A v4-mapped address (::ffff:0:0/96, RFC 4291 §2.5.5.2) is IPv4 in all but spelling: the kernel dials IPv4.
pub(super) fn unmap(addr: IpAddr) -> IpAddr {
    match addr {
        IpAddr::V6(v6) if v6.to_bits() >> 32 == 0xffff => IpAddr::V4(low(v6)),
        addr => addr,
    }
}

/// Every IPv4 address that some mechanism would take out of this one; empty when it carries none. There can be
/// several, because the local NAT64 prefix does not say where in it the address lies.
pub(super) fn embedded(addr: Ipv6Addr) -> Vec<Ipv4Addr> {
    let o = addr.octets();
    let s = addr.segments();
    let at = |i: usize| Ipv4Addr::new(o[i], o[i + 1], o[i + 2], o[i + 3]);
    let mut inner = Vec::new();
    match s {
        // The unspecified address and ::1 are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => {}
        // IPv4-compatible, ::/96 (RFC 4291 §2.5.5.1), and mapped, for whoever asks without unmapping.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] => inner.push(at(12)),
        // IPv4-translated, ::ffff:0:0:0/96 (RFC 2765 §2.1).
        [0, 0, 0, 0, 0xffff, 0, ..] => inner.push(at(12)),
        // The well-known NAT64 prefix, 64:ff9b::/96 (RFC 6052 §2.1).
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => inner.push(at(12)),
        // The local NAT64 prefix, 64:ff9b:1::/48 (RFC 8215): the operator chooses a prefix length of 48, 56, 64 or 96
        // within it, and octet 8 is left out (RFC 6052 §2.2).
        [0x64, 0xff9b, 1, ..] => inner.extend([
            Ipv4Addr::new(o[6], o[7], o[9], o[10]),
            Ipv4Addr::new(o[7], o[9], o[10], o[11]),
            at(9),
            at(12),
        ]),
        // 6to4, 2002::/16 (RFC 3056 §2).
        [0x2002, ..] => inner.push(at(2)),
        // Teredo, 2001::/32 (RFC 4380 §4): the server in the clear, the client with every bit turned over.
        [0x2001, 0, ..] => inner.extend([at(4), Ipv4Addr::from_bits(!at(12).to_bits())]),
        _ => {}
    }
    // ISATAP, an interface identifier under any unicast prefix (RFC 5214 §6.1).
    if matches!(s[4] & !0x0200, 0) && s[5] == 0x5efe && o[0] != 0xff {
        inner.push(at(12));
    }
    inner
}

fn low(addr: Ipv6Addr) -> Ipv4Addr {
    let o = addr.octets();
    Ipv4Addr::new(o[12], o[13], o[14], o[15])
}
