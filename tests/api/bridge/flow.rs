//! Who does not read holds up who sends, and nothing grows in between.

use std::time::{Duration, Instant};

use sockscope_wire::{Code, Fact, PauseWhat, SocketId};
use tokio::net::TcpStream;

use crate::{
    raw::{Asking, BINARY, PING, Raw, ended, facts, frame, logged, noise, open_server, resident, the_socket},
    support::{peer, *},
};

/// More than two kernels' buffers hold for a connection.
const ENOUGH: usize = 64 << 20;

/// What a stalled bridge may add to the memory of its server.
pub(crate) const GROWTH: u64 = 1 << 20;

/// A client with a small window, and the other end of its socket.
async fn bridged(server: &TestServer) -> (Raw, TcpStream) {
    let peer = TcpPeer::listen().await;
    let asking = Asking { receive_buffer: Some(4096), ..Asking::default() };
    let raw = Raw::ask(server.address(), &format!("/bridge/{}", peer.address()), &asking).await;
    (raw, peer.accept().await)
}

/// Lets some bytes pass both ways, so that what is allocated once is.
async fn warm(raw: &mut Raw, stream: &mut TcpStream) {
    let some = noise(300_000);
    let Raw { up, down } = raw;
    tokio::join!(up.frame(BINARY, &some), peer::read(stream, some.len()));
    tokio::join!(peer::write(stream, &some), down.receive(some.len()));
}

fn paused(what: PauseWhat, why: Code) -> impl Fn(&Fact) -> bool {
    move |fact| matches!(fact, Fact::Paused { what: said, reason, .. } if *said == what && *reason == why)
}

fn resumed(what: PauseWhat) -> impl Fn(&Fact) -> bool {
    move |fact| matches!(fact, Fact::Resumed { what: said, after_us } if *said == what && *after_us >= 1_000_000)
}

/// Writes until the kernel takes no more, which lasts: how much went.
pub(crate) async fn fill(mut write: impl FnMut() -> Option<usize>, stalled: impl AsyncFn() -> bool) -> usize {
    let mut sent = 0;
    eventually("it stalls", async || {
        while let Some(n) = write() {
            sent += n;
            assert!(sent < ENOUGH, "nothing holds it up");
        }
        stalled().await
    })
    .await;
    // Said to stand still for a second, and full again or still.
    while let Some(n) = write() {
        sent += n;
        assert!(sent < ENOUGH, "nothing holds it up");
    }
    sent
}

/// Has a target write until it is held up by a client that does not read: how much went.
async fn stalled(client: &Client, id: SocketId, target: &TcpStream) -> usize {
    let chunk = noise(1 << 16);
    let stalls = paused(PauseWhat::Read, Code::ClientNotReading);
    fill(|| target.try_write(&chunk).ok(), async || facts(client, id).await.iter().any(&stalls)).await
}

/// Has a client write a message again and again until it is held up by a target that does not read: how much went.
async fn held_up(client: &Client, id: SocketId, raw: &Raw, message: &[u8]) -> usize {
    let stalls = paused(PauseWhat::Send, Code::PeerNotReading);
    let mut at = 0;
    let write = || {
        let n = raw.up.try_write(&message[at % message.len()..])?;
        at += n;
        Some(n)
    };
    fill(write, async || facts(client, id).await.iter().any(&stalls)).await
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_its_target_and_loses_nothing() {
    let server = open_server(&[]);
    let client = server.client();
    let (mut raw, mut stream) = bridged(&server).await;
    warm(&mut raw, &mut stream).await;
    let id = the_socket(client).await.id;
    let before = resident(&server);
    let chunk = noise(1 << 16);
    let mut at = 0;
    let stalls = paused(PauseWhat::Read, Code::ClientNotReading);
    let sent = fill(
        || {
            let n = stream.try_write(&chunk[at % chunk.len()..]).ok()?;
            at += n;
            Some(n)
        },
        async || facts(client, id).await.iter().any(&stalls),
    )
    .await;
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes more for {sent} under way");
    // The other direction goes on, and what it carries is not held up.
    let up = noise(1 << 20);
    let (_, read) = tokio::join!(raw.up.frame(BINARY, &up), peer::read(&mut stream, up.len()));
    assert!(read == up);
    let expected: Vec<u8> = chunk.iter().copied().cycle().take(sent).collect();
    assert!(raw.receive(sent).await == expected, "reading on, it has everything");
    logged(client, id, "it goes on", resumed(PauseWhat::Read)).await;
    let all = (sent + 300_000) as u64;
    eventually("the books are whole", async || client.socket(id).await.counters.received_bytes == all).await;
}

/// What ss(8) says of the server's end of a client's connection.
fn shown(server: &TestServer, raw: &Raw) -> String {
    let ends = [server.address().port(), raw.up.port()].map(|port| format!(":{port}"));
    let asked = ["-tonH", "sport", "=", &ends[0], "dport", "=", &ends[1]];
    let output = std::process::Command::new("ss").args(asked).output();
    let output = output.expect("ss; this test needs it: apt-get install iproute2");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the kernel holds for this client that has not acknowledged it, in bytes.
fn queued(server: &TestServer, raw: &Raw) -> usize {
    let said = shown(server, raw);
    let queue = said.split_whitespace().nth(2).unwrap_or_else(|| panic!("ss says: {said}"));
    queue.parse().expect("a number")
}

#[tokio::test]
async fn a_client_that_is_silent_is_asked_by_the_kernel_whether_it_is_there() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    for path in [format!("/bridge/{}", peer.address()), "/wisp/".to_owned(), "/bridge/sockets".to_owned()] {
        let raw = Raw::open(&server, &path).await;
        // Once what was sent last is acknowledged, this is the timer that runs.
        eventually("keepalive", async || shown(&server, &raw).contains("timer:(keepalive,")).await;
    }
}

#[tokio::test]
async fn little_is_queued_for_a_client_nearby_that_does_not_read() {
    let server = open_server(&[]);
    let client = server.client();
    let (raw, stream) = bridged(&server).await;
    let id = the_socket(client).await.id;
    let sent = stalled(client, id, &stream).await;
    let queued = queued(&server, &raw);
    // What is granted twice over, and the piece that passed the limit.
    assert!((1..=(512 + 64) << 10).contains(&queued), "{queued} of {sent} bytes are queued");
}

#[tokio::test]
async fn a_target_that_does_not_read_holds_up_the_client_and_loses_nothing() {
    let server = open_server(&[]);
    let client = server.client();
    let (mut raw, mut stream) = bridged(&server).await;
    warm(&mut raw, &mut stream).await;
    let id = the_socket(client).await.id;
    let before = resident(&server);
    let payload = noise(60_000);
    let message = frame(BINARY, &payload);
    let sent = held_up(client, id, &raw, &message).await;
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < GROWTH, "{grown} bytes more for {sent} under way");
    // The other direction goes on.
    let down = noise(1 << 20);
    let (_, read) = tokio::join!(peer::write(&mut stream, &down), raw.down.receive(down.len()));
    assert!(read == down);
    // The message that was begun is finished, and all arrive; a ping behind them is answered then.
    let messages = sent.div_ceil(message.len());
    let rest = [&message[sent - (messages - 1) * message.len()..], &frame(PING, b"last")].concat();
    let expected = payload.repeat(messages);
    let Raw { up, down } = &mut raw;
    let (_, read, ()) =
        tokio::join!(up.bytes(&rest), peer::read(&mut stream, expected.len()), down.pong(b"last"));
    assert!(read == expected);
    logged(client, id, "it goes on", resumed(PauseWhat::Send)).await;
    let all = (expected.len() + 300_000) as u64;
    eventually("the books are whole", async || client.socket(id).await.counters.sent_bytes == all).await;
}

