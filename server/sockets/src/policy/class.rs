//! What kind of place an address is.
//!
//! The table is our own. The predicates of standard libraries answer other questions and differ between languages and
//! versions: Rust's `Ipv6Addr::is_loopback` is false for `::ffff:127.0.0.1`, Python's `is_global` is true for NAT64,
//! 6to4, IPv4-compatible addresses and for 192.0.0.192. Here every range stands with the document that assigns it
//! (RFC 6890 and the IANA special-purpose registries, as of 2026), and **what no line names is [`Class::Reserved`]**,
//! which is not dialled: a range that is assigned tomorrow must be looked at before it is allowed.
//!
//! The ranges for benchmarks and documentation are [`Class::Private`]: never global, and in daily use as somebody's own
//! network. Labs and sandboxes number their hosts from them, teachers dial 192.0.2.1 to show a timeout, and tunnelling
//! clients answer every name with a stand-in ("fake-ip") from 198.18.0.0/15.
//!
//! The order is: v4-mapped IPv6 becomes IPv4; metadata addresses; every IPv4 address that is embedded in an IPv6 one,
//! which makes the whole thing [`Class::Metadata`] or [`Class::Embedded`]; then the first line of the table that fits.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::embed;

/// What kind of place an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The door this server itself is controlled through. A matter of address *and* port, so [`classify`] never says
    /// it: the policy does.
    SelfControl,
    /// This host by 127.0.0.0/8 or ::1.
    Loopback,
    /// A network of somebody's own: RFC 1918, and the ranges for benchmarks and documentation.
    Private,
    /// Reaches as far as the cable.
    LinkLocal,
    /// Between a provider's address translation and its customers.
    Cgnat,
    /// The private networks of IPv6.
    Ula,
    /// Where a cloud tells a machine its secrets.
    Metadata,
    /// A group.
    Multicast,
    /// Everybody on the cable.
    Broadcast,
    /// No address: to listen on, all of them; to dial, this host.
    Unspecified,
    /// Set aside for protocols or for the future, or unknown to us.
    Reserved,
    /// IPv6 with an IPv4 address inside: NAT64, 6to4, Teredo, ISATAP, IPv4-compatible.
    Embedded,
    /// The Internet.
    Public,
}

impl Class {
    /// The name, as people and programs read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SelfControl => "self-control",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Cgnat => "cgnat",
            Self::Ula => "ula",
            Self::Metadata => "metadata",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Unspecified => "unspecified",
            Self::Reserved => "reserved",
            Self::Embedded => "embedded",
            Self::Public => "public",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of place an address is, however it is spelled.
#[must_use]
pub fn classify(addr: IpAddr) -> Class {
    match embed::unmap(addr) {
        IpAddr::V4(addr) => classify_v4(addr),
        IpAddr::V6(addr) => classify_v6(addr),
    }
}

fn classify_v4(addr: Ipv4Addr) -> Class {
    if METADATA_V4.contains(&addr) {
        return Class::Metadata;
    }
    let bits = addr.to_bits();
    let fits = |&&(net, len, _): &&(Ipv4Addr, u32, Class)| (bits ^ net.to_bits()) >> (32 - len) == 0;
    V4.iter().find(fits).map_or(Class::Reserved, |&(_, _, class)| class)
}

fn classify_v6(addr: Ipv6Addr) -> Class {
    if METADATA_V6.contains(&addr) {
        return Class::Metadata;
    }
    if addr == Ipv6Addr::UNSPECIFIED {
        return Class::Unspecified;
    }
    if addr == Ipv6Addr::LOCALHOST {
        return Class::Loopback;
    }
    let inner = embed::embedded(addr);
    if !inner.is_empty() {
        let metadata = inner.iter().any(|inner| METADATA_V4.contains(inner));
        return if metadata { Class::Metadata } else { Class::Embedded };
    }
    let bits = addr.to_bits();
    let fits = |&&(net, len, _): &&(Ipv6Addr, u32, Class)| (bits ^ net.to_bits()) >> (128 - len) == 0;
    V6.iter().find(fits).map_or(Class::Reserved, |&(_, _, class)| class)
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

const fn v6(s: [u16; 8]) -> Ipv6Addr {
    Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7])
}

/// Where clouds answer over IPv4.
pub(super) const METADATA_V4: &[Ipv4Addr] = &[
    v4(169, 254, 169, 254), // AWS, Azure, Google, OpenStack, Oracle, DigitalOcean, Hetzner and most others
    v4(169, 254, 170, 2),   // AWS ECS: credentials of a task
    v4(169, 254, 170, 23),  // AWS EKS: credentials of a pod
    v4(169, 254, 0, 23),    // Tencent
    v4(169, 254, 42, 42),   // Scaleway
    v4(100, 100, 100, 200), // Alibaba
    v4(100, 96, 0, 96),     // Volcano Engine
    v4(192, 0, 0, 192),     // Oracle, classic
    v4(168, 63, 129, 16),   // Azure wire server
];

