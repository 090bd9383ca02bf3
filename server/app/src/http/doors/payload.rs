//! The bytes of one event, with Range (RFC 9110 §14).

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use sockscope_wire::Code;

use crate::http::{
    answer::{Answer, No},
    request::{Ask, At, Room, same_epoch},
};
use crate::{
    ask::number,
    log::Stored,
    problem::{Saying as _, problem},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct PayloadQuery {
    pub(super) epoch: Option<String>,
}

/// Serves them as an attachment nothing will execute: they are whatever a stranger sent.
pub(in crate::http) async fn payload(
    room: Room,
    At(seq): At,
    Ask(query): Ask<PayloadQuery>,
    headers: HeaderMap,
) -> Answer {
    same_epoch(&room.workspace, query.epoch.as_deref())?;
    let bytes = match room.workspace.record(seq)?.payload {
        Stored::Kept(bytes) => Bytes::from_owner(bytes),
        Stored::Evicted => {
            return Err(No(problem(Code::Evicted, "the log was full: its bytes were given up")));
        }
        Stored::None | Stored::Unrecorded => return Err(No(problem(Code::NoPayload, "it carries no bytes"))),
    };
    Ok(respond(bytes, headers.get(header::RANGE)))
}

fn respond(bytes: Bytes, range: Option<&HeaderValue>) -> Response {
    let total = bytes.len();
    let asked = range.and_then(|range| range.to_str().ok()).map(|range| parse(range, total));
    let mut response = match asked {
        // A range that is not understood is passed over (RFC 9110 §14.2).
        None | Some(Asked::Unknown) => Response::new(Body::from(bytes)),
        Some(Asked::Beyond) => {
            let refused = problem(Code::InvalidRange, format!("it has {total} bytes")).with("bytes", total);
            let mut response = No(refused).into_response();
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{total}"));
            return response;
        }
        Some(Asked::Part(from, to)) => {
            let mut response = Response::new(Body::from(bytes.slice(from..=to)));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(&mut response, header::CONTENT_RANGE, &format!("bytes {from}-{to}/{total}"));
            response
        }
    };
    set(&mut response, header::CONTENT_TYPE, "application/octet-stream");
    set(&mut response, header::CONTENT_DISPOSITION, "attachment");
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    set(&mut response, header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'");
    response
}

fn set(response: &mut Response, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Part(usize, usize),
    Beyond,
    Unknown,
}

/// One range in bytes: `a-b`, `a-` or `-n`. Several ranges are passed over.
fn parse(range: &str, total: usize) -> Asked {
    let Some((from, to)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Asked::Unknown;
    };
    let last = total.saturating_sub(1);
    let (from, to) = (from.trim(), to.trim());
    match (number::<usize>(from), number::<usize>(to)) {
        (Some(from), Some(to)) if from <= to && from < total => Asked::Part(from, to.min(last)),
        (Some(from), None) if to.is_empty() && from < total => Asked::Part(from, last),
        (None, Some(n)) if from.is_empty() && n > 0 && total > 0 => Asked::Part(total - n.min(total), last),
        (Some(from), Some(to)) if from <= to => Asked::Beyond,
        (Some(_), None) if to.is_empty() => Asked::Beyond,
        (None, Some(_)) if from.is_empty() => Asked::Beyond,
        _ => Asked::Unknown,
    }
}

#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::http) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (range, asked) in [
            ("bytes=0-4", Asked::Part(0, 4)),
            ("bytes=2-", Asked::Part(2, 9)),
            ("bytes=-3", Asked::Part(7, 9)),
            ("bytes=-30", Asked::Part(0, 9)),
            ("bytes=5-99", Asked::Part(5, 9)),
            ("bytes=10-", Asked::Beyond),
            ("bytes=10-12", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=4-2", Asked::Unknown),
            ("bytes=0-1,3-4", Asked::Unknown),
            ("lines=0-1", Asked::Unknown),
            ("bytes=+0-4", Asked::Unknown),
            ("bytes=", Asked::Unknown),
        ] {
            assert_eq!(parse(range, 10), asked, "{range}");
        }
    }
}
