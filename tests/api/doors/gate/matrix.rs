//! Every route, taken from the router, with every combination of credential, Origin and Host.

use std::fmt::Debug;

use crate::support::{http::Conn, *};

/// A credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    None,
    Wrong,
    /// The first characters of the right one.
    Part,
    Right,
}

const TOKENS: [Token; 4] = [Token::None, Token::Wrong, Token::Part, Token::Right];

/// Where a request comes from, as spelled for the Host it goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Absent,
    Own,
    OwnOverTls,
    Foreign,
    Suffix,
    OtherPort,
    Path,
    Null,
    Twice,
}

const ORIGINS: [Origin; 9] = [
    Origin::Absent,
    Origin::Own,
    Origin::OwnOverTls,
    Origin::Foreign,
    Origin::Suffix,
    Origin::OtherPort,
    Origin::Path,
    Origin::Null,
    Origin::Twice,
];

impl Origin {
    fn is_fine(self) -> bool {
        matches!(self, Self::Absent | Self::Own | Self::OwnOverTls)
    }

    fn headers(self, host: &str) -> Vec<String> {
        match self {
            Self::Absent => vec![],
            Self::Own => vec![format!("http://{host}")],
            Self::OwnOverTls => vec![format!("https://{host}")],
            Self::Foreign => vec!["http://evil.com".to_owned()],
            Self::Suffix => vec![format!("http://{host}.evil.com")],
            Self::OtherPort => vec!["http://127.0.0.1:1".to_owned()],
            Self::Path => vec![format!("http://{host}/")],
            Self::Null => vec!["null".to_owned()],
            Self::Twice => vec![format!("http://{host}"), "http://evil.com".to_owned()],
        }
    }
}

/// What a request says it is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    Address,
    Localhost,
    Absent,
    Foreign,
    Suffix,
    Unspecified,
    Doubled,
    ForeignSecond,
}

const HOSTS: [Host; 8] = [
    Host::Address,
    Host::Localhost,
    Host::Absent,
    Host::Foreign,
    Host::Suffix,
    Host::Unspecified,
    Host::Doubled,
    Host::ForeignSecond,
];

impl Host {
    fn is_fine(self) -> bool {
        matches!(self, Self::Address | Self::Localhost)
    }

    fn headers(self, port: u16) -> Vec<String> {
        let own = format!("127.0.0.1:{port}");
        match self {
            Self::Address => vec![own],
            Self::Localhost => vec![format!("localhost:{port}")],
            Self::Absent => vec![],
            Self::Foreign => vec![format!("evil.com:{port}")],
            Self::Suffix => vec![format!("127.0.0.1.evil.com:{port}")],
            Self::Unspecified => vec![format!("0.0.0.0:{port}")],
            Self::Doubled => vec![own.clone(), own],
            Self::ForeignSecond => vec![own, "evil.com".to_owned()],
        }
    }
}

/// Modules for pages of any origin.
fn is_shared(method: &str, path: &str) -> bool {
    matches!(method, "GET" | "HEAD") && path.starts_with("/sdk/")
}

/// What may be let in: written from SECURITY.md, not from the code.
fn expected(method: &str, path: &str, token: Token, origin: Origin, host: Host) -> Option<u16> {
    let page = method != "POST" && (path == "/" || path.starts_with("/assets/"));
    let shared = is_shared(method, path);
    let open = matches!((method, path), ("GET", "/healthz" | "/readyz") | ("POST", "/api/v1/session"));
    if !host.is_fine() {
        Some(421)
    } else if shared {
        None
    } else if !origin.is_fine() {
        Some(403)
    } else if !page && !open && token != Token::Right {
        Some(401)
    } else {
        None
    }
}

