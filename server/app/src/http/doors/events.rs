//! Events over plain HTTP: short poll, long poll, SSE; export and trim.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{body::Body, extract::State, response::Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use sockscope_wire::{Code, Event, Gap, GapReason, Page, PayloadMode, Seq, TrimRequest};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::http::{
    App,
    answer::{Answer, No, ok},
    request::{Ask, Json, Metered, Room, ViewQuery, invalid, same_epoch},
};
use crate::{
    feed::{After, Cursor, STREAM_BATCH, Start},
    log::{Filter, Limits},
    pcapng::{Pcapng, Wanted},
    problem::{Saying as _, problem},
    text,
};

/// A page's default and largest number of events, and its most payload in bytes.
const PAGE: usize = 1000;
const MAX_PAGE: usize = 10_000;
const PAGE_BYTES: usize = 1 << 20;

/// The longest a long poll waits, in seconds.
const MAX_WAIT: f64 = 60.0;

/// How many captures may be taken away at once: each remembers what it has passed, about a MiB of a full log.
pub const CAPTURES: usize = 32;

/// How often a quiet SSE stream says that it lives.
const SSE_ALIVE: Duration = Duration::from_secs(15);

/// One page now, one as soon as there is something, or a stream.
pub(in crate::http) async fn events(
    State(app): State<App>,
    room: Room,
    Ask(query): Ask<ViewQuery>,
    metered: Metered,
    headers: HeaderMap,
) -> Answer {
    query.may_meter(&metered)?;
    let (mut start, filter, mode) = (query.start()?, query.filter()?, query.mode()?);
    if wants_stream(&headers) {
        query.may_give(&[])?;
        if let Some(last) = headers.get("last-event-id") {
            start = last_event_id(last)?;
        }
        let cursor = Cursor::new(&room.workspace, &start, filter, mode);
        return Ok(sse(hello(&room), cursor, app.ending.clone(), metered));
    }
    query.may_give(&["limit", "wait"])?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(No(invalid("limit", "1 to 10,000")));
    }
    let limits = Limits::new(limit, PAGE_BYTES);
    let mut cursor = Cursor::new(&room.workspace, &start, filter, mode);
    let batch = match query.wait {
        None => cursor.now(limits).await,
        Some(seconds) if (0.0..=MAX_WAIT).contains(&seconds) => {
            let batch = tokio::select! {
                batch = cursor.next(limits) => Some(batch),
                () = tokio::time::sleep(Duration::from_secs_f64(seconds)) => None,
                // The server ends: an empty page now is better than a cut connection.
                () = app.ending.cancelled() => None,
            };
            match batch {
                Some(batch) => batch,
                None => cursor.now(limits).await,
            }
        }
        Some(_) => return Err(No(invalid("wait", "0 to 60 seconds"))),
    };
    let page = batch.page();
    if let Metered(Some(meter)) = &metered {
        meter.polled(page.events.len(), page.next < page.head);
    }
    ok(&page)
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accepts.flat_map(|accept| accept.split(',')).any(|kind| {
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
    })
}

/// `EPOCH:SEQ`, or a bare SEQ.
fn last_event_id(value: &HeaderValue) -> Result<Start, No> {
    let parsed = value.to_str().ok().and_then(|id| {
        let (epoch, seq) =
            id.rsplit_once(':').map_or((None, id), |(epoch, seq)| (Some(epoch.to_owned()), seq));
        Some(Start { epoch, after: After::Seq(Seq(seq.parse().ok()?)) })
    });
    parsed.ok_or_else(|| No(invalid("Last-Event-ID", "EPOCH:SEQ")))
}

fn hello(room: &Room) -> String {
    let (first, head) = room.workspace.bounds();
    let hello = serde_json::json!({ "epoch": room.workspace.epoch(), "first": first, "head": head });
    format!("event: hello\ndata: {hello}\n\n")
}

fn sse(hello: String, cursor: Cursor, ending: CancellationToken, metered: Metered) -> Response {
    let first = stream::once(async move { Ok::<_, Infallible>(Bytes::from(hello)) });
    let rest = stream::unfold((cursor, ending, metered), |(mut cursor, ending, metered)| async move {
        let text = tokio::select! {
            batch = cursor.next(STREAM_BATCH) => {
                let page = batch.page();
                if let Metered(Some(meter)) = &metered {
                    meter.told(page.events.len());
                }
                sse_text(&page)
            }
            () = tokio::time::sleep(SSE_ALIVE) => ": alive\n\n".to_owned(),
            () = ending.cancelled() => return None,
        };
        Some((Ok(Bytes::from(text)), (cursor, ending, metered)))
    });
    streamed("text/event-stream", futures_util::StreamExt::chain(first, rest))
}

/// A page as SSE, in order: a gap or an event a message. JSON holds no line break, so each is one `data` line. Whoever
/// is cut anywhere resumes with the id of the last message and has missed nothing.
fn sse_text(page: &Page) -> String {
    let mut text = String::new();
    for told in in_order(page) {
        match told {
            Told::Gap(gap) => {
                let data = serde_json::to_string(gap).expect("a gap is JSON");
                // Where to go on after it. A cursor that did not belong here begins at the beginning, also when its
                // stream is cut right after it was told so.
                let to = if is_misplaced(gap) { Seq(0) } else { gap.to };
                text.push_str(&format!("event: gap\nid: {}:{to}\ndata: {data}\n\n", page.epoch));
            }
            Told::Event(event) => {
                let data = serde_json::to_string(event).expect("an event is JSON");
                text.push_str(&format!("id: {}:{}\ndata: {data}\n\n", page.epoch, event.seq));
            }
        }
    }
    text
}

