//! The send queue: bounded, visible, and nobody else's business.

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::json;
use socket2::SockRef;

use crate::kit::{
    Listener, Noise, Server, carried, eventually, id, is_like, number, read_exactly, read_to_fin, types,
};

const MIB: usize = 1 << 20;

/// A client whose peer does not read, with as little buffered in the kernel as it allows.
fn stuck(server: &Server) -> (String, TcpStream) {
    let listener = Listener::new();
    SockRef::from(&listener.0).set_recv_buffer_size(4096).expect("a living socket");
    listener.meet_with(server, json!({ "send_buffer": 4096 }))
}

#[test]
fn a_peer_that_does_not_read_is_visible_and_blocks_nobody_else() {
    let server = Server::start(&[]);
    let (client, mut peer) = stuck(&server);
    let bytes = Noise::new(3).bytes(MIB);
    let late = server.send(&client, &bytes, "?timeout=0.3").problem(504, "send_timed_out");
    let taken = number(&late["taken"]);
    assert!(taken > 0 && taken < MIB as u64, "{late}");
    let paused = server.fact(&client, json!({ "type": "paused" }));
    assert!(is_like(&paused, &json!({ "what": "send", "reason": "peer_not_reading" })), "{paused}");
    let queued = number(&paused["queued_bytes"]);
    let queue = server.socket(&client)["queue"].clone();
    assert_eq!(number(&queue["bytes"]), queued, "{queue}");
    assert!(queued > 0 && queued + taken >= MIB as u64, "{queued} and {taken}");
    assert!(number(&queue["blocked_since_us"]) <= number(&paused["t_us"]), "{queue}");

    let full = server.send(&client, &bytes, "").problem(429, "queue_full");
    assert_eq!(full["params"]["max"], MIB.to_string());
    assert_eq!(server.socket(&client)["queue"], queue, "nothing was taken");

    let (other, mut echo) = Listener::new().meet(&server);
    let begin = Instant::now();
    server.say(&other, b"ping");
    assert_eq!(read_exactly(&mut echo, 4), b"ping");
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "a round trip of another socket: {:?}",
        begin.elapsed()
    );

    assert!(read_exactly(&mut peer, MIB) == bytes, "once it reads, it gets all of it, once");
    server.fact(&client, json!({ "type": "resumed", "what": "send" }));
    eventually("the queue is empty", || server.socket(&client)["queue"] == json!({ "bytes": 0 }));
    assert!(carried(&server.story(&client), "sent") == bytes);
    server.say(&client, b"and on");
    assert_eq!(read_exactly(&mut peer, 6), b"and on");
}

#[test]
fn a_queue_takes_a_bounded_number_of_sends_however_small() {
    let server = Server::start(&[]);
    let (client, _peer) = stuck(&server);
    server.send(&client, &vec![0; MIB / 2], "?timeout=0").problem(504, "send_timed_out");
    server.fact(&client, json!({ "type": "paused" }));
    let mut taken = 0;
    loop {
        let answer = server.send(&client, b"x", "?timeout=0");
        if answer.status == 429 {
            answer.problem(429, "queue_full");
            break;
        }
        answer.problem(504, "send_timed_out");
        taken += 1;
        assert!(taken <= 1024, "a thousand one-byte sends and no end");
    }
    server.ask("DELETE", &format!("sockets/{client}?reset=true"), None).ok();
    let closed = server.fact(&client, json!({ "type": "closed" }));
    assert!(number(&closed["unsent_bytes"]) > taken, "{closed}");
}

#[test]
fn closing_waits_for_the_queue_and_closing_again_gives_it_up() {
    let server = Server::start(&[]);
    let (client, mut peer) = stuck(&server);
    let bytes = Noise::new(4).bytes(MIB);
    server.send(&client, &bytes, "?timeout=0").problem(504, "send_timed_out");
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| server.close(&client));
        let waiting = server.fact(&client, json!({ "type": "closing" }));
        assert!(number(&waiting["queued_bytes"]) > 0, "{waiting}");
        assert_eq!(server.socket(&client)["state"], "closing");
        let problem = server.send(&client, b"too late", "").problem(409, "wrong_state");
        assert_eq!(problem["params"]["state"], "closing");
        assert!(read_to_fin(&mut peer) == bytes, "what was taken is sent, then the FIN");
        closing.join().expect("closed");
    });
    assert!(!carried(&server.story(&client), "sent").ends_with(b"too late"));
    let closed = server.fact(&client, json!({ "type": "closed" }));
    assert_eq!((&closed["reason"], &closed["unsent_bytes"]), (&json!("closed"), &json!(0)));

    let (client, _peer) = stuck(&server);
    server.send(&client, &bytes, "?timeout=0").problem(504, "send_timed_out");
    server.fact(&client, json!({ "type": "paused" }));
    let queued = number(&server.socket(&client)["queue"]["bytes"]);
    let leaving = server.begin("DELETE", &format!("sockets/{client}"), &json!({}));
    eventually("the second close ends it", || {
        server.close(&client);
        !types(&server.story(&client)).iter().all(|kind| *kind != "closed")
    });
    drop(leaving);
    let closed = server.fact(&client, json!({ "type": "closed" }));
    assert_eq!(number(&closed["unsent_bytes"]), queued, "and it says what was not sent");
}

#[test]
fn a_half_close_goes_after_what_is_queued() {
    let server = Server::start(&[]);
    let (client, mut peer) = stuck(&server);
    let bytes = Noise::new(5).bytes(MIB);
    server.send(&client, &bytes, "?timeout=0").problem(504, "send_timed_out");
    std::thread::scope(|scope| {
        let shutting = scope.spawn(|| server.shut_down(&client));
        assert!(read_to_fin(&mut peer) == bytes);
        shutting.join().expect("shut down");
    });
    assert_eq!(server.socket(&client)["state"], "half_closed_local");
}

#[test]
fn a_peer_that_resets_a_full_queue_fails_the_send_with_what_was_taken() {
    let server = Server::start(&[]);
    let (client, peer) = stuck(&server);
    let problem = std::thread::scope(|scope| {
        let sending = scope.spawn(|| server.send(&client, &vec![1; MIB], ""));
        server.fact(&client, json!({ "type": "paused" }));
        crate::kit::reset(peer);
        sending.join().expect("answered")
    });
    let problem = problem.problem(502, "reset");
    assert!(number(&problem["taken"]) > 0, "{problem}");
    let closed = server.fact(&client, json!({ "type": "closed", "reason": "was_reset" }));
    assert_eq!(number(&problem["taken"]) + number(&closed["unsent_bytes"]), MIB as u64);
    let _ = id(&server.socket(&client));
}
