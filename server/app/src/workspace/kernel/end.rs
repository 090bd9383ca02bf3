//! One end of a connection: what was read of its state, what segments say it passed through, and what to tell of both.

use sockscope_sockets::kernel::{path, state::TcpState};
use sockscope_wire::Evidence;
use tokio::time::Instant;

/// A state to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) state: TcpState,
    pub(super) evidence: Evidence,
    pub(super) at: Instant,
}

/// The most states, and the most readings, that may be waiting: a connection has eleven states, so more means that nobody
/// settles them.
const WAITING: usize = 32;

/// One end. Readings come at once and segments a little later, so both wait until what was captured meanwhile is there.
#[derive(Debug)]
pub(super) struct End {
    /// The state before any was told: CLOSED of an end that connects, LISTEN of one that is connected to.
    from: TcpState,
    /// The state told last, and when it was entered.
    last: Option<(TcpState, Instant)>,
    /// States that follow from segments and are not told: the readings say which of them could be read.
    passed: Vec<(TcpState, Instant)>,
    /// What the kernel said, not yet told; `None`: that it knows of no such connection.
    readings: Vec<(Option<TcpState>, Instant)>,
    /// The kernel has answered for it at least once.
    readable: bool,
    /// It was told to be CLOSED: whatever is said of its addresses from now on is about another.
    over: bool,
}

impl End {
    /// An end that begins in that state.
    pub(super) fn new(from: TcpState) -> Self {
        Self { from, last: None, passed: Vec::new(), readings: Vec::new(), readable: false, over: false }
    }

    /// Another attempt is made, from or to another address.
    pub(super) fn begins(&mut self) {
        self.over = false;
    }

    /// The kernel can be asked for it: that it knows nothing says that it is gone, though it never was read.
    pub(super) fn is_known(&mut self) {
        self.readable |= self.last.is_some();
    }

    /// The state told last.
    pub(super) fn state(&self) -> Option<TcpState> {
        self.last.map(|(state, _)| state)
    }

    /// Whether the kernel answers for it: it does not for a peer on another host.
    pub(super) fn readable(&self) -> bool {
        self.readable
    }

    /// Whether segments say something that no reading has confirmed.
    pub(super) fn is_ahead(&self) -> bool {
        !self.passed.is_empty()
    }

    /// Whether something was read that is not told.
    pub(super) fn has_untold(&self) -> bool {
        !self.readings.is_empty()
    }

    /// A segment put it into this state. One that comes too late for what was told already changes nothing.
    pub(super) fn passes(&mut self, state: TcpState, at: Instant) {
        let late = self.last.is_some_and(|(_, told)| at < told);
        let latest = self.passed.last().map_or(self.state(), |(latest, _)| Some(*latest));
        if !late && !self.over && latest != Some(state) && self.passed.len() < WAITING {
            self.passed.push((state, at));
        }
    }

    /// The kernel says that it is in this state, or that there is no such connection.
    pub(super) fn reads(&mut self, state: Option<TcpState>, at: Instant) {
        if self.over {
            return;
        }
        self.readable |= state.is_some();
        let latest = self.readings.last().map_or(self.state(), |(latest, _)| *latest);
        let nothing_new = latest == state && self.passed.is_empty();
        if !nothing_new && self.readings.len() < WAITING {
            self.readings.push((state, at));
        }
    }

    /// Tells what was read until then.
    pub(super) fn settle(&mut self, until: Instant) -> Vec<Told> {
        let due = self.readings.partition_point(|(_, at)| *at <= until);
        let mut told = Vec::new();
        for (state, at) in self.readings.drain(..due).collect::<Vec<_>>() {
            let seen = self.passed.partition_point(|(_, passed)| *passed <= at);
            match state {
                Some(state) => self.was_in(state, at, seen, &mut told),
                None if self.readable => {
                    if self.state() != Some(TcpState::Closed) {
                        self.was_in(TcpState::Closed, at, seen, &mut told);
                    }
                }
                None => self.infers(seen, &mut told),
            }
        }
        told
    }

