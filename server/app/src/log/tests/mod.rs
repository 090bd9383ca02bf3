//! What the log promises, one promise a test; `model` holds it against a model that remembers everything.

mod model;

use std::sync::Arc;

use sockscope_sockets::fact::{Chunk, Fact};
use sockscope_wire::{Code, PeerKind, Role};

use super::*;

const CONVERSATION: ShelfName = ShelfName::Conversation;
const KERNEL: ShelfName = ShelfName::Kernel;

/// What a record, a payload and a holder cost beside their bytes: written down here once more, so that the code's
/// accounting is held against something.
const RECORD: usize = size_of::<Record>() + 16;
const PAYLOAD: usize = 32;
const HOLDER: usize = 192;

/// The order of greed is right to so many bytes.
const QUANTUM: usize = 4096;

/// A log with shares smaller than the program allows, so that little fills it.
fn small(conversation: usize, kernel: usize, full: LogFull) -> Log {
    let shelves = [Shelf::new(conversation), Shelf::new(kernel)];
    Log { full, shelves, head: Seq(0), trimmed_to: Seq(0), granted: 0 }
}

fn tag(socket: u32) -> Tag {
    Tag { socket: Some(SocketId(socket)), ..Tag::default() }
}

fn received(len: usize) -> Entry {
    let len = u32::try_from(len).expect("small");
    Entry::Fact(Fact::Received(Chunk::of_stream(len, 0)))
}

/// Bytes that tell which record they belong to.
fn bytes_of(seq: u64, len: usize) -> Arc<[u8]> {
    (0..len as u64).map(|at| (seq.wrapping_mul(31).wrapping_add(at) % 251) as u8).collect()
}

fn append(log: &mut Log, shelf: ShelfName, socket: u32, len: usize) -> Seq {
    let payload = bytes_of(log.head().0 + 1, len);
    log.append(shelf, tag(socket), received(len), Stored::Kept(payload))
}

fn all(log: &Log, after: u64) -> Slice {
    let limits = Limits::new(usize::MAX, usize::MAX);
    let mut whole = Slice { records: Vec::new(), gaps: Vec::new(), next: Seq(after) };
    while whole.next < log.head() {
        let slice = log.read(whole.next, &Filter::default(), limits, |_| true);
        whole.records.extend(slice.records);
        whole.gaps.extend(slice.gaps);
        whole.next = slice.next;
    }
    whole
}

fn kept(record: &Record) -> bool {
    matches!(record.payload, Stored::Kept(_))
}

#[test]
fn seqs_have_no_gaps_and_begin_at_one() {
    let mut log = small(20_000, 20_000, LogFull::Evict);
    for expected in 1..=1000 {
        let shelf = if expected % 3 == 0 { KERNEL } else { CONVERSATION };
        assert_eq!(append(&mut log, shelf, 1, 300), Seq(expected));
        assert_eq!(log.head(), Seq(expected));
    }
}

#[test]
fn a_log_has_at_least_its_least_size_and_shares_it_out_whole() {
    let log = Log::new(0, LogFull::Evict);
    assert_eq!(log.shelves.iter().map(Shelf::share).sum::<usize>(), MIN_BYTES);
    let log = Log::new(64 << 20, LogFull::Evict);
    assert_eq!(log.shelves.iter().map(Shelf::share).sum::<usize>(), 64 << 20);
}

#[test]
fn a_full_shelf_gives_up_only_its_own_history_and_a_read_merges_both_by_seq() {
    let mut log = small(40_000, 40_000, LogFull::Evict);
    for _ in 0..20 {
        append(&mut log, CONVERSATION, 1, 100);
        append(&mut log, KERNEL, 1, 100);
    }
    let kernel: Vec<Seq> = (1..=20).map(|n| Seq(2 * n)).collect();
    for _ in 0..2000 {
        append(&mut log, CONVERSATION, 2, 1000);
    }
    assert_eq!(log.first(KERNEL), Seq(2), "the kernel's shelf is untouched");
    let whole = all(&log, 0);
    assert!(kernel.iter().all(|seq| whole.records.iter().any(|record| record.seq == *seq && kept(record))));
    assert!(whole.records.is_sorted_by(|a, b| a.seq < b.seq), "merged by seq");
    for _ in 0..2000 {
        append(&mut log, KERNEL, 3, 1000);
    }
    let conversation = |log: &Log| all(log, 0).records.iter().filter(|record| record.seq.0 <= 2040).count();
    assert!(conversation(&log) > 20, "the conversation has what it had");
    assert!(log.first(KERNEL) <= Seq(2), "and so has the quiet socket on the flooded shelf");
}

