//! A target that writes small pieces at full speed is read seldom, and nothing that it says comes late.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use tokio::{
    net::TcpStream,
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    direct::{CREDIT, Direct},
    raw::{Raw, noise, open_server, the_socket},
    support::{peer, *},
    wisp_client::Wisp,
};

const PIECE: usize = 64;
const PIECES: usize = 16_000;
const ALL: usize = PIECE * PIECES;

/// One each so long: a bridge that is woken as often reads three or four of them.
const EVERY: Duration = Duration::from_micros(20);

/// So many at least are read at once, some twenty mostly; woken as often as can be, four.
const AT_ONCE: u64 = 8;

/// So often it may be otherwise: beside somebody who takes the processor away from it, a bridge waits in vain.
const TURNS: usize = 20;

/// Writes pieces, one each so long, from a thread of its own; gives the stream back.
fn streaming(stream: TcpStream, pieces: Vec<u8>) -> JoinHandle<std::net::TcpStream> {
    let mut stream = stream.into_std().expect("a stream");
    stream.set_nonblocking(false).expect("set");
    stream.set_write_timeout(Some(DEADLINE)).expect("set");
    spawn_blocking(move || {
        let mut next = Instant::now();
        for piece in pieces.chunks(PIECE) {
            while Instant::now() < next {
                std::hint::spin_loop();
            }
            next += EVERY;
            stream.write_all(piece).expect("it is read");
        }
        stream.set_nonblocking(true).expect("set");
        stream
    })
}

/// The target again, once it has written all.
async fn target(streaming: JoinHandle<std::net::TcpStream>) -> TcpStream {
    TcpStream::from_std(within("the pieces are written", streaming).await.expect("it wrote"))
        .expect("a stream")
}

/// Has the stream write all pieces, again and again, until few reads have brought them; `came` waits until so many bytes have come in
/// all, and gives the last of them. Gives the stream back.
async fn until_few(
    client: &Client,
    mut stream: TcpStream,
    mut came: impl AsyncFnMut(usize) -> Vec<u8>,
) -> TcpStream {
    let pieces = noise(ALL);
    let counters = async || the_socket(client).await.counters;
    let (mut bytes, mut before, mut reads) = (0, 0, Vec::new());
    for _ in 0..TURNS {
        let streaming = streaming(stream, pieces.clone());
        bytes += ALL;
        assert!(came(bytes).await == pieces);
        eventually("all is counted", async || counters().await.received_bytes >= bytes as u64).await;
        let all = counters().await.received_events;
        reads.push(all - before);
        stream = target(streaming).await;
        if (all - before) * AT_ONCE <= PIECES as u64 {
            return stream;
        }
        before = all;
    }
    panic!("{reads:?} reads of {PIECES} pieces each");
}

#[tokio::test]
async fn small_pieces_at_full_speed_are_read_many_at_once_and_each_arrives() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut raw = Raw::open(&server, &format!("/bridge/{}", peer.address())).await;
    let stream = peer.accept().await;
    let mut stream = until_few(server.client(), stream, async |_| raw.receive(ALL).await).await;
    // What it says after that does not wait for more, nor does its FIN.
    peer::write(&mut stream, b"last").await;
    assert_eq!(raw.receive(4).await, b"last");
    drop(stream);
    let (rest, code, _) = raw.down.closed().await;
    assert_eq!((rest.len(), code), (0, Some(1000)));
}

#[tokio::test]
async fn small_pieces_of_a_wisp_stream_are_read_many_at_once_and_each_arrives() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let stream = wisp.stream(1, &peer).await;
    let mut stream =
        until_few(server.client(), stream, async |all: usize| wisp.came(1, all).await[all - ALL..].to_vec())
            .await;
    wisp.alive(1, &mut stream).await;
}

#[tokio::test]
async fn small_pieces_of_a_direct_socket_are_read_many_at_once_and_each_arrives() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut direct = Direct::open(&server).await;
    let stream = direct.stream(1, &peer).await;
    direct.say(CREDIT, 1, &u32::MAX.to_le_bytes()).await;
    let mut stream = until_few(server.client(), stream, async |all: usize| {
        direct.came(1, all).await[all - ALL..].to_vec()
    })
    .await;
    direct.alive(1, &mut stream).await;
}

/// What comes after a burst of pieces is little, and nobody knows whether more will: it waits for no more than a moment.
#[tokio::test]
async fn what_ends_a_burst_of_small_pieces_comes_within_a_moment() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut raw = Raw::open(&server, &format!("/bridge/{}", peer.address())).await;
    let mut stream = peer.accept().await;
    let pieces = noise(PIECE * 1000);
    let mut delays = Vec::new();
    for _ in 0..31 {
        let streaming = streaming(stream, pieces.clone());
        raw.receive(pieces.len()).await;
        stream = target(streaming).await;
        let begun = Instant::now();
        peer::write(&mut stream, b"!").await;
        raw.receive(1).await;
        delays.push(begun.elapsed());
    }
    delays.sort();
    // The median: any one may meet a machine that is busy.
    assert!(delays[15] < Duration::from_millis(20), "{delays:?}");
}
