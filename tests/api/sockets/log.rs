//! The log when it is full, seen from outside.

use std::{
    io::{ErrorKind, Write as _},
    net::UdpSocket,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::kit::{
    Listener, Noise, Server, carried, dial, eventually, id, list, number, payload, text, types,
};

#[test]
fn a_flood_erases_its_own_history_and_a_quiet_socket_keeps_all_of_its() {
    let server = Server::start(&["--log-bytes", "4M"]);
    let (_, echo) = server.practice("echo");
    let quiet = id(&server.open(&echo));
    server.say(&quiet, b"before the flood");
    server.received(&quiet, 16);
    let (_, chargen) = server.practice("chargen");
    let flood = id(&server.open(&chargen));
    let received = || number(&server.socket(&flood)["counters"]["received_bytes"]);
    let mut said = 16;
    while received() < 64 << 20 {
        // Few enough that it holds little, however long this takes.
        if said < 10_000 {
            server.say(&quiet, b"still here, in the flood");
            said += 24;
        }
    }
    server.close(&flood);
    assert_eq!(server.received(&quiet, said).len(), said);
    let (events, gaps) = server.history(&format!("socket={quiet}"));
    assert!(gaps.is_empty(), "{gaps:?}");
    assert_eq!(carried(&events, "sent").len(), said, "every payload is there");
    assert_eq!(types(&events)[..3], ["opening", "connecting", "connected"]);

    let (events, gaps) = server.history(&format!("socket={flood}&payload=none"));
    let evicted = events.iter().filter(|event| event["payload_evicted"] == true).count();
    assert!(evicted > 0 || !gaps.is_empty(), "and what the flood has lost is told");
    let (events, gaps) = server.history("payload=none");
    let mut at = 0;
    let mut steps: Vec<(u64, u64)> =
        events.iter().map(|event| (number(&event["seq"]), number(&event["seq"]))).collect();
    steps.extend(gaps.iter().map(|gap| (number(&gap["from"]), number(&gap["to"]))));
    steps.sort_unstable();
    for (from, to) in steps {
        assert_eq!(from, at + 1, "every seq is an event or in a gap, once");
        at = to;
    }
    assert_eq!(at, server.head());
    let about = server.ask("GET", "/api/v1/about", None).ok();
    assert!(number(&about["log_bytes_used"]) <= 4 << 20, "{about}");
    let resident = server.resident();
    assert!(resident <= (4 + 64) << 20, "{} MiB resident", resident >> 20);
}

#[test]
fn an_evicted_payload_is_gone_and_says_so() {
    let server = Server::start(&["--log-bytes", "4M"]);
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let mut peer = dial(&listening);
    let child = text(&server.fact(&id(&listening), json!({ "type": "accepted" }))["child"]);
    let first = Noise::new(1).bytes(100_000);
    peer.write_all(&first).expect("written");
    server.received(&child, 100_000);
    let event = server.fact(&child, json!({ "type": "received" }));
    let seq = number(&event["seq"]);
    peer.write_all(&vec![0; 16 << 20]).expect("written");
    eventually("all is received", || {
        number(&server.socket(&child)["counters"]["received_bytes"]) == 100_000 + (16 << 20)
    });
    server.ask("GET", &format!("events/{seq}/payload"), None).problem(410, "evicted");
    let page = server.ask("GET", &format!("events?after={}&limit=1", seq - 1), None).ok();
    let events = list(&page["events"]);
    assert_eq!(
        (&events[0]["payload_evicted"], events[0].get("payload")),
        (&json!(true), None),
        "the event stays"
    );
    assert_eq!(events[0]["len"], event["len"]);
}

#[test]
fn trimming_tells_everybody_and_frees_the_log() {
    let server = Server::start(&[]);
    let (client, mut peer) = Listener::new().meet(&server);
    peer.write_all(b"old").expect("written");
    server.received(&client, 3);
    let head = server.head();
    server.ask("POST", "log/trim", Some(&json!({ "up_to": head + 1 }))).problem(409, "beyond_head");
    let answer = server.ask("POST", "log/trim", Some(&json!({ "up_to": head }))).ok();
    assert_eq!((number(&answer["trimmed"]), number(&answer["first"])), (head, head + 1));
    let (events, gaps) = server.history("");
    assert_eq!(gaps, [json!({ "from": 1, "to": head, "reason": "trimmed" })]);
    assert_eq!(types(&events), ["note"]);
    peer.write_all(b"new").expect("written");
    let event = server.fact(&client, json!({ "type": "received", "offset": 3 }));
    assert_eq!(payload(&event), b"new", "and the stream goes on where it was");
}

/// With `--log-full pause` nothing is lost: the peer's window closes until somebody has read and trimmed.
#[test]
fn a_full_log_that_pauses_closes_the_peers_window_and_loses_nothing() {
    const TOTAL: usize = 24 << 20;
    let server = Server::start(&["--log-full", "pause", "--log-bytes", "4M"]);
    let listener = Listener::new();
    let (client, mut peer) = listener.meet_with(&server, json!({ "recv_buffer": 65_536 }));
    peer.set_write_timeout(Some(Duration::from_millis(200))).expect("not zero");
    let (written, blocked) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let bytes = Noise::new(6).bytes(TOTAL);
            let mut at = 0;
            while at < TOTAL {
                match peer.write(&bytes[at..TOTAL.min(at + 65_536)]) {
                    Ok(n) => at += n,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        blocked.store(true, Ordering::SeqCst)
                    }
                    Err(error) => panic!("{error}"),
                }
                written.store(at, Ordering::SeqCst);
            }
        });
        server.fact(&client, json!({ "type": "paused", "what": "read", "reason": "log_full" }));
        eventually("the peer's send blocks", || blocked.load(Ordering::SeqCst));
        assert!(written.load(Ordering::SeqCst) < TOTAL, "most of it is still with the peer");
        server.send(&client, &vec![0; 500_000], "").problem(429, "log_full");
        let (mut bytes, mut after) = (Vec::with_capacity(TOTAL), 0);
        let mut resumed = 0;
        while bytes.len() < TOTAL {
            let page = server.ask("GET", &format!("events?after={after}&wait=1"), None).ok();
            assert_eq!(page["gaps"], json!([]), "nothing is given up");
            for event in list(&page["events"]) {
                resumed += usize::from(event["type"] == "resumed");
                if event["type"] == "received" {
                    assert_eq!(event["offset"], bytes.len());
                    bytes.extend(payload(&event));
                }
            }
            after = number(&page["next"]);
            if after == number(&page["head"]) {
                server.ask("POST", "log/trim", Some(&json!({ "up_to": after }))).ok();
            }
        }
        assert!(bytes == Noise::new(6).bytes(TOTAL), "every byte came, in order");
        assert!(resumed > 0);
    });
    let resident = server.resident();
    assert!(resident <= (4 + 64) << 20, "{} MiB resident", resident >> 20);
}

