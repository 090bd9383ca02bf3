//! What the comparison of socket and HTTP stands on: a source that ticks, and a middlebox that forgets.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use socket2::SockRef;

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

/// IPv6 has another option for it (IPV6_MINHOPCOUNT): the onward leg is silent, too, whichever side speaks.
#[test]
fn a_middlebox_forgets_an_onward_leg_over_ipv6() {
    let server = Server::start(&[]);
    let behind = Listener::on("[::1]:0");
    let (_, target) = middlebox(&server, &behind.target(), 700);
    let client = id(&server.open_with(&target, json!({ "user_timeout_ms": 1500 })));
    let mut peer = behind.accept();
    server.say(&client, b"before");
    let mut before = [0; 6];
    peer.read_exact(&mut before).expect("handed on");
    peer.write_all(b"before").expect("open");
    assert_eq!(server.received(&client, 6), b"before");
    server.fact("", json!({ "type": "note", "code": "forgotten" }));
    // The peer's own kernel waits for an acknowledgement that does not come.
    SockRef::from(&peer).set_tcp_user_timeout(Some(Duration::from_millis(1500))).expect("a living socket");
    peer.write_all(b"after").expect("the kernel takes it");
    server.say(&client, b"after");
    let nothing = peer.read(&mut [0; 1]).expect_err("nothing comes any more");
    assert_eq!(nothing.kind(), ErrorKind::TimedOut, "{nothing}");
    server.fact(&client, json!({ "type": "failed", "errno": "ETIMEDOUT" }));
    assert_eq!(server.received(&client, 6), b"before", "nor back");
}

/// As an address translator behind a firewall: each forgets by itself, and the one that does cuts both.
#[test]
fn a_middlebox_behind_a_middlebox_passes_on_until_either_forgets() {
    for (near_ms, far_ms) in [(700, 60_000), (60_000, 700)] {
        let server = Server::start(&[]);
        let (echo, behind) = server.practice("echo");
        let (far_box, far) = middlebox(&server, &behind, far_ms);
        let (_, near) = middlebox(&server, &far, near_ms);
        let client = id(&server.open_with(&near, json!({ "user_timeout_ms": 1500 })));
        server.say(&client, b"before");
        assert_eq!(server.received(&client, 6), b"before");
        let forgotten = server.fact("", json!({ "type": "note", "code": "forgotten" }));
        assert_eq!(forgotten["params"]["idle_ms"], "700");
        server.say(&client, b"after");
        if near_ms < far_ms {
            server.fact(&client, json!({ "type": "failed", "errno": "ETIMEDOUT" }));
        } else {
            // The near one lives, so its kernel acknowledges; what it hands on is lost behind it.
            eventually("the near one handed it on", || {
                let relayed = |event: &Value| event["type"] == "sent" && event["offset"] == 6;
                server.history("type=sent").0.iter().filter(|event| relayed(event)).count() == 2
            });
            let heard = calls(&server, &far_box, "received");
            assert_eq!(
                heard.iter().map(|event| number(&event["len"])).sum::<u64>(),
                6,
                "and it came nowhere"
            );
        }
        let echoed: u64 = calls(&server, &echo, "received").iter().map(|event| number(&event["len"])).sum();
        assert_eq!(
            (echoed, server.received(&client, 6)),
            (6, b"before".to_vec()),
            "nothing passes {near_ms} {far_ms}"
        );
    }
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
    // The RST may come before connect(2) is known to have succeeded.
    let opened = server.try_open(&relay, json!({}));
    if opened.status == 201 {
        server.fact(&id(&opened.json()), json!({ "type": "reset", "side": "peer" }));
    } else {
        let (code, phase) = (&opened.json()["code"], &opened.json()["phase"]);
        assert_eq!((code, phase), (&json!("reset"), &json!("connect")), "{opened:?}");
    }
    server.fact("", json!({ "type": "failed", "code": "refused", "fatal": true }));
}

/// The policy holds for where a middlebox stands like for any other target.
#[test]
fn a_middlebox_dials_nothing_that_is_denied() {
    let server = Server::start(&[]);
    for to in ["tcp://169.254.169.254:80".to_owned(), format!("tcp://{}", server.address)] {
        let (_, relay) = middlebox(&server, &to, 1000);
        // It resets what it cannot carry on, which may be before or after the answer.
        let opened = server.try_open(&relay, json!({}));
        assert!(opened.status == 201 || text(&opened.json()["code"]) == "reset", "{opened:?}");
        server.fact("", json!({ "type": "refused_by_policy", "target": to }));
    }
}

