//! What websockify's clients count on, and what its tokens open.

use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use sockscope_wire::{Contract, Fact, KeyMade};

use crate::{
    kit::{Bridge, ask_upgrade, key},
    support::{peer, *},
};

const PATHS: [&str; 2] = ["/websockify", "/bridge/websockify"];

/// A server whose clients without a token of websockify's reach this.
fn leading_to(to: SocketAddr) -> TestServer {
    TestServer::with(&["--websockify-target", &to.to_string()])
}

fn bearer() -> (&'static str, String) {
    ("Authorization", format!("Bearer {TOKEN}"))
}

/// A bridge of somebody who has the server's token.
async fn owner(server: &TestServer, path: &str) -> Result<Bridge, u16> {
    let (name, value) = bearer();
    Bridge::open(server.address(), path, &[(name, &value)]).await
}

/// Seconds since 1970, and so many more.
fn seconds(more: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    i64::try_from(now).expect("not that late") + more
}

/// A JWT, signed with a secret.
fn jwt(header: &Value, claims: &Value, secret: &str) -> String {
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length").chain_update(&message);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// A permit of a key, good for a minute.
pub(crate) fn permit(key: &KeyMade, to: SocketAddr) -> String {
    let claims = json!({ "host": to.ip(), "port": to.port(), "exp": seconds(60) });
    jwt(&json!({ "alg": "HS256", "typ": "JWT", "kid": key.key.id }), &claims, &key.secret)
}

#[tokio::test]
async fn the_preset_target_is_reached_by_both_paths_and_bytes_pass_both_ways() {
    let peer = TcpPeer::listen().await;
    let server = leading_to(peer.address());
    for path in PATHS {
        let mut bridge = owner(&server, path).await.expect("let in");
        let mut stream = peer.accept().await;
        bridge.send(b"RFB 003.008\n").await;
        assert_eq!(peer::read(&mut stream, 12).await, b"RFB 003.008\n");
        peer::write(&mut stream, b"RFB 003.008\n").await;
        assert_eq!(bridge.receive(12).await, b"RFB 003.008\n");
        bridge.close().await;
        assert_eq!(Bridge::open(server.address(), path, &[]).await.err(), Some(401), "a target is no key");
    }
    let sockets = server.client().sockets().await.sockets;
    assert!(sockets.iter().all(|socket| socket.bridge == Some(Contract::Websockify)));
}

#[tokio::test]
async fn the_subprotocol_binary_is_granted_where_it_is_offered_and_no_other() {
    let peer = TcpPeer::listen().await;
    let server = leading_to(peer.address());
    let (name, value) = bearer();
    for (offer, granted) in [
        (None, Ok(None)),
        (Some("binary"), Ok(Some("binary"))),
        (Some("base64, binary"), Ok(Some("binary"))),
        (Some("binary,base64"), Ok(Some("binary"))),
        (Some("base64"), Err(400)),
        (Some("base64, mqtt"), Err(400)),
        (Some("BINARY"), Err(400)),
    ] {
        let mut headers = vec![(name, value.as_str())];
        headers.extend(offer.map(|offer| ("Sec-WebSocket-Protocol", offer)));
        let answer = Bridge::open(server.address(), "/websockify", &headers).await;
        let answer = answer.map(|bridge| bridge.protocol);
        assert_eq!(answer.as_ref().map(Option::as_deref).map_err(|status| *status), granted, "{offer:?}");
    }
    let host = server.host();
    for (offer, status) in [("ticket.nothing", 101), ("ticket.nothing, mqtt", 400)] {
        let headers = [(name, value.as_str()), ("Host", &host), ("Sec-WebSocket-Protocol", offer)];
        assert_eq!(ask_upgrade(server.address(), "/websockify", &headers).await.0, status, "{offer}");
    }
}

#[tokio::test]
async fn text_is_refused_and_the_target_is_let_go() {
    let peer = TcpPeer::listen().await;
    let server = leading_to(peer.address());
    let mut bridge = owner(&server, "/websockify").await.expect("let in");
    let mut stream = peer.accept().await;
    bridge.send_text("text").await;
    assert_eq!(bridge.closed().await.0, 1003);
    assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN"), b"");
}

#[tokio::test]
async fn a_dial_that_fails_is_said_in_the_close_frame() {
    let nobody = Nobody::bind();
    let server = leading_to(nobody.address());
    let mut bridge = owner(&server, "/websockify").await.expect("the upgrade comes first");
    let (code, reason) = bridge.closed().await;
    assert_eq!(code, 1011);
    assert!(reason.contains("ECONNREFUSED"), "{reason}");
}

#[tokio::test]
async fn everything_before_the_targets_fin_arrives_and_then_the_close() {
    let peer = TcpPeer::listen().await;
    let server = leading_to(peer.address());
    let mut bridge = owner(&server, "/websockify").await.expect("let in");
    let mut stream = peer.accept().await;
    let sent: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let writing = tokio::spawn({
        let sent = sent.clone();
        async move { peer::write(&mut stream, &sent).await }
    });
    assert_eq!(bridge.closed().await, (1000, "target closed".to_owned()));
    assert!(bridge.heard() == sent, "{} of {} bytes", bridge.heard().len(), sent.len());
    writing.await.expect("written");
}

#[tokio::test]
async fn a_silent_client_is_pinged_where_that_is_asked_for() {
    let peer = TcpPeer::listen().await;
    let address = peer.address().to_string();
    let server = TestServer::with(&["--websockify-target", &address, "--websockify-heartbeat", "1"]);
    let mut bridge = owner(&server, "/websockify").await.expect("let in");
    let mut stream = peer.accept().await;
    for _ in 0..2 {
        bridge.ping().await;
    }
    peer::write(&mut stream, b"after").await;
    assert_eq!(bridge.receive(5).await, b"after", "and bytes pass as before");
}

#[tokio::test]
async fn a_token_names_its_target_and_the_file_is_read_anew() {
    let (one, two) = (TcpPeer::listen().await, TcpPeer::listen().await);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tokens");
    let name = file.to_str().expect("UTF-8").to_owned();
    let write = |text: String| std::fs::write(&file, text).expect("written");
    write(format!("# comment\n\none: {}\nbad: 2130706433:80\n", one.address()));
    let server = TestServer::with(&["--websockify-token-file", &name]);
    for path in PATHS {
        let _bridge = owner(&server, &format!("{path}?token=one")).await.expect("let in");
        one.accept().await;
        for nowhere in ["?token=two", "?token=", "", "?token=%23", "?token=bad", "?token=one%20"] {
            assert_eq!(owner(&server, &format!("{path}{nowhere}")).await.err(), Some(422), "{nowhere}");
        }
        let stranger = Bridge::open(server.address(), &format!("{path}?token=one"), &[]).await;
        assert_eq!(stranger.err(), Some(401), "a token of the file opens no gate");
    }
    write(format!("two: {}\n", two.address()));
    let _bridge = owner(&server, "/websockify?token=two").await.expect("let in");
    two.accept().await;
    assert_eq!(owner(&server, "/websockify?token=one").await.err(), Some(422));
    let made = key(server.client(), &[&one.target()], json!({})).await;
    let path = format!("/k/{}/websockify?token=two", made.secret);
    let mut bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    assert_eq!(bridge.closed().await.0, 1008, "nor is it more than the key allows");
}

#[tokio::test]
async fn tokens_may_lie_in_the_files_of_a_folder() {
    let (one, two) = (TcpPeer::listen().await, TcpPeer::listen().await);
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).expect("written");
    write("a", format!("one: {}\n", one.address()));
    let server = TestServer::with(&["--websockify-token-file", folder.path().to_str().expect("UTF-8")]);
    write("b", format!("two: {}\n", two.address()));
    write(".swap", format!("three: {}\n", two.address()));
    let _first = owner(&server, "/websockify?token=one").await.expect("let in");
    one.accept().await;
    let _second = owner(&server, "/websockify?token=two").await.expect("let in");
    two.accept().await;
    assert_eq!(owner(&server, "/websockify?token=three").await.err(), Some(422));
}

