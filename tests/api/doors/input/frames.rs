//! Frames that are no commands.

use serde_json::{Value, json};
use sockscope_wire::{Code, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;

use crate::support::*;

/// Sends a text and hears the next reply, with or without an id.
async fn said(viewer: &mut Viewer, text: &str) -> Reply {
    viewer.replies.clear();
    viewer.nameless.clear();
    viewer.say(Message::text(text)).await;
    viewer.until("a reply", |viewer| !viewer.replies.is_empty() || !viewer.nameless.is_empty()).await;
    viewer.replies.values().next().or(viewer.nameless.first()).cloned().expect("a reply")
}

#[tokio::test]
async fn a_frame_that_is_no_command_is_answered_and_changes_nothing() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let _stream = peer.accept().await;
    let head = client.head().await;
    let mut viewer = server.viewer("").await;
    let id = socket.id.to_string();
    let long = "i".repeat(65);
    for (frame, re, code) in [
        ("".to_owned(), None, Code::MalformedJson),
        ("{".to_owned(), None, Code::MalformedJson),
        ("null".to_owned(), None, Code::MalformedJson),
        ("[]".to_owned(), None, Code::MalformedJson),
        (r#"{"open":{"open":"tcp://127.0.0.1:1"}}"#.to_owned(), None, Code::MalformedJson),
        (r#"{"id":7,"close":{"socket":"s1"}}"#.to_owned(), None, Code::MalformedJson),
        (json!({ "id": "a", "clsoe": { "socket": id } }).to_string(), Some("a"), Code::MalformedJson),
        (
            json!({ "id": "b", "close": { "socket": id, "now": true } }).to_string(),
            Some("b"),
            Code::MalformedJson,
        ),
        (json!({ "id": "c", "close": { "socket": 1 } }).to_string(), Some("c"), Code::MalformedJson),
        (json!({ "id": "d", "close": { "socket": id } }).to_string() + "{}", None, Code::MalformedJson),
        (json!({ "id": "e" }).to_string(), Some("e"), Code::MalformedFrame),
        (
            json!({ "id": "f", "close": { "socket": id }, "subscribe": {} }).to_string(),
            Some("f"),
            Code::MalformedFrame,
        ),
        (
            json!({ "id": "g", "send": { "socket": id, "text": "a" }, "close": { "socket": id } })
                .to_string(),
            Some("g"),
            Code::MalformedFrame,
        ),
        (json!({ "id": "", "close": { "socket": id } }).to_string(), None, Code::MalformedFrame),
        (json!({ "id": long, "close": { "socket": id } }).to_string(), None, Code::MalformedFrame),
        (json!({ "id": "a b", "close": { "socket": id } }).to_string(), None, Code::MalformedFrame),
        (json!({ "id": "ü", "close": { "socket": id } }).to_string(), None, Code::MalformedFrame),
    ] {
        let reply = said(&mut viewer, &frame).await;
        let problem = reply.problem.unwrap_or_else(|| panic!("{frame} was obeyed"));
        assert_eq!((reply.re.as_deref(), problem.code), (re, code), "{frame}: {}", problem.detail);
        assert_eq!((reply.cause, reply.socket), (None, None), "{frame}");
        assert_eq!(client.head().await, head, "{frame} left a trace");
    }
    viewer.say(Message::binary(json!({ "id": "x", "close": { "socket": id } }).to_string())).await;
    let before = viewer.nameless.len();
    viewer.until("a reply", |viewer| viewer.nameless.len() > before).await;
    let reply = viewer.nameless.last().expect("just heard");
    assert_eq!(reply.problem.as_ref().expect("a problem").code, Code::MalformedFrame, "commands are text");
    assert_eq!(client.head().await, head);
}

#[tokio::test]
async fn a_command_that_cannot_be_obeyed_is_refused_as_by_rest() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let _stream = peer.accept().await;
    let listener = client.open("tcp-listen://127.0.0.1:0").await;
    let head = client.head().await;
    let mut viewer = server.viewer("").await;
    let (id, listener) = (socket.id, listener.id);
    let cases: [(&str, Value, Code, u16); 13] = [
        ("open", json!({ "open": "nonsense" }), Code::InvalidTarget, 422),
        ("open", json!({ "open": "tcp://127.0.0.1:65536" }), Code::InvalidPort, 422),
        (
            "open",
            json!({ "open": "tcp://127.0.0.1:1", "options": { "read_size": 0 } }),
            Code::InvalidOption,
            422,
        ),
        ("send", json!({ "socket": "s999", "text": "a" }), Code::UnknownSocket, 404),
        ("send", json!({ "socket": id, "hex": "0g" }), Code::InvalidHex, 422),
        ("send", json!({ "socket": id }), Code::InvalidData, 422),
        ("send", json!({ "socket": listener, "text": "a" }), Code::WrongState, 409),
        ("shutdown", json!({ "socket": listener, "how": "write" }), Code::WrongState, 409),
        ("close", json!({ "socket": "s999" }), Code::UnknownSocket, 404),
        ("set", json!({ "socket": "s999", "name": "x" }), Code::UnknownSocket, 404),
        ("set", json!({ "socket": id, "name": "x".repeat(201) }), Code::InvalidName, 422),
        ("set", json!({ "socket": id, "options": { "backlog": 1 } }), Code::InvalidOption, 422),
        ("subscribe", json!({ "types": ["sent", "nonsense"] }), Code::InvalidQuery, 400),
    ];
    for (wish, value, code, status) in cases {
        let reply = viewer.command(wish, value.clone()).await;
        let problem = reply.problem.unwrap_or_else(|| panic!("{wish} {value} was obeyed"));
        assert_eq!((problem.code, problem.status), (code, status), "{wish} {value}: {}", problem.detail);
        assert_eq!(client.head().await, head, "{wish} {value} left a trace");
    }
    // And the connection is as good as before.
    let reply = viewer.command("send", json!({ "socket": id, "text": "fine" })).await;
    assert_eq!(reply.problem, None);
}

#[tokio::test]
async fn a_command_over_64_kib_ends_the_connection_with_1009() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let _stream = peer.accept().await;
    let mut viewer = server.viewer("").await;
    let fits = viewer.command("send", json!({ "socket": socket.id, "text": "x".repeat(60 * 1024) })).await;
    assert_eq!(fits.problem, None);
    eventually("it is sent", async || client.socket(socket.id).await.counters.sent_bytes == 60 * 1024).await;
    let head = client.head().await;
    let large = json!({ "id": "large", "send": { "socket": socket.id, "text": "x".repeat(64 * 1024) } });
    viewer.say(Message::text(large.to_string())).await;
    assert_eq!(viewer.until_closed().await, Some(1009));
    // One that is far too large is cut before it is read; the close frame may be lost with what was on the way.
    let mut viewer = server.viewer("").await;
    viewer.say(Message::text("x".repeat(4 << 20))).await;
    assert!(matches!(viewer.until_closed().await, None | Some(1009)));
    assert_eq!(client.head().await, head, "and nothing of it was done");
}

