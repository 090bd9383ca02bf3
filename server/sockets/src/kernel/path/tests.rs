use proptest::prelude::*;
use tokio::time::Duration;

use super::*;
use crate::kernel::packet::Flags;

use End::{Local, Peer};
use TcpState as S;

fn segment(sender: End, flags: &str, seq: u32, ack: u32, len: u32) -> Segment {
    let has = |flag| flags.contains(flag);
    Segment {
        at: Instant::now(),
        sender,
        flags: Flags { syn: has('S'), ack: has('A'), fin: has('F'), rst: has('R'), ..Flags::default() },
        seq,
        ack: has('A').then_some(ack),
        seq_relative: None,
        ack_relative: None,
        window: 0,
        len,
        offset: None,
        pieces: None,
        mss: None,
        missing: 0,
        marks: Vec::new(),
    }
}

fn both(segments: &[(End, &str, u32, u32, u32)], passive: bool) -> [Vec<TcpState>; 2] {
    let from = if passive { S::Listen } else { S::Closed };
    let mut paths = [Path::new(Local, S::Closed), Path::new(Peer, from)];
    let mut steps = [Vec::new(), Vec::new()];
    for (sender, flags, seq, ack, len) in segments {
        let segment = segment(*sender, flags, *seq, *ack, *len);
        for (path, steps) in paths.iter_mut().zip(&mut steps) {
            let more = path.see(&segment);
            assert!(more.iter().all(|step| step.at <= segment.at));
            steps.extend(more);
        }
    }
    steps.map(|steps| {
        assert!(steps.is_sorted_by_key(|step| step.at), "{steps:?}");
        steps.into_iter().map(|step| step.state).collect()
    })
}

const OPEN: [(End, &str, u32, u32, u32); 3] =
    [(Local, "S", 9, 0, 0), (Peer, "SA", 99, 10, 0), (Local, "A", 10, 100, 0)];

fn after_open(more: &[(End, &str, u32, u32, u32)]) -> [Vec<TcpState>; 2] {
    let states = both(&[&OPEN, more].concat(), true);
    assert_eq!(states[0][..2], [S::SynSent, S::Established]);
    assert_eq!(states[1][..2], [S::SynReceived, S::Established]);
    states.map(|states| states[2..].to_vec())
}

#[test]
fn four_segments_close() {
    let [local, peer] = after_open(&[
        (Local, "FA", 10, 100, 5),
        (Peer, "A", 100, 16, 0),
        (Peer, "FA", 100, 16, 0),
        (Local, "A", 16, 101, 0),
    ]);
    assert_eq!(local, [S::FinWait1, S::FinWait2, S::TimeWait]);
    assert_eq!(peer, [S::CloseWait, S::LastAck, S::Closed]);
}

#[test]
fn three_segments_close() {
    let [local, peer] =
        after_open(&[(Local, "FA", 10, 100, 0), (Peer, "FA", 100, 11, 0), (Local, "A", 11, 101, 0)]);
    assert_eq!(local, [S::FinWait1, S::FinWait2, S::TimeWait]);
    assert_eq!(peer, [S::CloseWait, S::LastAck, S::Closed]);
}

#[test]
fn both_close_at_once() {
    let [local, peer] = after_open(&[
        (Local, "FA", 10, 100, 0),
        (Peer, "FA", 100, 10, 0),
        (Peer, "A", 101, 11, 0),
        (Local, "A", 11, 101, 0),
    ]);
    assert_eq!(local, [S::FinWait1, S::Closing, S::TimeWait]);
    assert_eq!(peer, [S::FinWait1, S::Closing, S::TimeWait]);
}

#[test]
fn both_open_at_once() {
    let [local, peer] = both(
        &[(Local, "S", 9, 0, 0), (Peer, "S", 99, 0, 0), (Local, "SA", 9, 100, 0), (Peer, "SA", 99, 10, 0)],
        false,
    );
    assert_eq!(local, [S::SynSent, S::SynReceived, S::Established]);
    assert_eq!(peer, [S::SynSent, S::SynReceived, S::Established]);
}

#[test]
fn a_fin_counts_when_all_before_it_has_come() {
    let [_, peer] = after_open(&[(Local, "FA", 15, 100, 0), (Peer, "A", 100, 10, 0)]);
    assert_eq!(peer, []);
    let [_, peer] =
        after_open(&[(Local, "FA", 15, 100, 0), (Local, "A", 10, 100, 5), (Peer, "A", 100, 16, 0)]);
    assert_eq!(peer, [S::CloseWait]);
    // The capture missed the bytes, the peer did not.
    let [_, peer] = after_open(&[(Local, "FA", 15, 100, 0), (Peer, "A", 100, 16, 0)]);
    assert_eq!(peer, [S::CloseWait]);
}