#[test]
fn tokens_that_cannot_be_read_are_said_before_anything_is_bound() {
    let output = TestServer::builder().args(&["--websockify-token-file", "/nowhere/at/all"]).run();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/at/all"));
    for wrong in ["host", "2130706433:80", ":80", "host:0"] {
        assert!(
            !TestServer::builder().args(&["--websockify-target", wrong]).run().status.success(),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_permit_opens_the_gate_as_its_key_and_chooses_the_target() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let origin = "https://listed.example";
    let made = key(client, &[&peer.target()], json!({ "origins": [origin] })).await;
    let token = permit(&made, peer.address());
    for path in PATHS {
        for path in [format!("{path}?token={token}"), format!("/k/{}{path}?token={token}", made.secret)] {
            for headers in [&[][..], &[("Origin", origin)][..]] {
                let mut bridge = Bridge::open(server.address(), &path, headers).await.expect("let in");
                let mut stream = peer.accept().await;
                bridge.send(b"hello").await;
                assert_eq!(peer::read(&mut stream, 5).await, b"hello");
            }
            let evil = [("Origin", "https://evil.example")];
            assert_eq!(Bridge::open(server.address(), &path, &evil).await.err(), Some(403));
            assert_eq!(ask_upgrade(server.address(), &path, &[("Host", "evil.example")]).await.0, 421);
        }
    }
    let by = format!("key:{}", made.key.id);
    let opened = client.events().await.into_iter().filter(|event| matches!(event.fact, Fact::Opening { .. }));
    assert!(opened.clone().count() == 8 && opened.into_iter().all(|event| event.by.as_deref() == Some(&by)));
    let host = server.host();
    for elsewhere in ["/bridge/127.0.0.1:1", "/api/v1/about", "/api/v1/workspaces/default/ws"] {
        let path = format!("{elsewhere}?token={token}");
        assert_eq!(ask_upgrade(server.address(), &path, &[("Host", &host)]).await.0, 401, "{elsewhere}");
    }
}

#[tokio::test]
async fn a_permit_leads_nowhere_its_key_does_not() {
    let server = TestServer::start();
    let (named, other) = (TcpPeer::listen().await, TcpPeer::listen().await);
    let made = key(server.client(), &[&named.target()], json!({})).await;
    let path = format!("/websockify?token={}", permit(&made, other.address()));
    let mut bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
    assert_eq!(bridge.closed().await, (1008, "the key does not allow this target".to_owned()));
}

#[tokio::test]
async fn a_permit_that_is_not_good_is_none() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({})).await;
    let other = key(client, &[&peer.target()], json!({})).await;
    let revoked = key(client, &[&peer.target()], json!({})).await;
    assert_eq!(client.delete(&format!("keys/{}", revoked.key.id)).await.status(), 204);
    let (id, secret) = (&made.key.id, made.secret.as_str());
    let header = json!({ "alg": "HS256", "kid": id });
    let (host, port) = (peer.address().ip(), peer.address().port());
    let claims = json!({ "host": host, "port": port, "exp": seconds(60) });
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let without_exp = json!({ "host": host, "port": port });
    let good = jwt(&header, &claims, secret);
    let parts: Vec<&str> = good.split('.').collect();
    let unsigned = URL_SAFE_NO_PAD.encode(json!({ "alg": "none", "kid": id }).to_string());
    let cases = [
        ("expired", jwt(&header, &with("exp", json!(seconds(-60))), secret)),
        ("good for ever", jwt(&header, &without_exp, secret)),
        ("good for ever, in words", jwt(&header, &with("exp", json!("never")), secret)),
        ("too young", jwt(&header, &with("nbf", json!(seconds(60))), secret)),
        ("meant for others", jwt(&header, &with("aud", json!("others")), secret)),
        ("of another secret", jwt(&header, &claims, &other.secret)),
        ("of the key's name", jwt(&header, &claims, id)),
        ("of no secret", jwt(&header, &claims, "")),
        ("of a key revoked", permit(&revoked, peer.address())),
        ("of no such key", jwt(&json!({ "alg": "HS256", "kid": "knothing" }), &claims, secret)),
        ("of a key unnamed", jwt(&json!({ "alg": "HS256" }), &claims, secret)),
        ("HS512", jwt(&json!({ "alg": "HS512", "kid": id }), &claims, secret)),
        ("RS256", jwt(&json!({ "alg": "RS256", "kid": id }), &claims, secret)),
        ("EdDSA", jwt(&json!({ "alg": "EdDSA", "kid": id }), &claims, secret)),
        ("none", jwt(&json!({ "alg": "none", "kid": id }), &claims, secret)),
        ("none, unsigned", format!("{unsigned}.{}.", parts[1])),
        ("without its signature", format!("{}.{}.", parts[0], parts[1])),
        ("with other claims", format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode("{}"), parts[2])),
        ("without a host", jwt(&header, &with("host", Value::Null), secret)),
        ("without a port", jwt(&header, &with("port", json!(70_000)), secret)),
        ("to a number", jwt(&header, &with("host", json!("2130706433")), secret)),
    ];
    for (case, token) in &cases {
        for path in PATHS {
            let path = format!("{path}?token={token}");
            assert_eq!(Bridge::open(server.address(), &path, &[]).await.err(), Some(401), "{case}");
        }
    }
    // Clocks differ a little.
    for claims in [with("exp", json!(seconds(-1))), with("nbf", json!(seconds(3)))] {
        let token = jwt(&header, &claims, secret);
        assert!(Bridge::open(server.address(), &format!("/websockify?token={token}"), &[]).await.is_ok());
        peer.accept().await;
    }
    let crossed = format!("/k/{}/websockify?token={good}", other.secret);
    assert_eq!(Bridge::open(server.address(), &crossed, &[]).await.err(), Some(401), "two keys are none");
    assert!(Bridge::open(server.address(), &format!("/websockify?token={good}"), &[]).await.is_ok());
    peer.accept().await;
    assert_eq!(client.delete(&format!("keys/{id}")).await.status(), 204);
    assert_eq!(
        Bridge::open(server.address(), &format!("/websockify?token={good}"), &[]).await.err(),
        Some(401),
        "it ends with its key"
    );
}
