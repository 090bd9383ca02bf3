//! Kernel truth: what the kernel and the wire did with the workspace's sockets, on the log's own shelf.
//!
//! Sockets' tasks say what happens to them ([`Kernel::notice`], a few instructions under a lock of its own); one task, the
//! observer, does the looking. Nothing here is on the way of a byte, and nothing a socket does waits for it.

mod end;
mod ends;
mod flows;
mod looks;
mod observer;
mod paths;
mod subject;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sockscope_sockets::{
    errno::Errno,
    fact::Fact,
    kernel::{
        capture::{Capture, Raw},
        destroyed::{Gone, Subscription},
        diag::Diag,
        info::TcpInfo,
        packet::Packet,
        state::Protocol,
    },
};
use sockscope_wire::{Direction, Evidence, KernelSight, Level, Role, SocketId};
use tokio::{sync::Notify, time::Instant};

use crate::log;

pub use looks::{LOOKED_AT, Look};
pub(super) use observer::{run as observe, told};

use ends::Ends;
use flows::{Flows, Frame, Matched};
use looks::Looks;
use subject::{Subject, Telling};

/// Frames are judged in stretches of at most so many, so that a flood of them leaves the lock to others.
const STRETCH: usize = 64;

/// Sockets under observation at once, those in TIME_WAIT among them. Of more, the one that was closed first is let go.
const SUBJECTS: usize = 4096;

/// What is recorded of the kernel's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eyes {
    /// States, counters, and segments where this process may capture.
    All,
    /// States and counters.
    States,
    /// Nothing.
    Shut,
}

/// The eyes of one workspace.
pub struct Kernel {
    eyes: Eyes,
    /// Why there is none, where it was wanted.
    diag: Result<Diag, Option<Errno>>,
    capture: Result<Capture, Option<Errno>>,
    looks: Arc<Looks>,
    watched: Mutex<Watched>,
    /// Something happened to a socket.
    stirred: Notify,
}

/// A frame of a socket, to be recorded.
struct SeenFrame {
    socket: SocketId,
    at: Instant,
    seen: log::Seen,
    head: Box<[u8]>,
}

/// What is observed.
#[derive(Default)]
struct Watched {
    subjects: BTreeMap<SocketId, Subject>,
    /// Notices of sockets that are gone: there are as many as sockets of this machine, so they are had while something is
    /// observed.
    notices: Option<Subscription>,
    flows: Flows,
    /// Sockets by their ends, observed or not.
    ends: Ends,
}

impl Kernel {
    /// Opens what it may.
    #[must_use]
    pub fn open(eyes: Eyes) -> Self {
        let refused = |error: io::Error| Some(Errno::from(&error));
        Self {
            eyes,
            diag: if eyes == Eyes::Shut { Err(None) } else { Diag::open().map_err(refused) },
            capture: if eyes == Eyes::All { Capture::open().map_err(refused) } else { Err(None) },
            looks: Arc::default(),
            watched: Mutex::default(),
            stirred: Notify::new(),
        }
    }

    /// How much can be seen.
    #[must_use]
    pub fn sight(&self) -> KernelSight {
        fn level<T>(source: &Result<T, Option<Errno>>) -> Level {
            let errno = source.as_ref().err().and_then(|errno| errno.as_ref());
            Level { active: source.is_ok(), errno: errno.map(|errno| errno.name()) }
        }
        KernelSight {
            tcp_info: Level { active: self.is_open(), errno: None },
            sock_diag: level(&self.diag),
            segments: level(&self.capture),
            container: ["/.dockerenv", "/run/.containerenv"].iter().any(|path| Path::new(path).exists()),
        }
    }

