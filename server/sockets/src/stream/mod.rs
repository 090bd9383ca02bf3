//! The task that owns a connected TCP socket. Its loop is here; `reading`, `writing` and `ending` hold what it does.

mod ending;
mod reading;
mod writing;

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use socket2::SockRef;
use tokio::{
    io::{Interest, Ready},
    net::TcpStream,
    task::yield_now,
    time::{Instant, sleep_until},
};

pub use crate::{
    scratch::{try_read, try_read_buf_plain, try_read_plain},
    sys::set_low_water,
};
pub use ending::end;

use crate::{
    errno::Errno,
    fact::{Cause, EndReason, Fact, Failed, Failure, PauseReason, Phase, Recorder, Stamp, Wait, What},
    mailbox::{Command, Inbox, Outgoing},
    options::Options,
};

/// How long the peer may take no byte before the log says that it does not read.
const STALL_AFTER: Duration = Duration::from_secs(1);

/// How long a close waits for queued bytes to be written before they are given up.
const CLOSE_GRACE: Duration = Duration::from_secs(10);

/// What happened, for one turn of the loop.
enum Step {
    Command(Option<Command>),
    Ready(io::Result<Ready>),
    /// The log has room again.
    Room,
    /// A deadline of ours passed.
    Deadline,
}

/// Owns the socket until it ends. Every fact of it, from here on, is recorded by this task.
pub async fn run(
    stream: TcpStream,
    options: Options,
    inbox: Inbox,
    recorder: Arc<dyn Recorder>,
    anchor: Instant,
) {
    Task {
        stream,
        options,
        inbox,
        recorder,
        anchor,
        pending: VecDeque::new(),
        written: 0,
        received: 0,
        sent: 0,
        reading: true,
        writing: true,
        waiting: Instant::now(),
        last_progress: None,
        stalled: None,
        no_room: None,
        more: false,
        closing: None,
        shutting_down: None,
    }
    .run()
    .await;
}

struct Task {
    stream: TcpStream,
    options: Options,
    inbox: Inbox,
    recorder: Arc<dyn Recorder>,
    /// Where `t_us` counts from.
    anchor: Instant,
    /// Accepted and not wholly written, in order. Bounded by the mailbox's [`crate::mailbox::SEND_QUEUE_BYTES`].
    pending: VecDeque<Outgoing>,
    /// Bytes of the first pending send that are written.
    written: usize,
    received: u64,
    sent: u64,
    /// The peer's FIN has not come.
    reading: bool,
    /// Our FIN has not gone.
    writing: bool,
    /// When the current read was entered.
    waiting: Instant,
    /// When the kernel last took bytes, while some wait.
    last_progress: Option<Instant>,
    /// Since when the log says that the peer does not read.
    stalled: Option<Instant>,
    /// The last burst of reads ended by its number, so there is more to read.
    more: bool,
    /// Since when reading waits for room in the log, and what ends the wait.
    no_room: Option<(Instant, Wait)>,
    /// Somebody closed it: who, and when the queue is given up.
    closing: Option<(Cause, Instant)>,
    /// Somebody half-closed it and bytes are still queued.
    shutting_down: Option<Cause>,
}

/// The socket is over: who asked, why.
struct End(Cause, EndReason);

impl Task {
    async fn run(mut self) {
        let End(cause, reason) = loop {
            let step = self.next().await;
            let end = match step {
                Step::Command(command) => self.obey(command),
                Step::Ready(Ok(ready)) => self.ready(ready),
                Step::Ready(Err(error)) => Some(self.fail(Phase::Receive, &error)),
                Step::Room => {
                    self.resume_reading();
                    None
                }
                Step::Deadline => self.deadline(),
            };
            if let Some(end) = end {
                break end;
            }
            // A socket that is always ready would keep its thread: the runtime sees nothing that waits.
            if std::mem::take(&mut self.more) {
                yield_now().await;
            }
        };
        self.close(&cause, reason);
    }

