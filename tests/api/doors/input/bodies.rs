//! Bodies that are not understood, or not possible: each a problem of its own, none leaves a trace in the log.

use serde_json::{Value, json};
use sockscope_wire::{Code, Problem, Seq, Socket};

use crate::support::*;

/// A workspace with one socket of each kind, all quiet.
struct Room {
    server: TestServer,
    client: Socket,
    listener: Socket,
    bound: Socket,
    closed: Socket,
    head: Seq,
    _peer: tokio::net::TcpStream,
}

impl Room {
    async fn quiet() -> Self {
        let server = TestServer::start();
        let api = server.client();
        let peer = TcpPeer::listen().await;
        let client = api.open(&peer.target()).await;
        let stream = peer.accept().await;
        let listener = api.open("tcp-listen://127.0.0.1:0").await;
        let bound = api.open("udp-bind://127.0.0.1:0").await;
        let closed = api.open("udp-bind://127.0.0.1:0").await;
        api.close(closed.id).await;
        let head = api.head().await;
        Self { client, listener, bound, closed, head, server, _peer: stream }
    }

    /// Asserts the answer to a JSON body, and that nothing was recorded.
    async fn refuses(&self, method: &str, path: &str, body: &str, status: u16, code: Code) -> Problem {
        let api = self.server.client();
        let answer = api.ask(&api.request(method, path).json(body)).await;
        let what = format!("{method} {path} {body}");
        assert_eq!(
            (answer.status(), answer.problem().code),
            (status, code),
            "{what}: {}",
            answer.response.text()
        );
        assert_eq!(api.head().await, self.head, "{what} left a trace");
        answer.problem()
    }

    /// The same for a POST of a value.
    async fn refuses_json(&self, path: &str, body: Value, status: u16, code: Code) -> Problem {
        self.refuses("POST", path, &body.to_string(), status, code).await
    }
}

#[tokio::test]
async fn what_is_not_the_json_of_the_route_is_told_with_its_place() {
    let room = Room::quiet().await;
    let send = format!("sockets/{}/send", room.client.id);
    let shutdown = format!("sockets/{}/shutdown", room.client.id);
    let one = format!("sockets/{}", room.client.id);
    for (method, path, body) in [
        ("POST", "sockets", ""),
        ("POST", "sockets", "{"),
        ("POST", "sockets", "{}"),
        ("POST", "sockets", "null"),
        ("POST", "sockets", "[]"),
        ("POST", "sockets", "\"tcp://127.0.0.1:1\""),
        ("POST", "sockets", "{\"open\":7}"),
        ("POST", "sockets", "{\"open\":\"tcp://127.0.0.1:1\"} trailing"),
        ("POST", "sockets", "{\"open\":\"tcp://127.0.0.1:1\",\"opne\":1}"),
        ("POST", "sockets", "{\"open\":\"tcp://127.0.0.1:1\",\"open\":\"tcp://127.0.0.1:2\"}"),
        ("POST", "sockets", "{\"open\":\"tcp://127.0.0.1:1\",\"options\":{\"nodelya\":true}}"),
        ("POST", "sockets", "{\"open\":\"tcp://127.0.0.1:1\",\"options\":{\"nodelay\":1}}"),
        ("POST", "sockets", "{\"open\":\"tcp://127.0.0.1:1\",\"options\":{\"backlog\":-1}}"),
        ("POST", &send, "{\"text\":\"a\",\"timeout\":1}"),
        ("POST", &send, "{\"txt\":\"a\"}"),
        ("POST", &shutdown, "{\"how\":\"read\"}"),
        ("POST", &shutdown, "{}"),
        ("PATCH", &one, "{\"nmae\":\"x\"}"),
        ("POST", "practice", "{\"peer\":\"nobody\"}"),
        ("POST", "log/trim", "{}"),
        ("POST", "log/trim", "{\"up_to\":-1}"),
        ("POST", "log/trim", "{\"up_to\":1.5}"),
        ("POST", "log/trim", "{\"up_to\":1,\"all\":true}"),
        ("POST", "/api/v1/session", "{\"code\":7}"),
    ] {
        let problem = room.refuses(method, path, body, 400, Code::MalformedJson).await;
        assert!(problem.params.contains_key("line") && problem.params.contains_key("column"), "{problem:?}");
    }
    let problem = room.refuses("POST", "sockets", "{\n \"open\": }", 400, Code::MalformedJson).await;
    assert_eq!((problem.params["line"].as_str(), problem.params["column"].as_str()), ("2", "10"));
    let deep = "[".repeat(100_000);
    room.refuses("POST", "sockets", &deep, 400, Code::MalformedJson).await;
}

