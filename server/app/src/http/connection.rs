//! One accepted connection: its bytes counted on the wire, its blocked writes bounded.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::serve::Traffic;

/// How long a write may be blocked before the connection is dropped: a little longer than a WebSocket viewer has, so
/// that its close frame is tried first.
const BLOCKED: Duration = Duration::from_secs(11);

/// Bytes of one connection, headers and frames included, TLS and TCP not.
#[derive(Debug, Default)]
pub struct ConnectionBytes {
    received: AtomicU64,
    sent: AtomicU64,
}

impl ConnectionBytes {
    /// Bytes the client sent.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes the client was sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

/// What a handler may know of the connection a request came on (a request extension).
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    /// The client's address.
    pub peer: SocketAddr,
    /// Its bytes, counted live.
    pub bytes: Arc<ConnectionBytes>,
    /// The gate let a principal through on it.
    pub known: Arc<AtomicBool>,
}

/// What a connection holds while it lives. It belongs to the stream itself, so it lasts exactly as long, also after an
/// upgrade has handed the stream to somebody else.
pub(super) struct Lease {
    bytes: Arc<ConnectionBytes>,
    traffic: Arc<Traffic>,
    /// Its place among the connections there may be.
    _seat: OwnedSemaphorePermit,
    /// What the end of the server waits for.
    _tracked: TaskTrackerToken,
}

impl Lease {
    pub(super) fn new(traffic: Arc<Traffic>, seat: OwnedSemaphorePermit, tracked: TaskTrackerToken) -> Self {
        traffic.begin();
        Self { bytes: Arc::default(), traffic, _seat: seat, _tracked: tracked }
    }

    /// Its bytes, counted live.
    pub(super) fn bytes(&self) -> Arc<ConnectionBytes> {
        Arc::clone(&self.bytes)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.traffic.end(&self.bytes);
    }
}

/// A TCP connection that counts, and does not wait for ever for a client that does not read.
pub(super) struct Counted {
    stream: TcpStream,
    lease: Lease,
    /// Running while a write is blocked.
    blocked: Option<Pin<Box<Sleep>>>,
}

impl Counted {
    pub(super) fn new(stream: TcpStream, lease: Lease) -> Self {
        Self { stream, lease, blocked: None }
    }

    fn written(
        &mut self,
        result: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(result) => {
                self.blocked = None;
                if let Ok(n) = result {
                    self.lease.bytes.sent.fetch_add(n as u64, Ordering::Relaxed);
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                let blocked = self.blocked.get_or_insert_with(|| Box::pin(sleep(BLOCKED)));
                ready!(blocked.as_mut().poll(context));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
            }
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        self.lease.bytes.received.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        Poll::Ready(result)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, data);
        self.written(result, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(result, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