/// What an idle bridge may hold, in bytes: what it needs, and not the buffer of 8 KiB beside it that its request was read into.
const IDLE: u64 = 10 << 10;

#[tokio::test]
async fn an_idle_bridge_holds_nothing_of_its_request() {
    let server = open_server(&[]);
    let mut idle = Vec::new();
    for _ in 0..60 {
        idle.push(bridged(&server).await);
    }
    // What the first ones needed for all is there.
    let before = resident(&server);
    for _ in 0..300 {
        idle.push(bridged(&server).await);
    }
    let each = resident(&server).saturating_sub(before) / 300;
    assert!(each < IDLE, "{each} bytes for each");
}

#[tokio::test]
async fn a_stalled_bridge_holds_up_no_other_and_ends_when_it_is_told_to() {
    let server = open_server(&[]);
    let client = server.client();
    let (raw, stream) = bridged(&server).await;
    let id = the_socket(client).await.id;
    stalled(client, id, &stream).await;
    let (mut other, mut its) = bridged(&server).await;
    warm(&mut other, &mut its).await;
    client.close(id).await;
    warm(&mut other, &mut its).await;
    drop(raw);
}

/// What came from the client and went nowhere is told.
#[tokio::test]
async fn a_bridge_that_is_closed_before_its_target_has_read_says_how_much_was_not_sent() {
    let server = open_server(&[]);
    let client = server.client();
    let (raw, mut stream) = bridged(&server).await;
    let id = the_socket(client).await.id;
    let message = frame(BINARY, &noise(60_000));
    held_up(client, id, &raw, &message).await;
    client.close(id).await;
    let taken = ended(client, id).await.1.sent_bytes;
    let unsent = facts(client, id).await.into_iter().find_map(|fact| match fact {
        Fact::Closed { unsent_bytes, .. } => Some(unsent_bytes),
        _ => None,
    });
    assert!(unsent.is_some_and(|unsent| (1..=128 << 10).contains(&unsent)), "{unsent:?}");
    assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN").len() as u64, taken);
}

/// However long it takes, as long as it takes what was sent: to close before would cut it off at its next byte.
#[tokio::test]
async fn a_client_that_reads_slowly_has_all_that_came_before_the_targets_end_and_the_word_for_it() {
    const SLOW: Duration = Duration::from_millis(400);
    let server = open_server(&[]);
    let client = server.client();
    let (mut raw, mut stream) = bridged(&server).await;
    let id = the_socket(client).await.id;
    let sent = noise(200_000);
    peer::write(&mut stream, &sent).await;
    drop(stream);
    logged(client, id, "the target's end", |fact| matches!(fact, Fact::Eof { offset: 200_000 })).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        raw.down.some(4096).await;
        tokio::time::sleep(SLOW).await;
    }
    raw.up.frame(PING, b"still here").await;
    let (came, code, _) = raw.down.closed().await;
    assert_eq!((came.len(), code), (sent.len(), Some(1000)));
    assert!(came == sent);
}

#[tokio::test]
async fn what_a_target_said_before_it_reset_the_connection_arrives() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let answer = noise(20_000);
    for _ in 0..20 {
        let Raw { mut up, mut down } = Raw::open(&server, &format!("/bridge/{}", peer.address())).await;
        let mut stream = peer.accept().await;
        up.frame(BINARY, &noise(200_000)).await;
        peer::read(&mut stream, 10).await;
        peer::write(&mut stream, &answer).await;
        // With bytes unread: that is a RST (RFC 2525, 2.17).
        drop(stream);
        up.try_bytes(&frame(BINARY, &noise(1000))).await;
        let (came, code, _) = down.closed().await;
        assert_eq!((came.len(), code), (answer.len(), Some(1011)));
    }
}
