//! What waits for a Wisp stream that stands still is bounded, whatever its client sends and whoever does not read.

use serde_json::json;
use sockscope_wire::{Code, Direction, Fact};
use tokio::net::TcpStream;

use crate::{
    flow::{GROWTH, fill},
    kit::{key, listed},
    raw::{Asking, BINARY, ended, facts, frame, logged, noise, open_server, resident, the_socket},
    support::{peer, *},
    wisp_client::{DATA, OVER, Wisp, packet},
};

/// Lets some bytes pass both ways, so that what is allocated once is.
async fn warm(wisp: &mut Wisp, id: u32, stream: &mut TcpStream) {
    for _ in 0..20 {
        wisp.alive(id, stream).await;
    }
}

/// The most credits a stream is given.
const MOST: usize = 128;

/// Sends short packets until the client has so many credits as it gets: each run of them doubles those. Returns how many it has
/// at least.
async fn many_credits(wisp: &mut Wisp, id: u32, stream: &mut TcpStream) -> usize {
    let mut left = wisp.credits[&0][0];
    let mut heard = 0;
    let mut short = 0;
    while wisp.credits.get(&id).and_then(|all| all.last()).is_none_or(|credits| *credits < MOST as u32) {
        for _ in 0..std::mem::take(&mut left) {
            wisp.say(&packet(DATA, id, b"short")).await;
            short += 1;
        }
        assert_eq!(peer::read(stream, 5).await, b"short");
        short -= 1;
        wisp.until("more credits", |wisp| wisp.credits.get(&id).is_some_and(|all| all.len() > heard)).await;
        (heard, left) = (wisp.credits[&id].len(), *wisp.credits[&id].last().expect("one"));
    }
    peer::read(stream, 5 * short).await;
    warm(wisp, id, stream).await;
    MOST - 20
}

/// A short packet has many credits, and a client may go on with long ones: more than a stream has room for.
#[tokio::test]
async fn a_stream_that_stands_still_with_many_long_packets_holds_up_no_other() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let [mut still, mut other] = [wisp.stream(1, &peer).await, wisp.stream(2, &peer).await];
    let left = many_credits(&mut wisp, 1, &mut still).await;
    // The kernel takes some megabytes of them.
    let payload = noise(100_000);
    for _ in 0..left {
        wisp.say(&packet(DATA, 1, &payload)).await;
    }
    wisp.alive(2, &mut other).await;
    assert!(peer::read(&mut still, left * payload.len()).await == payload.repeat(left));
    wisp.alive(1, &mut still).await;
}

/// What a stream may hold has an end: then nothing further is read, and nothing is lost.
#[tokio::test]
async fn very_long_packets_behind_short_ones_wait_in_the_kernel_and_arrive() {
    const MOST: u64 = 16 << 20;
    let server = open_server(&[]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let mut stream = wisp.stream(1, &peer).await;
    let id = the_socket(client).await.id;
    let left = many_credits(&mut wisp, 1, &mut stream).await;
    let before = resident(&server);
    let payload = noise(1_000_000);
    let message = frame(BINARY, &packet(DATA, 1, &payload));
    let all = message.repeat(left);
    let mut at = 0;
    let paused = |fact: &Fact| matches!(fact, Fact::Paused { reason: Code::PeerNotReading, .. });
    let up = &wisp.raw.up;
    fill(
        || {
            let n = up.try_write(&all[at..]).filter(|n| *n > 0)?;
            at += n;
            Some(n)
        },
        async || facts(client, id).await.iter().any(paused),
    )
    .await;
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < MOST + 3 * GROWTH, "{grown} bytes more for {at} under way");
    assert!(at as u64 > MOST && at < all.len(), "{at} of {}: the kernel holds them", all.len());
    let rest = all[at..].to_vec();
    let (_, read) = tokio::join!(wisp.raw.up.bytes(&rest), peer::read(&mut stream, left * payload.len()));
    assert!(read == payload.repeat(left));
    wisp.alive(1, &mut stream).await;
}

