//! The way down to a socket's task: a bounded queue of commands.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::sync::mpsc;

use crate::{
    fact::{Cause, EndReason},
    options::Options,
    policy::CheckedAddr,
};

/// The most bytes one socket's send queue takes. A send that does not fit is refused whole ([`Refused::Full`]).
pub const SEND_QUEUE_BYTES: u64 = 1 << 20;

/// The most sends one socket's queue takes, whatever their size; refused like too many bytes.
pub const SEND_QUEUE_SENDS: u64 = 1024;

/// Commands beside sends that may wait; one more is refused. The task takes commands at once, so this only fills
/// when the task is starved.
const CONTROL_COMMANDS: usize = 16;

/// Bytes on their way out.
#[derive(Debug)]
pub struct Outgoing {
    /// The bytes.
    pub data: Arc<[u8]>,
    /// Where a datagram goes, for an unconnected socket.
    pub to: Option<CheckedAddr>,
    /// Who asked.
    pub cause: Cause,
}

/// A wish to one socket.
#[derive(Debug)]
pub enum Command {
    /// Send bytes after those already queued.
    Send(Box<Outgoing>),
    /// shutdown(SHUT_WR) after what is queued.
    Shutdown(Cause),
    /// Close after what is queued; a second one drops the queue.
    Close(Cause),
    /// Close with RST, now.
    Reset(Cause),
    /// Close with FIN, now: the server ends, or the listener was closed with its children.
    End(Cause, EndReason),
    /// Set options.
    Set(Box<(Options, Cause)>),
    /// Say what the kernel counts.
    Look,
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The queue is full; nothing was taken.
    #[error("the socket's queue is full")]
    Full,
    /// The task has ended.
    #[error("the socket has ended")]
    Ended,
}

/// What waits to be sent, for everybody to see. Bytes count from the moment a send is taken until the kernel has it.
#[derive(Debug, Default)]
pub struct SendQueue {
    bytes: AtomicU64,
    sends: AtomicU64,
    /// Microseconds since the log's anchor plus one; 0 while bytes flow.
    blocked_since: AtomicU64,
}

impl SendQueue {
    /// How many bytes wait.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Since when the peer has taken none, in µs after `anchor`.
    #[must_use]
    pub fn blocked_since_us(&self) -> Option<u64> {
        self.blocked_since.load(Ordering::Relaxed).checked_sub(1)
    }

    fn take(&self, bytes: u64) -> bool {
        let grow = |limit: u64, by: u64| move |now: u64| (now + by <= limit).then_some(now + by);
        if self.sends.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow(SEND_QUEUE_SENDS, 1)).is_err() {
            return false;
        }
        if self
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grow(SEND_QUEUE_BYTES, bytes))
            .is_err()
        {
            self.sends.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        true
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) fn done(&self) {
        self.sends.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn set_blocked(&self, since_us: Option<u64>) {
        self.blocked_since.store(since_us.map_or(0, |us| us + 1), Ordering::Relaxed);
    }
}

/// Holds the sending end. Dropping every mailbox of a socket closes it: nobody could command it any more.
#[derive(Debug, Clone)]
pub struct Mailbox {
    commands: mpsc::Sender<Command>,
    queue: Arc<SendQueue>,
}

/// The task's end of a [`Mailbox`].
#[derive(Debug)]
pub struct Inbox {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) queue: Arc<SendQueue>,
}

impl Inbox {
    /// Hears nothing more, of a socket that takes no sends, so that whoever drops the mailbox wakes nobody: that may be the
    /// task that waited here, at its end, and a task that wakes itself wakes a thread of the runtime, too.
    pub fn close(&mut self) {
        self.commands.close();
        // What still lay here has no meaning to a socket that has ended.
        while let Poll::Ready(Some(_)) = self.commands.poll_recv(&mut Context::from_waker(Waker::noop())) {}
    }

    /// Waits until somebody ends a socket that is not open yet. Other commands have no meaning then; the workspace
    /// refuses them before they get here.
    pub async fn cancelled(&mut self) -> (Cause, EndReason) {
        loop {
            match self.commands.recv().await {
                None => return (None, EndReason::Cancelled),
                Some(Command::Close(cause) | Command::Reset(cause)) => return (cause, EndReason::Cancelled),
                Some(Command::End(cause, reason)) => return (cause, reason),
                Some(Command::Send(_) | Command::Shutdown(_) | Command::Set(_) | Command::Look) => {}
            }
        }
    }

