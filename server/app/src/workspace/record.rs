//! The way up: a socket's facts into the log.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use sockscope_sockets::{
    fact::{Cause, EndReason, Fact, Recorder, Stamp, Wait},
    kernel::info::{Queues, TcpInfo},
    listener::Adopt,
    mailbox::{Command, Mailbox},
    open,
    options::{MAX_DATAGRAM, Options},
    stream,
};
use sockscope_wire::{Contract, Direction, PeerKind, Role, SocketId, SocketState};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use super::{CLOSED_LISTED, Inner, SocketEntry, Workspace, kernel::told, opening::New};
use crate::{
    log::{Born, Entry, Stored, Tag},
    peers::{self, Program},
};

/// Records the facts of one socket.
pub struct SocketRecorder {
    workspace: Arc<Workspace>,
    id: SocketId,
    /// A practice peer's calls are recorded without their bytes.
    practice: bool,
    /// Its place among the open sockets: free before anybody can know that it has ended.
    seat: Mutex<Option<OwnedSemaphorePermit>>,
}

impl SocketRecorder {
    /// For the socket of that name, with its place; of a `practice` peer, calls are recorded without their bytes.
    #[must_use]
    pub fn new(
        workspace: &Arc<Workspace>,
        id: SocketId,
        practice: bool,
        seat: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { workspace: Arc::clone(workspace), id, practice, seat: Mutex::new(seat) }
    }

    /// Where they are recorded.
    #[must_use]
    pub fn workspace(&self) -> &Arc<Workspace> {
        &self.workspace
    }

    /// Whose facts these are.
    #[must_use]
    pub fn id(&self) -> SocketId {
        self.id
    }

    fn tag(&self, stamp: Stamp, origin: Cause) -> Tag {
        let t_us = self.workspace.anchor.micros(stamp.at);
        Tag { t_us, took_us: stamp.took_us(), origin, socket: Some(self.id), hidden: self.practice }
    }
}

impl Recorder for SocketRecorder {
    fn record(&self, stamp: Stamp, cause: &Cause, fact: Fact, payload: Option<&[u8]>) {
        // Copied before the lock is taken: the copy is exact, so what the log accounts is what it holds.
        let stored = match payload {
            None => Stored::None,
            Some(_) if self.practice => Stored::Unrecorded,
            Some(bytes) => Stored::Kept(Arc::from(bytes)),
        };
        let tag = self.tag(stamp, cause.clone());
        if !self.practice {
            self.workspace.kernel.notice(self.id, &fact);
        }
        let ended = {
            let mut inner = self.workspace.lock();
            if let Stored::Kept(bytes) = &stored {
                inner.log.settle(bytes.len());
            }
            let ended = inner.fact(tag, fact, stored);
            if ended {
                self.seat.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
            ended
        };
        if ended {
            self.workspace.kernel.ends(self.id);
        }
        self.workspace.news.notify_waiters();
    }

    fn admit(&self, most: usize) -> usize {
        if self.practice || self.workspace.never_pauses() {
            most
        } else {
            self.workspace.lock().log.grant(most)
        }
    }

    fn decline(&self, granted: usize) {
        if granted > 0 && !self.practice {
            self.workspace.settle(granted);
        }
    }

    fn watches(&self) -> bool {
        !self.practice && self.workspace.kernel.watches(self.id)
    }

    fn dialling(&self, local: SocketAddr, remote: SocketAddr, cookie: Option<u64>) {
        if !self.practice {
            self.workspace.kernel.dialling(self.id, local, remote, cookie);
        }
    }

    fn counted(&self, info: &TcpInfo, queues: Queues) {
        if !self.practice && self.workspace.kernel.counted(self.id, info) {
            let kernel =
                crate::log::Kernel::Info { end: Direction::Local, info: Box::new(info.clone()), queues };
            self.workspace.record_kernel(vec![told(Some(self.id), (Instant::now(), kernel))]);
        }
    }

    fn room(&self) -> Wait {
        let workspace = Arc::clone(&self.workspace);
        Box::pin(async move {
            loop {
                let room = workspace.room.notified();
                tokio::pin!(room);
                // Registered before asking, so that a trim in between is not missed.
                room.as_mut().enable();
                if workspace.has_room() {
                    return;
                }
                room.await;
            }
        })
    }
}

impl Workspace {
    /// Whether the log would grant the largest datagram: more than it takes to go on with a stream, so that reading does
    /// not stop and start with every trickle.
    fn has_room(&self) -> bool {
        let mut inner = self.lock();
        let granted = inner.log.grant(MAX_DATAGRAM);
        inner.log.settle(granted);
        granted == MAX_DATAGRAM
    }

    /// Takes back what was granted, and tells whoever waits for room: there may be some now.
    pub(super) fn settle(&self, granted: usize) {
        if !self.never_pauses() {
            self.lock().log.settle(granted);
            self.room.notify_waiters();
        }
    }

