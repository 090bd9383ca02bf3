//! Whose frame it is: exact matches of what the capture's filter lets through, which knows less.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use sockscope_sockets::kernel::{
    capture::{Capture, Checksum, Link},
    filter::Endpoint,
    flow::{End, Flow},
    packet::{Carries, Packet},
    state::{Protocol, TcpState},
};
use sockscope_wire::{Direction, SocketId};

use super::paths::{Passed, Paths};
use crate::log::Carried;

/// Connections whose frames wait for a socket to be theirs: an accepted one has none until accept(2) returns. Of more, the
/// one that began first is given up.
const ORPHANS: usize = 256;

/// Frames that wait of one of those; more are given up.
const ORPHAN_FRAMES: usize = 64;

/// Packets in pieces whose ports are remembered, and pieces that came before the first and wait for it. Of more, the oldest
/// are given up: they have passed, and are not told.
const CUT: usize = 256;

/// A frame and where the capture put it.
pub(super) struct Frame {
    pub(super) packet: Packet,
    pub(super) interface: u32,
    pub(super) len: u32,
    pub(super) link: Link,
    pub(super) checksum: Checksum,
    pub(super) head: Arc<[u8]>,
}

/// A frame of a socket, with what it did.
pub(super) struct Matched {
    pub(super) socket: SocketId,
    pub(super) sender: Direction,
    pub(super) carried: Carried,
    pub(super) frame: Frame,
    /// The ends of the flow, to look for a socket at the other one.
    pub(super) far: (SocketAddr, SocketAddr),
    /// States it put an end into.
    pub(super) passed: Vec<Passed>,
}

/// Both ends, the lesser address first.
type Key = (Protocol, SocketAddr, SocketAddr);

/// A packet that was cut: TCP or UDP, from where, where to, its identification.
type Cut = (Protocol, IpAddr, IpAddr, u32);

/// The pieces of packets that were cut. Only the first of a packet has its ports.
#[derive(Default)]
struct Pieces {
    ports: VecDeque<(Cut, [u16; 2])>,
    early: VecDeque<(Cut, Frame)>,
}

impl Pieces {
    /// Takes a frame: those that are known to belong somewhere now, of a later piece with the ports of the first.
    fn sort(&mut self, mut frame: Frame) -> Vec<Frame> {
        let Packet { from, to, carries, fragmented, .. } = &frame.packet;
        let (protocol, identification) = match (carries, *fragmented) {
            (Carries::Fragment { tcp: true, identification }, _) => (Protocol::Tcp, *identification),
            (Carries::Fragment { tcp: false, identification }, _) => (Protocol::Udp, *identification),
            (Carries::Tcp(_), Some(identification)) => (Protocol::Tcp, identification),
            (Carries::Udp, Some(identification)) => (Protocol::Udp, identification),
            (Carries::Icmp(_), _) | (_, None) => return vec![frame],
        };
        let cut = (protocol, from.ip(), to.ip(), identification);
        if matches!(carries, Carries::Fragment { .. }) {
            // Identifications come again: the latest packet that has it.
            match self.ports.iter().rev().find(|(known, _)| *known == cut) {
                Some((_, ports)) => {
                    frame.belongs(*ports);
                    return vec![frame];
                }
                None => push(&mut self.early, (cut, frame)),
            }
            return Vec::new();
        }
        let ports = [from.port(), to.port()];
        push(&mut self.ports, (cut, ports));
        let mut known = vec![frame];
        for (waits, mut early) in std::mem::take(&mut self.early) {
            if waits == cut {
                early.belongs(ports);
                known.push(early);
            } else {
                self.early.push_back((waits, early));
            }
        }
        known
    }
}

fn push<T>(queue: &mut VecDeque<T>, one: T) {
    if queue.len() >= CUT {
        queue.pop_front();
    }
    queue.push_back(one);
}

impl Frame {
    fn belongs(&mut self, [from, to]: [u16; 2]) {
        self.packet.from.set_port(from);
        self.packet.to.set_port(to);
    }
}

/// One connection, or one conversation of datagrams.
struct Followed {
    socket: SocketId,
    near: SocketAddr,
    far: SocketAddr,
    flow: Flow,
    paths: Paths,
    /// A frame of it was told.
    begun: bool,
}

/// Every flow that is somebody's, and those that may still be.
#[derive(Default)]
pub(super) struct Flows {
    followed: HashMap<Key, Followed>,
    /// Unconnected datagram sockets by their port.
    bound: BTreeMap<u16, Vec<(SocketId, IpAddr)>>,
    /// What the capture is to let through, on behalf of whom.
    wanted: HashMap<SocketId, Vec<Endpoint>>,
    pieces: Pieces,
    orphans: HashMap<Key, Vec<Frame>>,
    /// The same, in the order they came.
    waiting: VecDeque<Key>,
}

