//! Records in the order of their times: frames are recorded a little after the calls that caused them.

use std::{collections::BTreeMap, time::Duration};

use sockscope_sockets::fact::Fact;
use sockscope_wire::Seq;
use tokio::time::Instant;

use crate::log::{Carried, Entry, Record};

/// How long a record waits for those that happened before it and are recorded after it.
const HOLD: Duration = Duration::from_millis(100);

/// How many may wait, without their payloads; of more the earliest goes on at once.
const HELD: usize = 8192;

/// Records that wait for their turn.
pub(super) struct Order {
    anchor: Instant,
    held: BTreeMap<(u64, Seq), Record>,
    latest: u64,
}

impl Order {
    /// None yet; times count from the anchor.
    pub(super) fn new(anchor: Instant) -> Self {
        Self { anchor, held: BTreeMap::new(), latest: 0 }
    }

    /// One more waits.
    pub(super) fn push(&mut self, record: Record) {
        let at = self.nanos(&record);
        self.latest = self.latest.max(at);
        self.held.insert((at, record.seq), record);
    }

    /// When the turn of the next comes, if nothing more is recorded.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        let (at, _) = self.held.keys().next()?;
        Some(self.anchor + Duration::from_nanos(*at) + HOLD)
    }

    /// The next record whose turn it is: by the clock where more is to come as it happens, else by the latest record, and
    /// once there are no more, every one.
    pub(super) fn pop(&mut self, follows: bool, no_more: bool) -> Option<Record> {
        let entry = self.held.first_entry()?;
        let now = if follows { nanos(self.anchor.elapsed()) } else { self.latest };
        let waits = Duration::from_nanos(now.saturating_sub(entry.key().0)) < HOLD;
        let goes = !waits || no_more || self.held.len() > HELD;
        if goes { self.held.pop_first().map(|(_, record)| record) } else { None }
    }

    /// When it happened, in ns since the anchor: a frame when it was seen, a call of ours that sends something when it
    /// began, anything else when it was over.
    pub(super) fn nanos(&self, record: &Record) -> u64 {
        let begun = match &record.entry {
            Entry::Segment(frame) => {
                if let Carried::Tcp(segment) = &frame.seen().carried {
                    return nanos(segment.at.saturating_duration_since(self.anchor));
                }
                false
            }
            Entry::Fact(Fact::Sent(_) | Fact::Shutdown | Fact::ResetByUs) | Entry::Closed(_) => true,
            _ => false,
        };
        let took =
            if begun && record.took_us != Record::NO_CALL { record.took_us.saturating_add(1) } else { 0 };
        record.t_us.saturating_sub(took).saturating_mul(1000)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
