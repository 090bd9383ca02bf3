//! How connections end: half-close, close and reset, by either side, are different facts.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::Shutdown,
    time::Duration,
};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::kit::{
    Blackhole, Listener, Server, dial, eventually, id, is_like, number, read_to_fin, reset, text, types,
};

#[test]
fn after_a_half_close_the_peer_sees_fin_and_can_still_send() {
    let server = Server::start(&[]);
    let (client, mut peer) = Listener::new().meet(&server);
    server.say(&client, b"last words");
    server.shut_down(&client);
    assert_eq!(read_to_fin(&mut peer), b"last words");
    assert_eq!(server.socket(&client)["state"], "half_closed_local");
    server.send(&client, b"more", "").problem(409, "wrong_state");
    let late = vec![7; 1 << 20];
    peer.write_all(&late).expect("the other direction is open");
    assert_eq!(server.received(&client, 1 << 20), late);
    drop(peer);
    let closed = server.fact(&client, json!({ "type": "closed" }));
    assert_eq!(closed["reason"], "both_ended");
    let story = server.story(&client);
    let order: Vec<_> =
        types(&story).into_iter().filter(|kind| !matches!(*kind, "received" | "sent")).collect();
    assert_eq!(order, ["opening", "connecting", "connected", "shutdown", "eof", "closed"]);
    assert_eq!(server.socket(&client)["state"], "closed");
}

#[test]
fn a_close_is_a_fin_even_with_bytes_unread() {
    let server = Server::start(&[]);
    let (client, mut peer) = Listener::new().meet(&server);
    server.say(&client, b"bye");
    peer.write_all(b"unasked").expect("written");
    server.close(&client);
    assert_eq!(read_to_fin(&mut peer), b"bye");
    let closed = server.fact(&client, json!({ "type": "closed" }));
    assert_eq!((&closed["reason"], &closed["unsent_bytes"]), (&json!("closed"), &json!(0)));
    assert!(closed["cause"].is_string() && closed["by"].is_string(), "and who asked for it");
}