#[test]
fn payloads_go_before_events() {
    let mut log = small(100_000, 1000, LogFull::Evict);
    for _ in 0..200 {
        append(&mut log, CONVERSATION, 1, 2000);
    }
    let whole = all(&log, 0);
    assert_eq!(whole.records.len(), 200, "every event is there");
    assert!(whole.gaps.is_empty());
    let evicted = whole.records.iter().take_while(|r| matches!(r.payload, Stored::Evicted)).count();
    assert!(evicted > 100, "{evicted} payloads went");
    assert!(whole.records[evicted..].iter().all(kept), "the oldest first");
}

/// A flood erases its own history before anybody else's, whatever the size of its payloads.
#[test]
fn a_flood_takes_nothing_from_a_quiet_socket() {
    for len in [0, 64, 1500, 60_000] {
        let mut log = small(400_000, 1000, LogFull::Evict);
        for _ in 0..20 {
            append(&mut log, CONVERSATION, 1, 500);
        }
        for turn in 0..5000 {
            append(&mut log, CONVERSATION, 2, len);
            if turn % 500 == 0 {
                append(&mut log, CONVERSATION, 1, 500);
            }
        }
        let quiet: Vec<Record> =
            all(&log, 0).records.into_iter().filter(|r| r.socket == Some(SocketId(1))).collect();
        assert_eq!(quiet.len(), 30, "with a flood of {len}");
        assert!(quiet.iter().all(kept), "with a flood of {len}");
        let filter = Filter { socket: Some(SocketId(1)), ..Filter::default() };
        let limits = Limits::new(100, usize::MAX);
        let slice = log.read(Seq(0), &filter, limits, |_| true);
        assert_eq!((slice.records.len(), slice.gaps), (30, vec![]), "and nobody is told otherwise");
    }
}

#[test]
fn the_greediest_socket_gives_first() {
    let mut log = small(200_000, 1000, LogFull::Evict);
    for _ in 0..5 {
        append(&mut log, CONVERSATION, 1, 4000);
    }
    for _ in 0..40 {
        append(&mut log, CONVERSATION, 2, 4000);
    }
    for _ in 0..20 {
        append(&mut log, CONVERSATION, 3, 4000);
    }
    let whole = all(&log, 0);
    let payloads =
        |socket: u32| whole.records.iter().filter(|r| r.socket == Some(SocketId(socket)) && kept(r)).count();
    assert_eq!(payloads(1), 5, "who holds little keeps all of it");
    assert!(payloads(2) < 30 && payloads(2) >= payloads(3), "{} and {}", payloads(2), payloads(3));
    assert_eq!(payloads(3), 20);
}

#[test]
fn a_socket_that_lost_everything_and_speaks_again_is_told_of_the_gap() {
    let mut log = small(20_000, 1000, LogFull::Evict);
    append(&mut log, CONVERSATION, 1, 15_000);
    append(&mut log, CONVERSATION, 1, 10);
    // Many sockets that hold little each push out the one that holds most, then each other.
    for socket in 10..200 {
        append(&mut log, CONVERSATION, socket, 10);
    }
    assert!(log.get(Seq(2)).is_none(), "socket 1 has lost everything");
    append(&mut log, CONVERSATION, 1, 10);
    let filter = Filter { socket: Some(SocketId(1)), ..Filter::default() };
    let slice = log.read(Seq(0), &filter, Limits::new(10, 1000), |_| true);
    assert_eq!(slice.records.len(), 1);
    assert!(slice.gaps.first().is_some_and(|gap| gap.from == Seq(1) && gap.to >= Seq(2)), "{:?}", slice.gaps);
}

#[test]
fn a_socket_that_opens_after_others_lost_history_has_no_gap() {
    let mut log = small(20_000, 1000, LogFull::Evict);
    for socket in 10..200 {
        append(&mut log, CONVERSATION, socket, 10);
    }
    assert!(log.get(Seq(1)).is_none());
    let opening = Opening {
        target: "tcp://127.0.0.1:1".into(),
        role: Role::Client,
        name: None,
        practice: None,
        bridge: None,
        options: sockscope_sockets::options::Options::default(),
    };
    log.append(CONVERSATION, tag(500), Entry::Opening(Box::new(opening)), Stored::None);
    let filter = Filter { socket: Some(SocketId(500)), ..Filter::default() };
    let slice = log.read(Seq(0), &filter, Limits::new(10, 1000), |_| true);
    assert_eq!((slice.records.len(), slice.gaps), (1, vec![]));
}

