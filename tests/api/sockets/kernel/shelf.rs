//! What the kernel did is kept on a shelf of its own: it gives up its own history, and nobody else's.

use std::net::UdpSocket;

use serde_json::json;

use crate::kit::{Server, carried, id, is_like, number, text};

fn a_flood_of_segments_leaves_the_conversation(flags: &[&str]) {
    let server = Server::seeing("all", &[&["--log-bytes", "4M"], flags].concat());
    let socket = server.open("udp-bind://127.0.0.1:0");
    let (client, local) = (id(&socket), text(&socket["local"]));
    let peer = UdpSocket::bind("127.0.0.1:0").expect("free");
    let to = peer.local_addr().expect("bound");
    server.send(&client, b"the first words", &format!("?to={to}")).ok();
    // More than the kernel's shelf holds, an eighth of the log, and less than the other.
    let sent = 6000_usize;
    for n in 0..sent {
        peer.send_to(&[n.to_le_bytes()[0]], &local).expect("sent");
    }
    server.received(&client, sent);
    server.close(&client);
    server.fact(&client, json!({ "type": "closed" }));
    let (events, gaps) = server.history("");
    let conversation: Vec<_> = events
        .iter()
        .filter(|event| !matches!(event["type"].as_str(), Some("segment" | "kernel_state" | "tcp_info")))
        .cloned()
        .collect();
    assert!(is_like(&conversation[0], &json!({ "seq": 1, "type": "opening" })), "{}", conversation[0]);
    assert_eq!(carried(&conversation, "received").len(), sent, "nothing of it is given up");
    assert_eq!(carried(&conversation, "sent"), b"the first words");
    assert!(!conversation.iter().any(|event| event["type"] == "paused"), "and nobody waited");
    assert!(!gaps.is_empty(), "segments were given up");
    assert!(gaps.iter().all(|gap| gap["reason"] == "evicted"), "{gaps:?}");
    // Every seq is an event or in a gap, once.
    let missing: u64 = gaps.iter().map(|gap| number(&gap["to"]) - number(&gap["from"]) + 1).sum();
    assert_eq!(events.len() as u64 + missing, server.head());
    let (without, _) = server.history("kernel=false");
    assert_eq!(without.len(), conversation.len());
}

#[test]
fn a_flood_of_segments_does_not_push_the_conversation_out() {
    a_flood_of_segments_leaves_the_conversation(&[]);
}

#[test]
fn a_log_that_pauses_does_not_pause_for_segments() {
    a_flood_of_segments_leaves_the_conversation(&["--log-full", "pause"]);
}
