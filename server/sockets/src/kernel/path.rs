//! The states one end of a connection passes through (RFC 9293 §3.3.2), as its segments tell.
//!
//! Some are over in microseconds, before anybody could read them; what was sent and received says that they were.

use tokio::time::Instant;

use super::{
    flow::{End, Segment},
    state::TcpState,
};

/// A state that was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub state: TcpState,
    /// When the segment was seen that caused it.
    pub at: Instant,
}

/// Follows one end.
///
/// Segments of both ends may pass each other on the way: that one was seen does not say that the other end had it when it
/// sent its next. So the other end's FIN counts when this end acknowledges it, or when something that came after it
/// counts; the time is that of the FIN. Everything else counts when it is seen.
#[derive(Debug, Clone)]
pub struct Path {
    end: End,
    state: TcpState,
    /// The number behind this end's SYN.
    syn: Option<u32>,
    /// The number behind this end's FIN.
    fin: Option<u32>,
    /// What this end has received in order, as far as can be told, and the number behind the other end's FIN, which
    /// counts when everything before it has come.
    received: Option<u32>,
    peer_fin: Option<u32>,
    /// When the last of that came.
    complete_at: Option<Instant>,
    /// A SYN came in CLOSED and was not refused: if this end now sends its own, they passed each other.
    crossed: bool,
    /// When it entered the state it is in, where a segment said so.
    entered: Option<Instant>,
}

/// Whether a sequence number is at or behind another, on the circle of them (RFC 9293 §3.4).
const fn reaches(number: u32, other: u32) -> bool {
    number.wrapping_sub(other).cast_signed() >= 0
}

impl Path {
    /// Follows an end from a state: CLOSED before it connects, LISTEN before it accepts, or what was read.
    #[must_use]
    pub const fn new(end: End, from: TcpState) -> Self {
        Self {
            end,
            state: from,
            syn: None,
            fin: None,
            received: None,
            peer_fin: None,
            complete_at: None,
            crossed: false,
            entered: None,
        }
    }

    /// The state it is in, as far as segments tell: that TIME_WAIT ends, none does.
    #[must_use]
    pub const fn state(&self) -> TcpState {
        self.state
    }

    /// The kernel says that it is in this state, and everything that was sent until then was seen: a FIN that waits behind
    /// bytes nobody reads has ended the direction, and is not on the wire yet.
    pub const fn is_in(&mut self, state: TcpState) {
        use TcpState as S;
        match (self.state, state) {
            (S::SynReceived | S::Established, S::FinWait1)
            | (S::CloseWait, S::LastAck)
            | (S::SynReceived | S::Established | S::FinWait1 | S::CloseWait | S::LastAck, S::Closing) => {
                self.state = state;
            }
            _ => {}
        }
    }

    /// Takes the next segment, in the order they were seen: the states it led to, one behind the other. Where both ends'
    /// segments passed each other, what came was seen before this end's own went, and counts no earlier than that.
    pub fn see(&mut self, segment: &Segment) -> Vec<Step> {
        let mut steps = Vec::new();
        let enter = |state, at: Instant, this: &mut Self| {
            let at = this.entered.map_or(at, |entered| at.max(entered));
            this.state = state;
            this.entered = Some(at);
            steps.push(Step { state, at });
        };
        if segment.sender == self.end {
            self.sent(segment, enter)
        } else {
            self.came(segment, enter)
        }
        steps
    }

