//! One connection of a practice peer: plain calls, each recorded.

use std::{io, sync::Arc, time::Duration};

use socket2::SockRef;
use sockscope_sockets::{
    errno::Errno,
    fact::{Cause, Chunk, EndReason, Fact, Failed, Failure, Phase, Recorder, Stamp},
    stream,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

use crate::workspace::SocketRecorder;

/// How a connection ends.
#[derive(Debug)]
pub(crate) enum Stop {
    /// close(2).
    Close(Cause, EndReason),
    /// close(2) with SO_LINGER 0.
    Reset(Cause),
    /// A call failed and was recorded.
    Failed(EndReason),
}

/// A connected stream whose calls are recorded. A full log that may not give anything up stops it, like any other.
pub(crate) struct Connection {
    stream: TcpStream,
    recorder: Arc<SocketRecorder>,
    received: u64,
    sent: u64,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, recorder: Arc<SocketRecorder>) -> Self {
        Self { stream, recorder, received: 0, sent: 0 }
    }

    /// The stream itself, to ask the kernel about.
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// recv(2): how many bytes came; 0 at the peer's FIN.
    pub(super) async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Stop> {
        self.recorder.room().await;
        let entered = Instant::now();
        let n = self.stream.read(buffer).await.map_err(|error| self.failed(Phase::Receive, &error))?;
        let fact = if n == 0 { Fact::Eof(self.received) } else { Fact::Received(chunk(n, self.received)) };
        self.recorder.record(Stamp::since(entered), &None, fact, (n > 0).then_some(&[]));
        self.received += n as u64;
        Ok(n)
    }

    /// send(2), as often as it takes.
    pub(super) async fn send(&mut self, mut data: &[u8]) -> Result<(), Stop> {
        while !data.is_empty() {
            self.recorder.room().await;
            let entered = Instant::now();
            let n = self.stream.write(data).await.map_err(|error| self.failed(Phase::Send, &error))?;
            self.recorder.record(Stamp::since(entered), &None, Fact::Sent(chunk(n, self.sent)), Some(&[]));
            self.sent += n as u64;
            data = &data[n..];
        }
        Ok(())
    }

    /// shutdown(SHUT_WR).
    pub(super) fn shut_down(&mut self) -> Result<(), Stop> {
        let entered = Instant::now();
        SockRef::from(&self.stream)
            .shutdown(std::net::Shutdown::Write)
            .map_err(|error| self.failed(Phase::Shutdown, &error))?;
        self.recorder.record(Stamp::since(entered), &None, Fact::Shutdown, None);
        Ok(())
    }

    /// Asks for a receive buffer of so many bytes, so that the peer soon meets a full one.
    pub(super) fn small_buffer(&self, bytes: usize) {
        // A larger buffer only makes the lesson slower.
        SockRef::from(&self.stream).set_recv_buffer_size(bytes).ok();
    }

    fn failed(&self, phase: Phase, error: &io::Error) -> Stop {
        let errno = Errno::from(error);
        if errno == Errno::ECONNRESET || errno == Errno::EPIPE {
            self.recorder.record(Stamp::now(), &None, Fact::ResetByPeer(phase, errno), None);
            return Stop::Failed(EndReason::Reset);
        }
        let failed = Failed { fatal: true, ..Failed::minor(Failure::Os(errno), phase) };
        self.recorder.record(Stamp::now(), &None, Fact::Failed(Box::new(failed)), None);
        Stop::Failed(EndReason::Failed)
    }

    /// Ends it.
    pub(crate) fn stop(self, stop: Stop) {
        let (cause, reason) = match stop {
            Stop::Close(cause, reason) => (cause, reason),
            Stop::Failed(reason) => (None, reason),
            Stop::Reset(cause) => {
                // Cannot fail on a living TCP socket; were it to, the close below would show as a FIN.
                SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).ok();
                (cause, EndReason::Reset)
            }
        };
        stream::end(self.stream, self.recorder.as_ref(), &cause, reason, 0);
    }
}

fn chunk(n: usize, offset: u64) -> Chunk {
    Chunk { len: u32::try_from(n).unwrap_or(u32::MAX), offset: Some(offset), peer: None, truncated: false }
}
