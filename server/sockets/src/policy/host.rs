//! Which addresses are this host.

use std::net::{IpAddr, SocketAddr};

use nix::errno::Errno;
use socket2::{Domain, Socket, Type};

use super::class::{Class, classify};
use super::embed::unmap;

/// Whether the kernel would deliver to this host what is sent to the address. The port does not matter.
///
/// The kernel itself is asked, by binding a fresh socket to the address and port 0: it refuses with EADDRNOTAVAIL
/// what is not its own. A list of interface addresses would miss what only the routing table knows (`ip route add
/// local 10.9.0.0/16 dev lo` makes 65,536 addresses this host). Where there is no IPv6 at all, none of its addresses
/// is ours. Any other answer counts as yes, because the question is only asked in order to refuse.
#[must_use]
pub fn is_this_host(address: SocketAddr) -> bool {
    let ip = unmap(address.ip());
    if matches!(classify(ip), Class::Loopback | Class::Unspecified) {
        return true;
    }
    let mut probe = address;
    probe.set_ip(ip);
    probe.set_port(0);
    !matches!(bind_nowhere(probe), Err(Errno::EADDRNOTAVAIL | Errno::EAFNOSUPPORT))
}

/// Binds a socket that is never used and closed at once. It is neither connected nor sent from, so no policy applies.
#[expect(clippy::disallowed_methods, reason = "asks the kernel whose address it is, to be able to refuse it")]
fn bind_nowhere(address: SocketAddr) -> Result<(), Errno> {
    let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or_default());
    let domain = match address.ip() {
        IpAddr::V4(_) => Domain::IPV4,
        IpAddr::V6(_) => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::STREAM, None).map_err(errno)?;
    socket.bind(&address.into()).map_err(errno)
}
