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
mod tests;
