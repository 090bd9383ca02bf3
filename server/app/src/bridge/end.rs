//! How a bridge ends: what the log and the client are told.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use socket2::SockRef;
use sockscope_sockets::{
    errno::Errno,
    fact::{Cause, EndReason, Fact, Failed, Failure, Leftover, Phase, Recorder as _, Stamp},
    mailbox::{Ending, Inbox},
    stream,
};
use tokio::{net::TcpStream, time::timeout};

use super::{
    client::{Client, Close},
    frame::code,
    keys::Over,
    ledger::Ledger,
};

/// How long what was read of one side has to be written to the other once the first is gone.
pub(super) const FLUSH: Duration = Duration::from_secs(5);

/// How long a frame may still take that is being written when somebody here ends the bridge, before the target is closed: that is
/// meant to be over at once.
const ENDED: Duration = Duration::from_millis(500);

/// Why a bridge ends.
pub(super) enum End {
    /// The client said so.
    ClientClosed(Option<u16>),
    /// The client's connection is gone, without a word.
    ClientLost,
    /// The client broke the rules.
    ClientFailed(u16),
    /// The target's FIN, and everything before it.
    Eof,
    /// A call to the target failed.
    Target(Phase, Errno),
    /// Somebody ended it.
    Ordered(Ending),
    /// The key it was opened with is over.
    Key(Over),
}

impl End {
    /// Says in the log what failed, and gives whose wish the end is, and why.
    fn told(&self, ledger: &Ledger) -> (Cause, EndReason) {
        ledger.tell();
        ledger.leave();
        match self {
            Self::ClientClosed(_) => (None, EndReason::ClientClosed),
            Self::ClientLost | Self::ClientFailed(_) => (None, EndReason::ClientLost),
            Self::Eof => (None, EndReason::BothEnded),
            Self::Target(phase, errno) => {
                let reset = matches!(*errno, Errno::ECONNRESET | Errno::EPIPE);
                let (fact, reason) = if reset {
                    (Fact::ResetByPeer(*phase, *errno), EndReason::Reset)
                } else {
                    let failed = Failed { fatal: true, ..Failed::minor(Failure::Os(*errno), *phase) };
                    (Fact::Failed(Box::new(failed)), EndReason::Failed)
                };
                ledger.recorder().record(Stamp::now(), &None, fact, None);
                (None, reason)
            }
            Self::Ordered(Ending::Close(cause, reason)) => (cause.clone(), *reason),
            Self::Ordered(Ending::Reset(cause)) => (cause.clone(), EndReason::Reset),
            Self::Key(Over::Revoked(cause)) => (cause.clone(), EndReason::Closed),
            Self::Key(Over::Spent) => (None, EndReason::KeySpent),
        }
    }

    /// Closes a stream of which so many bytes were not sent, and says in the log how it ended.
    pub(super) fn close(&self, socket: TcpStream, ledger: &Ledger, unsent: u64) {
        let (cause, reason) = self.told(ledger);
        if matches!(self, Self::Ordered(Ending::Reset(_))) {
            // Cannot fail on a living socket; were it to, the close would show as a FIN.
            SockRef::from(&socket).set_linger(Some(Duration::ZERO)).ok();
        }
        stream::end(socket, ledger.recorder().as_ref(), &cause, reason, unsent);
    }

    /// The same of what has gone already: datagrams, or a listener.
    pub(super) fn closed(&self, ledger: &Ledger, unsent: u64) {
        let (cause, reason) = self.told(ledger);
        let left = Leftover { unsent, unread: 0 };
        ledger.recorder().record(Stamp::now(), &cause, Fact::Closed(reason, left), None);
    }

    /// Whether somebody here wished it.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(self, Self::Ordered(_) | Self::Key(_))
    }

    /// What the client is told, if it was not.
    fn last_word(&self) -> Option<Close> {
        match self {
            Self::ClientClosed(code) => Some(Close { code: *code, reason: String::new() }),
            Self::ClientLost => None,
            Self::ClientFailed(code) => Some(Close::new(*code, "")),
            Self::Eof => None,
            Self::Target(_, errno) => Some(Close::new(code::INTERNAL, errno.to_string())),
            Self::Ordered(_) => Some(Close::new(code::GOING_AWAY, "closed by the bridge's owner")),
            Self::Key(over) => Some(Close::new(code::POLICY, over.as_str())),
        }
    }
}

/// Waits until somebody here ends it, and keeps its books meanwhile.
pub(super) async fn ordered(ledger: &Ledger, inbox: &mut Inbox) -> End {
    tokio::select! {
        biased;
        ending = inbox.end() => End::Ordered(ending),
        over = ledger.over() => End::Key(over),
        never = ledger.keep() => match never {},
    }
}

/// What ends a bridge beside its pumps.
async fn outside(client: &Client, ledger: &Ledger, inbox: &mut Inbox) -> End {
    tokio::select! {
        biased;
        end = ordered(ledger, inbox) => end,
        () = client.broken() => End::ClientLost,
        never = client.beat() => match never {},
    }
}

/// Which way ended, or neither.
enum Ended {
    Up(End),
    Down(End),
    Both(End),
}

/// Runs both pumps until one ends. Says why, and what the client is told, if it was not; one that is gone is told nothing. What only
/// the end needs is boxed: a bridge that lives for hours does not carry it.
pub(super) async fn run(
    client: &Client,
    ledger: &Ledger,
    inbox: &mut Inbox,
    mut up: Pin<&mut impl Future<Output = End>>,
    mut down: Pin<&mut impl Future<Output = End>>,
) -> (End, Option<Close>) {
    let mut outside = pin!(outside(client, ledger, inbox));
    let ended = tokio::select! {
        biased;
        end = &mut outside => Ended::Both(end),
        end = &mut up => Ended::Up(end),
        end = &mut down => Ended::Down(end),
    };
    match ended {
        Ended::Down(End::Eof) => {
            let last = Close::new(code::NORMAL, "target closed");
            client.closes(last.clone());
            // The target may read on, and what the client sent before it heard of this is on its way.
            let rest = async { tokio::join!(client.say(), up) };
            let end = tokio::select! {
                biased;
                end = outside => end,
                _ = Box::pin(timeout(FLUSH, rest)) => End::Eof,
            };
            // Whether the client says goodbye or not, it was over.
            let end = if matches!(end, End::ClientLost) { End::Eof } else { end };
            (end, Some(last))
        }
        // What the target said before it reset the connection may say why.
        Ended::Up(end @ End::Target(Phase::Send, _)) => {
            let end = tokio::select! {
                biased;
                sooner = outside => sooner,
                _ = Box::pin(timeout(FLUSH, down)) => end,
            };
            let last = end.last_word();
            (end, last)
        }
        Ended::Down(end) => {
            let last = end.last_word();
            (end, last)
        }
        Ended::Up(end) | Ended::Both(end) => {
            let Some(last) = end.last_word() else { return (end, None) };
            client.closes(last.clone());
            // After the frame that is being written, if the client reads at all.
            let patience = if end.is_ordered() { ENDED } else { FLUSH };
            Box::pin(timeout(patience, down)).await.ok();
            (end, Some(last))
        }
    }
}
