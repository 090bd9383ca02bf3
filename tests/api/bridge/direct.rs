//! Direct sockets: many over one channel, of every kind.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sockscope_wire::{Code, Contract, Fact, Role, SocketState};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    kit::{key, listed},
    raw::{Asking, BINARY, CLOSE, Raw, ended, facts, frame, logged, no_names, noise, open_server},
    support::{peer, wait::within_time, *},
};

mod datagrams;
mod listeners;

const OPEN: u8 = 1;
const DATA: u8 = 2;
const DATAGRAM: u8 = 3;
pub(crate) const CREDIT: u8 = 4;
const FIN: u8 = 5;
const SHUT: u8 = 6;
const OPENED: u8 = 7;
const ACCEPTED: u8 = 8;
const CLOSED: u8 = 9;
const LOST: u8 = 10;

const WINDOW: usize = 256 * 1024;

const GRACEFULLY: &[u8] = &[0];
const DISCARD: &[u8] = &[1];

/// A client that folds what it hears.
pub(crate) struct Direct {
    raw: Raw,
    opened: HashMap<u32, Value>,
    data: HashMap<u32, Vec<u8>>,
    /// Of each socket every datagram, with where it came from.
    datagrams: HashMap<u32, Vec<(String, u16, Vec<u8>)>>,
    credits: HashMap<u32, u32>,
    /// Of each stream how much had come when its FIN did.
    fin: HashMap<u32, usize>,
    accepted: HashMap<u32, Vec<Value>>,
    lost: HashMap<u32, Vec<Value>>,
    over: HashMap<u32, Vec<Value>>,
    /// How the WebSocket was closed.
    closed: Option<Option<u16>>,
}

fn packet(kind: u8, socket: u32, payload: &[u8]) -> Vec<u8> {
    [&[kind], &socket.to_le_bytes()[..], payload].concat()
}

fn to(address: SocketAddr, data: &[u8]) -> Vec<u8> {
    place(&address.ip().to_string(), address.port(), data)
}

