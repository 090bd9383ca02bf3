//! What clients of wsproxy count on: one WebSocket, one TCP connection or one UDP socket.

use std::time::{Duration, Instant};

use serde_json::json;
use socket2::SockRef;
use sockscope_wire::{Code, Contract, Direction, Fact, SocketState};
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream, UdpSocket},
};

use crate::{
    flow::fill,
    kit::key,
    raw::{
        Asking, BINARY, CLOSE, PING, Raw, TEXT, closing, ended, facts, frame, logged, no_names, noise,
        open_server, the_socket,
    },
    support::{peer, *},
};

mod datagrams;

/// The path to a TCP peer.
fn to(peer: &TcpPeer) -> String {
    format!("/bridge/tcp/127.0.0.1/{}", peer.address().port())
}

fn udp_to(port: u16) -> String {
    format!("/bridge/udp/127.0.0.1/{port}")
}

/// A bridge, and the other end of its socket.
async fn bridged(server: &TestServer) -> (Raw, TcpStream) {
    let peer = TcpPeer::listen().await;
    let raw = Raw::open(server, &to(&peer)).await;
    let stream = peer.accept().await;
    (raw, stream)
}

/// Sends back whatever comes, and ends when the other side does.
async fn echo(stream: TcpStream) {
    let (mut read, mut write) = stream.into_split();
    tokio::io::copy(&mut read, &mut write).await.expect("echoes");
}

#[tokio::test]
async fn megabytes_pass_both_ways_at_once_however_they_are_cut_into_messages() {
    let server = open_server(&[]);
    let (Raw { mut up, mut down }, stream) = bridged(&server).await;
    let echoing = tokio::spawn(echo(stream));
    let sent = noise(4 << 20);
    let sizes = [0, 1, 2, 125, 126, 127, 1000, 4096, 65_535, 65_536, 65_537, 100_001, 300_000];
    let sending = async {
        let mut rest = &sent[..];
        for size in sizes.iter().cycle() {
            let (message, behind) = rest.split_at(rest.len().min(*size));
            up.frame(BINARY, message).await;
            rest = behind;
            if rest.is_empty() {
                return;
            }
        }
    };
    let ((), received) = tokio::join!(sending, down.receive(sent.len()));
    assert!(received == sent, "the same bytes in the same order");
    up.frame(CLOSE, &closing(1000, "")).await;
    assert_eq!(down.closed().await, (Vec::new(), Some(1000), String::new()), "and nothing more");
    within("the echo's end", echoing).await.expect("no panic");
}

#[tokio::test]
async fn a_message_may_come_in_frames_and_pings_between_them() {
    let server = open_server(&[]);
    let (mut raw, mut stream) = bridged(&server).await;
    let sent = noise(200_000);
    let parts: Vec<&[u8]> = sent.chunks(30_011).collect();
    for (n, part) in parts.iter().enumerate() {
        let opcode = if n == 0 { 0x02 } else { 0x00 };
        let fin = if n + 1 == parts.len() { 0x80 } else { 0 };
        raw.up.frame(fin | opcode, part).await;
        raw.up.frame(PING, &[u8::try_from(n).expect("few")]).await;
        assert!(peer::read(&mut stream, part.len()).await == *part, "part {n} waits for no other");
        raw.down.pong(&[u8::try_from(n).expect("few")]).await;
    }
}

#[tokio::test]
async fn frames_may_come_byte_by_byte() {
    let server = open_server(&[]);
    let (mut raw, mut stream) = bridged(&server).await;
    let sent = noise(800);
    let frames = [
        frame(BINARY, &sent[..3]),
        frame(PING, b"between"),
        frame(0x02, &sent[3..300]),
        frame(0x80, &sent[300..]),
        frame(BINARY, b""),
    ]
    .concat();
    for byte in frames {
        raw.up.bytes(&[byte]).await;
    }
    assert_eq!(peer::read(&mut stream, sent.len()).await, sent);
    raw.down.pong(b"between").await;
}

#[tokio::test]
async fn what_comes_together_with_the_request_is_the_first_that_passes() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let sent = noise(5000);
    let early = [frame(BINARY, &sent[..4000]), frame(BINARY, &sent[4000..])].concat();
    // Whole frames, and the last one cut anywhere.
    for cut in [early.len(), early.len() - 1, 4015, 4008, 4007, 3, 1] {
        let asking = Asking { behind: &early[..cut], ..Asking::default() };
        let mut raw = Raw::ask(server.address(), &to(&peer), &asking).await;
        let mut stream = peer.accept().await;
        raw.up.bytes(&early[cut..]).await;
        assert!(peer::read(&mut stream, sent.len()).await == sent, "cut at {cut}");
    }
}

