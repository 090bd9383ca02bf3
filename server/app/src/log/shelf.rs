//! One shelf of the log: records in order, with a share of memory and a rule for who gives up what.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, VecDeque},
    mem,
};

use foldhash::HashMap;
use sockscope_wire::{Seq, SocketId};

use super::record::{Entry, Record, Stored};

/// Records a chunk holds. Chunks are what memory comes and goes in: appending never moves what is there.
const CHUNK: usize = 512;

/// What a record costs beside its own heap: itself, and its place in its holder's list (which grows by doubling).
const RECORD_COST: usize = mem::size_of::<Record>() + 2 * mem::size_of::<Seq>();

/// What a holder costs: its entry in the map and in the order of greed.
const HOLDER_COST: usize = 192;

/// Holders are kept in order of what they hold to this many bytes: the order changes rarely, and is right to 4 KiB.
const QUANTUM: usize = 4096;

/// A run of records in order of seq; some may be gone.
struct Chunk {
    records: Vec<Record>,
    gone: usize,
}

impl Chunk {
    fn first(&self) -> Seq {
        self.records.first().map_or(Seq(u64::MAX), |record| record.seq)
    }

    fn place(&self, seq: Seq) -> Option<usize> {
        // Seqs are dense while one shelf is filled and nothing is gone: the guess is mostly right.
        let guess = usize::try_from(seq.0.checked_sub(self.first().0)?).ok()?;
        if self.records.get(guess).is_some_and(|record| record.seq == seq) {
            return Some(guess);
        }
        self.records.binary_search_by_key(&seq, |record| record.seq).ok()
    }
}

/// What one socket (or, as `None`, the workspace) holds of the shelf.
#[derive(Default)]
struct Holder {
    /// Everything it holds, overhead included.
    bytes: usize,
    /// Of that, payloads.
    payload_bytes: usize,
    /// Its records, oldest first.
    seqs: VecDeque<Seq>,
    /// How many of the oldest have no payload left to give.
    stripped: usize,
    /// The latest of its records that is gone.
    gone_to: Seq,
    /// Its place in the order of greed.
    quanta: usize,
}

/// A shelf.
pub(super) struct Shelf {
    share: usize,
    /// What is held, overhead included.
    bytes: usize,
    chunks: VecDeque<Chunk>,
    holders: HashMap<Option<SocketId>, Holder>,
    /// The latest record gone of a socket that holds nothing any more.
    forgotten_to: Seq,
    /// Who holds most, last; of equals the oldest socket last, so that it gives first.
    greed: BTreeSet<(usize, Reverse<Option<SocketId>>)>,
}

impl Shelf {
    pub(super) fn new(share: usize) -> Self {
        Self {
            share,
            bytes: 0,
            chunks: VecDeque::new(),
            holders: HashMap::default(),
            forgotten_to: Seq(0),
            greed: BTreeSet::new(),
        }
    }

    pub(super) fn share(&self) -> usize {
        self.share
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The oldest record there is.
    pub(super) fn first(&self) -> Option<Seq> {
        self.iter_from(Seq(0)).next().map(|record| record.seq)
    }

    /// What the allocator was really asked for, nearly: for the tests, which hold the accounting against it.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> usize {
        let round = |bytes: usize| (bytes + 8).next_multiple_of(16).max(32);
        let chunks = round(self.chunks.capacity() * mem::size_of::<Chunk>());
        let records = |chunk: &Chunk| {
            let heap = |record: &Record| match &record.payload {
                Stored::Kept(bytes) => round(bytes.len() + 16) + record.entry.cost(),
                _ => record.entry.cost(),
            };
            round(chunk.records.capacity() * mem::size_of::<Record>())
                + chunk.records.iter().map(heap).sum::<usize>()
        };
        let holders = self.holders.capacity() * (mem::size_of::<(Option<SocketId>, Holder)>() + 1);
        let lists = |holder: &Holder| round(holder.seqs.capacity() * mem::size_of::<Seq>());
        // A node of the B-tree holds eleven entries and is at least half full.
        let greed = self.greed.len() * 2 * mem::size_of::<(usize, Reverse<Option<SocketId>>)>();
        chunks
            + self.chunks.iter().map(records).sum::<usize>()
            + holders
            + self.holders.values().map(lists).sum::<usize>()
            + greed
    }

