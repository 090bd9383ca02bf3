//! What a meter says is what passed over the wire, held against a relay that counts.

use serde_json::json;
use sockscope_wire::{Clock, Code, Meter, MeterStarted, Seq};

use crate::{
    story,
    support::{http::ask as support_ask, *},
};

async fn start(client: &Client) -> String {
    let answer = client.post("meters", &json!({})).await;
    answer.to::<MeterStarted>().id
}

async fn figures(client: &Client, id: &str) -> Meter {
    client.get(&format!("meters/{id}")).await.ok()
}

/// A browser sends whatever it likes over whichever connection is free.
#[tokio::test]
async fn requests_that_share_a_connection_are_counted_apart_to_the_byte() {
    let server = TestServer::start();
    let client = server.client();
    story::tell(client).await;
    let proxy = Proxy::before(server.address()).await;
    let (a, b) = (start(client).await, start(client).await);
    let mut conn = Conn::connect(proxy.address()).await;
    let mut expected = [(0, 0); 3];
    let requests = [
        (0, format!("events?meter={a}")),
        (2, "sockets".to_owned()),
        (1, format!("events?limit=1&meter={b}")),
        (0, format!("events?after=head&meter={a}")),
        (2, "/api/v1/about".to_owned()),
        (1, format!("events?payload=none&type=sent&meter={b}")),
        (0, format!("events?after=head&wait=0.05&meter={a}")),
    ];
    let mut content = [0; 3];
    for (whose, path) in &requests {
        let before = proxy.bytes();
        let answer = conn.ask(&client.request("GET", path)).await.expect("kept open");
        assert_eq!(answer.status, 200, "{path}");
        // The whole answer is here, so the relay has counted all of it.
        let after = proxy.bytes();
        expected[*whose].0 += after.0 - before.0;
        expected[*whose].1 += after.1 - before.1;
        content[*whose] += answer.body.len() as u64;
    }
    for (index, (id, requests, empty, full)) in [(&a, 3, 2, 0), (&b, 2, 0, 1)].into_iter().enumerate() {
        let meter = figures(client, id).await;
        assert_eq!((meter.bytes_up, meter.bytes_down), expected[index], "{meter:?}");
        assert_eq!(meter.body_down, content[index], "the rest is headers: {meter:?}");
        assert_eq!((meter.requests, meter.empty_requests, meter.full_requests), (requests, empty, full));
        assert_eq!(meter.connections, 1);
        assert!(meter.cpu_us > 0, "{meter:?}");
        assert_eq!(meter.segments.data_up, requests, "each of these requests fits one segment: {meter:?}");
        assert!(meter.segments.data_down >= requests, "{meter:?}");
    }
}

#[tokio::test]
async fn a_question_whose_client_has_left_behind_it_is_counted() {
    let server = TestServer::start();
    let client = server.client();
    let id = start(client).await;
    let question = client.request("GET", &format!("events?after=head&meter={id}"));
    let mut expected = 0;
    for round in 0..50 {
        let mut conn = Conn::connect(server.address()).await;
        assert_eq!(conn.ask(&question).await.expect("an answer").status, 200);
        conn.send(&question.bytes()).await;
        conn.finish().await;
        drop(conn);
        expected += 2 * question.bytes().len() as u64;
        eventually("it is closed", async || figures(client, &id).await.open_connections == 0).await;
        assert_eq!(figures(client, &id).await.bytes_up, expected, "round {round}");
    }
}

#[tokio::test]
async fn streams_are_counted_to_the_byte_while_they_run() {
    let server = TestServer::start();
    let client = server.client();
    let head = story::tell(client).await.head;
    for binary in [false, true] {
        let proxy = Proxy::before(server.address()).await;
        let before = Client::new(proxy.address(), TOKEN);
        let (sse, ws) = (start(client).await, start(client).await);
        let mut stream = Sse::open(&before, &format!("meter={sse}"), None).await;
        stream.events(usize::try_from(head.0).expect("few")).await;
        let mut viewer = Viewer::connect(&before, &format!("binary={}&meter={ws}", u8::from(binary))).await;
        viewer.until_next(head).await;
        viewer.command("subscribe", json!({ "binary": binary })).await;
        let [streamed, viewed] = &proxy.connections()[..] else { panic!("two connections") };
        for (id, passed) in [(&sse, streamed), (&ws, viewed)] {
            eventually("the meter has what passed", async || {
                let meter = figures(client, id).await;
                (meter.bytes_up, meter.bytes_down) == passed.bytes()
            })
            .await;
            let meter = figures(client, id).await;
            assert_eq!((meter.requests, meter.connections, meter.open_connections), (1, 1, 1), "{meter:?}");
            assert_eq!(meter.events, head.0, "{meter:?}");
            assert!(
                meter.body_down < meter.bytes_down && meter.body_down > meter.bytes_down / 2,
                "{meter:?}"
            );
            assert!(meter.segments.data_up >= 1 && meter.segments.data_down >= 1 && meter.cpu_us > 0);
        }
        drop((stream, viewer));
        eventually("nothing is open any more", async || {
            figures(client, &sse).await.open_connections + figures(client, &ws).await.open_connections == 0
        })
        .await;
        for (id, passed) in [(&sse, streamed), (&ws, viewed)] {
            let meter = figures(client, id).await;
            assert_eq!((meter.bytes_up, meter.bytes_down), passed.bytes(), "to the close: {meter:?}");
        }
    }
}

