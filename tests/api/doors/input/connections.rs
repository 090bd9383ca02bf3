//! Connections that mean no good, or are too many.

use std::time::{Duration, Instant};

use serde_json::json;
use sockscope_wire::{Code, KeyMade, Problem};
use tokio::task::JoinSet;

use crate::support::{wait::within_time, *};

/// How many dribble a header.
const DRIBBLERS: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_that_dribble_a_header_are_cut_and_the_api_still_answers() {
    // This process holds as many as the server does.
    assert!(sockscope::limits::raise_descriptors() > DRIBBLERS + 200, "ulimit -n");
    let server = TestServer::with(&["--max-connections", "2048"]);
    let address = server.address();
    let mut dribblers = JoinSet::new();
    for _ in 0..DRIBBLERS {
        dribblers.spawn(async move {
            let mut conn = Conn::connect(address).await;
            let begun = Instant::now();
            conn.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await;
            let mut stream = conn.into_stream();
            // A byte a second, until the server has had enough.
            let mut pace = tokio::time::interval(Duration::from_secs(1));
            loop {
                let mut said = [0; 1024];
                tokio::select! {
                    read = tokio::io::AsyncReadExt::read(&mut stream, &mut said) => match read {
                        Ok(0) | Err(_) => return begun.elapsed(),
                        Ok(_) => {}
                    },
                    _ = pace.tick() => {
                        tokio::io::AsyncWriteExt::write_all(&mut stream, b"x").await.ok();
                    }
                }
            }
        });
    }
    let client = server.client();
    let mut answers = Vec::new();
    let mut cut = Vec::new();
    while cut.len() < DRIBBLERS {
        let begun = Instant::now();
        assert_eq!(client.get("sockets").await.status(), 200);
        answers.push(begun.elapsed());
        let next = tokio::time::timeout(Duration::from_millis(50), dribblers.join_next()).await;
        if let Ok(Some(took)) = next {
            cut.push(took.expect("no panic"));
            while let Some(took) = dribblers.try_join_next() {
                cut.push(took.expect("no panic"));
            }
        }
        assert!(answers.len() < 1000, "{} of {DRIBBLERS} are still there", DRIBBLERS - cut.len());
    }
    answers.sort();
    let (most, worst) = (answers[answers.len() * 49 / 50], answers[answers.len() - 1]);
    assert!(
        most < Duration::from_secs(1) && worst < Duration::from_secs(3),
        "answers took {most:?}, one {worst:?}"
    );
    let (first, last) = (cut.iter().min().expect("some"), cut.iter().max().expect("some"));
    assert!(*first > Duration::from_secs(8), "a slow header has 10 s: {first:?}");
    assert!(*last < Duration::from_secs(16), "and no more: {last:?}");
}

/// What is to be had without a token (health, the page's files) holds no place among the connections for long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_shows_no_credential_or_a_bridge_key_and_no_bridge_is_not_kept() {
    let server = TestServer::start();
    let mut known = Conn::connect(server.address()).await;
    let key: KeyMade = server.client().post("keys", &json!({ "targets": ["tcp://*:*"] })).await.ok();
    let key = Request::bare("GET", &format!("/k/{}/wisp/", key.secret)).header("Host", &server.host());
    let health = Request::bare("GET", "/healthz").header("Host", &server.host());
    let mut strangers = Vec::new();
    for (request, status) in [(health, 200), (key, 426)] {
        strangers.push((Conn::connect(server.address()).await, request, status));
    }
    let begun = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_secs(2));
    while !strangers.is_empty() {
        pace.tick().await;
        let with_token = server.client().request("GET", "/healthz");
        let with_token = if begun.elapsed() < Duration::from_secs(1) {
            server.client().request("GET", "/api/v1/about")
        } else {
            with_token
        };
        assert_eq!(known.ask(&with_token).await.expect("it is kept").status, 200);
        for (mut conn, request, status) in std::mem::take(&mut strangers) {
            if let Some(answer) = conn.ask(&request).await {
                assert_eq!(answer.status, status);
                strangers.push((conn, request, status));
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it is there for ever");
    }
    assert!(begun.elapsed() > Duration::from_secs(13), "it had some time: {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_connection_too_many_is_told_so_and_let_in_once_there_is_room() {
    let server = TestServer::with(&["--max-connections", "4"]);
    let client = server.client();
    let mut seats = Vec::new();
    for _ in 0..3 {
        let mut conn = Conn::connect(server.address()).await;
        let answer = conn.ask(&client.request("GET", "/healthz")).await.expect("an answer");
        assert_eq!(answer.status, 200, "and it stays open");
        seats.push(conn);
    }
    // A viewer has a seat for as long as it is there.
    let viewer = server.viewer("").await;
    let mut refused = Conn::connect(server.address()).await;
    let answer = refused.ask(&client.request("GET", "/healthz")).await.expect("an answer");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem: Problem = serde_json::from_slice(&answer.body).expect("a problem");
    assert_eq!(problem.code, Code::TooManyConnections);
    within("the end of the connection", refused.closed()).await;
    // Also one that says nothing is not kept.
    let mut mute = Conn::connect(server.address()).await;
    within_time(Duration::from_secs(5), "the end of a mute one", mute.closed()).await;
    let healthy = async || {
        let mut conn = Conn::connect(server.address()).await;
        conn.ask(&client.request("GET", "/healthz")).await.is_some_and(|answer| answer.status == 200)
    };
    assert!(!healthy().await, "still full");
    drop(viewer);
    eventually("there is room again", healthy).await;
    drop(seats);
}

#[tokio::test]
async fn a_connection_that_is_kept_open_serves_many_requests() {
    let server = TestServer::start();
    let client = server.client();
    let mut conn = Conn::connect(server.address()).await;
    for _ in 0..50 {
        for (path, status) in [("sockets", 200), ("/nothing", 404), ("events", 200)] {
            let answer = conn.ask(&client.request("GET", path)).await.expect("an answer");
            assert_eq!(answer.status, status);
        }
    }
    // Two requests at once are answered in order.
    let (first, second) = (client.request("GET", "/healthz"), client.request("GET", "/nothing"));
    conn.send(&[first.bytes(), second.bytes()].concat()).await;
    assert_eq!(conn.response_to("GET").await.expect("an answer").status, 200);
    assert_eq!(conn.response_to("GET").await.expect("an answer").status, 404);
}