    /// What this record will cost.
    pub(super) fn cost(entry: &Entry, payload: &Stored) -> usize {
        RECORD_COST + entry.cost() + payload.cost()
    }

    /// Adds a record; its seq is larger than every one here.
    pub(super) fn push(&mut self, record: Record) {
        let payload = record.payload.cost();
        let cost = RECORD_COST + record.entry.cost() + payload;
        let (who, seq) = (record.socket, record.seq);
        let begins = matches!(record.entry, Entry::Opening(_) | Entry::Born(_));
        match self.chunks.back_mut() {
            Some(chunk) if chunk.records.len() < CHUNK => chunk.records.push(record),
            _ => {
                let mut records = Vec::with_capacity(CHUNK);
                records.push(record);
                self.chunks.push_back(Chunk { records, gone: 0 });
                // While it was filled, the one before gave nothing back.
                if let Some(before) = self.chunks.len().checked_sub(2) {
                    self.tidy(before);
                }
            }
        }
        let holder = self.holders.entry(who).or_insert_with(|| {
            self.bytes += HOLDER_COST;
            self.greed.insert((0, Reverse(who)));
            // Unless this is the first of a socket's life, it may have lost all it had.
            let gone_to = if begins { Seq(0) } else { self.forgotten_to };
            Holder { gone_to, ..Holder::default() }
        });
        holder.seqs.push_back(seq);
        holder.bytes += cost;
        holder.payload_bytes += payload;
        self.bytes += cost;
        requeue(&mut self.greed, who, holder);
    }

    /// Gives up payloads and records until `room` bytes fit, or nothing is left. The greediest gives first: payloads
    /// while they are most of what it holds, oldest first, else its oldest records.
    pub(super) fn make_room(&mut self, room: usize) {
        // Whoever speaks next may be new here.
        let room = room + HOLDER_COST;
        while self.bytes + room > self.share {
            let Some(&(_, Reverse(who))) = self.greed.last() else { return };
            let Some(holder) = self.holders.get_mut(&who) else { return };
            if holder.payload_bytes * 2 >= holder.bytes
                && let Some(&seq) = holder.seqs.get(holder.stripped)
            {
                holder.stripped += 1;
                self.strip(who, seq);
            } else if let Some(&seq) = holder.seqs.front() {
                self.remove_piece(who, seq);
            } else {
                return;
            }
        }
    }

    /// Gives up the payload of a record.
    fn strip(&mut self, who: Option<SocketId>, seq: Seq) {
        let Some(record) = self.record_mut(seq) else { return };
        let freed = record.payload.cost();
        if freed == 0 {
            return;
        }
        record.payload = Stored::Evicted;
        self.bytes -= freed;
        if let Some(holder) = self.holders.get_mut(&who) {
            holder.bytes -= freed;
            holder.payload_bytes -= freed;
            requeue(&mut self.greed, who, holder);
        }
    }

    /// Gives up the oldest record of a holder, and those behind it that lie in the same piece of memory: it is free only
    /// without them.
    fn remove_piece(&mut self, who: Option<SocketId>, seq: Seq) {
        let piece = |shelf: &Self, seq| shelf.get(seq).and_then(|record| record.entry.piece());
        let first = piece(self, seq);
        self.remove(seq);
        while first.is_some()
            && let Some(&next) = self.holders.get(&who).and_then(|holder| holder.seqs.front())
            && piece(self, next) == first
        {
            self.remove(next);
        }
    }

    /// Gives up a record, the oldest of its holder.
    fn remove(&mut self, seq: Seq) {
        let Some(index) = self.chunk_of(seq) else { return };
        let chunk = &mut self.chunks[index];
        let Some(place) = chunk.place(seq) else { return };
        let record = &mut chunk.records[place];
        let (who, payload) = (record.socket, record.payload.cost());
        let cost = RECORD_COST + record.entry.cost() + payload;
        record.entry = Entry::Gone;
        record.origin = None;
        record.payload = Stored::None;
        chunk.gone += 1;
        self.tidy(index);
        self.bytes -= cost;
        if let Some(holder) = self.holders.get_mut(&who) {
            holder.seqs.pop_front();
            holder.stripped = holder.stripped.saturating_sub(1);
            holder.gone_to = seq;
            holder.bytes -= cost;
            holder.payload_bytes -= payload;
            if holder.seqs.capacity() > 64 && holder.seqs.len() < holder.seqs.capacity() / 4 {
                holder.seqs.shrink_to(holder.seqs.len() * 2);
            }
            requeue(&mut self.greed, who, holder);
            if holder.seqs.is_empty() {
                self.forgotten_to = self.forgotten_to.max(seq);
                self.greed.remove(&(holder.quanta, Reverse(who)));
                self.holders.remove(&who);
                self.bytes -= HOLDER_COST;
            }
        }
    }

