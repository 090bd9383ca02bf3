//! Any socket of this network namespace, asked for by its addresses (NETLINK_SOCK_DIAG, sock_diag(7)). Needs no
//! privilege, no descriptor and no permission of its owner.
//!
//! Only exact queries are made. A dump would walk through everybody's sockets; an exact one costs the same among
//! 100,000 TIME_WAITs. The kernel answers within the send, so nothing here waits.
//!
//! The messages are encoded and read here, byte by byte: what `netlink-packet-sock-diag` 0.5 makes of an answer has lost
//! the time that TIME_WAIT still lasts, and one attribute it cannot read fails the whole answer.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::{AsRawFd, OwnedFd},
    sync::{Mutex, PoisonError},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recvfrom, send, socket,
    },
};

use super::{
    info::{TcpInfo, long, word},
    state::{Protocol, TcpState, Timer, TimerKind},
};

/// One question: which socket has these two ends?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ask {
    /// Its kind.
    pub protocol: Protocol,
    /// Its own end.
    pub local: SocketAddr,
    /// The other. Unspecified with port 0: a listener, or a UDP socket that is not connected, whichever the kernel would
    /// hand what arrives at `local`.
    pub remote: SocketAddr,
}

impl Ask {
    /// For whoever takes what comes to `local` from anybody: a listener, or an unconnected UDP socket. One bound to
    /// every address takes it too.
    #[must_use]
    pub fn taker(protocol: Protocol, local: SocketAddr) -> Self {
        let ip = match local.ip().to_canonical() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        Self { protocol, local, remote: SocketAddr::new(ip, 0) }
    }

    /// Whether the kernel's answer is about the socket that was asked for: once that is gone, it answers with the
    /// listener on its port, or with an unconnected UDP socket there.
    fn is_answered_by(&self, seen: &Seen) -> bool {
        let same = |asked: SocketAddr, said: SocketAddr| {
            asked.port() == said.port() && asked.ip().to_canonical() == said.ip()
        };
        if self.remote.port() == 0 && self.remote.ip().to_canonical().is_unspecified() {
            let nobody = seen.remote.port() == 0 && seen.remote.ip().is_unspecified();
            let everywhere = seen.local.port() == self.local.port() && seen.local.ip().is_unspecified();
            return nobody && (everywhere || same(self.local, seen.local));
        }
        same(self.local, seen.local) && same(self.remote, seen.remote)
    }
}

/// What the kernel says of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its own end. A mapped address (`::ffff:a.b.c.d`) is said as IPv4.
    pub local: SocketAddr,
    /// The other; unspecified with port 0 where there is none.
    pub remote: SocketAddr,
    /// The state. Of UDP: ESTABLISHED when it is connected, else CLOSED.
    pub state: TcpState,
    /// What tells this socket from every other one since boot; SO_COOKIE gives its owner the same. It stays the same from
    /// SYN_RECEIVED through TIME_WAIT.
    pub cookie: u64,
    /// The descriptor's inode, which names the process ([`super::owner::process_of`]); absent while no process holds one:
    /// not accepted yet, closed, TIME_WAIT.
    pub inode: Option<u32>,
    /// The user, absent where the inode is.
    pub uid: Option<u32>,
    /// The timer that runs.
    pub timer: Option<Timer>,
    /// Bytes received and unread, a FIN counting as one until its end of file was read. Of a listener: connections that wait
    /// for accept.
    pub receive_queue: u32,
    /// Bytes written and not acknowledged, SYN and FIN counting as one each. Of a listener: how many connections may wait;
    /// Linux lets one more.
    pub send_queue: u32,
    /// TCP's counters; absent of UDP, of a listener (it has none), of a request (SYN_RECEIVED) and of TIME_WAIT.
    pub info: Option<TcpInfo>,
    /// Packets dropped for want of room in the receive buffer; absent of a request and of TIME_WAIT.
    pub drops: Option<u32>,
}

/// An open NETLINK_SOCK_DIAG socket. Queries are quick enough for an async task (some µs) and never block, save for
/// another thread's query on the same socket.
pub struct Diag {
    socket: OwnedFd,
    exchange: Mutex<Exchange>,
}

impl fmt::Debug for Diag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diag").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// What one exchange at a time works with.
struct Exchange {
    /// The sequence number of the last request; wraps. Answers carry it.
    seq: u32,
    requests: Vec<u8>,
    answer: Vec<u8>,
}

/// How long an answer may be, in bytes; this kernel's have about 600. What is beyond is lost, and such an answer refused.
const ANSWER: usize = 4096;

/// How many requests go in one send. Their answers wait in the socket's receive buffer, 212,992 bytes by default, about
/// 2,300 each: were it full, the kernel would drop some and say ENOBUFS.
const BATCH: usize = 32;

/// Lengths of `nlmsghdr`, `inet_diag_req_v2` and `inet_diag_msg`.
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;
const REPORT: usize = 72;

/// linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h.
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_SKMEMINFO: u16 = 7;
const SK_MEMINFO_DROPS: usize = 8;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

impl Diag {
    /// Opens one.
    ///
    /// # Errors
    /// What socket(2) says; `ENOENT` where the kernel cannot tell of TCP sockets (no `tcp_diag`).
    pub fn open() -> io::Result<Self> {
        let socket = open(SockFlag::empty())?;
        let requests = Vec::with_capacity(BATCH * REQUEST);
        let diag =
            Self { socket, exchange: Mutex::new(Exchange { seq: 0, requests, answer: vec![0; ANSWER] }) };
        diag.probe()?;
        Ok(diag)
    }

    /// Asks for one socket by its two ends: none where there is no such socket (any more). Mapped addresses and IPv4 are
    /// the same. A link-local address needs its scope id.
    ///
    /// # Errors
    /// What send(2), recv(2) and the kernel say, other than that there is no such socket.
    pub fn query(
        &self,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<Option<Seen>> {
        let mut seen = None;
        self.ask(&[Ask { protocol, local, remote }], |answer| seen = answer)?;
        Ok(seen)
    }

    /// Asks who would take a TCP connection to this address. Of several that share it (SO_REUSEPORT), one.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn listener(&self, local: SocketAddr) -> io::Result<Option<Seen>> {
        let mut seen = None;
        self.ask(&[Ask::taker(Protocol::Tcp, local)], |answer| seen = answer)?;
        Ok(seen.filter(|seen| seen.state == TcpState::Listen))
    }

    /// Asks for many sockets, with one send for every 32; answers come in the order of the questions. Takes less time
    /// than asking one by one.
    ///
    /// # Errors
    /// As [`Self::query`]; the first ends it.
    pub fn query_all(&self, asks: &[Ask]) -> io::Result<Vec<Option<Seen>>> {
        let mut seen = Vec::with_capacity(asks.len());
        self.ask(asks, |answer| seen.push(answer))?;
        Ok(seen)
    }

    fn ask(&self, asks: &[Ask], mut each: impl FnMut(Option<Seen>)) -> io::Result<()> {
        // What a panic left behind is bytes that are overwritten, and answers that a later exchange skips by their seq.
        let mut exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        for batch in asks.chunks(BATCH) {
            let first = exchange.seq.wrapping_add(1);
            exchange.requests.clear();
            for ask in batch {
                exchange.seq = exchange.seq.wrapping_add(1);
                let seq = exchange.seq;
                request(&mut exchange.requests, seq, NLM_F_REQUEST, ask, u32::MAX);
            }
            send(self.socket.as_raw_fd(), &exchange.requests, MsgFlags::empty())?;
            for (seq, ask) in (0..).map(|n| first.wrapping_add(n)).zip(batch) {
                let seen = match self.answer(&mut exchange.answer, seq)? {
                    Answer::Report(seen) => seen.filter(|seen| ask.is_answered_by(seen)),
                    Answer::Said(Errno::ENOENT) => None,
                    Answer::Said(errno) => return Err(errno.into()),
                };
                each(seen);
            }
        }
        Ok(())
    }

    /// Whether this kernel tells of TCP sockets: without `tcp_diag` it says ENOENT, as it does of a socket that is not
    /// there. So it is asked for a dump of the sockets in no state.
    fn probe(&self) -> io::Result<()> {
        let mut exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        exchange.seq = exchange.seq.wrapping_add(1);
        let seq = exchange.seq;
        exchange.requests.clear();
        let ask = Ask { protocol: Protocol::Tcp, local: nowhere, remote: nowhere };
        request(&mut exchange.requests, seq, NLM_F_REQUEST | NLM_F_DUMP, &ask, 0);
        send(self.socket.as_raw_fd(), &exchange.requests, MsgFlags::empty())?;
        loop {
            match self.answer(&mut exchange.answer, seq)? {
                Answer::Report(_) => {}
                Answer::Said(errno) if errno as i32 == 0 => return Ok(()),
                Answer::Said(errno) => return Err(errno.into()),
            }
        }
    }

    /// Takes the answer to one request from the receive queue, where it already is. Answers to earlier requests, which an
    /// error left there, are skipped.
    fn answer(&self, buffer: &mut [u8], seq: u32) -> io::Result<Answer> {
        loop {
            let bytes = match receive(&self.socket, buffer) {
                Err(Errno::EAGAIN) => return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")),
                bytes => bytes?,
            };
            let Some(message) = messages(bytes).find(|message| message.seq == seq) else { continue };
            return Ok(match message.kind {
                SOCK_DIAG_BY_FAMILY => Answer::Report(report(message.payload)),
                NLMSG_ERROR | NLMSG_DONE => {
                    let said = word(message.payload, 0).map_or(0, |word| word.cast_signed().wrapping_neg());
                    Answer::Said(Errno::from_raw(said))
                }
                _ => continue,
            });
        }
    }
}