/// What waits of a closed stream is written, and may be more than its key has left.
#[tokio::test]
async fn a_key_that_is_spent_by_the_last_bytes_of_a_closed_stream_ends_it() {
    const MOST: usize = 64 << 20;
    const WAITING: usize = 12 << 20;
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let made = key(client, &[&peer.target()], json!({ "max_bytes": MOST })).await;
    let mut wisp = Wisp::v1_at(&server, &format!("/k/{}/wisp/", made.secret)).await;
    let mut still = wisp.stream(1, &peer).await;
    let id = the_socket(client).await.id;
    let mut other = wisp.stream(2, &peer).await;
    wisp.say(&packet(DATA, 1, &vec![7; WAITING])).await;
    let paused = |fact: &Fact| matches!(fact, Fact::Paused { reason: Code::PeerNotReading, .. });
    logged(client, id, "it stands still", paused).await;
    // The other leaves it less than what waits, and more than nothing.
    let passed = listed(client, &made.key.id).await.bytes as usize;
    assert!(passed + (1 << 20) < WAITING, "{passed}");
    let spent = vec![7; MOST - passed - 100_000];
    let more = packet(DATA, 2, &spent);
    tokio::join!(wisp.say(&more), peer::read(&mut other, spent.len()));
    wisp.say(&packet(OVER, 1, &[2])).await;
    assert!(peer::read_to_end(&mut still).await.expect("a FIN").len() < WAITING);
    assert_eq!(ended(client, id).await.0, Code::KeySpent);
    assert_eq!(wisp.left().await, Some(1008));
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_the_target_and_nothing_grows() {
    let server = open_server(&[]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let asking = Asking { receive_buffer: Some(4096), ..Asking::default() };
    let mut wisp = Wisp::ask(&server, "/wisp/", &asking).await;
    wisp.hear().await;
    let mut stream = wisp.stream(1, &peer).await;
    let id = the_socket(client).await.id;
    warm(&mut wisp, 1, &mut stream).await;
    let came = wisp.data[&1].len();
    let before = resident(&server);
    let chunk = noise(1 << 16);
    let mut at = 0;
    let paused = |fact: &Fact| matches!(fact, Fact::Paused { reason: Code::ClientNotReading, .. });
    let sent = fill(
        || {
            let n = stream.try_write(&chunk[at % chunk.len()..]).ok()?;
            at += n;
            Some(n)
        },
        async || facts(client, id).await.iter().any(paused),
    )
    .await;
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes more for {sent} under way");
    let expected: Vec<u8> = chunk.iter().copied().cycle().take(sent).collect();
    assert!(wisp.came(1, came + sent).await[came..] == expected, "reading on, it has everything");
    logged(client, id, "it goes on", |fact| matches!(fact, Fact::Resumed { .. })).await;
}

/// FIN and RST are told apart in the log, and the first bytes each way are events.
#[tokio::test]
async fn a_stream_is_told_like_any_socket() {
    let server = open_server(&[]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    for (id, resets) in [(1, false), (2, true)] {
        let mut stream = wisp.stream(id, &peer).await;
        let socket = client.sockets().await.sockets.iter().map(|socket| socket.id).max().expect("one");
        let bytes = noise(3000);
        wisp.alive(id, &mut stream).await;
        if resets {
            socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).expect("SO_LINGER");
        }
        drop(stream);
        wisp.over(id).await;
        logged(client, socket, "its end", |fact| matches!(fact, Fact::Closed { .. })).await;
        let facts = facts(client, socket).await;
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        for fact in &facts {
            let (way, told) = match fact {
                Fact::Sent { bytes, .. } => (&mut sent, bytes),
                Fact::Received { bytes, .. } => (&mut received, bytes),
                _ => continue,
            };
            way.extend_from_slice(&told.payload.as_ref().expect("recorded").0);
        }
        assert!(sent == bytes[..1024] && received == bytes[..1024], "{} and {}", sent.len(), received.len());
        let eof = facts.iter().any(|fact| matches!(fact, Fact::Eof { offset: 3000 }));
        let reset = facts.iter().any(|fact| matches!(fact, Fact::Reset { side: Direction::Peer, .. }));
        assert_eq!((eof, reset), (!resets, resets), "{facts:?}");
    }
}
