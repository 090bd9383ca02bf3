//! Wisp by other names than its own, and what stands below either: the wsproxy form.

use std::process::Output;

use serde_json::json;
use sockscope_wire::Contract;

use crate::{
    kit::{Bridge, ask_upgrade, key, ticket},
    raw::{open_server, the_socket},
    support::{peer, *},
    wisp_client::{TCP, Wisp, connect},
};

const PREFIXES: [&str; 3] = ["/wisp/", "/lab/", "/over/here/"];

fn flags() -> [&'static str; 4] {
    ["--wisp-prefix", PREFIXES[1], "--wisp-prefix", PREFIXES[2]]
}

#[tokio::test]
async fn wisp_speaks_at_its_own_path_and_at_every_prefix_that_was_given() {
    let server = open_server(&flags());
    let peer = TcpPeer::listen().await;
    for prefix in PREFIXES {
        let mut wisp = Wisp::v1_at(&server, prefix).await;
        let mut stream = wisp.stream(1, &peer).await;
        wisp.alive(1, &mut stream).await;
        wisp.say(&connect(2, TCP, "127.0.0.1", server.address().port())).await;
        assert_eq!(wisp.over(2).await, 0x48, "the policy holds at {prefix}");
    }
    let by_variable =
        TestServer::builder().no_token().env("SOCKSCOPE_WISP_PREFIX", "/lab/,/over/here/").start();
    for prefix in PREFIXES {
        Wisp::v1_at(&by_variable, prefix).await;
    }
}

#[tokio::test]
async fn a_prefix_is_a_name_and_opens_nothing() {
    let server = TestServer::with(&flags());
    let (client, host) = (server.client(), server.host());
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({})).await;
    for prefix in PREFIXES {
        for path in [prefix.to_owned(), format!("{prefix}127.0.0.1:{}", peer.address().port())] {
            let open = async |path: &str, headers: &[(&str, &str)]| {
                let headers = [&[("Host", host.as_str())], headers].concat();
                ask_upgrade(server.address(), path, &headers).await.0
            };
            assert_eq!(open(&path, &[]).await, 401, "{path}");
            assert_eq!(open(&path, &[("Authorization", "Bearer wrong")]).await, 401, "{path}");
            let foreign =
                [("Authorization", &*format!("Bearer {TOKEN}")), ("Origin", "https://evil.example")];
            assert_eq!(open(&path, &foreign).await, 403, "{path}");
            assert_eq!(open(&format!("/k/wrong{path}"), &[]).await, 401, "{path}");
            // The token, a key, and a ticket once.
            assert_eq!(open(&path, &foreign[..1]).await, 101, "{path}");
            assert_eq!(open(&format!("/k/{}{path}", made.secret), &[]).await, 101, "{path}");
            let ticket = format!("ticket.{}, binary", ticket(client).await);
            assert_eq!(open(&path, &[("Sec-WebSocket-Protocol", &ticket)]).await, 101, "{path}");
            assert_eq!(open(&path, &[("Sec-WebSocket-Protocol", &ticket)]).await, 401, "{path}");
        }
    }
    // What a key does not allow, it does not allow there either.
    let other = TcpPeer::listen().await;
    let mut wisp = Wisp::v1_at(&server, &format!("/k/{}/over/here/", made.secret)).await;
    wisp.say(&connect(1, TCP, "127.0.0.1", other.address().port())).await;
    assert_eq!(wisp.over(1).await, 0x48);
}

#[tokio::test]
async fn below_wisp_and_its_prefixes_stands_the_wsproxy_form() {
    for prefix in PREFIXES {
        let server = open_server(&flags());
        let peer = TcpPeer::listen().await;
        let path = format!("{prefix}localhost:{}", peer.address().port());
        let mut bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
        let mut stream = peer.accept().await;
        bridge.send(b"up").await;
        assert_eq!(peer::read(&mut stream, 2).await, b"up", "bytes and no packets, {path}");
        peer::write(&mut stream, b"down").await;
        assert_eq!(bridge.receive(4).await, b"down", "{path}");
        assert_eq!(the_socket(server.client()).await.bridge, Some(Contract::Wsproxy));
        // No other path below it is anything.
        for (below, status) in
            [("else/", 404), ("127.0.0.1", 422), ("127.0.0.1:80/", 404), ("tcp/127.0.0.1/80", 404)]
        {
            let path = format!("{prefix}{below}");
            let answer = ask_upgrade(server.address(), &path, &[("Host", &server.host())]).await;
            assert_eq!(answer.0, status, "{path}: {}", answer.1);
        }
    }
}

#[test]
fn a_prefix_that_is_none_or_is_ours_is_refused_at_the_start() {
    for (prefix, says) in [
        ("lab", "a path that begins and ends with /"),
        ("/lab", "a path that begins and ends with /"),
        ("/", "a path that begins and ends with /"),
        ("/lab/../api/", "a path that begins and ends with /"),
        ("/%61pi/", "a path that begins and ends with /"),
        ("/api/", "paths that begin with /api/ are sockscope's own"),
        ("/api/v1/wisp/", "paths that begin with /api/ are sockscope's own"),
        ("/bridge/tcp/", "paths that begin with /bridge/ are sockscope's own"),
        ("/k/", "paths that begin with /k/ are sockscope's own"),
        ("/assets/", "paths that begin with /assets/ are sockscope's own"),
        ("/sdk/", "paths that begin with /sdk/ are sockscope's own"),
        ("/healthz/", "paths that begin with /healthz/ are sockscope's own"),
        ("/wisp/", "paths that begin with /wisp/ are sockscope's own"),
    ] {
        let Output { status, stdout, stderr } = TestServer::builder().args(&["--wisp-prefix", prefix]).run();
        let stderr = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(2), "{prefix}: {stderr}");
        assert!(stdout.is_empty(), "it has not listened");
        assert!(stderr.contains(says) && stderr.contains("--wisp-prefix"), "{prefix}: {stderr}");
    }
}