/// A frame with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).expect("short"), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

#[tokio::test]
async fn what_rfc_6455_forbids_ends_the_connection_with_its_code() {
    let server = TestServer::start();
    let long_control = [vec![0x89, 0x80 | 126, 0, 126, 0, 0, 0, 0], vec![b'x'; 126]].concat();
    for (what, bytes, code) in [
        ("a text that is not UTF-8", frame(0x81, b"\xff\xfe"), 1007),
        ("an unmasked frame", vec![0x81, 0x01, b'x'], 1002),
        ("a reserved bit", frame(0xc1, b"{}"), 1002),
        ("an opcode nobody knows", frame(0x83, b"{}"), 1002),
        ("a fragmented ping", frame(0x09, b"x"), 1002),
        ("a ping that is too long", long_control, 1002),
        ("a continuation of nothing", frame(0x80, b"x"), 1002),
        (
            "a length beyond everything",
            vec![0x81, 0x80 | 127, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0],
            1009,
        ),
    ] {
        let mut stream = server.viewer("").await.into_stream();
        stream.write_all(&bytes).await.expect("writes");
        let mut said = Vec::new();
        within("the end of the connection", stream.read_to_end(&mut said)).await.ok();
        assert!(said.len() >= 4 && said[0] == 0x88, "no close frame to {what}: {said:?}");
        assert_eq!(u16::from_be_bytes([said[2], said[3]]), code, "{what}");
    }
    assert_eq!(server.client().head().await.0, 0);
}