/// A full log that may not give anything up reads datagrams, counts them and drops them.
#[test]
fn datagrams_that_a_full_log_cannot_take_are_counted() {
    const SENT: u64 = 500;
    let server = Server::start(&["--log-full", "pause", "--log-bytes", "4M"]);
    let (filler, mut peer) = Listener::new().meet(&server);
    peer.set_write_timeout(Some(Duration::from_millis(200))).expect("not zero");
    while peer.write(&[0; 65_536]).is_ok() {}
    server.fact(&filler, json!({ "type": "paused", "what": "read" }));
    let bound = server.open("udp-bind://127.0.0.1:0");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for _ in 0..SENT {
        sender.send_to(&[1; 32], text(&bound["local"])).expect("sent");
    }
    server.fact(&id(&bound), json!({ "type": "paused", "what": "read", "reason": "log_full" }));
    let trim = || server.ask("POST", "log/trim", Some(&json!({ "up_to": server.head() }))).ok();
    let accounted = || {
        let counters = &server.socket(&id(&bound))["counters"];
        number(&counters["received_events"]) + number(&counters["dropped"])
    };
    // Reset, so that it does not fill the log again.
    server.ask("DELETE", &format!("sockets/{filler}?reset=true"), None).ok();
    eventually("every datagram is accounted for", || {
        trim();
        accounted() >= SENT
    });
    assert_eq!(accounted(), SENT);
    assert!(number(&server.socket(&id(&bound))["counters"]["dropped"]) > 0);
}

