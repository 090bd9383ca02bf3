//! Limits, filters, payload modes, waiting.

use std::time::{Duration, Instant};

use serde_json::json;
use sockscope_wire::{Code, Event, Fact, Page, Seq};

use crate::{story, support::*};

/// The bytes a page carries.
fn payload(page: &Page) -> usize {
    page.events.iter().filter_map(payload_of).sum()
}

fn payload_of(event: &Event) -> Option<usize> {
    match &event.fact {
        Fact::Sent { bytes, .. } | Fact::Received { bytes, .. } => Some(bytes.payload.as_ref()?.0.len()),
        _ => None,
    }
}

#[tokio::test]
async fn a_page_ends_at_its_limit_and_says_where_to_go_on() {
    let server = TestServer::start();
    let client = server.client();
    let head = story::tell(client).await.head;
    let one = client.page("limit=1").await;
    assert_eq!((one.events.len(), one.next, one.head), (1, Seq(1), head));
    let two = client.page("after=1&limit=2").await;
    let seqs: Vec<_> = two.events.iter().map(|event| event.seq.0).collect();
    assert_eq!((seqs, two.next), (vec![2, 3], Seq(3)));
    let new = client.page("after=head").await;
    assert_eq!((new.events.len(), new.next, new.gaps.len()), (0, head, 0));
    let all = client.page("").await;
    assert_eq!((all.events.len() as u64, all.next, all.first), (head.0, head, Seq(1)));
    for limit in ["0", "10001", "-1", "many", ""] {
        client.get(&format!("events?limit={limit}")).await.refused(400, Code::InvalidQuery);
    }
    assert_eq!(client.get("events?limit=10000").await.status(), 200);
}

#[tokio::test]
async fn filters_leave_events_out_and_the_cursor_goes_past_them() {
    let server = TestServer::start();
    let client = server.client();
    let story = story::tell(client).await;
    let all = client.events().await;
    let kind = |event: &Event| serde_json::to_value(event).expect("JSON")["type"].as_str().map(str::to_owned);
    let hidden: Vec<_> =
        client.sockets().await.sockets.iter().filter(|s| s.practice.is_some()).map(|s| s.id).collect();
    assert!(hidden.len() >= 2, "the practice peer and its connection");
    let socket = story.client;
    let wanted = |query: &str, want: &dyn Fn(&Event) -> bool| {
        let want: Vec<Event> = all.iter().filter(|event| want(event)).cloned().collect();
        assert!(!want.is_empty() && want.len() < all.len(), "{query} leaves some out");
        (query.to_owned(), want)
    };
    for (query, want) in [
        wanted(&format!("socket={socket}"), &|event| event.socket == Some(socket)),
        wanted("type=sent", &|event| kind(event).as_deref() == Some("sent")),
        wanted("type=sent,received", &|event| {
            matches!(event.fact, Fact::Sent { .. } | Fact::Received { .. })
        }),
        wanted("hidden=false", &|event| event.socket.is_none_or(|id| !hidden.contains(&id))),
        wanted(&format!("socket={socket}&type=closed"), &|event| {
            event.socket == Some(socket) && kind(event).as_deref() == Some("closed")
        }),
    ] {
        let page = client.page(&query).await;
        assert_eq!(page.events, want, "{query}");
        assert_eq!(page.next, story.head, "{query}: past what was left out");
        assert_eq!(client.events_after(Seq(0), &format!("{query}&limit=2")).await, want, "{query} in pages");
        let mut viewer = server.viewer(&query).await;
        viewer.until(&query, |viewer| viewer.events.len() >= want.len()).await;
        assert_eq!(viewer.events, want, "{query} on the WebSocket");
        let mut sse = Sse::open(client, &query, None).await;
        assert_eq!(sse.events(want.len()).await, want, "{query} as SSE");
    }
    for query in
        ["socket=1", "socket=s0", "type=nonsense", "type=", "type=sent,", "hidden=maybe", "nonsense=1"]
    {
        client.get(&format!("events?{query}")).await.refused(400, Code::InvalidQuery);
    }
    assert_eq!(client.page("socket=s999").await.next, story.head, "a socket nobody knows has no events");
}

#[tokio::test]
async fn a_payload_is_cut_or_left_out_as_asked() {
    let server = TestServer::start();
    let client = server.client();
    let head = story::tell(client).await.head;
    let full = client.events().await;
    for (query, most) in [("payload=full", usize::MAX), ("payload=preview:4", 4), ("payload=preview:0", 0)] {
        let page = client.page(query).await;
        for (event, full) in page.events.iter().zip(&full) {
            let (Fact::Sent { bytes, len, .. } | Fact::Received { bytes, len, .. }) = &event.fact else {
                assert_eq!(event, full);
                continue;
            };
            let (Fact::Sent { bytes: whole, .. } | Fact::Received { bytes: whole, .. }) = &full.fact else {
                panic!("{full:?}")
            };
            let Some(whole) = &whole.payload else { continue };
            let cut = whole.0.len() > most;
            assert_eq!((*len as usize, bytes.payload_preview), (whole.0.len(), cut), "{query}");
            let there = bytes.payload.as_ref().map_or(&[][..], |payload| &payload.0);
            assert_eq!(there, &whole.0[..whole.0.len().min(most)], "{query}");
        }
    }
    for door in ["text", "binary"] {
        let mut viewer = server.viewer(&format!("payload=none&binary={}", u8::from(door == "binary"))).await;
        viewer.until_next(head).await;
        assert!(viewer.events.iter().all(|event| payload_of(event).is_none()), "{door}");
    }
    for mode in ["half", "preview", "preview:", "preview:-1", "preview:x", "", "Full"] {
        client.get(&format!("events?payload={mode}")).await.refused(400, Code::InvalidQuery);
    }
}

