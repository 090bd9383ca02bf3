//! One accepted connection as a stream: its blocked writes bounded, its bytes counted on its wire.

use std::{
    io,
    mem::MaybeUninit,
    net::{Shutdown, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::SockRef;
use sockscope_sockets::{
    kernel::info::{TcpInfo, queues},
    stream,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{life::Standing, serve::Traffic, wire::Wire};

/// How long a write may be blocked before the connection is dropped: a little longer than a WebSocket viewer has, so
/// that its close frame is tried first.
const BLOCKED: Duration = Duration::from_secs(11);

/// Bytes the kernel holds for a client that is near; it grants itself as much again for its own needs (socket(7)).
const NEAR_QUEUE: usize = 256 * 1024;

/// Within so many µs a client is near: the queue above, sent once in each, is 2 Gbit/s.
const NEAR: u32 = 1000;

/// What a handler may know of the connection a request came on (a request extension).
#[derive(Clone)]
pub struct ConnectionInfo {
    /// The client's address.
    pub peer: SocketAddr,
    /// What passes over it.
    pub wire: Arc<Wire>,
    /// What requests have made of it.
    pub(super) standing: Arc<Standing>,
}

impl ConnectionInfo {
    /// A connection nobody has asked anything on.
    pub(super) fn new(peer: SocketAddr, wire: Arc<Wire>) -> Self {
        Self { peer, wire, standing: Arc::default() }
    }

    /// Once HTTP is over on it, its task does this: what an upgrade was asked for.
    pub(in crate::http) fn goes_on(&self, next: impl Future<Output = ()> + Send + 'static) {
        self.standing.goes_on(next);
    }
}

/// Whether a client is near, by the least round trip that was measured, in µs; 0 is none.
const fn is_near(rtt: u32) -> bool {
    0 < rtt && rtt < NEAR
}

/// What a connection holds while it lives. It belongs to the stream itself, so it lasts exactly as long, also after an
/// upgrade has handed the stream to somebody else.
pub(crate) struct Lease {
    traffic: Arc<Traffic>,
    /// Its place among the connections there may be.
    _seat: OwnedSemaphorePermit,
    /// What the end of the server waits for.
    _tracked: TaskTrackerToken,
}

impl Lease {
    pub(in crate::http) fn new(
        traffic: Arc<Traffic>,
        seat: OwnedSemaphorePermit,
        tracked: TaskTrackerToken,
    ) -> Self {
        traffic.begin();
        Self { traffic, _seat: seat, _tracked: tracked }
    }
}

/// A TCP connection that counts, and does not wait for ever for a client that does not read.
pub(crate) struct Counted {
    wire: Arc<Wire>,
    lease: Lease,
    /// Running while a write is blocked.
    blocked: Option<Pin<Box<Sleep>>>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.wire.over();
        // Somebody may look at the counters a moment longer; the connection ends here.
        SockRef::from(self.wire.stream()).shutdown(Shutdown::Both).ok();
        self.lease.traffic.end(&self.wire);
    }
}

impl Counted {
    pub(in crate::http) fn new(wire: Arc<Wire>, lease: Lease) -> Self {
        Self { wire, lease, blocked: None }
    }

    /// How many bytes the kernel holds that the client has not acknowledged (SIOCOUTQ, tcp(7)); 0 of a connection that is gone.
    pub(crate) fn unsent(&self) -> u32 {
        queues(self.wire.stream()).map_or(0, |queues| queues.send)
    }

    /// Has the connection end with RST, and what is unsent be forgotten, once this is dropped (SO_LINGER, socket(7)).
    pub(crate) fn abort(&self) {
        // Cannot fail on a living socket; were it to, it would end as any other.
        SockRef::from(self.wire.stream()).set_linger(Some(Duration::ZERO)).ok();
    }

    /// Bounds what the kernel holds for a client that is near. There a long queue gains no speed, and once the client takes
    /// some of it, the kernel sends megabytes in one go, for which all others wait. To one that is far the kernel finds out by
    /// itself how much may be on its way.
    pub(crate) fn shorten_queue(&self) {
        let stream = self.wire.stream();
        // Where the handshake gave none, by SYN cookies or since it was repeated, the answer to the request may have.
        let now = || TcpInfo::of(stream).is_ok_and(|info| is_near(info.min_rtt_us));
        if is_near(self.wire.min_rtt_us()) || now() {
            // Fails on a connection that is gone.
            SockRef::from(stream).set_send_buffer_size(NEAR_QUEUE).ok();
        }
    }

    /// Ends what is sent to the client: shutdown(2) of the writing direction.
    ///
    /// # Errors
    /// What the call says.
    pub(crate) fn finish(&self) -> io::Result<()> {
        SockRef::from(self.wire.stream()).shutdown(Shutdown::Write)
    }

    /// Whether the client has ended its side, and everything before that was read. The kernel is asked, who knows it before the
    /// runtime does.
    pub(crate) fn has_ended(&self) -> bool {
        let mut one = [MaybeUninit::uninit()];
        match SockRef::from(self.wire.stream()).peek(&mut one) {
            Ok(n) => n == 0,
            // A reset is an end, too.
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Waits until it can be read, or written; or, with [`Interest::ERROR`], until it is broken.
    ///
    /// # Errors
    /// When the runtime shuts down.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<()> {
        self.wire.stream().ready(interest).await.map(drop)
    }

    /// Reads what there is, without waiting; 0 at the client's FIN.
    ///
    /// # Errors
    /// What recv(2) says; [`io::ErrorKind::WouldBlock`] where there is nothing.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = stream::try_read_plain(self.wire.stream(), buffer)?;
        self.wire.note_read(n as u64);
        Ok(n)
    }

    /// Writes what the kernel takes, without waiting.
    ///
    /// # Errors
    /// What send(2) says; [`io::ErrorKind::WouldBlock`] where it takes nothing.
    pub(crate) fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        let n = self.wire.stream().try_write(data)?;
        self.wire.note_written(n as u64);
        Ok(n)
    }

    /// The same of the last there is: the kernel keeps it for the FIN, which is to follow at once, and sends both together (MSG_MORE,
    /// send(2)).
    ///
    /// # Errors
    /// As [`Counted::try_write`].
    pub(crate) fn try_write_before_fin(&self, data: &[u8]) -> io::Result<usize> {
        let stream = self.wire.stream();
        let flags = libc::MSG_MORE | libc::MSG_NOSIGNAL;
        let n = stream.try_io(Interest::WRITABLE, || SockRef::from(stream).send_with_flags(data, flags))?;
        self.wire.note_written(n as u64);
        Ok(n)
    }

    /// Calls until it is done, or waits until it can be: for reading or for writing.
    fn write(
        &mut self,
        context: &mut Context<'_>,
        call: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.wire.stream().poll_write_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    let blocked = self.blocked.get_or_insert_with(|| Box::pin(sleep(BLOCKED)));
                    ready!(blocked.as_mut().poll(context));
                    let error = io::Error::new(io::ErrorKind::TimedOut, "the client does not read");
                    return Poll::Ready(Err(error));
                }
            }
            match call(self.wire.stream()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.blocked = None;
                    if let Ok(n) = result {
                        self.wire.note_written(n as u64);
                    }
                    return Poll::Ready(result);
                }
            }
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.wire.stream().poll_read_ready(context))?;
            match stream::try_read_buf_plain(self.wire.stream(), buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(n) => {
                    self.wire.note_read(n as u64);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |stream| stream.try_write(data))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is held back here: what was written is the kernel's.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::{NEAR, is_near};

    #[test]
    fn whoever_is_less_than_a_millisecond_away_is_near() {
        let near = [0, 1, 20, 999, 1000, 30_000].map(is_near);
        assert_eq!(near, [false, true, true, true, false, false], "{NEAR} µs");
    }
}