#[tokio::test]
async fn a_target_may_be_a_name_an_address_or_a_bracketed_address() {
    let server = open_server(&[]);
    let four = TcpPeer::listen().await;
    let six = TcpListener::bind("[::1]:0").await.expect("a free port of ::1");
    let (port, port_six) = (four.address().port(), six.local_addr().expect("an address").port());
    for path in [
        format!("/bridge/tcp/127.0.0.1/{port}"),
        format!("/bridge/127.0.0.1:{port}"),
        format!("/bridge/tcp/localhost/{port}"),
        format!("/bridge/localhost:{port}"),
        format!("/bridge/tcp/[::ffff:127.0.0.1]/{port}"),
    ] {
        let mut raw = Raw::open(&server, &path).await;
        raw.send(path.as_bytes()).await;
        let mut stream = four.accept().await;
        assert_eq!(peer::read(&mut stream, path.len()).await, path.as_bytes());
    }
    for path in [
        format!("/bridge/tcp/[::1]/{port_six}"),
        format!("/bridge/[::1]:{port_six}"),
        format!("/bridge/%5B::1%5D:{port_six}"),
    ] {
        let mut raw = Raw::open(&server, &path).await;
        raw.send(path.as_bytes()).await;
        let (mut stream, _) = within("a connection over IPv6", six.accept()).await.expect("accepts");
        assert_eq!(peer::read(&mut stream, path.len()).await, path.as_bytes());
    }
}

#[tokio::test]
async fn why_a_target_cannot_be_reached_is_in_the_close_frame() {
    let server = open_server(&[]);
    let nobody = Nobody::bind();
    let own = server.address().port();
    for (path, code, says) in [
        (format!("/bridge/tcp/127.0.0.1/{}", nobody.address().port()), 1011, "ECONNREFUSED"),
        (format!("/bridge/127.0.0.1:{}", nobody.address().port()), 1011, "ECONNREFUSED"),
        (format!("/bridge/tcp/127.0.0.1/{own}"), 1008, "policy"),
        (format!("/bridge/udp/127.0.0.1/{own}"), 1008, "policy"),
        ("/bridge/tcp/169.254.169.254/80".to_owned(), 1008, "policy"),
    ] {
        let mut raw = Raw::open(&server, &path).await;
        // Said before anybody knows: it is lost, and no harm.
        raw.up.try_bytes(&frame(BINARY, b"early")).await;
        let (heard, said, reason) = raw.down.closed().await;
        assert_eq!((heard.len(), said), (0, Some(code)), "{path}: {reason}");
        assert!(reason.contains(says), "{path}: {reason}");
        assert_eq!(raw.down.frame().await, None, "and then the connection ends");
    }
}

#[tokio::test]
async fn all_that_the_target_sent_before_its_fin_arrives_and_then_1000() {
    let server = open_server(&[]);
    let (mut raw, mut stream) = bridged(&server).await;
    let sent = noise(3 << 20);
    let sending = async {
        within("sending all of it", stream.write_all(&sent)).await.expect("sends");
        stream.shutdown().await.expect("a FIN");
    };
    let ((), (heard, code, reason)) = tokio::join!(sending, raw.down.closed());
    assert!(heard == sent, "{} of {} bytes", heard.len(), sent.len());
    assert_eq!((code, reason.as_str()), (Some(1000), "target closed"));
    // The target reads on until the client says good-bye.
    raw.send(b"last words").await;
    raw.up.frame(CLOSE, &closing(1000, "")).await;
    assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN"), b"last words");
    let socket = the_socket(server.client()).await;
    let (reason, counters) = ended(server.client(), socket.id).await;
    assert_eq!((reason, counters.received_bytes, counters.sent_bytes), (Code::BothEnded, 3 << 20, 10));
    let eof = facts(server.client(), socket.id).await;
    let eof = eof.iter().find_map(|fact| if let Fact::Eof { offset } = fact { Some(*offset) } else { None });
    assert_eq!(eof, Some(3 << 20), "the log has the half-close that this contract cannot say");
}

