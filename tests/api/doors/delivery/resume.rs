//! Coming back: nothing missing, nothing twice, and never silence about what cannot be had.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use sockscope_wire::{Code, Event, Gap, GapReason, Seq};

use crate::{story, support::*};

/// Repeatable chance (xorshift64*); the seed is part of the test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// Sends numbered datagrams to an address until told to stop.
fn talk(to: String, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let peer = UdpPeer::bind().await;
        let mut pace = tokio::time::interval(Duration::from_millis(1));
        for number in 0_u64.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            if number % 4 == 0 {
                pace.tick().await;
            }
            peer.send(format!("datagram {number} {}", "x".repeat((number % 300) as usize)).as_bytes(), &to)
                .await;
        }
    })
}

/// Leaves without a word: the server is writing. Half of the time with a RST.
fn cut(stream: tokio::net::TcpStream, dice: &mut Dice) {
    if dice.below(2) == 0 {
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    }
    drop(stream);
}

#[track_caller]
fn unbroken(by: &str, told: &[Event], truth: &[Event]) {
    for (at, (told, seq)) in told.iter().zip(1..).enumerate() {
        assert_eq!(told.seq, Seq(seq), "by {by}: a gap or a duplicate at {at}");
    }
    assert!(told == truth, "by {by}: {} events of {}", told.len(), truth.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_cuts_lose_nothing_and_repeat_nothing() {
    let server = TestServer::start();
    let client = server.client();
    let bound = client.open("udp-bind://127.0.0.1:0").await;
    let stop = Arc::new(AtomicBool::new(false));
    let talking = talk(bound.local.expect("an address"), Arc::clone(&stop));
    let mut dice = Dice(0x5eed_0001);
    let epoch = client.epoch().await;

    let (mut seen, mut next) = (Vec::new(), Seq(0));
    for number in 0..50 {
        let query = format!("after={next}&epoch={epoch}&binary={}", number % 2);
        let mut viewer = server.viewer(&query).await;
        for _ in 0..dice.below(6) {
            within("a frame of the stream", viewer.hear()).await;
        }
        assert_eq!(viewer.gaps, []);
        next = next.max(viewer.next);
        seen.append(&mut viewer.events);
        cut(viewer.into_stream(), &mut dice);
    }

    let (mut streamed, mut last) = (Vec::new(), format!("{epoch}:0"));
    for number in 0..50 {
        // A bare seq is as good.
        let id =
            if number % 2 == 0 { last.clone() } else { last.rsplit(':').next().expect("a seq").to_owned() };
        let mut sse = Sse::open(client, "", Some(&id)).await;
        for _ in 0..dice.below(300) {
            let message = sse.next().await.expect("the stream goes on");
            streamed.push(message.as_event().expect("no gap"));
            last = message.id;
        }
        cut(sse.into_conn().into_stream(), &mut dice);
    }

    stop.store(true, Ordering::Relaxed);
    talking.await.expect("no panic");
    client.close(bound.id).await;
    let truth = client.events().await;
    let head = truth.last().expect("events").seq;
    assert!(head > Seq(1000), "enough happened: {head}");

    let mut viewer = server.viewer(&format!("after={next}&epoch={epoch}")).await;
    viewer.until_next(head).await;
    seen.append(&mut viewer.events);
    unbroken("WebSocket", &seen, &truth);

    let rest = truth.len() - streamed.len();
    let mut sse = Sse::open(client, "", Some(&last)).await;
    streamed.extend(sse.events(rest).await);
    unbroken("SSE", &streamed, &truth);
}

#[tokio::test]
async fn a_seq_of_another_log_is_a_gap_and_everything_from_the_beginning() {
    let server = TestServer::start();
    let client = server.client();
    let head = story::tell(client).await.head;
    let truth = client.events().await;
    let cases = [
        (
            "after=5&epoch=another",
            Gap { from: Seq(1), to: Seq(5), shelf: None, reason: GapReason::WrongEpoch },
        ),
        (
            &format!("after={}", head.0 + 7),
            Gap { from: head.next(), to: Seq(head.0 + 7), shelf: None, reason: GapReason::BeyondHead },
        ),
    ];
    for (query, gap) in cases {
        for query in [query.to_owned(), format!("{query}&wait=30")] {
            let page = client.page(&query).await;
            assert_eq!((page.gaps, page.events == truth), (vec![gap.clone()], true), "{query}");
        }
        for query in [query.to_owned(), format!("{query}&binary=1")] {
            let mut viewer = server.viewer(&query).await;
            viewer.until_next(head).await;
            assert_eq!((&viewer.gaps, viewer.events == truth), (&vec![gap.clone()], true), "{query}");
        }
        let mut sse = Sse::open(client, query, None).await;
        assert_eq!(sse.next().await.expect("a message").as_gap(), Some(gap), "{query}");
        assert!(sse.events(truth.len()).await == truth, "{query}");
    }
    let fine = client.page(&format!("after={head}&epoch={}", client.epoch().await)).await;
    assert_eq!((fine.gaps.len(), fine.events.len()), (0, 0), "the head of this log is no gap");
    assert_eq!(client.page("epoch=another").await.gaps, [], "who begins at the beginning has missed nothing");
}

#[tokio::test]
async fn a_stream_cut_right_after_it_said_wrong_epoch_still_misses_nothing() {
    let server = TestServer::start();
    let client = server.client();
    story::tell(client).await;
    let truth = client.events().await;
    let mut sse = Sse::open(client, "", Some("another:5")).await;
    let said = sse.next().await.expect("a message");
    assert_eq!(said.as_gap().expect("a gap").reason, GapReason::WrongEpoch);
    let mut again = Sse::open(client, "", Some(&said.id)).await;
    assert!(again.events(truth.len()).await == truth, "from the beginning");
}

#[tokio::test]
async fn elsewhere_a_seq_of_another_log_is_a_conflict() {
    let server = TestServer::start();
    let client = server.client();
    let head = story::tell(client).await.head;
    let beyond = head.0 + 1;
    let trim = json!({ "up_to": 1, "epoch": "another" });
    client.post("log/trim", &trim).await.refused(409, Code::WrongEpoch);
    let trim = json!({ "up_to": beyond, "epoch": client.epoch().await });
    client.post("log/trim", &trim).await.refused(409, Code::BeyondHead);
    client.get("events/5/payload?epoch=another").await.refused(409, Code::WrongEpoch);
    client.get(&format!("events/{beyond}/payload")).await.refused(409, Code::BeyondHead);
    assert_eq!(client.head().await, head, "and nothing was recorded about it");
}

#[tokio::test]
async fn a_last_event_id_that_is_none_is_refused() {
    let server = TestServer::start();
    let client = server.client();
    for id in ["", "x", "epoch:", "epoch:x", "-1", "1.5", "99999999999999999999999"] {
        let request = client.request("GET", "events").header("Accept", "text/event-stream");
        client.ask(&request.header("Last-Event-ID", id)).await.refused(400, Code::InvalidQuery);
    }
    for after in ["x", "-1", "1.5", "", "tail"] {
        client.get(&format!("events?after={after}")).await.refused(400, Code::InvalidQuery);
    }
}
