//! Which addresses are this host.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc::{self, AF_INET, AF_INET6, NLMSG_ERROR, RTM_GETROUTE, RTM_NEWROUTE, RTN_ANYCAST, RTN_LOCAL};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use super::class::{Class, classify};
use super::embed::unmap;

/// Whether the kernel would deliver to this host what is sent to the address. The port does not matter.
///
/// The kernel itself is asked for its route, as `ip route get` does. A list of interface addresses would miss what only
/// the routing table knows (`ip route add local 10.9.0.0/16 dev lo` makes 65,536 addresses this host), and so would an
/// attempt to bind: it goes by the table for IPv4 and by the interfaces for IPv6. An answer that is not understood
/// counts as yes, because the question is only asked in order to refuse.
#[must_use]
pub fn is_this_host(address: SocketAddr) -> bool {
    let ip = unmap(address.ip());
    if matches!(classify(ip), Class::Loopback | Class::Unspecified) {
        return true;
    }
    let zone = match address {
        SocketAddr::V6(v6) => v6.scope_id(),
        SocketAddr::V4(_) => 0,
    };
    match route(ip, zone) {
        Ok(kind) => kind == RTN_LOCAL || kind == RTN_ANYCAST,
        // No way leads there, or there is no IPv6 at all: then none leads here.
        Err(error) => !matches!(
            error,
            Errno::ENETUNREACH
                | Errno::EHOSTUNREACH
                | Errno::EACCES
                | Errno::ENODEV
                | Errno::EOPNOTSUPP
                | Errno::EAFNOSUPPORT
        ),
    }
}

/// The length of `struct nlmsghdr`, of `struct rtmsg`, and where that keeps the type of the route.
const HEADER: usize = 16;
const ROUTE: usize = 12;
const ROUTE_TYPE: usize = HEADER + 7;

/// The type (RTN_…) of the route to an address, rtnetlink(7). A zone matters to link-local addresses only.
fn route(ip: IpAddr, zone: u32) -> Result<u8, Errno> {
    let (family, octets) = match ip {
        IpAddr::V4(v4) => (AF_INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (AF_INET6, v6.octets().to_vec()),
    };
    let zone = if classify(ip) == Class::LinkLocal { zone } else { 0 };
    let question = question(family as u8, &octets, zone);
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkRoute,
    )?;
    sendto(netlink.as_raw_fd(), &question, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    // The kernel has answered by the time sendto returns.
    let mut answer = [0; 4096];
    let len = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    let answer = &answer[..len];
    let number =
        |at: usize| answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    let kind = answer.get(4..6).map(|bytes| u16::from_ne_bytes([bytes[0], bytes[1]]));
    match (kind, number(HEADER), answer.get(ROUTE_TYPE)) {
        (Some(RTM_NEWROUTE), _, Some(&kind)) => Ok(kind),
        (Some(kind), Some(error), _) if i32::from(kind) == NLMSG_ERROR => Err(Errno::from_raw(-error)),
        _ => Err(Errno::EBADMSG),
    }
}

/// RTM_GETROUTE for one address: the two headers, the destination, and the interface where it is given.
fn question(family: u8, octets: &[u8], zone: u32) -> Vec<u8> {
    let mut attributes = attribute(libc::RTA_DST, octets);
    if zone != 0 {
        attributes.extend(attribute(libc::RTA_OIF, &zone.to_ne_bytes()));
    }
    let len = u32::try_from(HEADER + ROUTE + attributes.len()).unwrap_or(u32::MAX);
    let flags = libc::NLM_F_REQUEST as u16;
    let bits = (octets.len() * 8) as u8;
    let mut message = Vec::with_capacity(64);
    message.extend(len.to_ne_bytes());
    message.extend(RTM_GETROUTE.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]); // sequence and port: one question, one answer
    message.extend([family, bits, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    message.extend(attributes);
    message
}

/// `struct rtattr` with its value, whose length is a multiple of four.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let len = (4 + value.len()) as u16;
    [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
}
