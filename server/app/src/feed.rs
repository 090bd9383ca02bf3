//! The feed: a cursor over the log that replays, then follows. Every door is one.
//!
//! A cursor pulls. It holds no memory of the log and is known to nobody, so a slow viewer costs the sockets nothing;
//! when history was given up under it, its next batch says so in a gap.

use std::{sync::Arc, time::Duration};

use sockscope_wire::{
    ByteRange, Fact, Gap, GapReason, Page, Payload, PayloadMode, Seq, ShelfName, ShelfView,
};
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};

use crate::{
    log::{Filter, Limits, Record, Span},
    workspace::{View, Workspace, convert},
};

/// One batch of a stream: enough to keep a fast viewer busy, little enough that a slow one holds little.
pub const STREAM_BATCH: Limits = Limits::new(2048, 256 * 1024);

/// A busy stream that has caught up sends one batch in this time: a hundred small frames a second are as live to a
/// person as fifty thousand, and cost the page a thousandth. One that is behind is paced by its reader alone.
const PACE: Duration = Duration::from_millis(8);

/// A stream is busy when it has looked at so many records in that time, whether it wanted them or not.
const BUSY: u64 = 16;

/// Where a cursor begins.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Start {
    /// The log the seq belongs to, if the viewer said.
    pub epoch: Option<String>,
    /// After which seq.
    pub after: After,
}

/// After which seq a cursor begins.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// After this one; 0 is the beginning.
    Seq(Seq),
    /// The beginning.
    #[default]
    Beginning,
    /// Only what is new.
    Head,
}

/// A cursor.
pub struct Cursor {
    workspace: Arc<Workspace>,
    after: Seq,
    /// Which events are wanted.
    pub filter: Filter,
    /// How much of each payload.
    pub mode: PayloadMode,
    /// Said once, with the first batch: the cursor did not belong here.
    misplaced: Option<Gap>,
    /// When the latest stretch of [`PACE`] began, and how many records were looked at in it.
    looked: (Instant, u64),
    /// The stream is busy and has caught up: it looks again then.
    rest: Option<Instant>,
}

/// What a cursor found.
pub struct Batch {
    view: View,
    misplaced: Option<Gap>,
    mode: PayloadMode,
    workspace: Arc<Workspace>,
}

impl Cursor {
    /// A cursor that begins there. One of another epoch, or beyond the head, begins at the beginning and says so.
    #[must_use]
    pub fn new(workspace: &Arc<Workspace>, start: &Start, filter: Filter, mode: PayloadMode) -> Self {
        let mut cursor = Self {
            workspace: Arc::clone(workspace),
            after: Seq(0),
            filter,
            mode,
            misplaced: None,
            looked: (Instant::now(), 0),
            rest: None,
        };
        cursor.seek(start);
        cursor
    }

    /// Moves the cursor.
    pub fn seek(&mut self, start: &Start) {
        let (_, head) = self.workspace.bounds();
        let after = match start.after {
            After::Beginning => Seq(0),
            After::Seq(seq) => seq,
            After::Head => head,
        };
        let same = start.epoch.as_deref().is_none_or(|epoch| epoch == self.workspace.epoch());
        self.misplaced = match (same, after <= head) {
            (true, true) => None,
            (false, _) if after == Seq(0) => None,
            (false, _) => Some(Gap { from: Seq(1), to: after, shelf: None, reason: GapReason::WrongEpoch }),
            (true, false) => {
                Some(Gap { from: head.next(), to: after, shelf: None, reason: GapReason::BeyondHead })
            }
        };
        self.after = if same && after <= head { after } else { Seq(0) };
    }

    /// What there is now, possibly nothing. May look at the whole log, so others get a turn in between; dropped before
    /// its end, it has lost nothing.
    pub async fn now(&mut self, limits: Limits) -> Batch {
        loop {
            let view = self.workspace.read(self.after, &self.filter, limits.of_each(self.mode));
            let next = view.slice.next;
            self.note(next.0.saturating_sub(self.after.0), next >= view.head);
            self.after = next;
            let nothing =
                view.slice.records.is_empty() && view.slice.gaps.is_empty() && self.misplaced.is_none();
            if nothing && self.after < view.head {
                yield_now().await;
                continue;
            }
            let misplaced = self.misplaced.take();
            return Batch { view, misplaced, mode: self.mode, workspace: Arc::clone(&self.workspace) };
        }
    }

