//! The ladder's frames are tshark's, one for one.
//!
//! Scripted exchanges with the real server, in network namespaces of their own (they need no cleaning up: they end with
//! their last process), while dumpcap captures beside it. Then every `segment` is held against what tshark says of the
//! same frame: who sent it, its flags, its numbers from the first, its length. And every state that `ss -tan` saw
//! meanwhile must be in our path of that end, in order.

mod fragments;
mod interfaces;
mod played;
mod sampled;
mod whose;

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream, UdpSocket},
    sync::{
        atomic::{AtomicBool, AtomicU16, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::Duration,
};

use nix::{
    sched::{CloneFlags, unshare},
    unistd::{Pid, gettid},
};
use serde_json::{Value, json};

use crate::{
    kernel::{is_within, path},
    kit::{
        Blackhole, Deaf, Listener, Noise, Server, apart, dial, eventually, id, list, number, read_exactly,
        read_to_fin, reset, run, text,
    },
    support::shark::{self, Dump},
};
use sampled::Sampled;

/// What one exchange left behind: whose segments, and the port that tells its frames from others'.
struct Left {
    sockets: Vec<String>,
    port: u16,
    /// The port is this end's; else the peer's.
    ours: bool,
    /// It is a port of UDP.
    udp: bool,
    /// Both ends spoke at once: on two processors, two witnesses may see a frame of each end in either order.
    at_once: bool,
}

impl Left {
    fn with_peer(socket: &str, port: u16) -> Self {
        Self { sockets: vec![socket.to_owned()], port, ours: false, udp: false, at_once: false }
    }

    fn over_udp(self) -> Self {
        Self { udp: true, ..self }
    }
}

/// A port nobody else has: frames are told apart by it. In a namespace of its own every one is free.
fn at(host: &str) -> String {
    static NEXT: AtomicU16 = AtomicU16::new(7000);
    format!("{host}:{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What is done with a server.
type Script<'a> = dyn Fn(&Server) -> Left + Sync + 'a;

type Exchange = fn(&Server) -> Left;

/// Every exchange. Each has a port of its own.
const EXCHANGES: &[(&str, Exchange)] = &[
    ("open, echo, close", echo),
    ("the same over IPv6", echo_v6),
    ("the same to a mapped address", echo_mapped),
    ("half-close, then the peer goes on", half_close),
    ("half-close by the peer, then we go on", half_close_by_peer),
    ("RST by DELETE", reset_by_us),
    ("RST because bytes lay unread", reset_by_unread),
    ("RST by the peer's linger", reset_by_peer),
    ("refused", refused),
    ("refused over IPv6", refused_v6),
    ("SYN to a black hole", black_hole),
    ("SYN into a firewall that drops", firewall),
    ("closed by both at once", both_close),
    ("a window of zero, and recovery", zero_window),
    ("loss and retransmission", loss),
    ("a large transfer", large),
    ("many small sends without delay", |server| small(server, json!({ "nodelay": true }))),
    ("many small sends with Nagle", |server| small(server, json!({ "nodelay": false }))),
    ("many small sends corked", |server| small(server, json!({ "nodelay": false, "cork": true }))),
    ("small segments", |server| small(server, json!({ "maxseg": 536 }))),
    ("keepalive probes", keepalive),
    ("a listener of ours", listener),
    ("both ends ours", both_ours),
    ("a practice peer", practice),
    ("UDP echo", udp_echo),
    ("UDP refused", udp_refused),
    ("UDP to several", udp_bound),
];

fn echo(server: &Server) -> Left {
    echo_at(server, "127.0.0.1")
}

fn echo_v6(server: &Server) -> Left {
    echo_at(server, "[::1]")
}

fn echo_at(server: &Server, host: &str) -> Left {
    echo_with(server, &Listener::on(&at(host)))
}

fn echo_with(server: &Server, listener: &Listener) -> Left {
    let (client, peer) = listener.meet(server);
    echo_over(server, &client, peer);
    Left::with_peer(&client, listener.port())
}

fn echo_over(server: &Server, client: &str, mut peer: TcpStream) {
    for text in [&b"hello"[..], b"and again"] {
        server.say(client, text);
        let heard = read_exactly(&mut peer, text.len());
        peer.write_all(&heard).expect("written");
    }
    server.received(client, 14);
    server.close(client);
    assert_eq!(read_to_fin(&mut peer), b"");
}

fn echo_mapped(server: &Server) -> Left {
    let listener = Listener::on(&at("[::]"));
    let port = listener.port();
    let socket = server.open(&format!("tcp://[::ffff:127.0.0.1]:{port}"));
    echo_over(server, &id(&socket), listener.accept());
    Left::with_peer(&id(&socket), port)
}

fn half_close(server: &Server) -> Left {
    half_close_with(server, &Listener::on(&at("127.0.0.1")))
}

fn half_close_with(server: &Server, listener: &Listener) -> Left {
    let (client, mut peer) = listener.meet(server);
    server.say(&client, b"last words");
    server.shut_down(&client);
    assert_eq!(read_to_fin(&mut peer), b"last words");
    peer.write_all(&[7; 3000]).expect("the other direction is open");
    drop(peer);
    server.fact(&client, json!({ "type": "closed" }));
    Left::with_peer(&client, listener.port())
}

fn half_close_by_peer(server: &Server) -> Left {
    let listener = Listener::on(&at("127.0.0.1"));
    let (client, mut peer) = listener.meet(server);
    peer.write_all(b"last words").expect("written");
    peer.shutdown(Shutdown::Write).expect("a FIN");
    server.fact(&client, json!({ "type": "eof" }));
    server.say(&client, b"one more thing");
    server.close(&client);
    assert_eq!(read_to_fin(&mut peer), b"one more thing");
    Left::with_peer(&client, listener.port())
}

fn reset_by_us(server: &Server) -> Left {
    let listener = Listener::on(&at("127.0.0.1"));
    let (client, mut peer) = listener.meet(server);
    server.say(&client, b"and off");
    read_exactly(&mut peer, 7);
    server.ask("DELETE", &format!("sockets/{client}?reset=true"), None).ok();
    assert!(peer.read(&mut [0]).is_err(), "a RST");
    Left::with_peer(&client, listener.port())
}

fn reset_by_unread(server: &Server) -> Left {
    let listener = Listener::on(&at("127.0.0.1"));
    let (client, mut peer) = listener.meet_with(server, json!({ "reading": false }));
    peer.write_all(&[7; 5000]).expect("written");
    server.close(&client);
    server.fact(&client, json!({ "type": "closed" }));
    peer.read_to_end(&mut Vec::new()).ok();
    Left::with_peer(&client, listener.port())
}

fn reset_by_peer(server: &Server) -> Left {
    reset_by_peer_with(server, &Listener::on(&at("127.0.0.1")))
}

fn reset_by_peer_with(server: &Server, listener: &Listener) -> Left {
    let (client, peer) = listener.meet(server);
    reset(peer);
    server.fact(&client, json!({ "type": "reset", "side": "peer" }));
    Left::with_peer(&client, listener.port())
}

fn refused(server: &Server) -> Left {
    refused_at(server, "127.0.0.1")
}

fn refused_v6(server: &Server) -> Left {
    refused_at(server, "[::1]")
}

fn refused_at(server: &Server, host: &str) -> Left {
    let deaf = Deaf::on(&at(host)).expect("a free port");
    server.try_open(&format!("tcp://{host}:{}", deaf.port()), json!({}));
    fails(server, deaf.port())
}

/// The socket of an attempt that failed, found by its target.
fn fails(server: &Server, port: u16) -> Left {
    let (events, _) = server.history("type=opening");
    let ours = events.iter().find(|event| text(&event["target"]).ends_with(&format!(":{port}")));
    let socket = text(&ours.expect("it was opened")["socket"]);
    server.fact(&socket, json!({ "type": "failed" }));
    Left::with_peer(&socket, port)
}

fn black_hole(server: &Server) -> Left {
    // The connections that fill it are there before anybody looks.
    let hole = Blackhole::new(&at("127.0.0.1"));
    let port = hole.address.port();
    server.try_open(&format!("tcp://{}", hole.address), json!({ "connect_timeout_ms": 1500 }));
    fails(server, port)
}

fn firewall(server: &Server) -> Left {
    let listener = Listener::on(&at("127.0.0.1"));
    let port = listener.port();
    run("iptables", &format!("-A INPUT -p tcp --dport {port} -j DROP"));
    server.try_open(&listener.target(), json!({ "connect_timeout_ms": 1500 }));
    fails(server, port)
}

fn both_close(server: &Server) -> Left {
    let listener = Listener::on(&at("127.0.0.1"));
    let (client, peer) = listener.meet(server);
    thread::scope(|scope| {
        scope.spawn(|| peer.shutdown(Shutdown::Write).expect("a FIN"));
        server.close(&client);
    });
    server.fact(&client, json!({ "type": "closed" }));
    Left { at_once: true, ..Left::with_peer(&client, listener.port()) }
}

fn zero_window(server: &Server) -> Left {
    let listener = Listener::on(&at("127.0.0.1"));
    let (client, mut peer) = listener.meet_with(server, json!({ "reading": false, "recv_buffer": 8192 }));
    let bytes = Noise::new(1).bytes(300_000);
    let writing = thread::spawn(move || {
        peer.write_all(&bytes).expect("written");
        peer
    });
    // Long enough for probes of the persist timer, which begins at 200 ms.
    thread::sleep(Duration::from_millis(900));
    let set = json!({ "options": { "reading": true } });
    server.ask("PATCH", &format!("sockets/{client}"), Some(&set)).ok();
    server.received(&client, 300_000);
    drop(writing.join().expect("written"));
    server.fact(&client, json!({ "type": "eof" }));
    server.close(&client);
    server.fact(&client, json!({ "type": "closed" }));
    Left::with_peer(&client, listener.port())
}

fn loss(server: &Server) -> Left {
    let listener = Listener::on(&at("127.0.0.1"));
    let port = listener.port();
    let (client, mut peer) = listener.meet_with(server, json!({ "maxseg": 1000 }));
    // Of segments to the peer, not of its acknowledgements.
    run(
        "iptables",
        &format!("-A INPUT -p tcp --dport {port} -m statistic --mode nth --every 7 --packet 3 -j DROP"),
    );
    let bytes = Noise::new(2).bytes(60_000);
    server.say(&client, &bytes);
    assert!(read_exactly(&mut peer, 60_000) == bytes);
    run(
        "iptables",
        &format!("-D INPUT -p tcp --dport {port} -m statistic --mode nth --every 7 --packet 3 -j DROP"),
    );
    server.close(&client);
    assert_eq!(read_to_fin(&mut peer), b"");
    Left::with_peer(&client, port)
}

fn large(server: &Server) -> Left {
    large_with(server, &Listener::on(&at("127.0.0.1")))
}

fn large_with(server: &Server, listener: &Listener) -> Left {
    let (client, mut peer) = listener.meet(server);
    let bytes = Noise::new(3).bytes(1 << 20);
    for _ in 0..4 {
        thread::scope(|scope| {
            let mut writer = peer.try_clone().expect("a living socket");
            let bytes = &bytes;
            scope.spawn(move || writer.write_all(bytes).expect("written"));
            scope.spawn(|| server.say(&client, bytes));
            assert!(read_exactly(&mut peer, 1 << 20) == *bytes);
        });
    }
    eventually("all is read", || number(&server.socket(&client)["counters"]["received_bytes"]) == 4 << 20);
    server.close(&client);
    assert_eq!(read_to_fin(&mut peer), b"");
    Left { at_once: true, ..Left::with_peer(&client, listener.port()) }
}

fn small(server: &Server, options: Value) -> Left {
    let listener = Listener::on(&at("127.0.0.1"));
    let (client, mut peer) = listener.meet_with(server, options);
    for at in 0..30 {
        server.say(&client, &vec![b'a'; 1 + at * 20]);
    }
    server.shut_down(&client);
    assert_eq!(read_to_fin(&mut peer).len(), 30 + 20 * (0..30).sum::<usize>());
    drop(peer);
    server.fact(&client, json!({ "type": "closed" }));
    Left::with_peer(&client, listener.port())
}

fn keepalive(server: &Server) -> Left {
    let listener = Listener::on(&at("127.0.0.1"));
    let options = json!({ "keepalive": true, "keepalive_idle_s": 1, "keepalive_interval_s": 1 });
    let (client, mut peer) = listener.meet_with(server, options);
    server.say(&client, b"still there?");
    read_exactly(&mut peer, 12);
    thread::sleep(Duration::from_millis(2600));
    server.close(&client);
    assert_eq!(read_to_fin(&mut peer), b"");
    Left::with_peer(&client, listener.port())
}

fn listener(server: &Server) -> Left {
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let listener = id(&listening);
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut peer = dial(&listening);
        peer.write_all(b"hello").expect("written");
        let child = text(
            &server.fact(
                &listener,
                json!({ "type": "accepted", "remote": peer.local_addr().expect("bound").to_string() }),
            )["child"],
        );
        server.received(&child, 5);
        server.say(&child, b"welcome");
        read_exactly(&mut peer, 7);
        drop(peer);
        server.fact(&child, json!({ "type": "eof" }));
        server.close(&child);
        sockets.push(child);
    }
    let port = text(&listening["local"]).parse::<SocketAddr>().expect("an address").port();
    Left { sockets, port, ours: true, udp: false, at_once: false }
}

fn both_ours(server: &Server) -> Left {
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let client = id(&server.open(&format!("tcp://{}", text(&listening["local"]))));
    let child = text(&server.fact(&id(&listening), json!({ "type": "accepted" }))["child"]);
    server.say(&client, b"hello");
    server.received(&child, 5);
    server.say(&child, b"welcome");
    server.received(&client, 7);
    server.close(&child);
    server.fact(&client, json!({ "type": "eof" }));
    server.close(&client);
    let port = text(&listening["local"]).parse::<SocketAddr>().expect("an address").port();
    // Told once, by the end that was opened first.
    Left::with_peer(&client, port)
}

fn practice(server: &Server) -> Left {
    let (_, target) = server.practice("fragmenter");
    let client = id(&server.open(&target));
    server.say(&client, b"bit by bit");
    server.received(&client, 10);
    server.close(&client);
    let port = target.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
    Left::with_peer(&client, port)
}

fn udp_echo(server: &Server) -> Left {
    let peer = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = peer.local_addr().expect("bound");
    let client = id(&server.open(&format!("udp://{address}")));
    let mut datagram = [0; 5000];
    for len in [0, 1, 500, 5000] {
        server.send(&client, &vec![7; len], "").ok();
        let (len, from) = peer.recv_from(&mut datagram).expect("a datagram");
        peer.send_to(&datagram[..len], from).expect("sent");
    }
    eventually("all came back", || number(&server.socket(&client)["counters"]["received_events"]) == 4);
    server.close(&client);
    Left::with_peer(&client, address.port()).over_udp()
}

fn udp_refused(server: &Server) -> Left {
    let port = UdpSocket::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
    let client = id(&server.open(&format!("udp://127.0.0.1:{port}")));
    server.send(&client, b"anybody?", "").ok();
    server.fact(&client, json!({ "type": "failed", "errno": "ECONNREFUSED" }));
    server.close(&client);
    Left::with_peer(&client, port).over_udp()
}

fn udp_bound(server: &Server) -> Left {
    let bound = server.open("udp-bind://127.0.0.1:0");
    let local = text(&bound["local"]);
    for nth in 0..3_usize {
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        peer.send_to(&vec![7; 10 + nth], &local).expect("sent");
        eventually("it came", || {
            number(&server.socket(&id(&bound))["counters"]["received_events"]) == nth as u64 + 1
        });
        let to = peer.local_addr().expect("bound");
        server.send(&id(&bound), b"thanks", &format!("?to={to}")).ok();
        peer.recv(&mut [0; 10]).expect("a datagram");
    }
    server.close(&id(&bound));
    let port = local.parse::<SocketAddr>().expect("an address").port();
    Left { sockets: vec![id(&bound)], port, ours: true, udp: true, at_once: false }
}

/// A frame, as both tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Frame {
    Tcp { ours: bool, flags: u16, seq: u64, ack: Option<u64>, len: u64 },
    Udp { ours: bool, len: u64 },
    Icmp { kind: u64, code: u64 },
}

impl Frame {
    fn is_ours(&self) -> bool {
        matches!(self, Self::Tcp { ours: true, .. } | Self::Udp { ours: true, .. })
    }
}

/// The flags as bits of the header's byte.
fn bits(flags: &Value) -> u16 {
    let bit = |flag: &Value| match flag.as_str().expect("a flag").to_ascii_lowercase().as_str() {
        "fin" => 1,
        "syn" => 2,
        "rst" => 4,
        "psh" => 8,
        "ack" => 16,
        "urg" => 32,
        "ece" => 64,
        "cwr" => 128,
        other => panic!("no flag: {other}"),
    };
    list(flags).iter().map(bit).sum()
}

/// What the log says of a socket's frames.
fn told(server: &Server, left: &Left) -> Vec<Frame> {
    let segments =
        left.sockets.iter().flat_map(|socket| server.history(&format!("socket={socket}&type=segment")).0);
    let frame = |event: Value| {
        let ours = event["sender"] == "local";
        match event["protocol"].as_str().expect("a protocol") {
            "tcp" => Frame::Tcp {
                ours,
                flags: bits(event.get("flags").unwrap_or(&json!([]))),
                seq: number(&event["seq_relative"]),
                ack: event["ack_relative"].as_u64(),
                len: number(&event["len"]),
            },
            "udp" => Frame::Udp { ours, len: number(&event["len"]) },
            _ => Frame::Icmp { kind: number(&event["icmp"]["type"]), code: number(&event["icmp"]["code"]) },
        }
    };
    segments.map(frame).collect()
}

const FIELDS: [&str; 15] = [
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "tcp.seq",
    "tcp.ack",
    "tcp.len",
    "udp.srcport",
    "udp.dstport",
    "udp.length",
    "icmp.type",
    "icmp.code",
    "icmpv6.type",
    "icmpv6.code",
    "tcp.stream",
    "frame.number",
];

/// What tshark says of the frames with that port; connections one after the other.
fn seen(rows: &[Vec<String>], left: &Left) -> Vec<Frame> {
    let port = left.port.to_string();
    let mut found: Vec<(u64, Frame)> = Vec::new();
    for row in rows {
        let at = |name: &str| &*row[FIELDS.iter().position(|field| *field == name).expect("a field")];
        let num = |name: &str| at(name).parse::<u64>().unwrap_or_else(|_| panic!("{name}: {row:?}"));
        let ours = |from: &str| (at(from) == port) == left.ours;
        let has = |from: &str, to: &str| at(from) == port || at(to) == port;
        if left.udp && has("udp.srcport", "udp.dstport") {
            let frame = if at("icmp.type").is_empty() {
                Frame::Udp { ours: ours("udp.srcport"), len: num("udp.length") - 8 }
            } else {
                Frame::Icmp { kind: num("icmp.type"), code: num("icmp.code") }
            };
            found.push((0, frame));
        } else if !left.udp && has("tcp.srcport", "tcp.dstport") {
            let flags =
                u16::from_str_radix(at("tcp.flags").trim_start_matches("0x"), 16).expect("hex") & 0xff;
            let ack = (flags & 16 != 0).then(|| num("tcp.ack"));
            let frame = Frame::Tcp {
                ours: ours("tcp.srcport"),
                flags,
                seq: num("tcp.seq"),
                ack,
                len: num("tcp.len"),
            };
            found.push((num("tcp.stream"), frame));
        }
    }
    // Sockets of one listener are told one after the other. What filled a black hole before is not ours.
    found.sort_by_key(|(stream, _)| *stream);
    let mut streams: Vec<u64> = found.iter().map(|(stream, _)| *stream).collect();
    streams.dedup();
    let ours = &streams[streams.len().saturating_sub(left.sockets.len())..];
    found.retain(|(stream, _)| ours.contains(stream));
    found.into_iter().map(|(_, frame)| frame).collect()
}

type Job = Box<dyn FnOnce() + Send>;

/// Another host, as good as: a thread in a network namespace of its own. Both end with this.
struct Host {
    thread: Pid,
    jobs: Sender<Job>,
}

impl Host {
    fn new() -> Self {
        let (jobs, work) = channel::<Job>();
        let (began, begins) = channel();
        thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
            began.send(gettid()).expect("somebody waits");
            work.into_iter().for_each(|job| job());
        });
        Self { thread: begins.recv().expect("it began"), jobs }
    }

    /// Does something there. A socket stays in the namespace it was made in, whoever uses it.
    fn does<T: Send + 'static>(&self, what: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = channel();
        let job: Job = Box::new(move || tell.send(what()).expect("somebody waits"));
        self.jobs.send(job).expect("it lives");
        told.recv().expect("it was done")
    }

    /// Puts a pair of interfaces between this host, where it is called `near`, and that one.
    fn wire(&self) {
        self.wire_with("near");
    }

    /// The same with another name here, and what else `ip link add` is to say of it.
    fn wire_with(&self, near: &str) {
        run("ip", &format!("link add {near} type veth peer name far netns {}", self.thread));
        let near = near.split(' ').next().expect("a name");
        for address in ["10.77.0.1/24", "fd77::1/64 nodad"] {
            run("ip", &format!("address add dev {near} {address}"));
        }
        run("ip", &format!("link set {near} up"));
        self.does(|| {
            for address in ["10.77.0.2/24", "fd77::2/64 nodad"] {
                run("ip", &format!("address add dev far {address}"));
            }
            run("ip", "link set far up");
        });
    }
}

