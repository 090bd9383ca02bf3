//! A datagram and how it came, in one recvmsg(2).

use std::{io, net::SocketAddr, os::fd::AsRawFd as _, sync::Arc, time::Duration};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
    sockopt::{Ipv4PacketInfo, Ipv4RecvTtl, Ipv6RecvHopLimit, Ipv6RecvPacketInfo, ReceiveTimestampns},
};
use socket2::{Domain, SockRef};
use tokio::{io::Interest, net::UdpSocket, time::Instant};

use crate::{
    fact::{Chunk, Peer, Place},
    kernel::{clocks::Clocks, interfaces::Names},
};

/// For how long what the wall clock differs by from the other is believed: slewed as fast as it may be (500 ppm, adjtimex(2)),
/// it is off by 5 µs then.
const CLOCKS_AGE: Duration = Duration::from_millis(10);

/// Room for what comes beside a datagram: drop counter, time, hops and interface of both families (176 bytes), or an error
/// with its sender (64 more, and less of the rest). Aligned as its headers are.
#[repr(align(8))]
pub(crate) struct Control(pub(crate) [u8; 256]);

impl Default for Control {
    fn default() -> Self {
        Self([0; 256])
    }
}

/// What one recvmsg(2) brought.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    /// How many bytes were handed over.
    pub len: usize,
    /// How long the datagram was.
    pub whole: usize,
    /// Who sent them.
    pub from: Option<SocketAddr>,
    /// The socket's drop counter (SO_RXQ_OVFL), once it has dropped any.
    pub overflow: Option<u32>,
    /// How many hops it had left.
    ttl: Option<u8>,
    /// The index of the interface it came by.
    interface: Option<u32>,
    /// When the kernel had it, by the wall clock.
    at: Option<Duration>,
}

/// Has the kernel say how datagrams come: from the first on, so before the socket is bound. One that cannot say so leaves it
/// out.
pub(crate) fn ask(socket: &SockRef<'_>) {
    let mut asked = vec![
        ("SO_TIMESTAMPNS", setsockopt(&**socket, ReceiveTimestampns, &true)),
        // Over IPv6 as well: IPv4 comes with mapped addresses.
        ("IP_RECVTTL", setsockopt(&**socket, Ipv4RecvTtl, &true)),
    ];
    if socket.domain().is_ok_and(|domain| domain == Domain::IPV6) {
        asked.push(("IPV6_RECVHOPLIMIT", setsockopt(&**socket, Ipv6RecvHopLimit, &true)));
        asked.push(("IPV6_RECVPKTINFO", setsockopt(&**socket, Ipv6RecvPacketInfo, &true)));
    } else {
        asked.push(("IP_PKTINFO", setsockopt(&**socket, Ipv4PacketInfo, &true)));
    }
    for (option, result) in asked {
        if let Err(errno) = result {
            tracing::debug!(option, %errno, "how datagrams come is not to be had");
        }
    }
}

/// What one socket's datagrams have in common.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// The sender of the latest, with the index of its interface: most come from the same one in the same way.
    last: Option<(Option<u32>, Arc<Peer>)>,
    names: Names,
    /// Both clocks, as read a moment ago.
    clocks: Option<Clocks>,
}

impl Arrivals {
    /// What to record of a datagram that was received at that moment.
    ///
    /// # Panics
    /// Never: a datagram is at most 64 KiB.
    pub fn chunk(&mut self, message: &Message, received: Instant) -> Chunk {
        let Message { len, whole, from, overflow: _, ttl, interface, at } = *message;
        let size = |len: usize| u32::try_from(len).expect("a datagram is at most 64 KiB");
        let place = at.map_or(Place::Nowhere, |at| {
            let fresh = self.clocks.filter(|clocks| clocks.age(received) < CLOCKS_AGE);
            let clocks = self.clocks.insert(fresh.unwrap_or_else(Clocks::read));
            Place::Arrived(clocks.instant_by(at, received))
        });
        let peer = from.map(|from| self.peer(from, ttl, interface));
        Chunk { len: size(len), cut: if whole > len { size(whole) } else { 0 }, place, peer }
    }

    fn peer(&mut self, address: SocketAddr, ttl: Option<u8>, interface: Option<u32>) -> Arc<Peer> {
        if let Some((by, last)) = &self.last
            && (last.address, last.ttl, *by) == (address, ttl, interface)
        {
            return Arc::clone(last);
        }
        let name = interface.map(|index| self.names.of(index));
        let peer = Arc::new(Peer { address, ttl, interface: name });
        self.last = Some((interface, Arc::clone(&peer)));
        peer
    }
}

/// Waits for a datagram.
///
/// # Errors
/// What recvmsg(2) says.
pub async fn receive_message(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Message> {
    socket.async_io(Interest::READABLE, || try_receive(socket, buffer)).await
}

pub(crate) fn try_receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Message> {
    let mut control = Control::default();
    let room = buffer.len();
    let mut slices = [io::IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut slices,
        Some(&mut control.0),
        // With MSG_TRUNC it says how long the datagram was, not how much of it there was room for.
        MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC,
    )?;
    let mut received = Message {
        len: message.bytes.min(room),
        whole: message.bytes,
        from: message.address.as_ref().and_then(address_of),
        overflow: None,
        ttl: None,
        interface: None,
        at: None,
    };
    for control in message.cmsgs()? {
        match control {
            ControlMessageOwned::RxqOvfl(count) => received.overflow = Some(count),
            ControlMessageOwned::ScmTimestampns(at) => received.at = Some(Duration::from(at)),
            ControlMessageOwned::Ipv4Ttl(hops) | ControlMessageOwned::Ipv6HopLimit(hops) => {
                received.ttl = u8::try_from(hops).ok();
            }
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                received.interface = u32::try_from(info.ipi_ifindex).ok().filter(|index| *index > 0);
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                received.interface = Some(info.ipi6_ifindex).filter(|index| *index > 0);
            }
            _ => {}
        }
    }
    Ok(received)
}

/// An address of a socket call, where it is one of the Internet's.
pub(crate) fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}
