//! UDP: connected and bound sockets, lengths and senders, ICMP, and losses counted to the datagram.

use std::{
    net::UdpSocket,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::kit::{
    Listener, PATIENCE, Server, eventually, id, is_like, list, number, payload, read_exactly, text, types,
};

struct Peer(UdpSocket);

impl Peer {
    fn new() -> Self {
        Self::on("127.0.0.1:0")
    }

    fn on(address: &str) -> Self {
        let socket = UdpSocket::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
        Self(socket)
    }

    fn address(&self) -> String {
        self.0.local_addr().expect("bound").to_string()
    }

    fn receive(&self) -> (Vec<u8>, String) {
        let mut buffer = vec![0; 65_536];
        let (len, from) = self.0.recv_from(&mut buffer).expect("it comes");
        (buffer[..len].to_vec(), from.to_string())
    }

    fn send(&self, datagram: &[u8], to: &str) {
        self.0.send_to(datagram, to).expect("sent");
    }
}

#[test]
fn a_connected_socket_has_one_peer() {
    let server = Server::start(&[]);
    let (peer, stranger) = (Peer::new(), Peer::new());
    let socket = server.open(&format!("udp://{}", peer.address()));
    assert_eq!((&socket["role"], &socket["state"]), (&json!("connected"), &json!("open")));
    let (id, local) = (id(&socket), text(&socket["local"]));
    server.say(&id, b"ping");
    assert_eq!(peer.receive(), (b"ping".to_vec(), local.clone()));
    stranger.send(b"not for you", &local);
    peer.send(b"pong", &local);
    peer.send(b"", &local);
    let pong = server.fact(&id, json!({ "type": "received", "len": 4 }));
    assert_eq!((payload(&pong), text(&pong["from"])), (b"pong".to_vec(), peer.address()));
    assert!(pong.get("offset").is_none(), "datagrams have no offset");
    let empty = server.fact(&id, json!({ "type": "received", "len": 0 }));
    assert_eq!(empty["payload"], "", "an empty datagram is one");
    assert_eq!(server.socket(&id)["counters"]["received_events"], 2, "and the stranger is not heard");
    server.say(&id, b"");
    assert_eq!(peer.receive().0, b"");
    server.send(&id, b"x", "?to=127.0.0.1:9").problem(422, "unexpected_to");
}

#[test]
fn a_bound_socket_talks_to_many_peers_and_lists_them() {
    let server = Server::start(&[]);
    let socket = server.open("udp-bind://127.0.0.1:0");
    let (id, local) = (id(&socket), text(&socket["local"]));
    let peers: Vec<Peer> = (0..3).map(|_| Peer::new()).collect();
    for (at, peer) in peers.iter().enumerate() {
        for turn in 0..=at {
            peer.send(format!("{at}.{turn}").as_bytes(), &local);
        }
        let last = json!({ "type": "received", "from": peer.address(), "len": 3 });
        server.fact(&id, last);
        eventually("every datagram is there", || {
            let counters = &server.socket(&id)["counters"];
            number(&counters["received_events"]) == ((at + 1) * (at + 2) / 2) as u64
        });
        server.send(&id, b"answer", &format!("?to={}", peer.address())).ok();
        assert_eq!(peer.receive(), (b"answer".to_vec(), local.clone()));
    }
    let seen = list(&server.socket(&id)["peers"]);
    assert_eq!(seen.len(), 3);
    for (at, peer) in peers.iter().enumerate() {
        let expected = json!({
            "address": peer.address(), "received_events": at + 1, "received_bytes": 3 * (at + 1),
            "sent_events": 1, "sent_bytes": 6,
        });
        assert!(seen.iter().any(|seen| is_like(seen, &expected)), "{expected} in {seen:#?}");
    }
    assert_eq!(text(&seen[0]["address"]), peers[2].address(), "the latest first");
}

#[test]
fn ipv6_datagrams_and_mapped_senders_are_shown_as_what_they_are() {
    let server = Server::start(&[]);
    let socket = server.open("udp-bind://[::]:0");
    let id = id(&socket);
    let port = text(&socket["local"]).rsplit(':').next().expect("a port").to_owned();
    let (six, four) = (Peer::on("[::1]:0"), Peer::new());
    six.send(b"six", &format!("[::1]:{port}"));
    four.send(b"four", &format!("127.0.0.1:{port}"));
    assert_eq!(text(&server.fact(&id, json!({ "type": "received", "len": 3 }))["from"]), six.address());
    let mapped = four.address().replace("127.0.0.1", "[::ffff:127.0.0.1]");
    assert_eq!(text(&server.fact(&id, json!({ "type": "received", "len": 4 }))["from"]), mapped);
    server.send(&id, b"back", &format!("?to={mapped}")).ok();
    assert_eq!(four.receive().0, b"back", "and what is shown can be answered");
}

#[test]
fn a_datagram_to_another_family_is_refused_and_leaves_no_trace() {
    let server = Server::start(&[]);
    for (local, to, family) in [("127.0.0.1", "[::1]:9", "IPv4"), ("[::1]", "127.0.0.1:9", "IPv6")] {
        let bound = id(&server.open(&format!("udp-bind://{local}:0")));
        let head = server.head();
        let problem = server.send(&bound, b"x", &format!("?to={to}")).problem(422, "wrong_family");
        assert_eq!(problem["params"]["family"], family);
        assert_eq!(server.head(), head);
    }
}

/// A practice peer's losses are counted like anybody's: sent = received + dropped.
#[test]
fn a_practice_peer_accounts_for_every_datagram() {
    const SENT: usize = 60_000;
    let server = Server::start(&[]);
    let (peer, target) = server.practice("echo_udp");
    let flood = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    flood.connect(target.trim_start_matches("udp://")).expect("loopback");
    for _ in 0..SENT {
        flood.send(&[1; 512]).expect("loopback takes it");
    }
    eventually("every datagram is received or counted", || {
        let counters = server.socket(&peer)["counters"].clone();
        number(&counters["received_events"]) + number(&counters["dropped"]) == SENT as u64
    });
}

#[test]
fn a_datagram_longer_than_the_read_is_truncated_and_says_so() {
    let server = Server::start(&[]);
    let socket = server.open_with("udp-bind://127.0.0.1:0", json!({ "read_size": 4 }));
    let (id, peer) = (id(&socket), Peer::new());
    peer.send(b"four", &text(&socket["local"]));
    peer.send(b"five!", &text(&socket["local"]));
    eventually("both are there", || server.socket(&id)["counters"]["received_events"] == 2);
    let story = server.story(&id);
    let received: Vec<&Value> = story.iter().filter(|event| event["type"] == "received").collect();
    assert!(received[0].get("truncated").is_none(), "{}", received[0]);
    assert!(is_like(received[1], &json!({ "len": 4, "truncated": true, "from": peer.address() })));
    assert_eq!(payload(received[1]), b"five");
}

#[test]
fn the_largest_datagram_goes_through_and_a_larger_one_is_refused() {
    let server = Server::start(&[]);
    let peer = Peer::new();
    let id = id(&server.open(&format!("udp://{}", peer.address())));
    let largest = vec![9; 65_507];
    server.say(&id, &largest);
    let (datagram, from) = peer.receive();
    assert!(datagram == largest);
    peer.send(&largest, &from);
    let received = server.fact(&id, json!({ "type": "received", "len": 65_507 }));
    assert!(received.get("truncated").is_none());
    let problem = server.send(&id, &vec![9; 65_508], "").problem(413, "message_too_long");
    assert!(is_like(&problem, &json!({ "errno": "EMSGSIZE", "phase": "send" })), "{problem}");
    server.say(&id, b"the socket lives on");
    assert_eq!(peer.receive().0, b"the socket lives on");
}

#[test]
fn an_icmp_error_is_a_fact_and_the_socket_lives_on() {
    let server = Server::start(&[]);
    // An address no other test binds, so that the port stays free until it is wanted.
    let address = Peer::on("127.0.0.77:0").address();
    let id = id(&server.open(&format!("udp://{address}")));
    server.say(&id, b"anybody?");
    let failed = server.fact(&id, json!({ "type": "failed" }));
    let expected = json!({ "code": "refused", "errno": "ECONNREFUSED", "fatal": false, "phase": "receive" });
    assert!(is_like(&failed, &expected), "{failed}");
    assert_eq!(server.socket(&id)["state"], "open");
    let peer = Peer::on(&address);
    server.say(&id, b"now?");
    assert_eq!(peer.receive().0, b"now?");
}

/// Sent equals recorded plus dropped, exactly, when it is quiet again.
#[test]
fn losses_are_counted_to_the_datagram() {
    const SENT: u64 = 30_000;
    let server = Server::start(&[]);
    let socket = server.open_with("udp-bind://127.0.0.1:0", json!({ "recv_buffer": 4096 }));
    let (id, local) = (id(&socket), text(&socket["local"]));
    let quiet = server.open("udp-bind://127.0.0.1:0");
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let peer = Peer::new();
                for _ in 0..SENT / 2 {
                    peer.send(&[1; 64], &local);
                }
            });
        }
    });
    let counters = || server.socket(&id)["counters"].clone();
    eventually("every datagram is accounted for", || {
        let counters = counters();
        number(&counters["received_events"]) + number(&counters["dropped"]) >= SENT
    });
    let after = counters();
    assert_eq!(number(&after["received_events"]) + number(&after["dropped"]), SENT, "{after}");
    assert!(number(&after["dropped"]) > 0, "so small a buffer overflows");
    let (events, _) = server.history(&format!("socket={id}&payload=none"));
    let recorded = events.iter().filter(|event| event["type"] == "received").count() as u64;
    let dropped: u64 =
        events.iter().filter(|event| event["type"] == "dropped").map(|event| number(&event["count"])).sum();
    assert_eq!((recorded, dropped), (number(&after["received_events"]), number(&after["dropped"])));
    let last = events.iter().rfind(|event| event["type"] == "dropped").expect("at least one");
    assert_eq!((&last["total"], &last["reason"]), (&json!(dropped), &json!("kernel_buffer_full")));
    server.close(&id);
    let closed = server.fact(&id, json!({ "type": "closed" }));
    assert_eq!(closed["counters"]["dropped"], dropped, "and the end says the same");
    assert_eq!(server.socket(&crate::kit::id(&quiet))["counters"]["dropped"], 0);
}