/// An address as it is on the wire: flow label and zone are no part of it, and ::ffff:192.0.2.1 is 192.0.2.1.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn key(protocol: Protocol, a: SocketAddr, b: SocketAddr) -> Key {
    let (a, b) = (canonical(a), canonical(b));
    if a <= b { (protocol, a, b) } else { (protocol, b, a) }
}

impl Flows {
    /// A connection to there is about to be tried: from now on its frames are let through.
    pub(super) fn tries(
        &mut self,
        id: SocketId,
        protocol: Protocol,
        remote: SocketAddr,
        capture: Option<&Capture>,
    ) {
        let address = Some(remote.ip().to_canonical());
        self.want(id, Endpoint { protocol, address, port: remote.port() }, capture);
    }

    /// Connections or datagrams to there are its own.
    pub(super) fn listens(
        &mut self,
        id: SocketId,
        protocol: Protocol,
        local: SocketAddr,
        capture: Option<&Capture>,
    ) {
        self.want(id, Endpoint { protocol, address: None, port: local.port() }, capture);
        if protocol == Protocol::Udp {
            self.bound.entry(local.port()).or_default().push((id, local.ip().to_canonical()));
        }
    }

    fn want(&mut self, id: SocketId, endpoint: Endpoint, capture: Option<&Capture>) {
        let Some(capture) = capture else { return };
        match capture.want(endpoint) {
            Ok(()) => self.wanted.entry(id).or_default().push(endpoint),
            Err(error) => tracing::warn!(%error, "the capture's filter cannot be changed"),
        }
    }

    /// A connection is a socket's, from here to there. Told once, by the end that was there first: where both are of this
    /// workspace, that is the one that connects, though it may hear of its own address after the other was accepted.
    pub(super) fn claim(&mut self, id: SocketId, protocol: Protocol, local: SocketAddr, remote: SocketAddr) {
        let followed = self
            .followed
            .entry(key(protocol, local, remote))
            .or_insert_with(|| Followed::new(id, local, remote));
        if id < followed.socket && !followed.begun {
            *followed = Followed::new(id, local, remote);
        }
    }

    /// The kernel says in which state the end at `local` is, of the connection that has these ends.
    pub(super) fn is_in(&mut self, local: SocketAddr, remote: SocketAddr, state: TcpState) {
        if let Some(followed) = self.followed.get_mut(&key(Protocol::Tcp, local, remote)) {
            let near = canonical(local) == followed.near;
            let end = if near { Direction::Local } else { Direction::Peer };
            followed.paths.is_in(end, state);
        }
    }

    /// A socket is observed no more.
    pub(super) fn forget(&mut self, id: SocketId, capture: Option<&Capture>) {
        self.followed.retain(|_, followed| followed.socket != id);
        for sockets in self.bound.values_mut() {
            sockets.retain(|(who, _)| *who != id);
        }
        self.bound.retain(|_, sockets| !sockets.is_empty());
        for endpoint in self.wanted.remove(&id).unwrap_or_default() {
            if let Some(Err(error)) = capture.map(|capture| capture.unwant(endpoint)) {
                tracing::warn!(%error, "the capture's filter cannot be changed");
            }
        }
    }

    /// A frame came: with those that waited for the same flow, it may be somebody's.
    pub(super) fn see(&mut self, frame: Frame, matched: &mut Vec<Matched>) {
        if frame.packet.fragmented.is_none() {
            self.belongs(frame, matched);
            return;
        }
        for frame in self.pieces.sort(frame) {
            self.belongs(frame, matched);
        }
    }

    fn belongs(&mut self, frame: Frame, matched: &mut Vec<Matched>) {
        let key = key_of(&frame.packet);
        if !self.orphans.is_empty() {
            self.drain(key, matched);
        }
        if let Some(followed) = self.followed.get_mut(&key) {
            matched.push(followed.take(frame));
        } else if let Some((id, near, far)) = self.conversation(key, &frame.packet) {
            // A datagram says nothing of the next: whom such a socket talked with need not be remembered.
            matched.push(Followed::new(id, near, far).take(frame));
        } else {
            self.keep(key, frame);
        }
    }

    /// Frames that waited for a flow that is somebody's by now.
    pub(super) fn claimed(&mut self, matched: &mut Vec<Matched>) {
        let ready: Vec<_> =
            self.waiting.iter().filter(|key| self.followed.contains_key(key)).copied().collect();
        ready.into_iter().for_each(|key| self.drain(key, matched));
    }

    fn drain(&mut self, key: Key, matched: &mut Vec<Matched>) {
        if !self.followed.contains_key(&key) {
            return;
        }
        let Some(frames) = self.orphans.remove(&key) else { return };
        self.waiting.retain(|waiting| *waiting != key);
        if let Some(followed) = self.followed.get_mut(&key) {
            matched.extend(frames.into_iter().map(|frame| followed.take(frame)));
        }
    }

