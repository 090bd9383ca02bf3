//! Viewers are cursors: they do not know of each other, and none can hold anything up.

use std::time::{Duration, Instant};

use serde_json::json;
use sockscope_wire::{Code, Fact, Seq};
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::{
    story,
    support::{
        viewer::{upgrade, upgrade_on},
        wait::eventually_in,
        *,
    },
};

/// A figure of `/metrics`.
async fn figure(client: &Client, name: &str) -> u64 {
    let text = client.get("/metrics").await.response.text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[tokio::test]
async fn two_viewers_are_two_cursors() {
    let server = TestServer::start();
    let client = server.client();
    let mut first = server.viewer("").await;
    let mut second = server.viewer("type=sent").await;
    assert_ne!(first.hello.conn, second.hello.conn);
    first.command("subscribe", json!({ "paused": true })).await;
    let head = story::tell(client).await.head;
    let sent = client.events_after(Seq(0), "type=sent").await;
    second.until("every sent", |viewer| viewer.events.len() >= sent.len()).await;
    assert_eq!(second.events, sent, "the other's pause is not its own");
    assert_eq!(first.events, [], "nor the other's progress");
    first.command("subscribe", json!({})).await;
    first.until_next(head).await;
    assert_eq!(first.events, client.events().await);
    assert!(second.replies.is_empty(), "a reply is for who asked");
}

#[tokio::test]
async fn facts_name_the_connection_and_the_command_that_caused_them() {
    let server = TestServer::start();
    let client = server.client();
    let mut viewer = server.viewer("").await;
    let peer = TcpPeer::listen().await;
    let reply = viewer.command("open", json!({ "open": peer.target() })).await;
    let (socket, cause) = (reply.socket.expect("a socket"), reply.cause.expect("a cause"));
    assert_eq!(cause, format!("{}.c1", viewer.hello.conn));
    let mut stream = peer.accept().await;
    let connected =
        viewer.until_event("connected", |event| matches!(event.fact, Fact::Connected { .. })).await;
    assert_eq!((connected.cause.as_deref(), connected.by.as_deref()), (Some(cause.as_str()), Some("local")));
    let reply = viewer.command("send", json!({ "socket": socket, "text": "hi" })).await;
    let sent = viewer.until_event("sent", |event| matches!(event.fact, Fact::Sent { .. })).await;
    assert_eq!(sent.cause, reply.cause);
    let by_rest = client.send(socket, "ho").await;
    viewer.until_next(by_rest.seq).await;
    let event = viewer.events.iter().find(|event| event.seq == by_rest.seq).expect("just seen");
    assert!(event.cause.is_some() && event.cause != sent.cause);
    assert_eq!(peer::read(&mut stream, 4).await, b"hiho");
}

/// The name server is deaf, so the send cannot go for a while.
#[tokio::test]
async fn a_viewer_whose_send_waits_for_a_name_goes_on_seeing_events() {
    let deaf = UdpPeer::bind().await;
    let server = TestServer::with(&["--dns", &deaf.address().to_string()]);
    let client = server.client();
    let bound = client.open("udp-bind://127.0.0.1:0").await;
    let mut viewer = server.viewer("after=head").await;
    let send = json!({ "id": "late", "send": { "socket": bound.id, "text": "a", "to": "name.example:9" } });
    viewer.say(Message::text(send.to_string())).await;
    let after = json!({ "id": "next", "set": { "socket": bound.id, "name": "in order" } });
    viewer.say(Message::text(after.to_string())).await;
    deaf.receive().await;
    let other = client.open("udp-bind://127.0.0.1:0").await;
    viewer.until_event("another socket", |event| event.socket == Some(other.id)).await;
    assert!(viewer.replies.is_empty(), "the name is still being asked for");
    viewer.until("both replies", |viewer| viewer.replies.len() == 2).await;
    let late = viewer.replies["late"].problem.clone().expect("the name cannot be resolved");
    assert_eq!(late.code, Code::ResolveTimedOut, "{late:?}");
    let failed = viewer.until_event("failed", |event| matches!(event.fact, Fact::Failed { .. })).await;
    assert_eq!(late.seq, Some(failed.seq), "the answer names the fact");
    let renamed = viewer.until_event("renamed", |event| matches!(event.fact, Fact::Note(_))).await;
    assert!(failed.seq < renamed.seq, "commands keep their order");
}

#[tokio::test]
async fn what_a_door_has_no_use_for_is_refused() {
    let server = TestServer::start();
    let client = server.client();
    client.get("events?binary=1").await.refused(400, Code::InvalidQuery);
    for query in ["limit=5", "wait=5", "binary=1"] {
        let sse = client.request("GET", &Client::path(&format!("events?{query}")));
        let answer = client.ask(&sse.header("Accept", "text/event-stream")).await;
        answer.refused(400, Code::InvalidQuery);
    }
    for query in ["limit=5", "wait=5"] {
        let bearer = format!("Bearer {TOKEN}");
        match upgrade(server.address(), query, &[("authorization", bearer.as_str())]).await {
            Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), 400, "{query}"),
            other => panic!("{query}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_never_reads_is_dropped_and_holds_nobody_up() {
    let server = TestServer::start();
    let client = server.client();
    // A small window, so that little fits on the way.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("SO_RCVBUF");
    let stream = socket.connect(server.address()).await.expect("connects");
    let bearer = format!("Bearer {TOKEN}");
    let (ws, _) = upgrade_on(stream, server.address(), "", &[("authorization", bearer.as_str())])
        .await
        .expect("let in");
    let mut stuck = Viewer::of(ws).await;
    let mut healthy = server.viewer("").await;

    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let mut sink = peer.accept().await;
    let reading = tokio::spawn(async move { peer::read(&mut sink, 16 << 20).await.len() });
    let begun = Instant::now();
    for _ in 0..16 {
        client.send_bytes(socket.id, &vec![b'x'; 1 << 20]).await;
    }
    assert_eq!(reading.await.expect("no panic"), 16 << 20, "the socket does not wait for a viewer");
    healthy.until_next(client.head().await).await;

    // The writes to it are blocked by now. Until it is dropped the other hears everything at once.
    let bound = client.open("udp-bind://127.0.0.1:0").await;
    let address = bound.local.clone().expect("an address");
    let peer = UdpPeer::bind().await;
    let blocked = Instant::now();
    let mut number = 0_u32;
    let (mut worst, mut open) = (Duration::ZERO, u64::MAX);
    // This request's own connection and the healthy viewer's.
    while open > 2 {
        assert!(blocked.elapsed() < Duration::from_secs(18), "dropped after its write was blocked for 10 s");
        let text = format!("datagram {number}");
        let sent = Instant::now();
        peer.send(text.as_bytes(), &address).await;
        healthy
            .until(&text, |viewer| {
                viewer.events.iter().rev().take(8).any(|event| match &event.fact {
                    Fact::Received { bytes, .. } => {
                        bytes.payload.as_ref().is_some_and(|payload| &*payload.0 == text.as_bytes())
                    }
                    _ => false,
                })
            })
            .await;
        worst = worst.max(sent.elapsed());
        number += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
        open = figure(client, "sockscope_connections_open").await;
    }
    assert!(begun.elapsed() > Duration::from_secs(9), "not for a short breath: {:?}", begun.elapsed());
    assert!(worst < Duration::from_secs(3), "another viewer's latency: {worst:?}");
    assert_eq!(healthy.gaps, []);

    // It wakes up: what was on the way is still good, then the connection is over, and it comes back with its seq.
    stuck.until_closed().await;
    let mut seen = std::mem::take(&mut stuck.events);
    let mut back = server.viewer(&format!("after={}&epoch={}", stuck.next, stuck.hello.epoch)).await;
    let head = client.head().await;
    back.until_next(head).await;
    assert_eq!(back.gaps, []);
    seen.append(&mut back.events);
    healthy.until_next(head).await;
    assert!(seen == healthy.events, "{} and {} events", seen.len(), healthy.events.len());
}

#[tokio::test]
async fn a_viewer_that_is_killed_leaves_everything_as_it_was() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let mut viewer = server.viewer("").await;
    let reply = viewer.command("open", json!({ "open": peer.target() })).await;
    let socket = reply.socket.expect("a socket");
    let mut stream = peer.accept().await;
    viewer.until_event("connected", |event| matches!(event.fact, Fact::Connected { .. })).await;
    let sse = Sse::open(client, "", None).await;
    let mut poll = Conn::connect(server.address()).await;
    poll.send(&client.request("GET", "events?after=head&wait=60").bytes()).await;
    eventually("all three are there", async || figure(client, "sockscope_connections_open").await == 4).await;
    // What a kernel does for a process that is killed: RST where bytes were unread, FIN elsewhere.
    for stream in [viewer.into_stream(), sse.into_conn().into_stream(), poll.into_stream()] {
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
        drop(stream);
    }
    let gone = async || figure(client, "sockscope_connections_open").await == 1;
    eventually_in(Duration::from_secs(5), "their places are free", gone).await;
    client.send(socket, "still open").await;
    assert_eq!(peer::read(&mut stream, 10).await, b"still open");
}
