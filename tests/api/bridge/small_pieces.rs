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

/// So many reads of small pieces in so long are a burst, of which more is waited for: about a millisecond for each read.
const MANY: u64 = 256;
const WITHIN: Duration = Duration::from_millis(32);

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

/// Says that few reads have brought all of them since then: never as many as a burst has without one being waited for. A machine
/// that is busy reads seldom by itself.
async fn were_few(client: &Client, begun: Instant) {
    let took = begun.elapsed();
    let counters = async || the_socket(client).await.counters;
    eventually("all is counted", async || counters().await.received_bytes >= ALL as u64).await;
    let reads = counters().await.received_events;
    let most = MANY + MANY * took.as_micros() as u64 / WITHIN.as_micros() as u64 + took.as_millis() as u64;
    assert!(reads <= most, "{reads} reads of {PIECES} pieces in {took:?}");
}

#[tokio::test]
async fn small_pieces_at_full_speed_are_read_many_at_once_and_each_arrives() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut raw = Raw::open(&server, &format!("/bridge/{}", peer.address())).await;
    let pieces = noise(ALL);
    let begun = Instant::now();
    let streaming = streaming(peer.accept().await, pieces.clone());
    assert!(raw.receive(ALL).await == pieces);
    were_few(server.client(), begun).await;
    // What it says after that does not wait for more, nor does its FIN.
    let mut stream = target(streaming).await;
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
    let pieces = noise(ALL);
    let begun = Instant::now();
    let streaming = streaming(wisp.stream(1, &peer).await, pieces.clone());
    assert!(wisp.came(1, ALL).await == pieces);
    were_few(server.client(), begun).await;
    let mut stream = target(streaming).await;
    wisp.alive(1, &mut stream).await;
}

#[tokio::test]
async fn small_pieces_of_a_direct_socket_are_read_many_at_once_and_each_arrives() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut direct = Direct::open(&server).await;
    let pieces = noise(ALL);
    let stream = direct.stream(1, &peer).await;
    direct.say(CREDIT, 1, &u32::MAX.to_le_bytes()).await;
    let begun = Instant::now();
    let streaming = streaming(stream, pieces.clone());
    assert!(direct.came(1, ALL).await == pieces);
    were_few(server.client(), begun).await;
    let mut stream = target(streaming).await;
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