/// Where clouds answer over IPv6.
pub(super) const METADATA_V6: &[Ipv6Addr] = &[
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]),      // AWS
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]),       // AWS EKS: credentials of a pod
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]),       // Google
    v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]), // Oracle
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]),        // Scaleway
    v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]),    // OpenStack, on any link
];

/// IPv4, first line that fits. IANA IPv4 Special-Purpose Address Registry (RFC 6890), RFC 5771, RFC 1112 §4.
const V4: &[(Ipv4Addr, u32, Class)] = &[
    (v4(0, 0, 0, 0), 32, Class::Unspecified), // RFC 1122 §3.2.1.3; Linux dials this host
    (v4(0, 0, 0, 0), 8, Class::Reserved),     // "this network", RFC 791 §3.2
    (v4(10, 0, 0, 0), 8, Class::Private),     // RFC 1918
    (v4(100, 64, 0, 0), 10, Class::Cgnat),    // RFC 6598
    (v4(127, 0, 0, 0), 8, Class::Loopback),   // RFC 1122 §3.2.1.3
    (v4(169, 254, 0, 0), 16, Class::LinkLocal), // RFC 3927
    (v4(172, 16, 0, 0), 12, Class::Private),  // RFC 1918
    (v4(192, 0, 0, 9), 32, Class::Public),    // PCP anycast, RFC 7723
    (v4(192, 0, 0, 10), 32, Class::Public),   // TURN anycast, RFC 8155
    (v4(192, 0, 0, 0), 24, Class::Reserved),  // IETF protocol assignments, RFC 6890 §2.1
    (v4(192, 0, 2, 0), 24, Class::Private),   // TEST-NET-1, RFC 5737
    (v4(192, 88, 99, 0), 24, Class::Reserved), // 6to4 relays, withdrawn by RFC 7526
    (v4(192, 168, 0, 0), 16, Class::Private), // RFC 1918
    (v4(198, 18, 0, 0), 15, Class::Private),  // benchmarks, RFC 2544
    (v4(198, 51, 100, 0), 24, Class::Private), // TEST-NET-2, RFC 5737
    (v4(203, 0, 113, 0), 24, Class::Private), // TEST-NET-3, RFC 5737
    (v4(224, 0, 0, 0), 4, Class::Multicast),  // RFC 5771
    (v4(255, 255, 255, 255), 32, Class::Broadcast), // RFC 919, RFC 8190
    (v4(240, 0, 0, 0), 4, Class::Reserved),   // RFC 1112 §4
    // What remains of the unicast space, 1.0.0.0 to 223.255.255.255, among it AS112 (RFC 7534, 7535) and AMT
    // (RFC 7450), which are reachable by design.
    (v4(0, 0, 0, 0), 1, Class::Public),
    (v4(128, 0, 0, 0), 2, Class::Public),
    (v4(192, 0, 0, 0), 3, Class::Public),
];

/// IPv6 without embedded IPv4, first line that fits. IANA IPv6 Special-Purpose Address Registry (RFC 6890), RFC 4291.
const V6: &[(Ipv6Addr, u32, Class)] = &[
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 1]), 128, Class::Public), // PCP anycast, RFC 7723
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 2]), 128, Class::Public), // TURN anycast, RFC 8155
    (v6([0x2001, 1, 0, 0, 0, 0, 0, 3]), 128, Class::Public), // DNS-SD SRP anycast, RFC 9665
    (v6([0x2001, 3, 0, 0, 0, 0, 0, 0]), 32, Class::Public),  // AMT, RFC 7450
    (v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0]), 48, Class::Public), // AS112, RFC 7535
    (v6([0x2001, 2, 0, 0, 0, 0, 0, 0]), 48, Class::Private), // benchmarks, RFC 5180
    // The rest of the IETF's: ORCHID (RFC 4843, 7343), DRIP (RFC 9374).
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0]), 23, Class::Reserved), // RFC 2928
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0]), 32, Class::Private), // documentation, RFC 3849
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0]), 20, Class::Private),  // documentation, RFC 9637
    (v6([0x2000, 0, 0, 0, 0, 0, 0, 0]), 3, Class::Public),    // global unicast, RFC 4291 §2.5.4
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0]), 7, Class::Ula),       // RFC 4193
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0]), 10, Class::LinkLocal), // RFC 4291 §2.5.6
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0]), 8, Class::Multicast), // RFC 4291 §2.7
                                                              // Named by no line and so reserved: discard (100::/64, RFC 6666), dummy (100:0:0:1::/64, RFC 9780), segment
                                                              // routing (5f00::/16, RFC 9602), site-local (fec0::/10, RFC 3879), and all that is unassigned.
];

#[cfg(test)]
mod tests;
