//! One TCP connection, followed through its segments: relative numbers, and what is remarkable.
//!
//! What is called remarkable follows Wireshark's analysis of TCP sequence numbers, so that both say the same of the same
//! frames. Two things differ on purpose. A duplicate acknowledgement also needs something outstanding (RFC 5681 §2). And
//! what probes a closed window is a window probe, also where Linux sends it as an empty segment just below what is
//! expected, which Wireshark takes for a keepalive.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tokio::time::Instant;

use super::packet::{Flags, Packet, Tcp};

/// How many stretches of bytes are remembered in a direction; the lowest are taken for one when there are more.
const STRETCHES: usize = 256;

/// A segment that fills a hole so soon was overtaken, one that comes later was sent again; where the round trip is
/// known, that counts instead.
const OVERTAKEN: Duration = Duration::from_millis(3);

/// What timestamps take of every segment (RFC 7323 §3.2, with padding).
const TIMESTAMPS: u16 = 12;

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// This one.
    Local,
    /// The other one.
    Peer,
}

/// What is remarkable about a segment, from those seen before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// Its bytes, SYN or FIN went before.
    Retransmission,
    /// It comes after bytes that were sent later: it was overtaken.
    OutOfOrder,
    /// It acknowledges the same byte as the one before: a segment behind a hole has come.
    DuplicateAck,
    /// The sender has no room.
    ZeroWindow,
    /// The sender has room again, or more.
    WindowUpdate,
    /// One byte, or none, to see whether the peer has room again.
    ZeroWindowProbe,
    /// One byte, or none, of what was sent long ago: is anybody there?
    Keepalive,
    /// It answers a keepalive probe.
    KeepaliveAck,
}

/// A segment in its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// When it was seen.
    pub at: Instant,
    /// Who sent it.
    pub sender: End,
    /// Its flags.
    pub flags: Flags,
    /// Its sequence number, as on the wire.
    pub seq: u32,
    /// The number it acknowledges, as on the wire; none without ACK.
    pub ack: Option<u32>,
    /// The sequence number from the sender's first: a SYN is 0, the first byte 1. Absent when the beginning was not seen.
    /// A RST from an end that never began, as when a connection is refused, is 1.
    pub seq_relative: Option<u64>,
    /// The acknowledgement, from the other side's first.
    pub ack_relative: Option<u64>,
    /// The window in bytes, scaled; as in the header where the handshake was not seen.
    pub window: u32,
    /// Bytes of payload.
    pub len: u32,
    /// Stream offset of the first of them, in the sender's direction.
    pub offset: Option<u64>,
    /// How many segments of at most `mss` bytes it stands for, where it has payload and `mss` is known.
    pub pieces: Option<u32>,
    /// The most payload of a segment in this direction: the lesser of what both ends asked for, less what timestamps
    /// take.
    pub mss: Option<u16>,
    /// How many bytes before it were sent and not seen: lost, or late, or missed by the capture.
    pub missing: u32,
    /// What is remarkable about it.
    pub marks: Vec<Mark>,
}

/// One direction of a connection, as far as it was seen.
#[derive(Debug, Default)]
struct Direction {
    /// The first sequence number.
    isn: Option<u32>,
    /// The sequence number behind the highest seen, relative to `zero`, and when it was reached.
    next: Option<u64>,
    next_at: Option<Instant>,
    /// Relative stretches that were seen: first → behind the last. Disjoint, below `next`.
    seen: BTreeMap<u64, u64>,
    /// The highest acknowledgement this end sent, in the other direction's numbers, and the last one.
    highest_ack: Option<u64>,
    last_ack: Option<u64>,
    /// The window of the last segment, scaled.
    window: Option<u32>,
    scale: Option<u8>,
    mss: Option<u16>,
    timestamps: bool,
    /// The last segment of this end was a keepalive.
    probed: bool,
    /// Where numbers are counted from: the ISN, or where nobody knows that, the first number seen less 2³¹, so that older
    /// ones have room below.
    zero: Option<u32>,
}

impl Direction {
    /// A sequence number of this direction, from `zero`, nearest to the highest seen.
    fn relative(&self, number: u32) -> Option<u64> {
        let zero = self.zero?;
        let near = self.next.unwrap_or(0);
        let low = number.wrapping_sub(zero);
        // Truncation to 32 bits is meant: those are what the wire has.
        let distance = low.wrapping_sub(near as u32).cast_signed();
        near.checked_add_signed(distance.into())
    }

    /// Begins with this number; whether something else had begun before.
    fn begin(&mut self, isn: u32) -> bool {
        let before = self.isn;
        if before != Some(isn) {
            *self = Self { isn: Some(isn), zero: Some(isn), ..Self::default() };
        }
        before.is_some_and(|before| before != isn)
    }