    fn sent(&mut self, segment: &Segment, mut enter: impl FnMut(TcpState, Instant, &mut Self)) {
        use TcpState as S;
        let (flags, at) = (segment.flags, segment.at);
        if let (Some(ack), Some(fin)) = (segment.ack, self.peer_fin)
            && reaches(ack, fin)
        {
            self.peer_ended(at, &mut enter);
        }
        if flags.rst {
            self.crossed = false;
            // From these it answers what belongs to no connection; the end stays as it is.
            if !matches!(self.state, S::Closed | S::Listen | S::SynSent | S::TimeWait) {
                enter(S::Closed, at, self);
            }
            return;
        }
        if flags.syn {
            self.syn = Some(segment.seq.wrapping_add(1));
            match (self.state, flags.ack) {
                (S::Closed, false) => {
                    enter(S::SynSent, at, self);
                    if self.crossed {
                        enter(S::SynReceived, at, self);
                    }
                }
                (S::Closed | S::Listen | S::SynSent, true) => enter(S::SynReceived, at, self),
                _ => {}
            }
        }
        if flags.fin {
            let behind = segment.seq.wrapping_add(segment.len).wrapping_add(flags.syn.into());
            self.fin = Some(behind.wrapping_add(1));
            match self.state {
                S::SynReceived | S::Established => enter(S::FinWait1, at, self),
                S::CloseWait => enter(S::LastAck, at, self),
                _ => {}
            }
        }
        // What it acknowledges it has received, also what the capture did not see.
        if let Some(ack) = segment.ack
            && self.received.is_none_or(|received| reaches(ack, received))
        {
            self.received = Some(ack);
        }
    }

    fn came(&mut self, segment: &Segment, mut enter: impl FnMut(TcpState, Instant, &mut Self)) {
        use TcpState as S;
        let (flags, at) = (segment.flags, segment.at);
        if flags.rst {
            if self.resets(segment) {
                if let Some(complete) = self.complete_at {
                    self.peer_ended(complete, &mut enter);
                }
                enter(S::Closed, at, self);
            }
            return;
        }
        if flags.syn {
            self.crossed = self.state == S::Closed && !flags.ack;
            let opens = match (self.state, flags.ack) {
                (S::SynSent, true) if self.acknowledges_syn(segment) => Some(S::Established),
                (S::SynSent | S::Listen, false) => Some(S::SynReceived),
                _ => None,
            };
            if let Some(state) = opens {
                self.received = Some(segment.seq.wrapping_add(1));
                enter(state, at, self);
            }
        }
        if self.state == S::SynReceived && flags.ack && self.acknowledges_syn(segment) {
            enter(S::Established, at, self);
        }
        let acknowledged = match (segment.ack, self.fin) {
            (Some(ack), Some(fin)) => reaches(ack, fin),
            _ => false,
        };
        if acknowledged {
            // A FIN that came before was there before.
            if let Some(complete) = self.complete_at {
                self.peer_ended(complete, &mut enter);
            }
            match self.state {
                S::FinWait1 => enter(S::FinWait2, at, self),
                S::Closing => enter(S::TimeWait, at, self),
                S::LastAck => enter(S::Closed, at, self),
                _ => {}
            }
        }
        let first = segment.seq.wrapping_add(flags.syn.into());
        let behind = first.wrapping_add(segment.len);
        let received = *self.received.get_or_insert(first);
        if reaches(received, first) && reaches(behind, received) {
            self.received = Some(behind);
        }
        if flags.fin && !matches!(self.state, S::Closed | S::Listen | S::SynSent) {
            self.peer_fin = Some(behind.wrapping_add(1));
        }
        if let (Some(received), Some(fin)) = (self.received, self.peer_fin)
            && reaches(received, fin.wrapping_sub(1))
        {
            self.complete_at.get_or_insert(at);
        }
    }

    /// The other end's FIN counts; its time is when it had come with all before it, else that of its acknowledgement.
    fn peer_ended(&mut self, acknowledged: Instant, enter: &mut impl FnMut(TcpState, Instant, &mut Self)) {
        use TcpState as S;
        let at = self.complete_at.unwrap_or(acknowledged);
        match self.state {
            S::SynReceived | S::Established => enter(S::CloseWait, at, self),
            S::FinWait1 => enter(S::Closing, at, self),
            S::FinWait2 => enter(S::TimeWait, at, self),
            _ => {}
        }
    }