#[tokio::test]
async fn a_body_that_does_not_say_it_is_json_is_none() {
    let room = Room::quiet().await;
    let api = room.server.client();
    let body = json!({ "open": "tcp-listen://127.0.0.1:0" }).to_string();
    let plain = api.request("POST", "sockets").body(body.as_bytes());
    for kind in
        ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"]
    {
        let request =
            if kind.is_empty() { plain.clone() } else { plain.clone().header("Content-Type", kind) };
        api.ask(&request).await.refused(415, Code::UnsupportedMediaType);
    }
    assert_eq!(api.head().await, room.head);
    let fine = plain.header("Content-Type", "Application/JSON; charset=utf-8");
    assert_eq!(api.ask(&fine).await.status(), 201);
}

#[tokio::test]
async fn a_target_that_is_none_is_told_with_its_place() {
    let room = Room::quiet().await;
    for (target, code, reason) in [
        ("", Code::InvalidTarget, "no_scheme"),
        ("nonsense", Code::InvalidTarget, "no_scheme"),
        ("tcp:127.0.0.1:80", Code::InvalidTarget, "no_scheme"),
        ("ftp://127.0.0.1:80", Code::UnsupportedScheme, ""),
        ("tcp://127.0.0.1:80/path", Code::InvalidTarget, "path"),
        ("tcp://user@127.0.0.1:80", Code::InvalidTarget, "userinfo"),
        ("tcp://127.0.0.1:80?x", Code::InvalidTarget, "query"),
        ("tcp://127.0.0.1:80#x", Code::InvalidTarget, "fragment"),
        ("tcp://127.0.0.1 :80", Code::InvalidTarget, "whitespace"),
        ("tcp://127.0.0.1:80\n", Code::InvalidTarget, "control_character"),
        ("tcp://127.0.0.1", Code::InvalidPort, "port_missing"),
        ("tcp://127.0.0.1:", Code::InvalidPort, "port_missing"),
        ("tcp://127.0.0.1:0", Code::InvalidPort, "zero"),
        ("tcp://127.0.0.1:65536", Code::InvalidPort, "out_of_range"),
        ("tcp://127.0.0.1:99999999999999999999", Code::InvalidPort, "out_of_range"),
        ("tcp://127.0.0.1:-1", Code::InvalidPort, "not_a_number"),
        ("tcp://127.0.0.1:http", Code::InvalidPort, "not_a_number"),
        ("tcp://127.0.0.1:080", Code::InvalidPort, "leading_zero"),
        ("tcp-listen://127.0.0.1:65536", Code::InvalidPort, "out_of_range"),
        ("tcp://:80", Code::InvalidHost, "host_missing"),
        ("tcp://2130706433:80", Code::InvalidHost, "numeric"),
        ("tcp://0177.0.0.1:80", Code::InvalidHost, "numeric"),
        ("tcp://127.1:80", Code::InvalidHost, "numeric"),
        ("tcp://[::1:80", Code::InvalidHost, "bracket"),
        ("tcp://::1:80", Code::InvalidHost, "unbracketed_ipv6"),
        ("udp://exa mple:80", Code::InvalidTarget, "whitespace"),
    ] {
        let problem = room.refuses_json("sockets", json!({ "open": target }), 422, code).await;
        assert!(reason.is_empty() || problem.params["reason"] == reason, "{target}: {problem:?}");
        assert!(
            code == Code::UnsupportedScheme || problem.params.contains_key("at"),
            "{target}: {problem:?}"
        );
    }
    let long = format!("tcp://{}:80", "a".repeat(10_000));
    room.refuses_json("sockets", json!({ "open": long }), 422, Code::InvalidTarget).await;
}

