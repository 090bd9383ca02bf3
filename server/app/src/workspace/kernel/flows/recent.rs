//! Frames that are seen at more than one interface.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use sockscope_sockets::kernel::capture::{Link, Way};
use tokio::time::Instant;

use super::Frame;

/// Frames among which one is looked for that was seen already, at another interface, and for how long.
const RECENT: usize = 64;
const TWICE: Duration = Duration::from_millis(10);

/// The frames seen last, but for those of loopback. One that goes through a bridge, or a bond, is seen there and at its port.
#[derive(Default)]
pub(super) struct Recent(VecDeque<(u64, u32, Instant)>);

impl Recent {
    /// Whether the same was seen just now at another interface. Sent again, it would be another packet: with another
    /// identification, or at least later.
    pub(super) fn has(&mut self, frame: &Frame) -> bool {
        let Frame { packet, interface, way, link, head, .. } = frame;
        if *way == Way::Loopback {
            return false;
        }
        let begins = if *link == Link::Ethernet { 14 } else { 0 };
        let mut hasher = DefaultHasher::new();
        (way == &Way::Out, head.get(begins..)).hash(&mut hasher);
        let (hash, at) = (hasher.finish(), packet.at);
        let same = |(seen, elsewhere, then): &&(u64, u32, Instant)| {
            *seen == hash && elsewhere != interface && at.saturating_duration_since(*then) < TWICE
        };
        if self.0.iter().find(same).is_some() {
            return true;
        }
        if self.0.len() >= RECENT {
            self.0.pop_front();
        }
        self.0.push_back((hash, *interface, at));
        false
    }
}