/// What came for a request.
#[expect(clippy::large_enum_variant, reason = "made and taken apart at once, 2,000 times a second")]
enum Answer {
    /// A socket; none where what was said of it cannot be read.
    Report(Option<Seen>),
    /// An errno, 0 when all went well.
    Said(Errno),
}

/// A NETLINK_SOCK_DIAG socket that never blocks.
pub(super) fn open(flags: SockFlag) -> nix::Result<OwnedFd> {
    socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        flags | SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkSockDiag,
    )
}

/// Takes what is next in the receive queue. Only the kernel is listened to (port 0): with CAP_NET_ADMIN others may write
/// to this socket.
pub(super) fn receive<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> nix::Result<&'a [u8]> {
    let len = loop {
        let (len, from) = match recvfrom::<NetlinkAddr>(socket.as_raw_fd(), buffer) {
            Err(Errno::EINTR) => continue,
            received => received?,
        };
        if from.is_none_or(|from| from.pid() == 0) {
            break len;
        }
    };
    Ok(&buffer[..len.min(buffer.len())])
}

/// Appends a request: `nlmsghdr` and `inet_diag_req_v2`, for a socket in one of some states.
fn request(out: &mut Vec<u8>, seq: u32, flags: u16, ask: &Ask, states: u32) {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    let (mut family, mut local, mut remote) = address_pair(ask.local.ip(), ask.remote.ip());
    let (mut port, mut remote_port) = (ask.local.port(), ask.remote.port());
    let protocol = match ask.protocol {
        Protocol::Tcp => TCP,
        Protocol::Udp => {
            // An exact query for UDP names the remote end first (net/ipv4/udp_diag.c: "for historical reasons").
            (local, remote) = (remote, local);
            (port, remote_port) = (remote_port, port);
            UDP
        }
    };
    if states == 0 {
        family = AF_INET;
    }
    let wanted = 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_SKMEMINFO - 1);
    let interface = scope(ask.local).or_else(|| scope(ask.remote)).unwrap_or(0);
    out.extend((REQUEST as u32).to_ne_bytes());
    out.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend(seq.to_ne_bytes());
    out.extend(0_u32.to_ne_bytes());
    out.extend([family, protocol, wanted, 0]);
    out.extend(states.to_ne_bytes());
    out.extend(port.to_be_bytes());
    out.extend(remote_port.to_be_bytes());
    out.extend(local);
    out.extend(remote);
    out.extend(interface.to_ne_bytes());
    // INET_DIAG_NOCOOKIE, twice.
    out.extend([0xff; 8]);
}

/// The family to ask in, and both addresses as it spells them. IPv4 finds mapped sockets too; two families at once
/// (one end unspecified) are asked as IPv6.
fn address_pair(local: IpAddr, remote: IpAddr) -> (u8, [u8; 16], [u8; 16]) {
    let v4 = |ip: Ipv4Addr| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&ip.octets());
        bytes
    };
    let v6 = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    match (local.to_canonical(), remote.to_canonical()) {
        (IpAddr::V4(local), IpAddr::V4(remote)) => (AF_INET, v4(local), v4(remote)),
        (IpAddr::V4(local), IpAddr::V6(remote)) if remote.is_unspecified() => {
            (AF_INET, v4(local), v4(Ipv4Addr::UNSPECIFIED))
        }
        (local, remote) => (AF_INET6, v6(local), v6(remote)),
    }
}

/// The interface a link-local address is of.
fn scope(address: SocketAddr) -> Option<u32> {
    match address {
        SocketAddr::V6(address) if address.scope_id() != 0 => Some(address.scope_id()),
        _ => None,
    }
}

/// One message of a datagram.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    seq: u32,
    pub(super) payload: &'a [u8],
}

/// The messages of a datagram. Ends at the first whose length is not that of one.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let len = usize::try_from(word(bytes, 0)?).ok()?;
        let payload = bytes.get(HEADER..len)?;
        let message = Message { kind: half(bytes, 4)?, seq: word(bytes, 8)?, payload };
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or(&[]);
        Some(message)
    })
}

