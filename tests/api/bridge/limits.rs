//! How much a key allows.

use std::time::Instant;

use serde_json::json;
use sockscope_wire::{Code, Fact};
use tokio::io::AsyncWriteExt as _;

use crate::{
    kit::{Bridge, key, listed, tcp},
    raw::{BINARY, Raw, ended, frame, noise},
    support::{peer, *},
};

#[tokio::test]
async fn no_more_sockets_are_open_at_once_than_a_key_allows() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({ "max_streams": 2 })).await;
    let path = tcp(&made.secret, peer.address());
    let mut open = Vec::new();
    for _ in 0..2 {
        let bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
        open.push((bridge, peer.accept().await));
    }
    let mut third = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    assert_eq!(third.closed().await, (1013, "the key allows no more sockets at once".to_owned()));
    let (mut first, stream) = open.remove(0);
    drop(stream);
    assert_eq!(first.closed().await.0, 1000);
    eventually("one place is free", async || listed(client, &made.key.id).await.sockets.len() == 1).await;
    let _fourth = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    peer.accept().await;
}

#[tokio::test]
async fn no_more_sockets_are_opened_a_second_than_a_key_allows() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({ "connects_per_second": 1 })).await;
    let path = tcp(&made.secret, peer.address());
    let _first = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    peer.accept().await;
    // However slow this machine is: some of so many come within a second of another.
    eventually("one is refused", async || {
        let mut bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
        tokio::select! {
            closed = bridge.closed() => closed == (1013, "the key allows no more connects a second".to_owned()),
            _ = peer.accept() => false,
        }
    })
    .await;
    eventually("later there is room again", async || {
        let mut bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
        tokio::select! {
            _ = bridge.closed() => false,
            _ = peer.accept() => true,
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_whose_bytes_are_spent_ends_its_bridges_and_opens_no_more() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({ "max_bytes": 10 })).await;
    let path = tcp(&made.secret, peer.address());
    let mut bridges = Vec::new();
    for _ in 0..2 {
        let bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
        bridges.push((bridge, peer.accept().await));
    }
    for (bridge, stream) in &mut bridges {
        bridge.send(b"1234").await;
        assert_eq!(peer::read(stream, 4).await, b"1234");
    }
    peer::write(&mut bridges[0].1, b"90").await;
    for (bridge, stream) in &mut bridges {
        assert_eq!(bridge.closed().await, (1008, "key spent".to_owned()));
        assert_eq!(peer::read_to_end(stream).await.expect("a FIN"), b"");
    }
    assert_eq!(bridges[0].0.heard(), b"90", "what passed, passed");
    let spent = async || {
        let events = client.events().await;
        events
            .iter()
            .filter(|event| matches!(event.fact, Fact::Closed { reason: Code::KeySpent, .. }))
            .count()
    };
    eventually("the log says why", async || spent().await == 2).await;
    let mut late = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    assert_eq!(late.closed().await, (1008, "key spent".to_owned()));
    assert_eq!(listed(client, &made.key.id).await.bytes, 10);
}

#[tokio::test]
async fn a_client_whose_target_and_key_end_at_once_hears_a_last_word() {
    let server = TestServer::start();
    let peer = TcpPeer::listen().await;
    // Which of the two is seen first is left to chance.
    for _ in 0..10 {
        let made = key(server.client(), &[&peer.target()], json!({ "max_bytes": 1 })).await;
        let path = tcp(&made.secret, peer.address());
        let mut bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
        let mut stream = peer.accept().await;
        peer::write(&mut stream, b"x").await;
        drop(stream);
        let last = bridge.closed().await;
        let either = [(1000, "target closed".to_owned()), (1008, "key spent".to_owned())];
        assert!(either.contains(&last), "{last:?}");
    }
}

/// What is closed stays listed for a while, and the log is everybody's: nobody takes that from others by asking in vain.
#[tokio::test]
async fn a_spent_key_that_is_tried_again_and_again_is_told_of_once_a_second() {
    const TRIED: usize = 200;
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made =
        key(client, &[&peer.target()], json!({ "max_bytes": 1, "connects_per_second": 100_000 })).await;
    let path = tcp(&made.secret, peer.address());
    let mut bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    let mut stream = peer.accept().await;
    peer::write(&mut stream, b"x").await;
    assert_eq!(bridge.closed().await, (1008, "key spent".to_owned()));
    let begun = Instant::now();
    for _ in 0..TRIED {
        let mut late = Bridge::open(server.address(), &path, &[]).await.expect("let in");
        assert_eq!(late.closed().await, (1008, "key spent".to_owned()));
    }
    let most = begun.elapsed().as_secs() + 1;
    let events = client.events().await;
    let told = events
        .iter()
        .filter(|event| matches!(&event.fact, Fact::RefusedByPolicy { rule, .. } if rule == "key:max_bytes"))
        .count();
    assert!((1..=usize::try_from(most).expect("few")).contains(&told), "{told} in {most} s");
}

#[tokio::test]
async fn an_empty_datagram_costs_a_key_a_byte() {
    const MOST: usize = 20;
    let server = TestServer::start();
    let client = server.client();
    let peer = UdpPeer::bind().await;
    let made = key(client, &[&peer.target()], json!({ "max_bytes": MOST })).await;
    let address = peer.address();
    let path = format!("/k/{}/bridge/udp/{}/{}", made.secret, address.ip(), address.port());
    let mut bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    for sent in 1..MOST {
        bridge.send(b"").await;
        assert_eq!(peer.receive().await.0, b"");
        let bytes = async || listed(client, &made.key.id).await.bytes;
        eventually("it is counted", async || bytes().await == sent as u64).await;
    }
    bridge.send(b"").await;
    assert_eq!(bridge.closed().await, (1008, "key spent".to_owned()));
}

#[tokio::test]
async fn a_keys_bytes_are_counted_when_the_target_has_ended_its_way() {
    const MOST: usize = 1 << 20;
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({ "max_bytes": MOST })).await;
    let Raw { mut up, mut down } = Raw::open(&server, &tcp(&made.secret, peer.address())).await;
    let mut stream = peer.accept().await;
    within("a FIN", stream.shutdown()).await.expect("sent");
    assert_eq!(down.closed().await.1, Some(1000));
    let flood = frame(BINARY, &[7; 1 << 16]).repeat(16);
    let writing = tokio::spawn(async move {
        for _ in 0..64 {
            up.try_bytes(&flood).await;
        }
        up
    });
    let passed = peer::read_to_end(&mut stream).await.map_or(0, |passed| passed.len());
    assert!(passed <= MOST + (1 << 18), "{passed} bytes passed");
    let spent = |fact: &Fact| matches!(fact, Fact::Closed { reason: Code::KeySpent, .. });
    eventually("the log says why", async || client.events().await.iter().any(|event| spent(&event.fact)))
        .await;
    within("the client is let go", writing).await.expect("no panic");
}