#[tokio::test]
async fn all_that_the_client_sent_before_its_close_reaches_the_target_and_its_code_comes_back() {
    let server = open_server(&[]);
    for (said, answered) in
        [(closing(1000, ""), Some(1000)), (closing(4321, "so long"), Some(4321)), (Vec::new(), None)]
    {
        let (Raw { mut up, mut down }, mut stream) = bridged(&server).await;
        let sent = noise(2 << 20);
        let sending = async {
            up.frame(BINARY, &sent).await;
            up.frame(CLOSE, &said).await;
        };
        let ((), received) = tokio::join!(sending, peer::read_to_end(&mut stream));
        assert!(received.expect("a FIN") == sent, "all of it");
        assert_eq!(down.closed().await, (Vec::new(), answered, String::new()));
        assert_eq!(down.frame().await, None, "then the connection ends");
    }
    let client = server.client();
    for socket in client.sockets().await.sockets {
        let (reason, counters) = ended(client, socket.id).await;
        assert_eq!((reason, counters.sent_bytes), (Code::ClientClosed, 2 << 20));
    }
}

/// The kernel keeps what may grow to a whole segment for a fifth of a second (MSG_MORE): the last word is not to be kept so.
#[tokio::test]
async fn the_last_word_comes_at_once_whoever_ends_it() {
    const AT_ONCE: Duration = Duration::from_millis(100);
    let server = open_server(&[]);
    for (who, code) in [("client", 1000), ("target", 1000), ("rules", 1003), ("reset", 1011), ("owner", 1001)]
    {
        // Of a busy machine the quickest time counts.
        let mut quickest = Duration::MAX;
        for _ in 0..5 {
            let (mut raw, mut stream) = bridged(&server).await;
            raw.send(b"hello").await;
            peer::read(&mut stream, 5).await;
            let begun = Instant::now();
            match who {
                "client" => raw.up.frame(CLOSE, &closing(code, "")).await,
                "target" => stream.shutdown().await.expect("a FIN"),
                "rules" => raw.up.frame(TEXT, b"text").await,
                "reset" => {
                    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
                    drop(stream);
                }
                _ => {
                    let sockets = server.client().sockets().await.sockets;
                    let open = sockets.iter().find(|socket| socket.closed_seq.is_none());
                    server.client().close(open.expect("one is open").id).await;
                }
            }
            assert_eq!(raw.down.closed().await.1, Some(code), "{who}");
            quickest = quickest.min(begun.elapsed());
        }
        assert!(quickest < AT_ONCE, "{who}: {quickest:?}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_said_in_the_close_frame() {
    let dns = no_names().await;
    let server = open_server(&["--dns", &dns.to_string()]);
    let mut raw = Raw::open(&server, "/bridge/tcp/nobody.example/80").await;
    let (_, code, reason) = raw.down.closed().await;
    assert_eq!((code, reason.as_str()), (Some(1011), "EAI_NONAME: The name does not exist"));
}

#[tokio::test]
async fn a_reset_of_the_target_ends_the_bridge_and_says_so() {
    let server = open_server(&[]);
    let (mut raw, mut stream) = bridged(&server).await;
    raw.send(b"hello").await;
    peer::read(&mut stream, 5).await;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    drop(stream);
    let (_, code, reason) = raw.down.closed().await;
    assert_eq!((code, reason.contains("ECONNRESET")), (Some(1011), true), "{reason}");
    let socket = the_socket(server.client()).await;
    let reset = |fact: &Fact| matches!(fact, Fact::Reset { side: Direction::Peer, errno: Some(errno), .. } if errno == "ECONNRESET");
    logged(server.client(), socket.id, "the reset", reset).await;
    assert_eq!(ended(server.client(), socket.id).await.0, Code::WasReset);
}

#[tokio::test]
async fn a_client_that_is_gone_without_a_word_leaves_nothing_open() {
    let server = open_server(&[]);
    let client = server.client();
    for abrupt in [false, true] {
        let (mut raw, mut stream) = bridged(&server).await;
        raw.send(b"hello").await;
        assert_eq!(peer::read(&mut stream, 5).await, b"hello");
        if abrupt {
            raw.reset()
        } else {
            drop(raw)
        }
        assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN"), b"");
        let id = client.sockets().await.sockets.iter().map(|socket| socket.id).max().expect("a socket");
        let (reason, counters) = ended(client, id).await;
        assert_eq!((reason, counters.sent_bytes), (Code::ClientLost, 5), "abrupt: {abrupt}");
    }
}

#[tokio::test]
async fn a_client_that_is_lost_while_its_target_does_not_read_is_noticed() {
    let server = open_server(&[]);
    let (raw, stream) = bridged(&server).await;
    let client = server.client();
    let id = the_socket(client).await.id;
    let message = frame(BINARY, &noise(60_000));
    let mut at = 0;
    let write = || {
        let n = raw.up.try_write(&message[at % message.len()..])?;
        at += n;
        Some(n)
    };
    let stalls = |fact: &Fact| matches!(fact, Fact::Paused { reason: Code::PeerNotReading, .. });
    fill(write, async || facts(client, id).await.iter().any(stalls)).await;
    raw.reset();
    assert_eq!(ended(server.client(), id).await.0, Code::ClientLost);
    drop(stream);
}

#[tokio::test]
async fn deleting_the_socket_closes_both_ends() {
    let server = open_server(&[]);
    let client = server.client();
    for (query, reset) in [("", false), ("?reset=true", true)] {
        let (mut raw, mut stream) = bridged(&server).await;
        raw.send(b"hello").await;
        peer::read(&mut stream, 5).await;
        let id = client.sockets().await.sockets.iter().map(|socket| socket.id).max().expect("a socket");
        assert_eq!(client.delete(&format!("sockets/{id}{query}")).await.status(), 204);
        assert_eq!(raw.down.closed().await.1, Some(1001));
        let end = peer::read_to_end(&mut stream).await;
        match reset {
            false => assert_eq!(end.expect("a FIN"), b""),
            true => assert_eq!(end.expect_err("a RST").kind(), std::io::ErrorKind::ConnectionReset),
        }
        let reason = ended(client, id).await.0;
        assert_eq!(reason, if reset { Code::WasReset } else { Code::Closed });
    }
}

#[tokio::test]
async fn a_ping_is_answered_with_what_it_said_also_in_the_middle_of_a_flood() {
    let server = open_server(&[]);
    let (mut raw, mut stream) = bridged(&server).await;
    raw.up.frame(PING, b"in silence").await;
    assert_eq!(raw.down.frame().await, Some((0x8a, b"in silence".to_vec())));
    raw.up.frame(PING, &[7; 125]).await;
    assert_eq!(raw.down.frame().await, Some((0x8a, vec![7; 125])));
    raw.up.frame(PING, b"").await;
    assert_eq!(raw.down.frame().await, Some((0x8a, Vec::new())));
    let flood = tokio::spawn(async move {
        let chunk = noise(1 << 20);
        while stream.write_all(&chunk).await.is_ok() {}
    });
    raw.receive(1 << 20).await;
    for n in 0..5_u8 {
        raw.up.frame(PING, &[b'f', n]).await;
        raw.down.pong(&[b'f', n]).await;
    }
    // While the client takes nothing, pings come; the latest is answered when it reads on (RFC 6455 §5.5.3).
    for n in 0..5_u8 {
        raw.up.frame(PING, &[b's', n]).await;
    }
    raw.down.pong(&[b's', 4]).await;
    drop(raw);
    within("the flood's end", flood).await.expect("no panic");
}

/// A datagram socket of the test, and a bridge that leads to it: with the address its datagrams come from.
async fn datagrams(server: &TestServer, asking: &Asking<'_>) -> (Raw, UdpPeer, String) {
    let peer = UdpPeer::bind().await;
    let mut raw = Raw::ask(server.address(), &udp_to(peer.address().port()), asking).await;
    raw.send(b"hello").await;
    let (hello, from) = peer.receive().await;
    assert_eq!(hello, b"hello");
    (raw, peer, from.to_string())
}

#[tokio::test]
async fn a_message_is_a_datagram_both_ways_whatever_its_length() {
    let server = open_server(&[]);
    let (mut raw, peer, from) = datagrams(&server, &Asking::default()).await;
    let lengths = [0, 1, 0, 125, 126, 1472, 9000, 65_507, 0, 65_506, 3];
    for length in lengths {
        let said = noise(length);
        raw.send(&said).await;
        assert!(peer.receive().await.0 == said, "{length} bytes to the target");
        peer.send(&said, &from).await;
        assert!(raw.down.message().await == said, "{length} bytes to the client");
    }
    // In several frames it is one datagram all the same.
    let said = noise(40_000);
    for (first, part) in [(0x02, &said[..0]), (0x00, &said[..30_000]), (0x00, &said[30_000..]), (0x80, &[])] {
        raw.up.frame(first, part).await;
    }
    assert!(peer.receive().await.0 == said);
    // Many at once are many.
    for n in 0..100_u8 {
        peer.send(&vec![n; usize::from(n) * 600], &from).await;
    }
    for n in 0..100_u8 {
        assert!(raw.down.message().await == vec![n; usize::from(n) * 600], "datagram {n}");
    }
    let client = server.client();
    let socket = the_socket(client).await;
    assert_eq!((socket.bridge, socket.state), (Some(Contract::Wsproxy), SocketState::Open));
    raw.up.frame(CLOSE, &closing(1000, "")).await;
    assert_eq!(raw.down.closed().await.1, Some(1000));
    let (reason, counters) = ended(client, socket.id).await;
    let each = lengths.iter().sum::<usize>() as u64;
    let many = (0..100_u64).sum::<u64>() * 600;
    assert_eq!(reason, Code::ClientClosed);
    assert_eq!((counters.sent_bytes, counters.sent_events), (5 + each + 40_000, 13), "counted exactly");
    assert_eq!((counters.received_bytes, counters.received_events), (each + many, 111), "counted exactly");
}

#[tokio::test]
async fn messages_that_come_at_once_are_datagrams_in_their_order_recorded_or_not() {
    let server = open_server(&[]);
    let client = server.client();
    let record = key(client, &["udp://127.0.0.1:*"], json!({ "record": true })).await.secret;
    for (keyed, record) in [(String::new(), false), (format!("/k/{record}"), true)] {
        let peer = UdpPeer::bind().await;
        let mut raw = Raw::open(&server, &format!("{keyed}{}", udp_to(peer.address().port()))).await;
        // More than is recorded of every bridge.
        let mut messages = vec![noise(2000)];
        for (length, count) in [(64, 130), (0, 3), (63, 1), (64, 2), (1, 20), (0, 1), (300, 5)] {
            messages.extend((0..count).map(|n| vec![n; length]));
        }
        let sent = messages.iter().map(|message| frame(BINARY, message)).collect::<Vec<_>>();
        raw.up.bytes(&sent.concat()).await;
        for (n, message) in messages.iter().enumerate() {
            assert!(peer.receive().await.0 == *message, "message {n}");
        }
        // What stands between them, pieces, and what no call holds two of: and then the end.
        let rest =
            [vec![1; 9000], vec![2; 9000], vec![3; 9000], vec![4; 9000], vec![5; 40_000], vec![6; 40_000]];
        let behind = [
            frame(BINARY, &rest[0]),
            frame(PING, b"between"),
            frame(BINARY, &rest[1]),
            frame(BINARY, &rest[2]),
            frame(0x02, &rest[3][..4000]),
            frame(0x80, &rest[3][4000..]),
            frame(BINARY, &rest[4]),
            frame(BINARY, &rest[5]),
            frame(CLOSE, &closing(1000, "")),
        ];
        raw.up.bytes(&behind.concat()).await;
        for (n, message) in rest.iter().enumerate() {
            assert!(peer.receive().await.0 == *message, "message {n} of the rest");
        }
        let id = client.sockets().await.sockets.iter().map(|socket| socket.id).max().expect("a socket");
        let (reason, counters) = ended(client, id).await;
        messages.extend(rest);
        let bytes = messages.concat().len() as u64;
        assert_eq!(reason, Code::ClientClosed);
        assert_eq!(
            (counters.sent_events, counters.sent_bytes),
            (messages.len() as u64, bytes),
            "counted exactly"
        );
        let told = facts(client, id).await.iter().filter(|fact| matches!(fact, Fact::Sent { .. })).count();
        assert_eq!(told, if record { messages.len() } else { 1 }, "each is told of where all is recorded");
    }
}

/// The port of a socket that hears somebody else: for all others it is closed, and nobody takes it.
async fn closed_port() -> (u16, UdpSocket) {
    let (one, other) = (UdpSocket::bind("127.0.0.1:0").await, UdpSocket::bind("127.0.0.1:0").await);
    let (one, other) = (one.expect("a free port"), other.expect("a free port"));
    one.connect(other.local_addr().expect("an address")).await.expect("connects");
    (one.local_addr().expect("an address").port(), one)
}

#[tokio::test]
async fn datagrams_that_are_refused_at_once_are_all_sent_and_it_is_said() {
    let server = open_server(&[]);
    let client = server.client();
    let (port, _held) = closed_port().await;
    let mut raw = Raw::open(&server, &udp_to(port)).await;
    raw.send(&noise(2000)).await;
    let id = the_socket(client).await.id;
    let all = frame(BINARY, &[7; 100]).repeat(150);
    raw.up.bytes(&[all, frame(CLOSE, &closing(1000, ""))].concat()).await;
    let (reason, counters) = ended(client, id).await;
    assert_eq!((reason, counters.sent_events, counters.sent_bytes), (Code::ClientClosed, 151, 17_000));
    let refused = |fact: &Fact| matches!(fact, Fact::Failed { code: Code::Refused, fatal: false, .. });
    assert!(facts(client, id).await.iter().any(refused));
}

#[tokio::test]
async fn what_no_datagram_can_hold_is_refused_with_1009() {
    let server = open_server(&[]);
    for (parts, sent) in [(&[65_508][..], 5), (&[65_537], 5), (&[300_000], 5), (&[40_000, 40_000], 5)] {
        let (mut raw, _peer, _) = datagrams(&server, &Asking::default()).await;
        for (n, part) in parts.iter().enumerate() {
            let first = (u8::from(n == 0) * 2) | (u8::from(n + 1 == parts.len()) * 0x80);
            raw.up.try_bytes(&frame(first, &noise(*part))).await;
        }
        assert_eq!(raw.down.closed().await.1, Some(1009), "{parts:?}");
        let client = server.client();
        let id = client.sockets().await.sockets.iter().map(|socket| socket.id).max().expect("a socket");
        assert_eq!(ended(client, id).await.1.sent_bytes, sent, "{parts:?}");
    }
}

#[tokio::test]
async fn a_datagram_that_was_refused_is_in_the_log_and_the_bridge_lives() {
    let server = open_server(&[]);
    let client = server.client();
    let (port, one) = closed_port().await;
    let mut raw = Raw::open(&server, &udp_to(port)).await;
    raw.send(b"to nobody").await;
    let id = the_socket(client).await.id;
    let refused = |fact: &Fact| matches!(fact, Fact::Failed { code: Code::Refused, fatal: false, errno: Some(errno), .. } if errno == "ECONNREFUSED");
    logged(client, id, "the refusal", refused).await;
    let local = client.socket(id).await.local.expect("an address");
    one.connect(&local).await.expect("connects");
    raw.send(b"again").await;
    let mut datagram = [0; 100];
    let n = within("a datagram", one.recv(&mut datagram)).await.expect("receives");
    assert_eq!(&datagram[..n], b"again");
    one.send(b"back").await.expect("sends");
    assert_eq!(raw.down.message().await, b"back");
}

#[tokio::test]
async fn datagrams_that_found_no_room_are_counted_to_the_last() {
    let server = open_server(&[]);
    let client = server.client();
    let asking = Asking { receive_buffer: Some(4096), ..Asking::default() };
    let (mut raw, peer, from) = datagrams(&server, &asking).await;
    let id = the_socket(client).await.id;
    // The client does not read: what neither way on nor the kernel's buffer holds is lost.
    let all = 24_000_u64;
    let datagram = noise(1000);
    for _ in 0..all {
        peer.send(&datagram, &from).await;
    }
    let mut came = 0;
    let mut counted = 0;
    while came + counted < all {
        match tokio::time::timeout(Duration::from_millis(200), raw.down.frame()).await {
            Ok(Some((BINARY, payload))) => {
                assert!(payload == datagram, "whole");
                came += 1;
            }
            Ok(other) => panic!("{other:?} after {came}"),
            Err(_) => counted = client.socket(id).await.counters.dropped,
        }
    }
    assert!(counted > 0, "some were lost, or this shows nothing");
    assert_eq!(came + counted, all);
    raw.up.frame(CLOSE, &closing(1000, "")).await;
    let (_, counters) = ended(client, id).await;
    assert_eq!((counters.received_events, counters.dropped), (came, counted));
    let told = facts(client, id).await.into_iter().filter_map(|fact| match fact {
        Fact::Dropped { count, reason: Code::KernelBufferFull, .. } => Some(count),
        _ => None,
    });
    assert_eq!(told.sum::<u64>(), counted, "and in the log");
}
