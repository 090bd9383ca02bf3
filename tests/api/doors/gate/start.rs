//! What the server refuses to start as.

use std::process::Command;

use crate::support::*;

#[test]
fn default_bind_is_loopback() {
    let help = Command::new(env!("CARGO_BIN_EXE_sockscope"))
        .arg("--help")
        .env_remove("SOCKSCOPE_LISTEN")
        .output()
        .expect("the binary starts");
    let help = String::from_utf8(help.stdout).expect("text");
    assert!(help.contains("[default: 127.0.0.1:7625]"), "{help}");
}

#[test]
fn what_is_not_safe_does_not_start() {
    let refused = |builder: Builder, says: &str| {
        let output = builder.run();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(output.stdout.is_empty(), "it has not listened");
        assert!(
            stderr.contains(says) && stderr.trim().lines().count() == 1,
            "{says:?} in one line: {stderr}"
        );
        assert!(!stderr.contains(TOKEN), "{stderr}");
    };
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        refused(
            TestServer::builder().no_token().listen(listen),
            "--no-token only goes with a loopback address",
        );
    }
    refused(TestServer::builder().args(&["--no-token"]), "--no-token contradicts a fixed token");
    let short = TestServer::builder().random_token().env("SOCKSCOPE_TOKEN", "short");
    refused(short, "the token has 5 characters");
    let missing = TestServer::builder().random_token().env("SOCKSCOPE_TOKEN_FILE", "/nonexistent/token");
    refused(missing, "cannot read the token from /nonexistent/token");
    let two = TestServer::builder().env("SOCKSCOPE_TOKEN_FILE", "/nonexistent/token");
    refused(two, "not both");
}

#[tokio::test]
async fn a_wildcard_address_answers_only_to_names_that_were_given() {
    let server = TestServer::builder().listen("0.0.0.0:0").args(&["--host", "scope.example"]).start();
    let port = server.address().port();
    assert!(server.link().starts_with(&format!("http://127.0.0.1:{port}/#c=")), "{}", server.link());
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        ("scope.example".to_owned(), 200),
        (format!("SCOPE.example:{port}"), 200),
        (format!("0.0.0.0:{port}"), 421),
        (format!("[::]:{port}"), 421),
        ("other.example".to_owned(), 421),
        ("scope.example.evil.com".to_owned(), 421),
    ] {
        let request = Request::bare("GET", "/api/v1/about").header("Host", &host).bearer(TOKEN);
        assert_eq!(http::ask(server.address(), &request).await.status, status, "{host}");
    }
    let request = Request::bare("GET", "/api/v1/about").header("Host", "scope.example").bearer(TOKEN);
    let tls_proxy = request.header("Origin", "https://scope.example");
    assert_eq!(http::ask(server.address(), &tls_proxy).await.status, 200, "behind a TLS proxy");
}

#[tokio::test]
async fn a_taken_port_is_said_in_one_sentence() {
    let server = TestServer::start();
    let second = TestServer::builder().listen(&server.host()).run();
    let stderr = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr.contains("sockscope runs on") && stderr.trim().lines().count() == 1, "{stderr}");
    let peer = TcpPeer::listen().await;
    let other = TestServer::builder().listen(&peer.address().to_string()).run();
    let stderr = String::from_utf8_lossy(&other.stderr);
    assert!(stderr.contains("is taken by another program"), "{stderr}");
}

#[tokio::test]
async fn the_health_command_asks_the_running_server() {
    let health = |listen: &str| {
        Command::new(env!("CARGO_BIN_EXE_sockscope"))
            .args(["health", "--listen", listen])
            .output()
            .expect("the binary starts")
            .status
            .code()
    };
    let server = TestServer::start();
    assert_eq!(health(&server.host()), Some(0));
    assert_eq!(health(&Nobody::bind().address().to_string()), Some(1));
}
