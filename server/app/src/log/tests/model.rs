//! The log against a model that remembers everything.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Everything a log was ever told.
struct Model {
    log: Log,
    told: Vec<Told>,
    trimmed_to: u64,
    gone: BTreeSet<u64>,
    holdings: Holdings,
}

#[derive(Clone)]
struct Told {
    shelf: ShelfName,
    socket: Option<u32>,
    hidden: bool,
    payload: Option<Arc<[u8]>>,
    entry_cost: usize,
}

type Holdings = BTreeMap<(ShelfName, Option<u32>), usize>;

impl Model {
    fn new(full: LogFull) -> Self {
        let log = small(60_000, 20_000, full);
        Self { log, told: Vec::new(), trimmed_to: 0, gone: BTreeSet::new(), holdings: Holdings::new() }
    }

    fn append(&mut self, told: Told) -> Result<(), TestCaseError> {
        let before = std::mem::take(&mut self.holdings);
        let socket = told.socket.map(SocketId);
        let tag = Tag { socket, hidden: told.hidden, ..Tag::default() };
        let entry = match told.entry_cost {
            0 => received(0),
            extra => Entry::Note(Box::new((Code::Renamed, vec![("name", "x".repeat(extra))]))),
        };
        let told = Told { entry_cost: entry.cost(), ..told };
        let payload = told.payload.clone().map_or(Stored::None, Stored::Kept);
        let shelf = told.shelf;
        self.told.push(told);
        let seq = self.log.append(shelf, tag, entry, payload);
        prop_assert_eq!(seq.0, self.told.len() as u64, "seqs have no gaps");
        prop_assert!(self.log.get(seq).is_some(), "what was just told is there");
        self.holdings = self.reckon();
        self.check_memory()?;
        self.check_fairness(&before, shelf)
    }

    /// What each holds, by the model's own reckoning.
    fn reckon(&self) -> Holdings {
        let mut holdings = Holdings::new();
        for (seq, told) in (1..).zip(&self.told) {
            let Some(record) = self.log.get(Seq(seq)) else { continue };
            let payload = told.payload.as_ref().filter(|_| kept(record)).map_or(0, |p| p.len() + PAYLOAD);
            *holdings.entry((told.shelf, told.socket)).or_insert(HOLDER) +=
                RECORD + told.entry_cost + payload;
        }
        holdings
    }

    fn check_memory(&self) -> Result<(), TestCaseError> {
        let holdings = &self.holdings;
        prop_assert_eq!(
            self.log.bytes(),
            holdings.values().sum::<usize>(),
            "what is accounted is what is held"
        );
        for (index, name) in SHELVES.into_iter().enumerate() {
            let shelf = &self.log.shelves[index];
            let held: usize = holdings.iter().filter(|((s, _), _)| *s == name).map(|(_, bytes)| bytes).sum();
            prop_assert_eq!(shelf.bytes(), held);
            prop_assert!(shelf.bytes() <= shelf.share(), "{} of {}", shelf.bytes(), shelf.share());
            // A quarter of a chunk may be places of records that are gone, a list has grown by doubling, and one chunk
            // is there before it is filled.
            let most = held + held / 2 + 64 * 1024;
            prop_assert!(shelf.allocated() <= most, "{} allocated for {held}", shelf.allocated());
        }
        Ok(())
    }

    /// Who gave something up held about as much as anybody.
    fn check_fairness(&self, before: &Holdings, shelf: ShelfName) -> Result<(), TestCaseError> {
        let after = &self.holdings;
        let just_told = (shelf, self.told.last().and_then(|told| told.socket));
        let most =
            after.iter().filter(|(who, _)| who.0 == shelf && **who != just_told).map(|(_, b)| *b).max();
        for (who, bytes) in before {
            let now = after.get(who).copied().unwrap_or(0);
            prop_assert!(who.0 == shelf || now == *bytes, "the other shelf is untouched");
            if now < *bytes && *who != just_told {
                let most = most.unwrap_or(0);
                prop_assert!(
                    bytes + QUANTUM >= most,
                    "{who:?} gave of its {bytes} while another held {most}"
                );
            }
        }
        Ok(())
    }