/// The bytes an HTTP client sends are bytes on a socket.
#[test]
fn an_http_clients_request_is_seen_in_bytes() {
    let server = Server::start(&[]);
    let (_, target) = server.practice("http");
    let host = target.trim_start_matches("tcp://");
    let request =
        json!({ "url": format!("http://{host}/?a=b"), "headers": [["X-Lesson", "seven"]], "times": 2 });
    let answer = server.ask("POST", "http", Some(&request)).ok();
    let [first, second] = &list(&answer["exchanges"])[..] else { panic!("{answer}") };
    assert_eq!((&first["status"], &first["version"]), (&json!(200), &json!("HTTP/1.1")), "{first}");
    assert_eq!((&first["reused"], &second["reused"]), (&json!(false), &json!(true)));
    let socket = text(&first["socket"]);
    assert_eq!(second["socket"], first["socket"], "one connection for both");
    server.fact(&socket, json!({ "type": "closed", "reason": "closed" }));
    let story = server.story(&socket);
    let sent = String::from_utf8(carried(&story, "sent")).expect("text");
    let one = sent.len() / 2;
    assert_eq!(sent[..one], sent[one..], "the same request twice");
    assert!(sent.starts_with("GET /?a=b HTTP/1.1\r\n") && sent.ends_with("\r\n\r\n"), "{sent}");
    assert!(sent.contains(&format!("Host: {host}\r\n")) && sent.contains("X-Lesson: seven\r\n"), "{sent}");
    let received = carried(&story, "received");
    assert!(received.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(received.ends_with(&payload_of(&second["body"])), "its body is the end of what came");
    assert_eq!(number(&second["body_bytes"]), payload_of(&second["body"]).len() as u64);
}

fn payload_of(base64: &Value) -> Vec<u8> {
    crate::kit::payload(&json!({ "payload": base64 }))
}

#[test]
fn a_chunked_answer_is_put_together_by_the_client_and_whole_in_the_log() {
    let server = Server::start(&[]);
    let (_, target) = server.practice("http");
    let url = format!("{}/chunked", target.replace("tcp:", "http:"));
    let exchange = server.ask("POST", "http", Some(&json!({ "url": url }))).ok()["exchanges"][0].clone();
    let body = String::from_utf8(payload_of(&exchange["body"])).expect("text");
    let raw =
        String::from_utf8(carried(&server.story(&text(&exchange["socket"])), "received")).expect("text");
    assert!(raw.contains("\r\n1b\r\nThis body") && raw.ends_with("\r\n0\r\nX-Pieces: 3\r\n\r\n"), "{raw}");
    assert!(body.starts_with("This body comes in chunks.\nEach says"), "{body}");
}

#[test]
fn connection_close_is_a_connection_each() {
    let server = Server::start(&[]);
    let (_, target) = server.practice("http");
    let url = target.replace("tcp:", "http:");
    let request = json!({ "url": url, "times": 2, "keep_alive": false });
    let exchanges = list(&server.ask("POST", "http", Some(&request)).ok()["exchanges"]);
    assert_ne!(exchanges[0]["socket"], exchanges[1]["socket"]);
    for exchange in &exchanges {
        assert_eq!(exchange["reused"], false);
        let story = server.story(&text(&exchange["socket"]));
        assert!(String::from_utf8(carried(&story, "sent")).expect("text").contains("Connection: close\r\n"));
        assert_eq!(ending(&server, exchange), ["eof", "closed"], "the server speaks the last word");
    }
    let kept = server.ask("POST", "http", Some(&json!({ "url": url }))).ok()["exchanges"][0].clone();
    assert_eq!(ending(&server, &kept), ["closed"], "kept, it is ended from here");
}

/// How the socket of an exchange came to its end.
fn ending(server: &Server, exchange: &Value) -> Vec<String> {
    let socket = text(&exchange["socket"]);
    server.fact(&socket, json!({ "type": "closed" }));
    let ends = ["eof", "closed", "shutdown", "reset", "failed"];
    server
        .story(&socket)
        .iter()
        .map(|event| text(&event["type"]))
        .filter(|is| ends.contains(&&**is))
        .collect()
}

/// A server that answers a request with `begin`, and then with `more`, over and over, until nobody listens.
fn endless(begin: &'static [u8], more: &'static [u8]) -> String {
    let listener = Listener::new();
    let url = listener.target().replace("tcp:", "http:");
    std::thread::spawn(move || {
        let mut stream = listener.accept();
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).expect("a request") > 0);
        stream.write_all(begin).expect("open");
        while stream.write_all(more).is_ok() {}
    });
    url
}

