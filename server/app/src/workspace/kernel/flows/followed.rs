//! One connection, or one conversation of datagrams, followed through its frames.

use std::{collections::VecDeque, net::SocketAddr};

use sockscope_sockets::kernel::{
    flow::{End, Flow},
    packet::{Carries, Packet},
};
use sockscope_wire::{Direction, SocketId};

use super::{Frame, Matched, canonical};
use crate::{
    log::Carried,
    workspace::kernel::paths::{Passed, Paths},
};

/// One connection, or one conversation of datagrams.
pub(super) struct Followed {
    pub(super) socket: SocketId,
    pub(super) near: SocketAddr,
    pub(super) far: SocketAddr,
    pub(super) flow: Flow,
    pub(super) paths: Paths,
    /// A frame of it was told.
    pub(super) begun: bool,
    /// States that wait for it to be its socket's connection.
    pub(super) untaken: Vec<Passed>,
    /// Who has the same end after this one, in turn: accepted, perhaps, before what is still to be seen of this one.
    pub(super) next: VecDeque<SocketId>,
}

impl Followed {
    pub(super) fn new(socket: SocketId, near: SocketAddr, far: SocketAddr) -> Self {
        let (near, far) = (canonical(near), canonical(far));
        let (flow, paths) = (Flow::new(near, far), Paths::default());
        Self { socket, near, far, flow, paths, begun: false, untaken: Vec::new(), next: VecDeque::new() }
    }

    /// Who sent it. An ICMP error about something we sent comes from the peer's side, whoever reports it; about something the
    /// peer sent, from ours.
    pub(super) fn sender(&self, packet: &Packet) -> (Direction, End) {
        let ours = match &packet.carries {
            Carries::Icmp(icmp) => canonical(icmp.original.from) != self.near,
            Carries::Tcp(_) | Carries::Udp | Carries::Fragment { .. } => canonical(packet.from) == self.near,
        };
        if ours { (Direction::Local, End::Local) } else { (Direction::Peer, End::Peer) }
    }

    /// Whether a packet is of the connection that is followed; where it begins another one between the same ports, that is
    /// followed if somebody is next.
    pub(super) fn goes_on_with(&mut self, packet: &Packet) -> bool {
        let (_, end) = self.sender(packet);
        let anew = packet.tcp().is_some_and(|tcp| self.flow.begins_anew(end, tcp));
        let may_end = self.flow.is_over() || !self.next.is_empty();
        if !anew || packet.damaged || !may_end {
            return true;
        }
        self.passes_on()
    }

    /// Follows the next one's connection; whether there is one.
    fn passes_on(&mut self) -> bool {
        let Some(id) = self.next.pop_front() else { return false };
        let next = std::mem::take(&mut self.next);
        *self = Self { next, ..Self::new(id, self.near, self.far) };
        true
    }

    /// A socket is observed no more; whether it is still to be followed for another.
    pub(super) fn loses(&mut self, id: SocketId) -> bool {
        self.next.retain(|next| *next != id);
        self.socket != id || self.passes_on()
    }

    pub(super) fn take(&mut self, frame: Frame) -> Matched {
        self.begun = true;
        let Frame { packet, .. } = &frame;
        let (sender, end) = self.sender(packet);
        let (carried, passed) = match (self.flow.see(end, packet), &packet.carries) {
            (Some(segment), _) => {
                let passed = self.paths.see(&segment);
                (Carried::Tcp(segment), passed)
            }
            (None, Carries::Icmp(icmp)) => {
                let from = packet.from.ip();
                (Carried::Icmp { kind: icmp.kind, code: icmp.code, from, len: packet.len }, Vec::new())
            }
            (None, _) => (Carried::Udp { len: packet.len }, Vec::new()),
        };
        Matched { socket: self.socket, sender, carried, far: (self.far, self.near), passed, frame }
    }
}