    fn note(&mut self, records: u64, caught_up: bool) {
        let now = Instant::now();
        if now >= self.looked.0 + PACE {
            self.looked = (now, 0);
        }
        self.looked.1 += records;
        let busy = self.looked.1 >= BUSY && caught_up;
        self.rest = busy.then_some(self.looked.0 + PACE);
    }

    /// Waits until there is something. Dropped before its end, it has lost nothing.
    pub async fn next(&mut self, limits: Limits) -> Batch {
        let workspace = Arc::clone(&self.workspace);
        loop {
            if let Some(rest) = self.rest {
                sleep_until(rest).await;
            }
            let news = workspace.news();
            tokio::pin!(news);
            // Registered before reading, so that an append in between is not missed.
            news.as_mut().enable();
            let batch = self.now(limits).await;
            if !batch.is_empty() {
                return batch;
            }
            news.await;
        }
    }
}

impl Batch {
    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.view.slice.records.is_empty() && self.view.slice.gaps.is_empty() && self.misplaced.is_none()
    }

    /// How many events it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.view.slice.records.len()
    }

    /// What was found, in order.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.view.slice.records
    }

    /// The same, to keep.
    #[must_use]
    pub fn into_records(self) -> Vec<Record> {
        self.view.slice.records
    }

    /// What is missing between them.
    #[must_use]
    pub fn gaps(&self) -> &[Span] {
        &self.view.slice.gaps
    }

    /// Where the cursor goes on.
    #[must_use]
    pub fn next(&self) -> Seq {
        self.view.slice.next
    }

    /// As a page.
    #[must_use]
    pub fn page(&self) -> Page {
        let Self { view, misplaced, mode, workspace } = self;
        let firsts = &view.firsts;
        let first = firsts
            .iter()
            .find(|(name, _)| *name == ShelfName::Conversation)
            .map_or(Seq(1), |(_, first)| *first);
        let events = view
            .slice
            .records
            .iter()
            .map(|record| convert::event(record, workspace.anchor(), *mode))
            .collect();
        Page {
            epoch: workspace.epoch().to_owned(),
            first,
            shelves: firsts.iter().map(|(name, first)| (*name, ShelfView { first: *first })).collect(),
            head: view.head,
            next: view.slice.next,
            events,
            gaps: misplaced
                .iter()
                .cloned()
                .chain(view.slice.gaps.iter().map(|span| Gap::from(*span)))
                .collect(),
        }
    }

    /// As JSON, payloads in base64.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(&self.page()).expect("a page is JSON")
    }

    /// As a binary batch: the length of the JSON (u32, big-endian), the JSON, the payload bytes (docs/PROTOCOL.md).
    #[must_use]
    pub fn binary(&self) -> Vec<u8> {
        let mut page = self.page();
        let mut payloads = Vec::new();
        let mut length = 0;
        for event in &mut page.events {
            if let Fact::Sent { bytes, .. } | Fact::Received { bytes, .. } = &mut event.fact
                && let Some(Payload(payload)) = bytes.payload.take()
            {
                bytes.payload_range = Some(ByteRange(small(length), small(payload.len())));
                length += payload.len();
                payloads.push(payload);
            }
        }
        let json = serde_json::to_vec(&page).expect("a page is JSON");
        let mut batch = Vec::with_capacity(4 + json.len() + length);
        batch.extend_from_slice(&small(json.len()).to_be_bytes());
        batch.extend_from_slice(&json);
        payloads.iter().for_each(|payload| batch.extend_from_slice(payload));
        batch
    }
}

/// A batch is far below 4 GiB by its limits.
fn small(len: usize) -> u32 {
    u32::try_from(len).expect("a batch is at most a few MiB")
}
