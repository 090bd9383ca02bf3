//! `sockscope key`.

use std::process::{Command, Output};

use serde_json::Value;
use sockscope_wire::{KeyList, KeyMade};

use crate::{
    kit::Bridge,
    support::{peer, *},
};

fn run(server: &TestServer, token: Option<&str>, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockscope"));
    command.env_remove("SOCKSCOPE_TOKEN").args(["key", "--listen", &server.host()]).args(args);
    if let Some(token) = token {
        command.env("SOCKSCOPE_TOKEN", token);
    }
    command.output().expect("the binary starts")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[tokio::test]
async fn the_key_command_makes_a_key_whose_urls_work_and_revokes_it() {
    let server = TestServer::start();
    let peer = TcpPeer::listen().await;
    // By the launch socket, and by the token.
    for token in [None, Some(TOKEN)] {
        let args = ["--target", &peer.target(), "--name", "noVNC", "--max-streams", "3", "--json"];
        let text = said(&run(&server, token, &args));
        let made: KeyMade = serde_json::from_str(&text).expect("JSON");
        assert_eq!((made.key.name.as_deref(), made.key.max_streams), (Some("noVNC"), 3));
        let urls: Value = serde_json::from_str(&text).expect("JSON");
        let url = urls["urls"][0].as_str().expect("a URL");
        let path = url.strip_prefix(&format!("ws://{}", server.host())).expect("of this server");
        let mut bridge = Bridge::open(server.address(), path, &[]).await.expect("let in");
        let mut stream = peer.accept().await;
        bridge.send(b"hello").await;
        assert_eq!(peer::read(&mut stream, 5).await, b"hello");
        let listed: KeyList =
            serde_json::from_str(&said(&run(&server, token, &["--list", "--json"]))).expect("JSON");
        assert!(listed.keys.iter().any(|key| key.id == made.key.id && key.sockets.len() == 1));
        let table = said(&run(&server, token, &["--list"]));
        assert!(
            table.contains(&made.key.id) && table.contains("noVNC") && !table.contains(&made.secret),
            "{table}"
        );
        said(&run(&server, token, &["--revoke", &made.key.id]));
        assert_eq!(bridge.closed().await, (1008, "key revoked".to_owned()));
    }
}

#[tokio::test]
async fn what_the_key_command_is_told_is_what_the_key_says() {
    let server = TestServer::start();
    let of = |args: &[&str]| -> (KeyMade, Vec<String>) {
        let text = said(&run(&server, None, &[args, &["--json"]].concat()));
        let urls: Value = serde_json::from_str(&text).expect("JSON");
        let urls =
            urls["urls"].as_array().expect("URLs").iter().map(|url| url.as_str().expect("text").to_owned());
        (serde_json::from_str(&text).expect("JSON"), urls.collect())
    };
    let all = ["--origin", "https://a.example", "--origin", "https://b.example", "--max-bytes", "77"];
    let more = ["--target", "udp://*:53", "--connects-per-second", "5", "--record"];
    let (made, urls) = of(&[&all[..], &more].concat());
    let key = &made.key;
    assert_eq!(key.origins, ["https://a.example", "https://b.example"]);
    assert_eq!((key.max_bytes, key.connects_per_second, key.record), (Some(77), 5, true));
    let below = format!("ws://{}/k/{}", server.host(), made.secret);
    let leads = ["/bridge/udp/{host}/53", "/wisp/", "/bridge/sockets"].map(|path| format!("{below}{path}"));
    assert_eq!(urls, leads, "and no contract that leads nowhere");
    let (made, urls) = of(&["--target", "tcp-listen://127.0.0.1:*"]);
    assert_eq!(urls, [format!("ws://{}/k/{}/bridge/sockets", server.host(), made.secret)]);
    let defaults = (made.key.max_bytes, made.key.connects_per_second, made.key.max_streams, made.key.record);
    assert_eq!(defaults, (None, 100, 64, false));
}

#[tokio::test]
async fn the_key_command_says_what_is_wrong() {
    let server = TestServer::start();
    let wrong = "wrong-0123456789abcdef0123456789abcdef";
    for (token, args, said) in [
        (None, &["--target", "tcp://2130706433:80"][..], "invalid_key"),
        (None, &["--target", "tcp://*:*", "--origin", "null"], "invalid_key"),
        (None, &["--revoke", "knothing"], "unknown_key"),
        (None, &["--revoke", "../sockets/s1"], "no key's name"),
        (None, &[], "--target"),
        (None, &["--list", "--target", "tcp://*:*"], "cannot be used with"),
        (Some(wrong), &["--list"], "unauthorized"),
    ] {
        let output = run(&server, token, args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(said), "{args:?}: {error}");
        assert!(!error.contains(wrong), "{error}");
    }
}