/// A page mixes commands and metered polls on whichever connection is free: a body is its own request's cost.
#[tokio::test]
async fn what_others_send_on_the_same_connection_is_not_counted() {
    let server = TestServer::start();
    let client = server.client();
    let meter = start(client).await;
    let proxy = Proxy::before(server.address()).await;
    let mut conn = Conn::connect(proxy.address()).await;
    let poll = client.request("GET", &format!("events?meter={meter}"));
    let body = json!({ "open": "nonsense", "name": "n".repeat(50_000) }).to_string();
    let post = client.request("POST", "sockets").json(&body);
    let upgrade =
        client.request("GET", "/api/v1/about").header("Upgrade", "h2c").header("Connection", "upgrade");
    let mut expected = (0, 0);
    for (request, counted) in [(&poll, true), (&post, false), (&poll, true), (&upgrade, false), (&poll, true)]
    {
        let before = proxy.bytes();
        conn.ask(request).await.expect("kept open");
        let after = proxy.bytes();
        if counted {
            expected = (expected.0 + after.0 - before.0, expected.1 + after.1 - before.1);
        }
    }
    let counted = figures(client, &meter).await;
    assert_eq!((counted.bytes_up, counted.bytes_down), expected, "{counted:?}");
    assert_eq!(counted.requests, 3);
}

#[tokio::test]
async fn nobody_adds_to_a_meter_without_a_credential() {
    let server = TestServer::start();
    let client = server.client();
    let meter = start(client).await;
    let host = server.host();
    for (path, header) in [
        (format!("/?meter={meter}"), ("Accept", "*/*")),
        (format!("{}?meter={meter}", Client::path("events")), ("Accept", "*/*")),
        (format!("{}?meter={meter}", Client::path("events")), ("Origin", "http://evil.com")),
    ] {
        let request = Request::bare("GET", &path).header("Host", &host).header(header.0, header.1);
        support_ask(server.address(), &request).await;
    }
    let counted = figures(client, &meter).await;
    assert_eq!((counted.requests, counted.bytes_up, counted.bytes_down), (0, 0, 0), "{counted:?}");
}

#[tokio::test]
async fn a_meter_there_is_none_of_is_refused_at_every_door() {
    let server = TestServer::start();
    let client = server.client();
    for id in ["m1", "x", "", "m01"] {
        client.get(&format!("events?meter={id}")).await.refused(404, Code::UnknownMeter);
    }
    client.get("meters/m7").await.refused(404, Code::UnknownMeter);
    client.delete("meters/m7").await.refused(404, Code::UnknownMeter);
    let id = start(client).await;
    client.delete(&format!("meters/m0{}", &id[1..])).await.refused(404, Code::UnknownMeter);
    assert_eq!(client.get(&format!("events?meter={id}")).await.status(), 200);
    assert_eq!(client.delete(&format!("meters/{id}")).await.status(), 204);
    client.get(&format!("events?meter={id}")).await.refused(404, Code::UnknownMeter);
}

#[tokio::test]
async fn whoever_begins_meters_without_end_is_refused_and_ends_nobody_elses() {
    let server = TestServer::start();
    let client = server.client();
    let first = start(client).await;
    for _ in 1..256 {
        start(client).await;
    }
    client.post("meters", &json!({})).await.refused(429, Code::TooManyMeters);
    assert_eq!(client.get(&format!("meters/{first}")).await.ok::<Meter>().id, first);
    assert_eq!(client.delete(&format!("meters/{first}")).await.status(), 204);
    start(client).await;
}

#[tokio::test]
async fn the_clock_is_the_one_events_happen_by() {
    let server = TestServer::start();
    let client = server.client();
    let before: Clock = client.get("clock").await.ok();
    let socket = client.open("udp-bind://127.0.0.1:0").await;
    let after: Clock = client.get("clock").await.ok();
    assert_eq!(before.epoch, client.epoch().await);
    let events = client.events_after(Seq(0), &format!("socket={}", socket.id)).await;
    assert!(events.iter().all(|event| (before.now_us..=after.now_us).contains(&event.t_us)), "{events:?}");
    assert_eq!(after.head.0, before.head.0 + events.len() as u64);
}
