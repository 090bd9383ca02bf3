//! What waits for a Wisp stream that stands still is bounded, whatever its client sends and whoever does not read.

use sockscope_wire::{Code, Direction, Fact};
use tokio::net::TcpStream;

use crate::{
    flow::{GROWTH, fill},
    raw::{Asking, BINARY, facts, frame, logged, noise, open_server, resident, the_socket},
    support::{peer, *},
    wisp_client::{DATA, Wisp, packet},
};

/// Lets some bytes pass both ways, so that what is allocated once is.
async fn warm(wisp: &mut Wisp, id: u32, stream: &mut TcpStream) {
    for _ in 0..20 {
        wisp.alive(id, stream).await;
    }
}

/// A short packet has many credits; a client that goes on with long ones is read no further, and loses nothing.
#[tokio::test]
async fn long_packets_behind_short_ones_wait_in_the_kernel_and_arrive() {
    let server = open_server(&[]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let mut stream = wisp.stream(1, &peer).await;
    let id = the_socket(client).await.id;
    // Each run of short packets doubles the credits.
    let most = 128;
    let mut left = wisp.credits[&0][0];
    let mut heard = 0;
    let mut short = 0;
    while wisp.credits.get(&1).and_then(|all| all.last()).is_none_or(|credits| *credits < most) {
        for _ in 0..std::mem::take(&mut left) {
            wisp.say(&packet(DATA, 1, b"short")).await;
            short += 1;
        }
        assert_eq!(peer::read(&mut stream, 5).await, b"short");
        short -= 1;
        wisp.until("more credits", |wisp| wisp.credits.get(&1).is_some_and(|all| all.len() > heard)).await;
        (heard, left) = (wisp.credits[&1].len(), *wisp.credits[&1].last().expect("one"));
    }
    peer::read(&mut stream, 5 * short).await;
    warm(&mut wisp, 1, &mut stream).await;
    // So many may be under way, and together they are longer than what may wait.
    let left = most as usize - 20;
    let before = resident(&server);
    let payload = noise(200_000);
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
    assert!(grown < 3 * GROWTH, "{grown} bytes more for {at} under way");
    assert!(at > 4 << 20 && at < all.len(), "{at} of {}: the kernel holds them", all.len());
    let rest = all[at..].to_vec();
    let (_, read) = tokio::join!(wisp.raw.up.bytes(&rest), peer::read(&mut stream, left * payload.len()));
    assert!(read == payload.repeat(left));
    wisp.alive(1, &mut stream).await;
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