/// Interim answers for ever, or a head without an end, cost no more than the longest head that is read.
#[test]
fn a_head_without_an_end_is_read_for_64_kib_and_said_to_be_one() {
    let server = Server::start(&[]);
    for (begin, more) in [
        (&b""[..], &b"HTTP/1.1 100 Continue\r\n\r\n"[..]),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-Endless: yes\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Endless: ", b"no line end"),
    ] {
        let request = json!({ "url": endless(begin, more) });
        let problem = server.ask("POST", "http", Some(&request)).problem(502, "head_too_long");
        let socket = text(&problem["socket"]);
        server.fact(&socket, json!({ "type": "closed" }));
        let read = carried(&server.story(&socket), "received").len();
        assert!((8 * 1024..192 * 1024).contains(&read), "{read} bytes were read");
    }
}

/// The head's limit is none for the body, however both come.
#[test]
fn a_long_body_right_behind_its_head_is_no_head() {
    let server = Server::start(&[]);
    let listener = Listener::new();
    let url = listener.target().replace("tcp:", "http:");
    let long = vec![b'x'; 400 * 1024];
    std::thread::spawn(move || {
        let mut stream = listener.accept();
        let mut request = [0; 4096];
        while stream.read(&mut request).is_ok_and(|n| n > 0) {
            let head = format!(
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                long.len()
            );
            stream.write_all(&[head.as_bytes(), &long].concat()).expect("open");
        }
    });
    let answer = server.ask("POST", "http", Some(&json!({ "url": url, "times": 3 }))).ok();
    for exchange in list(&answer["exchanges"]) {
        assert_eq!((&exchange["status"], number(&exchange["body_bytes"])), (&json!(200), 400 * 1024));
    }
}

#[test]
fn a_request_that_cannot_be_made_or_answered_says_why() {
    let server = Server::start(&[]);
    let head = server.head();
    for (request, status, code) in [
        (json!({ "url": "https://127.0.0.1/" }), 422, "invalid_http"),
        (json!({ "url": "http://user@127.0.0.1/" }), 422, "invalid_http"),
        (json!({ "url": "http://127.1/" }), 422, "invalid_host"),
        (json!({ "url": "http://127.0.0.1:65616/" }), 422, "invalid_http"),
        (json!({ "url": "http://127.0.0.1:x/" }), 422, "invalid_http"),
        (json!({ "url": "http://127.0.0.1/", "times": 6 }), 422, "invalid_http"),
        (json!({ "url": "http://127.0.0.1/", "method": "CONNECT" }), 422, "invalid_http"),
        (json!({ "url": "http://127.0.0.1/", "headers": [["a b", "c"]] }), 422, "invalid_http"),
        (json!({ "url": "http://127.0.0.1/", "headers": [["a", "b\nc"]] }), 422, "invalid_http"),
        (json!({ "url": "http://127.0.0.1/", "colour": "red" }), 400, "malformed_json"),
    ] {
        server.ask("POST", "http", Some(&request)).problem(status, code);
    }
    assert_eq!(server.head(), head, "what is not understood leaves no trace");
    let ask = |url: String| server.ask("POST", "http", Some(&json!({ "url": url })));
    ask("http://169.254.169.254/".to_owned()).problem(403, "denied");
    let nobody = Listener::new();
    let url = nobody.target().replace("tcp:", "http:");
    drop(nobody);
    ask(url).problem(502, "refused");
    let (_, echo) = server.practice("echo");
    let problem = ask(echo.replace("tcp:", "http:")).problem(502, "not_http");
    server.fact(&text(&problem["socket"]), json!({ "type": "closed" }));
}

#[test]
fn a_request_under_way_is_cancelled_by_closing_its_socket_or_by_leaving() {
    let server = Server::start(&[]);
    let (_, silent) = server.practice("silent");
    let request = json!({ "url": silent.replace("tcp:", "http:") });
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| server.ask("POST", "http", Some(&request)));
        let socket = text(&server.fact("", json!({ "type": "sent" }))["socket"]);
        server.close(&socket);
        asking.join().expect("answered").problem(409, "cancelled");
        server.fact(&socket, json!({ "type": "closed", "reason": "closed" }));
    });
    let head = server.head();
    let asking = server.begin("POST", "http", &request);
    let mut socket = String::new();
    eventually("the second request is sent", || {
        let (events, _) = server.history("type=sent");
        let last = events.iter().rfind(|event| number(&event["seq"]) > head);
        last.map(|event| socket = text(&event["socket"])).is_some()
    });
    drop(asking);
    server.fact(&socket, json!({ "type": "closed" }));
}

