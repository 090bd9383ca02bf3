//! Requests that lead nowhere.

use sockscope_wire::Code;

use crate::support::*;

#[tokio::test]
async fn no_such_route_is_a_problem_by_any_method() {
    let server = TestServer::start();
    let client = server.client();
    for path in
        ["/nothing", "/api", "/api/v1", "/api/v1/nothing", "/api/v2/about", "sockets/s1/nothing", "sockets/"]
    {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            client.ask(&client.request(method, path)).await.refused(404, Code::UnknownRoute);
        }
    }
}

#[tokio::test]
async fn a_method_a_route_does_not_take_is_a_problem_that_names_those_it_does() {
    let server = TestServer::start();
    let client = server.client();
    for route in sockscope::http::table() {
        let path = route.path.replace("{ws}", "default").replace("{id}", "s1").replace("{seq}", "1");
        let taken: Vec<_> = sockscope::http::table()
            .into_iter()
            .filter(|other| other.path == route.path)
            .map(|other| other.method.to_string())
            .collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            if taken.iter().any(|taken| taken == method) {
                continue;
            }
            let answer = client.ask(&client.request(method, &path)).await;
            answer.refused(405, Code::MethodNotAllowed);
            let allowed = answer.response.header("allow").unwrap_or_default();
            for taken in &taken {
                assert!(
                    allowed.split(',').any(|method| method.trim() == taken),
                    "{method} {path}: {allowed:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn head_answers_like_get_without_the_body() {
    let server = TestServer::start();
    let client = server.client();
    for path in ["/", "/healthz", "/api/v1/about", "sockets", "events"] {
        let get = client.get(path).await.response;
        let head = client.ask(&client.request("HEAD", path)).await.response;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn a_web_socket_route_says_so_to_who_does_not_upgrade() {
    let server = TestServer::start();
    let client = server.client();
    client.get("ws").await.refused(426, Code::NotAWebSocket);
    for query in ["after=x", "socket=7", "payload=most", "type=nonsense", "nonsense=1"] {
        let request = client
            .request("GET", &format!("ws?{query}"))
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        client.ask(&request).await.refused(400, Code::InvalidQuery);
    }
}

#[tokio::test]
async fn what_is_not_http_is_answered_once_and_closed() {
    let server = TestServer::start();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    ] {
        let mut conn = Conn::connect(server.address()).await;
        conn.send(bytes).await;
        let said = within("the end of the connection", conn.closed()).await;
        let text = String::from_utf8_lossy(&said);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text} to {bytes:?}");
    }
    assert_eq!(server.client().get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn a_header_over_16_kib_is_refused() {
    let server = TestServer::start();
    let client = server.client();
    let fits = client.request("GET", "sockets").header("X-Long", &"x".repeat(8 * 1024));
    assert_eq!(client.ask(&fits).await.status(), 200);
    let long_value = client.request("GET", "sockets").header("X-Long", &"x".repeat(17 * 1024)).bytes();
    let many = (0..2000).fold(client.request("GET", "sockets"), |all, _| all.header("X-Many", "x")).bytes();
    let long_target = client.request("GET", &format!("sockets?{}", "x".repeat(17 * 1024))).bytes();
    // One that never ends.
    let endless = format!("GET / HTTP/1.1\r\nX-Endless: {}", "x".repeat(64 * 1024)).into_bytes();
    for (what, bytes) in [
        ("a long value", long_value),
        ("many headers", many),
        ("a long target", long_target),
        ("endless", endless),
    ] {
        let mut conn = Conn::connect(server.address()).await;
        conn.send(&bytes).await;
        let answer = conn.response_to("GET").await;
        let status = answer.map(|answer| answer.status);
        assert!(matches!(status, None | Some(414 | 431)), "{status:?} to {what}");
        within("the end of the connection", conn.closed()).await;
    }
}