#[test]
fn what_is_sent_again_changes_nothing() {
    let [local, peer] = after_open(&[
        (Peer, "SA", 99, 10, 0),
        (Local, "A", 10, 100, 0),
        (Local, "FA", 10, 100, 0),
        (Peer, "A", 100, 11, 0),
        (Local, "FA", 10, 100, 0),
        (Peer, "A", 100, 11, 0),
    ]);
    assert_eq!((local, peer), (vec![S::FinWait1, S::FinWait2], vec![S::CloseWait]));
}

#[test]
fn a_reset_ends_both() {
    let [local, peer] = after_open(&[(Peer, "RA", 100, 10, 0)]);
    assert_eq!((local, peer), (vec![S::Closed], vec![S::Closed]));
    let [local, _] = after_open(&[(Peer, "A", 100, 10, 50), (Peer, "R", 100, 0, 0)]);
    assert_eq!(local, [], "it is older than what came");
}

#[test]
fn a_refusal_ends_the_one_who_asked() {
    let [local, peer] = both(&[(Local, "S", 9, 0, 0), (Peer, "RA", 0, 10, 0)], false);
    assert_eq!((local, peer), (vec![S::SynSent, S::Closed], vec![]));
}

const ALL: [TcpState; 11] = [
    S::Closed,
    S::Listen,
    S::SynSent,
    S::SynReceived,
    S::Established,
    S::FinWait1,
    S::FinWait2,
    S::Closing,
    S::CloseWait,
    S::LastAck,
    S::TimeWait,
];

/// The arrows of RFC 9293's figure 5, and RST from anywhere. FIN_WAIT_1 → TIME_WAIT passes FIN_WAIT_2.
fn next(state: TcpState) -> Vec<TcpState> {
    let mut to = match state {
        S::Closed => return vec![S::Listen, S::SynSent],
        S::Listen => vec![S::SynReceived],
        S::SynSent => vec![S::SynReceived, S::Established],
        S::SynReceived => vec![S::Established, S::FinWait1],
        S::Established => vec![S::FinWait1, S::CloseWait],
        S::FinWait1 => vec![S::FinWait2, S::Closing],
        S::FinWait2 | S::Closing => vec![S::TimeWait],
        S::CloseWait => vec![S::LastAck],
        S::LastAck | S::TimeWait => vec![],
    };
    to.push(S::Closed);
    to
}

fn ways(way: &mut Vec<TcpState>, to: TcpState, found: &mut Vec<Vec<TcpState>>) {
    for state in next(*way.last().expect("it begins somewhere")) {
        if state == to {
            found.push(way[1..].to_vec());
        } else if state != S::Closed && !way.contains(&state) {
            // No connection goes on behind CLOSED.
            way.push(state);
            ways(way, to, found);
            way.pop();
        }
    }
}

#[test]
fn only_the_only_way_is_implied() {
    for from in ALL {
        for to in ALL.into_iter().filter(|to| *to != from) {
            let mut found = Vec::new();
            ways(&mut vec![from], to, &mut found);
            let only = if found.len() == 1 { found.remove(0) } else { Vec::new() };
            assert_eq!(implied(from, to), only, "{from:?} to {to:?}: {found:?}");
        }
    }
}

proptest! {
    #[test]
    fn only_arrows_are_followed(
        from in 0..11_usize,
        segments in proptest::collection::vec(
            (any::<bool>(), 0..16_u8, 0..8_u32, 0..8_u32, 0..3_u32), 0..60),
    ) {
        let mut path = Path::new(Local, ALL[from]);
        let mut state = ALL[from];
        for (local, bits, seq, ack, len) in segments {
            let flags = "SAFR".chars().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, c)| c);
            let end = if local { Local } else { Peer };
            for step in path.see(&segment(end, &flags.collect::<String>(), seq, ack, len)) {
                let passive = state == S::Closed && step.state == S::SynReceived;
                // In SYN_RECEIVED a FIN may come whose acknowledgement of our SYN was lost.
                let early = state == S::SynReceived && step.state == S::CloseWait;
                prop_assert!(next(state).contains(&step.state) || passive || early, "{state:?} {step:?}");
                state = step.state;
            }
            prop_assert_eq!(path.state(), state);
        }
    }
}

#[test]
fn time_is_of_the_segment() {
    let mut path = Path::new(Local, S::Closed);
    let mut syn = segment(Local, "S", 1, 0, 0);
    syn.at += Duration::from_secs(1);
    assert_eq!(path.see(&syn), [Step { state: S::SynSent, at: syn.at }]);
    // What was entered with a FIN is told with its acknowledgement.
    let mut path = Path::new(Local, S::Established);
    let fin = segment(Peer, "FA", 100, 10, 0);
    assert_eq!(path.see(&fin), []);
    assert_eq!(path.see(&segment(Local, "A", 10, 101, 0)), [Step { state: S::CloseWait, at: fin.at }]);
}
