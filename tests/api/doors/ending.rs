//! Ends: of a client that waits, and of the server.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use sockscope_wire::{Code, Fact, SocketState};

use crate::support::*;

#[tokio::test]
async fn a_client_that_leaves_cancels_its_connect() {
    let server = TestServer::start();
    let client = server.client();
    let hole = Blackhole::open();
    let wish = json!({ "open": hole.target(), "options": { "connect_timeout_ms": 600_000 } });
    let mut conn = Conn::connect(server.address()).await;
    conn.send(&client.request("POST", "sockets").json(&wish.to_string()).bytes()).await;
    let opening = async || {
        let list = client.sockets().await.sockets;
        list.first().is_some_and(|socket| socket.state == SocketState::Opening)
    };
    eventually("it is opening", opening).await;
    drop(conn);
    let over = async || client.sockets().await.sockets[0].closed_seq.is_some();
    eventually("it is over", over).await;
    let events = client.events().await;
    let (first, last) = (events.first().expect("events"), events.last().expect("events"));
    let Fact::Closed { reason, .. } = &last.fact else { panic!("{last:?}") };
    assert_eq!((*reason, &last.cause), (Code::Cancelled, &first.cause));
    assert_eq!(client.get("/api/v1/about").await.value()["sockets"], 0, "its place is free");
}

#[tokio::test]
async fn a_connect_under_way_is_cancelled_by_closing_it() {
    let server = TestServer::start();
    let hole = Blackhole::open();
    let mut viewer = server.viewer("").await;
    let reply = viewer.command("open", json!({ "open": hole.target() })).await;
    let socket = reply.socket.expect("a socket, before it is open");
    viewer.until_event("connecting", |event| matches!(event.fact, Fact::Connecting { .. })).await;
    let reply = viewer.command("close", json!({ "socket": socket })).await;
    let closed = viewer.until_event("closed", |event| matches!(event.fact, Fact::Closed { .. })).await;
    let Fact::Closed { reason, .. } = closed.fact else { panic!("{closed:?}") };
    assert_eq!((reason, closed.cause), (Code::Cancelled, reply.cause));
}

/// Sends a request that is answered later, and returns once the server is at it: it has answered the one before it in
/// the same packet.
async fn underway(conn: &mut Conn, client: &Client, request: &[u8]) {
    conn.send(&[&client.request("GET", "/readyz").bytes(), request].concat()).await;
    assert_eq!(conn.response_to("GET").await.expect("an answer").status, 200);
}

#[tokio::test]
async fn the_end_of_the_server_is_said_to_everybody_and_takes_five_seconds_at_most() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = TestServer::start();
        let client = server.client().clone();
        let peer = TcpPeer::listen().await;
        client.open(&peer.target()).await;
        let mut stream = peer.accept().await;
        let hole = Blackhole::open();
        let wish = json!({ "open": hole.target(), "options": { "connect_timeout_ms": 600_000 } });
        let mut connecting = Conn::connect(server.address()).await;
        connecting.send(&client.request("POST", "sockets").json(&wish.to_string()).bytes()).await;
        let mut viewer = server.viewer("").await;
        let mut paused = server.viewer("").await;
        paused.command("subscribe", json!({ "paused": true })).await;
        let mut sse = Sse::open(&client, "type=sent", None).await;
        let opening = async || client.sockets().await.sockets.len() == 2;
        eventually("the connect is under way", opening).await;
        let mut idle = Conn::connect(server.address()).await;
        assert_eq!(idle.ask(&client.request("GET", "/readyz")).await.expect("an answer").status, 200);
        let mut polling = Conn::connect(server.address()).await;
        let poll = client.request("GET", "events?after=head&wait=60&type=sent").bytes();
        underway(&mut polling, &client, &poll).await;
        let waiting = async || {
            let text = client.get("/metrics").await.response.text();
            text.lines().any(|line| line == "sockscope_connections_open 7")
        };
        eventually("everybody is there", waiting).await;

        server.signal(signal);
        assert_eq!(viewer.until_closed().await, Some(4012));
        assert_eq!(paused.until_closed().await, Some(4012));
        let answer = polling.response_to("GET").await.expect("an answer");
        assert_eq!(answer.status, 200, "an empty page now is better than a cut connection");
        assert_eq!(sse.next().await, None, "a stream ends");
        let answer = connecting.response_to("POST").await.expect("an answer");
        assert!(matches!(answer.status, 409 | 503), "{}: {}", answer.status, answer.text());
        assert_eq!(peer::read_to_end(&mut stream).await.expect("FIN, no RST"), b"");
        within("the idle connection's end", idle.closed()).await;
        let status = server.ended(Duration::from_secs(5)).await;
        assert_eq!(status.code(), Some(0), "{}", server.stderr());
    }
}

#[tokio::test]
async fn a_client_that_never_reads_does_not_keep_the_server() {
    let mut server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let mut sink = peer.accept().await;
    let reading = tokio::spawn(async move { peer::read(&mut sink, 16 << 20).await.len() });
    // It asked for everything there will be, and reads nothing of it.
    let mut deaf = Conn::connect(server.address()).await;
    deaf.send(&client.request("GET", "events").header("Accept", "text/event-stream").bytes()).await;
    for _ in 0..16 {
        client.send_bytes(socket.id, &vec![b'x'; 1 << 20]).await;
    }
    reading.await.expect("no panic");
    assert_eq!(server.terminate(Duration::from_secs(5)).await.code(), Some(0), "{}", server.stderr());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = TestServer::start();
    let client = server.client().clone();
    // Something that is waited for: a body that does not come.
    let mut conn = Conn::connect(server.address()).await;
    let text = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{{",
        Client::path("sockets"),
        server.host()
    );
    underway(&mut conn, &client, text.as_bytes()).await;
    server.signal(Signal::SIGTERM);
    let told = async || server.stderr().contains("shutting down");
    eventually("the first is heard", told).await;
    server.signal(Signal::SIGTERM);
    let status = server.ended(Duration::from_secs(5)).await;
    assert_eq!(status.code(), Some(1), "not in order: {}", server.stderr());
}
