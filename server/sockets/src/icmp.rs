//! ICMP errors about datagrams that were sent, as the kernel queues them for their socket (IP_RECVERR, ip(7)).
//!
//! The kernel tells of each in two ways: the next call on the socket fails with its errno, and the error queue has the
//! message. Here both become one fact.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::AsRawFd as _,
    time::Duration,
};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
    sockopt::{Ipv4RecvErr, Ipv6RecvErr},
};
use tokio::{net::UdpSocket, time::Instant};

use crate::{
    arrival::{Control, address_of},
    errno::Errno,
    fact::Icmp,
};

/// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6` of linux/errqueue.h. Others are our own calls' errors, which those have
/// returned already.
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;

/// The kernel queues an error first and has the next call fail with it a moment later: whoever is quick takes it from the
/// queue before. A failure without a message this soon after a message with the same errno is that one.
const ECHO: Duration = Duration::from_millis(10);

/// An error a datagram met on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Met {
    pub(crate) errno: Errno,
    /// The ICMP error; `None` where the kernel had no room for it in its queue (it shares SO_RCVBUF).
    pub(crate) icmp: Option<Icmp>,
    /// Where the datagram went.
    pub(crate) remote: Option<SocketAddr>,
}

/// The error queue of one socket.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    /// The message taken last, unless a call has failed with it since.
    last: Option<(Instant, Errno)>,
}

impl Errors {
    /// Has the kernel keep errors from now on. Over IPv6 those of IPv4 too, for mapped addresses.
    pub(crate) fn of(socket: &UdpSocket) -> Self {
        let ipv6 = socket.local_addr().is_ok_and(|local| local.is_ipv6());
        let six = if ipv6 { setsockopt(socket, Ipv6RecvErr, &true) } else { Ok(()) };
        if let Err(errno) = six.and(setsockopt(socket, Ipv4RecvErr, &true)) {
            tracing::debug!(%errno, "IP_RECVERR is not to be had");
        }
        Self::default()
    }

    /// The next one in the queue.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub(crate) fn next(&mut self, socket: &UdpSocket) -> io::Result<Met> {
        loop {
            if let Some(met) = take(socket)? {
                self.last = Some((Instant::now(), met.errno));
                return Ok(met);
            }
        }
    }

    /// Whether a failure without a message is one that was told with it.
    pub(crate) fn is_echo(&mut self, errno: Errno) -> bool {
        self.last.take_if(|(at, last)| *last == errno && at.elapsed() < ECHO).is_some()
    }
}

/// Takes the first message of the queue; `None` where it is no ICMP error.
fn take(socket: &UdpSocket) -> io::Result<Option<Met>> {
    let mut control = Control::default();
    // What is left of the datagram is not asked for: the log has it.
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut [],
        Some(&mut control.0),
        MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_ERRQUEUE,
    )?;
    let remote = message.address.as_ref().and_then(address_of);
    Ok(message.cmsgs()?.find_map(|control| {
        let (error, from) = match control {
            ControlMessageOwned::Ipv4RecvErr(error, from) => {
                (error, from.map(|from| IpAddr::from(Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr)))))
            }
            ControlMessageOwned::Ipv6RecvErr(error, from) => {
                (error, from.map(|from| IpAddr::from(from.sin6_addr.s6_addr)))
            }
            _ => return None,
        };
        let from = from.map(|from| from.to_canonical()).filter(|from| !from.is_unspecified());
        matches!(error.ee_origin, ORIGIN_ICMP | ORIGIN_ICMP6).then(|| Met {
            errno: Errno::from(&io::Error::from_raw_os_error(error.ee_errno.cast_signed())),
            icmp: Some(Icmp { kind: error.ee_type, code: error.ee_code, from }),
            remote,
        })
    }))
}
