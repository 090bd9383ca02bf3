//! What the log and the list say of bridged sockets.

use serde_json::json;
use sockscope_wire::{Code, Contract, Event, Fact, Role, SocketId, SocketState};

use crate::{
    kit::key,
    raw::{CLOSE, Raw, closing, ended, noise, open_server, the_socket},
    support::{peer, *},
};

async fn events_of(client: &Client, id: SocketId) -> Vec<Event> {
    let events = client.events().await;
    events.into_iter().filter(|event| event.socket == Some(id)).collect()
}

#[tokio::test]
async fn a_bridged_socket_is_listed_and_counted_exactly_and_its_first_bytes_are_events() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({})).await;
    let mut raw = Raw::open(&server, &crate::kit::tcp(&made.secret, peer.address())).await;
    let mut stream = peer.accept().await;
    let (up, down) = (noise(700_001), noise(500_003));
    // The first kilobyte in pieces: what lies beyond it is cut off there.
    for part in [&up[..1], &up[1..1000], &up[1000..3000], &up[3000..]] {
        raw.send(part).await;
        assert!(peer::read(&mut stream, part.len()).await == part);
    }
    for part in [&down[..600], &down[600..2000], &down[2000..]] {
        peer::write(&mut stream, part).await;
        assert!(raw.receive(part.len()).await == part);
    }
    let socket = the_socket(client).await;
    assert_eq!((socket.bridge, socket.role), (Some(Contract::Wsproxy), Role::Client));
    assert_eq!(socket.state, SocketState::Open);
    assert_eq!(socket.remote.as_deref(), Some(peer.address().to_string().as_str()));
    raw.up.frame(CLOSE, &closing(1000, "")).await;
    assert_eq!(raw.down.closed().await.1, Some(1000));
    let (reason, counters) = ended(client, socket.id).await;
    assert_eq!(reason, Code::ClientClosed);
    assert_eq!((counters.sent_bytes, counters.received_bytes), (700_001, 500_003));
    let listed = client.socket(socket.id).await;
    assert_eq!((listed.state, listed.counters), (SocketState::Closed, counters));
    let events = events_of(client, socket.id).await;
    let by = format!("key:{}", made.key.id);
    assert!(matches!(&events[0].fact, Fact::Opening { bridge: Some(Contract::Wsproxy), .. }));
    assert_eq!(events[0].by.as_deref(), Some(by.as_str()));
    let (mut sent, mut received, mut relayed) = (Vec::new(), Vec::new(), (0, 0, 0, 0));
    let mut calls = (0, 0);
    for event in &events {
        let (way, len, offset, bytes) = match &event.fact {
            Fact::Sent { len, offset, bytes, .. } => (&mut sent, *len, *offset, bytes),
            Fact::Received { len, offset, bytes, .. } => (&mut received, *len, *offset, bytes),
            Fact::Relayed { sent_bytes, sent_calls, received_bytes, received_calls } => {
                relayed.0 += sent_bytes;
                relayed.1 += sent_calls;
                relayed.2 += received_bytes;
                relayed.3 += received_calls;
                continue;
            }
            _ => continue,
        };
        assert_eq!(offset, Some(way.len() as u64), "in order, none missing");
        let payload = &bytes.payload.as_ref().expect("recorded").0;
        assert_eq!(payload.len(), len as usize);
        way.extend_from_slice(payload);
    }
    for event in &events {
        match event.fact {
            Fact::Sent { .. } => calls.0 += 1,
            Fact::Received { .. } => calls.1 += 1,
            _ => {}
        }
    }
    assert!(sent == up[..1024] && received == down[..1024], "{} and {} bytes", sent.len(), received.len());
    assert_eq!((relayed.0, relayed.2), (700_001 - 1024, 500_003 - 1024), "the rest is told as how much");
    assert_eq!((counters.sent_events, counters.received_events), (calls.0 + relayed.1, calls.1 + relayed.3));
}

