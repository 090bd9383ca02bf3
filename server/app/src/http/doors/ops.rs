//! What operators and the page ask of the server itself.

use std::fmt::Write as _;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use sockscope_wire::{About, Code};

use crate::http::{
    App,
    answer::{Answer, No, ok},
};
use crate::problem::problem;

/// Alive.
pub(in crate::http) async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready for connections.
pub(in crate::http) async fn readyz(State(app): State<App>) -> Answer {
    if app.ending.is_cancelled() {
        return Err(No(problem(Code::ShuttingDown, "the server is shutting down")));
    }
    Ok("ready\n".into_response())
}

/// Version, policy and what is recorded.
pub(in crate::http) async fn about(State(app): State<App>) -> Answer {
    let workspace = &app.workspace;
    let config = workspace.config();
    ok(&About {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epoch: workspace.epoch().to_owned(),
        log_bytes: config.log_bytes as u64,
        log_bytes_used: workspace.log_bytes() as u64,
        log_full: config.log_full,
        sockets: u32::try_from(workspace.open_sockets()).unwrap_or(u32::MAX),
        max_sockets: u32::try_from(config.max_sockets).unwrap_or(u32::MAX),
        send_queue_bytes: u32::try_from(sockscope_sockets::mailbox::SEND_QUEUE_BYTES).unwrap_or(u32::MAX),
        policy: app.policy.clone(),
    })
}

/// The API's description.
pub(in crate::http) async fn openapi() -> Response {
    const DOCUMENT: &str = include_str!("../../../../../docs/openapi.json");
    let kind = HeaderValue::from_static("application/json");
    (StatusCode::OK, [(header::CONTENT_TYPE, kind)], DOCUMENT).into_response()
}

/// Counters as Prometheus text (exposition format 0.0.4).
pub(in crate::http) async fn metrics(State(app): State<App>) -> Response {
    let (first, head) = app.workspace.bounds();
    let traffic = &app.traffic;
    let mut text = String::new();
    let figures: [(&str, &str, &str, u64); 9] = [
        ("sockscope_sockets_open", "gauge", "Sockets open now.", app.workspace.open_sockets() as u64),
        ("sockscope_log_head", "counter", "Events recorded.", head.0),
        ("sockscope_log_first", "gauge", "The oldest event still kept.", first.0),
        (
            "sockscope_log_bytes",
            "gauge",
            "Bytes the log holds, overhead included.",
            app.workspace.log_bytes() as u64,
        ),
        ("sockscope_connections_open", "gauge", "HTTP connections open now.", traffic.open()),
        ("sockscope_connections_total", "counter", "HTTP connections accepted.", traffic.accepted()),
        (
            "sockscope_connections_refused_total",
            "counter",
            "HTTP connections over the limit.",
            traffic.refused(),
        ),
        (
            "sockscope_http_received_bytes_total",
            "counter",
            "Bytes received on closed HTTP connections.",
            traffic.received(),
        ),
        (
            "sockscope_http_sent_bytes_total",
            "counter",
            "Bytes sent on closed HTTP connections.",
            traffic.sent(),
        ),
    ];
    for (name, kind, help, value) in figures {
        // Writing to a String cannot fail.
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}").ok();
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text).into_response()
}