/// What needs no payload is bounded, too: connections wait in the kernel until there is room.
#[test]
fn a_full_log_that_pauses_accepts_nobody_and_goes_on_after_a_trim() {
    const PEERS: usize = 40;
    let server = Server::start(&["--log-full", "pause", "--log-bytes", "4M"]);
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let (practice, echo) = server.practice("echo_udp");
    let (filler, mut peer) = Listener::new().meet(&server);
    peer.set_write_timeout(Some(Duration::from_millis(200))).expect("not zero");
    while peer.write(&[0; 65_536]).is_ok() {}
    server.fact(&filler, json!({ "type": "paused", "what": "read" }));
    let waiting: Vec<_> = (0..PEERS).map(|_| dial(&listening)).collect();
    server.fact(&id(&listening), json!({ "type": "paused", "what": "accept", "reason": "log_full" }));
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    for _ in 0..20_000 {
        sender.send_to(b"?", echo.trim_start_matches("udp://")).expect("sent");
    }
    let used = || number(&server.ask("GET", "/api/v1/about", None).ok()["log_bytes_used"]);
    assert!(used() <= 4 << 20, "{} bytes", used());
    assert_eq!(server.socket(&id(&listening))["state"], "listening");
    server.ask("DELETE", &format!("sockets/{filler}?reset=true"), None).ok();
    server.ask("DELETE", &format!("practice/{practice}"), None).ok();
    server.ask("POST", "log/trim", Some(&json!({ "up_to": server.head() }))).ok();
    server.fact(&id(&listening), json!({ "type": "resumed", "what": "accept" }));
    for peer in &waiting {
        let remote = peer.local_addr().expect("connected").to_string();
        eventually("everybody is accepted", || {
            server.sockets().iter().any(|socket| socket["remote"] == remote)
        });
    }
}

/// Room is set aside for a send until it is recorded. One that fails, is refused or is given up gives it back.
#[test]
fn sends_that_come_to_nothing_give_back_their_room_in_the_log() {
    let server = Server::start(&["--log-full", "pause", "--log-bytes", "4M"]);
    let listener = Listener::new();
    let half = vec![0; 500_000];
    for turn in 0..12 {
        let (client, peer) = listener.meet_with(&server, json!({ "send_buffer": 4096 }));
        server.send(&client, &half, "?timeout=0").problem(504, "send_timed_out");
        server.send(&client, &half, "?timeout=0").problem(504, "send_timed_out");
        server.send(&client, &half, "?timeout=0").problem(429, "queue_full");
        if turn % 2 == 0 {
            server.ask("DELETE", &format!("sockets/{client}?reset=true"), None).ok();
        } else {
            crate::kit::reset(peer);
        }
        server.fact(&client, json!({ "type": "closed" }));
        let bound = id(&server.open("udp-bind://127.0.0.1:0"));
        server.send(&bound, &half, "?to=127.0.0.1:9").problem(413, "message_too_long");
        server.close(&bound);
        server.ask("POST", "log/trim", Some(&json!({ "up_to": server.head() }))).ok();
    }
    let (client, mut peer) = listener.meet(&server);
    peer.write_all(&vec![1; 3 << 20]).expect("all of it fits");
    eventually("all is received", || {
        number(&server.socket(&client)["counters"]["received_bytes"]) == 3 << 20
    });
}
