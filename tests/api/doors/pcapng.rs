//! The log as a capture: tshark reads it without a complaint, and follows its streams to the exact bytes.

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, time::Duration};

use serde_json::json;
use sockscope_wire::{Code, Direction, Event, Fact, Seq, Socket, SocketId, TcpFlag};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    Client, Conn, TcpPeer, TestServer, UdpPeer, eventually,
    peer::{read, write},
    shark::{self, ask, fields, follow},
    within,
};

/// A capture as a file, and its place.
struct Capture {
    _dir: TempDir,
    file: PathBuf,
}

async fn export(client: &Client, query: &str) -> Capture {
    let answer = client.get(&format!("export?format=pcapng{query}")).await.response;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-pcapng")));
    let dir = tempfile::tempdir().expect("a place");
    let file = dir.path().join("log.pcapng");
    std::fs::write(&file, &answer.body).expect("written");
    Capture { _dir: dir, file }
}

impl Capture {
    /// Nobody complains: not of the file, not of a packet.
    fn is_clean(&self) {
        let path = self.file.to_str().expect("UTF-8");
        assert!(ask("capinfos", &[path]).contains("pcapng"));
        assert_eq!(shark::tshark(&self.file, &["-q"]), "");
        let wrong = "_ws.malformed || _ws.expert.severity == error || ip.checksum.status == 0";
        let told = shark::tshark(&self.file, &["-o", "ip.check_checksum:TRUE", "-Y", wrong]);
        assert_eq!(told, "");
    }

    /// As above, of packets whose checksums are whole, and where nothing went wrong on the way.
    fn is_made_well(&self) {
        self.is_clean();
        let wrong = "tcp.checksum.status == 0 || udp.checksum.status == 0 || tcp.analysis.flags || _ws.short";
        let checks = ["-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y", wrong];
        assert_eq!(shark::tshark(&self.file, &checks), "");
    }

    /// The number of the connection whose packets pass this filter.
    fn stream(&self, filter: &str) -> usize {
        let rows = fields(&self.file, filter, &["tcp.stream"]);
        let numbers: BTreeSet<&str> = rows.iter().map(|row| &*row[0]).collect();
        let [number] = Vec::from_iter(numbers)[..] else {
            panic!("one connection passes {filter}: {rows:?}")
        };
        number.parse().expect("a number")
    }

    fn comments(&self) -> String {
        shark::tshark(&self.file, &["-T", "fields", "-e", "frame.comment"])
    }

    fn about(&self) -> String {
        ask("capinfos", &[self.file.to_str().expect("UTF-8")])
    }
}

/// What is sent each way: larger than any one segment, and without a pattern that would hide a shift.
fn noise(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect()
}

/// A conversation that is over.
struct Conversation {
    socket: SocketId,
    seed: u32,
    /// Its packets: of both its ports, since the kernel may give one of them to the next conversation.
    filter: String,
}

/// A conversation over a connection of ours, to its end by both sides.
async fn converse(client: &Client, address: &str, seed: u32) -> Conversation {
    let listener = TcpListener::bind(address).await.expect("a free port");
    let local = listener.local_addr().expect("an address");
    let socket = client.open(&format!("tcp://{local}")).await;
    let (mut peer, ours) = within("a connection", listener.accept()).await.expect("accepted");
    let (there, back) = (noise(seed, 200_000), noise(seed + 1, 150_000));
    client.send(socket.id, "hello").await;
    client.send_bytes(socket.id, &there).await;
    assert_eq!(read(&mut peer, 200_005).await.len(), 200_005);
    write(&mut peer, &back).await;
    peer.shutdown().await.expect("a FIN");
    until_ended(client, socket.id).await;
    client.close(socket.id).await;
    assert_eq!(peer.read(&mut [0]).await.expect("a FIN"), 0);
    Conversation { socket: socket.id, seed, filter: between(local, ours) }
}

/// The packets of the connection between these ends.
fn between(one: SocketAddr, other: SocketAddr) -> String {
    format!("tcp.port == {} && tcp.port == {}", one.port(), other.port())
}

async fn until_ended(client: &Client, id: SocketId) {
    eventually("the peer's FIN is read", async || {
        !client.events_after(Seq(0), &format!("socket={id}&type=eof")).await.is_empty()
    })
    .await;
}

/// The socket that recorded it, and the end that sent it, of a FIN.
fn whose_fin(event: &Event) -> Option<(SocketId, bool)> {
    match &event.fact {
        Fact::Segment { sender, flags, .. } if flags.contains(&TcpFlag::Fin) => {
            Some((event.socket?, *sender == Direction::Local))
        }
        _ => None,
    }
}

fn check_conversation(capture: &Capture, Conversation { seed, filter, .. }: &Conversation) {
    let [there, back] = follow(&capture.file, "tcp", capture.stream(filter));
    assert!(there == [&b"hello"[..], &noise(*seed, 200_000)].concat(), "{} bytes there", there.len());
    assert!(back == noise(seed + 1, 150_000), "{} bytes back", back.len());
}

