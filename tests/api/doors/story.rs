//! A log with a little of everything in it, for the doors to tell.

use serde_json::json;
use sockscope_wire::{Code, Fact, Seq, Socket, SocketId};

use crate::support::*;

/// What happened.
pub(crate) struct Story {
    /// The client that talked to the test's peer.
    pub(crate) client: SocketId,
    /// The last event: everything is over, nothing follows.
    pub(crate) head: Seq,
}

/// Bytes that are no text, and break what is careless about them.
pub(crate) const AWKWARD: &[u8] = b"\0\xff\xfe\"\\\r\n\xe2\x80\xae</script>\x1b[2J";

/// Plays it, and waits until all of it is over.
pub(crate) async fn tell(client: &Client) -> Story {
    let talker = a_conversation(client).await;
    a_listener(client).await;
    datagrams(client).await;
    a_practice_peer(client).await;
    failures(client).await;
    eventually("every socket is over", async || {
        client.sockets().await.sockets.iter().all(|socket| socket.closed_seq.is_some())
    })
    .await;
    Story { client: talker, head: client.head().await }
}

async fn a_conversation(client: &Client) -> SocketId {
    let peer = TcpPeer::listen().await;
    let wish = json!({ "open": peer.target(), "name": "a client", "options": { "read_size": 4096 } });
    let socket: Socket = client.post("sockets", &wish).await.ok();
    let mut stream = peer.accept().await;
    client.send(socket.id, "hello").await;
    assert_eq!(peer::read(&mut stream, 5).await, b"hello");
    client.send_bytes(socket.id, AWKWARD).await;
    assert_eq!(peer::read(&mut stream, AWKWARD.len()).await, AWKWARD);
    peer::write(&mut stream, &[b'x'; 10_000]).await;
    eventually("the answer is recorded", async || {
        client.socket(socket.id).await.counters.received_bytes == 10_000
    })
    .await;
    let change = json!({ "name": "an old client", "options": { "nodelay": false, "keepalive": true } });
    assert_eq!(client.patch(&format!("sockets/{}", socket.id), &change).await.status(), 200);
    let how = json!({ "how": "write" });
    assert_eq!(client.post(&format!("sockets/{}/shutdown", socket.id), &how).await.status(), 200);
    assert_eq!(peer::read_to_end(&mut stream).await.expect("FIN").len(), 0);
    socket.id
}

async fn a_listener(client: &Client) {
    let listener = client.open("tcp-listen://127.0.0.1:0").await;
    let address = listener.local.expect("an address");
    let mut first = peer::dial(&address).await;
    let second = peer::dial(&address).await;
    peer::write(&mut first, b"to a listener").await;
    eventually("both are accepted", async || {
        client.sockets().await.sockets.iter().filter(|socket| socket.parent == Some(listener.id)).count() == 2
    })
    .await;
    drop(second);
    let answer = client.delete(&format!("sockets/{}?children=true", listener.id)).await;
    assert_eq!(answer.status(), 204);
    // What was not read yet when it was closed makes this a RST; the log says which.
    peer::read_to_end(&mut first).await.ok();
}

async fn datagrams(client: &Client) {
    let bound = client.open("udp-bind://127.0.0.1:0").await;
    let address = bound.local.clone().expect("an address");
    let peer = UdpPeer::bind().await;
    peer.send(b"a datagram", &address).await;
    peer.send(b"", &address).await;
    eventually("both datagrams are recorded", async || {
        client.socket(bound.id).await.counters.received_events == 2
    })
    .await;
    let wish = json!({ "hex": "00 ff", "to": peer.address().to_string() });
    client.post(&format!("sockets/{}/send", bound.id), &wish).await.ok::<sockscope_wire::SendAnswer>();
    assert_eq!(peer.receive().await.0, [0, 255]);
    let connected = client.open(&peer.target()).await;
    client.send(connected.id, "to one peer").await;
    client.close(bound.id).await;
    client.close(connected.id).await;
}

async fn a_practice_peer(client: &Client) {
    let echo = client.practice("echo").await;
    let socket = client.open(&echo.target).await;
    client.send(socket.id, "echo").await;
    eventually("the echo", async || client.socket(socket.id).await.counters.received_bytes == 4).await;
    assert_eq!(client.delete(&format!("sockets/{}?reset=true", socket.id)).await.status(), 204);
    assert_eq!(client.delete(&format!("practice/{}", echo.id)).await.status(), 204);
}

async fn failures(client: &Client) {
    let metadata = json!({ "open": "tcp://169.254.169.254:80" });
    client.post("sockets", &metadata).await.refused(403, Code::Denied);
    let nobody = Nobody::bind();
    client.post("sockets", &json!({ "open": nobody.target() })).await.refused(502, Code::Refused);
}

#[tokio::test]
async fn the_story_has_a_little_of_everything() {
    let server = TestServer::start();
    let story = tell(server.client()).await;
    let events = server.client().events().await;
    assert_eq!(events.len() as u64, story.head.0, "no gaps in seq");
    for (event, seq) in events.iter().zip(1..) {
        assert_eq!(event.seq, Seq(seq));
    }
    let mut kinds: Vec<String> = events
        .iter()
        .map(|event| {
            serde_json::to_value(&event.fact).expect("JSON")["type"].as_str().expect("a type").to_owned()
        })
        .collect();
    kinds.sort();
    kinds.dedup();
    for kind in
        "opening connecting connected bound listening accepted sent received eof shutdown reset closed \
                 refused_by_policy failed option_set note"
            .split_whitespace()
    {
        assert!(kinds.iter().any(|there| there == kind), "no {kind} in {kinds:?}");
    }
    let unrecorded = |fact: &Fact| matches!(fact, Fact::Received { bytes, .. } if bytes.payload_unrecorded);
    assert!(events.iter().any(|event| unrecorded(&event.fact)), "a practice peer's bytes are not kept twice");
}
