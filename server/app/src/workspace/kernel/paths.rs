//! The states both ends of a connection passed through, from its segments.

use sockscope_sockets::kernel::{
    flow::{End, Segment},
    path::Path,
    state::TcpState,
};
use sockscope_wire::Direction;
use tokio::time::Instant;

/// A state an end was put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) end: Direction,
    pub(super) state: TcpState,
    pub(super) at: Instant,
}

/// Both ends' ways.
#[derive(Debug, Default)]
pub(super) struct Paths {
    ends: Option<[Path; 2]>,
    /// A SYN nobody has answered: there may be nobody, so the end it goes to has not moved.
    unanswered: Option<Box<Segment>>,
}

impl Paths {
    /// The kernel says that an end is in this state.
    pub(super) fn is_in(&mut self, end: Direction, state: TcpState) {
        if let Some([local, peer]) = &mut self.ends {
            if end == Direction::Local { local.is_in(state) } else { peer.is_in(state) }
        }
    }

    /// Takes the next segment.
    pub(super) fn see(&mut self, segment: &Segment) -> Vec<Passed> {
        let opens = segment.flags.syn && !segment.flags.ack;
        let ends = self.ends.get_or_insert_with(|| {
            let listens = |end| match (opens, end == segment.sender) {
                (true, true) => TcpState::Closed,
                (true, false) => TcpState::Listen,
                // Its beginning was not seen.
                (false, _) => TcpState::Established,
            };
            [End::Local, End::Peer].map(|end| Path::new(end, listens(end)))
        });
        let mut passed = Vec::new();
        let answered = match &self.unanswered {
            Some(syn) => segment.sender != syn.sender && !segment.flags.rst,
            None => true,
        };
        for (path, end) in ends.iter_mut().zip([End::Local, End::Peer]) {
            let mut steps = Vec::new();
            match &self.unanswered {
                Some(syn) if end != syn.sender && answered => {
                    if opens {
                        // Both opened at once: it never listened.
                        *path = Path::new(end, TcpState::Closed);
                        steps.extend(path.see(segment));
                        steps.extend(path.see(syn));
                    } else {
                        steps.extend(path.see(syn));
                        steps.extend(path.see(segment));
                    }
                }
                Some(syn) if end != syn.sender => {}
                None if opens && end != segment.sender => {}
                _ => steps.extend(path.see(segment)),
            }
            let end = if end == End::Local { Direction::Local } else { Direction::Peer };
            passed.extend(steps.into_iter().map(|step| Passed { end, state: step.state, at: step.at }));
        }
        if answered {
            self.unanswered = (opens && self.unanswered.is_none()).then(|| Box::new(segment.clone()));
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use sockscope_sockets::kernel::{
        flow::Flow,
        packet::{Carries, Flags, Packet, Tcp},
    };

    use super::*;

    /// Segments of one connection: who sends, which flags, seq and ack.
    fn segments(story: &[(End, &str, u32, u32)]) -> Vec<Segment> {
        let ends = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut flow = Flow::new(ends[0], ends[1]);
        story
            .iter()
            .map(|(sender, flags, seq, ack)| {
                let has = |flag| flags.contains(flag);
                let flags =
                    Flags { syn: has('S'), ack: has('A'), fin: has('F'), rst: has('R'), ..Flags::default() };
                let tcp = Tcp { flags, seq: *seq, ack: *ack, window: 1000, options: Default::default() };
                let (from, to) = if *sender == End::Local { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
                let packet = Packet {
                    at: Instant::now(),
                    from,
                    to,
                    carries: Carries::Tcp(tcp),
                    fragmented: None,
                    len: 0,
                    payload: Box::default(),
                };
                flow.see(*sender, &packet).expect("a segment")
            })
            .collect()
    }

    fn states(story: &[(End, &str, u32, u32)]) -> Vec<(Direction, TcpState)> {
        let mut paths = Paths::default();
        segments(story)
            .iter()
            .flat_map(|one| paths.see(one))
            .map(|passed| (passed.end, passed.state))
            .collect()
    }

    #[test]
    fn an_end_that_never_answers_never_moves() {
        let syn = (End::Local, "S", 100, 0);
        assert_eq!(states(&[syn, syn]), [(Direction::Local, TcpState::SynSent)]);
        let refused = states(&[syn, (End::Peer, "RA", 0, 101)]);
        assert_eq!(refused, [(Direction::Local, TcpState::SynSent), (Direction::Local, TcpState::Closed)]);
    }

    #[test]
    fn the_handshake_moves_both() {
        let told =
            states(&[(End::Peer, "S", 100, 0), (End::Local, "SA", 500, 101), (End::Peer, "A", 101, 501)]);
        assert_eq!(
            told,
            [
                (Direction::Peer, TcpState::SynSent),
                (Direction::Local, TcpState::SynReceived),
                (Direction::Peer, TcpState::Established),
                (Direction::Local, TcpState::Established),
            ]
        );
    }

    #[test]
    fn both_may_open_at_once() {
        let story = [(End::Local, "S", 100, 0), (End::Peer, "S", 500, 0)];
        let mut paths = Paths::default();
        let passed: Vec<_> = segments(&story).iter().flat_map(|one| paths.see(one)).collect();
        for end in [Direction::Local, Direction::Peer] {
            let way: Vec<_> = passed.iter().filter(|passed| passed.end == end).collect();
            assert!(way.is_sorted_by_key(|passed| passed.at), "{way:?}");
        }
        let told: Vec<_> = passed.iter().map(|passed| (passed.end, passed.state)).collect();
        assert!(told.contains(&(Direction::Peer, TcpState::SynReceived)), "{told:?}");
        assert!(told.contains(&(Direction::Local, TcpState::SynReceived)), "{told:?}");
    }
}
