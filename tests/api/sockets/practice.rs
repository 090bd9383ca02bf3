//! Practice peers: each does what it says, hidden from the list, its calls recorded without their bytes.

use std::net::UdpSocket;

use serde_json::{Value, json};

use crate::kit::{
    Noise, PATIENCE, Server, carried, eventually, id, is_like, list, number, read_to_fin, text, types,
};

/// A client of a fresh practice peer.
fn client_of(server: &Server, peer: &str) -> String {
    id(&server.open(&server.practice(peer).1))
}

#[test]
fn the_catalogue_names_fourteen_peers_and_each_can_be_started() {
    let server = Server::start(&[]);
    let peers = list(&server.ask("GET", "/api/v1/practice", None).ok()["peers"]);
    assert_eq!(peers.len(), 14);
    for peer in &peers {
        let mut request = json!({ "peer": peer["peer"] });
        if peer["peer"] == "middlebox" {
            request["middlebox"] = json!({ "to": server.practice("echo").1, "idle_ms": 500 });
        }
        let started = server.ask("POST", "practice", Some(&request)).ok();
        let (peer_id, target) = (text(&started["id"]), text(&started["target"]));
        assert!(target.starts_with(&format!("{}://127.0.0.1:", text(&peer["scheme"]))), "{target}");
        let socket = server.socket(&peer_id);
        assert_eq!(socket["practice"], peer["peer"]);
    }
    server.ask("POST", "practice", Some(&json!({ "peer": "clairvoyant" }))).problem(400, "malformed_json");
}

#[test]
fn echo_says_what_it_hears() {
    let server = Server::start(&[]);
    let client = client_of(&server, "echo");
    let bytes = Noise::new(8).bytes(300_000);
    server.say(&client, &bytes);
    assert!(server.received(&client, bytes.len()) == bytes);
    server.shut_down(&client);
    server.fact(&client, json!({ "type": "eof", "offset": bytes.len() }));
}

#[test]
fn udp_echo_answers_each_datagram_with_itself_and_never_more() {
    let server = Server::start(&[]);
    let (_, target) = server.practice("echo_udp");
    let client = id(&server.open(&target));
    server.say(&client, b"datagram");
    let event = server.fact(&client, json!({ "type": "received" }));
    assert_eq!(number(&event["len"]), 8);
    let peer = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    peer.set_read_timeout(Some(PATIENCE)).expect("not zero");
    for len in [0, 1, 1400, 65_507] {
        peer.send_to(&vec![7; len], target.trim_start_matches("udp://")).expect("sent");
        let mut buffer = vec![0; 65_536];
        assert_eq!(peer.recv(&mut buffer).expect("answered"), len);
    }
    let (events, _) = server.history("type=sent,received&payload=none");
    let total = |kind: &str| -> u64 {
        let of_peer = |event: &&Value| event["type"] == kind && event["payload_unrecorded"] == true;
        events.iter().filter(of_peer).map(|event| number(&event["len"])).sum()
    };
    assert!(total("sent") <= total("received") && total("received") == 8 + 1 + 1400 + 65_507);
}

#[test]
fn discard_reads_and_forgets_and_silent_never_answers() {
    let server = Server::start(&[]);
    for peer in ["discard", "silent"] {
        let client = client_of(&server, peer);
        server.say(&client, &vec![1; 300_000]);
        server.shut_down(&client);
        let eof = server.fact(&client, json!({ "type": "eof" }));
        assert_eq!(eof["offset"], 0, "{peer} said nothing");
    }
}

#[test]
fn chargen_sends_the_pattern_without_end() {
    let server = Server::start(&["--log-bytes", "64M"]);
    let client = client_of(&server, "chargen");
    eventually("a flood", || number(&server.socket(&client)["counters"]["received_bytes"]) > 8 << 20);
    server.close(&client);
    let first = server.fact(&client, json!({ "type": "received", "offset": 0 }));
    assert!(number(&first["len"]) > 74);
    let page = server.ask("GET", &format!("events/{}/payload", first["seq"]), None);
    let lines: Vec<&[u8]> = page.bytes.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines[0], b" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg\r");
    assert_eq!(&lines[1][..72], [&lines[0][1..72], b"h"].concat());
}

#[test]
fn daytime_says_one_line_and_closes() {
    let server = Server::start(&[]);
    let client = client_of(&server, "daytime");
    let eof = server.fact(&client, json!({ "type": "eof" }));
    let line = String::from_utf8(carried(&server.story(&client), "received")).expect("text");
    assert_eq!(eof["offset"], line.len());
    assert!(line.ends_with("-UTC\r\n") && line.matches("\r\n").count() == 1, "{line:?}");
}

#[test]
fn a_slow_reader_fills_the_queue() {
    let server = Server::start(&[]);
    let (_, target) = server.practice("slow_reader");
    let client = id(&server.open_with(&target, json!({ "send_buffer": 4096 })));
    server.send(&client, &vec![0; 1 << 20], "?timeout=0").problem(504, "send_timed_out");
    server.fact(&client, json!({ "type": "paused", "what": "send", "reason": "peer_not_reading" }));
    assert!(number(&server.socket(&client)["queue"]["bytes"]) > 0);
    server.ask("DELETE", &format!("sockets/{client}?reset=true"), None).ok();
}