    /// Whether anything is recorded of the kernel's side.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.eyes != Eyes::Shut
    }

    /// What a viewer looks at; nothing yet.
    #[must_use]
    pub fn look(&self) -> Look {
        Look::new(&self.looks)
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        // A panic while it was held left at worst one socket half observed.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket is about to open.
    pub(super) fn opens(&self, id: SocketId, role: Role) {
        if !self.is_open() {
            return;
        }
        let mut watched = self.lock();
        if watched.subjects.len() >= SUBJECTS {
            let oldest =
                watched.subjects.iter().filter_map(|(id, subject)| Some((subject.closed?, *id))).min();
            let Some((_, oldest)) = oldest else { return };
            watched.forget(oldest, self.capture.as_ref().ok());
        }
        watched.subjects.insert(id, Subject::new(role));
        if watched.subjects.len() == 1 {
            watched.subscribe();
        }
    }

    /// Whether a socket is under observation.
    pub(super) fn watches(&self, id: SocketId) -> bool {
        self.is_open() && self.lock().subjects.contains_key(&id)
    }

    /// A connection is being made from here to there, by the socket with that cookie.
    pub(super) fn dialling(&self, id: SocketId, local: SocketAddr, remote: SocketAddr, cookie: Option<u64>) {
        let mut watched = self.lock();
        if !watched.subjects.contains_key(&id) {
            return;
        }
        watched.is_between(id, local, remote);
        watched.meets(id, local, remote);
        if let Some(subject) = watched.subjects.get_mut(&id) {
            subject.is_called(cookie);
        }
        drop(watched);
        self.stirred.notify_one();
    }

    /// Something happened to a socket. Of reads and writes there are too many, and they change no state.
    pub(super) fn notice(&self, id: SocketId, fact: &Fact) {
        if !self.is_open() || matches!(fact, Fact::Sent(_) | Fact::Received(_)) {
            return;
        }
        let mut watched = self.lock();
        if let Fact::Connected(ends) = fact {
            watched.meets(id, ends.0, ends.1);
            watched.is_between(id, ends.0, ends.1);
        }
        let Watched { subjects, flows, .. } = &mut *watched;
        let Some(subject) = subjects.get_mut(&id) else { return };
        let now = Instant::now();
        let capture = self.capture.as_ref().ok();
        match fact {
            Fact::Connecting(attempt) => flows.tries(id, subject.protocol, attempt.0, capture),
            Fact::Listening(listening) => subject.local = Some(listening.0),
            // Somebody who tries again and again may be there before listen(2) has returned.
            Fact::Bound(local) => {
                if !subject.listens {
                    subject.local = Some(**local);
                }
                flows.listens(id, subject.protocol, **local, capture);
            }
            Fact::OptionSet(set) if set.0 == sockscope_sockets::options::OptionName::Accepting => {
                subject.held = set.1 == 0;
            }
            _ => {}
        }
        subject.stir(now);
        drop(watched);
        self.stirred.notify_one();
    }

    /// A socket's descriptor is closed, or it never had one.
    pub(super) fn ends(&self, id: SocketId) {
        if !self.is_open() {
            return;
        }
        let mut watched = self.lock();
        watched.flows.closes(id);
        match watched.subjects.get_mut(&id) {
            Some(subject) => {
                subject.closed = Some(Instant::now());
                subject.stir(Instant::now());
            }
            // Frames from before are still to come.
            None => return watched.ends.closes(id, Instant::now()),
        }
        drop(watched);
        self.stirred.notify_one();
    }

    /// A socket that is not observed has these ends: it is the other end of one that may be.
    pub(super) fn meets(&self, id: SocketId, local: SocketAddr, remote: SocketAddr) {
        if !self.is_open() {
            return;
        }
        self.lock().meets(id, local, remote);
    }

    /// A socket's task tells what the kernel counts of it. Returns whether it is observed: then that is recorded.
    pub(super) fn counted(&self, id: SocketId, info: &TcpInfo) -> bool {
        let mut watched = self.lock();
        let subject = watched.subjects.get_mut(&id);
        subject.map(|subject| subject.was_told(info)).is_some()
    }

    /// A listener accepted this socket.
    pub(super) fn born(&self, id: SocketId, local: SocketAddr, remote: SocketAddr, cookie: Option<u64>) {
        self.opens(id, Role::Accepted);
        self.dialling(id, local, remote, cookie);
        // What its listener wants goes with the listener.
        self.lock().flows.listens(id, Protocol::Tcp, local, self.capture.as_ref().ok());
    }
}

impl Watched {
    /// Nobody knows which are gone: all are looked at.
    fn stir_all(&mut self, now: Instant) {
        self.subjects.values_mut().for_each(|subject| subject.stir(now));
    }

    /// The next frames of the capture: those that are somebody's are to be recorded.
    fn frames(&mut self, capture: &Capture, frames: &mut Vec<Raw>, seen: &mut Vec<SeenFrame>) {
        let mut matched = Vec::new();
        self.flows.claimed(&mut matched);
        for raw in frames.drain(..frames.len().min(STRETCH)) {
            if let Some(packet) = Packet::parse(&raw) {
                let Raw { interface, way, len, bytes, checksum, link, .. } = raw;
                let frame = Frame { packet, interface, way, len, checksum, link, head: bytes };
                self.flows.see(frame, &mut matched);
            }
        }
        seen.extend(matched.into_iter().map(|matched| self.seen(capture, matched)));
    }