#[tokio::test]
async fn an_option_or_a_name_that_cannot_be_is_told_with_its_range() {
    let room = Room::quiet().await;
    for (target, option, value) in [
        ("tcp://127.0.0.1:1", "connect_timeout_ms", 0),
        ("tcp://127.0.0.1:1", "connect_timeout_ms", 600_001),
        ("tcp-listen://127.0.0.1:0", "backlog", 65_536),
        ("tcp://127.0.0.1:1", "read_size", 0),
        ("tcp://127.0.0.1:1", "read_size", 262_145),
        ("udp://127.0.0.1:1", "read_size", 65_537),
        ("tcp://127.0.0.1:1", "recv_buffer", 0),
        ("tcp://127.0.0.1:1", "send_buffer", 0),
    ] {
        let wish = json!({ "open": target, "options": { option: value } });
        let problem = room.refuses_json("sockets", wish, 422, Code::InvalidOption).await;
        assert_eq!(problem.params["option"], option);
        assert!(problem.params.contains_key("min") && problem.params.contains_key("max"));
    }
    let name = "n".repeat(201);
    let wish = json!({ "open": "tcp://127.0.0.1:1", "name": name });
    room.refuses_json("sockets", wish, 422, Code::InvalidName).await;
    let one = format!("sockets/{}", room.client.id);
    let patch = json!({ "name": name }).to_string();
    room.refuses("PATCH", &one, &patch, 422, Code::InvalidName).await;
    let patch = json!({ "name": "half done?", "options": { "backlog": 1 } }).to_string();
    room.refuses("PATCH", &one, &patch, 422, Code::InvalidOption).await;
    assert_eq!(room.server.client().socket(room.client.id).await.name, None);
    let closed = format!("sockets/{}", room.closed.id);
    room.refuses("PATCH", &closed, r#"{"options":{"read_size":9}}"#, 409, Code::WrongState).await;
}

#[tokio::test]
async fn data_that_is_wrong_is_told_with_the_position() {
    let room = Room::quiet().await;
    let send = format!("sockets/{}/send", room.client.id);
    for (body, code, at) in [
        (json!({ "hex": "4g" }), Code::InvalidHex, Some("1")),
        (json!({ "hex": "00 1" }), Code::InvalidHex, Some("3")),
        (json!({ "hex": "0x00zz" }), Code::InvalidHex, Some("4")),
        (json!({ "hex": "üü" }), Code::InvalidHex, Some("0")),
        (json!({ "escaped": "ab\\q" }), Code::InvalidEscape, Some("2")),
        (json!({ "escaped": "\\x4" }), Code::InvalidEscape, Some("0")),
        (json!({ "escaped": "\\u{110000}" }), Code::InvalidEscape, Some("0")),
        (json!({ "escaped": "end\\" }), Code::InvalidEscape, Some("3")),
        (json!({ "base64": "aGVs!G8=" }), Code::InvalidBase64, Some("4")),
        (json!({ "base64": "aGVsbG8" }), Code::InvalidBase64, None),
        (json!({ "text": "a", "hex": "00" }), Code::InvalidData, None),
        (json!({}), Code::InvalidData, None),
        (json!({ "text": "" }), Code::InvalidData, None),
        (json!({ "text": "a", "to": "127.0.0.1:9" }), Code::UnexpectedTo, None),
    ] {
        let problem = room.refuses_json(&send, body.clone(), 422, code).await;
        assert_eq!(problem.params.get("at").map(String::as_str), at, "{body}");
    }
    let bound = format!("sockets/{}/send", room.bound.id);
    room.refuses_json(&bound, json!({ "text": "a" }), 422, Code::MissingTo).await;
    for (to, code) in [
        ("127.0.0.1", Code::InvalidPort),
        ("127.0.0.1:0", Code::InvalidPort),
        ("127.0.0.1:65536", Code::InvalidPort),
        (":9", Code::InvalidHost),
        ("udp://127.0.0.1:9", Code::InvalidTarget),
    ] {
        room.refuses_json(&bound, json!({ "text": "a", "to": to }), 422, code).await;
    }
    let raw = room.server.client();
    let raw_to = raw.request("POST", &format!("{bound}?to=127.0.0.1:0")).body(b"x");
    raw.ask(&raw_to).await.refused(422, Code::InvalidPort);
    let late = json!({ "text": "a", "timeout_ms": 60_001 });
    room.refuses_json(&send, late, 400, Code::InvalidQuery).await;
    for query in ["timeout=61", "timeout=-1", "timeout=NaN", "timeout=x", "nonsense=1"] {
        room.refuses_json(&format!("{send}?{query}"), json!({ "text": "a" }), 400, Code::InvalidQuery).await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let room = Room::quiet().await;
    for id in ["s999", "s4294967295"] {
        room.refuses_json(&format!("sockets/{id}/send"), json!({ "text": "a" }), 404, Code::UnknownSocket)
            .await;
        room.refuses_json(
            &format!("sockets/{id}/shutdown"),
            json!({ "how": "write" }),
            404,
            Code::UnknownSocket,
        )
        .await;
        room.refuses("PATCH", &format!("sockets/{id}"), r#"{"name":"x"}"#, 404, Code::UnknownSocket).await;
    }
    for id in ["s999", "999", "s0", "s-1", "S1", "s1%20", "s4294967296", "%2e%2e"] {
        for method in ["GET", "DELETE"] {
            room.refuses(method, &format!("sockets/{id}"), "", 404, Code::UnknownSocket).await;
        }
    }
    room.refuses("DELETE", &format!("practice/{}", room.listener.id), "", 404, Code::UnknownSocket).await;
    for workspace in ["other", "Default", "default%00", "AAAAAAAAAAAAAAAAAAAAAA"] {
        let path = format!("/api/v1/workspaces/{workspace}/sockets");
        room.refuses("GET", &path, "", 404, Code::UnknownWorkspace).await;
        room.refuses_json(&path, json!({ "open": "tcp://127.0.0.1:1" }), 404, Code::UnknownWorkspace).await;
    }
}

#[tokio::test]
async fn what_is_not_possible_now_is_a_conflict() {
    let room = Room::quiet().await;
    let (text, how) = (json!({ "text": "a" }), json!({ "how": "write" }));
    for socket in [&room.closed, &room.listener] {
        let send = format!("sockets/{}/send", socket.id);
        let problem = room.refuses_json(&send, text.clone(), 409, Code::WrongState).await;
        assert_eq!(problem.socket, Some(socket.id));
        assert!(problem.params.contains_key("state"), "{problem:?}");
    }
    for socket in [&room.closed, &room.listener, &room.bound] {
        let shutdown = format!("sockets/{}/shutdown", socket.id);
        room.refuses_json(&shutdown, how.clone(), 409, Code::WrongState).await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_nothing_of_it_taken() {
    let room = Room::quiet().await;
    let api = room.server.client();
    let limit = 1 << 20;
    let send = format!("sockets/{}/send", room.client.id);
    let raw = api.request("POST", &send).body(&vec![b'x'; limit + 1]);
    assert_eq!(api.ask(&raw).await.refused(413, Code::TooLarge).params["max"], limit.to_string());
    let long = "x".repeat(limit);
    room.refuses_json(&send, json!({ "text": long }), 413, Code::TooLarge).await;
    // Without a length said before.
    let mut chunked = api.request("POST", &send).header("Transfer-Encoding", "chunked").bytes();
    let said = b"Content-Length: 0\r\n";
    let at = chunked.windows(said.len()).position(|window| window == said).expect("its length");
    chunked.drain(at..at + said.len());
    let mut conn = Conn::connect(api.address()).await;
    conn.send(&chunked).await;
    for _ in 0..=16 {
        conn.send(format!("10000\r\n{}\r\n", "x".repeat(0x10000)).as_bytes()).await;
    }
    let answer = conn.response_to("POST").await.expect("an answer");
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert_eq!(api.head().await, room.head, "nothing was sent");
}
