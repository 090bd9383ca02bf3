//! What is no WebSocket, and with which code it is refused.

use crate::{
    raw::{Asking, BINARY, CLOSE, PING, Raw, TEXT, ended, frame, open_server},
    support::{peer, *},
};

/// What RFC 6455 does not allow, and the close code it has for that.
fn wrong() -> [(&'static str, Vec<u8>, u16); 17] {
    [
        ("no mask", vec![0x82, 0x01, b'x'], 1002),
        ("RSV1, without an extension", frame(0xc2, b"x"), 1002),
        ("RSV2", frame(0xa2, b"x"), 1002),
        ("RSV3", frame(0x92, b"x"), 1002),
        ("a reserved opcode for data", frame(0x83, b"x"), 1002),
        ("a reserved opcode for control", frame(0x8b, b"x"), 1002),
        ("a fragmented ping", frame(0x09, b"x"), 1002),
        ("a ping of 126 bytes", frame(0x89, &[0; 126]), 1002),
        ("a continuation of nothing", frame(0x80, b"x"), 1002),
        ("a message within a message", [frame(0x02, b""), frame(BINARY, b"y")].concat(), 1002),
        ("two bytes of length for what one can say", vec![0x82, 0xfe, 0, 125, 0, 0, 0, 0], 1002),
        (
            "eight bytes of length for what two can say",
            vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0],
            1002,
        ),
        ("a length of 64 bits", vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1002),
        ("half a close code", frame(CLOSE, &[3]), 1002),
        ("a close code nobody may send", frame(CLOSE, &1005_u16.to_be_bytes()), 1002),
        ("a reason that is no text", frame(CLOSE, &[3, 232, 0xff]), 1007),
        ("text", frame(TEXT, b"text"), 1003),
    ]
}

#[tokio::test]
async fn every_broken_frame_is_refused_with_its_code_and_the_target_is_let_go() {
    let server = open_server(&[]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let path = format!("/bridge/{}", peer.address());
    for (what, bytes, code) in wrong() {
        // At once, byte by byte, and together with the request.
        for way in 0..3 {
            let behind = if way == 2 { &bytes[..] } else { &[] };
            let mut raw = Raw::ask(server.address(), &path, &Asking { behind, ..Asking::default() }).await;
            let mut stream = peer.accept().await;
            if way == 0 {
                // What came whole before it has passed.
                raw.send(b"before").await;
                assert_eq!(peer::read(&mut stream, 6).await, b"before");
                raw.up.bytes(&bytes).await;
            }
            if way == 1 {
                for byte in &bytes {
                    raw.up.try_bytes(&[*byte]).await;
                }
            }
            let (heard, said, _) = raw.down.closed().await;
            assert_eq!((heard.len(), said), (0, Some(code)), "{what}, way {way}");
            assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN"), b"", "{what}, way {way}");
            assert_eq!(raw.down.frame().await, None, "{what}: then the connection ends");
        }
    }
    let sockets = client.sockets().await.sockets;
    assert_eq!(sockets.len(), wrong().len() * 3);
    for socket in sockets {
        assert_eq!(ended(client, socket.id).await.0, sockscope_wire::Code::ClientLost);
    }
}

#[tokio::test]
async fn bridges_of_datagrams_and_of_many_streams_refuse_the_same() {
    let server = open_server(&[]);
    let peer = UdpPeer::bind().await;
    for (what, bytes, code) in wrong() {
        let datagrams = format!("/bridge/udp/127.0.0.1/{}", peer.address().port());
        for path in [&datagrams, "/wisp/", "/bridge/sockets"] {
            let mut raw = Raw::open(&server, path).await;
            raw.up.bytes(&bytes).await;
            assert_eq!(raw.down.closed().await.1, Some(code), "{what}: {path}");
        }
    }
}

#[tokio::test]
async fn pings_that_come_at_once_are_all_answered_in_order_and_of_very_many_the_last() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    for path in [format!("/bridge/{}", peer.address()), "/wisp/".to_owned()] {
        let Raw { mut up, mut down } = Raw::open(&server, &path).await;
        for count in [10_u32, 500] {
            let said: Vec<_> = (0..count).map(|n| n.to_be_bytes().to_vec()).collect();
            let pings: Vec<u8> = said.iter().flat_map(|said| frame(PING, said)).collect();
            up.bytes(&pings).await;
            down.pongs.clear();
            down.pong(said.last().expect("some")).await;
            let mut asked = said.iter();
            assert!(down.pongs.iter().all(|pong| asked.any(|said| said == pong)), "in order");
            assert!(count > 10 || down.pongs == said, "{path}: {:?}", down.pongs);
        }
    }
}