fn place(host: &str, port: u16, data: &[u8]) -> Vec<u8> {
    let len = u8::try_from(host.len()).expect("short");
    [&[0, len], &port.to_le_bytes()[..], host.as_bytes(), data].concat()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

impl Direct {
    pub(crate) async fn open(server: &TestServer) -> Self {
        Self::at(server, "/bridge/sockets").await
    }

    async fn at(server: &TestServer, path: &str) -> Self {
        Self {
            raw: Raw::ask(server.address(), path, &Asking::default()).await,
            opened: HashMap::new(),
            data: HashMap::new(),
            datagrams: HashMap::new(),
            credits: HashMap::new(),
            fin: HashMap::new(),
            accepted: HashMap::new(),
            lost: HashMap::new(),
            over: HashMap::new(),
            closed: None,
        }
    }

    pub(crate) async fn say(&mut self, kind: u8, socket: u32, payload: &[u8]) {
        self.raw.send(&packet(kind, socket, payload)).await;
    }

    async fn ask(&mut self, socket: u32, asked: &Value) {
        self.say(OPEN, socket, asked.to_string().as_bytes()).await;
    }

    /// Opens one: its addresses.
    async fn opens(&mut self, socket: u32, asked: &Value) -> Value {
        self.ask(socket, asked).await;
        self.until("an OPENED", |direct| {
            assert!(!direct.over.contains_key(&socket), "{:?}", direct.over);
            direct.opened.contains_key(&socket)
        })
        .await;
        self.opened[&socket].clone()
    }

    /// Fails to open one: why.
    async fn refused(&mut self, socket: u32, asked: &Value) -> Value {
        self.ask(socket, asked).await;
        self.over(socket).await
    }

    /// Opens a stream to a peer.
    pub(crate) async fn stream(&mut self, socket: u32, peer: &TcpPeer) -> TcpStream {
        self.opens(socket, &tcp(peer.address())).await;
        peer.accept().await
    }

    async fn hear(&mut self) {
        let message = match self.raw.down.frame().await {
            Some((BINARY, message)) => message,
            Some((CLOSE, payload)) => {
                self.closed = Some(payload.first_chunk().map(|code| u16::from_be_bytes(*code)));
                return;
            }
            Some(_) => return,
            None => panic!("the connection ended"),
        };
        let (&[kind, a, b, c, d], payload) = message.split_first_chunk().expect("a head");
        let socket = u32::from_le_bytes([a, b, c, d]);
        let json = || serde_json::from_slice::<Value>(payload).expect("JSON");
        assert!(!self.over.contains_key(&socket) || kind == CLOSED, "{kind} of {socket} after its end");
        match kind {
            DATA => {
                assert!(!self.fin.contains_key(&socket), "data behind a FIN");
                self.data.entry(socket).or_default().extend_from_slice(payload);
            }
            DATAGRAM => {
                let (&[_, len, low, high], rest) = payload.split_first_chunk().expect("a place");
                let (host, data) = rest.split_at(usize::from(len));
                let host = String::from_utf8(host.to_vec()).expect("UTF-8");
                let datagram = (host, u16::from_le_bytes([low, high]), data.to_vec());
                self.datagrams.entry(socket).or_default().push(datagram);
            }
            CREDIT => {
                let amount = u32::from_le_bytes(payload.try_into().expect("four bytes"));
                *self.credits.entry(socket).or_default() += amount;
            }
            FIN => {
                let came = self.data.get(&socket).map_or(0, Vec::len);
                assert!(self.fin.insert(socket, came).is_none(), "one FIN");
            }
            OPENED => assert!(self.opened.insert(socket, json()).is_none(), "one OPENED"),
            ACCEPTED => self.accepted.entry(socket).or_default().push(json()),
            LOST => self.lost.entry(socket).or_default().push(json()),
            CLOSED => self.over.entry(socket).or_default().push(json()),
            other => panic!("packet type {other}"),
        }
    }

    /// Hears until the condition holds.
    async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        within(what, async {
            while !condition(self) {
                assert!(self.closed.is_none(), "closed ({:?}) before: {what}", self.closed);
                self.hear().await;
            }
        })
        .await;
    }

    async fn over(&mut self, socket: u32) -> Value {
        self.until("a CLOSED", |direct| direct.over.contains_key(&socket)).await;
        self.over[&socket][0].clone()
    }

    pub(crate) async fn came(&mut self, socket: u32, count: usize) -> &[u8] {
        self.until("data", |direct| direct.data.get(&socket).is_some_and(|data| data.len() >= count)).await;
        &self.data[&socket]
    }

    async fn datagram(&mut self, socket: u32) -> (String, u16, Vec<u8>) {
        let before = self.datagrams.get(&socket).map_or(0, Vec::len);
        self.until("a datagram", |direct| {
            direct.datagrams.get(&socket).is_some_and(|all| all.len() > before)
        })
        .await;
        self.datagrams[&socket][before].clone()
    }

    /// Hears until the WebSocket is closed: with which code.
    async fn left(&mut self) -> Option<u16> {
        while self.closed.is_none() {
            self.hear().await;
        }
        self.closed.expect("just closed")
    }

    /// Asks for what is refused and reads no answer, until nothing further is taken of it.
    async fn is_deaf(&mut self) {
        let asking = packet(OPEN, 1 << 30, br#"{"kind":"tcp","host":"a b","port":1}"#);
        let asking = frame(BINARY, &asking).repeat(100);
        let mut at = 0;
        let mut taken = Instant::now();
        eventually("nothing is taken any more", async || {
            while let Some(n) = self.raw.up.try_write(&asking[at % asking.len()..]) {
                at += n;
                taken = Instant::now();
            }
            taken.elapsed() > Duration::from_millis(500)
        })
        .await;
    }

    /// Shows that a stream carries bytes both ways, whatever happened to others.
    pub(crate) async fn alive(&mut self, socket: u32, stream: &mut TcpStream) {
        let said = noise(3000);
        self.say(DATA, socket, &said).await;
        assert_eq!(peer::read(stream, said.len()).await, said);
        let before = self.data.get(&socket).map_or(0, Vec::len);
        peer::write(stream, &said).await;
        assert_eq!(self.came(socket, before + said.len()).await[before..], said);
    }
}

fn tcp(address: SocketAddr) -> Value {
    json!({ "kind": "tcp", "host": address.ip().to_string(), "port": address.port() })
}

/// Reads until the FIN.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    within("the FIN", stream.read_to_end(&mut rest)).await.expect("a FIN");
    rest
}

