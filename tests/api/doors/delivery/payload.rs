//! The bytes of one event, and the log to take away.

use serde_json::json;
use sockscope_wire::{Code, Event, Fact, Seq};

use crate::{story, support::*};

/// The first event with these bytes.
fn with_bytes(events: &[Event], wanted: &[u8]) -> Seq {
    let found = events.iter().find(|event| match &event.fact {
        Fact::Sent { bytes, .. } | Fact::Received { bytes, .. } => {
            bytes.payload.as_ref().is_some_and(|payload| &*payload.0 == wanted)
        }
        _ => false,
    });
    found.expect("an event with these bytes").seq
}

#[tokio::test]
async fn the_bytes_of_an_event_come_whole_or_in_ranges() {
    let server = TestServer::start();
    let client = server.client();
    story::tell(client).await;
    let path = format!("events/{}/payload", with_bytes(&client.events().await, story::AWKWARD));
    let total = story::AWKWARD.len();
    let whole = client.get(&path).await.response;
    assert_eq!((whole.status, whole.body.as_slice()), (200, story::AWKWARD));
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-disposition", "attachment"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(whole.header(name), Some(value), "what a stranger sent is never run or shown as a page");
    }
    let last = total - 1;
    for (range, from, to) in [
        ("bytes=0-4", 0, 4),
        ("bytes=2-", 2, last),
        ("bytes=-3", total - 3, last),
        ("bytes=1-99999", 1, last),
    ] {
        let part = client.ask(&client.request("GET", &path).header("Range", range)).await.response;
        assert_eq!((part.status, part.body.as_slice()), (206, &story::AWKWARD[from..=to]), "{range}");
        let said = format!("bytes {from}-{to}/{total}");
        assert_eq!(part.header("content-range"), Some(said.as_str()), "{range}");
    }
    for range in ["bytes=999-", "bytes=-0"] {
        let beyond = client.ask(&client.request("GET", &path).header("Range", range)).await.response;
        assert_eq!(beyond.status, 416, "{range}");
        assert!(beyond.text().contains("\"invalid_range\""), "{}", beyond.text());
        assert_eq!(beyond.header("content-range"), Some(format!("bytes */{total}").as_str()));
    }
    for range in ["bytes=0-1,3-4", "lines=0-1", "bytes=4-2"] {
        let passed_over = client.ask(&client.request("GET", &path).header("Range", range)).await.response;
        assert_eq!((passed_over.status, passed_over.body.len()), (200, total), "{range}");
    }
}

#[tokio::test]
async fn an_event_without_bytes_says_why() {
    let server = TestServer::start();
    let client = server.client();
    story::tell(client).await;
    client.get("events/1/payload").await.refused(404, Code::NoPayload);
    let unrecorded = client.events().await.into_iter().find(|event| match &event.fact {
        Fact::Sent { bytes, .. } | Fact::Received { bytes, .. } => bytes.payload_unrecorded,
        _ => false,
    });
    let seq = unrecorded.expect("a practice peer's call").seq;
    client.get(&format!("events/{seq}/payload")).await.refused(404, Code::NoPayload);
    for seq in ["0", "-1", "x", "1.0", "99999999999999999999999"] {
        client.get(&format!("events/{seq}/payload")).await.refused(404, Code::UnknownEvent);
    }
}

#[tokio::test]
async fn bytes_the_log_gave_up_are_gone_and_every_door_says_so() {
    let server = TestServer::with(&["--log-bytes", "4M"]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let mut stream = peer.accept().await;
    let reader = tokio::spawn(async move { peer::read(&mut stream, 8 << 20).await });
    let first = client.send_bytes(socket.id, &vec![1; 1 << 20]).await.seq;
    let mut last = first;
    for _ in 1..8 {
        last = client.send_bytes(socket.id, &vec![2; 1 << 20]).await.seq;
    }
    reader.await.expect("no panic");
    client.get(&format!("events/{first}/payload")).await.refused(410, Code::Evicted);
    let page = client.page(&format!("after={}&limit=1", first.0 - 1)).await;
    assert_eq!(page.gaps, [], "the event itself is kept");
    let Fact::Sent { bytes, len, .. } = &page.events[0].fact else { panic!("{page:?}") };
    assert!(bytes.payload_evicted && bytes.payload.is_none() && *len > 0, "{page:?}");
    let query = format!("after={}&binary=1", first.0 - 1);
    let mut viewer = server.viewer(&query).await;
    viewer.until_next(first).await;
    assert_eq!(viewer.events[0], page.events[0]);
    assert_eq!(client.get(&format!("events/{last}/payload")).await.status(), 200, "the newest are there");
}

#[tokio::test]
async fn an_export_is_a_file_and_takes_filters() {
    let server = TestServer::start();
    let client = server.client();
    let story = story::tell(client).await;
    for (query, kind, name) in [
        ("", "application/jsonl", "sockscope.jsonl"),
        ("?format=jsonl", "application/jsonl", "sockscope.jsonl"),
        ("?format=text", "text/plain; charset=utf-8", "sockscope.txt"),
    ] {
        let answer = client.get(&format!("export{query}")).await.response;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)));
        let disposition = format!("attachment; filename=\"{name}\"");
        assert_eq!(answer.header("content-disposition"), Some(disposition.as_str()));
    }
    let text = client.get("export?format=text").await.response.text();
    assert!(text.contains("68 65 6c 6c 6f") && text.contains("|hello|"), "a hex dump: {text}");
    assert!(text.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)), "and nothing raw");
    let of_one = client.get(&format!("export?socket={}&hidden=false", story.client)).await.response.text();
    let events: Vec<Event> = of_one.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events, client.events_after(Seq(0), &format!("socket={}", story.client)).await);
    for query in ["format=pcap", "socket=x", "nonsense=1"] {
        client.get(&format!("export?{query}")).await.refused(400, Code::InvalidQuery);
    }
}

#[tokio::test]
async fn an_empty_log_is_an_empty_export() {
    let server = TestServer::start();
    assert_eq!(server.client().get("export").await.response.body, b"");
    let page = server.client().get("events").await.value();
    assert_eq!((&page["first"], &page["head"], &page["events"]), (&json!(1), &json!(0), &json!([])));
}
