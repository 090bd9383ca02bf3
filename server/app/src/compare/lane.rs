//! The four lanes: ways events reach a client, each used as any client would use it.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use http::{HeaderValue, header};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use sockscope_wire::{Event, Fact, Gap, Lane, Page, Seq, ServerFrame, SocketId};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use super::{
    link::{Http, Place, body},
    predict::LONG_POLL_S,
};

/// What is followed, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Following {
    /// Where the server is.
    pub place: Place,
    /// By which way.
    pub lane: Lane,
    /// Which socket's received bytes.
    pub socket: SocketId,
    /// After which seq.
    pub after: Seq,
    /// Under which meter.
    pub meter: Option<String>,
    /// How often a short poll asks.
    pub poll_interval: Duration,
}

/// What a lane tells, as it comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Told {
    /// It is connected: from here on nothing of the source is missed.
    Ready,
    /// Bytes of the stream, from an offset on; had at that moment.
    Bytes {
        /// Where they begin.
        offset: u64,
        /// How many.
        len: u64,
        /// When the program had them.
        at: Instant,
        /// When the server read them, on its clock.
        read_us: u64,
    },
    /// The stream ended after so many bytes.
    End(u64),
    /// History was given up before it came.
    Lost,
}

/// Follows a socket until the future is dropped or something breaks.
///
/// # Errors
/// When the server cannot be reached, refuses, or says what is not understood.
pub(super) async fn follow(following: &Following, tell: &mut (dyn FnMut(Told) + Send)) -> anyhow::Result<()> {
    match following.lane {
        Lane::ShortPoll | Lane::LongPoll => poll(following, tell).await,
        Lane::Sse => stream(following, tell).await,
        Lane::Websocket => web_socket(following, tell).await,
    }
}

impl Following {
    pub(super) fn query(&self, door: &str, after: Seq) -> String {
        let Self { socket, meter, .. } = self;
        let meter = meter.as_ref().map_or(String::new(), |meter| format!("&meter={meter}"));
        Place::path(&format!("{door}?after={after}&socket={socket}&type=received,eof{meter}"))
    }
}

async fn poll(following: &Following, tell: &mut (dyn FnMut(Told) + Send)) -> anyhow::Result<()> {
    let mut http = Http::new(&following.place);
    let mut after = following.after;
    let mut pace = interval(following.poll_interval);
    // A poll that is late does not make the next one early: the rate is fixed, not made up for.
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut first = true;
    loop {
        let mut path = following.query("events", after);
        if following.lane == Lane::LongPoll {
            path.push_str(&format!("&wait={LONG_POLL_S}"));
            if std::mem::take(&mut first) {
                // So that the connection is there when the first message is sent.
                http.prepare().await?;
                tell(Told::Ready);
            }
        } else {
            pace.tick().await;
        }
        // A page that ended at a limit is continued at once.
        loop {
            let page: Page =
                serde_json::from_slice(&body(http.get(&path, "application/json").await?).await?)?;
            let at = Instant::now();
            lost(&page.gaps, tell);
            page.events.iter().for_each(|event| heard(event, at, tell));
            after = page.next;
            if following.lane == Lane::ShortPoll && std::mem::take(&mut first) {
                tell(Told::Ready);
            }
            if following.lane == Lane::LongPoll || page.next >= page.head {
                break;
            }
            path = following.query("events", after);
        }
    }
}

async fn stream(following: &Following, tell: &mut (dyn FnMut(Told) + Send)) -> anyhow::Result<()> {
    let mut http = Http::new(&following.place);
    let answer = http.get(&following.query("events", following.after), "text/event-stream").await?;
    ensure!(answer.status().is_success(), "the stream was refused: {}", answer.status());
    let mut chunks = answer.into_body();
    let mut unread = BytesMut::new();
    while let Some(frame) = chunks.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let at = Instant::now();
        unread.extend_from_slice(&data);
        while let Some(end) = unread.windows(2).position(|pair| pair == b"\n\n") {
            let message = unread.split_to(end + 2);
            message_heard(std::str::from_utf8(&message)?, at, tell)?;
        }
    }
    bail!("the stream ended")
}

/// One message of a stream: the hello, an event, a gap, or a sign of life.
fn message_heard(message: &str, at: Instant, tell: &mut (dyn FnMut(Told) + Send)) -> anyhow::Result<()> {
    let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name));
    match (field("event: "), field("data: ")) {
        (Some("hello"), _) => tell(Told::Ready),
        (Some("gap"), _) => tell(Told::Lost),
        (None, Some(data)) => heard(&serde_json::from_str(data)?, at, tell),
        _ => {}
    }
    Ok(())
}

async fn web_socket(following: &Following, tell: &mut (dyn FnMut(Told) + Send)) -> anyhow::Result<()> {
    let stream = following.place.connect().await?;
    let url = format!("ws://{}{}", following.place.address, following.query("ws", following.after));
    let mut request = url.into_client_request()?;
    if let Some(token) = &following.place.token {
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"))?;
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
    }
    let (mut frames, _) = client_async(request, stream).await.context("the upgrade was refused")?;
    while let Some(frame) = frames.next().await {
        let Message::Text(text) = frame? else { continue };
        let at = Instant::now();
        match serde_json::from_str(&text)? {
            ServerFrame::Hello { .. } => tell(Told::Ready),
            ServerFrame::Page(page) => {
                lost(&page.gaps, tell);
                page.events.iter().for_each(|event| heard(event, at, tell));
            }
            ServerFrame::Reply(_) => {}
        }
    }
    bail!("the WebSocket ended")
}

fn lost(gaps: &[Gap], tell: &mut (dyn FnMut(Told) + Send)) {
    if !gaps.is_empty() {
        tell(Told::Lost);
    }
}

fn heard(event: &Event, at: Instant, tell: &mut (dyn FnMut(Told) + Send)) {
    match &event.fact {
        Fact::Received { len, offset: Some(offset), .. } => {
            let (offset, len) = (*offset, u64::from(*len));
            tell(Told::Bytes { offset, len, at, read_us: event.t_us });
        }
        Fact::Eof { offset } => tell(Told::End(*offset)),
        _ => {}
    }
}