#[tokio::test]
async fn a_stream_says_where_it_is_and_ends_each_way_by_itself() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut direct = Direct::open(&server).await;
    let ends = direct.opens(7, &tcp(peer.address())).await;
    let mut stream = peer.accept().await;
    assert_eq!(ends["remoteAddress"], "127.0.0.1");
    assert_eq!(ends["remotePort"], peer.address().port());
    assert_eq!(ends["localPort"], stream.peer_addr().expect("connected").port());
    direct.alive(7, &mut stream).await;
    let socket = server.client().sockets().await.sockets.remove(0);
    assert_eq!((socket.bridge, socket.state), (Some(Contract::Direct), SocketState::Open));
    // Ours first: the peer goes on.
    direct.say(DATA, 7, b"last").await;
    direct.say(FIN, 7, &[]).await;
    assert_eq!(rest(&mut stream).await, b"last");
    eventually("the log has our FIN", async || {
        server.client().sockets().await.sockets[0].state == SocketState::HalfClosedLocal
    })
    .await;
    peer::write(&mut stream, b"and mine").await;
    assert!(direct.came(7, 3008).await.ends_with(b"and mine"));
    drop(stream);
    assert_eq!(direct.over(7).await, json!({}));
    assert_eq!(direct.fin[&7], 3008);
    let (reason, counters) = ended(server.client(), socket.id).await;
    assert_eq!((reason, counters.sent_bytes, counters.received_bytes), (Code::BothEnded, 3004, 3008));
    // The peer's first: we go on. The number is free again.
    let mut stream = direct_again(&mut direct, &peer).await;
    within("shutdown", stream.shutdown()).await.expect("a FIN");
    direct.until("a FIN", |direct| direct.fin.contains_key(&8)).await;
    direct.say(DATA, 8, b"still").await;
    direct.say(SHUT, 8, GRACEFULLY).await;
    assert_eq!(rest(&mut stream).await, b"still");
    assert_eq!(direct.over(8).await, json!({}));
}

async fn direct_again(direct: &mut Direct, peer: &TcpPeer) -> TcpStream {
    direct.over.clear();
    direct.opened.clear();
    direct.fin.clear();
    direct.data.clear();
    let stream = direct.stream(7, peer).await;
    direct.say(SHUT, 7, DISCARD).await;
    direct.over(7).await;
    drop(stream);
    direct.stream(8, peer).await
}

#[tokio::test]
async fn what_cannot_be_opened_says_why_with_errno_and_phase() {
    let dns = no_names().await;
    let server = open_server(&["--dns", &dns.to_string()]);
    let (nobody, good) = (Nobody::bind(), TcpPeer::listen().await);
    let mut direct = Direct::open(&server).await;
    let mut stream = direct.stream(1, &good).await;
    let why = direct.refused(2, &tcp(nobody.address())).await;
    assert_eq!(
        (&why["error"], &why["errno"], &why["phase"], &why["code"]),
        (&json!("NetworkError"), &json!("ECONNREFUSED"), &json!("connect"), &json!("refused"))
    );
    let own = server.address().port();
    for (id, asked, error, code) in [
        (3, json!({ "kind": "tcp", "host": "nobody.example", "port": 80 }), "NetworkError", "name_not_found"),
        (4, json!({ "kind": "tcp", "host": "127.0.0.1", "port": own }), "NotAllowedError", "denied"),
        (5, json!({ "kind": "tcp", "host": "169.254.169.254", "port": 80 }), "NotAllowedError", "denied"),
        (6, json!({ "kind": "tcp", "host": "a b", "port": 80 }), "NetworkError", "invalid_target"),
        (7, json!({ "kind": "tcp" }), "NetworkError", "malformed_json"),
        (8, json!({ "kind": "listen", "host": "127.0.0.1", "port": own }), "NotAllowedError", "denied"),
        (
            9,
            json!({ "kind": "listen", "host": "192.0.2.1", "port": 0 }),
            "NetworkError",
            "address_not_available",
        ),
        (
            10,
            json!({ "kind": "tcp", "host": "localhost", "port": 80, "dnsQueryType": "ipv5" }),
            "NetworkError",
            "malformed_json",
        ),
    ] {
        let why = direct.refused(id, &asked).await;
        assert_eq!(
            (text(&why["error"]).as_str(), text(&why["code"]).as_str()),
            (error, code),
            "{asked}: {why}"
        );
    }
    direct.alive(1, &mut stream).await;
}

