//! Too many sockets, too few descriptors: what exists still flows, and the API still answers.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::Duration,
};

use serde_json::json;
use socket2::SockRef;

use crate::kit::{Listener, Server, dial, eventually, id, number, read_exactly, text};

#[test]
fn too_many_sockets_are_refused_and_existing_ones_still_flow() {
    let server = Server::start(&["--max-sockets", "4"]);
    let listener = Listener::new();
    let mut open: Vec<(String, TcpStream)> = (0..4).map(|_| listener.meet(&server)).collect();
    let head = server.head();
    let problem = server.try_open(&listener.target(), json!({})).problem(429, "too_many_sockets");
    assert_eq!(problem["params"]["max"], "4");
    assert_eq!(server.head(), head, "it never came to be");
    for (client, peer) in &mut open {
        server.say(client, b"still here");
        assert_eq!(read_exactly(peer, 10), b"still here");
        peer.write_all(b"me too").expect("written");
        assert_eq!(server.received(client, 6), b"me too");
    }
    server.ask("POST", "practice", Some(&json!({ "peer": "echo" }))).problem(429, "too_many_sockets");
    server.close(&open[0].0);
    listener.meet(&server);
}

#[test]
fn a_listener_pauses_when_no_more_sockets_may_be_open_and_goes_on_after() {
    let server = Server::start(&["--max-sockets", "3"]);
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let listener = id(&listening);
    let mut peers = [dial(&listening), dial(&listening)];
    let children = peers.each_ref().map(|peer| {
        let remote = peer.local_addr().expect("connected").to_string();
        text(&server.fact(&listener, json!({ "type": "accepted", "remote": remote }))["child"])
    });
    let mut waiting = dial(&listening);
    waiting.write_all(b"patience").expect("the kernel took it");
    server.fact(&listener, json!({ "type": "paused", "what": "accept", "reason": "too_many_sockets" }));
    for (child, peer) in children.iter().zip(&mut peers) {
        peer.write_all(b"flow").expect("written");
        assert_eq!(server.received(child, 4), b"flow");
    }
    server.close(&children[0]);
    server.fact(&listener, json!({ "type": "resumed", "what": "accept" }));
    let remote = waiting.local_addr().expect("connected").to_string();
    let accepted = server.fact(&listener, json!({ "type": "accepted", "remote": remote }));
    assert_eq!(server.received(&text(&accepted["child"]), 8), b"patience");
}

#[test]
fn a_connection_that_waited_for_a_place_and_is_closed_with_its_listener_is_a_fact() {
    let server = Server::start(&["--max-sockets", "1"]);
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let listener = id(&listening);
    let mut waiting = dial(&listening);
    server.fact(&listener, json!({ "type": "paused", "what": "accept" }));
    server.close(&listener);
    let remote = waiting.local_addr().expect("connected").to_string();
    server.fact(
        &listener,
        json!({ "type": "note", "code": "accepted_unserved", "params": { "remote": remote } }),
    );
    assert_eq!(waiting.read(&mut [0; 1]).expect("a FIN"), 0);
}

/// Of 32 sockets, listeners leave 2 to those whom somebody opens.
#[test]
fn connections_that_come_in_cannot_take_every_place() {
    let server = Server::start(&["--max-sockets", "32"]);
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let listener = id(&listening);
    let mut peers: Vec<TcpStream> = (0..40).map(|_| dial(&listening)).collect();
    server.fact(&listener, json!({ "type": "paused", "what": "accept", "reason": "too_many_sockets" }));
    assert_eq!(server.sockets().len(), 30);
    // Each that is freed goes to the next that waits, and yet there is room.
    peers.remove(0);
    let other = Listener::new();
    let (first, _first_peer) = other.meet(&server);
    let (_second, _second_peer) = other.meet(&server);
    server.try_open(&other.target(), json!({})).problem(429, "too_many_sockets");
    server.close(&first);
    other.meet(&server);
}

