//! Secrets stay where they belong.

use serde_json::json;
use sockscope_wire::{Fact, SessionToken, Ticket};

use crate::support::*;

/// Uses every part of the API once, and returns everything the server answered.
async fn a_full_day(server: &TestServer, client: &Client) -> String {
    let mut heard = String::new();
    let mut hear = |answer: Answer| {
        heard.push_str(&format!("{:?}\n{}\n", answer.response.headers, answer.response.text()));
    };
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let mut stream = peer.accept().await;
    client.send(socket.id, "hello").await;
    peer::write(&mut stream, b"hello back").await;
    let echo = client.practice("echo").await;
    hear(client.post("sockets", &json!({ "open": echo.target, "name": "an echo" })).await);
    hear(client.post("sockets", &json!({ "open": "tcp://169.254.169.254:80" })).await);
    hear(client.post("sockets", &json!({ "open": format!("tcp://{}", server.host()) })).await);
    hear(client.post("sockets", &json!({ "open": "nonsense" })).await);
    hear(client.post("sockets", &json!({ "secret": 1 })).await);
    hear(client.patch(&format!("sockets/{}", socket.id), &json!({ "name": "a name" })).await);
    hear(client.delete(&format!("sockets/{}", socket.id)).await);
    let mut viewer = Viewer::connect(client, "").await;
    viewer.until_next(client.head().await).await;
    heard.push_str(&format!("{:?}", viewer.raw));
    let mut hear = |answer: Answer| {
        heard.push_str(&format!("{:?}\n{}\n", answer.response.headers, answer.response.text()));
    };
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/about",
        "/api/v1/openapi.json",
        "/api/v1/practice",
        "/nothing",
        "sockets?hidden=true",
        "events",
        "events?nonsense=1",
        "export",
        "export?format=text",
        "ws",
    ] {
        hear(client.get(path).await);
    }
    let wrong = Client::new(server.address(), "wrong-0123456789abcdef0123456789abcdef");
    hear(wrong.get("events").await);
    let foreign = client.request("GET", "events").header("Origin", "http://evil.com");
    hear(client.ask(&foreign).await);
    heard
}

#[tokio::test]
async fn the_token_is_said_nowhere_but_for_a_launch_code() {
    // As talkative as it gets.
    let mut server = TestServer::builder().random_token().env("SOCKSCOPE_LOG", "trace").start();
    let code = server.launch_code().to_owned();
    let anybody = Client::new(server.address(), "");
    let token = anybody.post("/api/v1/session", &json!({ "code": code })).await.ok::<SessionToken>().token;
    assert!(token.len() >= 43, "256 bits");
    let client = Client::new(server.address(), &token);
    let bearer = format!("Bearer {token}");
    let ticket = client.post("/api/v1/tickets", &json!({})).await.ok::<Ticket>().ticket;
    let offer = format!("sockscope.v1, ticket.{ticket}");
    let headers = [("sec-websocket-protocol", offer.as_str()), ("authorization", bearer.as_str())];
    let (ws, _) = viewer::upgrade(server.address(), "", &headers).await.expect("let in");
    drop(Viewer::of(ws).await);
    let heard = a_full_day(&server, &client).await;
    // A mistake: the token where it does not belong.
    let mistaken = client.get(&format!("events?token={token}")).await;
    assert_eq!(mistaken.status(), 400);
    assert!(!mistaken.response.text().contains(&token), "{}", mistaken.response.text());
    let command_line = std::fs::read(format!("/proc/{}/cmdline", server.pid())).expect("our own child");
    assert_eq!(server.terminate(DEADLINE).await.code(), Some(0));
    let (stdout, stderr) = (server.stdout(), server.stderr());
    assert!(stderr.contains("shutting down"), "the log is on standard error: {stderr}");
    for (place, text) in [
        ("the answers", heard.as_str()),
        ("standard output", &stdout),
        ("the log", &stderr),
        ("the command line", &String::from_utf8_lossy(&command_line)),
    ] {
        for secret in [&token, &ticket] {
            assert!(!text.contains(secret.as_str()), "a secret in {place}");
        }
        assert!(!text.contains(&code) || place == "standard output", "the launch code in {place}");
    }
    assert!(!stderr.contains("hello back"), "nor are a peer's bytes in the log");
}

#[tokio::test]
async fn what_a_peer_sends_cannot_forge_a_line_or_drive_a_terminal() {
    let server = TestServer::builder().env("SOCKSCOPE_LOG", "trace").start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let mut stream = peer.accept().await;
    let hostile = b"\x1b]0;owned\x07\x1b[2J\n{\"seq\":1}\r\n\xe2\x80\xae\xff";
    peer::write(&mut stream, hostile).await;
    let received = |events: Vec<sockscope_wire::Event>| {
        events.into_iter().any(|event| matches!(event.fact, Fact::Received { .. }))
    };
    eventually("the bytes are recorded", async || received(client.events().await)).await;
    let name = json!({ "name": "a\nname\u{1b}[31m\u{202e}" });
    assert_eq!(client.patch(&format!("sockets/{}", socket.id), &name).await.status(), 200);
    let text = client.get("export?format=text").await.response.text();
    let jsonl = client.get("export").await.response.text();
    for text in [&text, &jsonl, &server.stderr()] {
        assert!(!text.contains(['\u{1b}', '\r', '\u{7}']), "{text:?}");
    }
    let events = client.events().await;
    assert_eq!(jsonl.lines().count(), events.len(), "one event, one line");
    for (line, event) in jsonl.lines().zip(events) {
        assert_eq!(serde_json::from_str::<sockscope_wire::Event>(line).expect("JSON"), event);
    }
}