#[tokio::test]
async fn a_stream_that_is_not_read_stalls_no_other_and_holds_a_window() {
    let server = open_server(&[]);
    let (slow, fast) = (TcpPeer::listen().await, TcpPeer::listen().await);
    let mut direct = Direct::open(&server).await;
    let mut stalled = direct.stream(1, &slow).await;
    let mut other = direct.stream(2, &fast).await;
    // Down: the peer may send without end, the client is given a window of it.
    let flood = tokio::spawn(async move {
        let bytes = noise(64 << 10);
        while let Ok(Ok(())) = tokio::time::timeout(Duration::from_secs(1), stalled.write_all(&bytes)).await {
        }
        stalled
    });
    direct.came(1, WINDOW).await;
    let stalled = within("the peer is held up", flood).await.expect("it does not panic");
    direct.alive(2, &mut other).await;
    assert_eq!(direct.data[&1].len(), WINDOW, "not a byte more than there are credits for");
    let stalled_id =
        server.client().sockets().await.sockets[0].id.min(server.client().sockets().await.sockets[1].id);
    logged(server.client(), stalled_id, "that the client does not read is said", |fact| {
        matches!(fact, Fact::Paused { reason: Code::ClientNotReading, .. })
    })
    .await;
    direct.say(CREDIT, 1, &5_u32.to_le_bytes()).await;
    assert_eq!(direct.came(1, WINDOW + 5).await.len(), WINDOW + 5);
    // Up: what is written is granted again, what is not waits, and one byte too many ends it.
    let piece = vec![7; 64 << 10];
    let mut sent = 0;
    loop {
        let allowed = WINDOW + direct.credits.get(&1).map_or(0, |granted| *granted as usize) - sent;
        if allowed < piece.len() {
            let stuck = tokio::time::timeout(Duration::from_millis(500), direct.hear()).await.is_err();
            if stuck {
                break;
            }
            continue;
        }
        direct.say(DATA, 1, &piece).await;
        sent += piece.len();
    }
    direct.alive(2, &mut other).await;
    direct.say(DATA, 1, &vec![7; WINDOW]).await;
    let why = direct.over(1).await;
    assert_eq!((&why["error"], &why["code"]), (&json!("NetworkError"), &json!("credits_exceeded")));
    direct.alive(2, &mut other).await;
    drop(stalled);
}

#[tokio::test]
async fn many_bytes_both_ways_at_once_arrive_as_they_were() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut direct = Direct::open(&server).await;
    let stream = direct.stream(1, &peer).await;
    let (mut read, mut write) = stream.into_split();
    let bytes = noise(3 << 20);
    let expected = bytes.clone();
    let echo = tokio::spawn(async move { tokio::io::copy(&mut read, &mut write).await });
    let (mut sent, mut came, mut told) = (0, 0, 0);
    while came < bytes.len() {
        let allowed = WINDOW + direct.credits.get(&1).map_or(0, |granted| *granted as usize) - sent;
        let next = allowed.min(bytes.len() - sent).min(10_000);
        if next > 0 {
            direct.say(DATA, 1, &bytes[sent..sent + next]).await;
            sent += next;
            if sent == bytes.len() {
                direct.say(FIN, 1, &[]).await;
            }
        }
        if next == 0 || sent - came > WINDOW / 2 {
            direct.hear().await;
        }
        came = direct.data.get(&1).map_or(0, Vec::len);
        if came - told > 10_000 {
            let amount = u32::try_from(came - told).expect("small");
            direct.say(CREDIT, 1, &amount.to_le_bytes()).await;
            told = came;
        }
    }
    within("the echo", echo).await.expect("no panic").expect("no error");
    assert!(direct.data[&1] == expected, "all of it, in order");
    assert_eq!(direct.over(1).await, json!({}));
}

#[tokio::test]
async fn a_reset_says_so() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut direct = Direct::open(&server).await;
    let stream = direct.stream(1, &peer).await;
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    drop(stream);
    let why = direct.over(1).await;
    assert_eq!((&why["error"], &why["errno"]), (&json!("NetworkError"), &json!("ECONNRESET")));
    // Closed by somebody here.
    let mut stream = direct.stream(2, &peer).await;
    let sockets = server.client().sockets().await.sockets;
    let open = sockets.iter().find(|socket| socket.state == SocketState::Open).expect("one is open");
    assert_eq!(server.client().delete(&format!("sockets/{}", open.id)).await.status(), 204);
    assert_eq!(direct.over(2).await["error"], "NetworkError");
    assert_eq!(rest(&mut stream).await, b"");
}