/// HTTP/1.0 servers close after each answer; what was asked until then is told, and at once.
#[test]
fn a_server_that_closes_between_two_requests_keeps_nobody_waiting() {
    let server = Server::start(&[]);
    let old = Listener::new();
    let url = old.target().replace("tcp:", "http:");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = old.accept();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                request.push(byte[0]);
            }
            stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi").expect("open");
        });
        let answer = server.ask("POST", "http", Some(&json!({ "url": url, "times": 3 }))).ok();
        assert_eq!(list(&answer["exchanges"]).len(), 1, "{answer}");
        server.fact(&text(&answer["exchanges"][0]["socket"]), json!({ "type": "closed" }));
    });
}

/// Each way passes at its own pace: one that is blocked does not stop the other.
#[test]
fn a_middlebox_passes_one_way_while_the_other_is_blocked() {
    let server = Server::start(&[]);
    let behind = Listener::new();
    let (_, target) = middlebox(&server, &behind.target(), 60_000);
    let mut client = patient(TcpStream::connect(target.trim_start_matches("tcp://")).expect("it listens"));
    let mut peer = behind.accept();
    // The peer reads nothing, so that what the client sends soon fills every buffer on the way.
    client.set_write_timeout(Some(Duration::from_millis(500))).expect("not zero");
    while client.write(&[1; 65_536]).is_ok() {}
    peer.write_all(b"still passes").expect("open");
    let mut heard = [0; 12];
    client.read_exact(&mut heard).expect("the other way is free");
    assert_eq!(&heard, b"still passes");
}

#[test]
fn a_forgotten_connection_can_be_ended_by_itself() {
    let server = Server::start(&[]);
    let (_, behind) = server.practice("echo");
    let (_, target) = middlebox(&server, &behind, 500);
    server.open(&target);
    server.fact("", json!({ "type": "note", "code": "forgotten" }));
    let leg = list(&server.ask("GET", "sockets?hidden=true", None).ok()["sockets"])
        .iter()
        .find(|socket| socket["practice"] == "middlebox" && socket["role"] == "client")
        .map(id)
        .expect("its onward half");
    server.close(&leg);
    server.fact(&leg, json!({ "type": "closed" }));
}

/// A relay's onward halves are opened because somebody connected: the places kept for people are not for them.
#[test]
fn a_middlebox_takes_no_place_that_is_kept_for_people() {
    let server = Server::start(&["--max-sockets", "64"]);
    let behind = Listener::new();
    let (listener, target) = middlebox(&server, &behind.target(), 60_000);
    let address = target.trim_start_matches("tcp://");
    let _crowd: Vec<TcpStream> =
        (0..80).map(|_| TcpStream::connect(address).expect("the kernel takes it")).collect();
    server.fact(&listener, json!({ "type": "paused", "what": "accept" }));
    let other = Listener::new();
    let mut opened = 0;
    while server.try_open(&other.target(), json!({})).status == 201 {
        opened += 1;
    }
    // Of the four, the middlebox itself may have one: somebody opened it.
    assert!(opened >= 3, "{opened} places were left");
}

/// After a restart `s3` is somebody else's: who says which log an id is of ends nothing of another one.
#[test]
fn what_is_ended_by_an_id_of_another_log_is_not_ended() {
    let server = Server::start(&[]);
    let epoch = text(&server.ask("GET", "sockets", None).ok()["epoch"]);
    let (peer, target) = server.practice("echo");
    let socket = id(&server.open(&target));
    let meter = id(&server.ask("POST", "meters", Some(&json!({}))).ok());
    for path in [format!("sockets/{socket}"), format!("practice/{peer}"), format!("meters/{meter}")] {
        server.ask("DELETE", &format!("{path}?epoch=another"), None).problem(409, "wrong_epoch");
        if !path.starts_with("practice") {
            server.ask("GET", &path, None).ok();
        }
        server.ask("DELETE", &format!("{path}?epoch={epoch}"), None).ok();
    }
    server.ask("DELETE", "crowds/n1?epoch=another", None).problem(409, "wrong_epoch");
}
