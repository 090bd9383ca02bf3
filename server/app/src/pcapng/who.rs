//! Who is at which end of what, and of whom frames were captured.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
};

use sockscope_sockets::fact::Fact;
use sockscope_wire::{Role, SocketId};

use crate::log::{Entry, Record};

/// The addresses of a connection, from one end.
pub(super) type Ends = (SocketAddr, SocketAddr);

/// What records said of sockets.
#[derive(Default)]
pub(super) struct Who {
    /// Sockets of which a frame was captured.
    captured: BTreeSet<SocketId>,
    /// Sockets of datagrams.
    datagrams: BTreeSet<SocketId>,
    /// Sockets that ended before the survey did.
    over: BTreeSet<SocketId>,
    /// Addresses, and whether it is a practice peer's socket.
    ends: HashMap<SocketId, (Ends, bool)>,
    by_ends: HashMap<Ends, SocketId>,
}

impl Who {
    /// Takes note of a record, of the survey or behind it.
    pub(super) fn note(&mut self, record: &Record, surveyed: bool) {
        let Some(socket) = record.socket else { return };
        match &record.entry {
            Entry::Fact(Fact::Connected(ends)) => self.meets(socket, (ends.0, ends.1), record.hidden),
            Entry::Born(born) => self.meets(socket, (born.local, born.remote), record.hidden),
            Entry::Opening(opening) if matches!(opening.role, Role::Bound | Role::Connected) => {
                self.datagrams.insert(socket);
            }
            Entry::Fact(Fact::Sent(chunk) | Fact::Received(chunk)) if chunk.offset().is_none() => {
                self.datagrams.insert(socket);
            }
            Entry::Closed(_) if !surveyed => {
                self.over.insert(socket);
            }
            Entry::Segment(frame) => {
                self.captured.insert(socket);
                self.captured.extend(frame.seen().far);
            }
            _ => {}
        }
    }

    fn meets(&mut self, socket: SocketId, (local, remote): Ends, hidden: bool) {
        let ends = (canonical(local), canonical(remote));
        self.ends.insert(socket, (ends, hidden));
        self.by_ends.insert(ends, socket);
    }

    /// Every socket that has, or may have, packets.
    pub(super) fn all(&self) -> impl Iterator<Item = SocketId> {
        self.ends.keys().chain(&self.datagrams).copied()
    }

    pub(super) fn is_datagram(&self, socket: SocketId) -> bool {
        self.datagrams.contains(&socket)
    }

    /// Whether a frame of it was captured, or of the socket at its other end.
    pub(super) fn was_captured(&self, socket: SocketId) -> bool {
        self.captured.contains(&socket)
            || self.other(socket).is_some_and(|other| self.captured.contains(&other))
    }

    /// Whether it ended before the survey did.
    pub(super) fn was_over(&self, socket: SocketId) -> bool {
        self.over.contains(&socket)
    }

    /// The socket at its other end.
    pub(super) fn other(&self, socket: SocketId) -> Option<SocketId> {
        let ((local, remote), _) = self.ends.get(&socket)?;
        self.by_ends.get(&(*remote, *local)).copied()
    }

    /// The socket with these addresses, and before it whether it is a practice peer's.
    pub(super) fn at(&self, ends: Ends) -> Option<(bool, SocketId)> {
        let socket = self.by_ends.get(&ends)?;
        Some((self.ends.get(socket)?.1, *socket))
    }

    /// It is over, and will not be asked for.
    pub(super) fn forget(&mut self, socket: SocketId) {
        self.datagrams.remove(&socket);
        if let Some((ends, _)) = self.ends.remove(&socket)
            && self.by_ends.get(&ends) == Some(&socket)
        {
            self.by_ends.remove(&ends);
        }
    }
}

/// On the wire, ::ffff:192.0.2.1 is 192.0.2.1.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
