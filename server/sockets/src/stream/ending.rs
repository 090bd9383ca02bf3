//! The end: what is still there is recorded, and the descriptor is closed.

use std::time::Duration;

use socket2::SockRef;
use tokio::{net::TcpStream, time::Instant};

use super::Task;
use crate::{
    fact::{Cause, EndReason, Fact, Leftover, Recorder, Stamp},
    kernel::info::{self, TcpInfo},
    mailbox::Command,
    sys,
};

impl Task {
    pub(super) fn close(mut self, cause: &Cause, reason: EndReason) {
        self.inbox.commands.close();
        if self.reads() && !matches!(reason, EndReason::Reset | EndReason::Failed) {
            // What the kernel already holds was received: record it, unless somebody asked to let it lie. Closing with unread bytes would also send a RST
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

/// Says what the kernel counts of a stream that somebody watches. One that is reset already has nothing to say.
pub(super) fn look(stream: &TcpStream, recorder: &dyn Recorder) {
    if recorder.watches()
        && let (Ok(info), Ok(queues)) = (TcpInfo::of(stream), info::queues(stream))
    {
        recorder.counted(&info, queues);
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
    look(&stream, recorder);
    let entered = Instant::now();
    drop(stream);
    let stamp = Stamp::since(entered);
    if aborting || unread > 0 {
        recorder.record(stamp, cause, Fact::ResetByUs, None);
    }
    recorder.record(stamp, cause, Fact::Closed(reason, Leftover { unsent, unread }), None);
}
