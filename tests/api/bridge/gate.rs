//! Whom a key lets in.

use serde_json::json;
use sockscope_wire::{Code, KeyList, KeyMade, Problem};

use crate::{
    kit::{Bridge, ask_upgrade, key, tcp, ticket},
    support::{http, *},
};

/// The page of another site that the key of these tests lists.
const LISTED: &str = "https://listed.example";

/// Every bridge, as its path stands behind a key.
fn paths(to: &TcpPeer) -> Vec<String> {
    let port = to.address().port();
    vec![
        format!("/bridge/tcp/127.0.0.1/{port}"),
        format!("/bridge/udp/127.0.0.1/{port}"),
        format!("/bridge/127.0.0.1:{port}"),
        "/wisp/".to_owned(),
        format!("/wisp/127.0.0.1:{port}"),
        "/lab/wisp/".to_owned(),
        format!("/lab/wisp/127.0.0.1:{port}"),
        "/bridge/sockets".to_owned(),
        "/bridge/websockify".to_owned(),
        "/websockify?else=1".to_owned(),
    ]
}

#[tokio::test]
async fn every_keyed_path_lets_in_exactly_whom_its_key_should() {
    let peer = TcpPeer::listen().await;
    let target = peer.address().to_string();
    let server = TestServer::with(&["--websockify-target", &target, "--wisp-prefix", "/lab/wisp/"]);
    let (client, own) = (server.client(), server.host());
    let right = key(client, &["tcp://*:*", "udp://*:*"], json!({ "origins": [LISTED] })).await;
    let revoked = key(client, &["tcp://*:*", "udp://*:*"], json!({ "origins": [LISTED] })).await;
    assert_eq!(client.delete(&format!("keys/{}", revoked.key.id)).await.status(), 204);
    let secrets = [
        (right.secret.as_str(), true),
        (&right.secret[..42], false),
        (&right.key.id, false),
        (revoked.secret.as_str(), false),
        (TOKEN, false),
        ("", false),
    ];
    let own_origin = format!("http://{own}");
    let origins: [(&[&str], bool); 9] = [
        (&[], true),
        (&[&own_origin], true),
        (&[LISTED], true),
        (&["https://evil.example"], false),
        (&["http://listed.example"], false),
        (&["https://listed.example:8443"], false),
        (&["https://listed.example.evil.example"], false),
        (&["null"], false),
        (&[LISTED, LISTED], false),
    ];
    for path in paths(&peer) {
        for (secret, known) in secrets {
            for (origins, fine) in origins {
                for host in [own.as_str(), "evil.example"] {
                    let mut headers = vec![("Host", host)];
                    headers.extend(origins.iter().map(|origin| ("Origin", *origin)));
                    let expected = match (host == own, known, fine) {
                        (false, _, _) => 421,
                        (true, false, _) => 401,
                        (true, true, false) => 403,
                        (true, true, true) => 101,
                    };
                    let of = (&path, known, origins, host);
                    let (status, _) =
                        ask_upgrade(server.address(), &format!("/k/{secret}{path}"), &headers).await;
                    assert_eq!(status, expected, "{of:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_key_opens_bridges_and_nothing_else() {
    let server = TestServer::with(&["--wisp-prefix", "/lab/wisp/"]);
    let KeyMade { secret, .. } = key(server.client(), &["tcp://*:*"], json!({})).await;
    for path in [
        "",
        "/",
        "/bridge",
        "/healthz",
        "/api/v1/about",
        "/api/v1/workspaces/default/ws",
        "/api/v1/workspaces/default/keys",
        "//bridge/127.0.0.1:1",
        "/./bridge/127.0.0.1:1",
        "/%62ridge/127.0.0.1:1",
        "/wisp",
        "/lab/wisp",
        "/lab/",
        "/lab/wisp/else/",
        "/lab//wisp/",
        "/k/",
        "/websockify/",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let request = Request::bare(method, &format!("/k/{secret}{path}")).header("Host", &server.host());
            let answer = http::ask(server.address(), &request).await;
            let problem: Problem = serde_json::from_slice(&answer.body).expect("a problem");
            assert_eq!((answer.status, problem.code), (404, Code::UnknownRoute), "{method} {path:?}");
            assert!(!answer.text().contains(&secret), "{method} {path:?}");
        }
    }
    // One key does not open what another stands before, and the secret is no bearer token.
    let twice = format!("/k/{secret}/k/{secret}/bridge/127.0.0.1:1");
    assert_eq!(ask_upgrade(server.address(), &twice, &[("Host", &server.host())]).await.0, 404);
    let bearer = Request::bare("GET", "/api/v1/about").header("Host", &server.host()).bearer(&secret);
    assert_eq!(http::ask(server.address(), &bearer).await.status, 401);
    let post =
        Request::bare("POST", &format!("/k/{secret}/bridge/127.0.0.1:1")).header("Host", &server.host());
    assert_eq!(http::ask(server.address(), &post).await.status, 405);
}

#[tokio::test]
async fn an_unknown_key_is_answered_alike_whatever_it_is_and_stands_before() {
    let server = TestServer::start();
    let made = key(server.client(), &["tcp://*:*"], json!({})).await;
    let mut answers = Vec::new();
    for secret in ["x", &made.secret[1..], &made.key.id, &"a".repeat(43), &"a".repeat(4000), "%00", ""] {
        for path in ["", "/", "/bridge/127.0.0.1:1", "/bridge/not a target", "/api/v1/about", "/nothing"] {
            let path = path.replace(' ', "%20");
            let request = Request::bare("GET", &format!("/k/{secret}{path}")).header("Host", &server.host());
            let answer = http::ask(server.address(), &request).await;
            answers.push((answer.status, answer.text()));
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].0, 401);
}

#[tokio::test]
async fn a_page_of_another_site_comes_in_by_its_listed_origin_alone() {
    let server = TestServer::start();
    let peer = TcpPeer::listen().await;
    let made = key(server.client(), &[&peer.target()], json!({ "origins": [LISTED] })).await;
    let path = tcp(&made.secret, peer.address());
    let (site, listed) = (("Sec-Fetch-Site", "cross-site"), ("Origin", LISTED));
    assert!(Bridge::open(server.address(), &path, &[site, listed]).await.is_ok());
    // A request without an Origin that says it comes from another site is an image or a link.
    assert_eq!(Bridge::open(server.address(), &path, &[site]).await.err(), Some(403));
    let own = format!("http://{}", server.host());
    assert_eq!(Bridge::open(server.address(), &path, &[site, ("Origin", &own)]).await.err(), Some(403));
}

#[tokio::test]
async fn without_a_token_other_pages_still_need_a_key() {
    let peer = TcpPeer::listen().await;
    let target = peer.address().to_string();
    let flags = ["--websockify-target", &target, "--wisp-prefix", "/lab/wisp/"];
    let server = TestServer::builder().no_token().args(&flags).start();
    let host = server.host();
    let own = format!("http://{host}");
    for path in paths(&peer) {
        for (origin, status) in
            [(None, 101), (Some(own.as_str()), 101), (Some(LISTED), 403), (Some("null"), 403)]
        {
            let mut headers = vec![("Host", host.as_str())];
            headers.extend(origin.map(|origin| ("Origin", origin)));
            let (answer, _) = ask_upgrade(server.address(), &path, &headers).await;
            assert_eq!(answer, status, "{path} from {origin:?}");
        }
    }
    let listed = ("Origin", LISTED);
    let made = key(server.client(), &[&peer.target()], json!({ "origins": [LISTED] })).await;
    assert!(Bridge::open(server.address(), &tcp(&made.secret, peer.address()), &[listed]).await.is_ok());
    assert_eq!(Bridge::open(server.address(), &tcp("wrong", peer.address()), &[]).await.err(), Some(401));
}

#[tokio::test]
async fn a_ticket_of_our_own_page_opens_every_bridge_once() {
    let peer = TcpPeer::listen().await;
    let target = peer.address().to_string();
    let server = TestServer::with(&["--websockify-target", &target, "--wisp-prefix", "/lab/wisp/"]);
    let host = server.host();
    let own = format!("http://{host}");
    for path in paths(&peer) {
        let offer = format!("ticket.{}, binary, sockscope.direct.v1", ticket(server.client()).await);
        for (origin, status) in [("https://evil.example", 403), (own.as_str(), 101), (own.as_str(), 401)] {
            let headers = [("Host", host.as_str()), ("Origin", origin), ("Sec-WebSocket-Protocol", &offer)];
            let (answer, _) = ask_upgrade(server.address(), &path, &headers).await;
            assert_eq!(answer, status, "{path} from {origin}");
        }
    }
}

#[tokio::test]
async fn keys_are_listed_without_their_secrets_in_the_order_they_were_made() {
    let server = TestServer::start();
    let client = server.client();
    let more = json!({ "name": " for noVNC ", "origins": [LISTED], "max_bytes": 7, "record": true });
    let first = key(client, &["TCP://Example.COM.:5900-5999", "udp://[::ffff:127.0.0.1]:*"], more).await;
    let second = key(client, &["tcp://*:22"], json!({})).await;
    assert!(first.secret.len() >= 43 && first.secret != second.secret, "256 bits each");
    let answer = client.get("keys").await;
    for made in [&first, &second] {
        assert!(!answer.response.text().contains(&made.secret));
    }
    let KeyList { keys } = answer.ok();
    assert_eq!(keys, [first.key.clone(), second.key]);
    let shown = &first.key;
    assert_eq!(shown.targets, ["tcp://example.com:5900-5999", "udp://127.0.0.1:*"]);
    assert_eq!((shown.name.as_deref(), shown.max_bytes, shown.record), (Some("for noVNC"), Some(7), true));
    assert_eq!((shown.max_streams, shown.connects_per_second), (64, 100));
    for wrong in [
        json!({ "targets": [] }),
        json!({ "targets": ["tcp://*.example:1"] }),
        json!({ "targets": ["tcp://*:*"], "origins": ["https://example.com/"] }),
        json!({ "targets": ["tcp://*:*"], "max_streams": 0 }),
    ] {
        client.post("keys", &wrong).await.refused(422, Code::InvalidKey);
    }
    client
        .post("keys", &json!({ "targets": ["tcp://*:*"], "else": 1 }))
        .await
        .refused(400, Code::MalformedJson);
    client.delete("keys/knothing").await.refused(404, Code::UnknownKey);
}
