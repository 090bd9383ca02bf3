//! Whose frame it is: exact matches of what the capture's filter lets through, which knows less.

mod bound;
mod followed;
mod pieces;
mod recent;

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    net::SocketAddr,
};

use sockscope_sockets::kernel::{
    capture::{Capture, Checksum, Link, Way},
    filter::Endpoint,
    packet::{Carries, Packet},
    state::{Protocol, TcpState},
};
use sockscope_wire::{Direction, SocketId};

use super::paths::Passed;
use crate::log::Carried;
use bound::Bound;
use followed::Followed;
use pieces::Pieces;
use recent::Recent;

/// Connections whose frames wait for a socket to be theirs: an accepted one has none until accept(2) returns, and as many as a
/// queue holds may wait for that. Of more, one is given up.
const ORPHANS: usize = 2048;

/// Among so many of the oldest one is looked for that is no more than a SYN.
const OLDEST: usize = 64;

/// Frames that wait of one of those, which may be many connections between the same ports, and of all together, some 10 MB; more
/// are lost.
const ORPHAN_FRAMES: usize = 1024;
const ALL_ORPHAN_FRAMES: usize = 16_384;

/// States that wait for one of those; a connection has eleven.
const UNTAKEN: usize = 32;

/// A frame and where the capture put it.
pub(super) struct Frame {
    pub(super) packet: Packet,
    pub(super) interface: u32,
    pub(super) way: Way,
    pub(super) len: u32,
    pub(super) link: Link,
    pub(super) checksum: Checksum,
    pub(super) head: Box<[u8]>,
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

/// Every flow that is somebody's, and those that may still be.
#[derive(Default)]
pub(super) struct Flows {
    followed: HashMap<Key, Followed>,
    /// Unconnected datagram sockets by their port.
    bound: BTreeMap<u16, Vec<Bound>>,
    /// What the capture is to let through, on behalf of whom.
    wanted: HashMap<SocketId, Vec<Endpoint>>,
    /// The ports of those, and for how many.
    ports: HashMap<(Protocol, u16), usize>,
    recent: Recent,
    pieces: Pieces,
    orphans: HashMap<Key, Orphans>,
    /// The same, in the order they came, and how many frames they are together.
    waiting: VecDeque<Key>,
    held: usize,
    /// Frames of sockets that waited in vain: more came than may wait.
    lost: u64,
}

/// Frames that wait, and how many could not.
#[derive(Default)]
struct Orphans {
    frames: Vec<Frame>,
    more: u64,
}

impl Orphans {
    /// A connection begins: what nobody answered before it will never be accepted. What was, will be, in turn.
    /// Returns how many frames those were.
    fn forget_unanswered(&mut self, syn: &Packet) -> usize {
        let before = self.frames.len();
        let number = |packet: &Packet| packet.tcp().map(|tcp| tcp.seq);
        // Both ends may open at once.
        let begun = |frame: &Frame| begins(&frame.packet) && frame.packet.from == syn.from;
        let Some(last) = self.frames.iter().rposition(begun) else { return 0 };
        let answers = |frame: &Frame| frame.packet.tcp().is_some_and(|tcp| tcp.flags.syn && tcp.flags.ack);
        if number(&self.frames[last].packet) != number(syn) && !self.frames[last..].iter().any(answers) {
            self.frames.truncate(last);
        }
        before - self.frames.len()
    }
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
            let bound = Bound { socket: id, ip: local.ip().to_canonical(), open: true };
            self.bound.entry(local.port()).or_default().push(bound);
        }
    }

    fn want(&mut self, id: SocketId, endpoint: Endpoint, capture: Option<&Capture>) {
        let Some(capture) = capture else { return };
        self.wanted.entry(id).or_default().push(endpoint);
        *self.ports.entry((endpoint.protocol, endpoint.port)).or_default() += 1;
        if let Err(error) = capture.want(endpoint) {
            tracing::warn!(%error, "the capture's filter cannot be changed");
        }
    }

    /// A datagram socket is closed: what comes now is another's, if there is one.
    pub(super) fn closes(&mut self, id: SocketId) {
        for bound in self.bound.values_mut().flatten().filter(|bound| bound.socket == id) {
            bound.open = false;
        }
    }

    /// A connection is a socket's, from here to there. Told once, by the end that was there first: where both are of this
    /// workspace, that is the one that connects, though it may hear of its own address after the other was accepted. Two
    /// sockets with the same end have it one after the other. Returns the states that this connection's segments led to so far
    /// and nobody took.
    pub(super) fn claim(
        &mut self,
        id: SocketId,
        protocol: Protocol,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> Vec<Passed> {
        let followed = self
            .followed
            .entry(key(protocol, local, remote))
            .or_insert_with(|| Followed::new(id, local, remote));
        if id < followed.socket && !followed.begun {
            *followed = Followed::new(id, local, remote);
        } else if id > followed.socket && followed.near == canonical(local) && !followed.next.contains(&id) {
            followed.next.push_back(id);
        }
        if followed.socket == id { std::mem::take(&mut followed.untaken) } else { Vec::new() }
    }

    /// States that a connection's segments led to wait until it is known to be its socket's: of several attempts one is.
    pub(super) fn keep_passed(&mut self, near: SocketAddr, far: SocketAddr, passed: Vec<Passed>) {
        if let Some(followed) = self.followed.get_mut(&key(Protocol::Tcp, near, far))
            && followed.untaken.len() < UNTAKEN
        {
            followed.untaken.extend(passed);
        }
    }

    /// How many frames of sockets were lost here.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
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
        self.followed.retain(|_, followed| followed.loses(id));
        for sockets in self.bound.values_mut() {
            sockets.retain(|bound| bound.socket != id);
        }
        self.bound.retain(|_, sockets| !sockets.is_empty());
        for endpoint in self.wanted.remove(&id).unwrap_or_default() {
            if let Entry::Occupied(mut port) = self.ports.entry((endpoint.protocol, endpoint.port)) {
                *port.get_mut() -= 1;
                if *port.get() == 0 {
                    port.remove();
                }
            }
            if let Some(Err(error)) = capture.map(|capture| capture.unwant(endpoint)) {
                tracing::warn!(%error, "the capture's filter cannot be changed");
            }
        }
    }

    /// A frame came: with those that waited for the same flow, it may be somebody's.
    pub(super) fn see(&mut self, frame: Frame, matched: &mut Vec<Matched>) {
        if self.recent.has(&frame) {
            return;
        }
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
        self.place(key, frame, matched);
    }

    fn place(&mut self, key: Key, frame: Frame, matched: &mut Vec<Matched>) {
        if self.followed.get_mut(&key).is_some_and(|followed| !followed.goes_on_with(&frame.packet)) {
            self.followed.remove(&key);
        }
        if let Some(followed) = self.followed.get_mut(&key) {
            matched.push(followed.take(frame));
        } else if let Some((id, near, far)) = self.conversation(key, &frame) {
            // A datagram says nothing of the next: whom such a socket talked with need not be remembered.
            matched.push(Followed::new(id, near, far).take(frame));
        } else if self.may_be_wanted(&frame.packet) {
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
        let Some(Orphans { frames, more }) = self.orphans.remove(&key) else { return };
        self.held -= frames.len();
        self.lost += more;
        self.waiting.retain(|waiting| *waiting != key);
        frames.into_iter().for_each(|frame| self.place(key, frame, matched));
    }

    /// Whether a socket may come to be whose frame it is: the coarse filter lets everything through, and every filter all ICMP
    /// errors.
    fn may_be_wanted(&self, packet: &Packet) -> bool {
        let (from, to) = ends_of(packet);
        let (protocol, ..) = key_of(packet);
        let at = |end: SocketAddr| self.ports.contains_key(&(protocol, end.port()));
        at(from) || at(to)
    }

    fn keep(&mut self, key: Key, frame: Frame) {
        if !self.orphans.contains_key(&key) {
            if self.waiting.len() >= ORPHANS {
                self.give_one_up();
            }
            self.waiting.push_back(key);
        }
        let orphans = self.orphans.entry(key).or_default();
        if begins(&frame.packet) {
            self.held -= orphans.forget_unanswered(&frame.packet);
        }
        if orphans.frames.len() < ORPHAN_FRAMES && self.held < ALL_ORPHAN_FRAMES {
            orphans.frames.push(frame);
            self.held += 1;
        } else {
            orphans.more += 1;
        }
    }

    /// Of those that waited longest, one of which there is no more than a SYN, if there is one: that may well be nothing.
    fn give_one_up(&mut self) {
        let frames =
            |key: &Key| self.orphans.get(key).map_or(0, |orphans| orphans.frames.len() as u64 + orphans.more);
        let at = self.waiting.iter().take(OLDEST).position(|key| frames(key) <= 1).unwrap_or(0);
        let Some(key) = self.waiting.remove(at) else { return };
        let Some(Orphans { frames, more }) = self.orphans.remove(&key) else { return };
        self.held -= frames.len();
        let all = frames.len() as u64 + more;
        if all > 1 {
            self.lost += all;
        }
    }

    /// Whose datagram it is, of the unconnected sockets: whose, its end, the other.
    fn conversation(&self, key: Key, frame: &Frame) -> Option<(SocketId, SocketAddr, SocketAddr)> {
        if key.0 != Protocol::Udp {
            return None;
        }
        let Frame { packet, way, .. } = frame;
        // An ICMP error goes the other way than what it is about.
        let out = *way == if matches!(packet.carries, Carries::Icmp(_)) { Way::In } else { Way::Out };
        let (from, to) = ends_of(packet);
        let (from, to) = (canonical(from), canonical(to));
        let ends = [(from, to), (to, from)];
        let ours = match (way, out) {
            (Way::Loopback, _) => &ends[..],
            (_, true) => &ends[..1],
            (_, false) => &ends[1..],
        };
        ours.iter().find_map(|(near, far)| {
            let bound = self.bound.get(&near.port())?.iter().filter(|bound| bound.takes(near.ip()));
            Some((bound.max_by_key(|bound| bound.preference())?.socket, *near, *far))
        })
    }
}

/// Whether a packet is the first of a connection.
fn begins(packet: &Packet) -> bool {
    packet.tcp().is_some_and(|tcp| tcp.flags.syn && !tcp.flags.ack)
}

/// Between whom a packet went, or what an ICMP error is about.
fn ends_of(packet: &Packet) -> (SocketAddr, SocketAddr) {
    match &packet.carries {
        Carries::Icmp(icmp) => (icmp.original.from, icmp.original.to),
        Carries::Tcp(_) | Carries::Udp | Carries::Fragment { .. } => (packet.from, packet.to),
    }
}

/// Whose flow a packet is of; of a later piece, once it has its ports.
fn key_of(packet: &Packet) -> Key {
    let tcp = match &packet.carries {
        Carries::Tcp(_) => true,
        Carries::Udp => false,
        Carries::Icmp(icmp) => icmp.original.tcp,
        Carries::Fragment { tcp, .. } => *tcp,
    };
    let (from, to) = ends_of(packet);
    key(if tcp { Protocol::Tcp } else { Protocol::Udp }, from, to)
}