    /// Takes a stretch for seen.
    fn cover(&mut self, from: u64, to: u64) {
        let (mut first, mut last) = (from, to);
        while let Some((&start, &end)) = self.seen.range(..=last).next_back()
            && end >= first
        {
            (first, last) = (first.min(start), last.max(end));
            self.seen.remove(&start);
        }
        self.seen.insert(first, last);
        if self.seen.len() > STRETCHES
            && let Some((start, _)) = self.seen.pop_first()
            && let Some((_, end)) = self.seen.pop_first()
        {
            self.seen.insert(start, end);
        }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Flow {
    local: SocketAddr,
    remote: SocketAddr,
    ends: [Direction; 2],
    /// How long the handshake took, from SYN to the ACK of SYN/ACK, as Wireshark takes it.
    round_trip: Option<Duration>,
    syn_at: Option<Instant>,
}

impl Flow {
    /// A connection between two addresses, of which nothing was seen.
    #[must_use]
    pub fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Self {
            local: canonical(local),
            remote: canonical(remote),
            ends: Default::default(),
            round_trip: None,
            syn_at: None,
        }
    }

    /// Who sent a packet; none where it belongs to another connection. Where both ends have the same address, it is
    /// this one.
    #[must_use]
    pub fn sender(&self, packet: &Packet) -> Option<End> {
        if (packet.from, packet.to) == (self.local, self.remote) {
            Some(End::Local)
        } else if (packet.from, packet.to) == (self.remote, self.local) {
            Some(End::Peer)
        } else {
            None
        }
    }

    /// Takes the next segment; none where the packet is no TCP segment.
    pub fn see(&mut self, sender: End, packet: &Packet) -> Option<Segment> {
        let tcp = packet.tcp()?;
        let [local, peer] = &mut self.ends;
        let (own, other) = match sender {
            End::Local => (local, peer),
            End::Peer => (peer, local),
        };
        let flags = tcp.flags;
        learn(own, other, tcp);
        self.syn_at = match (self.syn_at, flags.syn, flags.ack) {
            (_, true, false) => Some(packet.at),
            (Some(syn), false, true) if self.round_trip.is_none() => {
                self.round_trip = Some(packet.at.saturating_duration_since(syn));
                None
            }
            (syn_at, _, _) => syn_at,
        };

        let refused = flags.rst && own.isn.is_none() && other.isn.is_some();
        let seq = own.relative(tcp.seq);
        let ack = if flags.ack { other.relative(tcp.ack) } else { None };
        let window = if flags.syn { tcp.window.into() } else { scaled(own, other, tcp.window) };
        let seen = Seen { flags, seq, ack, window, len: packet.len, at: packet.at };
        let threshold = self.round_trip.filter(|it| !it.is_zero()).unwrap_or(OVERTAKEN);
        let missing = missing(own, &seen);
        let marks = marks(own, other, &seen, threshold);
        remember(own, &seen, marks.contains(&Mark::Keepalive));

        let seq_relative = if refused { Some(1) } else { own.isn.and(seq) };
        let mss = match (own.mss, other.mss) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (_, other) => other,
        }
        .map(|mss| if own.timestamps && other.timestamps { mss.saturating_sub(TIMESTAMPS) } else { mss })
        .filter(|mss| *mss > 0);
        Some(Segment {
            at: packet.at,
            sender,
            flags,
            seq: tcp.seq,
            ack: flags.ack.then_some(tcp.ack),
            seq_relative,
            ack_relative: other.isn.and(ack),
            window,
            len: packet.len,
            // Bytes that come with a SYN are the first of the stream.
            offset: seq_relative.filter(|_| packet.len > 0).map(|seq| seq.saturating_sub(1)),
            pieces: mss.filter(|_| packet.len > 0).map(|mss| packet.len.div_ceil(mss.into())),
            mss,
            missing,
            marks,
        })
    }
}

/// On the wire, ::ffff:192.0.2.1 is 192.0.2.1.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// What the marks are judged by.
struct Seen {
    flags: Flags,
    seq: Option<u64>,
    ack: Option<u64>,
    window: u32,
    len: u32,
    at: Instant,
}

impl Seen {
    /// It neither begins nor ends anything.
    fn plain(&self) -> bool {
        !(self.flags.syn || self.flags.fin || self.flags.rst)
    }

    /// How many sequence numbers it takes.
    fn takes(&self) -> u64 {
        u64::from(self.len) + u64::from(self.flags.syn) + u64::from(self.flags.fin)
    }
}

