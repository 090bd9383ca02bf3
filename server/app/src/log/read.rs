//! Reading a stretch of the log.

use sockscope_wire::{Gap, GapReason, PayloadMode, Seq, SocketId};

use super::{Log, record::Record};

/// How many records one read looks at, at most, whether they are wanted or not: the log is locked meanwhile.
const SCAN: usize = 4096;

/// Which records are wanted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only this socket's.
    pub socket: Option<SocketId>,
    /// Only facts of these types; `None` for all.
    pub types: Option<Vec<&'static str>>,
    /// Not those of practice peers.
    pub without_hidden: bool,
    /// Not the kernel's shelf.
    pub without_kernel: bool,
}

/// How much is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// At most so many records.
    pub records: usize,
    /// At most so many bytes of payload, but at least one record.
    pub payload_bytes: usize,
    /// A record's payload counts as no more than this: a preview of it is wanted.
    each: usize,
}

impl Limits {
    /// So many records and bytes of payload.
    #[must_use]
    pub const fn new(records: usize, payload_bytes: usize) -> Self {
        Self { records, payload_bytes, each: usize::MAX }
    }

    /// The same, where so much of each payload is wanted.
    #[must_use]
    pub fn of_each(self, mode: PayloadMode) -> Self {
        let each = match mode {
            PayloadMode::Full => usize::MAX,
            PayloadMode::Preview(most) => most as usize,
            PayloadMode::None => 0,
        };
        Self { each, ..self }
    }
}

/// A stretch of seqs that cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first missing.
    pub from: Seq,
    /// The last missing.
    pub to: Seq,
    /// Why.
    pub reason: GapReason,
}

impl From<Span> for Gap {
    fn from(Span { from, to, reason }: Span) -> Self {
        Self { from, to, shelf: None, reason }
    }
}

/// What a read found.
#[derive(Debug, Clone)]
pub struct Slice {
    /// The records, in order.
    pub records: Vec<Record>,
    /// What is missing between them.
    pub gaps: Vec<Span>,
    /// Continue after this one.
    pub next: Seq,
}

impl Log {
    /// Reads what follows `after`. Looks at a bounded number of records, so `next` may lie before the head with nothing
    /// found: read again from there. `wanted` judges what the filter cannot know by itself (types, practice peers).
    #[must_use]
    pub fn read(
        &self,
        after: Seq,
        filter: &Filter,
        limits: Limits,
        wanted: impl Fn(&Record) -> bool,
    ) -> Slice {
        match filter.socket {
            Some(socket) => self.read_socket(socket, after, limits, wanted),
            None => self.read_all(after, limits, wanted),
        }
    }

    fn read_all(&self, after: Seq, limits: Limits, wanted: impl Fn(&Record) -> bool) -> Slice {
        let mut slice = Slice { records: Vec::new(), gaps: Vec::new(), next: after };
        let mut bytes = 0;
        let from = after.next();
        let [first, second] = &self.shelves;
        let mut first = first.iter_from(from).peekable();
        let mut second = second.iter_from(from).peekable();
        for _ in 0..SCAN {
            let record = match (first.peek(), second.peek()) {
                (Some(a), Some(b)) if a.seq < b.seq => first.next(),
                (_, Some(_)) => second.next(),
                (Some(_), None) => first.next(),
                (None, None) => None,
            };
            let Some(record) = record else {
                self.missing(slice.next, self.head.next(), &mut slice.gaps);
                slice.next = self.head.max(after);
                return slice;
            };
            if wanted(record) && !fits(&mut slice, &mut bytes, record, limits) {
                return slice;
            }
            self.missing(slice.next, record.seq, &mut slice.gaps);
            slice.next = record.seq;
            if slice.records.len() == limits.records {
                return slice;
            }
        }
        slice
    }

    /// Uses the socket's own list, so that one quiet socket beside a flood is found at once.
    fn read_socket(
        &self,
        socket: SocketId,
        after: Seq,
        limits: Limits,
        wanted: impl Fn(&Record) -> bool,
    ) -> Slice {
        let mut slice = Slice { records: Vec::new(), gaps: Vec::new(), next: after };
        let mut bytes = 0;
        let [conversation, kernel] = &self.shelves;
        let (a, gone_a) = conversation.of_socket(socket, after);
        let (b, gone_b) = kernel.of_socket(socket, after);
        // What it has lost lies before this one. Seqs of others among them are not told apart.
        let gone_before = gone_a.max(gone_b).max(self.trimmed_to).next();
        let (mut a, mut b) = (a.peekable(), b.peekable());
        for _ in 0..SCAN {
            let seq = match (a.peek(), b.peek()) {
                (Some(x), Some(y)) if x < y => a.next(),
                (_, Some(_)) => b.next(),
                (Some(_), None) => a.next(),
                (None, None) => None,
            };
            let Some(seq) = seq else {
                self.missing(slice.next, gone_before, &mut slice.gaps);
                slice.next = self.head.max(after);
                return slice;
            };
            if let Some(record) = self.get(seq)
                && wanted(record)
                && !fits(&mut slice, &mut bytes, record, limits)
            {
                return slice;
            }
            self.missing(slice.next, seq.min(gone_before), &mut slice.gaps);
            slice.next = seq;
            if slice.records.len() == limits.records {
                return slice;
            }
        }
        slice
    }

    /// Notes the seqs between `after` and `before` as missing, if there are any.
    fn missing(&self, after: Seq, before: Seq, gaps: &mut Vec<Span>) {
        let (from, last) = (after.next(), Seq(before.0.saturating_sub(1)));
        if from > last {
            return;
        }
        if from <= self.trimmed_to && self.trimmed_to < last {
            gaps.push(Span { from, to: self.trimmed_to, reason: GapReason::Trimmed });
            gaps.push(Span { from: self.trimmed_to.next(), to: last, reason: GapReason::Evicted });
        } else {
            gaps.push(Span { from, to: last, reason: self.why_gone(last) });
        }
    }
}

/// Adds the record unless the slice is full; the first always fits.
fn fits(slice: &mut Slice, bytes: &mut usize, record: &Record, limits: Limits) -> bool {
    *bytes += record.payload.cost().min(limits.each);
    if *bytes > limits.payload_bytes && !slice.records.is_empty() {
        return false;
    }
    slice.records.push(record.clone());
    true
}