    fn acknowledges_syn(&self, segment: &Segment) -> bool {
        match (segment.ack, self.syn) {
            (Some(ack), Some(syn)) => reaches(ack, syn),
            (ack, None) => ack.is_some(),
            (None, Some(_)) => false,
        }
    }

    /// Whether a RST is for this connection: one that answers our SYN, or one that is not older than what has come.
    fn resets(&self, segment: &Segment) -> bool {
        match self.state {
            TcpState::Closed | TcpState::Listen => false,
            TcpState::SynSent => self.acknowledges_syn(segment),
            _ => self.received.is_none_or(|received| reaches(segment.seq, received)),
        }
    }
}

/// Whether one state may come after another, with or without others between them, in the life of one connection.
#[must_use]
pub const fn leads(from: TcpState, to: TcpState) -> bool {
    use TcpState as S;
    match from {
        S::Closed | S::Listen | S::SynSent => true,
        S::SynReceived | S::Established => !matches!(to, S::Listen | S::SynSent),
        S::FinWait1 => matches!(to, S::FinWait2 | S::Closing | S::TimeWait | S::Closed),
        S::FinWait2 | S::Closing => matches!(to, S::TimeWait | S::Closed),
        S::CloseWait => matches!(to, S::LastAck | S::Closed),
        S::LastAck | S::TimeWait => matches!(to, S::Closed),
    }
}