#[test]
fn the_fragmenter_answers_in_single_bytes() {
    let server = Server::start(&[]);
    let client = client_of(&server, "fragmenter");
    server.say(&client, b"in pieces, please");
    assert_eq!(server.received(&client, 17), b"in pieces, please");
    let story = server.story(&client);
    let reads = story.iter().filter(|event| event["type"] == "received").count();
    assert!(reads > 8, "{reads} reads for 17 bytes");
    let (events, _) = server.history("type=sent");
    let calls = events.iter().filter(|event| event["payload_unrecorded"] == true);
    assert_eq!(calls.map(|event| number(&event["len"])).collect::<Vec<_>>(), [1; 17]);
}

#[test]
fn the_half_closer_sends_fin_first_and_still_reads() {
    let server = Server::start(&[]);
    let client = client_of(&server, "half_closer");
    server.fact(&client, json!({ "type": "eof", "offset": 0 }));
    assert_eq!(server.socket(&client)["state"], "half_closed_remote");
    server.say(&client, b"you can still hear me");
    server.fact("", json!({ "type": "received", "len": 21, "payload_unrecorded": true }));
    server.shut_down(&client);
    server.fact(&client, json!({ "type": "closed", "reason": "both_ended" }));
}

#[test]
fn the_resetter_resets_at_the_first_byte() {
    let server = Server::start(&[]);
    let client = client_of(&server, "resetter");
    assert_eq!(server.socket(&client)["state"], "open");
    server.say(&client, b"!");
    server.fact(&client, json!({ "type": "reset", "side": "peer", "errno": "ECONNRESET" }));
    server.fact(&client, json!({ "type": "closed", "reason": "was_reset" }));
    let ours = server.history("type=reset").0;
    assert!(ours.iter().any(|event| event["side"] == "local"), "and the peer's own side says so");
}

#[test]
fn the_greeter_speaks_first() {
    let server = Server::start(&[]);
    let client = client_of(&server, "greeter");
    let greeting = server.fact(&client, json!({ "type": "received", "offset": 0 }));
    let len = usize::try_from(number(&greeting["len"])).expect("small");
    server.say(&client, b"hello");
    let all = server.received(&client, len + 5);
    assert!(all.starts_with(b"Hello!") && all.ends_with(b"\r\nhello"), "{}", String::from_utf8_lossy(&all));
    assert!(!types(&server.story(&client))[..4].contains(&"sent"), "nobody asked");
}

#[test]
fn http_answers_requests_typed_by_hand_and_keeps_or_closes_as_asked() {
    let server = Server::start(&[]);
    let client = client_of(&server, "http");
    for byte in b"GET / HTTP/1.1\r\n" {
        server.say(&client, &[*byte]);
    }
    server.say(&client, b"Host: here\r\n\r\n");
    let answered = |times: usize| {
        let all = String::from_utf8_lossy(&carried(&server.story(&client), "received")).into_owned();
        all.matches("</p>\n").count() == times
    };
    eventually("an answer", || answered(1));
    server.say(&client, b"GET / HTTP/1.1\nHost: here\n\n");
    eventually("a second one on the same connection", || answered(2));
    server.say(&client, b"GET /elsewhere HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n");
    server.fact(&client, json!({ "type": "eof" }));
    let all = carried(&server.story(&client), "received");
    let all = String::from_utf8(all).expect("text");
    assert_eq!(all.matches("HTTP/1.1 200 OK\r\n").count(), 2);
    assert_eq!(all.matches("Connection: keep-alive\r\n").count(), 2);
    assert_eq!(all.matches("HTTP/1.1 404 Not Found\r\n").count(), 1);
}

#[test]
fn a_peers_calls_are_hidden_facts_with_length_and_offset_but_no_payload() {
    let server = Server::start(&[]);
    let (peer, target) = server.practice("echo");
    let client = id(&server.open(&target));
    server.say(&client, b"hello");
    server.received(&client, 5);
    let accepted = server.fact(&peer, json!({ "type": "accepted" }));
    let child = text(&accepted["child"]);
    let born = server.fact(&child, json!({ "type": "connected", "parent": peer, "practice": "echo" }));
    assert!(born.get("cause").is_none());
    for kind in ["received", "sent"] {
        let call = server.fact(&child, json!({ "type": kind }));
        assert!(is_like(&call, &json!({ "len": 5, "offset": 0, "payload_unrecorded": true })), "{call}");
        assert!(call.get("payload").is_none());
        server.ask("GET", &format!("events/{}/payload", call["seq"]), None).problem(404, "no_payload");
    }
    let shown: Vec<String> = server.sockets().iter().map(id).collect();
    assert_eq!(shown, std::slice::from_ref(&client), "hidden from the list");
    let all = list(&server.ask("GET", "sockets?hidden=true", None).ok()["sockets"]);
    assert_eq!(all.len(), 3);
    let (without, gaps) = server.history("hidden=false");
    assert!(gaps.is_empty());
    assert!(without.iter().all(|event| event["socket"] == client), "{without:#?}");
    server.send(&child, b"x", "").problem(409, "wrong_state");
}

#[test]
fn stopping_a_practice_peer_ends_its_connections() {
    let server = Server::start(&[]);
    let (peer, target) = server.practice("silent");
    let mut outside = crate::kit::patient(
        std::net::TcpStream::connect(target.trim_start_matches("tcp://")).expect("listens"),
    );
    server.fact(&peer, json!({ "type": "accepted" }));
    server.ask("DELETE", &format!("practice/{peer}"), None).ok();
    assert_eq!(read_to_fin(&mut outside), b"");
    server.ask("DELETE", "practice/s999", None).problem(404, "unknown_socket");
}
