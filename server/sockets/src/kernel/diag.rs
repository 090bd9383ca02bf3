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
        self.first_of(Ask { protocol, local, remote })
    }

    /// Asks who would take a TCP connection to this address. Of several that share it (SO_REUSEPORT), one.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn listener(&self, local: SocketAddr) -> io::Result<Option<Seen>> {
        let seen = self.first_of(Ask::taker(Protocol::Tcp, local))?;
        Ok(seen.filter(|seen| seen.state == TcpState::Listen))
    }

    fn first_of(&self, ask: Ask) -> io::Result<Option<Seen>> {
        Ok(self.query_all(&[ask])?.pop().flatten())
    }

    /// Asks for many sockets, with one send for every 32; answers come in the order of the questions. Takes less time
    /// than asking one by one.
    ///
    /// What is not there is asked for once more: while the kernel puts the small socket of TIME_WAIT in the place of the
    /// whole one, who looks for it finds neither for an instant (`inet_twsk_hashdance_schedule` lets it be found before it
    /// lets it be held).
    ///
    /// # Errors
    /// As [`Self::query`]; the first ends it.
    pub fn query_all(&self, asks: &[Ask]) -> io::Result<Vec<Option<Seen>>> {
        // What a panic left behind is bytes that are overwritten, and answers that a later exchange skips by their seq.
        let mut exchange = self.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = self.exchange(&mut exchange, asks)?;
        let (missing, again): (Vec<_>, Vec<_>) =
            found.iter_mut().zip(asks).filter(|(found, _)| found.is_none()).unzip();
        let second = self.exchange(&mut exchange, &again)?;
        for (missing, second) in missing.into_iter().zip(second) {
            *missing = second;
        }
        Ok(found)
    }

    fn exchange(&self, exchange: &mut Exchange, asks: &[Ask]) -> io::Result<Vec<Option<Seen>>> {
        let mut found = Vec::with_capacity(asks.len());
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
                found.push(match self.answer(&mut exchange.answer, seq)? {
                    Answer::Report(seen) => seen.filter(|seen| ask.is_answered_by(seen)),
                    Answer::Said(Errno::ENOENT) => None,
                    Answer::Said(errno) => return Err(errno.into()),
                });
            }
        }
        Ok(found)
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
mod tests;