/// The log has no room for what the kernel still holds, so it stays there: close(2) answers that with RST (RFC 2525).
#[test]
fn a_close_that_cannot_read_everything_is_a_rst_and_says_so() {
    let server = Server::start(&["--log-full", "pause", "--log-bytes", "4M"]);
    let (client, mut peer) = Listener::new().meet(&server);
    peer.set_write_timeout(Some(Duration::from_millis(200))).expect("not zero");
    while peer.write(&[7; 65_536]).is_ok() {}
    server.fact(&client, json!({ "type": "paused", "what": "read", "reason": "log_full" }));
    server.close(&client);
    let closed = server.fact(&client, json!({ "type": "closed" }));
    assert!(number(&closed["unread_bytes"]) > 0, "{closed}");
    assert_eq!(closed["reason"], "closed", "somebody closed it");
    server.fact(&client, json!({ "type": "reset", "side": "local" }));
    let error = peer.read(&mut [0; 1]).expect_err("no FIN");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_reset_is_a_rst() {
    let server = Server::start(&[]);
    let (client, mut peer) = Listener::new().meet(&server);
    server.ask("DELETE", &format!("sockets/{client}?reset=true"), None).ok();
    let error = peer.read(&mut [0; 1]).expect_err("no FIN");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let story = server.story(&client);
    let [.., reset, closed] = &story[..] else { panic!("{story:#?}") };
    assert!(is_like(reset, &json!({ "type": "reset", "side": "local" })), "{reset}");
    assert!(is_like(closed, &json!({ "type": "closed", "reason": "was_reset" })), "{closed}");
}

#[test]
fn the_peers_fin_is_an_eof_and_we_can_still_send() {
    let server = Server::start(&[]);
    let (client, mut peer) = Listener::new().meet(&server);
    peer.write_all(b"abc").expect("written");
    peer.shutdown(Shutdown::Write).expect("open");
    let eof = server.fact(&client, json!({ "type": "eof" }));
    assert_eq!(eof["offset"], 3);
    assert_eq!(server.socket(&client)["state"], "half_closed_remote");
    server.say(&client, b"still here");
    server.close(&client);
    assert_eq!(read_to_fin(&mut peer), b"still here");
    assert!(!types(&server.story(&client)).contains(&"reset"));
}

#[test]
fn the_peers_rst_is_a_reset_with_errno_and_phase() {
    let server = Server::start(&[]);
    let (client, peer) = Listener::new().meet(&server);
    reset(peer);
    let event = server.fact(&client, json!({ "type": "reset" }));
    let expected = json!({ "side": "peer", "errno": "ECONNRESET", "phase": "receive" });
    assert!(is_like(&event, &expected), "{event}");
    let closed = server.fact(&client, json!({ "type": "closed" }));
    assert_eq!(closed["reason"], "was_reset");
    assert!(!types(&server.story(&client)).contains(&"eof"));
    server.send(&client, b"x", "").problem(409, "wrong_state");
}

#[test]
fn a_rst_after_the_fin_is_both() {
    let server = Server::start(&[]);
    let (client, peer) = Listener::new().meet(&server);
    peer.shutdown(Shutdown::Write).expect("open");
    server.fact(&client, json!({ "type": "eof" }));
    reset(peer);
    server.fact(&client, json!({ "type": "reset", "side": "peer" }));
    server.fact(&client, json!({ "type": "closed", "reason": "was_reset" }));
}

/// What the peer sent before it went is received first.
#[test]
fn bytes_then_fin_at_once_are_bytes_then_eof() {
    let server = Server::start(&[]);
    let (client, mut peer) = Listener::new().meet(&server);
    peer.write_all(&vec![1; 300_000]).expect("written");
    drop(peer);
    let eof = server.fact(&client, json!({ "type": "eof" }));
    assert_eq!(eof["offset"], 300_000);
    assert_eq!(number(&server.socket(&client)["counters"]["received_bytes"]), 300_000);
}

#[test]
fn a_peer_that_is_killed_ends_with_the_fin_its_kernel_sends() {
    let server = Server::start(&[]);
    let mut other = Server::start(&[]);
    let listening = other.open("tcp-listen://127.0.0.1:0");
    let client = id(&server.open(&format!("tcp://{}", text(&listening["local"]))));
    other.fact(&id(&listening), json!({ "type": "accepted" }));
    other.process().signal(Signal::SIGKILL);
    server.fact(&client, json!({ "type": "eof", "offset": 0 }));
    eventually("sending into nothing is a reset", || server.send(&client, b"hello?", "").status != 200);
    server.fact(&client, json!({ "type": "reset", "side": "peer" }));
    assert_eq!(server.ask("GET", "/healthz", None).status, 200);
}

#[test]
fn closing_a_listener_leaves_its_children_unless_asked() {
    let server = Server::start(&[]);
    for children in [false, true] {
        let listening = server.open("tcp-listen://127.0.0.1:0");
        let mut peers = [dial(&listening), dial(&listening)];
        let ids = peers.each_ref().map(|peer| {
            let remote = peer.local_addr().expect("connected").to_string();
            text(&server.fact(&id(&listening), json!({ "type": "accepted", "remote": remote }))["child"])
        });
        server.ask("DELETE", &format!("sockets/{}?children={children}", id(&listening)), None).ok();
        assert_eq!(server.socket(&id(&listening))["state"], "closed");
        for (child, peer) in ids.iter().zip(&mut peers) {
            if children {
                server.fact(child, json!({ "type": "closed", "reason": "listener_closed" }));
                assert_eq!(read_to_fin(peer), b"");
            } else {
                peer.write_all(b"alive").expect("written");
                assert_eq!(server.received(child, 5), b"alive");
            }
        }
    }
}

#[test]
fn what_cannot_be_done_to_a_socket_is_refused() {
    let server = Server::start(&[]);
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let listener = id(&listening);
    let bound = id(&server.open("udp-bind://127.0.0.1:0"));
    let (client, _peer) = Listener::new().meet(&server);
    server.close(&client);
    let head = server.head();
    server.send(&client, b"x", "").problem(409, "wrong_state");
    server.send(&listener, b"x", "").problem(409, "wrong_state");
    server.send("s999", b"x", "").problem(404, "unknown_socket");
    server.send("nonsense", b"x", "").problem(404, "unknown_socket");
    server.send(&bound, b"x", "").problem(422, "missing_to");
    let how = json!({ "how": "write" });
    for id in [&client, &listener, &bound] {
        server.ask("POST", &format!("sockets/{id}/shutdown"), Some(&how)).problem(409, "wrong_state");
    }
    server.ask("DELETE", "sockets/s999", None).problem(404, "unknown_socket");
    assert_eq!(server.head(), head, "and leaves no trace");
}

#[test]
fn a_closed_socket_stays_listed_until_it_is_removed_and_no_id_comes_again() {
    let server = Server::start(&[]);
    let first = id(&server.open("udp-bind://127.0.0.1:0"));
    server.close(&first);
    let socket = server.socket(&first);
    assert_eq!(socket["state"], "closed");
    assert_eq!(socket["closed_seq"], server.fact(&first, json!({ "type": "closed" }))["seq"]);
    server.close(&first);
    server.ask("GET", &format!("sockets/{first}"), None).problem(404, "unknown_socket");
    server.fact(&first, json!({ "type": "note", "code": "removed" }));
    let second = id(&server.open("udp-bind://127.0.0.1:0"));
    assert_ne!(first, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_sockets_with_fin_and_the_server_with_zero() {
    let mut server = Server::start(&[]);
    let (idle, mut idle_peer) = Listener::new().meet(&server);
    let (_, mut busy_peer) = Listener::new().meet(&server);
    busy_peer.write_all(&vec![3; 200_000]).expect("written");
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let mut accepted = dial(&listening);
    server.fact(&id(&listening), json!({ "type": "accepted" }));
    server.say(&idle, b"before the end");
    let status = server.process().terminate(Duration::from_secs(5)).await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(read_to_fin(&mut idle_peer), b"before the end");
    assert_eq!(read_to_fin(&mut busy_peer), b"");
    assert_eq!(read_to_fin(&mut accepted), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_waits_for_no_peer_that_does_not_read_or_answer() {
    let mut server = Server::start(&[]);
    let (stuck, _peer) = Listener::new().meet_with(&server, json!({ "send_buffer": 4096 }));
    server.send(&stuck, &vec![0; 1 << 20], "?timeout=0");
    let _closing = server.begin("DELETE", &format!("sockets/{stuck}"), &json!({}));
    let hole = Blackhole::new("127.0.0.1:0");
    let _opening = server.begin("POST", "sockets", &json!({ "open": format!("tcp://{}", hole.address) }));
    server.fact("", json!({ "type": "connecting", "remote": hole.address.to_string() }));
    server.practice("chargen");
    let status = server.process().terminate(Duration::from_secs(5)).await;
    assert_eq!(status.code(), Some(0));
}