fn request(method: &str, path: &str, port: u16, token: Token, origin: Origin, host: Host) -> Request {
    let hosts = host.headers(port);
    // Under DNS rebinding the Origin follows the Host.
    let origins = origin.headers(hosts.first().map_or("evil.com", String::as_str));
    let mut request = Request::bare(method, path);
    request = hosts.iter().fold(request, |request, host| request.header("Host", host));
    request = origins.iter().fold(request, |request, origin| request.header("Origin", origin));
    match token {
        Token::None => request,
        Token::Wrong => request.bearer("wrong-0123456789abcdef0123456789abcdef"),
        Token::Part => request.bearer(&TOKEN[..TOKEN.len() - 1]),
        Token::Right => request.bearer(TOKEN),
    }
}

/// What every answer carries, refusals too; and what none does but those that are `shared`.
fn check_headers(response: &Response, shared: bool, of: &dyn Debug) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", if shared { "cross-origin" } else { "same-origin" }),
    ] {
        assert_eq!(response.header(name), Some(value), "{name} of {of:?}");
    }
    let policy = response.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'"), "{policy:?} of {of:?}");
    assert_eq!(response.header("access-control-allow-origin"), shared.then_some("*"), "{of:?}");
    for (name, _) in &response.headers {
        if shared && name == "access-control-allow-origin" {
            continue;
        }
        assert!(!name.starts_with("access-control-") && name != "set-cookie", "{name} of {of:?}");
    }
}

#[tokio::test]
async fn every_route_lets_in_exactly_whom_it_should() {
    let server = TestServer::with(&["--wisp-prefix", "/lab/wisp/"]);
    let port = server.address().port();
    let fill = |path: &str| path.replace("{ws}", "default").replace("{id}", "s1").replace("{seq}", "1");
    let mut routes: Vec<(String, String)> =
        sockscope::http::table().iter().map(|route| (route.method.to_string(), fill(route.path))).collect();
    assert!(routes.len() > 15, "the router's table");
    for (method, path) in [
        ("GET", "/"),
        ("HEAD", "/"),
        ("POST", "/"),
        ("GET", "/assets/index.js"),
        ("GET", "/lab/wisp/"),
        ("HEAD", "/lab/wisp/"),
        ("POST", "/lab/wisp/"),
        ("GET", "/lab/wisp/127.0.0.1:1"),
        ("GET", "/lab/wisp"),
        ("GET", "/lab/"),
        ("GET", "/sdk/direct-sockets.js"),
        ("HEAD", "/sdk/nothing.js"),
        ("POST", "/sdk/direct-sockets.js"),
        ("GET", "/sdk"),
        ("GET", "/nothing"),
        ("POST", "/nothing"),
        ("GET", "/api/v1/nothing"),
        ("GET", "/api/v1/workspaces/other/sockets"),
        ("OPTIONS", "/api/v1/about"),
        ("TRACE", "/api/v1/about"),
    ] {
        routes.push((method.to_owned(), path.to_owned()));
    }
    let mut conn = Conn::connect(server.address()).await;
    let mut tried = 0;
    for (method, path) in &routes {
        for token in TOKENS {
            for origin in ORIGINS {
                for host in HOSTS {
                    let of = (method, path, token, origin, host);
                    let request = request(method, path, port, token, origin, host);
                    let response = match conn.ask(&request).await {
                        Some(response) => response,
                        None => {
                            conn = Conn::connect(server.address()).await;
                            conn.ask(&request).await.unwrap_or_else(|| panic!("no answer to {of:?}"))
                        }
                    };
                    match expected(method, path, token, origin, host) {
                        Some(status) => assert_eq!(response.status, status, "{of:?}"),
                        None => assert!(
                            !matches!(response.status, 401 | 403 | 421) && response.status < 500,
                            "{}: {of:?}",
                            response.status
                        ),
                    }
                    let shared = is_shared(method, path) && response.status != 421;
                    check_headers(&response, shared, &of);
                    tried += 1;
                }
            }
        }
    }
    assert_eq!(tried, routes.len() * TOKENS.len() * ORIGINS.len() * HOSTS.len());
    assert_eq!(server.client().head().await.0, 0, "and none of it left a trace in the log");
}