    /// It was read to be in that state, `seen` of the states it passed through being from before.
    fn was_in(&mut self, state: TcpState, at: Instant, seen: usize, told: &mut Vec<Told>) {
        // The capture runs ahead of the kernel's own reading of a segment: what comes after this state is still to be read.
        if let Some(index) = self.passed[..seen].iter().rposition(|(passed, _)| *passed == state) {
            self.infers(index, told);
            let (state, at) = self.passed.remove(0);
            self.tell(state, Evidence::Read, at, told);
        } else if self.state() != Some(state) {
            let seen = self.contradict(state, seen);
            if seen == 0 {
                for implied in path::implied(self.state().unwrap_or(self.from), state) {
                    self.tell(*implied, Evidence::PassedThrough, at, told);
                }
            }
            self.infers(seen, told);
            self.tell(state, Evidence::Read, at, told);
        }
    }

    /// Segments do not say everything: a program may have ended its direction with a FIN that waits behind its bytes. What
    /// follows from them and cannot be before this state that was read, of the first `seen`, or after it, is not so. Returns
    /// how many are left of those before.
    fn contradict(&mut self, state: TcpState, mut seen: usize) -> usize {
        let begun = |state| !matches!(state, TcpState::Closed | TcpState::Listen | TcpState::SynSent);
        while seen > 0 {
            let (last, _) = self.passed[seen - 1];
            let before =
                if seen > 1 { Some(self.passed[seen - 2].0) } else { self.state() }.unwrap_or(self.from);
            // A refused attempt may be followed by another, but a connection that is over by none.
            let over = last == TcpState::Closed && begun(before) && state != TcpState::Closed;
            if path::leads(last, state) && !over {
                break;
            }
            seen -= 1;
            self.passed.remove(seen);
        }
        // The same again, seen a moment after it was read, is this one.
        if self.passed.get(seen).is_some_and(|(next, _)| *next == state) {
            self.passed.remove(seen);
        }
        let mut from = state;
        let possible = self.passed[seen..].iter().take_while(|(to, _)| {
            let leads = path::leads(from, *to);
            from = *to;
            leads
        });
        let possible = possible.count();
        self.passed.truncate(seen + possible);
        seen
    }

    /// So many states follow from segments, and nobody has read them.
    fn infers(&mut self, seen: usize, told: &mut Vec<Told>) {
        for (state, at) in self.passed.drain(..seen).collect::<Vec<_>>() {
            self.tell(state, Evidence::PassedThrough, at, told);
        }
    }