#[test]
fn trimming_tells_why_and_the_rest_stays() {
    let mut log = small(100_000, 100_000, LogFull::Evict);
    for n in 0..100 {
        append(&mut log, if n % 2 == 0 { CONVERSATION } else { KERNEL }, 1, 10);
    }
    assert_eq!(log.trim(Seq(30)).0, 30);
    assert_eq!((log.first(CONVERSATION), log.first(KERNEL)), (Seq(31), Seq(32)));
    let whole = all(&log, 0);
    assert_eq!(whole.records.len(), 70);
    assert_eq!(whole.gaps, [Span { from: Seq(1), to: Seq(30), reason: GapReason::Trimmed }]);
    assert_eq!(log.trim(Seq(30)).0, 0, "twice changes nothing");
    assert_eq!(log.trim(Seq(u64::MAX)).0, 70, "beyond the head is the head");
    assert_eq!(log.bytes(), 0, "an empty log holds nothing");
    assert_eq!((log.first(CONVERSATION), log.first(KERNEL)), (Seq(101), Seq(101)));
    assert_eq!(log.head(), Seq(100));
    assert_eq!(append(&mut log, CONVERSATION, 1, 1), Seq(101), "and goes on where it was");
    let filter = Filter { socket: Some(SocketId(1)), ..Filter::default() };
    let slice = log.read(Seq(0), &filter, Limits::new(10, 1000), |_| true);
    assert_eq!(slice.gaps, [Span { from: Seq(1), to: Seq(100), reason: GapReason::Trimmed }]);
}

#[test]
fn a_gap_of_trimmed_and_evicted_names_both() {
    let mut log = small(20_000, 1000, LogFull::Evict);
    for _ in 0..10 {
        append(&mut log, CONVERSATION, 1, 10);
    }
    let _ = log.trim(Seq(10));
    for _ in 0..1000 {
        append(&mut log, CONVERSATION, 1, 10);
    }
    let first = log.first(CONVERSATION);
    assert!(first > Seq(100));
    let expected = [
        Span { from: Seq(1), to: Seq(10), reason: GapReason::Trimmed },
        Span { from: Seq(11), to: Seq(first.0 - 1), reason: GapReason::Evicted },
    ];
    assert_eq!(all(&log, 0).gaps, expected);
    let filter = Filter { socket: Some(SocketId(1)), ..Filter::default() };
    let limits = Limits::new(10, 1000);
    assert_eq!(log.read(Seq(0), &filter, limits, |_| true).gaps, expected);
}

#[test]
fn a_read_brings_at_least_one_record_and_then_no_more_than_asked() {
    let mut log = small(1 << 20, 1000, LogFull::Evict);
    for _ in 0..10 {
        append(&mut log, CONVERSATION, 1, 1000);
    }
    for socket in [None, Some(SocketId(1))] {
        let filter = Filter { socket, ..Filter::default() };
        let read = |records, payload_bytes| {
            let slice = log.read(Seq(0), &filter, Limits::new(records, payload_bytes), |_| true);
            (slice.records.len(), slice.next.0)
        };
        assert_eq!(read(100, 0), (1, 1));
        assert_eq!(read(100, 2 * (1000 + PAYLOAD)), (2, 2));
        assert_eq!(read(3, usize::MAX), (3, 3));
        assert_eq!(read(100, usize::MAX), (10, 10));
    }
}

#[test]
fn a_read_that_finds_nothing_looks_at_a_bounded_number_of_records() {
    let mut log = small(4 << 20, 1000, LogFull::Evict);
    for _ in 0..10_000 {
        append(&mut log, CONVERSATION, 1, 0);
    }
    let limits = Limits::new(1, 1);
    for socket in [None, Some(SocketId(1))] {
        let filter = Filter { socket, ..Filter::default() };
        let looked = std::cell::Cell::new(0);
        let slice = log.read(Seq(0), &filter, limits, |_| {
            looked.set(looked.get() + 1);
            false
        });
        assert!(looked.get() < 5000, "{} looked at", looked.get());
        assert!(slice.records.is_empty() && slice.next > Seq(0), "and it says where to go on");
    }
}

#[test]
fn one_quiet_socket_beside_a_flood_is_found_at_once() {
    let mut log = small(8 << 20, 1000, LogFull::Evict);
    append(&mut log, CONVERSATION, 1, 1);
    for _ in 0..20_000 {
        append(&mut log, CONVERSATION, 2, 0);
    }
    append(&mut log, CONVERSATION, 1, 1);
    let filter = Filter { socket: Some(SocketId(1)), ..Filter::default() };
    let slice = log.read(Seq(0), &filter, Limits::new(10, 10_000), |_| true);
    assert_eq!((slice.records.len(), slice.next, slice.gaps), (2, log.head(), vec![]));
}