    /// Gives memory back when enough of a chunk is gone. The last chunk is still being filled.
    fn tidy(&mut self, index: usize) {
        if index + 1 == self.chunks.len() {
            return;
        }
        let chunk = &mut self.chunks[index];
        if chunk.gone == chunk.records.len() {
            self.chunks.remove(index);
        } else if chunk.gone * 4 > chunk.records.len() {
            chunk.records.retain(|record| !matches!(record.entry, Entry::Gone));
            chunk.records.shrink_to_fit();
            chunk.gone = 0;
        }
    }

    /// Gives up every record up to a seq. Returns how many, and what is to be dropped outside the lock.
    pub(super) fn trim(&mut self, up_to: Seq) -> (u64, impl Sized + use<>) {
        let all =
            self.chunks.back().is_none_or(|chunk| chunk.records.last().is_none_or(|last| last.seq <= up_to));
        if all {
            let count = self.chunks.iter().map(|chunk| (chunk.records.len() - chunk.gone) as u64).sum();
            let old = mem::replace(self, Self::new(self.share));
            return (count, Some(old));
        }
        let mut count = 0;
        while let Some(seq) = self.first().filter(|seq| *seq <= up_to) {
            self.remove(seq);
            count += 1;
        }
        (count, None)
    }

    fn chunk_of(&self, seq: Seq) -> Option<usize> {
        self.chunks.partition_point(|chunk| chunk.first() <= seq).checked_sub(1)
    }

    fn record_mut(&mut self, seq: Seq) -> Option<&mut Record> {
        let index = self.chunk_of(seq)?;
        let chunk = &mut self.chunks[index];
        let place = chunk.place(seq)?;
        Some(&mut chunk.records[place])
    }

    /// One record, if it is still there.
    pub(super) fn get(&self, seq: Seq) -> Option<&Record> {
        let chunk = &self.chunks[self.chunk_of(seq)?];
        let record = &chunk.records[chunk.place(seq)?];
        (!matches!(record.entry, Entry::Gone)).then_some(record)
    }

    /// Every record from a seq on, in order.
    pub(super) fn iter_from(&self, seq: Seq) -> impl Iterator<Item = &Record> {
        let index = self.chunk_of(seq).unwrap_or(0);
        self.chunks
            .range(index.min(self.chunks.len())..)
            .enumerate()
            .flat_map(move |(nth, chunk)| {
                let skip =
                    if nth == 0 { chunk.records.partition_point(|record| record.seq < seq) } else { 0 };
                chunk.records[skip..].iter()
            })
            .filter(|record| !matches!(record.entry, Entry::Gone))
    }

    /// One socket's seqs after a seq, in order, and the latest of its records that is gone.
    pub(super) fn of_socket(&self, who: SocketId, after: Seq) -> (impl Iterator<Item = Seq>, Seq) {
        let holder = self.holders.get(&Some(who));
        let gone_to = holder.map_or(self.forgotten_to, |holder| holder.gone_to);
        let seqs = holder.into_iter().flat_map(move |holder| {
            let from = holder.seqs.partition_point(|seq| *seq <= after);
            holder.seqs.range(from..).copied()
        });
        (seqs, gone_to)
    }
}

/// Puts a holder where it belongs in the order of greed, when what it holds has changed enough.
fn requeue(
    greed: &mut BTreeSet<(usize, Reverse<Option<SocketId>>)>,
    who: Option<SocketId>,
    holder: &mut Holder,
) {
    let quanta = holder.bytes / QUANTUM;
    if quanta != holder.quanta {
        greed.remove(&(holder.quanta, Reverse(who)));
        greed.insert((quanta, Reverse(who)));
        holder.quanta = quanta;
    }
}
