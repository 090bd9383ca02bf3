//! Datagrams of a Wisp client that found no room, either way, are in the log to the last one.

use std::{net::SocketAddr, time::Duration};

use sockscope_wire::{Code, Fact, SocketId};
use tokio::{net::UdpSocket, sync::watch, time::timeout};

use crate::{
    raw::{Asking, BINARY, ended, facts, frame, logged, noise, open_server, reject, the_socket},
    support::{
        network::{alone, slow_link},
        *,
    },
    wisp_client::{DATA, OVER, TCP, UDP, Wisp, connect, packet},
};

/// How many datagrams wait for a socket that does not take them, and how many bytes.
const WAIT: u32 = 64;
const ROOM: u32 = 1 << 20;

/// How many datagrams the log says were lost, for this reason.
async fn lost(client: &Client, id: SocketId, why: Code) -> u64 {
    let facts = facts(client, id).await.into_iter();
    let counts = facts.filter_map(|fact| match fact {
        Fact::Dropped { count, reason, .. } if reason == why => Some(count),
        _ => None,
    });
    counts.sum()
}

#[tokio::test]
async fn datagrams_that_the_kernel_dropped_are_counted_to_the_last() {
    let server = open_server(&[]);
    let client = server.client();
    let peer = UdpPeer::bind().await;
    let asking = Asking { receive_buffer: Some(4096), ..Asking::default() };
    let mut wisp = Wisp::ask(&server, "/wisp/", &asking).await;
    wisp.hear().await;
    wisp.say(&connect(1, UDP, "127.0.0.1", peer.address().port())).await;
    wisp.say(&packet(DATA, 1, b"hello")).await;
    let (_, from) = peer.receive().await;
    let id = the_socket(client).await.id;
    // The client does not read: what neither way on nor the kernel's buffer holds is lost.
    let all = 24_000_u64;
    let datagram = noise(1000);
    for _ in 0..all {
        peer.send(&datagram, &from.to_string()).await;
    }
    let came = |wisp: &Wisp| wisp.messages.get(&1).map_or(0, Vec::len) as u64;
    let mut counted = 0;
    while came(&wisp) + counted < all {
        if timeout(Duration::from_millis(200), wisp.hear()).await.is_err() {
            counted = client.socket(id).await.counters.dropped;
        }
    }
    assert!(counted > 0, "some were lost, or this shows nothing");
    assert_eq!(came(&wisp) + counted, all);
    assert!(wisp.messages[&1].iter().all(|message| *message == datagram), "whole");
    wisp.say(&packet(OVER, 1, &[2])).await;
    let (_, counters) = ended(client, id).await;
    assert_eq!((counters.received_events, counters.dropped), (came(&wisp), counted));
    assert_eq!(lost(client, id, Code::KernelBufferFull).await, counted, "and in the log");
}

