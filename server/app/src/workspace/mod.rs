//! A workspace: sockets, and the one log of everything that happens to them.
//!
//! One mutex guards the log together with what its facts add up to (the list of sockets), so that a list is exact as of
//! the log's head. It is held for the length of one append or one bounded read, never across an await.

mod attaching;
mod changing;
mod command;
pub mod convert;
mod entry;
mod fetching;
mod kernel;
mod opening;
mod record;
mod recorded;
mod sending;
mod watch;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use sockscope_sockets::{
    fact::{Cause, EndReason},
    mailbox::Command,
    policy::{Policy, Resolver},
};
use sockscope_wire::{Code, LogFull, Seq, Socket, SocketId, SocketList, TrimAnswer};
use tokio::sync::{Notify, Semaphore, futures::Notified};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use attaching::{Attached, Wish};
pub use command::Order;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use fetching::fuzz::http_request;
pub use kernel::{Eyes, Kernel, LOOKED_AT, Look};
pub use opening::{Leg, OpenGuard};
pub use record::SocketRecorder;

use crate::{
    clock::Anchor,
    log::{Filter, Limits, Log, Record, Slice, Tag},
    problem::{Refused, problem},
};
use entry::{Snapshot, SocketEntry};
use watch::Watches;

/// Closed sockets that stay listed; the one closed longest ago leaves.
const CLOSED_LISTED: usize = 1000;

/// Of the sockets that may be open, the part that listeners and bridge keys leave to those that somebody opens.
const KEPT: usize = 16;

/// How many seqs a trim gives up in one go, with the log locked.
const TRIM_STEP: u64 = 4096;

/// What a workspace is made with.
pub struct WorkspaceConfig {
    /// Bytes its log may hold.
    pub log_bytes: usize,
    /// What happens when it is full.
    pub log_full: LogFull,
    /// The most sockets open at once.
    pub max_sockets: usize,
    /// What may be reached.
    pub policy: Arc<Policy>,
    /// The same for practice peers: the ports of listeners that others reach are not theirs.
    pub practice_policy: Arc<Policy>,
    /// How names become addresses.
    pub resolver: Arc<Resolver>,
    /// What is recorded of the kernel's side.
    pub eyes: Eyes,
}

/// A workspace. Shared by every door; its tasks end with [`Workspace::shut_down`].
pub struct Workspace {
    id: String,
    epoch: String,
    anchor: Anchor,
    config: WorkspaceConfig,
    inner: Mutex<Inner>,
    /// Wakes cursors: something was appended.
    news: Notify,
    /// Wakes sockets that wait for the log to have room.
    room: Notify,
    /// One permit a socket that may be open.
    seats: Arc<Semaphore>,
    /// The same, for sockets that somebody opens: listeners that accept more and more cannot have these, nor bridge keys.
    kept_seats: Arc<Semaphore>,
    /// What the kernel and the wire do with them.
    kernel: Kernel,
    /// The tasks that own sockets, and the observer.
    tasks: TaskTracker,
    /// The observer's end.
    ending: CancellationToken,
    /// Names connections and requests, for `cause`.
    names: AtomicU64,
}

struct Inner {
    log: Log,
    sockets: BTreeMap<SocketId, SocketEntry>,
    next_socket: u32,
    /// Closed sockets still listed, oldest first.
    closed: VecDeque<SocketId>,
    watches: Watches,
    /// No more sockets are opened.
    ending: bool,
}

/// What a cursor sees: a stretch, and where the log begins and ends.
pub struct View {
    /// The stretch.
    pub slice: Slice,
    /// The last seq given.
    pub head: Seq,
    /// The oldest record of each shelf.
    pub firsts: Vec<(sockscope_wire::ShelfName, Seq)>,
}