#[tokio::test]
async fn a_key_records_every_byte_where_it_says_so_and_else_the_first() {
    let server = TestServer::start();
    let client = server.client();
    for (record, known) in [(false, 1024), (true, 40_000)] {
        let peer = TcpPeer::listen().await;
        let made = key(client, &[&peer.target()], json!({ "record": record })).await;
        let path = tcp(&made.secret, peer.address());
        let mut bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
        let mut stream = peer.accept().await;
        bridge.send(&[b'x'; 40_000]).await;
        peer::read(&mut stream, 40_000).await;
        let id = listed(client, &made.key.id).await.sockets[0];
        let recorded = async || {
            let events = client.events().await;
            let sent =
                events.iter().filter(|event| event.socket == Some(id)).filter_map(|event| {
                    match &event.fact {
                        Fact::Sent { len, .. } => Some(*len),
                        _ => None,
                    }
                });
            sent.sum::<u32>()
        };
        eventually("the books are whole", async || client.socket(id).await.counters.sent_bytes == 40_000)
            .await;
        assert_eq!(recorded().await, known, "record: {record}");
    }
}

#[tokio::test]
async fn a_key_that_records_has_the_kernels_side_recorded_too_and_no_other() {
    let server = TestServer::builder().env("SOCKSCOPE_KERNEL", "all").start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    for record in [true, false] {
        let made = key(client, &[&peer.target()], json!({ "record": record })).await;
        let mut bridge =
            Bridge::open(server.address(), &tcp(&made.secret, peer.address()), &[]).await.expect("let in");
        let mut stream = peer.accept().await;
        bridge.send(b"hello").await;
        peer::read(&mut stream, 5).await;
        let id = listed(client, &made.key.id).await.sockets[0];
        bridge.close().await;
        drop(stream);
        let of_it = async || {
            let events = client.events().await.into_iter().filter(|event| event.socket == Some(id));
            events.map(|event| event.fact).collect::<Vec<_>>()
        };
        let states =
            |facts: &[Fact]| facts.iter().filter(|fact| matches!(fact, Fact::KernelState { .. })).count();
        if record {
            eventually("the kernel's side is told", async || states(&of_it().await) > 0).await;
        } else {
            eventually("its end", async || {
                of_it().await.iter().any(|fact| matches!(fact, Fact::Closed { .. }))
            })
            .await;
            assert_eq!(states(&of_it().await), 0);
        }
    }
}