/// A name server for which every name is 127.0.0.1, which it says only once it is told to.
async fn late_names() -> (SocketAddr, watch::Sender<bool>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("an address");
    let (tell, mut told) = watch::channel(false);
    tokio::spawn(async move {
        let mut query = [0; 1500];
        while told.wait_for(|told| *told).await.is_ok()
            && let Ok((_, from)) = socket.recv_from(&mut query).await
        {
            let name = query[12..].iter().position(|byte| *byte == 0).expect("a name ends");
            let question = &query[..12 + name + 5];
            let is_a = question[question.len() - 4..] == [0, 1, 0, 1];
            // An answer without error, one question, an answer to who asks for an A (RFC 1035 §4.1).
            let mut answer = question.to_vec();
            answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
            if is_a {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            socket.send_to(&answer, from).await.ok();
        }
    });
    (address, tell)
}

/// Sends so many datagrams of that length, each with its number, before their socket can open; then lets it. Some wait, the others
/// are in the log, and the stream carries what comes now. Returns who it led to.
async fn early(length: usize, sent: u32, waits: u32) -> UdpPeer {
    let (dns, tell) = late_names().await;
    let server = open_server(&["--dns", &dns.to_string()]);
    let client = server.client();
    let peer = UdpPeer::bind().await;
    let mut wisp = Wisp::v1(&server).await;
    // In one breath: a name server has three seconds.
    let mut burst = frame(BINARY, &connect(1, UDP, "late.example", peer.address().port()));
    for n in 0..sent {
        let mut datagram = vec![0x5a; length];
        datagram.iter_mut().zip(n.to_le_bytes()).for_each(|(to, byte)| *to = byte);
        burst.extend(frame(BINARY, &packet(DATA, 1, &datagram)));
    }
    // Whatever waits, others go on; and all of it has been taken when this is answered.
    burst.extend(frame(BINARY, &connect(2, TCP, "", 1)));
    wisp.raw.up.bytes(&burst).await;
    assert_eq!(wisp.over(2).await, 0x41);
    tell.send(true).expect("the name server lives");
    let id = the_socket(client).await.id;
    let missing = u64::from(sent - waits);
    eventually("the log has the others", async || lost(client, id, Code::QueueFull).await == missing).await;
    wisp.say(&packet(DATA, 1, b"now")).await;
    wisp.say(&packet(OVER, 1, &[2])).await;
    let (_, counters) = ended(client, id).await;
    assert_eq!(
        (counters.sent_events, counters.dropped),
        (u64::from(waits) + 1, missing),
        "{length} bytes each"
    );
    peer
}

#[tokio::test]
async fn datagrams_that_come_before_their_socket_is_open_wait_or_are_counted() {
    for length in [100, 0] {
        let peer = early(length, 1000, WAIT).await;
        for n in 0..WAIT {
            let (datagram, _) = peer.receive().await;
            assert_eq!(datagram.len(), length);
            assert!(datagram.iter().zip(n.to_le_bytes()).all(|(came, byte)| *came == byte), "in order: {n}");
        }
        assert_eq!(peer.receive().await.0, b"now", "and no later one of those before");
    }
    // So long ones that their peer's kernel has no room for so many at once.
    early(60_000, 40, ROOM / 60_000).await;
}

#[test]
fn datagrams_that_an_open_socket_does_not_take_wait_or_are_counted() {
    alone(async || {
        slow_link("4mbit");
        let server = open_server(&[]);
        let client = server.client();
        let mut wisp = Wisp::v1(&server).await;
        wisp.say(&connect(1, UDP, "192.0.2.2", 9)).await;
        let sent = 3000;
        let datagram = noise(1000);
        for _ in 0..sent {
            wisp.say(&packet(DATA, 1, &datagram)).await;
        }
        // All of it has been taken when this is answered.
        wisp.say(&connect(2, TCP, "", 1)).await;
        assert_eq!(wisp.over(2).await, 0x41);
        let id = the_socket(client).await.id;
        let counters = async || client.socket(id).await.counters;
        eventually("each was sent or counted, and it is told while the socket is open", async || {
            let counters = counters().await;
            counters.sent_events + counters.dropped == sent
        })
        .await;
        let dropped = counters().await.dropped;
        assert!(dropped > 0, "some were lost, or this shows nothing");
        assert_eq!(lost(client, id, Code::QueueFull).await, dropped);
    });
}

#[test]
fn a_datagram_that_a_firewall_rejects_is_told_and_its_stream_ends_when_it_is_closed() {
    alone(async || {
        let server = open_server(&[]);
        let client = server.client();
        let peer = UdpPeer::bind().await;
        let port = peer.address().port();
        let mut wisp = Wisp::v1(&server).await;
        wisp.say(&connect(1, UDP, "127.0.0.1", port)).await;
        wisp.say(&packet(DATA, 1, b"hello")).await;
        assert_eq!(peer.receive().await.0, b"hello");
        let id = the_socket(client).await.id;
        reject(port);
        for _ in 0..3 {
            wisp.say(&packet(DATA, 1, b"rejected")).await;
        }
        let rejected = |fact: &Fact| matches!(fact, Fact::Failed { errno: Some(errno), fatal: false, .. } if errno == "EPERM");
        logged(client, id, "why it did not go", rejected).await;
        wisp.say(&packet(OVER, 1, &[2])).await;
        let (reason, counters) = ended(client, id).await;
        assert_eq!((reason, counters.sent_events), (Code::ClientClosed, 1));
    });
}
