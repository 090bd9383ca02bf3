//! Waiting for what a command causes: the log tells whoever registered the command's name before giving it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use sockscope_sockets::fact::Fact;
use sockscope_wire::{Seq, SocketId};
use tokio::sync::Notify;

use crate::log::{Entry, Record};

/// What a command has caused so far.
#[derive(Debug, Default, Clone)]
pub(super) struct Progress {
    /// Bytes the kernel took, and the seq of the last write.
    pub sent: u64,
    /// The last `sent` event.
    pub sent_seq: Seq,
    /// The socket has a local address.
    pub bound: Option<Seq>,
    /// The socket is connected or listens.
    pub opened: Option<Seq>,
    /// The direction is shut down.
    pub shut_down: Option<Seq>,
    /// Options set or refused by the kernel.
    pub options: usize,
    /// The last failure or denial it caused.
    pub failed: Option<Record>,
    /// What ended the socket, whoever caused it.
    pub ended: Option<Record>,
}

#[derive(Debug, Default)]
struct Watch {
    progress: Mutex<Progress>,
    changed: Notify,
}

/// Who waits for which command. Part of the workspace's locked state.
#[derive(Debug, Default)]
pub(super) struct Watches {
    by_cause: HashMap<Box<str>, (SocketId, Arc<Watch>)>,
}

/// A registration; dropping it only matters together with [`Watches::remove`], which the workspace calls.
#[derive(Debug, Clone)]
pub(super) struct Watcher(Arc<Watch>);

impl Watches {
    /// Registers a command before it is given, so that nothing it causes can be missed.
    pub(super) fn add(&mut self, cause: &str, socket: SocketId) -> Watcher {
        let watch = Arc::new(Watch::default());
        self.by_cause.insert(cause.into(), (socket, Arc::clone(&watch)));
        Watcher(watch)
    }

    pub(super) fn remove(&mut self, cause: &str) {
        self.by_cause.remove(cause);
    }

    /// Tells whoever waits for it. Free of cost while nobody does.
    pub(super) fn tell(&self, record: &Record, ended: bool) {
        if self.by_cause.is_empty() {
            return;
        }
        if let Some(origin) = &record.origin
            && let Some((_, watch)) = self.by_cause.get(&origin.cause)
        {
            watch.update(|progress| progress.take(record));
        }
        if ended {
            for (_, watch) in self.by_cause.values().filter(|(socket, _)| Some(*socket) == record.socket) {
                watch.update(|progress| progress.ended = Some(record.clone()));
            }
        }
    }
}

impl Progress {
    fn take(&mut self, record: &Record) {
        let Entry::Fact(fact) = &record.entry else { return };
        match fact {
            Fact::Sent(chunk) => {
                self.sent += u64::from(chunk.len);
                self.sent_seq = record.seq;
            }
            Fact::Bound(_) => self.bound = Some(record.seq),
            Fact::Connected(_) | Fact::Listening(_) => self.opened = Some(record.seq),
            Fact::Shutdown => self.shut_down = Some(record.seq),
            Fact::OptionSet(_) => self.options += 1,
            Fact::Failed(failed) => {
                if failed.phase == sockscope_sockets::fact::Phase::Option {
                    self.options += 1;
                }
                self.failed = Some(record.clone());
            }
            Fact::Denied(_) | Fact::ResetByPeer(..) => self.failed = Some(record.clone()),
            Fact::Resolved(_)
            | Fact::Connecting(_)
            | Fact::Received(_)
            | Fact::Eof(_)
            | Fact::ResetByUs
            | Fact::Closing(_)
            | Fact::Closed(..)
            | Fact::Dropped(_)
            | Fact::Paused(..)
            | Fact::Resumed(..)
            | Fact::Abandoned(_)
            | Fact::Unserved(_)
            | Fact::Forgotten(_)
            | Fact::Relayed(_) => {}
        }
    }
}

impl Watch {
    fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_waiters();
    }
}

impl Watcher {
    /// Waits until `judge` finds what it looks for.
    pub(super) async fn until<T>(&self, judge: impl Fn(&Progress) -> Option<T>) -> T {
        loop {
            // Registered before looking, so that a change in between is not missed.
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = judge(&self.progress()) {
                return found;
            }
            changed.await;
        }
    }

    /// What was caused so far.
    pub(super) fn progress(&self) -> Progress {
        self.0.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
