//! python's `websockets`, unchanged, as any program's client.

use std::{net::SocketAddr, process::Stdio};

use serde_json::json;
use tokio::{io, net::TcpListener, process::Command};

use crate::{
    kit::{key, tcp},
    support::*,
};

const PROGRAM: &str = include_str!("python_websockets.py");

/// Debian's own stands second: another may be first on PATH, without its packages.
const PYTHONS: [&str; 2] = ["python3", "/usr/bin/python3"];

/// A python that has the library.
async fn python() -> &'static str {
    for python in PYTHONS {
        let mut command = Command::new(python);
        command.args(["-c", "import websockets"]).stderr(Stdio::null());
        if command.status().await.is_ok_and(|status| status.success()) {
            return python;
        }
    }
    panic!(
        "no python3 with websockets; this test needs it: apt-get install --no-install-recommends python3-websockets"
    )
}

/// Sends back what one connection says.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let (mut from, mut to) = stream.split();
        // Whoever reads what comes back notices where it fails.
        io::copy(&mut from, &mut to).await.ok();
    });
    address
}

#[tokio::test]
async fn it_moves_bytes_is_answered_and_is_told_why_a_dial_failed() {
    let (echo, nobody, server) = (echo().await, Nobody::bind(), TestServer::start());
    let python = python().await;
    let targets = [format!("tcp://{echo}"), nobody.target()];
    let key = key(server.client(), &targets.each_ref().map(String::as_str), json!({})).await;
    let url = |to| format!("ws://{}{}", server.address(), tcp(&key.secret, to));
    let mut command = Command::new(python);
    command.args(["-c", PROGRAM, &url(echo), &url(nobody.address())]).kill_on_drop(true);
    let output = within("the program ends", command.output()).await.expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