    /// Waits for the next wish to end the socket, of a socket that takes no others: a practice peer's.
    pub async fn end(&mut self) -> Ending {
        loop {
            match self.commands.recv().await {
                None => return Ending::Close(None, EndReason::Closed),
                Some(Command::Close(cause)) => return Ending::Close(cause, EndReason::Closed),
                Some(Command::Reset(cause)) => return Ending::Reset(cause),
                Some(Command::End(cause, reason)) => return Ending::Close(cause, reason),
                Some(Command::Send(_) | Command::Shutdown(_) | Command::Set(_) | Command::Look) => {}
            }
        }
    }
}

/// How a practice peer's socket is to end.
#[derive(Debug)]
pub enum Ending {
    /// With FIN.
    Close(Cause, EndReason),
    /// With RST.
    Reset(Cause),
}

impl Mailbox {
    /// A mailbox and its inbox.
    #[must_use]
    pub fn new() -> (Self, Inbox) {
        let capacity = usize::try_from(SEND_QUEUE_SENDS).expect("a small constant") + CONTROL_COMMANDS;
        let (sender, commands) = mpsc::channel(capacity);
        let queue = Arc::new(SendQueue::default());
        (Self { commands: sender, queue: Arc::clone(&queue) }, Inbox { commands, queue })
    }

    /// What waits to be sent.
    #[must_use]
    pub fn queue(&self) -> &SendQueue {
        &self.queue
    }

    /// Queues bytes, all or none.
    ///
    /// # Errors
    /// [`Refused::Full`] when they do not fit, [`Refused::Ended`] when nobody will send them.
    pub fn send(&self, outgoing: Outgoing) -> Result<(), Refused> {
        let bytes = outgoing.data.len() as u64;
        if !self.queue.take(bytes) {
            return Err(Refused::Full);
        }
        self.tell(Command::Send(Box::new(outgoing))).inspect_err(|_| {
            self.queue.sent(bytes);
            self.queue.done();
        })
    }

    /// Gives any other command.
    ///
    /// # Errors
    /// As [`Mailbox::send`].
    pub fn tell(&self, command: Command) -> Result<(), Refused> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Full,
            mpsc::error::TrySendError::Closed(_) => Refused::Ended,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Wake};

    use super::*;

    fn bytes(n: usize) -> Outgoing {
        Outgoing { data: vec![0; n].into(), to: None, cause: None }
    }

    #[test]
    fn a_send_that_does_not_fit_takes_nothing() {
        let (mailbox, _inbox) = Mailbox::new();
        let all = usize::try_from(SEND_QUEUE_BYTES).expect("small");
        mailbox.send(bytes(all)).expect("fits exactly");
        assert_eq!(mailbox.send(bytes(1)), Err(Refused::Full));
        assert_eq!(mailbox.queue().bytes(), SEND_QUEUE_BYTES);
    }

    #[test]
    fn many_small_sends_are_bounded_and_leave_room_for_a_close() {
        let (mailbox, _inbox) = Mailbox::new();
        for _ in 0..SEND_QUEUE_SENDS {
            mailbox.send(bytes(1)).expect("fits");
        }
        assert_eq!(mailbox.send(bytes(1)), Err(Refused::Full));
        mailbox.tell(Command::Close(None)).expect("a close is always heard");
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Woken(AtomicU64);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn whoever_hears_nothing_more_is_not_woken_by_the_end_of_the_mailbox() {
        for (closes, wakes) in [(false, 1), (true, 0)] {
            let (mailbox, mut inbox) = Mailbox::new();
            let woken = Arc::new(Woken::default());
            {
                let mut end = pin!(inbox.end());
                let waker = Waker::from(Arc::clone(&woken));
                assert!(end.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            if closes {
                inbox.close();
                assert_eq!(mailbox.tell(Command::Close(None)), Err(Refused::Ended));
            }
            drop(mailbox);
            assert_eq!(woken.0.load(Ordering::Relaxed), wakes, "closed: {closes}");
        }
    }

    #[test]
    fn a_command_to_an_ended_socket_is_refused_and_counts_nothing() {
        let (mailbox, inbox) = Mailbox::new();
        drop(inbox);
        assert_eq!(mailbox.send(bytes(3)), Err(Refused::Ended));
        assert_eq!(mailbox.queue().bytes(), 0);
    }
}