    /// Oldest first: what is left of each holder is the newest of it, payloads too. What is gone stays gone.
    fn check_order(&mut self) -> Result<(), TestCaseError> {
        let mut begun: BTreeMap<_, (bool, bool)> = BTreeMap::new();
        for (seq, told) in (1..).zip(&self.told) {
            let (present, with_payload) = begun.entry((told.shelf, told.socket)).or_default();
            match self.log.get(Seq(seq)) {
                None => {
                    prop_assert!(!*present, "{seq} is gone and an older one of its socket is not");
                    self.gone.insert(seq);
                }
                Some(record) => {
                    *present = true;
                    prop_assert!(!self.gone.contains(&seq), "{seq} came back");
                    prop_assert!(seq > self.trimmed_to);
                    match (&record.payload, &told.payload) {
                        (Stored::Kept(bytes), Some(told)) => {
                            *with_payload = true;
                            prop_assert_eq!(bytes, told, "the bytes are what they were");
                        }
                        (Stored::Evicted, Some(_)) => {
                            prop_assert!(!*with_payload, "an older payload is left")
                        }
                        (Stored::None, None) => {}
                        other => prop_assert!(false, "{other:?}"),
                    }
                }
            }
        }
        for (name, first) in self.log.firsts() {
            let here =
                |seq: &u64| self.told[*seq as usize - 1].shelf == name && self.log.get(Seq(*seq)).is_some();
            let expected = (1..=self.told.len() as u64).find(here);
            prop_assert_eq!(first.0, expected.unwrap_or(self.told.len() as u64 + 1));
        }
        Ok(())
    }