    fn keep(&mut self, key: Key, frame: Frame) {
        if !self.orphans.contains_key(&key) {
            if self.waiting.len() >= ORPHANS
                && let Some(oldest) = self.waiting.pop_front()
            {
                self.orphans.remove(&oldest);
            }
            self.waiting.push_back(key);
        }
        let frames = self.orphans.entry(key).or_default();
        if frames.len() < ORPHAN_FRAMES {
            frames.push(frame);
        }
    }

    /// Whose datagram it is, of the unconnected sockets: whose, its end, the other.
    fn conversation(&self, key: Key, packet: &Packet) -> Option<(SocketId, SocketAddr, SocketAddr)> {
        if key.0 != Protocol::Udp {
            return None;
        }
        let (from, to) = match &packet.carries {
            Carries::Icmp(icmp) => (icmp.original.from, icmp.original.to),
            _ => (packet.from, packet.to),
        };
        [(canonical(from), canonical(to)), (canonical(to), canonical(from))].into_iter().find_map(
            |(near, far)| {
                let sockets = self.bound.get(&near.port())?;
                let (id, _) = sockets.iter().find(|(_, local)| takes(*local, near.ip()))?;
                Some((*id, near, far))
            },
        )
    }
}

/// Whose flow a packet is of; of a later piece, once it has its ports.
fn key_of(packet: &Packet) -> Key {
    let protocol = |tcp| if tcp { Protocol::Tcp } else { Protocol::Udp };
    match &packet.carries {
        Carries::Tcp(_) => key(Protocol::Tcp, packet.from, packet.to),
        Carries::Udp => key(Protocol::Udp, packet.from, packet.to),
        Carries::Icmp(icmp) => key(protocol(icmp.original.tcp), icmp.original.from, icmp.original.to),
        Carries::Fragment { tcp, .. } => key(protocol(*tcp), packet.from, packet.to),
    }
}

/// Whether a socket bound there takes what comes to that address.
fn takes(bound: IpAddr, address: IpAddr) -> bool {
    bound.is_unspecified() || bound == address
}

impl Followed {
    fn new(socket: SocketId, near: SocketAddr, far: SocketAddr) -> Self {
        let (near, far) = (canonical(near), canonical(far));
        Self { socket, near, far, flow: Flow::new(near, far), paths: Paths::default(), begun: false }
    }

    fn take(&mut self, frame: Frame) -> Matched {
        self.begun = true;
        let Frame { packet, .. } = &frame;
        let ours = match packet.carries {
            // An ICMP error is about something we sent, whoever reports it.
            Carries::Icmp(_) => false,
            Carries::Tcp(_) | Carries::Udp | Carries::Fragment { .. } => canonical(packet.from) == self.near,
        };
        let (sender, end) = if ours { (Direction::Local, End::Local) } else { (Direction::Peer, End::Peer) };
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

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn piece(identification: u32, ports: Option<[u16; 2]>) -> Frame {
        let [from, to] = ports.unwrap_or_default();
        let packet = Packet {
            at: Instant::now(),
            from: SocketAddr::from(([10, 0, 0, 1], from)),
            to: SocketAddr::from(([10, 0, 0, 2], to)),
            carries: match ports {
                Some(_) => Carries::Udp,
                None => Carries::Fragment { tcp: false, identification },
            },
            fragmented: Some(identification),
            len: 0,
            payload: Box::default(),
        };
        let (link, checksum) = (Link::Ip, Checksum::Unsaid);
        Frame { packet, interface: 1, len: 0, link, checksum, head: [].into() }
    }

    fn ports(frames: &[Frame]) -> Vec<[u16; 2]> {
        frames.iter().map(|frame| [frame.packet.from.port(), frame.packet.to.port()]).collect()
    }

    #[test]
    fn a_piece_that_comes_before_the_first_waits_for_it() {
        let mut pieces = Pieces::default();
        assert!(pieces.sort(piece(7, None)).is_empty());
        assert!(pieces.sort(piece(8, None)).is_empty());
        assert_eq!(ports(&pieces.sort(piece(7, Some([1, 2])))), [[1, 2]; 2]);
        assert_eq!(ports(&pieces.sort(piece(7, None))), [[1, 2]]);
        assert_eq!(ports(&pieces.sort(piece(8, Some([3, 4])))), [[3, 4]; 2]);
    }

    #[test]
    fn an_identification_that_comes_again_is_that_of_the_latest() {
        let mut pieces = Pieces::default();
        pieces.sort(piece(7, Some([1, 2])));
        pieces.sort(piece(7, Some([3, 4])));
        assert_eq!(ports(&pieces.sort(piece(7, None))), [[3, 4]]);
    }

    #[test]
    fn pieces_whose_first_never_comes_are_given_up() {
        let mut pieces = Pieces::default();
        for identification in 0..=u32::try_from(CUT).expect("small") {
            pieces.sort(piece(identification, None));
        }
        assert_eq!(ports(&pieces.sort(piece(0, Some([1, 2])))), [[1, 2]], "the oldest");
        assert_eq!(ports(&pieces.sort(piece(1, Some([1, 2])))), [[1, 2]; 2]);
    }
}
