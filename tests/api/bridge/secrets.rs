//! Where secrets are not.

use serde_json::json;

use crate::{
    kit::{Bridge, ask_upgrade, key, tcp},
    support::*,
    websockify::permit,
};

#[tokio::test]
async fn the_secret_of_a_key_is_told_once_and_never_again() {
    // As talkative as it gets.
    let mut server = TestServer::builder().env("SOCKSCOPE_LOG", "trace").start();
    let client = server.client().clone();
    let (peer, nobody) = (TcpPeer::listen().await, Nobody::bind());
    let made = key(&client, &[&peer.target(), &nobody.target()], json!({})).await;
    let secret = &made.secret;
    let mut heard = String::new();
    let mut bridge = Bridge::open(server.address(), &tcp(secret, peer.address()), &[]).await.expect("let in");
    let stream = peer.accept().await;
    bridge.send(b"hello").await;
    drop(stream);
    bridge.closed().await;
    for to in [nobody.address(), server.address()] {
        let mut refused = Bridge::open(server.address(), &tcp(secret, to), &[]).await.expect("let in");
        heard.push_str(&refused.closed().await.1);
    }
    let host = server.host();
    for path in
        [format!("/k/{secret}"), format!("/k/{secret}/else"), format!("/k/{secret}/bridge/2130706433:80")]
    {
        heard.push_str(&ask_upgrade(server.address(), &path, &[("Host", &host)]).await.1);
    }
    let foreign = [("Host", host.as_str()), ("Origin", "https://evil.example")];
    heard.push_str(&ask_upgrade(server.address(), &tcp(secret, peer.address()), &foreign).await.1);
    let signed = permit(&made, server.address());
    for token in [signed.as_str(), &signed[..signed.len() - 4]] {
        let path = format!("/websockify?token={token}");
        heard.push_str(&ask_upgrade(server.address(), &path, &[("Host", &host)]).await.1);
    }
    let wrong = format!("{}x", &secret[..42]);
    heard.push_str(&ask_upgrade(server.address(), &tcp(&wrong, peer.address()), &[("Host", &host)]).await.1);
    for path in ["keys", "sockets", "events", "export", "export?format=text", "/metrics", "/api/v1/about"] {
        heard.push_str(&client.get(path).await.response.text());
    }
    assert_eq!(client.delete(&format!("keys/{}", made.key.id)).await.status(), 204);
    heard.push_str(&client.get("events").await.response.text());
    assert_eq!(server.terminate(DEADLINE).await.code(), Some(0));
    for (place, text) in [
        ("the answers", heard.as_str()),
        ("standard output", &server.stdout()),
        ("the log", &server.stderr()),
    ] {
        for secret in [secret.as_str(), &secret[..42], &signed[signed.len() - 20..signed.len() - 4]] {
            assert!(!text.contains(secret), "a secret in {place}");
        }
    }
    assert!(server.stderr().contains("shutting down"), "the log is on standard error");
}