    fn never_pauses(&self) -> bool {
        self.config.log_full == sockscope_wire::LogFull::Evict
    }
}

impl Inner {
    /// Appends a fact of a socket and takes it into account, in one step; of the socket of a bridge, what has no room in a log that
    /// may give nothing up is only taken into account. Returns whether it ended the socket.
    fn fact(&mut self, tag: Tag, fact: Fact, payload: Stored) -> bool {
        let seq = self.log.head().next();
        let socket = tag.socket;
        let mut ended = false;
        let mut counters = sockscope_wire::Counters::default();
        let is_full = self.log.is_full();
        if let Some(entry) = socket.and_then(|id| self.sockets.get_mut(&id)) {
            ended = entry.fold(seq, tag.t_us, &fact);
            counters = entry.counters;
            // A bridge waits for no room: what it tells again and again is only counted then.
            if is_full && entry.bridge.is_some() && comes_again(&fact) {
                return false;
            }
        }
        let entry = match fact {
            Fact::Closed(reason, left) => Entry::Closed(Box::new((reason, left, counters))),
            fact => Entry::Fact(fact),
        };
        self.append(tag, entry, payload);
        if let Some(record) = self.log.get(seq) {
            self.watches.tell(record, ended);
        }
        if let (true, Some(id)) = (ended, socket) {
            self.closed.push_back(id);
            while self.closed.len() > CLOSED_LISTED {
                if let Some(oldest) = self.closed.pop_front() {
                    self.sockets.remove(&oldest);
                }
            }
        }
        ended
    }
}

/// Whether a socket may tell the like of it without end.
fn comes_again(fact: &Fact) -> bool {
    match fact {
        Fact::Sent(_)
        | Fact::Received(_)
        | Fact::Relayed(_)
        | Fact::Dropped(_)
        | Fact::Paused(..)
        | Fact::Resumed(..)
        | Fact::Unserved(_) => true,
        Fact::Failed(failed) => !failed.fatal,
        Fact::Denied(denied) => !denied.fatal,
        _ => false,
    }
}

/// Takes what a listener accepts into the workspace.
pub(super) struct Nursery {
    pub(super) workspace: Arc<Workspace>,
    pub(super) parent: SocketId,
    pub(super) practice: Option<Arc<Program>>,
}

impl Adopt for Nursery {
    fn seats(&self) -> Arc<Semaphore> {
        Arc::clone(&self.workspace.seats)
    }

    fn adopt(&self, stream: TcpStream, remote: SocketAddr, stamp: Stamp, seat: OwnedSemaphorePermit) {
        let workspace = &self.workspace;
        let practice = self.practice.clone();
        let newcomer = Newcomer {
            parent: self.parent,
            stream: &stream,
            remote,
            stamp,
            seat,
            practice: practice.as_ref().map(|program| program.kind()),
            bridge: None,
            observed: practice.is_none(),
        };
        let Some((New { inbox, recorder, .. }, options)) = workspace.bear(newcomer) else { return };
        let anchor = workspace.anchor.instant();
        workspace.tasks.spawn(async move {
            match practice {
                Some(program) => peers::serve(&program, stream, inbox, recorder).await,
                None => stream::run(stream, options, inbox, recorder, anchor).await,
            }
        });
    }
}

/// A connection that a listener has accepted.
pub(super) struct Newcomer<'a> {
    pub(super) parent: SocketId,
    pub(super) stream: &'a TcpStream,
    pub(super) remote: SocketAddr,
    /// When it was accepted.
    pub(super) stamp: Stamp,
    pub(super) seat: OwnedSemaphorePermit,
    /// The practice peer it belongs to.
    pub(super) practice: Option<PeerKind>,
    /// How a program reaches it, of the socket of a bridge.
    pub(super) bridge: Option<Contract>,
    /// The kernel's side of it is recorded, too.
    pub(super) observed: bool,
}

impl Workspace {
    /// Makes an accepted connection a socket of the workspace, with its listener's options. `None` where the listener is forgotten.
    pub(super) fn bear(self: &Arc<Self>, newcomer: Newcomer<'_>) -> Option<(New, Options)> {
        let Newcomer { parent: of, stream, remote, stamp, seat, practice, bridge, observed } = newcomer;
        let (mailbox, inbox) = Mailbox::new();
        // Only fails on a connection that is reset already; its reading will say so.
        let local = stream.local_addr().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
        let t_us = self.anchor.micros(stamp.at);
        let hidden = practice.is_some();
        let (id, options) = {
            let mut inner = self.lock();
            let parent = inner.sockets.get(&of)?;
            let (target, options) = (parent.target.clone(), parent.options.for_accepted());
            // The parent was closed with its children, or the server ends, while this one was being accepted.
            let end = match &parent.children_end {
                Some(cause) => Some((cause.clone(), EndReason::ListenerClosed)),
                None if inner.ending => Some((None, EndReason::ShuttingDown)),
                None => None,
            };
            if let Some((cause, reason)) = end {
                // Its task is not started yet, so it hears this first.
                mailbox.tell(Command::End(cause, reason)).ok();
            }
            let id = inner.new_id();
            let tag = |socket, took_us| Tag { t_us, took_us, origin: None, socket: Some(socket), hidden };
            inner.append(tag(of, stamp.took_us()), Entry::Accepted(Box::new((id, remote))), Stored::None);
            let mut entry = SocketEntry::new(target, Role::Accepted, mailbox);
            entry.state = SocketState::Open;
            (entry.local, entry.remote) = (Some(local), Some(remote));
            entry.parent = Some(of);
            entry.practice = practice;
            entry.bridge = bridge;
            entry.options = options.clone();
            let born = Born { local, remote, parent: of, practice, bridge };
            entry.opened_seq = inner.append(tag(id, None), Entry::Born(Box::new(born)), Stored::None);
            inner.sockets.insert(id, entry);
            (id, options)
        };
        if hidden {
            self.kernel.meets(id, local, remote);
        } else if observed {
            self.kernel.born(id, local, remote, socket2::SockRef::from(stream).cookie().ok());
        }
        self.news.notify_waiters();
        let recorder = Arc::new(SocketRecorder::new(self, id, hidden, Some(seat)));
        open::prepare_accepted(&socket2::SockRef::from(stream), &options, recorder.as_ref(), &None);
        Some((New { id, inbox, recorder }, options))
    }
}