    fn tell(&mut self, state: TcpState, evidence: Evidence, at: Instant, told: &mut Vec<Told>) {
        self.last = Some((state, at));
        self.over = state == TcpState::Closed;
        told.push(Told { state, evidence, at });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use Evidence::{PassedThrough, Read};
    use TcpState::{CloseWait, Closed, Established, FinWait1, FinWait2, SynSent, TimeWait};

    fn shown(told: &[Told]) -> Vec<(TcpState, Evidence)> {
        told.iter().map(|told| (told.state, told.evidence)).collect()
    }

    fn after(start: Instant, us: u64) -> Instant {
        start + Duration::from_micros(us)
    }

    #[test]
    fn what_segments_say_is_passed_through_unless_it_could_be_read() {
        let start = Instant::now();
        let mut end = End::new(Closed);
        end.reads(Some(Established), after(start, 100));
        assert_eq!(end.settle(start), [], "segments of that time may still come");
        end.passes(SynSent, start);
        end.passes(Established, after(start, 30));
        let told = end.settle(after(start, 100));
        assert_eq!(shown(&told), [(SynSent, PassedThrough), (Established, Read)]);
        assert_eq!(told[1].at, after(start, 30), "the segment says when");
    }

    #[test]
    fn a_reading_the_capture_is_ahead_of_leaves_the_rest_to_be_read() {
        let now = Instant::now();
        let mut end = End::new(Closed);
        let read = |end: &mut End, state| {
            end.reads(state, now);
            shown(&end.settle(now))
        };
        assert_eq!(read(&mut end, Some(Established)), [(Established, Read)]);
        for state in [FinWait1, FinWait2, TimeWait] {
            end.passes(state, now);
        }
        assert_eq!(read(&mut end, Some(Established)), []);
        assert!(end.is_ahead());
        assert_eq!(read(&mut end, Some(FinWait2)), [(FinWait1, PassedThrough), (FinWait2, Read)]);
        assert_eq!(read(&mut end, Some(TimeWait)), [(TimeWait, Read)]);
        assert_eq!(read(&mut end, None), [(Closed, Read)]);
        assert_eq!(read(&mut end, None), []);
    }

    #[test]
    fn without_segments_the_only_way_between_two_states_is_passed_through() {
        let now = Instant::now();
        let mut end = End::new(Closed);
        end.reads(Some(Established), now);
        end.reads(Some(FinWait2), now);
        let told = shown(&end.settle(now));
        assert_eq!(told, [(Established, Read), (FinWait1, PassedThrough), (FinWait2, Read)]);
    }

    #[test]
    fn what_was_read_counts_where_segments_say_something_that_cannot_be() {
        use TcpState::{Closing, LastAck};
        let start = Instant::now();
        let mut end = End::new(Closed);
        end.reads(Some(Established), start);
        end.settle(start);
        // Its FIN waits behind bytes, so the other's seems to be the first.
        end.passes(CloseWait, after(start, 10));
        end.passes(LastAck, after(start, 30));
        end.passes(Closed, after(start, 40));
        end.reads(Some(Closing), after(start, 20));
        let told = shown(&end.settle(after(start, 20)));
        assert_eq!(told, [(FinWait1, PassedThrough), (Closing, Read)]);
        assert!(!end.is_ahead(), "what followed from it is not so either");
    }

    #[test]
    fn a_reset_that_was_only_seen_does_not_close_what_is_read_to_go_on() {
        let start = Instant::now();
        let mut end = End::new(Closed);
        end.reads(Some(Established), start);
        end.settle(start);
        end.passes(Closed, after(start, 10));
        end.reads(Some(Established), after(start, 20));
        assert_eq!(shown(&end.settle(after(start, 20))), []);
        end.reads(Some(CloseWait), after(start, 30));
        assert_eq!(shown(&end.settle(after(start, 30))), [(CloseWait, Read)]);
    }

    #[test]
    fn an_end_that_can_be_asked_for_is_gone_when_the_kernel_knows_nothing() {
        let now = Instant::now();
        let mut end = End::new(Closed);
        end.is_known();
        end.reads(None, now);
        assert_eq!(shown(&end.settle(now)), [], "it has not begun");
        end.passes(Established, now);
        end.reads(None, now);
        assert_eq!(shown(&end.settle(now)), [(Established, PassedThrough)]);
        end.is_known();
        end.reads(None, now);
        assert_eq!(shown(&end.settle(now)), [(Closed, Read)]);
    }

    #[test]
    fn a_segment_that_comes_after_its_state_was_told_changes_nothing() {
        let start = Instant::now();
        let mut end = End::new(Closed);
        end.reads(Some(Established), after(start, 50));
        end.settle(after(start, 50));
        end.passes(SynSent, start);
        assert!(!end.is_ahead());
    }

    #[test]
    fn an_end_nobody_can_read_is_told_from_segments_alone() {
        let now = Instant::now();
        let mut end = End::new(Closed);
        end.passes(Established, now);
        end.passes(CloseWait, now);
        end.reads(None, now);
        assert_eq!(shown(&end.settle(now)), [(Established, PassedThrough), (CloseWait, PassedThrough)]);
        assert!(!end.readable());
    }
}
