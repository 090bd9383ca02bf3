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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::{
        capture::tests::{converse, ended, open, until, wanted},
        packet::{Carries, Options},
        state::Protocol,
    };

    const LOCAL: &str = "192.0.2.1:1000";
    const REMOTE: &str = "192.0.2.2:80";

    /// A segment: flags by letter, sequence and acknowledgement number, length, window.
    fn packet(sender: End, at: Instant, flags: &str, numbers: (u32, u32), len: u32, window: u16) -> Packet {
        let (local, remote) = (LOCAL.parse().expect("an address"), REMOTE.parse().expect("an address"));
        let (from, to) = if sender == End::Local { (local, remote) } else { (remote, local) };
        let has = |flag| flags.contains(flag);
        let syn = has('S');
        Packet {
            at,
            from,
            to,
            carries: Carries::Tcp(Tcp {
                flags: Flags {
                    syn,
                    ack: has('A'),
                    fin: has('F'),
                    rst: has('R'),
                    psh: has('P'),
                    ..Flags::default()
                },
                seq: numbers.0,
                ack: numbers.1,
                window,
                options: Options {
                    mss: syn.then_some(1460),
                    window_scale: syn.then_some(7),
                    timestamps: syn.then_some((1, 0)),
                    ..Options::default()
                },
            }),
            fragmented: None,
            len,
            payload: Box::default(),
        }
    }

    struct Story {
        flow: Flow,
        now: Instant,
    }

    impl Story {
        fn new() -> Self {
            let (local, remote) = (LOCAL.parse().expect("an address"), REMOTE.parse().expect("an address"));
            Self { flow: Flow::new(local, remote), now: Instant::now() }
        }

        /// After a handshake of 100 µs: the client's first number is 999, the server's 4999.
        fn established() -> Self {
            let mut story = Self::new();
            story.see(End::Local, "S", (999, 0), 0, 1000);
            story.see(End::Peer, "SA", (4999, 1000), 0, 1000);
            story.see(End::Local, "A", (1000, 5000), 0, 1000);
            story
        }

        fn see(&mut self, end: End, flags: &str, numbers: (u32, u32), len: u32, window: u16) -> Segment {
            self.after(Duration::from_micros(50), end, flags, numbers, len, window)
        }

        fn after(
            &mut self,
            pause: Duration,
            end: End,
            flags: &str,
            numbers: (u32, u32),
            len: u32,
            window: u16,
        ) -> Segment {
            self.now += pause;
            let packet = packet(end, self.now, flags, numbers, len, window);
            assert_eq!(self.flow.sender(&packet), Some(end));
            self.flow.see(end, &packet).expect("a segment")
        }

        fn marks(&mut self, end: End, flags: &str, numbers: (u32, u32), len: u32, window: u16) -> Vec<Mark> {
            self.see(end, flags, numbers, len, window).marks
        }
    }

    const LATER: Duration = Duration::from_millis(200);

    #[test]
    fn numbers_are_told_from_the_first() {
        let mut story = Story::established();
        let data = story.see(End::Local, "PA", (1000, 5000), 3000, 1000);
        assert_eq!((data.seq_relative, data.ack_relative, data.offset), (Some(1), Some(1), Some(0)));
        assert_eq!((data.window, data.mss, data.pieces), (1000 << 7, Some(1448), Some(3)));
        let answer = story.see(End::Peer, "A", (5000, 4000), 0, 1000);
        assert_eq!((answer.seq_relative, answer.ack_relative, answer.offset), (Some(1), Some(3001), None));
        assert_eq!(answer.marks, []);
    }

    #[test]
    fn without_the_handshake_nothing_is_relative() {
        let mut story = Story::new();
        let data = story.see(End::Local, "PA", (1000, 5000), 30, 1000);
        assert_eq!((data.seq_relative, data.ack_relative, data.offset), (None, None, None));
        assert_eq!((data.window, data.mss, data.pieces), (1000, None, None));
        assert_eq!(story.see(End::Local, "PA", (1000, 5000), 30, 1000).marks, [Mark::Retransmission]);
    }

    #[test]
    fn a_syn_ack_tells_of_the_syn() {
        let mut story = Story::new();
        let answer = story.see(End::Peer, "SA", (4999, 1000), 0, 1000);
        assert_eq!((answer.seq_relative, answer.ack_relative), (Some(0), Some(1)));
        assert_eq!(story.see(End::Local, "A", (1000, 5000), 0, 1000).seq_relative, Some(1));
    }

    #[test]
    fn a_refusal_is_one_as_in_wireshark() {
        let mut story = Story::new();
        story.see(End::Local, "S", (999, 0), 0, 1000);
        let refused = story.see(End::Peer, "RA", (0, 1000), 0, 0);
        assert_eq!((refused.seq_relative, refused.ack_relative), (Some(1), Some(1)));
        assert_eq!(refused.marks, []);
    }

    #[test]
    fn what_went_before_is_a_retransmission() {
        let mut story = Story::established();
        assert_eq!(story.marks(End::Local, "PA", (1000, 5000), 100, 1000), []);
        assert_eq!(story.marks(End::Local, "PA", (1000, 5000), 100, 1000), [Mark::Retransmission]);
        assert_eq!(story.marks(End::Local, "PA", (1050, 5000), 100, 1000), [Mark::Retransmission]);
        assert_eq!(story.marks(End::Local, "FA", (1150, 5000), 0, 1000), []);
        assert_eq!(story.marks(End::Local, "FA", (1150, 5000), 0, 1000), [Mark::Retransmission]);
        let mut story = Story::new();
        assert_eq!(story.marks(End::Local, "S", (999, 0), 0, 1000), []);
        assert_eq!(story.marks(End::Local, "S", (999, 0), 0, 1000), [Mark::Retransmission]);
    }

    #[test]
    fn who_fills_a_hole_soon_was_overtaken_and_later_was_sent_again() {
        for (pause, mark) in [(Duration::from_micros(50), Mark::OutOfOrder), (LATER, Mark::Retransmission)] {
            let mut story = Story::established();
            let early = story.see(End::Local, "A", (1100, 5000), 100, 1000);
            assert_eq!((early.marks.as_slice(), early.missing), (&[][..], 100));
            let late = story.after(pause, End::Local, "A", (1000, 5000), 100, 1000);
            assert_eq!((late.marks, late.missing), (vec![mark], 0));
        }
    }

    #[test]
    fn an_acknowledgement_is_duplicate_only_while_something_is_outstanding() {
        let mut story = Story::established();
        story.see(End::Local, "A", (1000, 5000), 100, 1000);
        assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 1000), []);
        assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 1000), []);
        story.see(End::Local, "A", (1200, 5000), 100, 1000);
        assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 1000), [Mark::DuplicateAck]);
        assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 999), [Mark::WindowUpdate]);
    }

    #[test]
    fn a_closed_window_is_probed_and_opens() {
        let mut story = Story::established();
        story.see(End::Local, "A", (1000, 5000), 100, 1000);
        assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 0), [Mark::ZeroWindow]);
        // As Linux does it, and as the others do.
        assert_eq!(story.marks(End::Local, "A", (1099, 5000), 0, 1000), [Mark::ZeroWindowProbe]);
        assert_eq!(story.marks(End::Local, "A", (1100, 5000), 1, 1000), [Mark::ZeroWindowProbe]);
        assert_eq!(story.marks(End::Local, "A", (1100, 5000), 1, 1000), [Mark::ZeroWindowProbe]);
        assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 0), [Mark::ZeroWindow]);
        assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 500), [Mark::WindowUpdate]);
        assert_eq!(story.marks(End::Local, "A", (1100, 5000), 100, 1000), []);
    }

    #[test]
    fn a_keepalive_is_answered() {
        let mut story = Story::established();
        assert_eq!(story.marks(End::Local, "A", (999, 5000), 0, 1000), [Mark::Keepalive]);
        // The window of a SYN/ACK is not scaled: the first one behind it is more.
        assert_eq!(story.marks(End::Peer, "A", (5000, 1000), 0, 1000), [Mark::WindowUpdate]);
        assert_eq!(story.marks(End::Local, "A", (999, 5000), 0, 1000), [Mark::Keepalive]);
        assert_eq!(story.marks(End::Peer, "A", (5000, 1000), 0, 1000), [Mark::KeepaliveAck]);
    }

    #[test]
    fn a_new_connection_between_the_same_ports_begins_anew() {
        let mut story = Story::established();
        story.see(End::Local, "A", (1000, 5000), 100, 1000);
        assert_eq!(story.see(End::Local, "S", (77, 0), 0, 1000).seq_relative, Some(0));
        assert_eq!(story.see(End::Peer, "RA", (0, 78), 0, 0).seq_relative, Some(1));
    }

    proptest! {
        #[test]
        fn numbers_survive_the_wrap(isn in any::<u32>(), steps in 100..2000_u32) {
            let mut story = Story::new();
            story.see(End::Local, "S", (isn, 0), 0, 1000);
            story.see(End::Peer, "SA", (1, isn.wrapping_add(1)), 0, 1000);
            // Steps of a few MiB: past 4 GiB.
            let (mut sent, step) = (0_u64, 5 << 20);
            for _ in 0..steps {
                let seq = isn.wrapping_add(1).wrapping_add(sent as u32);
                let segment = story.see(End::Local, "A", (seq, 2), step, 1000);
                prop_assert_eq!(segment.offset, Some(sent));
                prop_assert_eq!(segment.seq_relative, Some(sent + 1));
                prop_assert!(segment.marks.is_empty());
                sent += u64::from(step);
                let ack = isn.wrapping_add(1).wrapping_add(sent as u32);
                prop_assert_eq!(story.see(End::Peer, "A", (2, ack), 0, 1000).ack_relative, Some(sent + 1));
            }
        }

        #[test]
        fn any_order_of_any_segments_is_judged(
            segments in proptest::collection::vec(
                (any::<bool>(), 0..16_u8, any::<(u32, u32)>(), any::<u32>(), any::<u16>()), 1..200),
        ) {
            let mut story = Story::new();
            for (local, bits, numbers, len, window) in segments {
                let flags = "SAFR".chars().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, c)| c);
                let end = if local { End::Local } else { End::Peer };
                story.see(end, &flags.collect::<String>(), numbers, len, window);
            }
            prop_assert!(story.flow.ends.iter().all(|end| end.seen.len() <= STRETCHES));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "two ends on loopback to look at")]
    #[tokio::test]
    async fn a_real_connection_has_the_right_numbers() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let to = listener.local_addr().expect("bound");
        let capture = open();
        capture.want(wanted(Protocol::Tcp, to)).expect("attached");
        converse(&listener, to);
        let packets = until(&capture, |packet| packet.tcp().is_some(), ended).await;
        let mut flow = Flow::new(packets[0].from, to);
        let seen = packets
            .iter()
            .map(|packet| {
                let end = flow.sender(packet).expect("of this connection");
                let segment = flow.see(end, packet).expect("a segment");
                assert_eq!(segment.marks, [], "{segment:?}");
                (end, segment.seq_relative.expect("known"), segment.ack_relative, segment.offset)
            })
            .collect::<Vec<_>>();
        use End::{Local, Peer};
        assert_eq!(
            seen,
            [
                (Local, 0, None, None),
                (Peer, 0, Some(1), None),
                (Local, 1, Some(1), None),
                (Local, 1, Some(1), Some(0)),
                (Peer, 1, Some(6), None),
                (Peer, 1, Some(6), Some(0)),
                (Local, 6, Some(4), None),
                (Local, 6, Some(4), None),
                (Peer, 4, Some(7), None),
                (Local, 7, Some(5), None),
            ]
        );
    }

    /// The same frames as tshark sees, one for one. `cargo test -- --ignored wireshark`.
    #[expect(clippy::disallowed_methods, reason = "two ends on loopback to look at")]
    #[tokio::test]
    #[ignore = "needs tshark"]
    async fn wireshark_says_the_same() {
        use std::{
            io::{BufRead as _, BufReader, Read as _, Write as _},
            process::{Command, Stdio},
            thread,
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let to = listener.local_addr().expect("bound");
        let capture = open();
        capture.want(wanted(Protocol::Tcp, to)).expect("attached");
        let mut tshark = Command::new("tshark")
            .args([
                "-i",
                "lo",
                "-l",
                "-s",
                "256",
                "-B",
                "64",
                "-a",
                "duration:15",
                "-o",
                "tcp.desegment_tcp_streams:FALSE",
            ])
            .args(["-f", &format!("tcp port {}", to.port()), "-T", "fields", "-E", "separator=,"])
            .args(["-e", "tcp.dstport", "-e", "tcp.flags", "-e", "tcp.seq", "-e", "tcp.ack", "-e", "tcp.len"])
            .args(["-e", "tcp.window_size", "-e", "_ws.expert.message"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tshark is installed");
        let stderr = BufReader::new(tshark.stderr.take().expect("piped"));
        let stdout = BufReader::new(tshark.stdout.take().expect("piped"));
        let mut stderr = stderr.lines().map(|line| line.expect("text"));
        assert!(stderr.any(|line| line.contains("Capture started")));
        converse(&listener, to);
        // A reader that pauses: the window closes, is probed, and opens.
        let mut near = std::net::TcpStream::connect(to).expect("it listens");
        let (mut far, _) = listener.accept().expect("it connected");
        let writer = thread::spawn(move || {
            near.write_all(&vec![7; 8 << 20]).expect("written");
            near
        });
        thread::sleep(Duration::from_millis(900));
        far.read_exact(&mut vec![0; 8 << 20]).expect("it arrives");
        drop(far);
        drop(writer.join().expect("it wrote"));
        let fins = |packets: &[Packet]| {
            packets.iter().filter(|p| p.tcp().is_some_and(|tcp| tcp.flags.fin)).count() == 4
                && packets.last().is_some_and(|last| last.tcp().is_some_and(|tcp| !tcp.flags.fin))
        };
        let packets = until(&capture, |packet| packet.tcp().is_some(), fins).await;
        let mut flows = std::collections::HashMap::new();
        let ours = packets.iter().map(|packet| {
            let near = if packet.to == to { packet.from } else { packet.to };
            let flow = flows.entry(near).or_insert_with(|| Flow::new(near, to));
            let end = flow.sender(packet).expect("of this connection");
            flow.see(end, packet).expect("a segment")
        });
        let ours = ours.collect::<Vec<_>>();
        let theirs = stdout.lines().take(ours.len()).map(|line| line.expect("text")).collect::<Vec<_>>();
        tshark.kill().expect("it runs");
        tshark.wait().expect("it ended");
        for ((segment, packet), line) in ours.iter().zip(&packets).zip(&theirs) {
            let f = segment.flags;
            let bits = [f.fin, f.syn, f.rst, f.psh, f.ack, f.urg, f.ece, f.cwr];
            let bits = bits.iter().enumerate().map(|(i, bit)| u32::from(*bit) << i).sum::<u32>();
            let said = format!(
                "{},{bits:#06x},{},{},{},{}",
                packet.to.port(),
                segment.seq_relative.expect("known"),
                segment.ack_relative.unwrap_or(0),
                segment.len,
                segment.window,
            );
            let theirs = line.split(',').take(6).collect::<Vec<_>>().join(",");
            assert_eq!(said, theirs, "{segment:?}");
            let remark = line.splitn(7, ',').nth(6).unwrap_or_default();
            if !segment.marks.is_empty() || remark.contains("TCP") {
                eprintln!("{said}: {:?}, tshark: {remark}", segment.marks);
            }
        }
        assert_eq!(ours.len(), theirs.len());
        eprintln!("{} frames", ours.len());
    }

    /// Between two network namespaces of this test's own, which end with their threads. Needs root.
    #[expect(clippy::disallowed_methods, reason = "two ends to look at")]
    #[test]
    fn a_frame_over_ethernet_stands_for_several_segments() {
        use std::{
            io::{Read as _, Write as _},
            net::{TcpListener, TcpStream},
            process::Command,
            sync::mpsc::sync_channel,
            thread,
        };

        use crate::kernel::capture::{Checksum, Link};

        fn own_network() -> String {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
                .expect("root is needed to test a network");
            let thread = std::fs::read_link("/proc/thread-self").expect("Linux");
            thread.file_name().expect("its number").to_string_lossy().into_owned()
        }
        fn ip(arguments: &str) {
            let done = Command::new("ip").args(arguments.split(' ')).status().expect("iproute2 is installed");
            assert!(done.success(), "ip {arguments}");
        }
        fn up(device: &str, address: &str) {
            ip(&format!("address add {address} dev {device}"));
            ip(&format!("link set {device} up"));
        }
        const BYTES: usize = 500_000;

        let (to_near, from_far) = sync_channel(1);
        let (to_far, from_near) = sync_channel(1);
        let far = thread::spawn(move || {
            to_near.send(own_network()).expect("awaited");
            from_near.recv().expect("it tells");
            up("far", "10.77.0.2/24");
            let listener = TcpListener::bind("10.77.0.2:80").expect("a network of its own");
            to_near.send(String::new()).expect("awaited");
            let mut stream = listener.accept().expect("it connected").0;
            stream.read_exact(&mut vec![0; BYTES]).expect("it arrives");
        });
        let near = thread::spawn(move || {
            own_network();
            let thread = from_far.recv().expect("it tells");
            ip(&format!("link add near type veth peer name far netns {thread}"));
            up("near", "10.77.0.1/24");
            to_far.send(()).expect("awaited");
            from_far.recv().expect("it listens");
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let capture = open();
                let to = "10.77.0.2:80".parse().expect("an address");
                capture.want(wanted(Protocol::Tcp, to)).expect("attached");
                let mut stream = TcpStream::connect(to).expect("it listens");
                stream.write_all(&vec![7; BYTES]).expect("written");
                let mut flow = Flow::new(stream.local_addr().expect("connected"), to);
                let (mut raw, mut next, mut longest) = (Vec::new(), 0, 0);
                while next < BYTES as u64 {
                    raw.clear();
                    capture.next_batch(&mut raw).await.expect("it goes on");
                    for frame in &raw {
                        let packet = Packet::parse(frame).expect("understood");
                        let end = flow.sender(&packet).expect("of this connection");
                        let segment = flow.see(end, &packet).expect("a segment");
                        assert_eq!((frame.link, frame.outgoing), (Link::Ethernet, end == End::Local));
                        assert_eq!(frame.checksum, Checksum::Unfilled);
                        assert_eq!(&*capture.interface(frame.interface), "near");
                        assert!(
                            !segment.marks.contains(&Mark::Retransmission),
                            "each frame once: {segment:?}"
                        );
                        if let Some(offset) = segment.offset {
                            assert_eq!((offset, segment.mss), (next, Some(1448)));
                            next += u64::from(segment.len);
                            longest = longest.max(segment.pieces.expect("known"));
                        }
                    }
                }
                assert!(longest > 1, "segmentation offload");
            });
        });
        near.join().expect("the near end is content");
        far.join().expect("the far end is content");
    }
}
