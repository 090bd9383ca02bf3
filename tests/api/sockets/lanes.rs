//! What the comparison of socket and HTTP stands on: a source that ticks, and a middlebox that forgets.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::kit::{Listener, Server, carried, eventually, id, list, number, patient, read_to_fin, text};

fn start(server: &Server, request: &Value) -> (String, String) {
    let started = server.ask("POST", "practice", Some(request)).ok();
    (text(&started["id"]), text(&started["target"]))
}

/// The calls of the practice peer's connections.
fn calls(server: &Server, listener: &str, kind: &str) -> Vec<Value> {
    let children: Vec<String> = list(&server.ask("GET", "sockets?hidden=true", None).ok()["sockets"])
        .iter()
        .filter(|socket| socket["parent"] == *listener)
        .map(id)
        .collect();
    let story = |child: &String| server.history(&format!("socket={child}&type={kind}")).0;
    children.iter().flat_map(story).collect()
}

#[test]
fn a_ticker_ticks_at_its_rate_with_its_payload_and_ends_when_it_said() {
    let server = Server::start(&[]);
    let settings = json!({ "rate": 50, "payload": 100, "arrivals": "regular", "seconds": 2, "hold": true });
    let (listener, target) = start(&server, &json!({ "peer": "ticker", "ticker": settings }));
    let client = id(&server.open(&target));
    server.say(&client, b"go");
    server.fact(&client, json!({ "type": "eof" }));
    let bytes = carried(&server.story(&client), "received");
    let ticks: Vec<&[u8]> = bytes.chunks(100).collect();
    assert_eq!(ticks.len(), 100);
    for (index, tick) in ticks.iter().enumerate() {
        assert!(tick.starts_with(format!("tick {:010}.", index + 1).as_bytes()) && tick.ends_with(b".\n"));
    }
    // Its own calls tell when each was sent: what the delays of the lanes are measured from.
    let sent = calls(&server, &listener, "sent");
    let offsets: Vec<u64> = sent.iter().map(|event| number(&event["offset"])).collect();
    assert_eq!(offsets, (0..100).map(|tick| tick * 100).collect::<Vec<_>>());
    let begun = number(&sent[0]["t_us"]);
    for (tick, event) in sent.iter().enumerate() {
        let late = number(&event["t_us"]) as i64 - (begun as i64 + tick as i64 * 20_000);
        assert!(late.abs() < 500_000, "tick {tick} is {late} µs late");
    }
}

#[test]
fn a_ticker_that_holds_says_nothing_before_it_is_spoken_to() {
    let server = Server::start(&[]);
    let (listener, target) =
        start(&server, &json!({ "peer": "ticker", "ticker": { "rate": 1000, "hold": true } }));
    let address = target.trim_start_matches("tcp://");
    let mut quiet = patient(TcpStream::connect(address).expect("it listens"));
    quiet.set_read_timeout(Some(Duration::from_millis(300))).expect("not zero");
    assert_eq!(quiet.read(&mut [0; 1]).expect_err("silence").kind(), ErrorKind::WouldBlock);
    quiet.write_all(b"!").expect("open");
    assert_eq!(quiet.read(&mut [0; 1]).expect("a tick"), 1);
    // A client that leaves without a word ends it.
    let silent = patient(TcpStream::connect(address).expect("it listens"));
    silent.shutdown(Shutdown::Write).expect("open");
    assert_eq!(read_to_fin(&mut { silent }), b"");
    assert!(!calls(&server, &listener, "sent").is_empty());
}

#[test]
fn a_ticker_out_of_range_is_refused_and_leaves_no_trace() {
    let server = Server::start(&[]);
    let head = server.head();
    for (settings, field) in [
        (json!({ "rate": 0 }), "rate"),
        (json!({ "rate": 1001 }), "rate"),
        (json!({ "payload": 15 }), "payload"),
        (json!({ "rate": 1000, "payload": 8192 }), "payload"),
        (json!({ "seconds": 0 }), "seconds"),
    ] {
        let request = json!({ "peer": "ticker", "ticker": settings });
        let problem = server.ask("POST", "practice", Some(&request)).problem(422, "invalid_practice");
        assert_eq!(problem["params"]["field"], field);
        assert!(problem["params"]["max"].is_string(), "with the range: {problem}");
    }
    let wrong = json!({ "peer": "echo", "ticker": {} });
    server.ask("POST", "practice", Some(&wrong)).problem(422, "invalid_practice");
    assert_eq!(server.head(), head);
}

fn middlebox(server: &Server, to: &str, idle_ms: u32) -> (String, String) {
    start(server, &json!({ "peer": "middlebox", "middlebox": { "to": to, "idle_ms": idle_ms } }))
}