#[tokio::test]
async fn who_opened_a_bridge_and_how_it_ended_is_said() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({})).await;
    let path = crate::kit::tcp(&made.secret, peer.address());
    for expected in [Code::ClientClosed, Code::ClientLost, Code::BothEnded, Code::Closed, Code::WasReset] {
        let mut raw = Raw::open(&server, &path).await;
        let mut stream = peer.accept().await;
        raw.send(b"x").await;
        peer::read(&mut stream, 1).await;
        let id = client.sockets().await.sockets.iter().map(|socket| socket.id).max().expect("a socket");
        match expected {
            Code::ClientClosed => raw.up.frame(CLOSE, &[]).await,
            Code::ClientLost => raw.reset(),
            Code::BothEnded => {
                drop(stream);
                assert_eq!(raw.down.closed().await.1, Some(1000));
                raw.up.try_bytes(&crate::raw::frame(CLOSE, &closing(1000, ""))).await;
            }
            Code::Closed => client.close(id).await,
            _ => assert_eq!(client.delete(&format!("sockets/{id}?reset=true")).await.status(), 204),
        }
        assert_eq!(ended(client, id).await.0, expected);
        let closed = events_of(client, id).await.into_iter().find_map(|event| match event.fact {
            Fact::Closed { .. } => Some((event.by, event.cause.is_some())),
            _ => None,
        });
        let ordered = matches!(expected, Code::Closed | Code::WasReset);
        let by = ordered.then(|| "local".to_owned());
        assert_eq!(closed, Some((by, ordered)), "{expected:?}: whose wish it was");
    }
}

#[tokio::test]
async fn a_dial_of_a_bridge_that_fails_is_in_the_list_with_why() {
    let server = open_server(&[]);
    let client = server.client();
    let nobody = Nobody::bind();
    let mut raw = Raw::open(&server, &format!("/bridge/{}", nobody.address())).await;
    assert_eq!(raw.down.closed().await.1, Some(1011));
    let socket = the_socket(client).await;
    assert_eq!((socket.bridge, socket.state), (Some(Contract::Wsproxy), SocketState::Failed));
    let failed = |fact: &Fact| matches!(fact, Fact::Failed { code: Code::Refused, fatal: true, .. });
    assert!(events_of(client, socket.id).await.iter().any(|event| failed(&event.fact)));
    let own = server.address();
    let mut raw = Raw::open(&server, &format!("/bridge/{own}")).await;
    assert_eq!(raw.down.closed().await.1, Some(1008));
    let denied = |event: &Event| matches!(&event.fact, Fact::RefusedByPolicy { rule, fatal: true, .. } if rule == "hard-deny:self-control");
    assert!(client.events().await.iter().any(denied));
}

#[tokio::test]
async fn nobody_else_sends_over_a_bridged_socket_or_shuts_it_down_or_sets_its_options() {
    let server = open_server(&[]);
    let client = server.client();
    let (tcp, udp) = (TcpPeer::listen().await, UdpPeer::bind().await);
    let mut raw = Raw::open(&server, &format!("/bridge/{}", tcp.address())).await;
    let mut stream = tcp.accept().await;
    let mut datagrams = Raw::open(&server, &format!("/bridge/udp/127.0.0.1/{}", udp.address().port())).await;
    datagrams.send(b"hello").await;
    let (_, from) = udp.receive().await;
    let sockets = client.sockets().await.sockets;
    assert_eq!(sockets.len(), 2);
    for socket in &sockets {
        let id = socket.id;
        for (path, body) in [("send", json!({ "text": "intruder" })), ("shutdown", json!({ "how": "write" }))]
        {
            let answer = client.post(&format!("sockets/{id}/{path}"), &body).await;
            let problem = answer.refused(409, Code::WrongState);
            assert_eq!(problem.detail, "its bytes belong to a bridge's client", "{path}");
        }
        let options = json!({ "options": { "recv_buffer": 4096 } });
        client.patch(&format!("sockets/{id}"), &options).await.refused(409, Code::WrongState);
        // A name is the list's own.
        let named = client.patch(&format!("sockets/{id}"), &json!({ "name": "of a bridge" })).await;
        assert_eq!(named.status(), 200);
    }
    // Nothing of that went, and the bridges carry on.
    raw.send(b"mine").await;
    assert_eq!(peer::read(&mut stream, 4).await, b"mine");
    datagrams.send(b"mine").await;
    assert_eq!(udp.receive().await, (b"mine".to_vec(), from));
    drop(raw);
    assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN"), b"");
}
