//! The task that owns a connected TCP socket.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use socket2::SockRef;
use tokio::{
    io::{Interest, Ready},
    net::TcpStream,
    task::yield_now,
    time::{Instant, sleep_until},
};

use crate::{
    errno::Errno,
    fact::{
        Cause, Chunk, EndReason, Fact, Failed, Failure, Leftover, PauseReason, Phase, Recorder, Stamp, Wait,
        What,
    },
    mailbox::{Command, Inbox, Outgoing},
    options::Options,
    scratch::{try_read, with_scratch},
    sys,
};

/// Reads in a row before commands get a turn: enough to keep a flood at the kernel's speed, few enough that a close
/// is heard at once.
const READ_BURST: usize = 16;

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
        if self.reading && self.no_room.is_none() {
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
            Some(Command::Set(set)) => {
                let (options, cause) = *set;
                options.apply(&SockRef::from(&self.stream), self.recorder.as_ref(), &cause);
                self.options.read_size = options.read_size.or(self.options.read_size);
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
        if self.reading && self.no_room.is_none() && (ready.is_readable() || ready.is_read_closed()) {
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

    fn read(&mut self) -> Option<End> {
        for _ in 0..READ_BURST {
            let granted = self.recorder.admit(self.options.stream_read_size());
            if granted == 0 {
                self.pause_reading();
                return None;
            }
            let result = with_scratch(|scratch| {
                let result = try_read(&self.stream, &mut scratch[..granted]);
                if let Ok(n @ 1..) = result {
                    let chunk = Chunk {
                        len: u32::try_from(n).expect("a read is at most 256 KiB"),
                        offset: Some(self.received),
                        peer: None,
                        truncated: false,
                    };
                    let stamp = Stamp::since(self.waiting);
                    self.recorder.record(stamp, &None, Fact::Received(chunk), Some(&scratch[..n]));
                    self.waiting = stamp.at;
                }
                result
            });
            let brought = *result.as_ref().unwrap_or(&0);
            self.recorder.decline(granted - brought);
            match result {
                Ok(0) => {
                    self.reading = false;
                    self.recorder.record(Stamp::since(self.waiting), &None, Fact::Eof(self.received), None);
                    return (!self.writing).then_some(End(None, EndReason::BothEnded));
                }
                Ok(n) => self.received += n as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Some(self.fail(Phase::Receive, &error)),
            }
        }
        self.more = true;
        None
    }

    fn pause_reading(&mut self) {
        self.no_room = Some((Instant::now(), self.recorder.room()));
        self.recorder.record(Stamp::now(), &None, Fact::Paused(What::Read, PauseReason::LogFull, 0), None);
    }

    fn resume_reading(&mut self) {
        if let Some((since, _)) = self.no_room.take() {
            self.recorder.record(Stamp::now(), &None, Fact::Resumed(What::Read, since.elapsed()), None);
            self.waiting = Instant::now();
        }
    }

    fn write(&mut self) -> Option<End> {
        while let Some(outgoing) = self.pending.front() {
            // The call is entered when it was this send's turn; while blocked, when the kernel last took bytes.
            let entered = self.last_progress.unwrap_or_else(Instant::now);
            let rest = &outgoing.data[self.written..];
            if rest.is_empty() {
                self.next_pending();
                continue;
            }
            match self.stream.try_write(rest) {
                Ok(n) => {
                    let chunk = Chunk {
                        len: u32::try_from(n).expect("a send is at most 1 MiB"),
                        offset: Some(self.sent),
                        peer: None,
                        truncated: false,
                    };
                    let stamp = Stamp::since(entered);
                    // Before it is told: who hears of it finds room for as much again.
                    self.inbox.queue.sent(n as u64);
                    self.recorder.record(stamp, &outgoing.cause, Fact::Sent(chunk), Some(&rest[..n]));
                    self.sent += n as u64;
                    self.written += n;
                    self.flowing(stamp.at);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let since = entered.saturating_duration_since(self.anchor).as_micros();
                    self.inbox.queue.set_blocked(u64::try_from(since).ok());
                    return None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Some(self.fail(Phase::Send, &error)),
            }
        }
        self.last_progress = None;
        if let Some((cause, _)) = self.closing.take() {
            return Some(End(cause, EndReason::Closed));
        }
        self.shutting_down.take().and_then(|cause| self.shut_down(&cause))
    }

    /// The turn of the next one begins when the last write of this one returned, which `flowing` noted.
    fn next_pending(&mut self) {
        self.pending.pop_front();
        self.written = 0;
        self.inbox.queue.done();
    }

    fn flowing(&mut self, at: Instant) {
        self.last_progress = Some(at);
        self.inbox.queue.set_blocked(None);
        if let Some(since) = self.stalled.take() {
            self.recorder.record(Stamp::now(), &None, Fact::Resumed(What::Send, since.elapsed()), None);
        }
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

    fn shut_down(&mut self, cause: &Cause) -> Option<End> {
        let entered = Instant::now();
        match SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write) {
            Ok(()) => {
                self.writing = false;
                self.recorder.record(Stamp::since(entered), cause, Fact::Shutdown, None);
                (!self.reading).then_some(End(None, EndReason::BothEnded))
            }
            Err(error) => {
                self.record_failure(cause, Failure::Os(Errno::from(&error)), Phase::Shutdown, false);
                None
            }
        }
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

    fn forget(&self, outgoing: &Outgoing, written: usize) {
        self.recorder.decline(outgoing.data.len() - written);
        self.inbox.queue.sent((outgoing.data.len() - written) as u64);
        self.inbox.queue.done();
    }

    fn close(mut self, cause: &Cause, reason: EndReason) {
        self.inbox.commands.close();
        if self.reading && !matches!(reason, EndReason::Reset | EndReason::Failed) {
            // What the kernel already holds was received: record it. Closing with unread bytes would also send a RST
            // where a FIN was asked for (RFC 2525 §2.17). No more than the kernel can hold, so that a flood cannot keep
            // the socket open; an end it meets changes nothing any more.
            let mut left = SockRef::from(&self.stream).recv_buffer_size().unwrap_or(0) as u64;
            while left > 0 && self.no_room.is_none() {
                let before = self.received;
                if self.read().is_some() || self.received == before {
                    break;
                }
                left = left.saturating_sub(self.received - before);
            }
        }
        while let Ok(command) = self.inbox.commands.try_recv() {
            if let Command::Send(outgoing) = command {
                self.pending.push_back(*outgoing);
            }
        }
        let mut unsent = 0;
        for (index, outgoing) in self.pending.iter().enumerate() {
            let written = if index == 0 { self.written } else { 0 };
            unsent += (outgoing.data.len() - written) as u64;
            self.forget(outgoing, written);
        }
        self.inbox.queue.set_blocked(None);
        end(self.stream, self.recorder.as_ref(), cause, reason, unsent);
    }
}

/// Closes a stream's descriptor, by whichever task owned it, and says what that sent.
///
/// close(2) sends RST instead of FIN when bytes lie unread (RFC 2525 §2.17), or when SO_LINGER is on with no time.
pub fn end(stream: TcpStream, recorder: &dyn Recorder, cause: &Cause, reason: EndReason, unsent: u64) {
    let over = matches!(reason, EndReason::Reset | EndReason::Failed);
    // A kernel that does not say so is taken to hold nothing: what is claimed was seen.
    let unread = if over { 0 } else { sys::unread(&stream).unwrap_or(0) };
    let aborting = SockRef::from(&stream).linger().is_ok_and(|linger| linger == Some(Duration::ZERO));
    let entered = Instant::now();
    drop(stream);
    let stamp = Stamp::since(entered);
    if aborting || unread > 0 {
        recorder.record(stamp, cause, Fact::ResetByUs, None);
    }
    recorder.record(stamp, cause, Fact::Closed(reason, Leftover { unsent, unread }), None);
}
