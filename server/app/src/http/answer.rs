//! Answers: JSON, and problems as RFC 9457 says.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use sockscope_wire::{Code, Problem};

use crate::problem::{Refused, problem};

/// A problem as a response.
pub(super) struct No(pub(super) Refused);

impl From<Refused> for No {
    fn from(refused: Refused) -> Self {
        Self(refused)
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let problem: &Problem = &self.0;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, problem);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match problem.code {
            Code::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Code::RateLimited => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            }
            Code::TooManyConnections => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                // It is one of those that are too many.
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Code::ShuttingDown => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// What a handler answers.
pub(super) type Answer = Result<Response, No>;

/// A value as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// 200 with JSON.
pub(super) fn ok(value: &impl Serialize) -> Answer {
    Ok(json(StatusCode::OK, value))
}

/// 204.
pub(super) fn done() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// There is no such route.
pub(super) async fn unknown_route() -> No {
    No(problem(Code::UnknownRoute, "see /api/v1/openapi.json"))
}

/// The route does not take this method.
pub(super) async fn wrong_method() -> No {
    No(problem(Code::MethodNotAllowed, "see /api/v1/openapi.json"))
}
