//! Token, ticket, launch code.

use std::process::Command;

use serde_json::json;
use sockscope_wire::{Code, SessionToken, Ticket};

use crate::support::{
    viewer::{Viewer, upgrade},
    *,
};

async fn ticket(server: &TestServer) -> String {
    server.client().post("/api/v1/tickets", &json!({})).await.ok::<Ticket>().ticket
}

/// The status of an upgrade with these headers, and the viewer if there is one.
async fn try_upgrade(server: &TestServer, headers: &[(&str, &str)]) -> Result<(Viewer, Option<String>), u16> {
    use tokio_tungstenite::tungstenite::Error;
    match upgrade(server.address(), "", headers).await {
        Ok((ws, response)) => {
            let protocol = response.headers().get("sec-websocket-protocol");
            let protocol = protocol.map(|value| value.to_str().expect("text").to_owned());
            Ok((Viewer::of(ws).await, protocol))
        }
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_ticket_opens_one_web_socket() {
    let server = TestServer::start();
    let ticket = ticket(&server).await;
    let own = format!("http://{}", server.host());
    let offer = format!("sockscope.v1, ticket.{ticket}");
    let headers = [("sec-websocket-protocol", offer.as_str()), ("origin", own.as_str())];
    let (_viewer, protocol) = try_upgrade(&server, &headers).await.expect("let in");
    assert_eq!(protocol.as_deref(), Some("sockscope.v1"), "and the ticket is not said back");
    assert_eq!(try_upgrade(&server, &headers).await.err(), Some(401), "a used ticket");
    let wrong = [("sec-websocket-protocol", "sockscope.v1, ticket.AAAA")];
    assert_eq!(try_upgrade(&server, &wrong).await.err(), Some(401), "a wrong one");
    let token = format!("sockscope.v1, ticket.{TOKEN}");
    let wrong = [("sec-websocket-protocol", token.as_str())];
    assert_eq!(try_upgrade(&server, &wrong).await.err(), Some(401), "the token is no ticket");
}

#[tokio::test]
async fn a_ticket_is_refused_before_it_is_used_up() {
    let server = TestServer::start();
    let ticket = ticket(&server).await;
    let offer = format!("sockscope.v1, ticket.{ticket}");
    let foreign = [("sec-websocket-protocol", offer.as_str()), ("origin", "http://evil.com")];
    assert_eq!(try_upgrade(&server, &foreign).await.err(), Some(403), "from a foreign page");
    assert!(try_upgrade(&server, &[("sec-websocket-protocol", offer.as_str())]).await.is_ok());
}

#[tokio::test]
async fn a_ticket_opens_nothing_but_a_web_socket() {
    let server = TestServer::start();
    let offer = format!("sockscope.v1, ticket.{}", ticket(&server).await);
    let anybody = Client::new(server.address(), "");
    for (method, path) in
        [("GET", "sockets"), ("GET", "/api/v1/about"), ("POST", "sockets"), ("GET", "events"), ("POST", "ws")]
    {
        let plain = anybody.request(method, path).header("Sec-WebSocket-Protocol", &offer);
        anybody.ask(&plain).await.refused(401, Code::Unauthorized);
        let posing = plain.header("Connection", "Upgrade").header("Upgrade", "websocket");
        anybody.ask(&posing).await.refused(401, Code::Unauthorized);
    }
    let as_bearer = anybody.request("GET", "sockets").bearer(offer.rsplit('.').next().expect("a ticket"));
    anybody.ask(&as_bearer).await.refused(401, Code::Unauthorized);
    let plain = anybody.request("GET", "ws").header("Sec-WebSocket-Protocol", &offer);
    anybody.ask(&plain).await.refused(401, Code::Unauthorized);
    assert!(try_upgrade(&server, &[("sec-websocket-protocol", &offer)]).await.is_ok(), "it is still good");
}

#[tokio::test]
async fn a_bearer_opens_a_web_socket_and_a_wrong_one_does_not_fall_back_to_the_ticket() {
    let server = TestServer::start();
    let bearer = format!("Bearer {TOKEN}");
    assert!(try_upgrade(&server, &[("authorization", &bearer)]).await.is_ok());
    let lower = format!("bearer {TOKEN}");
    assert!(try_upgrade(&server, &[("authorization", &lower)]).await.is_ok(), "the scheme knows no case");
    let basic = format!("Basic {TOKEN}");
    assert_eq!(try_upgrade(&server, &[("authorization", &basic)]).await.err(), Some(401));
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(try_upgrade(&server, &twice).await.err(), Some(401), "two credentials are none");
    let offer = format!("sockscope.v1, ticket.{}", ticket(&server).await);
    let both = [("authorization", "Bearer wrong"), ("sec-websocket-protocol", offer.as_str())];
    assert_eq!(try_upgrade(&server, &both).await.err(), Some(401));
}

#[tokio::test]
async fn a_token_in_the_query_is_no_credential() {
    let server = TestServer::start();
    let anybody = Client::new(server.address(), "");
    for query in ["token", "access_token", "authorization", "ticket"] {
        anybody.get(&format!("events?{query}={TOKEN}")).await.refused(401, Code::Unauthorized);
    }
    let cookie = anybody.request("GET", "events").header("Cookie", &format!("token={TOKEN}"));
    anybody.ask(&cookie).await.refused(401, Code::Unauthorized);
}

#[tokio::test]
async fn a_launch_code_works_once() {
    let server = TestServer::start();
    let anybody = Client::new(server.address(), "");
    let code = json!({ "code": server.launch_code() });
    let token: SessionToken = anybody.post("/api/v1/session", &code).await.ok();
    assert_eq!(token.token, TOKEN);
    anybody.post("/api/v1/session", &code).await.refused(401, Code::Unauthorized);
}

#[tokio::test]
async fn a_foreign_page_cannot_use_or_burn_a_launch_code() {
    let server = TestServer::start();
    let anybody = Client::new(server.address(), "");
    let body = json!({ "code": server.launch_code() }).to_string();
    for (name, value) in [("Origin", "http://evil.com"), ("Sec-Fetch-Site", "cross-site")] {
        let request = anybody.request("POST", "/api/v1/session").header(name, value).json(&body);
        assert_eq!(anybody.ask(&request).await.problem().status, 403);
    }
    // A form cannot say application/json.
    let form = anybody.request("POST", "/api/v1/session").header("Content-Type", "text/plain");
    anybody.ask(&form.body(body.as_bytes())).await.refused(415, Code::UnsupportedMediaType);
    assert_eq!(anybody.ask(&anybody.request("POST", "/api/v1/session").json(&body)).await.status(), 200);
}

#[tokio::test]
async fn more_than_ten_wrong_launch_codes_a_minute_are_not_looked_at_and_a_right_one_still_opens() {
    let server = TestServer::start();
    let anybody = Client::new(server.address(), "");
    for guess in 0..10 {
        let wrong = json!({ "code": format!("guess-{guess}") });
        anybody.post("/api/v1/session", &wrong).await.refused(401, Code::Unauthorized);
    }
    let answer = anybody.post("/api/v1/session", &json!({ "code": "guess-10" })).await;
    answer.refused(429, Code::RateLimited);
    assert_eq!(answer.response.header("retry-after"), Some("60"));
    let right = json!({ "code": server.launch_code() });
    let token: SessionToken = anybody.post("/api/v1/session", &right).await.ok();
    assert_eq!(token.token, TOKEN, "nobody is locked out by somebody else's guesses");
    assert_eq!(server.client().get("sockets").await.status(), 200, "who is in stays in");
}

#[tokio::test]
async fn the_link_command_makes_a_fresh_link() {
    let server = TestServer::start();
    let output = Command::new(env!("CARGO_BIN_EXE_sockscope"))
        .args(["link", "--listen", &server.host()])
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let link = String::from_utf8(output.stdout).expect("text");
    let code = link.trim().strip_prefix(&format!("http://{}/#c=", server.host())).expect("a link");
    assert_ne!(code, server.launch_code());
    let anybody = Client::new(server.address(), "");
    for code in [code, server.launch_code()] {
        let token: SessionToken = anybody.post("/api/v1/session", &json!({ "code": code })).await.ok();
        assert_eq!(token.token, TOKEN);
    }
}

#[tokio::test]
async fn without_a_token_host_and_origin_still_guard() {
    let server = TestServer::builder().no_token().start();
    assert!(!server.link().contains('#'), "nothing to exchange: {}", server.link());
    let anybody = Client::new(server.address(), "");
    assert_eq!(anybody.get("sockets").await.status(), 200);
    let stale = anybody.request("GET", "sockets").bearer("of another run");
    assert_eq!(anybody.ask(&stale).await.status(), 200, "a page's old token is no reason to lock it out");
    let foreign = anybody.request("GET", "sockets").header("Origin", "http://evil.com");
    anybody.ask(&foreign).await.refused(403, Code::BadOrigin);
    let site = anybody.request("GET", "sockets").header("Sec-Fetch-Site", "cross-site");
    anybody.ask(&site).await.refused(403, Code::CrossSite);
    let rebound = Request::bare("GET", &Client::path("sockets"));
    let rebound = rebound.header("Host", "evil.com").header("Origin", "http://evil.com");
    assert_eq!(http::ask(server.address(), &rebound).await.status, 421);
    assert!(try_upgrade(&server, &[]).await.is_ok());
    assert_eq!(try_upgrade(&server, &[("origin", "http://evil.com")]).await.err(), Some(403));
}
