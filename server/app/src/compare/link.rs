//! The way to a server, as any program would go it: HTTP/1.1 over kept connections, a token, JSON.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sockscope_wire::Clock;
use tokio::{net::TcpStream, task::JoinSet, time::Instant};

/// How long anything that is not a wait for events may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How often the clocks are compared; the quickest answer is the truest.
const CLOCK_LOOKS: usize = 8;

/// Where the server is, and what opens it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Place {
    /// Its control address.
    pub address: SocketAddr,
    /// Its token; none where it asks for none.
    pub token: Option<String>,
}

impl Place {
    /// The path of something in the workspace.
    pub(crate) fn path(rest: &str) -> String {
        format!("/api/v1/workspaces/default/{rest}")
    }

    /// A connection to it.
    #[expect(clippy::disallowed_methods, reason = "a server's own control address")]
    pub(super) async fn connect(&self) -> anyhow::Result<TcpStream> {
        let connecting = TcpStream::connect(self.address);
        let stream = tokio::time::timeout(PATIENCE, connecting)
            .await
            .context("the server does not answer")?
            .context("the server cannot be reached")?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// One kept connection, made anew when it is gone.
pub(crate) struct Http {
    place: Place,
    sender: Option<SendRequest<Full<Bytes>>>,
    /// Drives it; ends with this.
    driver: JoinSet<()>,
}

impl Http {
    pub(crate) fn new(place: &Place) -> Self {
        Self { place: place.clone(), sender: None, driver: JoinSet::new() }
    }

    /// Opens the connection, so that the first request does not wait for it.
    pub(super) async fn prepare(&mut self) -> anyhow::Result<()> {
        self.sender = Some(self.open().await?);
        Ok(())
    }

    /// GET, with what the client accepts; the head of the answer.
    pub(super) async fn get(&mut self, path: &str, accept: &str) -> anyhow::Result<Response<Incoming>> {
        self.send(Method::GET, path, accept, Bytes::new()).await
    }

    /// A request with JSON and its answer.
    pub(crate) async fn json<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        let bytes = self.whole(method, path, body).await?;
        serde_json::from_slice(&bytes).with_context(|| format!("{path}: the answer is not understood"))
    }

    /// A request with JSON and its answer, unread.
    pub(crate) async fn whole(
        &mut self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<Bytes> {
        let body = if method == Method::GET { Bytes::new() } else { serde_json::to_vec(body)?.into() };
        let answer = tokio::time::timeout(PATIENCE, async {
            let answer = self.send(method, path, "application/json", body).await?;
            let status = answer.status();
            let bytes = answer.into_body().collect().await?.to_bytes();
            anyhow::Ok((status, bytes))
        });
        let (status, bytes) = answer.await.with_context(|| format!("{path}: no answer in time"))??;
        ensure!(status.is_success(), "{path}: {status}: {}", String::from_utf8_lossy(&bytes));
        Ok(bytes)
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        accept: &str,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.place.address.to_string())
            .header(header::ACCEPT, accept);
        if let Some(token) = &self.place.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body))?;
        let kept = match self.sender.take() {
            Some(mut sender) => sender.ready().await.is_ok().then_some(sender),
            None => None,
        };
        let sender = match kept {
            Some(sender) => sender,
            None => self.open().await?,
        };
        Ok(self.sender.insert(sender).send_request(request).await?)
    }

    async fn open(&mut self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = self.place.connect().await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        self.driver.spawn(async move {
            // A connection that breaks is seen by whoever asks over it.
            connection.await.ok();
        });
        Ok(sender)
    }
}

/// The whole body of an answer that must be a success.
pub(super) async fn body(answer: Response<Incoming>) -> anyhow::Result<Bytes> {
    let status = answer.status();
    let bytes = answer.into_body().collect().await?.to_bytes();
    if status != StatusCode::OK {
        bail!("{status}: {}", String::from_utf8_lossy(&bytes));
    }
    Ok(bytes)
}

/// The server's clock as this process sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockOffset {
    /// A moment here, and the server's clock then, in µs.
    here: Instant,
    there_us: f64,
    /// By how much it may be wrong, in µs: half the quickest round trip.
    pub(super) uncertainty_us: f64,
}

impl ClockOffset {
    /// Asks for the time and halves the way (as NTP does, RFC 5905 §8).
    pub(super) async fn measure(http: &mut Http) -> anyhow::Result<Self> {
        let mut best: Option<Self> = None;
        for _ in 0..CLOCK_LOOKS {
            let asked = Instant::now();
            let clock: Clock = http.json(Method::GET, &Place::path("clock"), &()).await?;
            let trip = asked.elapsed();
            let uncertainty_us = trip.as_secs_f64() * 1e6 / 2.0;
            if best.is_none_or(|best| uncertainty_us < best.uncertainty_us) {
                let there_us = clock.now_us as f64;
                best = Some(Self { here: asked + trip / 2, there_us, uncertainty_us });
            }
        }
        best.context("the clock was never asked")
    }

    /// A moment here as the server's `t_us`.
    pub(super) fn there(&self, at: Instant) -> f64 {
        let since = if at >= self.here {
            at.duration_since(self.here).as_secs_f64()
        } else {
            -self.here.duration_since(at).as_secs_f64()
        };
        self.there_us + since * 1e6
    }
}