#[tokio::test]
async fn datagrams_go_to_one_peer_or_to_any() {
    let server = open_server(&[]);
    let (one, two) = (UdpPeer::bind().await, UdpPeer::bind().await);
    let mut direct = Direct::open(&server).await;
    let ends =
        direct.opens(1, &json!({ "kind": "udp", "host": "127.0.0.1", "port": one.address().port() })).await;
    assert_eq!(ends["remotePort"], one.address().port());
    for said in [&b"one"[..], b"", &noise(65_507)] {
        direct.say(DATAGRAM, 1, &[&[0; 4], said].concat()).await;
        let (heard, from) = one.receive().await;
        assert!(heard == said, "one packet is one datagram");
        one.send(said, &from.to_string()).await;
        let (host, port, data) = direct.datagram(1).await;
        assert_eq!((host.as_str(), port), ("", 0), "a connected socket has one peer");
        assert!(data == said, "one datagram is one packet");
        direct.say(CREDIT, 1, &u32::try_from(data.len() + 64).expect("small").to_le_bytes()).await;
    }
    let ends = direct.opens(2, &json!({ "kind": "udp-bind", "host": "127.0.0.1" })).await;
    assert_eq!(ends.get("remotePort"), None);
    let local = format!("127.0.0.1:{}", ends["localPort"]);
    for peer in [&one, &two] {
        peer.send(b"hello", &local).await;
        let (host, port, data) = direct.datagram(2).await;
        assert_eq!(
            (host.as_str(), port, data.as_slice()),
            ("127.0.0.1", peer.address().port(), &b"hello"[..])
        );
        direct.say(DATAGRAM, 2, &to(peer.address(), b"and back")).await;
        let (heard, from) = peer.receive().await;
        assert_eq!((heard.as_slice(), from.to_string()), (&b"and back"[..], local.clone()));
    }
    // What does not go is told, and the socket goes on.
    for (asked, error, code) in [
        (vec![0; 4], "NetworkError", "missing_to"),
        (place("169.254.169.254", 80, b"x"), "NotAllowedError", ""),
        (place("::1", 80, b"x"), "NetworkError", "wrong_family"),
        (to(one.address(), &noise(65_508)), "NetworkError", ""),
    ] {
        let before = direct.lost.get(&2).map_or(0, Vec::len);
        direct.say(DATAGRAM, 2, &asked).await;
        direct.until("a LOST", |direct| direct.lost.get(&2).is_some_and(|lost| lost.len() > before)).await;
        let why = &direct.lost[&2][before];
        assert_eq!(why["error"], error, "{why}");
        assert!(code.is_empty() || why["code"] == code, "{why}");
    }
    direct.say(DATAGRAM, 2, &to(two.address(), b"still")).await;
    assert_eq!(two.receive().await.0, b"still");
    direct.say(SHUT, 2, GRACEFULLY).await;
    assert_eq!(direct.over(2).await, json!({}));
    let sockets = server.client().sockets().await.sockets;
    let bound = sockets.iter().find(|socket| socket.role == Role::Bound).expect("the bound one");
    let (reason, counters) = ended(server.client(), bound.id).await;
    assert_eq!((reason, counters.sent_events, counters.received_events), (Code::ClientClosed, 3, 2));
    let facts = facts(server.client(), bound.id).await;
    assert!(
        facts.iter().any(|fact| matches!(fact, Fact::RefusedByPolicy { .. })),
        "the refusal is in the log"
    );
}

#[tokio::test]
async fn datagrams_come_for_credits_and_those_that_find_no_room_are_counted_to_the_last() {
    const LEN: usize = 1000;
    let server = open_server(&[]);
    let client = server.client();
    let peer = UdpPeer::bind().await;
    let mut direct = Direct::open(&server).await;
    let asked = json!({ "kind": "udp", "host": "127.0.0.1", "port": peer.address().port() });
    let local = direct.opens(1, &asked).await["localPort"].clone();
    let local = format!("127.0.0.1:{local}");
    let id = client.sockets().await.sockets[0].id;
    let datagram = noise(LEN);
    let all = 5000_u64;
    for _ in 0..all {
        peer.send(&datagram, &local).await;
    }
    logged(client, id, "the client gives no credits", |fact| {
        matches!(fact, Fact::Paused { reason: Code::ClientNotReading, .. })
    })
    .await;
    let came = |direct: &Direct| direct.datagrams.get(&1).map_or(0, Vec::len);
    let hear = async |direct: &mut Direct| {
        tokio::time::timeout(Duration::from_millis(200), direct.hear()).await.is_ok()
    };
    while hear(&mut direct).await {}
    assert!((1..=WINDOW / (LEN + 64)).contains(&came(&direct)), "{} came", came(&direct));
    // Each is paid for once it has come.
    let (mut paid, mut counted) = (0, 0);
    while came(&direct) as u64 + counted < all {
        let owed = u32::try_from((came(&direct) - paid) * (LEN + 64)).expect("small");
        paid = came(&direct);
        if owed > 0 {
            direct.say(CREDIT, 1, &owed.to_le_bytes()).await;
        }
        if !hear(&mut direct).await {
            counted = client.socket(id).await.counters.dropped;
        }
    }
    assert!(counted > 0, "some were lost, or this shows nothing");
    assert_eq!(came(&direct) as u64 + counted, all);
    assert!(direct.datagrams[&1].iter().all(|(_, _, data)| *data == datagram), "whole");
    direct.say(SHUT, 1, GRACEFULLY).await;
    assert_eq!(direct.over(1).await, json!({}));
    let counters = ended(client, id).await.1;
    assert_eq!((counters.received_events, counters.dropped), (came(&direct) as u64, counted));
}

