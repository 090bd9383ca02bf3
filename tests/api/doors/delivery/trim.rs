//! Clearing the log: for everybody, and never silently.

use serde_json::{Value, json};
use sockscope_wire::{Code, Fact, Gap, GapReason, Seq, TrimAnswer};

use crate::{story, support::*};

#[tokio::test]
async fn what_was_cleared_is_a_gap_at_every_door() {
    let server = TestServer::start();
    let client = server.client();
    story::tell(client).await;
    let before = client.events().await;
    let trimmed: TrimAnswer = client.post("log/trim", &json!({ "up_to": 5 })).await.ok();
    assert_eq!((trimmed.first, trimmed.trimmed), (Seq(6), 5));
    let head = trimmed.head;
    let gap = Gap { from: Seq(1), to: Seq(5), shelf: None, reason: GapReason::Trimmed };
    let page = client.page("").await;
    assert_eq!((page.first, page.head, &page.gaps), (Seq(6), head, &vec![gap.clone()]));
    assert_eq!(page.events[..before.len() - 5], before[5..]);
    let note = page.events.last().expect("a note");
    assert!(
        matches!(&note.fact, Fact::Note(note) if note.code == Code::LogTrimmed),
        "who cleared it is a fact"
    );
    assert_eq!((note.by.as_deref(), note.cause.is_some()), (Some("local"), true));
    for query in ["", "binary=1"] {
        let mut viewer = server.viewer(query).await;
        assert_eq!(viewer.hello.first, Seq(6));
        viewer.until_next(head).await;
        assert_eq!((&viewer.gaps, &viewer.events), (&page.gaps, &page.events));
    }
    let mut sse = Sse::open(client, "", None).await;
    let said = sse.next().await.expect("a message");
    assert_eq!((said.as_gap(), said.seq()), (Some(gap.clone()), Seq(5)));
    assert_eq!(sse.events(page.events.len()).await, page.events);
    let mut export = client.get("export").await.response.text();
    let rest = export.split_off(export.find('\n').expect("lines"));
    assert_eq!(serde_json::from_str::<Value>(&export).expect("JSON"), json!({ "gap": gap }));
    assert_eq!(rest.trim().lines().count(), page.events.len());
    client.get("events/5/payload").await.refused(410, Code::Evicted);
    assert_eq!(client.page("after=5").await.gaps, [], "who was past it has lost nothing");
    let part = client.page("after=3").await;
    assert_eq!(part.gaps, [Gap { from: Seq(4), ..gap }]);
}

#[tokio::test]
async fn clearing_everything_leaves_the_sockets_and_the_seq() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let mut stream = peer.accept().await;
    let mut follower = server.viewer("").await;
    let head = client.head().await;
    follower.until_next(head).await;
    let trimmed: TrimAnswer = client.post("log/trim", &json!({ "up_to": head })).await.ok();
    assert_eq!((trimmed.first, trimmed.head, trimmed.trimmed), (head.next(), head.next(), head.0));
    client.send(socket.id, "still here").await;
    assert_eq!(peer::read(&mut stream, 10).await, b"still here");
    follower.until_next(client.head().await).await;
    assert_eq!(follower.gaps, [], "who follows has seen it all");
    for (event, seq) in follower.events.iter().zip(1..) {
        assert_eq!(event.seq, Seq(seq), "seq goes on");
    }
    let again: TrimAnswer = client.post("log/trim", &json!({ "up_to": 1 })).await.ok();
    assert_eq!((again.first, again.trimmed), (head.next(), 0), "what is gone cannot go again");
}

#[tokio::test]
async fn a_viewer_that_was_overtaken_hears_of_it() {
    let server = TestServer::start();
    let client = server.client();
    let mut viewer = server.viewer("").await;
    viewer.command("subscribe", json!({ "paused": true })).await;
    let head = story::tell(client).await.head;
    client.post("log/trim", &json!({ "up_to": head })).await.ok::<TrimAnswer>();
    viewer.command("subscribe", json!({})).await;
    viewer.until_next(head.next()).await;
    let gap = Gap { from: Seq(1), to: head, shelf: None, reason: GapReason::Trimmed };
    assert_eq!((viewer.gaps, viewer.events.len()), (vec![gap], 1));
}
