//! How many connections a key has, and what it leaves to who made it.

use serde_json::json;
use sockscope_wire::Code;

use crate::{
    kit::{Bridge, ask_upgrade, key, listed, tcp},
    support::{peer, *},
};

/// What carries many sockets, as it stands behind a key.
const MANY: [&str; 3] = ["/wisp/", "/lab/wisp/", "/bridge/sockets"];

/// Connections that say nothing, as many as are let in of so many.
async fn idle(server: &TestServer, secret: &str, count: usize) -> Vec<Bridge> {
    let mut open = Vec::new();
    for at in 0..count {
        let path = format!("/k/{secret}{}", ["/wisp/", "/bridge/sockets"][at % 2]);
        match Bridge::open(server.address(), &path, &[]).await {
            Ok(bridge) => open.push(bridge),
            Err(status) => assert_eq!(status, 503, "{path}"),
        }
    }
    open
}

#[tokio::test]
async fn a_key_has_no_more_connections_for_many_sockets_than_sockets() {
    let server = TestServer::with(&["--wisp-prefix", "/lab/wisp/"]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({ "max_streams": 2 })).await;
    let other = key(client, &[&peer.target()], json!({})).await;
    let connections = async || listed(client, &made.key.id).await.connections;
    assert_eq!(made.key.connections, 0);
    let mut open = idle(&server, &made.secret, 2).await;
    assert_eq!((open.len(), connections().await), (2, 2));
    let own = server.host();
    let host = [("Host", own.as_str())];
    for path in MANY {
        let (status, body) = ask_upgrade(server.address(), &format!("/k/{}{path}", made.secret), &host).await;
        assert_eq!(
            (status, body.contains("the key allows no more connections at once")),
            (503, true),
            "{path}"
        );
        let (status, _) = ask_upgrade(server.address(), &format!("/k/{}{path}", other.secret), &host).await;
        assert_eq!(status, 101, "{path} of another key");
    }
    // One that is for one socket asks for its place at once, and is told in words what it lacks.
    let path = tcp(&made.secret, peer.address());
    let mut one = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    let mut stream = peer.accept().await;
    one.send(b"hello").await;
    assert_eq!(peer::read(&mut stream, 5).await, b"hello");
    let _two = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    peer.accept().await;
    assert_eq!(connections().await, 4);
    let mut three = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    assert_eq!(three.closed().await, (1013, "the key allows no more sockets at once".to_owned()));
    drop((one, three));
    drop(open.pop());
    // Each is counted until it is gone, and no longer.
    eventually("they are counted no more", async || connections().await == 2).await;
}

#[tokio::test]
async fn what_is_no_bridge_in_the_end_is_no_connection_of_its_key() {
    let server = TestServer::start();
    let client = server.client();
    let made = key(client, &["tcp://*:*"], json!({ "max_streams": 1 })).await;
    let path = format!("/k/{}/wisp/", made.secret);
    for _ in 0..3 {
        let mut conn = http::Conn::connect(server.address()).await;
        let request = Request::bare("GET", &path).header("Host", &server.host());
        let answer = conn.ask(&request).await.expect("an answer");
        assert_eq!(answer.status, 426, "no upgrade is asked for");
        // The connection that this came on is open.
        assert_eq!(listed(client, &made.key.id).await.connections, 0);
    }
    assert_eq!(idle(&server, &made.secret, 1).await.len(), 1);
}

#[tokio::test]
async fn however_many_connections_keys_let_in_the_owner_gets_in_and_revokes_them() {
    let server = TestServer::with(&["--max-connections", "32"]);
    let client = server.client();
    let (first, second) =
        (key(client, &["tcp://*:*"], json!({})).await, key(client, &["tcp://*:*"], json!({})).await);
    let mut open = idle(&server, &first.secret, 20).await;
    open.extend(idle(&server, &second.secret, 30).await);
    // A sixteenth is kept.
    assert_eq!(open.len(), 30);
    let mut conn = http::Conn::connect(server.address()).await;
    let path = format!("/k/{}/bridge/127.0.0.1:9", first.secret);
    let answer =
        conn.ask(&Request::bare("GET", &path).header("Host", &server.host())).await.expect("an answer");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(answer.text().contains(Code::TooManyConnections.as_str()), "{}", answer.text());
    within("the end of that connection", conn.closed()).await;
    let revoked = async || {
        let mut conn = http::Conn::connect(server.address()).await;
        let request = client.request("DELETE", &Client::path(&format!("keys/{}", first.key.id)));
        conn.ask(&request).await.is_some_and(|answer| answer.status == 204)
    };
    // Those that were refused may not be gone yet.
    eventually("the owner is let in", revoked).await;
    for bridge in &mut open[..20] {
        assert_eq!(bridge.closed().await, (1008, "key revoked".to_owned()));
    }
    drop(open.drain(..20));
    eventually("their places are free", async || {
        open.extend(idle(&server, &second.secret, 1).await);
        open.len() == 30
    })
    .await;
}

#[tokio::test]
async fn a_key_leaves_the_owner_places_for_sockets() {
    let server = TestServer::with(&["--max-sockets", "16"]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({})).await;
    let path = tcp(&made.secret, peer.address());
    let mut open = Vec::new();
    for _ in 0..15 {
        let bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
        open.push((bridge, peer.accept().await));
    }
    let mut more = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    let (code, reason) = more.closed().await;
    assert_eq!((code, reason.starts_with("too_many_sockets: ")), (1011, true), "{reason}");
    let own = client.open(&peer.target()).await;
    peer.accept().await;
    client.close(own.id).await;
}