#[tokio::test]
async fn the_limits_of_a_key_hold_for_every_socket_of_a_page() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let why = async |more: Value, sockets: u32| {
        let made = key(client, &[&peer.target()], more).await;
        let mut direct = Direct::at(&server, &format!("/k/{}/bridge/sockets", made.secret)).await;
        let mut streams = Vec::new();
        for socket in 1..sockets {
            streams.push(direct.stream(socket, &peer).await);
        }
        let why = direct.refused(sockets, &tcp(peer.address())).await;
        (text(&why["error"]), text(&why["code"]))
    };
    let refused = |code: &str| ("NotAllowedError".to_owned(), code.to_owned());
    assert_eq!(why(json!({ "max_streams": 2 }), 3).await, refused("key:max_streams"));
    let made = key(client, &[&peer.target()], json!({ "max_bytes": 1000 })).await;
    let mut direct = Direct::at(&server, &format!("/k/{}/bridge/sockets", made.secret)).await;
    let mut stream = direct.stream(1, &peer).await;
    direct.say(DATA, 1, &noise(2000)).await;
    while direct.closed.is_none() {
        direct.hear().await;
    }
    assert_eq!(direct.closed, Some(Some(1008)));
    assert!(peer::read_to_end(&mut stream).await.expect("a FIN").len() <= 2000);
}

#[tokio::test]
async fn a_listener_accepts_as_many_as_it_is_asked_for() {
    let server = open_server(&[]);
    let mut direct = Direct::open(&server).await;
    let ends = direct.opens(1, &json!({ "kind": "listen", "host": "127.0.0.1", "backlog": 5 })).await;
    let address: SocketAddr = format!("127.0.0.1:{}", ends["localPort"]).parse().expect("an address");
    let mut first = within("connecting", TcpStream::connect(address)).await.expect("it listens");
    let mut second = within("connecting", TcpStream::connect(address)).await.expect("it listens");
    assert_eq!(server.client().sockets().await.sockets.len(), 1, "nothing is accepted unasked");
    peer::write(&mut first, b"first").await;
    direct.say(CREDIT, 1, &1_u32.to_le_bytes()).await;
    direct.until("an ACCEPTED", |direct| direct.accepted.contains_key(&1)).await;
    let child = direct.accepted[&1][0].clone();
    let id = u32::try_from(child["socket"].as_u64().expect("a number")).expect("32 bits");
    assert!(id >= 1 << 31, "the server's numbers have the highest bit");
    assert_eq!(child["remotePort"], first.local_addr().expect("connected").port());
    assert_eq!(child["localPort"], address.port());
    assert_eq!(direct.came(id, 5).await, b"first");
    direct.alive(id, &mut first).await;
    let sockets = server.client().sockets().await.sockets;
    assert_eq!(sockets.len(), 2, "the second waits in the kernel");
    let accepted = sockets.iter().find(|socket| socket.role == Role::Accepted).expect("the accepted one");
    assert_eq!((accepted.bridge, accepted.state), (Some(Contract::Direct), SocketState::Open));
    // What was accepted outlives its listener; what was not is gone.
    direct.say(SHUT, 1, GRACEFULLY).await;
    assert_eq!(direct.over(1).await, json!({}));
    let mut byte = [0];
    assert!(within("the second is gone", second.read(&mut byte)).await.is_err());
    direct.alive(id, &mut first).await;
    direct.say(FIN, id, &[]).await;
    assert_eq!(rest(&mut first).await, b"");
}