/// Learns what a handshake says, and where numbers begin.
fn learn(own: &mut Direction, other: &mut Direction, tcp: &Tcp) {
    if tcp.flags.syn {
        if own.begin(tcp.seq) && !tcp.flags.ack {
            // A new connection between the same ports.
            *other = Direction::default();
        }
        own.scale = tcp.options.window_scale.map(|shift| shift.min(14));
        own.mss = tcp.options.mss;
        own.timestamps = tcp.options.timestamps.is_some();
        // A SYN/ACK says what the SYN said that was not seen.
        if tcp.flags.ack && other.isn.is_none() {
            other.begin(tcp.ack.wrapping_sub(1));
        }
    }
    let first = |number: u32| number.wrapping_sub(1 << 31);
    if own.zero.is_none() {
        own.zero = Some(first(tcp.seq));
        own.next = Some(1 << 31);
    }
    if tcp.flags.ack && other.zero.is_none() {
        other.zero = Some(first(tcp.ack));
        other.next = Some(1 << 31);
    }
}

fn scaled(own: &Direction, other: &Direction, window: u16) -> u32 {
    // Windows are shifted only where both ends offered it (RFC 7323 §2.2).
    match (own.scale, other.scale) {
        (Some(shift), Some(_)) => u32::from(window) << shift,
        _ => window.into(),
    }
}

fn missing(own: &Direction, seen: &Seen) -> u32 {
    match (seen.seq, own.next) {
        (Some(seq), Some(next)) if !seen.flags.syn && !seen.flags.rst => {
            u32::try_from(seq.saturating_sub(next)).unwrap_or(u32::MAX)
        }
        _ => 0,
    }
}

fn marks(own: &Direction, other: &Direction, seen: &Seen, threshold: Duration) -> Vec<Mark> {
    let mut marks = Vec::new();
    let expected = own.next.is_some() && seen.seq == own.next;
    let below = own.next.is_some() && seen.seq.map(|seq| seq + 1) == own.next;
    let full = other.window == Some(0);
    let probe = seen.plain() && seen.len <= 1 && full && (below || expected && seen.len == 1);
    let keepalive = seen.plain() && seen.len <= 1 && below && !probe && own.window.is_some();
    if seen.window == 0 && seen.plain() {
        marks.push(Mark::ZeroWindow);
    }
    if probe {
        marks.push(Mark::ZeroWindowProbe);
    } else if keepalive {
        marks.push(Mark::Keepalive);
    }
    let repeats = seen.plain() && seen.len == 0 && expected && seen.ack.is_some() && seen.ack == own.last_ack;
    if repeats && seen.window > 0 {
        if own.window.is_some_and(|window| window != seen.window) {
            marks.push(Mark::WindowUpdate);
        } else if other.probed {
            marks.push(Mark::KeepaliveAck);
        } else if other.next > seen.ack && own.highest_ack == seen.ack && own.window == Some(seen.window) {
            marks.push(Mark::DuplicateAck);
        }
    }
    if seen.takes() > 0 && !probe && !keepalive {
        marks.extend(again(own, other, seen, threshold));
    }
    marks
}

/// Whether a segment that takes sequence numbers brings some that were passed already, and why.
fn again(own: &Direction, other: &Direction, seen: &Seen, threshold: Duration) -> Option<Mark> {
    let (seq, next) = (seen.seq?, own.next?);
    let end = seq + seen.takes();
    if other.highest_ack.is_some_and(|acked| end <= acked) && !own.seen.is_empty() {
        return Some(Mark::Retransmission);
    }
    // A window probe took one byte of it along.
    let one_more = seen.len > 1 && seq + 1 == next;
    if seq >= next || one_more {
        return None;
    }
    let overlaps = own.seen.range(..end).next_back().is_some_and(|(_, last)| *last > seq);
    let soon = own.next_at.is_some_and(|at| seen.at.saturating_duration_since(at) < threshold);
    Some(if overlaps || !soon { Mark::Retransmission } else { Mark::OutOfOrder })
}

fn remember(own: &mut Direction, seen: &Seen, keepalive: bool) {
    own.probed = keepalive;
    if let Some(seq) = seen.seq
        && !seen.flags.rst
    {
        let end = seq + seen.takes();
        if seen.takes() > 0 {
            own.cover(seq, end);
        }
        if own.next.is_none_or(|next| end > next) {
            own.next = Some(end);
            own.next_at = Some(seen.at);
        }
    }
    if let Some(ack) = seen.ack {
        own.highest_ack = own.highest_ack.max(Some(ack));
        own.last_ack = Some(ack);
    }
    if !seen.flags.rst {
        own.window = Some(seen.window);
    }
}

#[cfg(test)]
mod tests;