    async fn next(&mut self) -> Step {
        let mut interest = Interest::ERROR;
        if self.reads() && self.no_room.is_none() {
            interest |= Interest::READABLE;
        }
        if !self.pending.is_empty() {
            interest |= Interest::WRITABLE;
        }
        let deadline = self.next_deadline();
        // Made only when it is needed: a timer asks the clock, and most turns have none.
        let deadline = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let room = async {
            match &mut self.no_room {
                Some((_, wait)) => wait.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Commands first: a flood of bytes must not delay a close.
            biased;
            command = self.inbox.commands.recv() => Step::Command(command),
            () = room => Step::Room,
            ready = self.stream.ready(interest) => Step::Ready(ready),
            () = deadline => Step::Deadline,
        }
    }

    /// Whether anything is read: the peer may still send, and nobody asked to let it lie.
    fn reads(&self) -> bool {
        self.reading && self.options.reading != Some(false)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let stall = self.last_progress.filter(|_| self.stalled.is_none()).map(|at| at + STALL_AFTER);
        let grace = self.closing.as_ref().map(|(_, at)| *at);
        match (stall, grace) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn obey(&mut self, command: Option<Command>) -> Option<End> {
        match command {
            // Nobody holds the mailbox any more: nobody could ever close this socket.
            None => Some(End(None, EndReason::Closed)),
            Some(Command::Send(outgoing))
                if self.writing && self.closing.is_none() && self.shutting_down.is_none() =>
            {
                self.pending.push_back(*outgoing);
                if self.pending.len() == 1 {
                    self.last_progress = Some(Instant::now());
                    self.write()
                } else {
                    None
                }
            }
            Some(Command::Send(outgoing)) => {
                // It was taken in a state that has passed since.
                self.forget(&outgoing, 0);
                let failure = Failure::Os(Errno::EPIPE);
                self.record_failure(&outgoing.cause, failure, Phase::Send, false);
                None
            }
            Some(Command::Shutdown(cause)) if self.pending.is_empty() => self.shut_down(&cause),
            // One already waits for the queue; this one changes nothing.
            Some(Command::Shutdown(cause)) if self.shutting_down.is_some() => {
                self.record_failure(&cause, Failure::Os(Errno::ENOTCONN), Phase::Shutdown, false);
                None
            }
            Some(Command::Shutdown(cause)) => {
                self.shutting_down = Some(cause);
                None
            }
            Some(Command::Close(cause)) if self.pending.is_empty() || self.closing.is_some() => {
                Some(End(cause, EndReason::Closed))
            }
            Some(Command::Close(cause)) => {
                self.recorder.record(Stamp::now(), &cause, Fact::Closing(self.inbox.queue.bytes()), None);
                self.closing = Some((cause, Instant::now() + CLOSE_GRACE));
                None
            }
            Some(Command::Reset(cause)) => {
                // With SO_LINGER 0, close(2) discards what is unsent and sends RST (tcp(7), socket(7)). Setting it
                // cannot fail on a living TCP socket; were it to, the close that follows would show as a FIN.
                if let Err(error) = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)) {
                    self.record_failure(&cause, Failure::Os(Errno::from(&error)), Phase::Option, false);
                }
                Some(End(cause, EndReason::Reset))
            }
            Some(Command::End(cause, reason)) => Some(End(cause, reason)),
            Some(Command::Look) => {
                ending::look(&self.stream, self.recorder.as_ref());
                None
            }
            Some(Command::Set(set)) => {
                let (options, cause) = *set;
                options.apply(&SockRef::from(&self.stream), self.recorder.as_ref(), &cause);
                self.options.read_size = options.read_size.or(self.options.read_size);
                if let Some(reading) = options.reading {
                    self.options.reading = Some(reading);
                    // A read that comes after a rest was entered when the rest ended.
                    self.waiting = Instant::now();
                }
                None
            }
        }
    }

    fn ready(&mut self, ready: Ready) -> Option<End> {
        if ready.is_writable()
            && !self.pending.is_empty()
            && let Some(end) = self.write()
        {
            return Some(end);
        }
        if self.reads() && self.no_room.is_none() && (ready.is_readable() || ready.is_read_closed()) {
            return self.read();
        }
        // Only looked at when no read will meet the error: a RST after the FIN, or while reading stands still.
        if ready.is_error() {
            return match self.stream.take_error() {
                Ok(Some(error)) => Some(self.fail(Phase::Receive, &error)),
                Ok(None) => {
                    self.clear_error_readiness();
                    None
                }
                Err(error) => Some(self.fail(Phase::Receive, &error)),
            };
        }
        None
    }

    /// Tells the reactor that the error was seen, so that `ready` waits for the next one.
    fn clear_error_readiness(&self) {
        let would_block: io::Result<()> =
            self.stream.try_io(Interest::ERROR, || Err(io::ErrorKind::WouldBlock.into()));
        debug_assert!(would_block.is_err(), "the closure always fails");
    }

    fn deadline(&mut self) -> Option<End> {
        let now = Instant::now();
        if self.closing.as_ref().is_some_and(|(_, at)| *at <= now) {
            return self.closing.take().map(|(cause, _)| End(cause, EndReason::Closed));
        }
        if let Some(at) = self.last_progress
            && self.stalled.is_none()
            && at + STALL_AFTER <= now
        {
            self.stalled = Some(at);
            let fact = Fact::Paused(What::Send, PauseReason::PeerNotReading, self.inbox.queue.bytes());
            // The call that stands still was entered when the kernel last took bytes.
            self.recorder.record(Stamp::since(at), &None, fact, None);
        }
        None
    }

    /// Records what ended the socket. A RST is told apart from every other error.
    fn fail(&self, phase: Phase, error: &io::Error) -> End {
        let errno = Errno::from(error);
        let cause =
            self.pending.front().and_then(|outgoing| outgoing.cause.clone()).filter(|_| phase == Phase::Send);
        // EPIPE is a RST too: the kernel met it before this call and has no ECONNRESET left to give.
        if errno == Errno::ECONNRESET || (errno == Errno::EPIPE && self.writing) {
            let entered =
                if phase == Phase::Send { self.last_progress } else { None }.unwrap_or(self.waiting);
            self.recorder.record(Stamp::since(entered), &cause, Fact::ResetByPeer(phase, errno), None);
            End(cause, EndReason::Reset)
        } else {
            self.record_failure(&cause, Failure::Os(errno), phase, true);
            End(cause, EndReason::Failed)
        }
    }

    fn record_failure(&self, cause: &Cause, failure: Failure, phase: Phase, fatal: bool) {
        let failed = Failed { fatal, ..Failed::minor(failure, phase) };
        self.recorder.record(Stamp::now(), cause, Fact::Failed(Box::new(failed)), None);
    }
}