#[tokio::test]
async fn a_web_socket_goes_through_the_same_gate() {
    let server = TestServer::with(&["--wisp-prefix", "/lab/wisp/"]);
    let port = server.address().port();
    for path in [&Client::path("ws"), "/wisp/", "/lab/wisp/"] {
        for token in TOKENS {
            for origin in ORIGINS {
                for host in HOSTS {
                    let of = (path, token, origin, host);
                    let request = request("GET", path, port, token, origin, host)
                        .header("Connection", "Upgrade")
                        .header("Upgrade", "websocket")
                        .header("Sec-WebSocket-Version", "13")
                        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
                    let mut conn = Conn::connect(server.address()).await;
                    conn.send(&request.bytes()).await;
                    let (head, _) = within("an answer", conn.head()).await.expect("an answer");
                    let expected = expected("GET", path, token, origin, host).unwrap_or(101);
                    assert_eq!(head.status, expected, "{of:?}");
                    check_headers(&head, false, &of);
                }
            }
        }
    }
}

#[tokio::test]
async fn where_a_request_comes_from_must_be_here_except_for_the_page() {
    let server = TestServer::start();
    for (path, is_page) in [
        ("/", true),
        ("/assets/index.js", true),
        ("/healthz", false),
        ("/api/v1/about", false),
        ("events", false),
    ] {
        for site in ["same-origin", "none", "same-site", "cross-site", "else", ""] {
            let request = server.client().request("GET", path).header("Sec-Fetch-Site", site);
            let status = server.client().ask(&request).await.status();
            if is_page || matches!(site, "same-origin" | "none") {
                assert!(!matches!(status, 401 | 403), "{status}: {path} from {site:?}");
            } else {
                assert_eq!(status, 403, "{path} from {site:?}");
            }
        }
        let twice = server.client().request("GET", path);
        let twice = twice.header("Sec-Fetch-Site", "same-origin").header("Sec-Fetch-Site", "cross-site");
        assert_eq!(server.client().ask(&twice).await.status() == 403, !is_page, "{path} from two sites");
    }
}

#[tokio::test]
async fn an_absolute_uri_names_our_host_or_is_refused() {
    let server = TestServer::start();
    let own = server.host();
    for (target, host, status) in [
        (format!("http://{own}/api/v1/about"), own.as_str(), 200),
        (format!("http://localhost:{}/api/v1/about", server.address().port()), own.as_str(), 200),
        ("http://evil.com/api/v1/about".to_owned(), own.as_str(), 421),
        ("http://evil.com/".to_owned(), own.as_str(), 421),
        (format!("http://{own}/api/v1/about"), "evil.com", 421),
        (format!("http://{own}@evil.com/api/v1/about"), own.as_str(), 421),
    ] {
        let request = Request::bare("GET", &target).header("Host", host).bearer(TOKEN);
        assert_eq!(http::ask(server.address(), &request).await.status, status, "{target} for {host}");
    }
    let proxy = Request::bare("CONNECT", "evil.com:80").header("Host", &own).bearer(TOKEN);
    assert_eq!(http::ask(server.address(), &proxy).await.status, 421, "nobody's proxy");
}

#[tokio::test]
async fn a_preflight_is_refused() {
    let server = TestServer::start();
    let preflight = |origin: &str| {
        Request::bare("OPTIONS", &Client::path("sockets"))
            .header("Host", &server.host())
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization, content-type")
    };
    for (request, status) in [
        (preflight("http://evil.com"), 403),
        (preflight(&format!("http://{}", server.host())), 401),
        (preflight(&format!("http://{}", server.host())).bearer(TOKEN), 405),
    ] {
        let response = http::ask(server.address(), &request).await;
        assert_eq!(response.status, status);
        check_headers(&response, false, &request);
    }
}