#[test]
fn a_log_that_pauses_gives_nothing_up_and_keeps_room_for_facts() {
    let mut log = small(1 << 20, 1000, LogFull::Pause);
    let mut records = 0;
    loop {
        let granted = log.grant(10_000);
        if granted == 0 {
            break;
        }
        append(&mut log, CONVERSATION, 1, granted);
        log.settle(granted);
        records += 1;
    }
    let limit = (1 << 20) - (1 << 20) / 16;
    assert!(log.bytes() <= limit && log.bytes() > limit - 20_000, "{} of {limit}", log.bytes());
    assert!(!log.is_full(), "facts without payload have their reserve");
    while !log.is_full() {
        log.append(CONVERSATION, tag(1), Entry::Fact(Fact::Shutdown), Stored::None);
        records += 1;
    }
    assert!(log.bytes() <= 1 << 20);
    assert_eq!(all(&log, 0).records.len(), records, "nothing was given up");
    let _ = log.trim(log.head());
    assert!(!log.is_full());
    assert_eq!(log.grant(10_000), 10_000, "a trim makes room");
}

#[test]
fn what_was_granted_is_set_aside_until_it_is_settled() {
    let mut log = small(1 << 20, 1000, LogFull::Pause);
    let mut granted = Vec::new();
    while let bytes @ 1.. = log.grant(100_000) {
        granted.push(bytes);
    }
    assert!(granted.iter().sum::<usize>() <= (1 << 20) - (1 << 20) / 16);
    log.settle(granted.pop().expect("some"));
    assert!(log.grant(100_000) > 0, "what is given back can be granted again");
    let mut log = Log::new(0, LogFull::Evict);
    assert_eq!(log.grant(usize::MAX), usize::MAX, "a log that evicts always has room");
}

#[test]
fn what_practice_peers_say_costs_no_payload() {
    let mut log = small(100_000, 1000, LogFull::Evict);
    let before = log.bytes();
    let born = Born {
        bridge: None,
        local: ([127, 0, 0, 1], 1).into(),
        remote: ([127, 0, 0, 1], 2).into(),
        parent: SocketId(1),
        practice: Some(PeerKind::Chargen),
    };
    log.append(CONVERSATION, tag(2), Entry::Born(Box::new(born)), Stored::None);
    log.append(CONVERSATION, tag(2), received(1 << 20), Stored::Unrecorded);
    assert!(log.bytes() - before < 1000);
}

#[test]
fn frames_that_lie_together_are_given_up_together() {
    let seen = |len| Seen {
        sender: sockscope_wire::Direction::Local,
        interface: "lo".into(),
        far: None,
        carried: Carried::Udp { len },
        len,
        link: sockscope_sockets::kernel::capture::Link::Ethernet,
        checksum: sockscope_sockets::kernel::capture::Checksum::Unsaid,
    };
    let mut log = small(1 << 20, 64 << 10, LogFull::Evict);
    for batch in 0..40_u32 {
        let frames = (0..10).map(|_| (seen(batch), vec![7; 100].into())).collect();
        for frame in Frame::all(frames) {
            log.append(KERNEL, tag(batch % 2), Entry::Segment(frame), Stored::None);
        }
        let shelf = &log.shelves[1];
        assert!(shelf.bytes() <= shelf.share());
        let mut left = std::collections::BTreeMap::new();
        for record in shelf.iter_from(Seq(0)) {
            let Entry::Segment(frame) = &record.entry else { panic!("frames only") };
            *left.entry(frame.seen().len).or_insert(0) += 1;
        }
        assert!(left.values().all(|frames| *frames == 10), "whole or not at all: {left:?}");
    }
    assert!(log.first(KERNEL) > Seq(1), "it was full");
}

/// The chunk that is being filled is never given back in part; the next one is begun when it is full.
#[test]
fn a_chunk_that_was_emptied_while_it_was_filled_gives_its_memory_back_when_it_is_full() {
    let mut log = small(1 << 20, 20_000, LogFull::Evict);
    let mut last = 0;
    // Until a second chunk begins, all of the first but its last record given up before.
    while log.shelves[0].allocated() < 2 * 512 * size_of::<Record>() {
        last = append(&mut log, CONVERSATION, 1, 1).0;
        assert!(last < 2000, "two chunks are allocated");
    }
    let chunk = last - 1;
    let mut log = small(1 << 20, 20_000, LogFull::Evict);
    for _ in 0..chunk {
        append(&mut log, CONVERSATION, 1, 1);
    }
    log.trim(Seq(chunk - 1));
    append(&mut log, CONVERSATION, 1, 1);
    let allocated = log.shelves[0].allocated();
    assert!(allocated < (512 + 64) * size_of::<Record>(), "{allocated} bytes for two records");
    assert_eq!(all(&log, 0).records.len(), 2);
}
