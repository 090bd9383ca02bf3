//! Taking a key back.

use std::time::Duration;

use serde_json::json;
use sockscope_wire::{Code, Fact};
use tokio::io::AsyncWriteExt as _;

use crate::{
    kit::{Bridge, key, listed, tcp},
    raw::{Asking, Raw, logged, the_socket},
    support::{peer, wait::within_time, *},
};

#[tokio::test]
async fn revoking_a_key_closes_what_it_opened_and_nothing_else() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let (made, other) =
        (key(client, &["tcp://*:*"], json!({})).await, key(client, &["tcp://*:*"], json!({})).await);
    let path = tcp(&made.secret, peer.address());
    let mut gone = Vec::new();
    for _ in 0..3 {
        let bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
        gone.push((bridge, peer.accept().await));
    }
    let mut stays =
        Bridge::open(server.address(), &tcp(&other.secret, peer.address()), &[]).await.expect("let in");
    let mut stream = peer.accept().await;
    eventually("all are open", async || listed(client, &made.key.id).await.sockets.len() == 3).await;
    let ids = listed(client, &made.key.id).await.sockets;
    assert_eq!(client.delete(&format!("keys/{}", made.key.id)).await.status(), 204);
    for (bridge, stream) in &mut gone {
        assert_eq!(bridge.closed().await, (1008, "key revoked".to_owned()));
        assert_eq!(peer::read_to_end(stream).await.expect("a FIN"), b"");
    }
    let closed = async || {
        let events = client.events().await;
        let ended = events.into_iter().filter(|event| event.socket.is_some_and(|id| ids.contains(&id)));
        let closed = ended.filter_map(|event| match event.fact {
            Fact::Closed { reason, .. } => Some((reason, event.by, event.cause)),
            _ => None,
        });
        closed.collect::<Vec<_>>()
    };
    eventually("the log has their ends", async || closed().await.len() == 3).await;
    let ends = closed().await;
    for (reason, by, cause) in &ends {
        assert_eq!((*reason, by.as_deref()), (Code::Closed, Some("local")), "by the one who revoked it");
        assert_eq!((cause, cause.is_some()), (&ends[0].2, true), "by one command");
    }
    assert_eq!(Bridge::open(server.address(), &path, &[]).await.err(), Some(401));
    stays.send(b"still").await;
    assert_eq!(peer::read(&mut stream, 5).await, b"still");
}

#[tokio::test]
async fn revoking_a_key_ends_a_connect_that_is_under_way() {
    let server = TestServer::start();
    let client = server.client();
    let nowhere = Blackhole::open();
    let made = key(client, &["tcp://*:*"], json!({})).await;
    let target = nowhere.target();
    let path = format!("/k/{}/bridge/{}", made.secret, target.trim_start_matches("tcp://"));
    let mut bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    let connecting =
        async || client.events().await.iter().any(|event| matches!(event.fact, Fact::Connecting { .. }));
    eventually("it is being dialled", connecting).await;
    assert_eq!(client.delete(&format!("keys/{}", made.key.id)).await.status(), 204);
    assert_eq!(bridge.closed().await, (1008, "key revoked".to_owned()));
    let cancelled = async || {
        let ended = |fact: &Fact| matches!(fact, Fact::Closed { reason: Code::Cancelled, .. });
        client.events().await.iter().any(|event| ended(&event.fact))
    };
    eventually("the log says that it was given up", cancelled).await;
}

#[tokio::test]
async fn revoking_a_key_does_not_wait_for_a_client_that_does_not_read() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({})).await;
    let path = tcp(&made.secret, peer.address());
    let _silent = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    let mut stream = peer.accept().await;
    let writing = tokio::spawn(async move { while stream.write_all(&[0; 65_536]).await.is_ok() {} });
    let stalled = |fact: &Fact| matches!(fact, Fact::Paused { reason: Code::ClientNotReading, .. });
    eventually("nothing passes any more", async || {
        client.events().await.iter().any(|event| stalled(&event.fact))
    })
    .await;
    assert_eq!(client.delete(&format!("keys/{}", made.key.id)).await.status(), 204);
    // Less than a client gets that is only slow.
    within_time(Duration::from_secs(4), "the target's connection ends", writing).await.expect("no panic");
}

#[tokio::test]
async fn revoking_a_key_does_not_wait_for_a_target_that_has_ended_its_way() {
    let server = TestServer::start();
    let client = server.client();
    for deletes_socket in [false, true] {
        let peer = TcpPeer::listen().await;
        let made = key(client, &[&peer.target()], json!({})).await;
        let mut raw = Raw::open(&server, &tcp(&made.secret, peer.address())).await;
        let mut stream = peer.accept().await;
        stream.shutdown().await.expect("a FIN");
        assert_eq!(raw.down.closed().await.1, Some(1000));
        let path = match deletes_socket {
            false => format!("keys/{}", made.key.id),
            true => format!("sockets/{}", listed(client, &made.key.id).await.sockets[0]),
        };
        assert_eq!(client.delete(&path).await.status(), 204);
        // Less than a client has that is only slow to say goodbye.
        let end = within_time(
            Duration::from_secs(3),
            "the target's connection ends",
            peer::read_to_end(&mut stream),
        );
        assert_eq!(end.await.expect("a FIN"), b"");
    }
}

#[tokio::test]
async fn a_client_that_reads_on_when_its_key_is_revoked_hears_whole_frames_and_why() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({})).await;
    let path = tcp(&made.secret, peer.address());
    let asking = Asking { receive_buffer: Some(4096), ..Asking::default() };
    let mut raw = Raw::ask(server.address(), &path, &asking).await;
    let mut stream = peer.accept().await;
    let writing = tokio::spawn(async move { while stream.write_all(&[0; 65_536]).await.is_ok() {} });
    let id = the_socket(client).await.id;
    logged(client, id, "nothing passes any more", |fact| {
        matches!(fact, Fact::Paused { reason: Code::ClientNotReading, .. })
    })
    .await;
    assert_eq!(client.delete(&format!("keys/{}", made.key.id)).await.status(), 204);
    within("the target's connection ends", writing).await.expect("no panic");
    let (_, code, reason) = raw.down.closed().await;
    assert_eq!((code, reason.as_str()), (Some(1008), "key revoked"));
}