#[test]
fn few_descriptors_are_a_clear_refusal_and_the_server_recovers() {
    let server = Server::start_with_descriptors(128);
    let listener = Listener::new();
    let (first, mut peer) = listener.meet(&server);
    let mut more = Vec::new();
    let refused = loop {
        let answer = server.try_open(&listener.target(), json!({}));
        if answer.status != 201 {
            break answer;
        }
        more.push((id(&answer.ok()), listener.accept()));
        assert!(more.len() < 128, "there are not that many descriptors");
    };
    refused.problem(429, "too_many_sockets");
    let held = server.descriptors();
    assert!(held < 128, "{held} descriptors");
    assert_eq!(server.ask("GET", "/healthz", None).status, 200);
    server.say(&first, b"flows");
    assert_eq!(read_exactly(&mut peer, 5), b"flows");
    for (client, _) in more.drain(..) {
        server.close(&client);
    }
    let (again, mut peer) = listener.meet(&server);
    server.say(&again, b"recovered");
    assert_eq!(read_exactly(&mut peer, 9), b"recovered");
    eventually("the descriptors are given back", || server.descriptors() < held - 20);
}

#[test]
fn at_most_a_thousand_closed_sockets_stay_listed() {
    let server = Server::start(&[]);
    let survivor = id(&server.open("udp-bind://127.0.0.1:0"));
    let first = id(&server.open("udp-bind://127.0.0.1:0"));
    server.close(&first);
    let descriptors = server.descriptors();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..260 {
                    server.close(&id(&server.open("udp-bind://127.0.0.1:0")));
                }
            });
        }
    });
    let sockets = server.sockets();
    assert_eq!(sockets.len(), 1001, "a thousand and the open one");
    assert_eq!(id(&sockets[0]), survivor);
    server.ask("GET", &format!("sockets/{first}"), None).problem(404, "unknown_socket");
    let ids: Vec<u64> = sockets.iter().map(|s| id(s)[1..].parse().expect("s and a number")).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "oldest first, no id twice");
    assert_eq!(*ids.last().expect("many"), 1042);
    assert_eq!(number(&server.ask("GET", "/api/v1/about", None).ok()["sockets"]), 1);
    let held = server.descriptors();
    assert!(held <= descriptors + 8, "{held} descriptors where there were {descriptors}");
}

/// A socket that waits, for whatever reason, uses no CPU: nothing asks again and again.
#[test]
fn nothing_spins_while_it_waits() {
    let server = Server::start(&["--max-sockets", "6"]);
    let pausing = Server::start(&["--log-full", "pause", "--log-bytes", "4M"]);
    let listener = Listener::new();
    SockRef::from(&listener.0).set_recv_buffer_size(4096).expect("a living socket");

    let (_idle, _idle_peer) = listener.meet(&server);
    let (half, half_peer) = listener.meet(&server);
    half_peer.shutdown(Shutdown::Write).expect("open");
    server.fact(&half, json!({ "type": "eof" }));
    let (stuck, _stuck_peer) = listener.meet_with(&server, json!({ "send_buffer": 4096 }));
    server.send(&stuck, &vec![0; 1 << 20], "?timeout=0").problem(504, "send_timed_out");
    server.fact(&stuck, json!({ "type": "paused" }));
    let deaf = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    server.open(&format!("udp://{}", deaf.local_addr().expect("bound")));
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let _accepted = [dial(&listening), dial(&listening)];
    server.fact(&id(&listening), json!({ "type": "paused", "what": "accept" }));

    let full = pausing.open("tcp-listen://127.0.0.1:0");
    let (filled, mut filler) = listener.meet(&pausing);
    filler.set_write_timeout(Some(Duration::from_millis(200))).expect("not zero");
    while filler.write(&[0; 65_536]).is_ok() {}
    pausing.fact(&filled, json!({ "type": "paused", "what": "read" }));
    filler.shutdown(Shutdown::Write).expect("open");
    let _waiting = [dial(&full), dial(&full)];
    pausing.fact(&id(&full), json!({ "type": "paused", "what": "accept" }));

    let before = [server.cpu(), pausing.cpu()];
    // Not a wait for something: the time over which is measured.
    std::thread::sleep(Duration::from_secs(1));
    let used = [server.cpu() - before[0], pausing.cpu() - before[1]];
    assert!(used.iter().all(|ticks| *ticks <= 20), "{used:?} hundredths of a second of CPU in a second");
}
