//! TCP: clients, listeners, addresses of every family, bytes as they were delivered.

use std::{
    io::Write as _,
    net::{Ipv6Addr, TcpStream},
    thread,
};

use serde_json::json;

use crate::kit::{
    Listener, Noise, Server, carried, dial, eventually, id, number, patient, payload, read_exactly, text,
    types,
};

#[test]
fn a_client_talks_both_ways_and_every_read_is_a_fact_even_of_one_byte() {
    let server = Server::start(&[]);
    let listener = Listener::new();
    let (client, mut peer) = listener.meet(&server);
    for (at, byte) in b"hello".iter().enumerate() {
        peer.write_all(&[*byte]).expect("written");
        let event = server.fact(&client, json!({ "type": "received", "offset": at }));
        assert_eq!((number(&event["len"]), payload(&event)), (1, vec![*byte]));
    }
    server.say(&client, b"good ");
    server.say(&client, b"day");
    assert_eq!(read_exactly(&mut peer, 8), b"good day");
    let story = server.story(&client);
    let expected = [
        "opening",
        "connecting",
        "connected",
        "received",
        "received",
        "received",
        "received",
        "received",
        "sent",
        "sent",
    ];
    assert_eq!(types(&story), expected);
    assert_eq!(carried(&story, "sent"), b"good day");
    assert!(story[1..].iter().all(|event| number(&event["t_us"]) > 0 && event["at"].is_string()));
    assert!(story[2]["took_us"].is_u64(), "connect is a call");
    let socket = server.socket(&client);
    assert_eq!((&socket["role"], &socket["state"]), (&json!("client"), &json!("open")));
    assert_eq!(text(&socket["remote"]), peer.local_addr().expect("connected").to_string());
    assert_eq!(text(&socket["local"]), peer.peer_addr().expect("connected").to_string());
    let counters =
        json!({ "sent_bytes": 8, "sent_events": 2, "received_bytes": 5, "received_events": 5, "dropped": 0 });
    assert_eq!(socket["counters"], counters);
}

#[test]
fn a_listener_accepts_many_clients_and_each_is_a_socket_with_a_parent() {
    let server = Server::start(&[]);
    let listening = server.open("tcp-listen://127.0.0.1:0");
    assert_eq!((&listening["role"], &listening["state"]), (&json!("listener"), &json!("listening")));
    let listener = id(&listening);
    assert_eq!(types(&server.story(&listener)), ["opening", "bound", "listening"]);
    let mut peers: Vec<TcpStream> = (0..8).map(|_| dial(&listening)).collect();
    for (at, peer) in peers.iter_mut().enumerate() {
        let remote = peer.local_addr().expect("connected").to_string();
        let accepted = server.fact(&listener, json!({ "type": "accepted", "remote": remote }));
        let child = text(&accepted["child"]);
        let socket = server.socket(&child);
        assert_eq!((&socket["role"], &socket["parent"]), (&json!("accepted"), &json!(listener)));
        let connected = server.fact(&child, json!({ "type": "connected" }));
        assert_eq!((&connected["parent"], &connected["seq"]), (&json!(listener), &socket["opened_seq"]));
        peer.write_all(format!("I am {at}").as_bytes()).expect("written");
        assert_eq!(server.received(&child, 6), format!("I am {at}").as_bytes());
        server.say(&child, format!("you are {at}").as_bytes());
        assert_eq!(read_exactly(peer, 9), format!("you are {at}").as_bytes());
    }
    assert_eq!(server.sockets().len(), 9);
}

#[test]
fn a_listener_listens_by_the_time_it_is_answered() {
    let server = Server::start(&[]);
    for _ in 0..200 {
        let listening = server.open("tcp-listen://127.0.0.1:0");
        assert_eq!(listening["state"], "listening");
        dial(&listening);
    }
}

#[test]
fn ipv6_works_like_ipv4() {
    let server = Server::start(&[]);
    let listener = Listener::on("[::1]:0");
    let (client, mut peer) = listener.meet(&server);
    server.say(&client, b"six");
    assert_eq!(read_exactly(&mut peer, 3), b"six");
    assert!(text(&server.socket(&client)["remote"]).starts_with("[::1]:"));
    let listening = server.open("tcp-listen://[::1]:0");
    assert!(text(&listening["local"]).starts_with("[::1]:"));
    assert_eq!(listening["reachable_from_outside"], false);
    dial(&listening);
    let accepted = server.fact(&id(&listening), json!({ "type": "accepted" }));
    assert!(text(&accepted["remote"]).starts_with("[::1]:"));
}

/// A link-local address of this machine and its interface; `None` where there is none.
fn link_local() -> Option<(Ipv6Addr, String)> {
    let table = std::fs::read_to_string("/proc/net/if_inet6").ok()?;
    table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // Address, index, prefix, scope (20: link), flags (40: tentative), name.
        let [address, _, _, "20", flags, name] = words[..] else { return None };
        let tentative = u8::from_str_radix(flags, 16).ok()? & 0x40 != 0;
        let address = Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
        (!tentative).then(|| (address, name.to_owned()))
    })
}