    fn seen(&mut self, capture: &Capture, matched: Matched) -> SeenFrame {
        let Matched { socket, sender, carried, frame, far: (remote, local), passed } = matched;
        let far = self.ends.at(remote, local);
        // Told once; both ends are to know where they are.
        if let Some(subject) = far.and_then(|far| self.subjects.get_mut(&far)) {
            passed.iter().for_each(|passed| subject.passes(passed.of_the_other()));
        }
        match self.subjects.get_mut(&socket) {
            Some(subject) if subject.is_between(local, remote) => {
                passed.into_iter().for_each(|passed| subject.passes(passed));
            }
            _ => self.flows.keep_passed(local, remote, passed),
        }
        let interface = capture.interface(frame.interface);
        let seen = log::Seen {
            sender,
            interface,
            far,
            carried,
            len: frame.len,
            link: frame.link,
            checksum: frame.checksum,
        };
        SeenFrame { socket, at: frame.packet.at, seen, head: frame.head }
    }

    /// A socket's connection has these ends, or the attempt that is under way.
    fn is_between(&mut self, id: SocketId, local: SocketAddr, remote: SocketAddr) {
        let Some(subject) = self.subjects.get_mut(&id) else { return };
        let passed = self.flows.claim(id, subject.protocol, local, remote);
        subject.connects(local, remote);
        passed.into_iter().for_each(|passed| subject.passes(passed));
        subject.stir(Instant::now());
    }

    fn meets(&mut self, id: SocketId, local: SocketAddr, remote: SocketAddr) {
        let before = self.ends.insert(id, local, remote);
        // What was left of the connection before is over: a SYN wakes ports out of TIME_WAIT, and the kernel does not say so.
        if let Some(subject) = before.and_then(|before| self.subjects.get_mut(&before)) {
            subject.stir(Instant::now());
        }
    }

    /// Whether a socket's other end is one of this workspace too.
    fn is_ours(&self, id: SocketId) -> bool {
        let ends = self.subjects.get(&id).and_then(|subject| subject.remote.zip(subject.local));
        ends.is_some_and(|(far, near)| self.ends.at(far, near).is_some())
    }

    /// Sockets that are to be looked at now.
    fn due(&self, now: Instant) -> Vec<SocketId> {
        let due = |subject: &Subject| subject.due.is_some_and(|due| due <= now);
        self.subjects.iter().filter(|(_, subject)| due(subject)).map(|(id, _)| *id).collect()
    }

    /// The kernel says that a socket is gone, and what it had counted: whoever is at either end is looked at. Its own socket
    /// tells the counters, if it is observed, else the one at the other end. Says whether it was anybody's.
    fn is_gone(&mut self, gone: &Gone, now: Instant, ours: &mut bool) -> Option<(SocketId, Telling)> {
        *ours = false;
        let (near, far) = (gone.local, gone.remote);
        let mut told = None;
        for ((local, remote), end) in [((near, far), Direction::Local), ((far, near), Direction::Peer)] {
            let Some(id) = self.ends.at(local, remote) else { continue };
            let Some(subject) = self.subjects.get_mut(&id) else { continue };
            subject.stir(now);
            *ours = true;
            if told.is_none() && subject.is(end, gone.cookie) {
                let telling = gone.info.as_ref().and_then(|info| subject.counts(end, info, gone.queues));
                told = Some(telling.map(|kernel| (id, (now, kernel))));
            }
        }
        told.flatten()
    }

    /// What the kernel said of a connection's ends, its flow is to know.
    fn was_told(&mut self, told: &[Telling], local: SocketAddr, remote: SocketAddr) {
        for (_, telling) in told {
            if let log::Kernel::State { end, state: Some(state), evidence: Evidence::Read, .. } = telling {
                match end {
                    Direction::Local => self.flows.is_in(local, remote, *state),
                    Direction::Peer => self.flows.is_in(remote, local, *state),
                }
            }
        }
    }

    /// From now on it can be told when a socket is gone.
    fn has_notices(&mut self, subscription: Subscription) {
        self.notices = Some(subscription);
        self.subscribe();
    }

    /// Has notices sent exactly while something is observed.
    fn subscribe(&self) {
        let Some(subscription) = &self.notices else { return };
        if let Err(error) = subscription.set(!self.subjects.is_empty()) {
            tracing::debug!(%error, "the kernel does not change what it tells of");
        }
    }

    fn forget(&mut self, id: SocketId, capture: Option<&Capture>) {
        if self.subjects.remove(&id).is_some() && self.subjects.is_empty() {
            self.subscribe();
        }
        self.ends.remove(id);
        self.flows.forget(id, capture);
    }
}