/// The states on the *only* way between two that were read one after the other, without those two; empty where they are
/// neighbours, or where there is more than one way. RST leads from anywhere to CLOSED; from LISTEN nobody connects
/// (Linux answers EISCONN).
#[must_use]
pub const fn implied(from: TcpState, to: TcpState) -> &'static [TcpState] {
    use TcpState as S;
    match (from, to) {
        (S::Listen, S::Established) => &[S::SynReceived],
        (S::Listen, S::CloseWait) => &[S::SynReceived, S::Established],
        (S::Listen, S::LastAck) => &[S::SynReceived, S::Established, S::CloseWait],
        (S::SynReceived, S::CloseWait) => &[S::Established],
        (S::SynReceived, S::LastAck) => &[S::Established, S::CloseWait],
        (S::Established, S::FinWait2 | S::Closing) => &[S::FinWait1],
        (S::Established, S::LastAck) => &[S::CloseWait],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::Duration;

    use super::*;
    use crate::kernel::packet::Flags;

    use End::{Local, Peer};
    use TcpState as S;

    fn segment(sender: End, flags: &str, seq: u32, ack: u32, len: u32) -> Segment {
        let has = |flag| flags.contains(flag);
        Segment {
            at: Instant::now(),
            sender,
            flags: Flags { syn: has('S'), ack: has('A'), fin: has('F'), rst: has('R'), ..Flags::default() },
            seq,
            ack: has('A').then_some(ack),
            seq_relative: None,
            ack_relative: None,
            window: 0,
            len,
            offset: None,
            pieces: None,
            mss: None,
            missing: 0,
            marks: Vec::new(),
        }
    }

    fn both(segments: &[(End, &str, u32, u32, u32)], passive: bool) -> [Vec<TcpState>; 2] {
        let from = if passive { S::Listen } else { S::Closed };
        let mut paths = [Path::new(Local, S::Closed), Path::new(Peer, from)];
        let mut steps = [Vec::new(), Vec::new()];
        for (sender, flags, seq, ack, len) in segments {
            let segment = segment(*sender, flags, *seq, *ack, *len);
            for (path, steps) in paths.iter_mut().zip(&mut steps) {
                let more = path.see(&segment);
                assert!(more.iter().all(|step| step.at <= segment.at));
                steps.extend(more);
            }
        }
        steps.map(|steps| {
            assert!(steps.is_sorted_by_key(|step| step.at), "{steps:?}");
            steps.into_iter().map(|step| step.state).collect()
        })
    }

    const OPEN: [(End, &str, u32, u32, u32); 3] =
        [(Local, "S", 9, 0, 0), (Peer, "SA", 99, 10, 0), (Local, "A", 10, 100, 0)];

    fn after_open(more: &[(End, &str, u32, u32, u32)]) -> [Vec<TcpState>; 2] {
        let states = both(&[&OPEN, more].concat(), true);
        assert_eq!(states[0][..2], [S::SynSent, S::Established]);
        assert_eq!(states[1][..2], [S::SynReceived, S::Established]);
        states.map(|states| states[2..].to_vec())
    }

    #[test]
    fn four_segments_close() {
        let [local, peer] = after_open(&[
            (Local, "FA", 10, 100, 5),
            (Peer, "A", 100, 16, 0),
            (Peer, "FA", 100, 16, 0),
            (Local, "A", 16, 101, 0),
        ]);
        assert_eq!(local, [S::FinWait1, S::FinWait2, S::TimeWait]);
        assert_eq!(peer, [S::CloseWait, S::LastAck, S::Closed]);
    }

    #[test]
    fn three_segments_close() {
        let [local, peer] =
            after_open(&[(Local, "FA", 10, 100, 0), (Peer, "FA", 100, 11, 0), (Local, "A", 11, 101, 0)]);
        assert_eq!(local, [S::FinWait1, S::FinWait2, S::TimeWait]);
        assert_eq!(peer, [S::CloseWait, S::LastAck, S::Closed]);
    }

    #[test]
    fn both_close_at_once() {
        let [local, peer] = after_open(&[
            (Local, "FA", 10, 100, 0),
            (Peer, "FA", 100, 10, 0),
            (Peer, "A", 101, 11, 0),
            (Local, "A", 11, 101, 0),
        ]);
        assert_eq!(local, [S::FinWait1, S::Closing, S::TimeWait]);
        assert_eq!(peer, [S::FinWait1, S::Closing, S::TimeWait]);
    }

    #[test]
    fn both_open_at_once() {
        let [local, peer] = both(
            &[
                (Local, "S", 9, 0, 0),
                (Peer, "S", 99, 0, 0),
                (Local, "SA", 9, 100, 0),
                (Peer, "SA", 99, 10, 0),
            ],
            false,
        );
        assert_eq!(local, [S::SynSent, S::SynReceived, S::Established]);
        assert_eq!(peer, [S::SynSent, S::SynReceived, S::Established]);
    }

    #[test]
    fn a_fin_counts_when_all_before_it_has_come() {
        let [_, peer] = after_open(&[(Local, "FA", 15, 100, 0), (Peer, "A", 100, 10, 0)]);
        assert_eq!(peer, []);
        let [_, peer] =
            after_open(&[(Local, "FA", 15, 100, 0), (Local, "A", 10, 100, 5), (Peer, "A", 100, 16, 0)]);
        assert_eq!(peer, [S::CloseWait]);
        // The capture missed the bytes, the peer did not.
        let [_, peer] = after_open(&[(Local, "FA", 15, 100, 0), (Peer, "A", 100, 16, 0)]);
        assert_eq!(peer, [S::CloseWait]);
    }

    #[test]
    fn what_is_sent_again_changes_nothing() {
        let [local, peer] = after_open(&[
            (Peer, "SA", 99, 10, 0),
            (Local, "A", 10, 100, 0),
            (Local, "FA", 10, 100, 0),
            (Peer, "A", 100, 11, 0),
            (Local, "FA", 10, 100, 0),
            (Peer, "A", 100, 11, 0),
        ]);
        assert_eq!((local, peer), (vec![S::FinWait1, S::FinWait2], vec![S::CloseWait]));
    }

    #[test]
    fn a_reset_ends_both() {
        let [local, peer] = after_open(&[(Peer, "RA", 100, 10, 0)]);
        assert_eq!((local, peer), (vec![S::Closed], vec![S::Closed]));
        let [local, _] = after_open(&[(Peer, "A", 100, 10, 50), (Peer, "R", 100, 0, 0)]);
        assert_eq!(local, [], "it is older than what came");
    }

    #[test]
    fn a_refusal_ends_the_one_who_asked() {
        let [local, peer] = both(&[(Local, "S", 9, 0, 0), (Peer, "RA", 0, 10, 0)], false);
        assert_eq!((local, peer), (vec![S::SynSent, S::Closed], vec![]));
    }

    const ALL: [TcpState; 11] = [
        S::Closed,
        S::Listen,
        S::SynSent,
        S::SynReceived,
        S::Established,
        S::FinWait1,
        S::FinWait2,
        S::Closing,
        S::CloseWait,
        S::LastAck,
        S::TimeWait,
    ];

    /// The arrows of RFC 9293's figure 5, and RST from anywhere. FIN_WAIT_1 → TIME_WAIT passes FIN_WAIT_2.
    fn next(state: TcpState) -> Vec<TcpState> {
        let mut to = match state {
            S::Closed => return vec![S::Listen, S::SynSent],
            S::Listen => vec![S::SynReceived],
            S::SynSent => vec![S::SynReceived, S::Established],
            S::SynReceived => vec![S::Established, S::FinWait1],
            S::Established => vec![S::FinWait1, S::CloseWait],
            S::FinWait1 => vec![S::FinWait2, S::Closing],
            S::FinWait2 | S::Closing => vec![S::TimeWait],
            S::CloseWait => vec![S::LastAck],
            S::LastAck | S::TimeWait => vec![],
        };
        to.push(S::Closed);
        to
    }

    fn ways(way: &mut Vec<TcpState>, to: TcpState, found: &mut Vec<Vec<TcpState>>) {
        for state in next(*way.last().expect("it begins somewhere")) {
            if state == to {
                found.push(way[1..].to_vec());
            } else if state != S::Closed && !way.contains(&state) {
                // No connection goes on behind CLOSED.
                way.push(state);
                ways(way, to, found);
                way.pop();
            }
        }
    }

    #[test]
    fn only_the_only_way_is_implied() {
        for from in ALL {
            for to in ALL.into_iter().filter(|to| *to != from) {
                let mut found = Vec::new();
                ways(&mut vec![from], to, &mut found);
                let only = if found.len() == 1 { found.remove(0) } else { Vec::new() };
                assert_eq!(implied(from, to), only, "{from:?} to {to:?}: {found:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn only_arrows_are_followed(
            from in 0..11_usize,
            segments in proptest::collection::vec(
                (any::<bool>(), 0..16_u8, 0..8_u32, 0..8_u32, 0..3_u32), 0..60),
        ) {
            let mut path = Path::new(Local, ALL[from]);
            let mut state = ALL[from];
            for (local, bits, seq, ack, len) in segments {
                let flags = "SAFR".chars().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, c)| c);
                let end = if local { Local } else { Peer };
                for step in path.see(&segment(end, &flags.collect::<String>(), seq, ack, len)) {
                    let passive = state == S::Closed && step.state == S::SynReceived;
                    // In SYN_RECEIVED a FIN may come whose acknowledgement of our SYN was lost.
                    let early = state == S::SynReceived && step.state == S::CloseWait;
                    prop_assert!(next(state).contains(&step.state) || passive || early, "{state:?} {step:?}");
                    state = step.state;
                }
                prop_assert_eq!(path.state(), state);
            }
        }
    }

    #[test]
    fn time_is_of_the_segment() {
        let mut path = Path::new(Local, S::Closed);
        let mut syn = segment(Local, "S", 1, 0, 0);
        syn.at += Duration::from_secs(1);
        assert_eq!(path.see(&syn), [Step { state: S::SynSent, at: syn.at }]);
        // What was entered with a FIN is told with its acknowledgement.
        let mut path = Path::new(Local, S::Established);
        let fin = segment(Peer, "FA", 100, 10, 0);
        assert_eq!(path.see(&fin), []);
        assert_eq!(path.see(&segment(Local, "A", 10, 101, 0)), [Step { state: S::CloseWait, at: fin.at }]);
    }
}
