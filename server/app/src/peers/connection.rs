//! One connection of a practice peer: plain calls, each recorded.

use std::{io, sync::Arc, time::Duration};

use socket2::SockRef;
use sockscope_sockets::{
    errno::Errno,
    fact::{Cause, Chunk, EndReason, Fact, Failed, Failure, Phase, Recorder, Stamp},
    stream,
};
use tokio::{net::TcpStream, time::Instant};

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

/// The receiving half of one.
pub(super) struct Receiving<'a> {
    stream: &'a TcpStream,
    recorder: &'a SocketRecorder,
    received: &'a mut u64,
}

/// The sending half.
pub(super) struct Sending<'a> {
    stream: &'a TcpStream,
    recorder: &'a SocketRecorder,
    sent: &'a mut u64,
}

impl Receiving<'_> {
    /// recv(2): how many bytes came; 0 at the peer's FIN.
    pub(super) async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Stop> {
        self.recorder.room().await;
        let entered = Instant::now();
        let n = loop {
            let result = match self.stream.readable().await {
                Ok(()) => self.stream.try_read(buffer),
                Err(error) => Err(error),
            };
            match result {
                Ok(n) => break n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(failed(self.recorder, Phase::Receive, &error)),
            }
        };
        let fact = if n == 0 { Fact::Eof(*self.received) } else { Fact::Received(chunk(n, *self.received)) };
        self.recorder.record(Stamp::since(entered), &None, fact, (n > 0).then_some(&[]));
        *self.received += n as u64;
        Ok(n)
    }
}

impl Sending<'_> {
    /// send(2), as often as it takes.
    pub(super) async fn send(&mut self, mut data: &[u8]) -> Result<(), Stop> {
        while !data.is_empty() {
            self.recorder.room().await;
            let entered = Instant::now();
            let n = loop {
                let result = match self.stream.writable().await {
                    Ok(()) => self.stream.try_write(data),
                    Err(error) => Err(error),
                };
                match result {
                    Ok(n) => break n,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(failed(self.recorder, Phase::Send, &error)),
                }
            };
            self.recorder.record(Stamp::since(entered), &None, Fact::Sent(chunk(n, *self.sent)), Some(&[]));
            *self.sent += n as u64;
            data = &data[n..];
        }
        Ok(())
    }

    /// shutdown(SHUT_WR).
    pub(super) fn shut_down(&mut self) -> Result<(), Stop> {
        let entered = Instant::now();
        SockRef::from(self.stream)
            .shutdown(std::net::Shutdown::Write)
            .map_err(|error| failed(self.recorder, Phase::Shutdown, &error))?;
        self.recorder.record(Stamp::since(entered), &None, Fact::Shutdown, None);
        Ok(())
    }
}

fn failed(recorder: &SocketRecorder, phase: Phase, error: &io::Error) -> Stop {
    let errno = Errno::from(error);
    if errno == Errno::ECONNRESET || errno == Errno::EPIPE {
        recorder.record(Stamp::now(), &None, Fact::ResetByPeer(phase, errno), None);
        return Stop::Failed(EndReason::Reset);
    }
    let failed = Failed { fatal: true, ..Failed::minor(Failure::Os(errno), phase) };
    recorder.record(Stamp::now(), &None, Fact::Failed(Box::new(failed)), None);
    Stop::Failed(EndReason::Failed)
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, recorder: Arc<SocketRecorder>) -> Self {
        Self { stream, recorder, received: 0, sent: 0 }
    }

    /// Both ways, to be used at the same time, and the stream itself, to ask the kernel about.
    pub(super) fn split(&mut self) -> (&TcpStream, Receiving<'_>, Sending<'_>) {
        let Self { stream, recorder, received, sent } = self;
        let (stream, recorder): (&TcpStream, &SocketRecorder) = (stream, recorder);
        (stream, Receiving { stream, recorder, received }, Sending { stream, recorder, sent })
    }

    /// As [`Receiving::receive`].
    pub(super) async fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Stop> {
        self.split().1.receive(buffer).await
    }

    /// As [`Sending::send`].
    pub(super) async fn send(&mut self, data: &[u8]) -> Result<(), Stop> {
        self.split().2.send(data).await
    }

    /// As [`Sending::shut_down`].
    pub(super) fn shut_down(&mut self) -> Result<(), Stop> {
        self.split().2.shut_down()
    }

    /// Asks for a receive buffer of so many bytes, so that the peer soon meets a full one.
    pub(super) fn small_buffer(&self, bytes: usize) {
        // A larger buffer only makes the lesson slower.
        SockRef::from(&self.stream).set_recv_buffer_size(bytes).ok();
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
    Chunk::of_stream(u32::try_from(n).unwrap_or(u32::MAX), offset)
}