/// Reads an `inet_diag_msg` and its attributes; unknown ones are skipped. None where it is too short or of a family or a
/// state that is not known.
pub(super) fn report(bytes: &[u8]) -> Option<Seen> {
    let (fixed, mut rest) = bytes.split_at_checked(REPORT)?;
    let state = TcpState::from_kernel(fixed[1])?;
    let interface = word(fixed, 40)?;
    let end = |port: usize, address: usize| -> Option<SocketAddr> {
        let port = u16::from_be_bytes(*fixed.get(port..)?.first_chunk()?);
        let octets: [u8; 16] = *fixed.get(address..)?.first_chunk()?;
        Some(match fixed[0] {
            AF_INET => SocketAddr::new(IpAddr::V4((*octets.first_chunk::<4>()?).into()), port),
            AF_INET6 => {
                let ip = Ipv6Addr::from(octets);
                match ip.to_ipv4_mapped() {
                    Some(ip) => SocketAddr::new(IpAddr::V4(ip), port),
                    None => {
                        let scope = if ip.is_unicast_link_local() { interface } else { 0 };
                        SocketAddrV6::new(ip, port, 0, scope).into()
                    }
                }
            }
            _ => return None,
        })
    };
    let inode = word(fixed, 68).filter(|&inode| inode != 0);
    let mut seen = Seen {
        local: end(4, 8)?,
        remote: end(6, 24)?,
        state,
        cookie: long(fixed, 44)?,
        inode,
        uid: inode.and(word(fixed, 64)),
        timer: timer(fixed[2], state, word(fixed, 52)?, fixed[3]),
        receive_queue: word(fixed, 56)?,
        send_queue: word(fixed, 60)?,
        info: None,
        drops: None,
    };
    // `rtattr`: length with these four bytes, kind, value, padding.
    while let (Some(len), Some(kind)) = (half(rest, 0), half(rest, 2)) {
        let len = usize::from(len);
        let Some(value) = rest.get(4..len) else { break };
        match kind {
            // A listener's says how full its queue is, in fields that mean something else.
            INET_DIAG_INFO if state != TcpState::Listen && !value.is_empty() => {
                seen.info = Some(TcpInfo::parse(value));
            }
            INET_DIAG_SKMEMINFO => seen.drops = word(value, SK_MEMINFO_DROPS * 4),
            _ => {}
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Some(seen)
}

/// What `idiag_timer`, `idiag_expires` and `idiag_retrans` say.
fn timer(kind: u8, state: TcpState, expires: u32, retransmits: u8) -> Option<Timer> {
    let kind = match kind {
        1 => TimerKind::Retransmit,
        2 => TimerKind::Keepalive,
        // A closed socket waits for the peer's FIN as a TIME_WAIT's small kind of socket: what ends is FIN_WAIT_2.
        3 if state == TcpState::FinWait2 => TimerKind::Keepalive,
        3 => TimerKind::TimeWait,
        4 => TimerKind::ZeroWindowProbe,
        _ => return None,
    };
    // One that is due and has not run yet may be said as a time before now.
    let expires_ms = if expires > i32::MAX as u32 { 0 } else { expires };
    Some(Timer { kind, expires_ms, retransmits })
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "sockets on loopback in every state there is")]
mod tests {
    use std::{
        fs,
        io::{Read as _, Write as _},
        net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket},
        os::fd::{AsRawFd as _, OwnedFd},
        thread,
        time::{Duration, Instant},
    };

    use nix::sys::socket::{MsgFlags, SockFlag, send};
    use proptest::prelude::*;
    use socket2::{Domain, SockRef, Socket, Type};

    use super::{Ask, BATCH, Diag, NLM_F_REQUEST, Protocol, Seen, messages, open, receive, report, request};
    use crate::{
        kernel::{
            info::TcpInfo,
            state::{TcpState, TimerKind},
        },
        sys,
    };

    /// A connection, its listener, and somebody to ask.
    struct Pair {
        diag: Diag,
        listener: TcpListener,
        near: TcpStream,
        far: TcpStream,
        local: SocketAddr,
        remote: SocketAddr,
    }

    impl Pair {
        fn on(host: &str) -> Self {
            let listener = TcpListener::bind((host, 0)).expect("a free port");
            let address = listener.local_addr().expect("bound");
            Self::to(listener, address)
        }

        fn to(listener: TcpListener, address: SocketAddr) -> Self {
            let near = TcpStream::connect(address).expect("it listens");
            let (far, _) = listener.accept().expect("it connected");
            let (local, remote) = (near.local_addr().expect("bound"), near.peer_addr().expect("connected"));
            Self { diag: diag(), listener, near, far, local, remote }
        }

        fn near(&self) -> Option<Seen> {
            self.diag.query(Protocol::Tcp, self.local, self.remote).expect("asked")
        }

        fn far(&self) -> Option<Seen> {
            self.diag.query(Protocol::Tcp, self.remote, self.local).expect("asked")
        }

        fn states(&self) -> (Option<TcpState>, Option<TcpState>) {
            (self.near().map(|seen| seen.state), self.far().map(|seen| seen.state))
        }

        /// Waits until both ends are in these states.
        fn become_states(&self, near: TcpState, far: TcpState) {
            until("the states", || (self.states() == (Some(near), Some(far))).then_some(()));
        }

        /// Writes until neither the far end's window nor the near end's buffer has room for more.
        fn fill(&mut self) {
            self.near.set_nonblocking(true).expect("set");
            let mut still_since = Instant::now();
            until("a full pipe", || {
                while self.near.write(&[7; 65536]).is_ok() {
                    still_since = Instant::now();
                }
                let probes = self.near().expect("it lives").timer.map(|timer| timer.kind);
                (probes == Some(TimerKind::ZeroWindowProbe)
                    && still_since.elapsed() > Duration::from_millis(20))
                .then_some(())
            });
        }

        /// Reads at the far end until the end of the stream.
        fn drain(&mut self) {
            self.far.read_to_end(&mut Vec::new()).expect("read");
        }
    }

    fn diag() -> Diag {
        Diag::open().expect("no privilege is needed")
    }

    fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < deadline, "in vain: {what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn inode(socket: &impl std::os::fd::AsRawFd) -> Option<u32> {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).expect("it is open");
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    }

    fn mapped(address: SocketAddr) -> SocketAddr {
        match address {
            SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
            SocketAddr::V6(_) => address,
        }
    }

    fn canonical(address: SocketAddr) -> SocketAddr {
        SocketAddr::new(address.ip().to_canonical(), address.port())
    }

    /// Both ends are seen as their descriptors say, however the addresses are spelled.
    fn both_ends_are_seen(pair: &mut Pair) {
        pair.near.write_all(b"ping").expect("written");
        pair.far.peek(&mut [0; 4]).expect("it arrives");
        for spell in [canonical, mapped] {
            let (local, remote) = (spell(pair.local), spell(pair.remote));
            let near = pair.diag.query(Protocol::Tcp, local, remote).expect("asked").expect("it lives");
            let far = pair.diag.query(Protocol::Tcp, remote, local).expect("asked").expect("it lives");
            assert_eq!((near.local, near.remote), (canonical(pair.local), canonical(pair.remote)));
            assert_eq!((far.local, far.remote), (canonical(pair.remote), canonical(pair.local)));
            for (seen, stream) in [(&near, &pair.near), (&far, &pair.far)] {
                assert_eq!(seen.state, TcpState::Established);
                assert_eq!(seen.cookie, SockRef::from(stream).cookie().expect("SO_COOKIE"));
                assert_eq!(seen.inode, inode(stream));
                assert_eq!(seen.uid, Some(nix::unistd::getuid().as_raw()));
                assert_eq!(seen.drops, Some(0));
                let info = seen.info.as_ref().expect("a connection has counters");
                assert!(info.same_facts(&TcpInfo::of(stream).expect("asked")), "{info:?}");
            }
            assert_eq!((far.receive_queue, near.receive_queue), (4, 0));
        }
    }

    #[test]
    fn both_ends_of_a_connection_are_seen() {
        for host in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            both_ends_are_seen(&mut Pair::on(host));
        }
    }

    #[test]
    fn a_dual_stack_listener_and_its_connection_are_seen() {
        let listener = Socket::new(Domain::IPV6, Type::STREAM, None).expect("IPv6");
        listener.set_only_v6(false).expect("set");
        let everywhere = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
        listener.bind(&everywhere.into()).expect("a free port");
        listener.listen(5).expect("it may");
        let listener = TcpListener::from(listener);
        let port = listener.local_addr().expect("bound").port();
        let dialled = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        let mut pair = Pair::to(listener, dialled);
        both_ends_are_seen(&mut pair);
        for host in ["127.0.0.1", "::1", "::", "0.0.0.0", "::ffff:127.0.0.1"] {
            let asked = SocketAddr::new(host.parse().expect("an address"), port);
            let seen = pair.diag.listener(asked).expect("asked").expect(host);
            assert_eq!(seen.state, TcpState::Listen);
            assert_eq!(seen.local, SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port));
            assert_eq!((seen.inode, seen.info), (inode(&pair.listener), None));
        }
    }

    #[test]
    fn a_link_local_connection_is_seen_by_its_interface() {
        // Each line: address, interface index, …, all in hex (/proc/net/if_inet6).
        let interfaces = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
        let Some((ip, scope)) = interfaces.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            let ip = Ipv6Addr::from(u128::from_str_radix(words.next()?, 16).ok()?);
            let scope = u32::from_str_radix(words.next()?, 16).ok()?;
            ip.is_unicast_link_local().then_some((ip, scope))
        }) else {
            return;
        };
        let listener = TcpListener::bind(SocketAddrV6::new(ip, 0, 0, scope)).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let pair = Pair::to(listener, address);
        let near = pair.near().expect("it lives");
        assert_eq!((near.local, near.remote), (pair.local, pair.remote));
        assert_eq!(pair.states(), (Some(TcpState::Established), Some(TcpState::Established)));
        assert_eq!(pair.diag.listener(address).expect("asked").expect("it listens").local, address);
    }

    #[test]
    fn a_full_accept_queue_holds_one_more_and_the_next_waits_in_syn_sent() {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0).into()).expect("a free port");
        listener.listen(1).expect("it may");
        let address = listener.local_addr().expect("bound").as_socket().expect("an address");
        let diag = diag();
        let _queued = [(); 2].map(|()| TcpStream::connect(address).expect("it listens"));
        let seen = diag.listener(address).expect("asked").expect("it listens");
        assert_eq!((seen.receive_queue, seen.send_queue), (2, 1));
        let late = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        late.set_nonblocking(true).expect("set");
        let _in_progress = late.connect(&address.into());
        let local = late.local_addr().expect("bound").as_socket().expect("an address");
        let seen = diag.query(Protocol::Tcp, local, address).expect("asked").expect("it tries");
        assert_eq!(seen.state, TcpState::SynSent);
        let timer = seen.timer.expect("it will send again");
        assert_eq!(timer.kind, TimerKind::Retransmit);
        assert!((1..=1000).contains(&timer.expires_ms), "{timer:?}");
        // The kernel forgot the SYN, and answers with the listener.
        assert_eq!(diag.query(Protocol::Tcp, address, local).expect("asked"), None);
        // Once there is room, the next try gets through: and it is the same socket.
        drop(listener.accept().expect("queued"));
        let connected = until("the next SYN", || {
            let now = diag.query(Protocol::Tcp, local, address).expect("asked").expect("it lives");
            (now.state == TcpState::Established).then_some(now)
        });
        assert_eq!(connected.cookie, seen.cookie);
    }

    #[test]
    fn a_request_is_syn_received_and_becomes_its_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        sys::defer_accept(&listener, 30).expect("set");
        let address = listener.local_addr().expect("bound");
        let mut near = TcpStream::connect(address).expect("it listens");
        let local = near.local_addr().expect("bound");
        let diag = diag();
        let seen = diag.query(Protocol::Tcp, address, local).expect("asked").expect("a request");
        assert_eq!(seen.state, TcpState::SynReceived);
        assert_eq!((seen.inode, seen.uid, seen.info, seen.drops), (None, None, None, None));
        assert_eq!(seen.timer.expect("its SYN goes again").kind, TimerKind::Retransmit);
        near.write_all(b"x").expect("written");
        let (far, _) = listener.accept().expect("a byte came");
        let grown = diag.query(Protocol::Tcp, address, local).expect("asked").expect("it lives");
        assert_eq!((grown.state, grown.inode), (TcpState::Established, inode(&far)));
        assert_eq!(grown.cookie, seen.cookie);
    }

    #[test]
    fn an_orderly_close_is_followed_to_the_end_of_the_descriptor_and_beyond() {
        for host in ["127.0.0.1", "::1"] {
            let pair = Pair::on(host);
            let (first, second) = (pair.near().expect("it lives"), pair.far().expect("it lives"));
            pair.near.shutdown(Shutdown::Write).expect("connected");
            pair.become_states(TcpState::FinWait2, TcpState::CloseWait);
            assert_eq!(pair.near().expect("it lives").inode, first.inode);
            let Pair { diag, listener, near, far, local, remote } = pair;
            drop(near);
            let ask = |here, there| diag.query(Protocol::Tcp, here, there).expect("asked");
            let waiting = ask(local, remote).expect("it waits for a FIN");
            assert_eq!((waiting.state, waiting.cookie), (TcpState::FinWait2, first.cookie));
            assert_eq!((waiting.inode, waiting.info), (None, None));
            assert_eq!(waiting.timer.expect("it is given up").kind, TimerKind::Keepalive);
            drop(far);
            let gone = || ask(remote, local).is_none().then_some(());
            until("the far end to be gone, though its listener is not", gone);
            assert!(diag.listener(remote).expect("asked").is_some_and(|seen| seen.cookie != second.cookie));
            let last = ask(local, remote).expect("it waits");
            assert_eq!((last.state, last.cookie, last.uid), (TcpState::TimeWait, first.cookie, None));
            let timer = last.timer.expect("it ends");
            assert_eq!((timer.kind, timer.retransmits), (TimerKind::TimeWait, 0));
            assert!((58_000..=60_000).contains(&timer.expires_ms), "{timer:?}");
            until("the countdown", || {
                let now = ask(local, remote).expect("it waits").timer.expect("it ends");
                (now.expires_ms < timer.expires_ms).then_some(())
            });
            drop(listener);
        }
    }

    #[test]
    fn a_fin_behind_a_closed_window_waits_in_fin_wait_1_then_closing() {
        let mut pair = Pair::on("127.0.0.1");
        pair.fill();
        pair.near.shutdown(Shutdown::Write).expect("connected");
        let seen = pair.near().expect("it lives");
        assert_eq!(seen.state, TcpState::FinWait1);
        assert_eq!(seen.timer.expect("it probes").kind, TimerKind::ZeroWindowProbe);
        let unsent = crate::kernel::info::queues(&pair.near).expect("asked").send;
        assert_eq!(seen.send_queue, unsent, "the FIN among it");
        pair.far.shutdown(Shutdown::Write).expect("connected");
        pair.become_states(TcpState::Closing, TcpState::FinWait2);
        // The far end reads: everything is acknowledged, and both are in TIME_WAIT or gone.
        pair.drain();
        until("TIME_WAIT", || (pair.states().0 == Some(TcpState::TimeWait)).then_some(()));
    }

    #[test]
    fn a_fin_behind_a_closed_window_waits_in_last_ack() {
        let mut pair = Pair::on("::1");
        pair.far.shutdown(Shutdown::Write).expect("connected");
        pair.become_states(TcpState::CloseWait, TcpState::FinWait2);
        pair.fill();
        pair.near.shutdown(Shutdown::Write).expect("connected");
        pair.become_states(TcpState::LastAck, TcpState::FinWait2);
        pair.drain();
        until("the far end to wait alone", || {
            (pair.states() == (None, Some(TcpState::TimeWait))).then_some(())
        });
    }

    #[test]
    fn after_an_abort_neither_end_is_seen_and_never_the_listener() {
        let pair = Pair::on("127.0.0.1");
        assert_eq!(pair.states(), (Some(TcpState::Established), Some(TcpState::Established)));
        SockRef::from(&pair.far).set_linger(Some(Duration::ZERO)).expect("set");
        let Pair { diag, listener: _listener, near: _near, far, local, remote } = pair;
        drop(far);
        for (here, there) in [(local, remote), (remote, local)] {
            until("the reset", || {
                diag.query(Protocol::Tcp, here, there).expect("asked").is_none().then_some(())
            });
        }
        assert!(diag.listener(remote).expect("asked").is_some());
        assert_eq!(diag.listener(local).expect("asked"), None);
    }

    #[test]
    fn the_next_socket_with_the_same_ends_is_another() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let remote = listener.local_addr().expect("bound");
        let diag = diag();
        // Nobody else binds here, so that the port stays free between the two.
        let mut local = SocketAddr::new(Ipv4Addr::new(127, 83, 1, 7).into(), 0);
        let cookies = [(); 2].map(|()| {
            let near = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            near.set_linger(Some(Duration::ZERO)).expect("set");
            near.bind(&local.into()).expect("free");
            near.connect(&remote.into()).expect("it listens");
            local = near.local_addr().expect("bound").as_socket().expect("an address");
            let ask = || diag.query(Protocol::Tcp, local, remote).expect("asked");
            let cookie = ask().expect("it lives").cookie;
            assert_eq!(ask().expect("it lives").cookie, cookie);
            drop(near);
            assert_eq!(ask(), None);
            cookie
        });
        assert_ne!(cookies[0], cookies[1]);
    }

    #[test]
    fn udp_sockets_are_seen_and_what_they_dropped() {
        let diag = diag();
        for (host, everywhere) in [("127.0.0.1", "0.0.0.0"), ("::1", "::"), ("::ffff:127.0.0.1", "::")] {
            let far = UdpSocket::bind((host, 0)).expect("a free port");
            let near = UdpSocket::bind((host, 0)).expect("a free port");
            let (local, remote) = (near.local_addr().expect("bound"), far.local_addr().expect("bound"));
            let taker = |at| {
                let seen = diag.query_all(&[Ask::taker(Protocol::Udp, at)]).expect("asked");
                seen.into_iter().next().expect("an answer")
            };
            let seen = taker(local).expect("it is bound");
            assert_eq!((seen.state, seen.inode), (TcpState::Closed, inode(&near)));
            near.connect(remote).expect("it may");
            for spell in [canonical, mapped] {
                let ask = |here, there| diag.query(Protocol::Udp, spell(here), spell(there)).expect("asked");
                let seen = ask(local, remote).expect("it is connected");
                assert_eq!((seen.state, seen.inode, seen.info), (TcpState::Established, inode(&near), None));
                assert_eq!((seen.local, seen.remote), (canonical(local), canonical(remote)));
                assert_eq!(ask(remote, local), None, "the far end is not connected");
            }
            SockRef::from(&far).set_recv_buffer_size(2304).expect("set");
            for _ in 0..100 {
                near.send(&[0; 1000]).expect("sent");
            }
            let dropped = taker(remote).expect("it is bound").drops.expect("counted");
            assert_eq!(dropped, sys::datagrams_dropped(&far).expect("asked"));
            assert!(dropped > 90, "{dropped}");

            let wide = UdpSocket::bind((everywhere, 0)).expect("a free port");
            let port = wide.local_addr().expect("bound").port();
            for at in [host, everywhere] {
                let seen =
                    taker(SocketAddr::new(at.parse().expect("an address"), port)).expect("it is bound");
                assert_eq!(seen.inode, inode(&wide));
            }
            let free = wide.local_addr().expect("bound");
            drop(wide);
            assert_eq!(taker(free), None);
        }
    }

    #[test]
    fn many_are_asked_at_once_and_answered_in_order() {
        let pair = Pair::on("127.0.0.1");
        let gone = SocketAddr::new(Ipv4Addr::new(127, 83, 2, 9).into(), 9);
        let asks: Vec<_> = (0..3 * BATCH + 5)
            .map(|n| {
                let (local, remote) = match n % 4 {
                    0 => (pair.local, pair.remote),
                    1 => (pair.remote, pair.local),
                    2 => (pair.remote, gone),
                    _ => (gone, pair.remote),
                };
                Ask { protocol: Protocol::Tcp, local, remote }
            })
            .collect();
        let seen = pair.diag.query_all(&asks).expect("asked");
        assert_eq!(seen.len(), asks.len());
        for (ask, seen) in asks.iter().zip(seen) {
            let there = [ask.local, ask.remote].iter().all(|&end| end != gone);
            assert_eq!(seen.map(|seen| (seen.local, seen.remote)), there.then_some((ask.local, ask.remote)));
        }
        assert_eq!(pair.diag.query_all(&[]).expect("nothing asked"), []);
    }

    #[test]
    fn several_threads_get_their_own_answers() {
        let pair = Pair::on("127.0.0.1");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        assert_eq!(pair.near().expect("it lives").local, pair.local);
                        assert_eq!(pair.far().expect("it lives").local, pair.remote);
                    }
                });
            }
        });
    }

    #[test]
    fn answers_that_an_error_left_behind_are_skipped() {
        let pair = Pair::on("127.0.0.1");
        for _ in 0..3 {
            let mut stale = Vec::new();
            let ask = Ask { protocol: Protocol::Tcp, local: pair.remote, remote: pair.local };
            request(&mut stale, 0xdead_beef, NLM_F_REQUEST, &ask, u32::MAX);
            send(pair.diag.socket.as_raw_fd(), &stale, MsgFlags::empty()).expect("sent");
        }
        assert_eq!(pair.near().expect("it lives").local, pair.local);
    }

    /// A message of this kernel about a living connection, cut off anywhere, bent anywhere, is read or refused.
    #[test]
    fn a_message_that_is_cut_or_bent_is_read_or_refused() {
        let pair = Pair::on("::1");
        let socket: OwnedFd = open(SockFlag::empty()).expect("a socket");
        let mut asked = Vec::new();
        let ask = Ask { protocol: Protocol::Tcp, local: pair.local, remote: pair.remote };
        request(&mut asked, 7, NLM_F_REQUEST, &ask, u32::MAX);
        send(socket.as_raw_fd(), &asked, MsgFlags::empty()).expect("sent");
        let mut buffer = [0; 4096];
        let bytes = receive(&socket, &mut buffer).expect("answered").to_vec();
        assert_eq!(messages(&bytes).count(), 1);
        for len in 0..bytes.len() {
            assert_eq!(messages(&bytes[..len]).count(), 0, "its length says more");
            let whole = report(bytes.get(16..len).unwrap_or(&[]));
            assert_eq!(whole.is_some(), len >= 16 + 72);
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 3, 0x7f, 0xff] {
                let mut bent = bytes.clone();
                bent[at] = value;
                let _ = messages(&bent).filter_map(|message| report(message.payload)).count();
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = messages(&bytes).filter_map(|message| report(message.payload)).count();
            let _ = report(&bytes);
        }

        #[test]
        fn any_attributes_are_read(
            state in 1_u8..13,
            family in prop_oneof![Just(2_u8), Just(10_u8)],
            rest in prop::collection::vec(prop_oneof![0_u8..12, any::<u8>()], 68..400),
        ) {
            let mut bytes = vec![family, state];
            bytes.extend([3, 0]);
            bytes.extend(rest);
            prop_assert!(report(&bytes).is_some());
        }
    }

    /// What one question costs: `cargo test --release -p sockscope-sockets what_a_query_costs -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement"]
    fn what_a_query_costs() {
        const ROUNDS: u32 = 200;
        let pairs: Vec<_> = (0..100).map(|_| Pair::on("127.0.0.1")).collect();
        let asks: Vec<_> = pairs
            .iter()
            .flat_map(|pair| [(pair.local, pair.remote), (pair.remote, pair.local)])
            .map(|(local, remote)| Ask { protocol: Protocol::Tcp, local, remote })
            .collect();
        let diag = diag();
        let cost = |what: &str, round: &mut dyn FnMut()| {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                round();
            }
            let us = start.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS) / asks.len() as f64;
            println!("{what}: {us:.2} µs each, {:.2} % of a core for 200 at 10 Hz", us * 2000.0 / 1e4);
        };
        cost("one by one", &mut || {
            for ask in &asks {
                assert!(diag.query(ask.protocol, ask.local, ask.remote).expect("asked").is_some());
            }
        });
        cost("in batches", &mut || {
            assert!(diag.query_all(&asks).expect("asked").iter().all(Option::is_some));
        });
        cost("TCP_INFO of the descriptor", &mut || {
            for pair in &pairs {
                TcpInfo::of(&pair.near).expect("asked");
                TcpInfo::of(&pair.far).expect("asked");
            }
        });
    }
}