#[tokio::test]
async fn a_key_says_where_may_be_listened_and_to_whom_be_sent() {
    let server = TestServer::start();
    let (tcp_peer, peer) = (TcpPeer::listen().await, UdpPeer::bind().await);
    let client = server.client();
    let made = key(
        client,
        &[
            "tcp-listen://127.0.0.1:*",
            "udp-bind://127.0.0.1:*",
            &format!("udp://127.0.0.1:{}", peer.address().port()),
        ],
        json!({ "max_streams": 3 }),
    )
    .await;
    let mut direct = Direct::at(&server, &format!("/k/{}/bridge/sockets", made.secret)).await;
    let why = direct.refused(1, &tcp(tcp_peer.address())).await;
    assert_eq!((&why["error"], &why["code"]), (&json!("NotAllowedError"), &json!("key:targets")));
    let why = direct.refused(2, &json!({ "kind": "listen", "host": "127.0.0.2" })).await;
    assert_eq!(why["code"], "key:targets");
    direct.opens(3, &json!({ "kind": "udp-bind", "host": "127.0.0.1" })).await;
    direct.say(DATAGRAM, 3, &to(peer.address(), b"may")).await;
    assert_eq!(peer.receive().await.0, b"may");
    direct.say(DATAGRAM, 3, &place("127.0.0.1", 9, b"may not")).await;
    direct.until("a LOST", |direct| direct.lost.contains_key(&3)).await;
    assert_eq!(direct.lost[&3][0]["code"], "key:targets");
    let ends = direct.opens(4, &json!({ "kind": "listen", "host": "127.0.0.1" })).await;
    let address = format!("127.0.0.1:{}", ends["localPort"]);
    direct.say(CREDIT, 4, &9_u32.to_le_bytes()).await;
    let mut first = within("connecting", TcpStream::connect(&address)).await.expect("it listens");
    direct.until("an ACCEPTED", |direct| direct.accepted.contains_key(&4)).await;
    // The fourth is one too many, and is closed at once.
    let mut second = within("connecting", TcpStream::connect(&address)).await.expect("it listens");
    assert_eq!(rest(&mut second).await, b"");
    assert_eq!(listed(client, &made.key.id).await.sockets.len(), 3);
    assert_eq!(client.delete(&format!("keys/{}", made.key.id)).await.status(), 204);
    assert_eq!(direct.left().await, Some(1008));
    assert_eq!(rest(&mut first).await, b"");
    eventually("all is closed", async || {
        client
            .sockets()
            .await
            .sockets
            .iter()
            .all(|socket| !matches!(socket.state, SocketState::Open | SocketState::Listening))
    })
    .await;
}

#[tokio::test]
async fn ports_of_listeners_are_those_of_the_policy() {
    let port = Nobody::bind().address().port();
    let range = format!("{port}-{port}");
    let server = open_server(&["--listen-ports", &range]);
    let mut direct = Direct::open(&server).await;
    let why = direct.refused(1, &json!({ "kind": "listen", "host": "127.0.0.1", "port": port ^ 1 })).await;
    assert_eq!((&why["error"], &why["code"]), (&json!("NotAllowedError"), &json!("denied")));
    let ends = direct.opens(2, &json!({ "kind": "listen", "host": "127.0.0.1" })).await;
    assert_eq!(ends["localPort"], port);
}

#[tokio::test]
async fn who_speaks_another_protocol_is_told_and_holds_nothing() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    for wrong in [
        vec![0, 1, 0, 0, 0],
        vec![7, 1, 0, 0, 0],
        vec![OPEN, 1],
        packet(OPEN, 1 << 31, b"{}"),
        packet(OPEN, 1, tcp(peer.address()).to_string().as_bytes()),
        packet(CREDIT, 1, &[1]),
        packet(DATAGRAM, 1, &[9, 0, 0, 0]),
        packet(SHUT, 1, &[3]),
    ] {
        let mut direct = Direct::open(&server).await;
        let mut stream = direct.stream(1, &peer).await;
        direct.say(DATA, 99, b"nobody's").await;
        direct.say(CREDIT, 99, &[0; 4]).await;
        direct.alive(1, &mut stream).await;
        direct.raw.send(&wrong).await;
        assert_eq!(direct.left().await, Some(1002), "{wrong:?}");
        assert_eq!(rest(&mut stream).await, b"");
    }
    let mut direct = Direct::open(&server).await;
    let mut stream = direct.stream(1, &peer).await;
    direct.raw.reset();
    assert_eq!(rest(&mut stream).await, b"");
}

#[tokio::test]
async fn a_number_is_free_as_soon_as_its_socket_is_said_to_be_closed() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut direct = Direct::open(&server).await;
    for _ in 0..300 {
        direct.over.clear();
        direct.opened.clear();
        let stream = direct.stream(1, &peer).await;
        direct.say(SHUT, 1, DISCARD).await;
        direct.over(1).await;
        drop(stream);
    }
}

#[tokio::test]
async fn nothing_is_accepted_behind_the_last_word_of_a_listener() {
    let server = open_server(&[]);
    let mut direct = Direct::open(&server).await;
    for id in 1..=200 {
        let ends = direct.opens(id, &json!({ "kind": "listen", "host": "127.0.0.1" })).await;
        let address = format!("127.0.0.1:{}", ends["localPort"]);
        direct.say(CREDIT, id, &9_u32.to_le_bytes()).await;
        let clients = [TcpStream::connect(&address), TcpStream::connect(&address)];
        let [first, second] = clients;
        let (_clients, ()) =
            tokio::join!(async { tokio::join!(first, second) }, direct.say(SHUT, id, DISCARD));
        // What comes behind it is found where it is heard.
        direct.over(id).await;
    }
    let accepted: Vec<_> = direct.accepted.values().flatten().cloned().collect();
    for child in accepted {
        let id = u32::try_from(child["socket"].as_u64().expect("a number")).expect("32 bits");
        if !direct.over.contains_key(&id) {
            direct.say(SHUT, id, DISCARD).await;
        }
    }
    eventually("none is left open", async || {
        server.client().sockets().await.sockets.iter().all(|socket| socket.state == SocketState::Closed)
    })
    .await;
}

