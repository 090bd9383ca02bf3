//! The accept loop: HTTP/1.1 only, header timeout, admission below the descriptor limit, an end in named steps.

use std::{
    any::Any,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, response::IntoResponse as _};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use sockscope_sockets::{acceptor::Acceptor, errno::Errno};
use sockscope_wire::Code;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    connection::{ConnectionInfo, Counted, Lease},
    gate,
    life::Life,
    timed::Timed,
    wire::Wire,
};
use crate::http::{App, answer::No, routes};
use crate::problem::problem;

/// How long a request's header may take to arrive, and an idle connection to send the next.
const HEADER: Duration = Duration::from_secs(10);

/// How long a connection is kept open for further requests when none on it showed a credential: what is to be had
/// without one (the page's files, health) holds no place for long.
const STRANGER: Duration = Duration::from_secs(15);

/// The most bytes of a request's header; hyper's buffer grows to this size.
const HEADER_BYTES: usize = 16 * 1024;

/// Connections over the limit that are told so at the same time; further ones are just closed.
const REFUSALS: usize = 16;

/// How long such a connection has to hear it.
const REFUSAL: Duration = Duration::from_secs(1);

/// How long accepting rests when there is no descriptor or no memory.
const REST: Duration = Duration::from_millis(100);

/// How long connections have to end when the server does.
const GRACE: Duration = Duration::from_secs(3);

/// How long those have that were cut.
const LAST: Duration = Duration::from_millis(500);

/// What every answer says, if it does not say otherwise.
pub(super) static EVERY: [(HeaderName, HeaderValue); 6] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// Connections, counted.
#[derive(Debug, Default)]
pub struct Traffic {
    open: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    pub(in crate::http) fn begin(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::http) fn end(&self, wire: &Wire) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.received.fetch_add(wire.received(), Ordering::Relaxed);
        self.sent.fetch_add(wire.sent(), Ordering::Relaxed);
    }

    /// Open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// Accepted in all.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Refused because there were too many.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Bytes received on connections that are closed.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes sent on connections that are closed.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// Whether the server ended in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// Every connection ended by itself.
    Clean,
    /// Some were cut after the grace time.
    Cut(usize),
}

/// Serves until `app.ending` is cancelled; then stops accepting, lets every connection finish what it is answering,
/// and cuts what is left after the grace time.
pub async fn serve(listener: Acceptor, app: App, max_connections: usize) -> Served {
    let seats = Arc::new(Semaphore::new(max_connections));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let doors = Doors::new(app.clone());
    loop {
        let accepted = tokio::select! {
            biased;
            () = app.ending.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&seats).try_acquire_owned() {
                Ok(seat) => {
                    let lease = Lease::new(Arc::clone(&app.traffic), seat, connections.token());
                    let wire = Wire::new(stream);
                    let info = ConnectionInfo::new(peer, Arc::clone(&wire));
                    let standing = Arc::clone(&info.standing);
                    let http = connection(info, doors.clone(), cut.clone(), lease);
                    tokio::spawn(Timed::new(app.clone(), wire, Life::new(http, standing)));
                }
                Err(_) => {
                    app.traffic.refused.fetch_add(1, Ordering::Relaxed);
                    if let Ok(turn) = Arc::clone(&refusals).try_acquire_owned() {
                        connections.spawn(refuse(stream, turn));
                    }
                }
            },
            Err(error) if Errno::from(&error).is_exhaustion() => {
                tracing::warn!(%error, "accept failed");
                sleep(REST).await;
            }
            Err(error) => tracing::debug!(%error, "a connection was gone before it was accepted"),
        }
    }
    drop(listener);
    connections.close();
    if timeout(GRACE, connections.wait()).await.is_ok() {
        return Served::Clean;
    }
    let left = connections.len();
    cut.cancel();
    // A viewer whose write is blocked is not told by this: the end of the process cuts it.
    timeout(LAST, connections.wait()).await.ok();
    Served::Cut(left)
}

/// What answers requests: the router behind the gate.
#[derive(Clone)]
struct Doors {
    app: App,
    router: Router,
}

impl Doors {
    fn new(app: App) -> Self {
        let router = routes::router().with_state(app.clone());
        Self { app, router }
    }

    /// The answer to a request, with the headers every one carries.
    async fn answer(self, request: Request<Body>) -> Response<Body> {
        let behind =
            CatchPanicLayer::custom(panicked).layer(service_fn(move |request| self.clone().pass(request)));
        let Ok(response) = behind.oneshot(request).await;
        let mut response = response.map(Body::new);
        let headers = response.headers_mut();
        headers.reserve(EVERY.len());
        for (name, value) in &EVERY {
            headers.entry(name).or_insert_with(|| value.clone());
        }
        response
    }

    /// The gate is outside the router, so that there is no route without it.
    async fn pass(self, mut request: Request<Body>) -> Result<Response<Body>, Infallible> {
        match gate::enter(&self.app, &mut request) {
            Ok(()) => self.router.oneshot(request).await,
            Err(refused) => Ok(No(refused).into_response()),
        }
    }
}

/// A handler's panic is its request's problem, not the server's.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let what =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = what.unwrap_or("of another type"), "a handler panicked");
    No(problem(Code::Internal, "the log of the server says more")).into_response()
}

async fn connection(info: ConnectionInfo, doors: Doors, cut: CancellationToken, lease: Lease) {
    let ending = doors.app.ending.clone();
    let (peer, standing) = (info.peer, Arc::clone(&info.standing));
    let io = TokioIo::new(Counted::new(Arc::clone(&info.wire), lease));
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        info.wire.begin();
        let wire = Arc::clone(&info.wire);
        request.extensions_mut().insert(info.clone());
        let answer = doors.clone().answer(request.map(Body::new));
        async move { Ok::<_, Infallible>(measured(answer.await, &wire)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(io, service)
        .with_upgrades();
    tokio::pin!(connection);
    let stranger = sleep(STRANGER);
    tokio::pin!(stranger);
    let (mut told, mut looked) = (false, false);
    let result = loop {
        // The connection first: in the poll that ends it, as when it becomes a bridge, nothing else is begun.
        tokio::select! {
            biased;
            result = connection.as_mut() => break result,
            () = ending.cancelled(), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            () = stranger.as_mut(), if !looked => {
                looked = true;
                if !standing.is_known() {
                    connection.as_mut().graceful_shutdown();
                }
            }
            () = cut.cancelled() => break Ok(()),
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

/// Counts an answer's content under the meter its request named. One whose length is known keeps it: it is sent with
/// that header.
fn measured(response: Response<Body>, wire: &Wire) -> Response<Body> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        wire.upgraded();
        return response;
    }
    let Some(meter) = wire.meter() else { return response };
    match response.body().size_hint().exact() {
        Some(length) => {
            meter.body(usize::try_from(length).unwrap_or(usize::MAX));
            response
        }
        None => response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                frame.map_data(|data| {
                    meter.body(data.len());
                    data
                })
            }))
        }),
    }
}

/// Tells a connection over the limit why it is not served, without reading a request: 503, and close.
async fn refuse(mut stream: TcpStream, turn: OwnedSemaphorePermit) {
    let body =
        serde_json::to_string(&problem(Code::TooManyConnections, "try again later")).unwrap_or_default();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\
         Retry-After: 1\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // Best effort: a client that does not listen is closed all the same.
    let _ = timeout(REFUSAL, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // Reading what was sent lets the answer arrive: closing with unread bytes would reset the connection.
        let mut unread = [0; 4096];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<_, std::io::Error>(())
    })
    .await;
    drop(turn);
}
