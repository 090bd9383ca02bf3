//! The way down: what was accepted for sending, in order, and the half-close after it.

use std::{io, net::Shutdown};

use socket2::SockRef;
use tokio::time::Instant;

use super::{End, Task};
use crate::{
    errno::Errno,
    fact::{Cause, Chunk, EndReason, Fact, Failure, Phase, Stamp, What},
    mailbox::Outgoing,
};

impl Task {
    pub(super) fn write(&mut self) -> Option<End> {
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
                    let len = u32::try_from(n).expect("a send is at most 1 MiB");
                    let chunk = Chunk::of_stream(len, self.sent);
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
    pub(super) fn next_pending(&mut self) {
        self.pending.pop_front();
        self.written = 0;
        self.inbox.queue.done();
    }

    pub(super) fn flowing(&mut self, at: Instant) {
        self.last_progress = Some(at);
        self.inbox.queue.set_blocked(None);
        if let Some(since) = self.stalled.take() {
            self.recorder.record(Stamp::now(), &None, Fact::Resumed(What::Send, since.elapsed()), None);
        }
    }

    pub(super) fn shut_down(&mut self, cause: &Cause) -> Option<End> {
        let entered = Instant::now();
        match SockRef::from(&self.stream).shutdown(Shutdown::Write) {
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

    pub(super) fn forget(&self, outgoing: &Outgoing, written: usize) {
        self.recorder.decline(outgoing.data.len() - written);
        self.inbox.queue.sent((outgoing.data.len() - written) as u64);
        self.inbox.queue.done();
    }
}