/// Talking to an own link-local address stays on this machine. One without any has the zone of loopback to show.
#[test]
fn an_address_with_a_zone_works_and_keeps_its_zone() {
    let server = Server::start(&[]);
    let (host, shown) = match link_local() {
        Some((address, name)) => (format!("[{address}%{name}]"), format!("[{address}%{name}]:")),
        None => ("[::1%lo]".to_owned(), "[::1".to_owned()),
    };
    let listening = server.open(&format!("tcp-listen://{host}:0"));
    let local = text(&listening["local"]);
    assert!(local.starts_with(&shown), "{local}");
    let client = server.open(&format!("tcp://{host}:{}", local.rsplit(':').next().expect("a port")));
    assert!(text(&client["remote"]).starts_with(&shown), "{client}");
    server.say(&id(&client), b"near");
    let accepted = server.fact(&id(&listening), json!({ "type": "accepted" }));
    assert_eq!(server.received(&text(&accepted["child"]), 4), b"near");
    let refused = server.try_open("tcp://[fe80::1%no-such]:1", json!({}));
    assert_eq!(refused.json()["code"], "invalid_host", "an unknown zone is told apart");
}

#[test]
fn a_v4_mapped_peer_is_shown_as_what_it_is() {
    let server = Server::start(&[]);
    let listening = server.open("tcp-listen://[::]:0");
    assert_eq!(listening["reachable_from_outside"], true, "a wildcard written out is allowed, and marked");
    let port = text(&listening["local"]).rsplit(':').next().expect("a port").to_owned();
    let peer = patient(TcpStream::connect(format!("127.0.0.1:{port}")).expect("dual stack"));
    let accepted = server.fact(&id(&listening), json!({ "type": "accepted" }));
    let seen = format!("[::ffff:127.0.0.1]:{}", peer.local_addr().expect("connected").port());
    assert_eq!(text(&accepted["remote"]), seen);
    let only = server.open_with("tcp-listen://[::]:0", json!({ "ipv6_only": true }));
    let port = text(&only["local"]).rsplit(':').next().expect("a port").to_owned();
    assert!(TcpStream::connect(format!("127.0.0.1:{port}")).is_err(), "unless it is asked to be IPv6 only");
}

/// 64 MiB in, 8 MiB out, a viewer that never reads: every byte is recorded as it was delivered.
#[test]
fn reads_and_writes_are_recorded_to_the_byte_beside_a_viewer_that_never_reads() {
    const IN: usize = 64 << 20;
    const OUT: usize = 8 << 20;
    let server = Server::start(&[]);
    let _viewer = server.viewer_that_never_reads();
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let mut peer = dial(&listening);
    let child = text(&server.fact(&id(&listening), json!({ "type": "accepted" }))["child"]);
    let mut reader = peer.try_clone().expect("a second handle");
    let reading = thread::spawn(move || {
        let mut noise = Noise::new(2);
        for _ in 0..OUT >> 20 {
            assert!(
                read_exactly(&mut reader, 1 << 20) == noise.bytes(1 << 20),
                "the peer reads what was sent"
            );
        }
    });
    let writing = thread::spawn(move || {
        let mut noise = Noise::new(1);
        for _ in 0..IN >> 20 {
            peer.write_all(&noise.bytes(1 << 20)).expect("written");
        }
        peer
    });
    let mut noise = Noise::new(2);
    for _ in 0..OUT >> 20 {
        server.say(&child, &noise.bytes(1 << 20));
    }
    let peer = writing.join().expect("the peer writes");
    reading.join().expect("the peer reads");
    eventually("all is received", || {
        number(&server.socket(&child)["counters"]["received_bytes"]) == IN as u64
    });
    drop(peer);
    server.fact(&child, json!({ "type": "eof", "offset": IN }));
    let (events, gaps) = server.history(&format!("socket={child}&payload=none"));
    assert!(gaps.is_empty());
    for (kind, seed, total) in [("received", 1, IN), ("sent", 2, OUT)] {
        let mut noise = Noise::new(seed);
        let mut expected = Vec::new();
        let mut at = 0;
        for event in events.iter().filter(|event| event["type"] == kind) {
            assert_eq!(event["offset"], at, "offsets join");
            let len = usize::try_from(number(&event["len"])).expect("small");
            assert!(len <= 256 << 10 || kind == "sent", "a read is at most 256 KiB");
            let bytes = server.ask("GET", &format!("events/{}/payload", event["seq"]), None);
            assert_eq!((bytes.status, bytes.bytes.len()), (200, len));
            while expected.len() < len {
                expected.extend(noise.bytes(1 << 20));
            }
            assert!(bytes.bytes == expected[..len], "the bytes at {at} are as they were");
            expected.drain(..len);
            at += len;
        }
        assert_eq!(at, total);
    }
}