impl Workspace {
    /// An empty workspace with a new epoch, observed from now on. Within a tokio runtime.
    #[must_use]
    pub fn new(config: WorkspaceConfig) -> Arc<Self> {
        let workspace = Arc::new(Self {
            id: crate::secret::random_id(),
            epoch: crate::secret::random_id(),
            anchor: Anchor::now(),
            inner: Mutex::new(Inner {
                log: Log::new(config.log_bytes, config.log_full),
                sockets: BTreeMap::new(),
                next_socket: 1,
                closed: VecDeque::new(),
                watches: Watches::default(),
                ending: false,
            }),
            news: Notify::new(),
            room: Notify::new(),
            seats: Arc::new(Semaphore::new(config.max_sockets - config.max_sockets / KEPT)),
            kept_seats: Arc::new(Semaphore::new(config.max_sockets / KEPT)),
            kernel: Kernel::open(config.eyes),
            tasks: TaskTracker::new(),
            ending: CancellationToken::new(),
            names: AtomicU64::new(1),
            config,
        });
        workspace.tasks.spawn(kernel::observe(Arc::clone(&workspace)));
        workspace
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held left at worst one fact half told; the log itself is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The id programs may use instead of `default`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the kernel and the wire do with its sockets.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The log's epoch.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Where `t_us` counts from.
    #[must_use]
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// What it was made with.
    #[must_use]
    pub fn config(&self) -> &WorkspaceConfig {
        &self.config
    }

    /// Bytes the log holds.
    #[must_use]
    pub fn log_bytes(&self) -> usize {
        self.lock().log.bytes()
    }

    /// The oldest conversation record and the head.
    #[must_use]
    pub fn bounds(&self) -> (Seq, Seq) {
        let inner = self.lock();
        (inner.log.first(sockscope_wire::ShelfName::Conversation), inner.log.head())
    }

    /// How many sockets may be open at once.
    #[must_use]
    pub fn most_sockets(&self) -> usize {
        self.config.max_sockets
    }

    /// How many sockets are open now.
    #[must_use]
    pub fn open_sockets(&self) -> usize {
        self.config.max_sockets - self.seats.available_permits() - self.kept_seats.available_permits()
    }

    /// A name for a connection or request, unique in the epoch: the letter and a number.
    #[must_use]
    pub fn name(&self, letter: char) -> String {
        format!("{letter}{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// Reads a stretch of the log.
    #[must_use]
    pub fn read(&self, after: Seq, filter: &Filter, limits: Limits) -> View {
        let wanted = |record: &Record| {
            let left_out = (filter.without_hidden && record.hidden)
                || (filter.without_kernel
                    && matches!(record.entry, crate::log::Entry::Kernel(_) | crate::log::Entry::Segment(_)));
            !left_out
                && filter
                    .types
                    .as_ref()
                    .is_none_or(|types| types.contains(&convert::type_name(&record.entry)))
        };
        let inner = self.lock();
        View {
            slice: inner.log.read(after, filter, limits, wanted),
            head: inner.log.head(),
            firsts: inner.log.firsts().collect(),
        }
    }

    /// Ends with the next append after it was enabled.
    pub fn news(&self) -> Notified<'_> {
        self.news.notified()
    }

    /// One record.
    ///
    /// # Errors
    /// When there never was one, or it is gone.
    pub fn record(&self, seq: Seq) -> Result<Record, Refused> {
        let inner = self.lock();
        if seq == Seq(0) {
            return Err(problem(Code::UnknownEvent, "the first event is 1"));
        }
        if seq > inner.log.head() {
            return Err(problem(Code::BeyondHead, format!("the log ends at {}", inner.log.head())));
        }
        inner.log.get(seq).cloned().ok_or_else(|| problem(Code::Evicted, format!("event {seq} is gone")))
    }

    /// The sockets, exact as of `head`.
    #[must_use]
    pub fn list(&self, hidden: bool) -> SocketList {
        let (head, shown) = {
            let inner = self.lock();
            let shown = inner.sockets.iter().filter(|(_, entry)| hidden || entry.practice.is_none());
            (inner.log.head(), shown.map(|(id, entry)| entry.snapshot(*id)).collect::<Vec<_>>())
        };
        let sockets = shown.into_iter().map(Snapshot::view).collect();
        SocketList { epoch: self.epoch.clone(), head, sockets }
    }

    /// One socket.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn socket(&self, id: SocketId) -> Result<Socket, Refused> {
        let snapshot = self.lock().sockets.get(&id).map(|entry| entry.snapshot(id));
        snapshot.map(Snapshot::view).ok_or_else(|| unknown_socket(id))
    }

    /// The addresses of a socket that is listed and has any: its own, and its peer's.
    #[must_use]
    pub fn ends(&self, id: SocketId) -> Option<(SocketAddr, Option<SocketAddr>)> {
        let inner = self.lock();
        let entry = inner.sockets.get(&id)?;
        Some((entry.local?, entry.remote))
    }

    /// Gives up the log's records up to a seq, for everybody.
    ///
    /// # Errors
    /// When the seq lies beyond the head.
    pub fn trim(&self, up_to: Seq, cause: &Cause) -> Result<TrimAnswer, Refused> {
        let head = self.lock().log.head();
        if up_to > head {
            return Err(problem(Code::BeyondHead, format!("the log ends at {head}")));
        }
        // In steps, so that no socket waits for long. The last one is the whole rest, which is quick when it is all.
        let mut before = 0;
        loop {
            let mut inner = self.lock();
            let oldest = inner.log.firsts().map(|(_, first)| first).min().unwrap_or(up_to);
            let step = Seq(oldest.0.saturating_add(TRIM_STEP));
            if step >= up_to || up_to == inner.log.head() {
                break;
            }
            let (trimmed, old) = inner.log.trim(step);
            before += trimmed;
            drop(inner);
            drop(old);
        }
        let (answer, old) = {
            let mut inner = self.lock();
            let (trimmed, old) = inner.log.trim(up_to);
            let trimmed = before + trimmed;
            let note = vec![("up_to", up_to.to_string()), ("events", trimmed.to_string())];
            inner.note(&self.anchor, None, cause, Code::LogTrimmed, note);
            let first = inner.log.first(sockscope_wire::ShelfName::Conversation);
            (TrimAnswer { first, head: inner.log.head(), trimmed }, old)
        };
        // Freeing a full log takes a while: not while sockets wait to append.
        drop(old);
        self.room.notify_waiters();
        self.news.notify_waiters();
        Ok(answer)
    }

    /// Ends every socket with FIN and waits for their tasks. No socket is opened any more.
    pub async fn shut_down(&self) {
        {
            let mut inner = self.lock();
            inner.ending = true;
            for entry in inner.sockets.values().filter(|entry| !entry.is_over()) {
                // A full mailbox still takes control commands; an ended task needs none.
                entry.tell(Command::End(None, EndReason::ShuttingDown)).ok();
            }
        }
        self.ending.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Inner {
    /// Records a remark.
    fn note(
        &mut self,
        anchor: &Anchor,
        socket: Option<SocketId>,
        cause: &Cause,
        code: Code,
        params: Vec<(&'static str, String)>,
    ) -> Seq {
        let hidden =
            socket.and_then(|id| self.sockets.get(&id)).is_some_and(|entry| entry.practice.is_some());
        let t_us = anchor.micros(tokio::time::Instant::now());
        let tag = Tag { t_us, took_us: None, origin: cause.clone(), socket, hidden };
        self.append(tag, crate::log::Entry::Note(Box::new((code, params))), crate::log::Stored::None)
    }

    fn append(&mut self, tag: Tag, entry: crate::log::Entry, payload: crate::log::Stored) -> Seq {
        self.log.append(sockscope_wire::ShelfName::Conversation, tag, entry, payload)
    }
}

fn unknown_socket(id: SocketId) -> Refused {
    problem(Code::UnknownSocket, format!("there is no socket {id}"))
}
