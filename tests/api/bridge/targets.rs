//! Where a key leads.

use serde_json::json;
use sockscope_wire::{Code, Fact, SocketState};

use crate::{
    kit::{Bridge, key, tcp},
    support::{peer, *},
    wisp_client::{TCP, Wisp, connect},
};

/// Spellings of addresses, as the policy's own tests have them.
const CORPUS: &str = include_str!("../../../server/sockets/tests/policy_corpus.rs");

fn spellings() -> Vec<&'static str> {
    let rows = CORPUS.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split_once("\", "));
    // Characters that are escaped there are none a path could have.
    rows.map(|(text, _)| text).filter(|text| !text.contains('\\') && text.contains(':')).collect()
}

fn escaped(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[tokio::test]
async fn bytes_pass_both_ways_to_what_a_key_names_and_the_log_says_who_asked() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({})).await;
    let mut bridge =
        Bridge::open(server.address(), &tcp(&made.secret, peer.address()), &[]).await.expect("let in");
    let mut stream = peer.accept().await;
    bridge.send(b"up").await;
    assert_eq!(peer::read(&mut stream, 2).await, b"up");
    peer::write(&mut stream, b"down").await;
    assert_eq!(bridge.receive(4).await, b"down");
    let shown = crate::kit::listed(client, &made.key.id).await;
    assert_eq!((shown.sockets.len(), shown.opened, shown.bytes), (1, 1, 6));
    let opening = client.events().await.into_iter().find(|event| matches!(event.fact, Fact::Opening { .. }));
    let by = opening.expect("it was opened").by;
    assert_eq!(by.as_deref(), Some(format!("key:{}", made.key.id).as_str()));
    bridge.close().await;
    eventually("its place is free", async || {
        crate::kit::listed(client, &made.key.id).await.sockets.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_target_the_key_does_not_name_is_refused_in_words_and_listed() {
    let server = TestServer::start();
    let client = server.client();
    let (named, other) = (TcpPeer::listen().await, TcpPeer::listen().await);
    let made = key(client, &[&named.target()], json!({})).await;
    let mut bridge =
        Bridge::open(server.address(), &tcp(&made.secret, other.address()), &[]).await.expect("let in");
    assert_eq!(bridge.closed().await, (1008, "the key does not allow this target".to_owned()));
    let sockets = client.sockets().await.sockets;
    assert_eq!(sockets.iter().map(|socket| socket.state).collect::<Vec<_>>(), [SocketState::Failed]);
    let denied = client.events().await.into_iter().find_map(|event| match event.fact {
        Fact::RefusedByPolicy { rule, .. } => Some((rule, event.by)),
        _ => None,
    });
    assert_eq!(denied, Some(("key:targets".to_owned(), Some(format!("key:{}", made.key.id)))));
}

#[tokio::test]
async fn no_spelling_of_another_target_passes_for_the_one_a_key_names() {
    let server = TestServer::start();
    let client = server.client();
    let limits = json!({ "connects_per_second": 100_000 });
    let made = key(client, &["tcp://only.example:1", "udp://127.0.0.1:2"], limits).await;
    let spellings = spellings();
    assert!(spellings.len() > 150, "{}", spellings.len());
    for spelling in spellings {
        let (host, port) = spelling.rsplit_once(':').unwrap_or((spelling, ""));
        for path in [
            format!("bridge/tcp/{}/{}", escaped(host), escaped(port)),
            format!("bridge/{}", escaped(spelling)),
        ] {
            match Bridge::open(server.address(), &format!("/k/{}/{path}", made.secret), &[]).await {
                Ok(mut bridge) => assert_eq!(bridge.closed().await.0, 1008, "{spelling}"),
                Err(status) => assert!(matches!(status, 404 | 422), "{status}: {spelling}"),
            }
        }
    }
    let mut wisp = Wisp::v1_at(&server, &format!("/k/{}/wisp/", made.secret)).await;
    for (id, spelling) in (1..).zip(self::spellings()) {
        let (host, port) = spelling.rsplit_once(':').unwrap_or((spelling, ""));
        wisp.say(&connect(id, TCP, host, port.parse().unwrap_or(1))).await;
        let reason = wisp.over(id).await;
        assert!(matches!(reason, 0x41 | 0x48), "{reason:#x}: {spelling}");
    }
    let dialled = |fact: &Fact| matches!(fact, Fact::Connecting { .. } | Fact::Resolved { .. });
    assert!(!client.events().await.iter().any(|event| dialled(&event.fact)), "nothing was even looked up");
}

#[tokio::test]
async fn the_policy_has_the_last_word_over_any_key() {
    let server = TestServer::start();
    let client = server.client();
    let made = key(client, &["tcp://*:*"], json!({})).await;
    let own = server.address().port();
    for target in [
        format!("127.0.0.1:{own}"),
        format!("localhost:{own}"),
        "169.254.169.254:80".into(),
        "[::ffff:169.254.169.254]:80".into(),
    ] {
        let path = format!("/k/{}/bridge/{target}", made.secret);
        let mut bridge = Bridge::open(server.address(), &path, &[]).await.expect("let in");
        let (code, reason) = bridge.closed().await;
        assert_eq!((code, reason.contains(Code::Denied.as_str())), (1008, true), "{target}: {reason}");
    }
}