/// Several conversations: v4, v6, with practice peers, over UDP.
async fn conversations(client: &Client) -> [Conversation; 2] {
    let v4 = converse(client, "127.0.0.1:0", 10).await;
    let v6 = converse(client, "[::1]:0", 20).await;
    let udp = UdpPeer::bind().await;
    let socket = client.open(&udp.target()).await;
    client.send_bytes(socket.id, &noise(30, 1000)).await;
    let (datagram, from) = udp.receive().await;
    assert_eq!(datagram, noise(30, 1000));
    udp.send(&noise(31, 700), &from.to_string()).await;
    eventually("the answer", async || client.socket(socket.id).await.counters.received_bytes == 700).await;
    client.close(socket.id).await;
    let echo = client.practice("echo").await;
    let socket = client.open(&echo.target).await;
    client.send(socket.id, "echoed").await;
    eventually("the echo", async || client.socket(socket.id).await.counters.received_bytes == 6).await;
    client.close(socket.id).await;
    [v4, v6]
}

fn check_all(capture: &Capture, conversations: &[Conversation; 2]) {
    conversations.iter().for_each(|conversation| check_conversation(capture, conversation));
    let udp = fields(&capture.file, "udp", &["udp.stream"]).pop().expect("a datagram")[0].clone();
    let [there, back] = follow(&capture.file, "udp", udp.parse().expect("a number"));
    assert!(there == noise(30, 1000) && back == noise(31, 700), "{} and {}", there.len(), back.len());
    let comments = capture.comments();
    for line in ["sent 5 bytes, took ", "eof after 150000 bytes", "opening tcp://127.0.0.1:"] {
        assert!(comments.contains(line), "{line} in {comments}");
    }
}

#[tokio::test]
async fn what_was_captured_is_followed_to_the_exact_bytes() {
    let server = TestServer::with(&["--kernel", "all"]);
    let client = server.client();
    let conversations = conversations(client).await;
    // What was captured is recorded a little later.
    eventually("both FINs of three connections are recorded", async || {
        let events = client.events_after(Seq(0), "type=segment").await;
        events.iter().filter_map(whose_fin).collect::<BTreeSet<_>>().len() == 6
    })
    .await;
    let capture = export(client, "").await;
    capture.is_clean();
    check_all(&capture, &conversations);
    let about = capture.about();
    assert!(about.contains("sockscope") && !about.contains("synthesised"), "{about}");
    assert!(shark::tshark(&capture.file, &["-Y", "_ws.short"]).is_empty(), "every frame is whole");
    assert!(capture.comments().contains("kernel: this end "));

    // One socket alone, and without the practice peer's own events.
    let one = &conversations[0];
    let capture = export(client, &format!("&socket={}", one.socket)).await;
    capture.is_clean();
    check_conversation(&capture, one);
    assert_eq!(shark::tshark(&capture.file, &["-Y", &format!("!({})", one.filter)]), "");
    let all = export(client, "&hidden=true").await.comments();
    let without = export(client, "&hidden=false").await.comments();
    assert!(all.contains("accepted by ") && !without.contains("accepted by "), "{without}");
}

#[tokio::test]
async fn what_was_not_captured_is_made_up_and_says_so() {
    for sight in ["states", "off"] {
        let server = TestServer::with(&["--kernel", sight]);
        let client = server.client();
        let conversations = conversations(client).await;
        let capture = export(client, "").await;
        capture.is_made_well();
        check_all(&capture, &conversations);
        let about = capture.about();
        assert!(about.contains("synthesised by sockscope"), "{about}");
        let rows = fields(
            &capture.file,
            &conversations[0].filter,
            &["tcp.flags.str", "tcp.seq", "tcp.len", "frame.interface_name"],
        );
        let flags: Vec<_> = rows.iter().map(|row| row[0].trim_matches('·')).collect();
        assert_eq!(flags[..3], ["S", "A··S", "A"], "{rows:?}");
        assert_eq!((&*rows[3][1], &*rows[3][2]), ("1", "5"), "the first byte is 1: {rows:?}");
        assert_eq!(flags.iter().filter(|flags| flags.ends_with('F')).count(), 2, "a FIN each way: {rows:?}");
        assert!(rows.iter().all(|row| row[3] == "synthesised"), "{rows:?}");
    }
}

#[tokio::test]
async fn resets_are_made_up_too() {
    let server = TestServer::start();
    let client = server.client();
    let (peer, ours) = (TcpPeer::listen().await, TcpPeer::listen().await);
    let socket = client.open(&peer.target()).await;
    let stream = peer.accept().await;
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a living socket");
    drop(stream);
    eventually("it is reset", async || client.socket(socket.id).await.closed_seq.is_some()).await;
    let socket: Socket = client.open(&ours.target()).await;
    let _peer = ours.accept().await;
    client.delete(&format!("sockets/{}?reset=true", socket.id)).await;
    eventually("it is reset", async || client.socket(socket.id).await.closed_seq.is_some()).await;
    let capture = export(client, "").await;
    capture.is_made_well();
    for (port, by_peer) in [(peer.address().port(), true), (ours.address().port(), false)] {
        let rst =
            fields(&capture.file, &format!("tcp.flags.reset == 1 && tcp.port == {port}"), &["tcp.srcport"]);
        assert_eq!(rst.len(), 1);
        assert_eq!(rst[0][0] == port.to_string(), by_peer);
    }
}

