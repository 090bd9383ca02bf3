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
