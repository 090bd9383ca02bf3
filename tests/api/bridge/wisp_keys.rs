//! What a key means to a Wisp client: it is asked for each stream. And what is said when the server goes.

use std::{net::SocketAddr, time::Duration};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{
    kit::{Bridge, key, listed},
    support::{peer, *},
};

const CONNECT: u8 = 1;
const DATA: u8 = 2;
const CONTINUE: u8 = 3;
const CLOSE: u8 = 4;
const TCP: u8 = 1;

/// Reasons of a CLOSE.
const BLOCKED: u8 = 0x48;
const THROTTLED: u8 = 0x49;

/// A client of version 1 that has heard its credits.
async fn client(server: &TestServer, secret: &str) -> Bridge {
    let mut bridge =
        Bridge::open(server.address(), &format!("/k/{secret}/wisp/"), &[]).await.expect("let in");
    assert_eq!(bridge.receive(9).await[..5], [CONTINUE, 0, 0, 0, 0], "the credits of every stream");
    bridge
}

/// The next packet of so many bytes that is no further credit.
async fn packet(bridge: &mut Bridge, len: usize) -> Vec<u8> {
    loop {
        let mut packet = bridge.receive(5).await;
        let credit = packet[0] == CONTINUE;
        packet.extend(bridge.receive(if credit { 4 } else { len - 5 }).await);
        if !credit {
            return packet;
        }
    }
}

/// Asks for a TCP stream.
async fn connect(bridge: &mut Bridge, stream: u32, to: SocketAddr) {
    let mut packet = vec![CONNECT];
    packet.extend(stream.to_le_bytes());
    packet.push(TCP);
    packet.extend(to.port().to_le_bytes());
    packet.extend(to.ip().to_string().into_bytes());
    bridge.send(&packet).await;
}

#[tokio::test]
async fn each_stream_of_a_keyed_client_is_held_against_its_key() {
    let server = TestServer::start();
    let (named, other) = (TcpPeer::listen().await, TcpPeer::listen().await);
    let made = key(server.client(), &[&named.target()], json!({ "max_streams": 1 })).await;
    let mut bridge = client(&server, &made.secret).await;
    connect(&mut bridge, 7, other.address()).await;
    assert_eq!(packet(&mut bridge, 6).await, [CLOSE, 7, 0, 0, 0, BLOCKED]);
    connect(&mut bridge, 8, named.address()).await;
    let mut stream = named.accept().await;
    peer::write(&mut stream, b"hello").await;
    assert_eq!(packet(&mut bridge, 10).await, [&[DATA, 8, 0, 0, 0][..], b"hello"].concat());
    connect(&mut bridge, 9, named.address()).await;
    assert_eq!(packet(&mut bridge, 6).await, [CLOSE, 9, 0, 0, 0, THROTTLED]);
    let shown = listed(server.client(), &made.key.id).await;
    assert_eq!((shown.sockets.len(), shown.bytes), (1, 5));
}

#[tokio::test]
async fn revoking_a_key_ends_its_wisp_clients_with_and_without_streams() {
    let server = TestServer::start();
    let peer = TcpPeer::listen().await;
    let made = key(server.client(), &[&peer.target()], json!({})).await;
    let (mut idle, mut busy) = (client(&server, &made.secret).await, client(&server, &made.secret).await);
    connect(&mut busy, 1, peer.address()).await;
    let mut stream = peer.accept().await;
    assert_eq!(server.client().delete(&format!("keys/{}", made.key.id)).await.status(), 204);
    for bridge in [&mut idle, &mut busy] {
        assert_eq!(bridge.closed().await, (1008, "key revoked".to_owned()));
    }
    assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN"), b"");
}

#[tokio::test]
async fn a_client_is_told_that_the_server_goes_with_a_stream_or_without() {
    let peer = TcpPeer::listen().await;
    for streams in [0, 1] {
        let mut server = TestServer::start();
        let made = key(server.client(), &[&peer.target()], json!({})).await;
        let mut bridge = client(&server, &made.secret).await;
        let mut accepted = Vec::new();
        for id in 0..streams {
            connect(&mut bridge, 1 + id, peer.address()).await;
            accepted.push(peer.accept().await);
        }
        server.signal(Signal::SIGTERM);
        assert_eq!(bridge.closed().await, (1001, "the server goes".to_owned()), "{streams} streams");
        drop(bridge);
        // Less than the time after which connections are cut.
        assert!(server.ended(Duration::from_secs(2)).await.success(), "{}", server.stderr());
    }
}
