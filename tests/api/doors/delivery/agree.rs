//! Short poll, long poll, SSE, WebSocket in text and in binary: the same events, the same JSON.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::Value;
use sockscope_wire::Seq;

use crate::{story, support::*};

/// Every event by pages of so many.
async fn polled(client: &Client, limit: usize, query: &str) -> Vec<Value> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = client.get(&format!("events?after={after}&limit={limit}&{query}")).await.value();
        let there = page["events"].as_array().expect("events");
        assert!(there.len() <= limit);
        events.extend(there.iter().cloned());
        after = page["next"].as_u64().expect("next");
        if after >= page["head"].as_u64().expect("head") {
            return events;
        }
    }
}

/// Every event of a stream up to a seq.
async fn streamed(sse: &mut Sse, head: Seq) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    while events.last().is_none_or(|last| last["seq"] != head.0) {
        let message = sse.next().await.expect("the stream goes on");
        assert_eq!(message.event, "message");
        let event: Value = serde_json::from_str(&message.data).expect("JSON");
        assert_eq!(message.id, format!("{}:{}", sse.hello["epoch"].as_str().expect("epoch"), event["seq"]));
        events.push(event);
    }
    events
}

#[track_caller]
fn same(door: &str, told: &[Value], truth: &[Value]) {
    for (told, truth) in told.iter().zip(truth) {
        assert_eq!(told, truth, "by {door}");
    }
    assert_eq!(told.len(), truth.len(), "by {door}");
}

#[tokio::test]
async fn every_door_replays_the_same_json() {
    let server = TestServer::start();
    let client = server.client();
    let head = story::tell(client).await.head;
    let truth = polled(client, 10_000, "").await;
    assert_eq!(truth.len() as u64, head.0);
    same("short poll in small pages", &polled(client, 3, "").await, &truth);
    same("long poll", &polled(client, 1000, "wait=30").await, &truth);
    same("SSE", &streamed(&mut Sse::open(client, "", None).await, head).await, &truth);
    for query in ["", "binary=1"] {
        let mut viewer = server.viewer(query).await;
        viewer.until_next(head).await;
        same(&format!("WebSocket {query}"), &viewer.raw, &truth);
    }
    let mut viewer = server.viewer("binary=1&payload=none").await;
    viewer.until_next(head).await;
    same("WebSocket without payload", &viewer.raw, &polled(client, 1000, "payload=none").await);
    let export = client.get("export").await.response.text();
    let exported: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    same("export", &exported, &truth);
}

#[tokio::test]
async fn who_follows_live_hears_what_a_replay_tells() {
    let server = TestServer::start();
    let client = server.client();
    let mut sse = Sse::open(client, "after=head", None).await;
    let mut text = server.viewer("after=head").await;
    let mut binary = server.viewer("after=head&binary=1").await;
    let end = Arc::new(AtomicU64::new(u64::MAX));
    let long = tokio::spawn({
        let (client, end) = (client.clone(), Arc::clone(&end));
        async move {
            let (mut events, mut after) = (Vec::new(), 0);
            while after < end.load(Ordering::Relaxed) {
                let page = client.get(&format!("events?after={after}&wait=1")).await.value();
                events.extend(page["events"].as_array().expect("events").iter().cloned());
                after = page["next"].as_u64().expect("next");
            }
            events
        }
    });
    let head = story::tell(client).await.head;
    end.store(head.0, Ordering::Relaxed);
    let truth = polled(client, 10_000, "").await;
    same("long poll", &within("the long polls", long).await.expect("no panic"), &truth);
    same("SSE", &streamed(&mut sse, head).await, &truth);
    text.until_next(head).await;
    same("WebSocket", &text.raw, &truth);
    binary.until_next(head).await;
    same("WebSocket in binary", &binary.raw, &truth);
}

#[tokio::test]
async fn streams_are_not_encoded_and_not_cached() {
    let server = TestServer::start();
    let sse = Sse::open(server.client(), "", None).await;
    let header =
        |name: &str| sse.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(header("content-encoding"), None);
    assert_eq!(header("cache-control"), Some("no-store"));
    let request = server.client().request("GET", "events").header("Accept-Encoding", "gzip, br");
    assert_eq!(server.client().ask(&request).await.response.header("content-encoding"), None);
}
