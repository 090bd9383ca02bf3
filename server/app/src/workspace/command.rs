//! The way down: wishes to the workspace. What is understood becomes facts; what is not is answered and leaves no trace.
//!
//! Here is what all wishes share; `opening`, `sending` and `changing` hold the wishes themselves.

use std::{sync::Arc, time::Duration};

use sockscope_sockets::{
    fact::{Cause, Origin},
    mailbox::Refused as MailRefused,
};
use sockscope_wire::{Code, SocketId};

use super::{Inner, SocketEntry, Workspace, watch::Watcher};
use crate::problem::{Refused, Saying as _, problem};

/// Who gives a command, and what its facts are marked with.
#[derive(Debug, Clone)]
pub struct Order(pub Arc<Origin>);

impl Order {
    /// An order of that name by that principal.
    #[must_use]
    pub fn new(cause: String, by: &str) -> Self {
        Self(Arc::new(Origin { cause: cause.into(), by: by.into() }))
    }

    pub(super) fn cause(&self) -> Cause {
        Some(Arc::clone(&self.0))
    }
}

/// A registered wait that is taken back when nobody waits any more.
pub(super) struct Watching<'a> {
    workspace: &'a Workspace,
    order: Order,
    pub(super) watcher: Watcher,
}

impl<'a> Watching<'a> {
    pub(super) fn new(workspace: &'a Workspace, order: &Order, id: SocketId) -> Self {
        let watcher = workspace.lock().watches.add(&order.0.cause, id);
        Self { workspace, order: order.clone(), watcher }
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.workspace.lock().watches.remove(&self.order.0.cause);
    }
}

impl Inner {
    pub(super) fn must_take_commands(&self) -> Result<(), Refused> {
        if self.ending {
            return Err(problem(Code::ShuttingDown, "the server is shutting down"));
        }
        if self.log.is_full() {
            return Err(problem(Code::LogFull, "trim the log first"));
        }
        Ok(())
    }
}

/// How long an answer waits for a task that should act at once.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn within<T>(done: impl Future<Output = T>) -> Result<T, Refused> {
    tokio::time::timeout(PATIENCE, done)
        .await
        .map_err(|_| problem(Code::TimedOut, "the socket has not done it yet"))
}

/// Refuses what nobody but the client of a bridge may do: its task takes no wish but to end.
pub(super) fn not_of_a_bridge(entry: &SocketEntry, id: SocketId) -> Result<(), Refused> {
    match entry.bridge {
        None => Ok(()),
        Some(_) => Err(wrong_state(entry, id, "its bytes belong to a bridge's client")),
    }
}

pub(super) fn wrong_state(entry: &SocketEntry, id: SocketId, detail: &str) -> Refused {
    let state = serde_json::to_value(entry.state).ok().and_then(|state| state.as_str().map(str::to_owned));
    let mut refused = problem(Code::WrongState, detail).with("state", state.unwrap_or_default());
    refused.socket = Some(id);
    refused
}

pub(super) fn mail_problem(refused: MailRefused, id: SocketId) -> Refused {
    let mut refused = match refused {
        MailRefused::Full => problem(Code::QueueFull, "nothing was taken")
            .with("max", sockscope_sockets::mailbox::SEND_QUEUE_BYTES),
        MailRefused::Ended => problem(Code::WrongState, "the socket has ended"),
    };
    refused.socket = Some(id);
    refused
}
