//! Told by the kernel when a TCP socket of this network namespace is gone (SKNLGRP_INET_TCP_DESTROY and its twin for
//! IPv6, linux/sock_diag.h). Needs no privilege.
//!
//! One notice comes for each socket that a process had (or would have had from accept), when the kernel frees it: the last
//! descriptor is closed, and the connection needs it no more. It comes a moment later, not before close returns. Found by
//! trying, on Linux 6.18:
//!
//! | what happened | notice |
//! |---|---|
//! | closed first: now in FIN_WAIT_2 or TIME_WAIT | at once: what waits there is another, smaller socket without counters |
//! | FIN_WAIT_2 or TIME_WAIT is over | none |
//! | closed last (CLOSE_WAIT, LAST_ACK) | when the peer has acknowledged the FIN |
//! | closed with bytes the peer has no room for (FIN_WAIT_1, CLOSING, LAST_ACK) | when they are delivered, or given up |
//! | closed with unread bytes, or SO_LINGER 0 (RST sent) | at once; after SO_LINGER 0 see [`Gone::local`] |
//! | RST received, timed out, connection refused | at close, not before |
//! | SYN_SENT given up by close | at once |
//! | a listener closed | one for it, and one for each connection nobody accepted |
//! | SYN_RECEIVED ended | none: there was only a request |
//! | one of several descriptors closed (dup, fork) | none until the last |

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    os::fd::{AsRawFd as _, OwnedFd},
    sync::Arc,
};

use nix::{
    errno::Errno,
    sys::socket::{NetlinkAddr, SockFlag, bind, getsockname, setsockopt, sockopt},
};
use tokio::io::unix::AsyncFd;

use super::{
    diag::{messages, open, receive, report},
    info::{Queues, TcpInfo},
};
use crate::sys::readable;

/// Bytes asked for notices that wait; the kernel grants what `net.core.rmem_max` allows and counts about 1,000 for each.
/// When it is full the kernel drops the next ones and [`Notice::Missed`] says so.
const BUFFER: usize = 4 << 20;

/// How long one notice may be, in bytes; this kernel's have 384.
const NOTICE: usize = 4096;

/// SKNLGRP_INET_TCP_DESTROY is group 1, SKNLGRP_INET6_TCP_DESTROY group 3.
const GROUPS: u32 = 1 << 0 | 1 << 2;

/// What the kernel told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A socket is gone.
    Gone(Box<Gone>),
    /// There was no room for some: whoever waits for one asks for its socket by its ends.
    Missed,
}

/// A socket that is gone, as it last was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// Its own end. Mapped addresses are said as IPv4. After SO_LINGER 0, or for a listener's unaccepted connections,
    /// the address may be unspecified: then only the cookie tells.
    pub local: SocketAddr,
    /// The other end; the same holds, and its port may be 0.
    pub remote: SocketAddr,
    /// What told it from every other socket ([`super::diag::Seen::cookie`]).
    pub cookie: u64,
    /// Its counters at the end. The state is CLOSED, whichever it was in.
    pub info: Option<TcpInfo>,
    /// What lay in its queues.
    pub queues: Queues,
}

/// Notices of TCP sockets that are gone: of every program's in this network namespace.
#[derive(Debug)]
pub struct Destroyed {
    socket: AsyncFd<Arc<OwnedFd>>,
    buffer: Vec<u8>,
    /// Notices that came in one datagram with the one that was returned; the kernel sends one in each.
    waiting: VecDeque<Gone>,
}

/// Whether notices are sent. While nobody subscribes to them, the kernel does not even write them.
#[derive(Debug)]
pub struct Subscription {
    socket: Arc<OwnedFd>,
    port: u32,
}

impl Subscription {
    /// Subscribes: sockets that go from now on are told. Or lets it be.
    ///
    /// # Errors
    /// What bind(2) says.
    pub fn set(&self, wanted: bool) -> io::Result<()> {
        // To bind again is to choose groups anew (netlink(7)); the kernel's older groups are a field of the address.
        bind(self.socket.as_raw_fd(), &NetlinkAddr::new(self.port, if wanted { GROUPS } else { 0 }))?;
        Ok(())
    }
}

impl Destroyed {
    /// Opens it; who wants notices subscribes. Call it within a tokio runtime.
    ///
    /// # Errors
    /// What socket(2), bind(2) and getsockname(2) say.
    pub fn open() -> io::Result<(Self, Subscription)> {
        let socket = Arc::new(open(SockFlag::empty())?);
        if let Err(errno) = setsockopt(&socket, sockopt::RcvBuf, &BUFFER) {
            tracing::debug!(%errno, "SO_RCVBUF is not to be had");
        }
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        let port = getsockname::<NetlinkAddr>(socket.as_raw_fd())?.pid();
        let subscription = Subscription { socket: Arc::clone(&socket), port };
        let destroyed = Self { socket: readable(socket)?, buffer: vec![0; NOTICE], waiting: VecDeque::new() };
        Ok((destroyed, subscription))
    }

