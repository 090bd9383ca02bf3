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
            (probes == Some(TimerKind::ZeroWindowProbe) && still_since.elapsed() > Duration::from_millis(20))
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
    until("the far end to wait alone", || (pair.states() == (None, Some(TcpState::TimeWait))).then_some(()));
}

#[test]
fn after_an_abort_neither_end_is_seen_and_never_the_listener() {
    let pair = Pair::on("127.0.0.1");
    assert_eq!(pair.states(), (Some(TcpState::Established), Some(TcpState::Established)));
    SockRef::from(&pair.far).set_linger(Some(Duration::ZERO)).expect("set");
    let Pair { diag, listener: _listener, near: _near, far, local, remote } = pair;
    drop(far);
    for (here, there) in [(local, remote), (remote, local)] {
        until("the reset", || diag.query(Protocol::Tcp, here, there).expect("asked").is_none().then_some(()));
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
            let seen = taker(SocketAddr::new(at.parse().expect("an address"), port)).expect("it is bound");
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

/// The kernel puts the small socket of TIME_WAIT in the place of the whole one without a lock for who looks, and has no answer
/// for an instant.
#[test]
fn a_connection_is_never_missed_while_time_wait_takes_its_place() {
    const CONNECTIONS: usize = 4000;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let remote = listener.local_addr().expect("bound");
    let diag = diag();
    let (pairs, to_close) = std::sync::mpsc::sync_channel::<(TcpStream, TcpStream)>(0);
    let closing = thread::spawn(move || to_close.into_iter().for_each(drop));
    let mut missed = Vec::new();
    for n in 0..CONNECTIONS {
        let near = TcpStream::connect(remote).expect("it listens");
        let (far, _) = listener.accept().expect("it connected");
        let ask = Ask { protocol: Protocol::Tcp, local: near.local_addr().expect("bound"), remote };
        pairs.send((near, far)).expect("it closes");
        let mut states = Vec::new();
        until("TIME_WAIT", || {
            let seen = diag.query_all(&[ask; BATCH]).expect("asked");
            states.extend(seen.into_iter().map(|seen| seen.map(|seen| seen.state)));
            (states.last() == Some(&Some(TcpState::TimeWait))).then_some(())
        });
        if states.contains(&None) {
            states.dedup();
            missed.push((n, states));
        }
    }
    drop(pairs);
    closing.join().expect("closed");
    assert!(missed.is_empty(), "{} of {CONNECTIONS}: {:?}", missed.len(), missed);
}