/// Waits for what is still on its way: acknowledgements may be delayed by 40 ms.
fn settle(server: &Server) {
    let mut before = 0;
    eventually("it is quiet", || {
        thread::sleep(Duration::from_millis(300));
        let now = server.head();
        std::mem::replace(&mut before, now) == now
    });
}

/// The states somebody else saw must be in our paths; of how many ends some were seen.
#[track_caller]
fn check_states(server: &Server, lefts: &[Left], sampled: &Sampled) -> usize {
    let mut ends = 0;
    for socket in lefts.iter().filter(|left| !left.udp).flat_map(|left| &left.sockets) {
        let told = server.socket(socket);
        let at = |name: &str| told[name].as_str().and_then(sampled::address);
        // One that never was connected has no two ends.
        let (Some(local), Some(remote)) = (at("local"), at("remote")) else { continue };
        for (end, seen) in [("local", sampled.of(local, remote)), ("peer", sampled.of(remote, local))] {
            let ours = path(server, socket, end);
            assert!(is_within(seen, &ours), "{socket}, {end}: ss saw {seen:?}, told {ours:?}");
            ends += usize::from(!seen.is_empty());
        }
    }
    ends
}

/// Runs exchanges all at once while dumpcap looks at that interface and `ss` at the sockets, and holds the stories against each
/// other. Returns of how many ends `ss` saw something.
fn compare(server: &Server, interface: &str, exchanges: &[(&str, &Script<'_>)]) -> usize {
    let dir = tempfile::tempdir().expect("a place");
    let dump = Dump::start(interface, &dir.path().join("beside.pcapng"));
    let stop = AtomicBool::new(false);
    let (left, sampled) = thread::scope(|scope| {
        let sampling = scope.spawn(|| Sampled::until(&stop));
        let runs: Vec<_> = exchanges
            .iter()
            .map(|(name, exchange)| {
                thread::Builder::new()
                    .name((*name).to_owned())
                    .spawn_scoped(scope, || exchange(server))
                    .expect("a thread")
            })
            .collect();
        let joined: Vec<_> = runs.into_iter().map(thread::ScopedJoinHandle::join).collect();
        stop.store(true, Ordering::Relaxed);
        let left: Vec<Left> = joined.into_iter().map(|run| run.expect("it went as scripted")).collect();
        (left, sampling.join().expect("ss answers"))
    });
    settle(server);
    let file = dump.end();
    let rows = shark::fields(&file, "", &FIELDS);
    let (lost, _) = server.history("type=capture_lost");
    assert!(lost.is_empty(), "the server's capture missed some: {lost:?}");
    let mut wrong = String::new();
    for ((name, _), left) in exchanges.iter().zip(&left) {
        let (mut told, mut seen) = (told(server, left), seen(&rows, left));
        if left.at_once {
            // Each end's frames by themselves, in their order.
            told.sort_by_key(Frame::is_ours);
            seen.sort_by_key(Frame::is_ours);
        }
        assert!(!seen.is_empty(), "{name}: tshark saw nothing");
        eprintln!("{name}: {} frames", seen.len());
        if told != seen {
            let at = told
                .iter()
                .zip(&seen)
                .position(|(told, seen)| told != seen)
                .unwrap_or(told.len().min(seen.len()));
            let near =
                |frames: &[Frame]| format!("{:#?}", &frames[at.saturating_sub(2)..frames.len().min(at + 4)]);
            wrong.push_str(&format!(
                "{name} ({:?}, port {}): {} told, {} seen, different from {at} on:\ntold {}\nseen {}\n",
                left.sockets,
                left.port,
                told.len(),
                seen.len(),
                near(&told),
                near(&seen)
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    check_states(server, &left, &sampled)
}

#[test]
fn the_ladder_is_what_tshark_sees() {
    apart(|| {
        let server = Server::start(&["--kernel", "all"]);
        let exchanges: Vec<_> =
            EXCHANGES.iter().map(|(name, exchange)| (*name, exchange as &Script<'_>)).collect();
        let ends = compare(&server, "lo", &exchanges);
        eprintln!("ss saw {ends} ends");
        assert!(ends >= 30, "ss saw {ends} ends");
    });
}

#[test]
fn the_ladder_is_what_tshark_sees_between_two_hosts() {
    apart(|| {
        let far = Host::new();
        far.wire();
        let listeners = far.does(|| {
            ["10.77.0.2", "10.77.0.2", "10.77.0.2", "10.77.0.2", "[fd77::2]"].map(|it| Listener::on(&at(it)))
        });
        let [a, b, c, d, e] = &listeners;
        let server = Server::start(&["--kernel", "all"]);
        compare(
            &server,
            "near",
            &[
                ("echo between hosts", &|server| echo_with(server, a)),
                ("a large transfer between hosts", &|server| large_with(server, b)),
                ("RST by the other host", &|server| reset_by_peer_with(server, c)),
                ("half-close between hosts", &|server| half_close_with(server, d)),
                ("echo between hosts over IPv6", &|server| echo_with(server, e)),
            ],
        );
    });
}

/// What does not go at once waits in a queue, and what does not fit into that is lost and sent again.
#[test]
fn the_ladder_is_what_tshark_sees_over_a_slow_link() {
    apart(|| {
        let far = Host::new();
        far.wire();
        run("tc", "qdisc add dev near root tbf rate 20mbit burst 16kb limit 24kb");
        let listener = far.does(|| Listener::on(&at("10.77.0.2")));
        let server = Server::start(&["--kernel", "all"]);
        compare(
            &server,
            "near",
            &[("a large transfer over a slow link", &|server| large_with(server, &listener))],
        );
        let sent = server.history("type=segment").0;
        let again = |segment: &Value| {
            segment["marks"].as_array().is_some_and(|marks| marks.contains(&json!("retransmission")))
        };
        assert!(sent.iter().any(again), "some was lost and sent again");
    });
}
