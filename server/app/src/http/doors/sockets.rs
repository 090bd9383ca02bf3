//! Sockets: list, open, send, half-close, close.

use std::time::Duration;

use axum::extract::Request;
use http::StatusCode;
use serde::Deserialize;
use sockscope_wire::{HttpRequest, OpenRequest, PatchSocket, SendRequest, ShutdownRequest};

use crate::ask::data;
use crate::http::{
    answer::{Answer, No, done, json, ok},
    request::{Ask, BODY, Json, Named, Room, body, invalid, is_json, parse, same_epoch},
};

/// How long a send waits for the kernel unless asked otherwise, and at most.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_SEND_TIMEOUT: f64 = 60.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct ListQuery {
    hidden: Option<bool>,
}

/// Lists them.
pub(in crate::http) async fn list(room: Room, Ask(query): Ask<ListQuery>) -> Answer {
    ok(&room.workspace.list(query.hidden == Some(true)))
}

/// Opens one; answers once it is open. A client that leaves cancels it.
pub(in crate::http) async fn open(room: Room, Json(request): Json<OpenRequest>) -> Answer {
    let socket = room.workspace.open(&room.order(), &request)?.opened().await?;
    Ok(json(StatusCode::CREATED, &socket))
}

/// One socket.
pub(in crate::http) async fn one(room: Room, Named(id): Named) -> Answer {
    ok(&room.workspace.socket(id)?)
}

/// Renames it or sets options.
pub(in crate::http) async fn change(
    room: Room,
    Named(id): Named,
    Json(request): Json<PatchSocket>,
) -> Answer {
    ok(&room.workspace.patch_and_wait(&room.order(), id, &request).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct CloseQuery {
    reset: Option<bool>,
    children: Option<bool>,
    epoch: Option<String>,
}

/// Closes it; removes it when it is closed already.
pub(in crate::http) async fn close(room: Room, Named(id): Named, Ask(query): Ask<CloseQuery>) -> Answer {
    same_epoch(&room.workspace, query.epoch.as_deref())?;
    let (reset, children) = (query.reset == Some(true), query.children == Some(true));
    room.workspace.close_and_wait(&room.order(), id, reset, children).await?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SendQuery {
    to: Option<String>,
    timeout: Option<f64>,
}

/// Sends bytes: JSON in one of four spellings, or the body as it is. Answers once the kernel has all of them.
pub(in crate::http) async fn send(
    room: Room,
    Named(id): Named,
    Ask(query): Ask<SendQuery>,
    request: Request,
) -> Answer {
    let json = is_json(&request);
    let whole = body(request).await?;
    let (request, bytes) = if json {
        let mut request: SendRequest = parse(&whole)?;
        if let Some(to) = query.to {
            request.to.get_or_insert(to);
        }
        let bytes = data(&request)?;
        (request, bytes)
    } else {
        (SendRequest { to: query.to, ..SendRequest::default() }, whole.to_vec())
    };
    let timeout = match (query.timeout, request.timeout_ms) {
        (Some(seconds), _) if (0.0..=MAX_SEND_TIMEOUT).contains(&seconds) => Duration::from_secs_f64(seconds),
        (Some(_), _) => return Err(No(invalid("timeout", "0 to 60 seconds"))),
        (None, Some(ms)) if ms <= 60_000 => Duration::from_millis(u64::from(ms)),
        (None, Some(_)) => return Err(No(invalid("timeout_ms", "0 to 60,000"))),
        (None, None) => SEND_TIMEOUT,
    };
    debug_assert!(bytes.len() <= BODY, "a spelling never yields more bytes than it has");
    ok(&room.workspace.send_and_wait(&room.order(), id, &request, bytes, timeout).await?)
}

/// Half-closes it.
pub(in crate::http) async fn shutdown(
    room: Room,
    Named(id): Named,
    Json(request): Json<ShutdownRequest>,
) -> Answer {
    let sockscope_wire::How::Write = request.how;
    ok(&room.workspace.shutdown_and_wait(&room.order(), id).await?)
}

/// Asks over a recorded socket as an HTTP client does.
pub(in crate::http) async fn fetch(room: Room, Json(request): Json<HttpRequest>) -> Answer {
    ok(&room.workspace.fetch(&room.order(), &request).await?)
}