    /// Reads to the head in small steps: every seq is seen, passed over rightly, or in a gap; once.
    fn check_read(&self, after: u64, ask: &Ask) -> Result<(), TestCaseError> {
        let after = after % (self.told.len() as u64 + 1);
        let socket = ask.socket.map(SocketId);
        let filter = Filter { socket, types: None, without_hidden: ask.without_hidden, ..Filter::default() };
        let limits = Limits::new(ask.records, ask.payload_bytes);
        let wanted = |record: &Record| !(ask.without_hidden && record.hidden);
        let matches = |told: &Told| {
            ask.socket.is_none_or(|socket| told.socket == Some(socket))
                && !(ask.without_hidden && told.hidden)
        };
        let head = self.log.head();
        let mut at = Seq(after);
        let mut seen = BTreeSet::new();
        let mut covered = BTreeSet::new();
        while at < head {
            let slice = self.log.read(at, &filter, limits, wanted);
            prop_assert!(slice.next > at && slice.next <= head, "a read gets on");
            prop_assert!(slice.records.len() <= ask.records);
            let payload: usize = slice.records.iter().map(|record| record.payload.cost()).sum();
            prop_assert!(payload <= ask.payload_bytes || slice.records.len() == 1);
            for record in &slice.records {
                prop_assert!(record.seq > at && record.seq <= slice.next);
                prop_assert!(seen.last().is_none_or(|last| *last < record.seq.0), "in order, and once");
                seen.insert(record.seq.0);
            }
            let mut last = at;
            for gap in &slice.gaps {
                prop_assert!(gap.from > last && gap.from <= gap.to && gap.to <= slice.next, "{gap:?}");
                last = gap.to;
                let reason =
                    if gap.to.0 <= self.trimmed_to { GapReason::Trimmed } else { GapReason::Evicted };
                prop_assert_eq!(gap.reason, reason);
                covered.extend(gap.from.0..=gap.to.0);
                // Of a socket only the last that is gone is remembered: a gap of it may hold others' that are there.
                let (from, to) = if ask.socket.is_some() { (1, head.0) } else { (gap.from.0, gap.to.0) };
                let any_lost = (from..=to).any(|seq| self.log.get(Seq(seq)).is_none());
                prop_assert!(any_lost, "{gap:?} and everything is there");
            }
            at = slice.next;
        }
        for seq in after + 1..=head.0 {
            let told = &self.told[seq as usize - 1];
            let present = self.log.get(Seq(seq)).is_some();
            prop_assert_eq!(seen.contains(&seq), present && matches(told), "seq {}", seq);
            prop_assert!(!(seen.contains(&seq) && covered.contains(&seq)), "{seq} is there and in a gap");
            if !present && ask.socket.is_none_or(|socket| told.socket == Some(socket)) {
                prop_assert!(covered.contains(&seq), "{seq} is missing, and nobody says so");
            }
            if ask.socket.is_none() {
                prop_assert_eq!(
                    covered.contains(&seq),
                    !present,
                    "a gap is exactly what is missing: {}",
                    seq
                );
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone)]
struct Ask {
    socket: Option<u32>,
    without_hidden: bool,
    records: usize,
    payload_bytes: usize,
}

#[derive(Debug, Clone)]
enum Step {
    Append { kernel: bool, socket: Option<u32>, len: Option<usize>, extra: usize, times: usize },
    Trim(u64),
    Read(u64, Ask),
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![Just(None), (0_usize..200).prop_map(Some), (1000_usize..9000).prop_map(Some)];
    let extra = prop_oneof![4 => Just(0_usize), 1 => 1_usize..400];
    let socket = prop_oneof![1 => Just(None), 8 => (1_u32..6).prop_map(Some)];
    let append = (any::<bool>(), socket, len, extra, 1_usize..50)
        .prop_map(|(kernel, socket, len, extra, times)| Step::Append { kernel, socket, len, extra, times });
    let ask = (proptest::option::of(1_u32..7), any::<bool>(), 1_usize..80, 0_usize..40_000).prop_map(
        |(socket, without_hidden, records, payload_bytes)| Ask {
            socket,
            without_hidden,
            records,
            payload_bytes,
        },
    );
    prop_oneof![6 => append, 1 => any::<u64>().prop_map(Step::Trim), 3 => (any::<u64>(), ask).prop_map(|(at, ask)| Step::Read(at, ask))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_what_the_model_says(steps in proptest::collection::vec(step(), 1..30)) {
        let mut model = Model::new(LogFull::Evict);
        for step in steps {
            match step {
                Step::Append { kernel, socket, len, extra, times } => {
                    for n in 0..times {
                        let payload = len.map(|len| bytes_of(model.told.len() as u64 + 1, len));
                        let shelf = if kernel { KERNEL } else { CONVERSATION };
                        let hidden = socket.is_some_and(|socket| socket % 2 == 0);
                        model.append(Told { shelf, socket, hidden, payload, entry_cost: if n == 0 { extra } else { 0 } })?;
                    }
                }
                Step::Trim(at) => {
                    let up_to = at % (model.told.len() as u64 + 1);
                    let before = (1..=up_to).filter(|seq| model.log.get(Seq(*seq)).is_some()).count() as u64;
                    let trimmed = model.log.trim(Seq(up_to)).0;
                    prop_assert_eq!(trimmed, before);
                    model.trimmed_to = model.trimmed_to.max(up_to);
                    model.holdings = model.reckon();
                    model.check_memory()?;
                }
                Step::Read(after, ask) => model.check_read(after, &ask)?,
            }
            model.check_order()?;
        }
    }

    /// Whatever is granted, recorded and given back, payload never takes more than its fifteen sixteenths.
    #[test]
    fn grants_never_let_payload_into_the_reserve(
        steps in proptest::collection::vec((1_usize..300_000, 0_usize..=100, any::<bool>()), 1..200),
    ) {
        let share = 1 << 20;
        let mut log = small(share, 1000, LogFull::Pause);
        let mut held = 0;
        let mut outstanding = Vec::new();
        for (most, percent, settle) in steps {
            let granted = log.grant(most);
            prop_assert!(granted <= most);
            outstanding.push((granted, percent));
            let promised: usize = outstanding.iter().map(|(granted, _)| granted).sum();
            prop_assert!(held + promised <= share - share / 16);
            if settle {
                for (granted, percent) in outstanding.drain(..) {
                    let used = granted * percent / 100;
                    if used > 0 {
                        append(&mut log, CONVERSATION, 1, used);
                        log.settle(used);
                        held += used;
                    }
                    log.settle(granted - used);
                }
                prop_assert_eq!(log.granted, 0);
            }
        }
        prop_assert!(held <= share - share / 16);
        prop_assert!(log.bytes() <= share);
    }
}