/// One thing a page tells.
enum Told<'a> {
    Gap(&'a Gap),
    Event(&'a Event),
}

/// What a page tells, in the order of the log; first of all that the cursor did not belong here.
fn in_order(page: &Page) -> Vec<Told<'_>> {
    let (misplaced, gaps): (Vec<_>, Vec<_>) = page.gaps.iter().partition(|gap| is_misplaced(gap));
    let mut told: Vec<_> = gaps.into_iter().map(|gap| (gap.from, Told::Gap(gap))).collect();
    told.extend(page.events.iter().map(|event| (event.seq, Told::Event(event))));
    told.sort_by_key(|(seq, _)| *seq);
    misplaced.into_iter().map(Told::Gap).chain(told.into_iter().map(|(_, told)| told)).collect()
}

/// The gap speaks of a cursor of another log, not of this one's events.
fn is_misplaced(gap: &Gap) -> bool {
    matches!(gap.reason, GapReason::WrongEpoch | GapReason::BeyondHead)
}

fn streamed(
    kind: &'static str,
    stream: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
) -> Response {
    let mut response = Response::new(Body::from_stream(stream));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    // Proxies must hand events on as they come.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// What is taken away, and how.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Jsonl,
    Text,
    Pcapng,
}

/// What is taken away a line at a time.
#[derive(Debug, Clone, Copy)]
enum Lines {
    Jsonl,
    Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ExportQuery {
    format: Option<Format>,
    socket: Option<String>,
    hidden: Option<bool>,
    kernel: Option<bool>,
    follow: Option<bool>,
}

/// The log as it is now, to take away; a capture may go on.
pub(in crate::http) async fn export(
    State(app): State<App>,
    room: Room,
    Ask(query): Ask<ExportQuery>,
) -> Answer {
    let ExportQuery { socket, hidden, kernel, format, follow } = query;
    let view = ViewQuery { socket, hidden, kernel, ..ViewQuery::default() };
    let filter: Filter = view.filter()?;
    let lines = match (format.unwrap_or(Format::Jsonl), follow.unwrap_or(false)) {
        (Format::Pcapng, follow) => {
            let Filter { socket, types: _, without_hidden, without_kernel } = filter;
            let wanted = Wanted { socket, without_hidden, without_kernel, follow };
            let place = Arc::clone(&app.captures).try_acquire_owned().map_err(|_| {
                No(problem(Code::TooManyCaptures, "end another capture first").with("max", CAPTURES))
            })?;
            return Ok(capture(Pcapng::new(&room.workspace, wanted, app.ending.clone()), place));
        }
        (_, true) => return Err(No(invalid("follow", "for format=pcapng"))),
        (Format::Jsonl, false) => Lines::Jsonl,
        (Format::Text, false) => Lines::Text,
    };
    let (_, head) = room.workspace.bounds();
    let cursor = Cursor::new(&room.workspace, &Start::default(), filter, PayloadMode::Full);
    let stream = stream::unfold((cursor, false), move |(mut cursor, done)| async move {
        if done {
            return None;
        }
        let batch = cursor.now(STREAM_BATCH).await;
        let page = batch.page();
        // What is recorded while the export runs is left out: it ends.
        let text = exported(&page, head, lines);
        let done = page.next >= head || batch.is_empty();
        Some((Ok::<_, Infallible>(Bytes::from(text)), (cursor, done)))
    });
    Ok(match lines {
        Lines::Jsonl => attached("application/jsonl", "attachment; filename=\"sockscope.jsonl\"", stream),
        Lines::Text => {
            attached("text/plain; charset=utf-8", "attachment; filename=\"sockscope.txt\"", stream)
        }
    })
}

fn capture(pcapng: Pcapng, place: OwnedSemaphorePermit) -> Response {
    let stream = stream::unfold((pcapng, place), |(mut pcapng, place)| async move {
        Some((Ok(pcapng.next().await?), (pcapng, place)))
    });
    attached("application/x-pcapng", "attachment; filename=\"sockscope.pcapng\"", stream)
}

/// A stream to be kept as a file.
fn attached(
    kind: &'static str,
    disposition: &'static str,
    stream: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
) -> Response {
    let mut response = streamed(kind, stream);
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    response
}

fn exported(page: &Page, head: Seq, format: Lines) -> String {
    let mut text = String::new();
    for told in in_order(page) {
        match (told, format) {
            (Told::Gap(gap), _) if gap.from > head => {}
            (Told::Event(event), _) if event.seq > head => {}
            (Told::Gap(gap), Lines::Jsonl) => {
                let gap = serde_json::to_string(gap).expect("a gap is JSON");
                text.push_str(&format!("{{\"gap\":{gap}}}\n"));
            }
            (Told::Event(event), Lines::Jsonl) => {
                text.push_str(&serde_json::to_string(event).expect("an event is JSON"));
                text.push('\n');
            }
            (Told::Gap(gap), Lines::Text) => text.push_str(&text::gap_line(gap)),
            (Told::Event(event), Lines::Text) => text.push_str(&text::event_lines(event)),
        }
    }
    text
}

/// Clears the log up to a seq.
pub(in crate::http) async fn trim(room: Room, Json(request): Json<TrimRequest>) -> Answer {
    same_epoch(&room.workspace, request.epoch.as_deref())?;
    ok(&room.workspace.trim(request.up_to, &room.origin())?)
}