    /// Waits for the next. Cancel-safe.
    ///
    /// # Errors
    /// What recv(2) says, other than that some were dropped.
    pub async fn next(&mut self) -> io::Result<Notice> {
        loop {
            if let Some(gone) = self.waiting.pop_front() {
                return Ok(Notice::Gone(Box::new(gone)));
            }
            let mut ready = self.socket.readable().await?;
            match receive(self.socket.get_ref(), &mut self.buffer) {
                Ok(bytes) => self.waiting.extend(gone(bytes)),
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::ENOBUFS) => return Ok(Notice::Missed),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// The sockets a datagram tells of; what cannot be read is skipped.
pub(super) fn gone(bytes: &[u8]) -> impl Iterator<Item = Gone> {
    messages(bytes).filter_map(|message| {
        let seen = report(message.payload)?;
        let queues = Queues { receive: seen.receive_queue, send: seen.send_queue };
        Some(Gone { local: seen.local, remote: seen.remote, cookie: seen.cookie, info: seen.info, queues })
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "connections on loopback that end in every way")]
mod tests {
    use std::{
        fs,
        io::{Read as _, Write as _},
        net::{SocketAddr, TcpListener, TcpStream},
        os::fd::{AsRawFd as _, OwnedFd},
        time::{Duration, Instant},
    };

    use nix::sys::socket::{MsgFlags, NetlinkAddr, SockFlag, setsockopt, sockopt};
    use proptest::prelude::*;
    use socket2::SockRef;
    use tokio::time::timeout;

    use super::{BUFFER, Destroyed, Gone, Notice, gone};
    use crate::kernel::{
        diag::{Diag, open},
        state::Protocol,
        state::TcpState,
    };

    fn subscribed() -> Destroyed {
        let (destroyed, subscription) = Destroyed::open().expect("no privilege is needed");
        subscription.set(true).expect("no privilege is needed");
        destroyed
    }

    /// The two ends of a connection, and its listener.
    struct Pair {
        listener: TcpListener,
        near: TcpStream,
        far: TcpStream,
    }

    fn pair(host: &str) -> Pair {
        let listener = TcpListener::bind((host, 0)).expect("a free port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (far, _) = listener.accept().expect("it connected");
        Pair { listener, near, far }
    }

    fn cookie(stream: &TcpStream) -> u64 {
        SockRef::from(stream).cookie().expect("SO_COOKIE")
    }

    /// The notices up to that of one socket, which is the last; whatever else goes on here is among them.
    async fn notices(destroyed: &mut Destroyed, cookie: u64) -> Vec<Gone> {
        let mut told: Vec<Gone> = Vec::new();
        let found = async {
            while told.last().is_none_or(|gone| gone.cookie != cookie) {
                match destroyed.next().await.expect("notices") {
                    Notice::Gone(gone) => told.push(*gone),
                    Notice::Missed => panic!("there was room"),
                }
            }
        };
        timeout(Duration::from_secs(10), found).await.expect("the kernel tells");
        told
    }

    async fn notice(destroyed: &mut Destroyed, cookie: u64) -> Gone {
        notices(destroyed, cookie).await.pop().expect("the last")
    }

    /// How many messages the kernel dropped for a netlink socket: the last column but one, before its inode.
    fn dropped(socket: &OwnedFd) -> u64 {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).expect("it is open");
        let inode = link.to_str().expect("ASCII").trim_matches(|c: char| !c.is_ascii_digit()).to_owned();
        let table = fs::read_to_string("/proc/net/netlink").expect("readable");
        let words = table.lines().map(|line| line.split_whitespace().rev());
        let mut drops = words.filter_map(|mut words| (words.next()? == inode).then(|| words.next())?);
        drops.next().expect("it is listed").parse().expect("a number")
    }

    fn canonical(address: SocketAddr) -> SocketAddr {
        SocketAddr::new(address.ip().to_canonical(), address.port())
    }

    #[tokio::test]
    async fn both_ends_are_told_with_their_counters() {
        for host in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            let mut destroyed = subscribed();
            let Pair { listener: _listener, mut near, mut far } = pair(host);
            near.write_all(b"ping!").expect("written");
            far.read_exact(&mut [0; 5]).expect("it arrives");
            let ends = [near.local_addr(), near.peer_addr()].map(|end| canonical(end.expect("connected")));
            let (first, second) = (cookie(&near), cookie(&far));
            drop(near);
            let told = notice(&mut destroyed, first).await;
            assert_eq!([told.local, told.remote], ends, "FIN_WAIT_2 begins with it");
            let info = told.info.expect("counters");
            assert_eq!((info.state, info.bytes_sent), (Some(TcpState::Closed), 5));
            let diag = Diag::open().expect("no privilege is needed");
            let seen = diag.query(Protocol::Tcp, ends[0], ends[1]).expect("asked").expect("it waits");
            assert_eq!((seen.state, seen.cookie), (TcpState::FinWait2, first));
            drop(far);
            let told = notice(&mut destroyed, second).await;
            assert_eq!([told.remote, told.local], ends);
            assert_eq!(told.info.expect("counters").bytes_received, 6, "five, and the FIN");
        }
    }

    #[tokio::test]
    async fn a_socket_is_gone_when_it_is_closed_and_needed_no_more() {
        let mut destroyed = subscribed();
        let Pair { listener, near, far } = pair("127.0.0.1");
        let (first, second) = (cookie(&near), cookie(&far));
        let twin = near.try_clone().expect("dup(2)");
        drop(near);
        // It sends a RST: nobody but the other side learns of that yet.
        SockRef::from(&far).set_linger(Some(Duration::ZERO)).expect("set");
        drop(far);
        let told = notices(&mut destroyed, second).await;
        assert!(told.iter().all(|gone| gone.cookie != first), "it has another descriptor");
        assert_eq!(told.last().expect("the last").remote.port(), 0, "SO_LINGER 0 forgets the other end");
        drop(twin);
        notice(&mut destroyed, first).await;
        let unaccepted = TcpStream::connect(listener.local_addr().expect("bound"));
        let unaccepted = unaccepted.expect("it listens");
        let diag = Diag::open().expect("no privilege is needed");
        let (local, remote) =
            (listener.local_addr().expect("bound"), unaccepted.local_addr().expect("bound"));
        let queued = diag.query(Protocol::Tcp, local, remote).expect("asked").expect("it waits for accept");
        drop(listener);
        notice(&mut destroyed, queued.cookie).await;
        let last = cookie(&unaccepted);
        drop(unaccepted);
        assert_eq!(notice(&mut destroyed, last).await.local, remote);
    }

    #[tokio::test]
    async fn only_who_subscribes_is_told() {
        let (mut destroyed, subscription) = Destroyed::open().expect("no privilege is needed");
        let mut witness = subscribed();
        let mut cookies = Vec::new();
        for wanted in [false, true, false, true] {
            subscription.set(wanted).expect("no privilege is needed");
            let Pair { listener: _listener, near, far: _far } = pair("127.0.0.1");
            cookies.push(cookie(&near));
            drop(near);
            // All who subscribe are told at once.
            notice(&mut witness, cookies[cookies.len() - 1]).await;
        }
        let told: Vec<_> = notices(&mut destroyed, cookies[3]).await.iter().map(|gone| gone.cookie).collect();
        let heard: Vec<_> = cookies.iter().map(|cookie| told.contains(cookie)).collect();
        assert_eq!(heard, [false, true, false, true]);
    }

    #[tokio::test]
    async fn notices_without_room_are_told_as_missed() {
        let mut destroyed = subscribed();
        setsockopt(destroyed.socket.get_ref(), sockopt::RcvBuf, &2048).expect("a small buffer");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let deadline = Instant::now() + Duration::from_secs(10);
        while dropped(destroyed.socket.get_ref()) == 0 {
            assert!(Instant::now() < deadline, "there is room without end");
            let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
            // No TIME_WAIT for whoever runs these tests.
            SockRef::from(&near).set_linger(Some(Duration::ZERO)).expect("set");
            drop(near);
            drop(listener.accept().expect("it connected"));
        }
        let missed = async { while destroyed.next().await.expect("notices") != Notice::Missed {} };
        timeout(Duration::from_secs(10), missed).await.expect("said");
        // And goes on.
        setsockopt(destroyed.socket.get_ref(), sockopt::RcvBuf, &BUFFER).expect("a large one");
        let Pair { listener: _listener, near, far: _far } = pair("127.0.0.1");
        let wanted = cookie(&near);
        drop(near);
        let found = async {
            loop {
                if matches!(destroyed.next().await.expect("notices"), Notice::Gone(gone) if gone.cookie == wanted)
                {
                    break;
                }
            }
        };
        timeout(Duration::from_secs(10), found).await.expect("told");
    }

    #[tokio::test]
    async fn nobody_but_the_kernel_is_listened_to() {
        let mut destroyed = subscribed();
        let port = nix::sys::socket::getsockname::<NetlinkAddr>(destroyed.socket.get_ref().as_raw_fd());
        let liar: OwnedFd = open(SockFlag::empty()).expect("a socket");
        let port = NetlinkAddr::new(port.expect("bound").pid(), 0);
        // A notice like the kernel's: of an IPv4 socket, closed, with this cookie.
        const LIE: u64 = 0xffff_ffff_ffff_0000;
        let mut lie = [0; 16 + 72];
        lie[..4].copy_from_slice(&88_u32.to_ne_bytes());
        lie[4] = 20;
        lie[16..18].copy_from_slice(&[2, 7]);
        lie[60..68].copy_from_slice(&LIE.to_ne_bytes());
        assert_eq!(gone(&lie).map(|gone| gone.cookie).collect::<Vec<_>>(), [LIE]);
        // Only with CAP_NET_ADMIN may it be sent at all.
        let sent = nix::sys::socket::sendto(liar.as_raw_fd(), &lie, &port, MsgFlags::empty());
        let Pair { listener: _listener, near, far: _far } = pair("127.0.0.1");
        let wanted = cookie(&near);
        drop(near);
        let told = notices(&mut destroyed, wanted).await;
        assert!(told.iter().all(|gone| gone.cookie != LIE));
        assert!(matches!(sent, Ok(88) | Err(nix::errno::Errno::EPERM)), "{sent:?}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = gone(&bytes).count();
        }
    }
}
