//! Datagram sockets that are not connected: whose a datagram is.

use std::net::IpAddr;

use sockscope_wire::SocketId;

/// An unconnected datagram socket.
pub(super) struct Bound {
    pub(super) socket: SocketId,
    pub(super) ip: IpAddr,
    pub(super) open: bool,
}

impl Bound {
    /// Whether it takes what comes to that address, or sends from there. One bound to `::` has IPv4, too.
    pub(super) fn takes(&self, address: IpAddr) -> bool {
        self.ip == address || self.ip.is_unspecified() && (self.ip.is_ipv6() || address.is_ipv4())
    }

    /// Of several that may, the kernel prefers the one that is bound more closely; one that is closed has none any more.
    pub(super) fn preference(&self) -> impl Ord + use<> {
        (self.open, !self.ip.is_unspecified(), self.ip.is_ipv4(), self.socket)
    }
}