#[tokio::test]
async fn a_reset_behind_a_fin_is_seen_though_nobody_writes() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut direct = Direct::open(&server).await;
    let mut stream = direct.stream(1, &peer).await;
    within("a FIN", stream.shutdown()).await.expect("sent");
    direct.until("a FIN", |direct| direct.fin.contains_key(&1)).await;
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    drop(stream);
    let why = direct.over(1).await;
    // What Linux says of a reset behind a FIN.
    assert_eq!((&why["error"], &why["errno"]), (&json!("NetworkError"), &json!("EPIPE")));
}

#[tokio::test]
async fn what_a_target_said_before_it_reset_the_connection_arrives() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut direct = Direct::open(&server).await;
    let answer = noise(20_000);
    for id in 1..=20 {
        let mut stream = direct.stream(id, &peer).await;
        direct.say(DATA, id, &vec![7; 200_000]).await;
        peer::read(&mut stream, 10).await;
        peer::write(&mut stream, &answer).await;
        // With bytes unread: that is a RST (RFC 2525, 2.17).
        drop(stream);
        let why = direct.over(id).await;
        assert_eq!((&why["error"], &why["errno"]), (&json!("NetworkError"), &json!("ECONNRESET")), "{why}");
        assert!(direct.data.get(&id).is_some_and(|came| *came == answer), "all of the answer");
        assert!(!direct.fin.contains_key(&id), "and no FIN");
    }
}

#[tokio::test]
async fn a_revoked_key_does_not_wait_for_what_was_sent_before_a_close() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({})).await;
    let mut direct = Direct::at(&server, &format!("/k/{}/bridge/sockets", made.secret)).await;
    let mut asked = tcp(peer.address());
    asked["sendBufferSize"] = json!(4096);
    direct.opens(1, &asked).await;
    let mut stream = peer.accept().await;
    direct.say(DATA, 1, &vec![7; WINDOW]).await;
    direct.say(SHUT, 1, GRACEFULLY).await;
    // What is answered behind it shows that it was taken.
    direct.refused(2, &json!({ "kind": "listen", "host": "127.0.0.1" })).await;
    assert_eq!(client.delete(&format!("keys/{}", made.key.id)).await.status(), 204);
    // Less than what is sent may wait for.
    let told = within_time(Duration::from_secs(3), "the channel's end", direct.left()).await;
    assert_eq!(told, Some(1008));
    assert!(peer::read_to_end(&mut stream).await.map_or(0, |came| came.len()) < WINDOW);
}

#[tokio::test]
async fn a_socket_that_is_being_opened_is_discarded_at_once_whatever_was_sent() {
    let server = open_server(&[]);
    let (nowhere, nobody) = (Blackhole::open(), Nobody::bind());
    let address = nowhere.target().trim_start_matches("tcp://").parse().expect("an address");
    let mut direct = Direct::open(&server).await;
    direct.ask(1, &tcp(address)).await;
    let connecting = async || {
        let events = server.client().events().await;
        events.iter().any(|event| matches!(event.fact, Fact::Connecting { .. }))
    };
    eventually("it is being dialled", connecting).await;
    direct.say(DATA, 1, b"never sent").await;
    // What is answered behind it shows that it was taken.
    direct.refused(2, &tcp(nobody.address())).await;
    direct.say(SHUT, 1, DISCARD).await;
    // Less than what is sent may wait for.
    assert_eq!(within_time(Duration::from_secs(3), "its end", direct.over(1)).await, json!({}));
}

#[tokio::test]
async fn who_exceeds_their_credits_before_a_socket_is_open_is_told_so() {
    let server = open_server(&[]);
    let nowhere = Blackhole::open();
    let address = nowhere.target().trim_start_matches("tcp://").parse().expect("an address");
    let mut direct = Direct::open(&server).await;
    direct.ask(1, &tcp(address)).await;
    direct.say(DATA, 1, &vec![7; WINDOW + 1]).await;
    let why = within_time(Duration::from_secs(3), "its end", direct.over(1)).await;
    assert_eq!((&why["error"], &why["code"]), (&json!("NetworkError"), &json!("credits_exceeded")));
}