#[test]
fn a_middlebox_hands_on_both_ways_to_the_end() {
    let server = Server::start(&[]);
    let behind = Listener::new();
    let (_, target) = middlebox(&server, &behind.target(), 60_000);
    let client = id(&server.open(&target));
    let mut peer = behind.accept();
    server.say(&client, b"there");
    let mut there = [0; 5];
    peer.read_exact(&mut there).expect("handed on");
    assert_eq!(&there, b"there");
    peer.write_all(b"and back").expect("open");
    assert_eq!(server.received(&client, 8), b"and back");
    server.shut_down(&client);
    assert_eq!(read_to_fin(&mut peer), b"", "a FIN is handed on, too");
    peer.write_all(b"!").expect("the other way is open");
    drop(peer);
    server.fact(&client, json!({ "type": "closed", "reason": "both_ended" }));
}

/// What passes is dropped by the kernel, silently: no acknowledgement, no RST, no FIN.
#[test]
fn a_middlebox_forgets_what_is_idle_and_from_then_on_nothing_passes() {
    let server = Server::start(&[]);
    let (echo, behind) = server.practice("echo");
    let (listener, target) = middlebox(&server, &behind, 700);
    let options = json!({ "user_timeout_ms": 1500 });
    let idle = id(&server.open_with(&target, options));
    server.say(&idle, b"before");
    assert_eq!(server.received(&idle, 6), b"before");
    let forgotten = server.fact("", json!({ "type": "note", "code": "forgotten" }));
    assert_eq!(forgotten["params"]["idle_ms"], "700");
    let begun = Instant::now();
    server.say(&idle, b"after");
    let failed = server.fact(&idle, json!({ "type": "failed", "errno": "ETIMEDOUT" }));
    assert!(begun.elapsed() >= Duration::from_millis(1400), "the user timeout of TCP noticed: {failed}");
    let echoed: u64 = calls(&server, &echo, "received").iter().map(|event| number(&event["len"])).sum();
    assert_eq!(echoed, 6, "what was sent after it was forgotten never arrived");
    assert_eq!(server.received(&idle, 6), b"before");
    server.ask("DELETE", &format!("practice/{listener}"), None).ok();
    eventually("nothing of the relay is left", || {
        list(&server.ask("GET", "sockets?hidden=true", None).ok()["sockets"])
            .iter()
            .filter(|socket| socket["practice"] == "middlebox")
            .all(|socket| socket["closed_seq"].is_u64())
    });
}

/// Keepalive probes refresh the middlebox's memory although no relay ever reads them.
#[test]
fn a_keepalive_that_is_quick_enough_keeps_a_middlebox_awake() {
    let server = Server::start(&[]);
    let (_, behind) = server.practice("echo");
    let (_, target) = middlebox(&server, &behind, 2500);
    let quick = json!({ "keepalive": true, "keepalive_idle_s": 1, "keepalive_interval_s": 1 });
    let slow =
        json!({ "keepalive": true, "keepalive_idle_s": 5, "keepalive_interval_s": 1, "keepalive_count": 2 });
    let awake = id(&server.open_with(&target, quick.clone()));
    let asleep = id(&server.open_with(&target, slow));
    assert_eq!(server.socket(&awake)["options"], quick);
    server.fact(&awake, json!({ "type": "option_set", "option": "keepalive_idle_s", "granted": 1 }));
    // The slow one notices by its own probes, which nobody answers: 5 s, then two a second apart.
    server.fact(&asleep, json!({ "type": "failed", "errno": "ETIMEDOUT", "phase": "receive" }));
    server.say(&awake, b"still here");
    assert_eq!(server.received(&awake, 10), b"still here");
}

#[test]
fn a_middlebox_in_front_of_nothing_resets_its_client() {
    let server = Server::start(&[]);
    let nobody = Listener::new();
    let target = nobody.target();
    drop(nobody);
    let (_, relay) = middlebox(&server, &target, 1000);
    let client = id(&server.open(&relay));
    server.fact(&client, json!({ "type": "reset", "side": "peer" }));
    server.fact("", json!({ "type": "failed", "code": "refused", "fatal": true }));
}

/// The policy holds for where a middlebox stands like for any other target.
#[test]
fn a_middlebox_dials_nothing_that_is_denied() {
    let server = Server::start(&[]);
    for to in ["tcp://169.254.169.254:80".to_owned(), format!("tcp://{}", server.address)] {
        let (_, relay) = middlebox(&server, &to, 1000);
        server.open(&relay);
        server.fact("", json!({ "type": "refused_by_policy", "target": to }));
    }
}