/// Nobody waits for the log, and so what is told without end must not be kept without end.
#[tokio::test]
async fn a_full_log_that_may_give_nothing_up_takes_no_more_from_bridges_than_their_ends() {
    const BYTES: u64 = 4 << 20;
    const CALLS: usize = 30_000;
    let server = TestServer::with(&["--log-full", "pause", "--log-bytes", "4M"]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({ "record": true })).await;
    let Raw { mut up, mut down } = Raw::open(&server, &tcp(&made.secret, peer.address())).await;
    let mut stream = peer.accept().await;
    let mut echo = async |bytes: &[u8]| {
        up.frame(BINARY, bytes).await;
        assert!(peer::read(&mut stream, bytes.len()).await == bytes);
        peer::write(&mut stream, bytes).await;
        assert!(down.receive(bytes.len()).await == bytes);
    };
    let large = noise(1 << 16);
    for _ in 0..(BYTES >> 16) {
        echo(&large).await;
    }
    for _ in 0..CALLS {
        echo(b"x").await;
    }
    let id = listed(client, &made.key.id).await.sockets[0];
    let used =
        async || client.get("/api/v1/about").await.value()["log_bytes_used"].as_u64().expect("a number");
    assert!(used().await <= BYTES, "{}", used().await);
    drop((up, down));
    let (_, counters) = ended(client, id).await;
    let all = BYTES + CALLS as u64;
    assert_eq!((counters.sent_bytes, counters.received_bytes), (all, all));
    assert!(used().await <= BYTES, "{}", used().await);
}

/// What a bridge carries belongs to its client: a log without room keeps nobody waiting, recorded or not.
#[tokio::test]
async fn a_full_log_that_may_give_nothing_up_holds_up_no_bridge() {
    let server = TestServer::with(&["--log-full", "pause", "--log-bytes", "4M"]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    for record in [true, false] {
        let made = key(client, &[&peer.target()], json!({ "record": record })).await;
        let Raw { mut up, mut down } = Raw::open(&server, &tcp(&made.secret, peer.address())).await;
        let mut stream = peer.accept().await;
        let bytes = noise(12 << 20);
        for part in bytes.chunks(1 << 16) {
            up.frame(BINARY, part).await;
            assert!(peer::read(&mut stream, part.len()).await == part);
            peer::write(&mut stream, part).await;
            assert!(down.receive(part.len()).await == part);
        }
        let id = listed(client, &made.key.id).await.sockets[0];
        let all = bytes.len() as u64;
        eventually("the books are whole", async || {
            let counters = client.socket(id).await.counters;
            (counters.sent_bytes, counters.received_bytes) == (all, all)
        })
        .await;
    }
}
