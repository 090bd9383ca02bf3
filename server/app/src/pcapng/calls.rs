//! Where the bytes of a frame lie: which call moved them, and whether the log still has them.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
};

use sockscope_sockets::fact::{Chunk, Fact};
use sockscope_wire::{Direction, Seq, SocketId};

use crate::{
    log::{Entry, Record, Stored},
    workspace::Workspace,
};

/// How many calls are looked at to find the one that moved a datagram: as many may have been lost in between.
const NEAR: usize = 64;

/// Calls are looked through for ones that are gone when there are twice as many as were left the last time.
const FEW: usize = 1 << 16;

/// Whose calls, and whether they sent.
type Side = (SocketId, bool);

/// Every call that moved bytes the log still has, by what it moved: 16 bytes for each, where its event has a hundred.
#[derive(Default)]
pub(super) struct Calls {
    /// Of a stream the offset of the first byte; of datagrams nothing.
    by_side: HashMap<Side, VecDeque<(u64, Seq)>>,
    /// The last call whose datagram was found.
    found: HashMap<Side, Seq>,
    count: usize,
    next_look: usize,
}

impl Calls {
    /// Takes note of a call.
    pub(super) fn note(&mut self, record: &Record, workspace: &Workspace) {
        let (Some(socket), Entry::Fact(Fact::Sent(chunk) | Fact::Received(chunk))) =
            (record.socket, &record.entry)
        else {
            return;
        };
        if !matches!(record.payload, Stored::Kept(_)) {
            return;
        }
        let sent = matches!(record.entry, Entry::Fact(Fact::Sent(_)));
        self.by_side.entry((socket, sent)).or_default().push_back((chunk.offset().unwrap_or(0), record.seq));
        self.count += 1;
        if self.count > self.next_look.max(FEW) {
            self.tidy(workspace);
        }
    }

    /// Forgets what the log has given up: always the oldest of a socket.
    fn tidy(&mut self, workspace: &Workspace) {
        for calls in self.by_side.values_mut() {
            while calls.front().is_some_and(|(_, seq)| kept(workspace, *seq).is_none()) {
                calls.pop_front();
            }
        }
        self.by_side.retain(|_, calls| !calls.is_empty());
        let by_side = &self.by_side;
        self.found.retain(|side, _| by_side.contains_key(side));
        self.count = self.by_side.values().map(VecDeque::len).sum();
        self.next_look = self.count * 2;
    }

    /// Appends the bytes `from..to` of a stream, as far as they can be had without a hole: from the calls of the socket
    /// that has the frame, or from those of the one at its other end.
    pub(super) fn stream(
        &self,
        workspace: &Workspace,
        ends: (SocketId, Option<SocketId>),
        sender: Direction,
        (mut from, to): (u64, u64),
        bytes: &mut Vec<u8>,
    ) {
        let ours = sender == Direction::Local;
        let sides = [Some((ends.0, ours)), ends.1.map(|far| (far, !ours))];
        'bytes: while from < to {
            for calls in sides.iter().flatten().filter_map(|side| self.by_side.get(side)) {
                let behind = calls.partition_point(|(offset, _)| *offset <= from);
                let Some(&(offset, seq)) = behind.checked_sub(1).and_then(|index| calls.get(index)) else {
                    continue;
                };
                let Some(record) = kept(workspace, seq) else { continue };
                let Stored::Kept(payload) = &record.payload else { continue };
                // An offset in memory: what was read fits there.
                let skip = usize::try_from(from - offset).unwrap_or(usize::MAX);
                let Some(rest) = payload.get(skip..).filter(|rest| !rest.is_empty()) else { continue };
                let take = rest.len().min(usize::try_from(to - from).unwrap_or(usize::MAX));
                bytes.extend_from_slice(&rest[..take]);
                from += take as u64;
                continue 'bytes;
            }
            return;
        }
    }

    /// The datagram that begins like that, of that length, and fits: of those the first that was not found yet.
    pub(super) fn datagram(
        &mut self,
        workspace: &Workspace,
        ends: (SocketId, Option<SocketId>),
        sender: Direction,
        (begins, len): (&[u8], usize),
        fits: impl Fn(&[u8]) -> bool,
    ) -> Option<Record> {
        let ours = sender == Direction::Local;
        for side in [Some((ends.0, ours)), ends.1.map(|far| (far, !ours))].into_iter().flatten() {
            let Some(calls) = self.by_side.get(&side) else { continue };
            let after = self.found.get(&side).copied().unwrap_or(Seq(0));
            let first = calls.partition_point(|(_, seq)| *seq <= after);
            let record = calls.range(first..).take(NEAR).find_map(|(_, seq)| {
                kept(workspace, *seq).filter(|record| match &record.payload {
                    Stored::Kept(payload) => {
                        payload.len() == len && payload.starts_with(begins) && fits(payload)
                    }
                    _ => false,
                })
            });
            if let Some(record) = record {
                self.found.insert(side, record.seq);
                return Some(record);
            }
        }
        None
    }
}

/// A record whose bytes are still there.
fn kept(workspace: &Workspace, seq: Seq) -> Option<Record> {
    workspace.record(seq).ok().filter(|record| matches!(record.payload, Stored::Kept(_)))
}

/// The other end of a datagram.
pub(super) fn peer(chunk: &Chunk) -> Option<SocketAddr> {
    chunk.peer.as_deref().map(|peer| peer.address)
}