/// Closing in the middle of a flood: what the kernel still held was received, the rest was dropped or never came.
#[test]
fn a_close_in_a_flood_accounts_for_what_the_kernel_held() {
    let server = Server::start(&[]);
    let socket = server.open("udp-bind://127.0.0.1:0");
    let (id, local) = (id(&socket), text(&socket["local"]));
    let peer = Peer::new();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Far more than a close takes, and not more than a slow machine can record.
            for _ in 0..300_000 {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                peer.send(&[2; 100], &local);
            }
        });
        eventually("the flood runs", || number(&server.socket(&id)["counters"]["received_events"]) > 1000);
        server.close(&id);
        stop.store(true, Ordering::Relaxed);
    });
    let closed = server.fact(&id, json!({ "type": "closed" }));
    let (events, _) = server.history(&format!("socket={id}&payload=none"));
    let recorded = events.iter().filter(|event| event["type"] == "received").count() as u64;
    assert_eq!(number(&closed["counters"]["received_events"]), recorded);
    assert_eq!(types(&events).last(), Some(&"closed"), "nothing follows the end");
}

/// A flood is always ready to be received. The API and every other socket get their turn all the same.
#[test]
fn a_flood_of_datagrams_keeps_nobody_waiting() {
    let server = Server::start(&["--log-bytes", "16M"]);
    let socket = server.open("udp-bind://127.0.0.1:0");
    let (id, local) = (id(&socket), text(&socket["local"]));
    let (other, mut peer) = Listener::new().meet(&server);
    let stop = AtomicBool::new(false);
    let longest = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (flood, begin) = (Peer::new(), Instant::now());
                while !stop.load(Ordering::Relaxed) && begin.elapsed() < PATIENCE {
                    flood.send(&[2; 64], &local);
                }
            });
        }
        let longest = (0..5).map(|_| {
            // Not a wait for something: time for every other thread of the server to fall asleep, and a new connection
            // to wake one.
            thread::sleep(Duration::from_millis(300));
            server.hang_up();
            let begin = Instant::now();
            server.say(&other, b"ping");
            assert_eq!(read_exactly(&mut peer, 4), b"ping");
            begin.elapsed()
        });
        let longest = longest.max();
        server.close(&id);
        stop.store(true, Ordering::Relaxed);
        longest.expect("five")
    });
    assert!(longest < Duration::from_secs(5), "a round trip took {longest:?}");
}
