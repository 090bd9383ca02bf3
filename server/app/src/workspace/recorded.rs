//! A stream whose calls are recorded, for code that wants to read and write by itself: an HTTP client.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use sockscope_sockets::{
    errno::Errno,
    fact::{Cause, Chunk, EndReason, Fact, Failed, Failure, Phase, Recorder as _, Stamp, Wait},
    stream,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

use super::SocketRecorder;

/// The most one read brings.
const READ: usize = 64 * 1024;

/// Who ends the stream, and why: said before it is dropped.
pub(super) type Ending = Arc<Mutex<(Cause, EndReason)>>;

/// How much may still be read, as whoever reads sees fit. One task reads and allows, so no order between the two is needed.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    received: AtomicU64,
    /// Once more than this was received nothing further is read; 0 allows everything.
    until: AtomicU64,
}

impl Allowance {
    /// What was read until now.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Relaxed)
    }

    /// From here on at most about so many bytes: the read that goes beyond them is the last.
    pub(super) fn only(&self, bytes: u64) {
        self.until.store(self.received().saturating_add(bytes), Relaxed);
    }

    /// From here on as many as there are.
    pub(super) fn any(&self) {
        self.until.store(0, Relaxed);
    }

    /// More came than was allowed.
    pub(super) fn spent(&self) -> bool {
        let until = self.until.load(Relaxed);
        until != 0 && self.received() > until
    }
}

/// The stream. Dropping it closes it, and says so in the log.
pub(super) struct Recorded {
    /// There until it is dropped.
    stream: Option<TcpStream>,
    recorder: Arc<SocketRecorder>,
    /// What the bytes it sends are due to.
    cause: Cause,
    ending: Ending,
    allowance: Arc<Allowance>,
    /// Too much came, and whoever reads was let look at it once more.
    asked_again: bool,
    sent: u64,
    /// When the current call was entered.
    reading: Option<Instant>,
    writing: Option<Instant>,
    /// The log is full: reading waits for room.
    room: Option<Wait>,
    eof: bool,
}

impl Recorded {
    pub(super) fn new(
        stream: TcpStream,
        recorder: Arc<SocketRecorder>,
        cause: Cause,
        ending: Ending,
        allowance: Arc<Allowance>,
    ) -> Self {
        Self {
            stream: Some(stream),
            recorder,
            cause,
            ending,
            allowance,
            asked_again: false,
            sent: 0,
            reading: None,
            writing: None,
            room: None,
            eof: false,
        }
    }

    fn failed(&self, phase: Phase, error: &io::Error) {
        let errno = Errno::from(error);
        let reset = matches!(errno, Errno::ECONNRESET | Errno::EPIPE);
        let (fact, reason) = if reset {
            (Fact::ResetByPeer(phase, errno), EndReason::Reset)
        } else {
            let failed = Failed { fatal: true, ..Failed::minor(Failure::Os(errno), phase) };
            (Fact::Failed(Box::new(failed)), EndReason::Failed)
        };
        self.recorder.record(Stamp::now(), &None, fact, None);
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = (None, reason);
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            let (cause, reason) = self.ending.lock().unwrap_or_else(PoisonError::into_inner).clone();
            stream::end(stream, self.recorder.as_ref(), &cause, reason, 0);
        }
    }
}

impl AsyncRead for Recorded {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let entered = *this.reading.get_or_insert_with(Instant::now);
        if this.eof {
            return Poll::Ready(Ok(()));
        }
        if this.allowance.spent() {
            if !std::mem::replace(&mut this.asked_again, true) {
                // What is enough may just have come; whoever waits for it is to see that first.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Err(io::Error::other("more than is read")));
        }
        this.asked_again = false;
        let Some(stream) = &mut this.stream else { return Poll::Ready(Ok(())) };
        if let Some(room) = &mut this.room {
            ready!(room.as_mut().poll(context));
            this.room = None;
        }
        loop {
            ready!(stream.poll_read_ready(context))?;
            let granted = this.recorder.admit(buffer.remaining().min(READ));
            if granted == 0 {
                let room = this.room.insert(this.recorder.room());
                ready!(room.as_mut().poll(context));
                this.room = None;
                continue;
            }
            let result = stream.try_read(buffer.initialize_unfilled_to(granted));
            this.recorder.decline(granted - *result.as_ref().unwrap_or(&0));
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    this.failed(Phase::Receive, &error);
                    return Poll::Ready(Err(error));
                }
                Ok(0) => {
                    this.eof = true;
                    this.recorder.record(
                        Stamp::since(entered),
                        &None,
                        Fact::Eof(this.allowance.received()),
                        None,
                    );
                    return Poll::Ready(Ok(()));
                }
                Ok(n) => {
                    this.reading = None;
                    let before = buffer.filled().len();
                    buffer.advance(n);
                    let fact = Fact::Received(chunk(n, this.allowance.received()));
                    let bytes = &buffer.filled()[before..];
                    this.recorder.record(Stamp::since(entered), &None, fact, Some(bytes));
                    this.allowance.received.fetch_add(n as u64, Relaxed);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let entered = *this.writing.get_or_insert_with(Instant::now);
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        match ready!(Pin::new(stream).poll_write(context, data)) {
            Ok(n) => {
                this.writing = None;
                let fact = Fact::Sent(chunk(n, this.sent));
                this.recorder.record(Stamp::since(entered), &this.cause, fact, Some(&data[..n]));
                this.sent += n as u64;
                Poll::Ready(Ok(n))
            }
            Err(error) => {
                this.failed(Phase::Send, &error);
                Poll::Ready(Err(error))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is held back here: what was written is the kernel's.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let Some(stream) = &mut this.stream else { return Poll::Ready(Ok(())) };
        let entered = Instant::now();
        let result = ready!(Pin::new(stream).poll_shutdown(context));
        if result.is_ok() {
            this.recorder.record(Stamp::since(entered), &this.cause, Fact::Shutdown, None);
        }
        Poll::Ready(result)
    }
}

fn chunk(n: usize, offset: u64) -> Chunk {
    Chunk::of_stream(u32::try_from(n).unwrap_or(u32::MAX), offset)
}