#[tokio::test]
async fn a_page_carries_at_most_a_mebibyte_but_at_least_one_event() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let mut stream = peer.accept().await;
    let reader = tokio::spawn(async move { peer::read(&mut stream, 3 << 20).await });
    let part: Vec<u8> = (0..1 << 20).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for _ in 0..3 {
        client.send_bytes(socket.id, &part).await;
    }
    let sent = reader.await.expect("no panic");
    let (mut after, mut told, mut pages) = (Seq(0), Vec::new(), 0);
    loop {
        let page = client.page(&format!("after={after}&limit=10000")).await;
        assert!(payload(&page) <= 1 << 20 || page.events.len() == 1, "{} bytes", payload(&page));
        assert!(!page.events.is_empty());
        for event in &page.events {
            if let Fact::Sent { bytes, .. } = &event.fact {
                told.extend_from_slice(&bytes.payload.as_ref().expect("kept").0);
            }
        }
        pages += 1;
        after = page.next;
        if page.next >= page.head {
            break;
        }
    }
    assert!(pages >= 3, "{pages} pages");
    assert!(told == sent && sent == [&part[..], &part, &part].concat(), "every byte, in order");
}

#[tokio::test]
async fn a_long_poll_answers_as_soon_as_there_is_one() {
    let server = TestServer::start();
    let client = server.client();
    let bound = client.open("udp-bind://127.0.0.1:0").await;
    let other = client.open("udp-bind://127.0.0.1:0").await;
    let head = client.head().await;
    let waiting = tokio::spawn({
        let (client, query) = (client.clone(), format!("after={head}&wait=60&socket={}", bound.id));
        async move {
            let begun = Instant::now();
            (client.page(&query).await, begun.elapsed())
        }
    });
    let peer = UdpPeer::bind().await;
    peer.send(b"not for it", &other.local.expect("an address")).await;
    eventually("the other's datagram is recorded", async || client.head().await > head).await;
    assert!(!waiting.is_finished(), "an event it does not want is no answer");
    peer.send(b"for it", &bound.local.expect("an address")).await;
    let (page, took) = waiting.await.expect("no panic");
    assert!(took < Duration::from_secs(20), "long before the 60 s: {took:?}");
    assert_eq!(page.events.len(), 1);
    assert!(matches!(page.events[0].fact, Fact::Received { len: 6, .. }), "{page:?}");
}

#[tokio::test]
async fn a_long_poll_without_events_answers_an_empty_page_in_time() {
    let server = TestServer::start();
    let client = server.client();
    for wait in ["0", "0.05", "1"] {
        let begun = Instant::now();
        let page = client.page(&format!("after=head&wait={wait}")).await;
        assert_eq!((page.events.len(), page.next), (0, page.head));
        let least: f64 = wait.parse().expect("a number");
        assert!(begun.elapsed() >= Duration::from_secs_f64(least), "not before {wait} s");
    }
    for wait in ["61", "-1", "NaN", "inf", "soon", ""] {
        client.get(&format!("events?wait={wait}")).await.refused(400, Code::InvalidQuery);
    }
}

#[tokio::test]
async fn a_viewer_changes_what_it_wants_while_it_looks() {
    let server = TestServer::start();
    let client = server.client();
    let story = story::tell(client).await;
    let all = client.events().await;
    let mut viewer = server.viewer("type=note&after=head").await;
    let again = json!({ "types": ["eof", "sent"], "after": 0, "payload": "preview:2", "binary": true });
    let reply = viewer.command("subscribe", again).await;
    assert_eq!(reply.problem, None);
    let want: Vec<_> = all
        .iter()
        .filter(|event| matches!(event.fact, Fact::Eof { .. } | Fact::Sent { .. }))
        .map(|event| event.seq)
        .collect();
    viewer.until("what it asked for", |viewer| viewer.events.len() >= want.len()).await;
    assert_eq!(viewer.events.iter().map(|event| event.seq).collect::<Vec<_>>(), want);
    assert!(viewer.events.iter().filter_map(payload_of).all(|len| len <= 2));
    let socket = json!({ "socket": story.client, "types": ["opening"], "after": 0 });
    viewer.command("subscribe", socket).await;
    viewer.until_event("the client's opening", |event| event.socket == Some(story.client)).await;
    viewer.command("subscribe", json!({ "paused": true, "after": 0 })).await;
    let heard = viewer.events.len();
    client.open("udp-bind://127.0.0.1:0").await;
    // A second command is answered behind anything that would have been sent because of the first.
    viewer.command("subscribe", json!({ "paused": true })).await;
    assert_eq!(viewer.events.len(), heard, "a paused viewer hears nothing");
    viewer.command("subscribe", json!({ "after": story.head })).await;
    viewer.until_next(client.head().await).await;
    assert!(viewer.events[heard..].iter().all(|event| event.seq > story.head));
}