#[tokio::test]
async fn bytes_that_are_gone_are_cut_and_not_made_up() {
    let server = TestServer::with(&["--kernel", "off", "--log-bytes", "4M"]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let mut stream = peer.accept().await;
    for _ in 0..10 {
        client.send_bytes(socket.id, &noise(1, 1 << 20)).await;
        read(&mut stream, 1 << 20).await;
    }
    let capture = export(client, "").await;
    capture.is_clean();
    assert!(!shark::tshark(&capture.file, &["-Y", "frame.cap_len < frame.len"]).is_empty());
    let last = fields(&capture.file, "tcp.len > 0", &["tcp.nxtseq"]).pop().expect("packets");
    assert_eq!(last[0].parse::<u64>().expect("a number"), (10 << 20) + 1);
}

#[tokio::test]
async fn a_capture_that_follows_goes_on_with_what_happens() {
    for sight in ["off", "all"] {
        let server = TestServer::with(&["--kernel", sight]);
        let client = server.client();
        let before = converse(client, "127.0.0.1:0", 40).await;
        let request = client.request("GET", "export?format=pcapng&follow=true");
        let mut stream = TcpStream::connect(server.address()).await.expect("connects");
        stream.write_all(&request.bytes()).await.expect("sent");
        let mut heard = Vec::new();
        hear(&mut stream, &mut heard, b"eof after 150000 bytes").await;
        let peer = TcpPeer::listen().await;
        let socket = client.open(&peer.target()).await;
        client.send(socket.id, "while it runs").await;
        let accepted = peer.accept().await;
        hear(&mut stream, &mut heard, b"while it runs").await;
        drop(stream);
        // A stream cut anywhere is still a capture up to there.
        let dir = tempfile::tempdir().expect("a place");
        let file = dir.path().join("followed.pcapng");
        std::fs::write(&file, unchunked(&heard)).expect("written");
        let capture = Capture { _dir: dir, file };
        check_conversation(&capture, &before);
        let filter = between(peer.address(), accepted.peer_addr().expect("its address"));
        let [there, _] = follow(&capture.file, "tcp", capture.stream(&filter));
        assert_eq!(String::from_utf8_lossy(&there), "while it runs");
    }
}

/// Reads on until it has heard that.
async fn hear(stream: &mut TcpStream, heard: &mut Vec<u8>, wanted: &[u8]) {
    within(&format!("hearing {:?}", String::from_utf8_lossy(wanted)), async {
        while !unchunked(heard).windows(wanted.len()).any(|window| window == wanted) {
            assert!(stream.read_buf(heard).await.expect("it goes on") > 0, "it goes on");
        }
    })
    .await;
}

/// The whole chunks of a body behind its head.
fn unchunked(heard: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let Some(head) = heard.windows(4).position(|window| window == b"\r\n\r\n") else { return body };
    let mut rest = &heard[head + 4..];
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let len = std::str::from_utf8(&rest[..end]).ok().and_then(|len| usize::from_str_radix(len, 16).ok());
        let len = len.expect("the length of a chunk");
        let Some(chunk) = rest.get(end + 2..end + 2 + len) else { break };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + len..).unwrap_or_default();
    }
    body
}

#[tokio::test]
async fn only_a_capture_follows_and_an_empty_one_is_one() {
    let server = TestServer::start();
    let client = server.client();
    for query in ["follow=true", "format=text&follow=true", "format=pcapng&follow=yes"] {
        client.get(&format!("export?{query}")).await.refused(400, Code::InvalidQuery);
    }
    let capture = export(client, "").await;
    assert_eq!(shark::tshark(&capture.file, &[]), "");
    // It ends with the server.
    let mut conn = Conn::connect(server.address()).await;
    conn.send(&client.request("GET", "export?format=pcapng&follow=true").bytes()).await;
    client.post("sockets", &json!({ "open": "tcp-listen://127.0.0.1:0" })).await.ok::<Socket>();
}

/// Each remembers what it has passed.
#[tokio::test]
async fn at_most_thirty_two_captures_are_taken_away_at_once() {
    let server = TestServer::start();
    let client = server.client();
    let request = client.request("GET", "export?format=pcapng&follow=true").bytes();
    let mut followers = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(server.address()).await.expect("connects");
        stream.write_all(&request).await.expect("sent");
        hear(&mut stream, &mut Vec::new(), b"sockscope").await;
        followers.push(stream);
    }
    let refused = client.get("export?format=pcapng").await.refused(429, Code::TooManyCaptures);
    assert_eq!(refused.params["max"], "32");
    assert_eq!(client.get("export?format=jsonl").await.status(), 200, "lines need no memory");
    followers.pop();
    eventually("a place is free", async || client.get("export?format=pcapng").await.status() == 200).await;
}
