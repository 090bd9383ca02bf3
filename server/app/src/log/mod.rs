//! The log: append-only, seq 1, 2, 3 … without gaps, bounded in bytes.
//!
//! A plain data structure without locks or time: the workspace keeps it under its one mutex. [`Log::append`] is the
//! only thing in the program that makes a seq. One seq runs through all shelves; each shelf gives up history only of
//! its own share, so that facts of one kind can never push out another's.

mod frames;
mod read;
mod record;
mod shelf;

use sockscope_sockets::fact::Cause;
use sockscope_wire::{GapReason, LogFull, Seq, ShelfName, SocketId};

pub use frames::{Carried, Frame, Seen};
pub use read::{Filter, Limits, Slice, Span};
pub use record::{Born, Entry, Kernel, Opening, Record, Stored};
use shelf::Shelf;
pub use sockscope_sockets::kernel::info::Queues;

/// The least a log may be given, in bytes: a few of the largest reads.
pub const MIN_BYTES: usize = 4 << 20;

/// Of a log that may not give anything up, the part kept for facts without payload.
const RESERVE: usize = 16;

/// The shelves, in the order they are kept in.
const SHELVES: [ShelfName; 2] = [ShelfName::Conversation, ShelfName::Kernel];

/// What is said about a fact beside the fact.
#[derive(Debug, Clone, Default)]
pub struct Tag {
    /// When it happened, in µs since the anchor.
    pub t_us: u64,
    /// How long the call took in µs; `None` where the fact is no call.
    pub took_us: Option<u64>,
    /// Who asked for it.
    pub origin: Cause,
    /// The socket it happened to.
    pub socket: Option<SocketId>,
    /// That socket belongs to a practice peer.
    pub hidden: bool,
}

/// The log of one workspace.
pub struct Log {
    full: LogFull,
    shelves: [Shelf; SHELVES.len()],
    head: Seq,
    trimmed_to: Seq,
    /// Bytes granted to reads and sends that are not recorded yet, when nothing may be given up.
    granted: usize,
}

impl Log {
    /// A log of at most `bytes` ([`MIN_BYTES`] at least), an eighth of it for the kernel shelf.
    #[must_use]
    pub fn new(bytes: usize, full: LogFull) -> Self {
        let bytes = bytes.max(MIN_BYTES);
        let kernel = bytes / 8;
        Self {
            full,
            shelves: [Shelf::new(bytes - kernel), Shelf::new(kernel)],
            head: Seq(0),
            trimmed_to: Seq(0),
            granted: 0,
        }
    }

    /// Records a fact and gives it its seq. When its shelf is full, history of that shelf is given up first, unless
    /// the log may not: then only what [`Log::grant`] allowed carries payload, so the bound still holds.
    pub fn append(&mut self, shelf: ShelfName, tag: Tag, entry: Entry, payload: Stored) -> Seq {
        let Tag { t_us, took_us, origin, socket, hidden } = tag;
        self.head = self.head.next();
        // What the kernel did holds nobody up: its shelf gives up history either way.
        let evicts = self.full == LogFull::Evict || shelf == ShelfName::Kernel;
        let shelf = &mut self.shelves[index(shelf)];
        if evicts {
            shelf.make_room(Shelf::cost(&entry, &payload));
        }
        let took_us = took_us.unwrap_or(Record::NO_CALL);
        shelf.push(Record { seq: self.head, t_us, took_us, origin, socket, hidden, entry, payload });
        self.head
    }

    /// Sets bytes of payload aside, at most `most`, for a read or send to come; 0 when there is no room for a useful
    /// one. A log that gives up history always has room.
    pub fn grant(&mut self, most: usize) -> usize {
        if self.full == LogFull::Evict {
            return most;
        }
        let shelf = &self.shelves[index(ShelfName::Conversation)];
        let limit = shelf.share() - shelf.share() / RESERVE;
        // The record around the payload needs room, too.
        let room = limit.saturating_sub(shelf.bytes() + self.granted + 512);
        let granted = if room >= most {
            most
        } else if room >= 4096 {
            room.min(most)
        } else {
            0
        };
        self.granted += granted;
        granted
    }

    /// Gives back what was granted: it was recorded, or will not be.
    pub fn settle(&mut self, granted: usize) {
        if self.full == LogFull::Pause {
            self.granted = self.granted.saturating_sub(granted);
        }
    }

    /// Whether even facts without payload have no room left: commands are refused then.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let shelf = &self.shelves[index(ShelfName::Conversation)];
        self.full == LogFull::Pause && shelf.bytes() + 4096 > shelf.share()
    }

    /// Gives up every record up to `up_to`, on every shelf. Returns how many; what is given up is dropped with the
    /// second value, which is best done without the lock.
    pub fn trim(&mut self, up_to: Seq) -> (u64, impl Sized + use<>) {
        let up_to = up_to.min(self.head);
        self.trimmed_to = self.trimmed_to.max(up_to);
        let [conversation, kernel] = &mut self.shelves;
        let (a, old_conversation) = conversation.trim(up_to);
        let (b, old_kernel) = kernel.trim(up_to);
        (a + b, (old_conversation, old_kernel))
    }

    /// The last seq given.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.head
    }

    /// The oldest record still kept on a shelf; `head + 1` when there is none.
    #[must_use]
    pub fn first(&self, shelf: ShelfName) -> Seq {
        self.shelves[index(shelf)].first().unwrap_or(self.head.next())
    }

    /// Every shelf with the oldest record it keeps.
    pub fn firsts(&self) -> impl Iterator<Item = (ShelfName, Seq)> {
        SHELVES.into_iter().map(|name| (name, self.first(name)))
    }

    /// Bytes held, overhead included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.shelves.iter().map(Shelf::bytes).sum()
    }

    /// One record, if it is still there.
    #[must_use]
    pub fn get(&self, seq: Seq) -> Option<&Record> {
        self.shelves.iter().find_map(|shelf| shelf.get(seq))
    }

    /// Why a seq that was given is not there.
    #[must_use]
    pub fn why_gone(&self, seq: Seq) -> GapReason {
        if seq <= self.trimmed_to { GapReason::Trimmed } else { GapReason::Evicted }
    }
}

fn index(shelf: ShelfName) -> usize {
    match shelf {
        ShelfName::Conversation => 0,
        ShelfName::Kernel => 1,
    }
}

#[cfg(test)]
mod tests;
