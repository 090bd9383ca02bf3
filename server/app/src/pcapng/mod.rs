//! The log as a capture: pcapng, for Wireshark and its kin.
//!
//! Frames that were captured are told with the bytes that calls moved, which the log has once. Where nothing of a
//! connection was captured its packets are made up, and every reader is told so. What else happened to a socket is a
//! comment on its next packet.
//!
//! A stream: records are read in batches and told in the order of their times. What it remembers is bounded by what the log
//! holds.

mod blocks;
mod calls;
mod comments;
mod lines;
mod made;
mod order;
mod talk;
mod who;

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use sockscope_sockets::{
    fact::{Chunk, Fact},
    kernel::{
        capture::{Link, Raw, Way},
        packet::Packet,
    },
};
use sockscope_wire::{Direction, PayloadMode, Seq, SocketId};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::{
    feed::{Batch, Cursor, Start},
    log::{self, Carried, Entry, Filter, Limits, Record, Seen, Stored},
    workspace::{Workspace, convert},
};
use blocks::{Frame, LinkType};
use calls::Calls;
use comments::Comments;
use made::Payload;
use order::Order;
use talk::{Packet as MadePacket, Talk};
use who::{Ends, Who, canonical};

/// What is read at once: records without payload.
const BATCH: Limits = Limits::new(2048, 1 << 20);

/// A piece of the stream is handed on when it is so long. One frame more may be in it.
const PIECE: usize = 256 << 10;

/// Connections whose addresses are remembered, to tell when two had the same; more begin anew.
const REMEMBERED: usize = 1 << 16;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Only this socket's packets.
    pub socket: Option<SocketId>,
    /// Not the events of practice peers.
    pub without_hidden: bool,
    /// As if nothing had been captured.
    pub without_kernel: bool,
    /// On and on, until somebody leaves.
    pub follow: bool,
}

/// A socket's part in packets that are made up.
enum Part {
    /// It tells them.
    Tells(Box<Talk>),
    /// The socket at its other end does, or they were captured.
    Silent,
}

/// The capture being written.
pub struct Pcapng {
    workspace: Arc<Workspace>,
    wanted: Wanted,
    cursor: Cursor,
    ending: CancellationToken,
    /// The last record of one that does not follow; found out by the survey.
    head: Seq,
    surveyed: bool,
    ended: bool,
    // What the survey, and every record that came since, said:
    who: Who,
    calls: Calls,
    // What is being told:
    order: Order,
    parts: HashMap<SocketId, Part>,
    /// Who tells the packets between these ends.
    tells: HashMap<Ends, SocketId>,
    /// How many connections were made up between these ends.
    made: HashMap<Ends, u32>,
    comments: Comments,
    interfaces: HashMap<(Arc<str>, LinkType), u32>,
    out: Vec<u8>,
}

enum Step {
    Read(Batch),
    Due,
    Ending,
}

impl Pcapng {
    /// Begins at the beginning of the log.
    #[must_use]
    pub fn new(workspace: &Arc<Workspace>, wanted: Wanted, ending: CancellationToken) -> Self {
        let filter = Filter {
            socket: None,
            types: None,
            without_hidden: wanted.without_hidden,
            without_kernel: wanted.without_kernel,
        };
        Self {
            workspace: Arc::clone(workspace),
            wanted,
            cursor: Cursor::new(workspace, &Start::default(), filter, PayloadMode::None),
            ending,
            head: Seq(0),
            surveyed: false,
            ended: false,
            who: Who::default(),
            calls: Calls::default(),
            order: Order::new(workspace.anchor().instant()),
            parts: HashMap::new(),
            tells: HashMap::new(),
            made: HashMap::new(),
            comments: Comments::default(),
            interfaces: HashMap::new(),
            out: Vec::new(),
        }
    }

    /// The next piece; none after the last.
    pub async fn next(&mut self) -> Option<Bytes> {
        if !self.surveyed {
            self.survey().await;
            self.section();
            return self.piece();
        }
        loop {
            while self.out.len() < PIECE
                && let Some(record) = self.order.pop(self.wanted.follow, self.ended)
            {
                self.tell(&record);
            }
            if !self.out.is_empty() {
                return self.piece();
            }
            if self.ended {
                return None;
            }
            match self.step().await {
                Step::Read(batch) => self.take(batch),
                Step::Due => {}
                Step::Ending => self.ended = true,
            }
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "what next() answers")]
    fn piece(&mut self) -> Option<Bytes> {
        Some(Bytes::from(std::mem::take(&mut self.out)))
    }

    async fn step(&mut self) -> Step {
        if !self.wanted.follow {
            return Step::Read(self.cursor.now(BATCH).await);
        }
        let due = self.order.next_turn();
        tokio::select! {
            batch = self.cursor.next(BATCH) => Step::Read(batch),
            () = until(due) => Step::Due,
            () = self.ending.cancelled() => Step::Ending,
        }
    }

    /// Looks through the whole log once: what was captured, who is at which end, where bytes lie.
    async fn survey(&mut self) {
        let filter = self.cursor.filter.clone();
        let mut cursor = Cursor::new(&self.workspace, &Start::default(), filter, PayloadMode::None);
        (_, self.head) = self.workspace.bounds();
        loop {
            let batch = cursor.now(BATCH).await;
            for record in batch.records() {
                if record.seq <= self.head {
                    self.note(record);
                }
            }
            if batch.next() >= self.head || batch.is_empty() {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.surveyed = true;
    }

    fn note(&mut self, record: &Record) {
        if !record.hidden {
            self.calls.note(record, &self.workspace);
        }
        self.who.note(record, self.surveyed);
    }

    /// Whether packets of this socket are made up: nothing of it was captured, and nothing will be.
    fn is_made_up(&self, socket: SocketId) -> bool {
        !self.who.was_captured(socket) && (!self.will_capture() || self.who.was_over(socket))
    }

    /// Whether frames are still to come for sockets of which there are none yet.
    fn will_capture(&self) -> bool {
        self.wanted.follow && !self.wanted.without_kernel && self.workspace.kernel().sight().segments.active
    }

    /// What the file says of itself.
    fn section(&mut self) {
        let made_up = self.who.all().any(|socket| self.is_made_up(socket))
            || (self.wanted.follow && !self.will_capture());
        let how = if made_up {
            "Packets of the interface \"synthesised\" were never captured: their IP, TCP and UDP headers are synthesised by \
             sockscope from the calls its sockets made (sequence numbers from 1, times of the calls, no retransmissions). \
             Only their payload is real. Packets of other interfaces were captured."
        } else {
            "Headers are as captured."
        };
        let bytes = "Payload is what calls wrote and read, from sockscope's log; where the log no longer has it, a packet is \
                     cut short.";
        blocks::section(&mut self.out, &[how, bytes]);
    }

    fn take(&mut self, batch: Batch) {
        let last = if self.wanted.follow { Seq(u64::MAX) } else { self.head };
        for span in batch.gaps().iter().filter(|span| span.from <= last) {
            self.comments
                .add(None, format!("events {} to {} are gone from sockscope's log", span.from, span.to));
        }
        if !self.wanted.follow && (batch.next() >= last || batch.is_empty()) {
            self.ended = true;
        }
        for mut record in batch.into_records() {
            if record.seq > last {
                break;
            }
            // The survey has seen those before its head.
            if record.seq > self.head {
                self.note(&record);
            }
            // Bytes of calls are looked up when they are told: waiting, they would be held beside the log.
            if matches!(record.entry, Entry::Fact(_)) {
                record.payload = Stored::None;
            }
            self.order.push(record);
        }
    }

    fn tell(&mut self, record: &Record) {
        if let (Entry::Segment(frame), Some(socket)) = (&record.entry, record.socket) {
            let far = frame.seen().far;
            if self.wanted.socket.is_none_or(|wanted| wanted == socket || far == Some(wanted)) {
                self.tell_captured(socket, self.order.nanos(record), frame);
            }
            return;
        }
        if self.wanted.socket.is_some_and(|wanted| record.socket != Some(wanted)) {
            if let (Entry::Closed(_), Some(socket)) = (&record.entry, record.socket) {
                self.parts(socket);
            }
            return;
        }
        let event = convert::event(record, self.workspace.anchor(), PayloadMode::None);
        if let Some(line) = lines::line(&event) {
            self.comments.add(record.socket, line);
        }
        if let Some(socket) = record.socket {
            self.tell_made_up(socket, record);
        }
    }

    fn tell_captured(&mut self, socket: SocketId, at: u64, frame: &log::Frame) {
        let seen = frame.seen();
        let mut bytes = frame.head().to_vec();
        if bytes.len() < seen.len as usize {
            self.complete(socket, seen, &mut bytes);
        }
        let link = match seen.link {
            Link::Ethernet => LinkType::Ethernet,
            Link::Ip => LinkType::Raw,
        };
        let interface = self.interface(&seen.interface, link, None);
        self.packet((socket, seen.far), interface, at, &bytes, seen.len, seen.sender == Direction::Local);
    }

    /// What was captured goes on with what calls moved: unless that is not what the frame carried, since the kernel dropped it.
    fn complete(&mut self, socket: SocketId, seen: &Seen, bytes: &mut Vec<u8>) {
        let Some(packet) = understood(seen, bytes) else { return };
        let (head, have) = (bytes.len(), packet.payload.len());
        let ends = (socket, seen.far);
        match &seen.carried {
            Carried::Tcp(segment) if !segment.doubted => {
                let Some(offset) = segment.offset else { return };
                let mut payload = Vec::new();
                let range = (offset, offset + u64::from(segment.len));
                self.calls.stream(&self.workspace, ends, seen.sender, range, &mut payload);
                if payload.starts_with(&packet.payload) {
                    bytes.extend_from_slice(&payload[have..]);
                } else if payload.is_empty() {
                    // What was captured may be gone from the log, and the rest not.
                    let range = (offset + have as u64, range.1);
                    self.calls.stream(&self.workspace, ends, seen.sender, range, bytes);
                }
            }
            Carried::Udp { len } if packet.fragmented.is_none() => {
                let fits = |payload: &[u8]| {
                    let whole = [&bytes[..head], &payload[have..]].concat();
                    understood(seen, &whole).is_some_and(|packet| !packet.damaged)
                };
                let wanted = (&packet.payload[..], *len as usize);
                let found = self.calls.datagram(&self.workspace, ends, seen.sender, wanted, fits);
                if let Some(Record { payload: Stored::Kept(payload), .. }) = found {
                    bytes.extend_from_slice(&payload[have..]);
                }
            }
            // Of a fragment nobody knows where it begins, and what an ICMP error quotes is no payload.
            Carried::Tcp(_) | Carried::Udp { .. } | Carried::Icmp { .. } => {}
        }
        bytes.truncate(seen.len as usize);
        if understood(seen, bytes).is_some_and(|packet| packet.damaged) {
            bytes.truncate(head);
        }
    }

    fn tell_made_up(&mut self, socket: SocketId, record: &Record) {
        let at = self.order.nanos(record);
        let packets = match &record.entry {
            Entry::Fact(Fact::Connected(ends)) => {
                let datagrams = self.who.is_datagram(socket);
                self.begins(socket, (ends.0, Some(ends.1)), record.hidden);
                self.talk(socket).map(|talk| if datagrams { Vec::new() } else { talk.opens(true) })
            }
            Entry::Born(born) => {
                self.begins(socket, (born.local, Some(born.remote)), record.hidden);
                self.talk(socket).map(|talk| talk.opens(false))
            }
            Entry::Fact(Fact::Bound(local)) if self.who.is_datagram(socket) => {
                self.begins(socket, (**local, None), record.hidden);
                None
            }
            Entry::Fact(Fact::Sent(chunk)) => self.moved(socket, record, chunk, true),
            Entry::Fact(Fact::Received(chunk)) => self.moved(socket, record, chunk, false),
            Entry::Fact(Fact::Eof(offset)) => self.talk(socket).map(|talk| talk.ends(false, Some(*offset))),
            Entry::Fact(Fact::Shutdown) => self.talk(socket).map(|talk| talk.ends(true, None)),
            Entry::Fact(Fact::ResetByPeer(..)) => self.talk(socket).map(|talk| talk.resets(false)),
            Entry::Fact(Fact::ResetByUs) => self.talk(socket).map(|talk| talk.resets(true)),
            Entry::Closed(closed) => {
                let datagrams = self.who.is_datagram(socket);
                let packets = self
                    .talk(socket)
                    .map(|talk| if datagrams { Vec::new() } else { talk.closes(closed.1.unread > 0) });
                self.write(socket, at, packets);
                self.parts(socket);
                None
            }
            _ => None,
        };
        self.write(socket, at, packets);
    }

    fn talk(&mut self, socket: SocketId) -> Option<&mut Talk> {
        match self.parts.get_mut(&socket) {
            Some(Part::Tells(talk)) => Some(&mut **talk),
            Some(Part::Silent) | None => None,
        }
    }

    /// A socket has ends: it tells their packets, unless they were captured or the socket at the other end does.
    fn begins(&mut self, socket: SocketId, (local, remote): (SocketAddr, Option<SocketAddr>), hidden: bool) {
        let local = canonical(local);
        let remote = remote.map(canonical);
        let other = remote.is_some_and(|remote| self.is_told_by_other(socket, (local, remote), hidden));
        if other || !self.is_made_up(socket) {
            self.parts.insert(socket, Part::Silent);
            return;
        }
        let mut first = 0;
        if let Some(remote) = remote {
            self.tells.insert((local, remote), socket);
            if self.made.len() >= REMEMBERED {
                self.made.clear();
            }
            // A second connection between the same ports begins elsewhere, as a kernel has it too.
            let times = self.made.entry((local, remote)).or_default();
            first = *times << 24;
            *times += 1;
        }
        self.parts.insert(socket, Part::Tells(Box::new(Talk::new(local, remote, first))));
    }

    /// Of two ends that are both here one tells: not a practice peer, whose bytes are not recorded, else the one that was
    /// there first.
    fn is_told_by_other(&self, socket: SocketId, (local, remote): Ends, hidden: bool) -> bool {
        if self.tells.contains_key(&(remote, local)) {
            return true;
        }
        let other = self.who.at((remote, local)).filter(|(_, other)| *other != socket);
        let wanted = |other| self.wanted.socket.is_none_or(|wanted| wanted == other);
        // A socket connected to itself has one end.
        other.is_some_and(|other| wanted(other.1) && other < (hidden, socket))
    }

    /// A socket is over.
    fn parts(&mut self, socket: SocketId) {
        if let Some(Part::Tells(talk)) = self.parts.remove(&socket)
            && let Some(remote) = talk.remote
        {
            self.tells.remove(&(talk.local, remote));
        }
        if self.wanted.follow {
            self.who.forget(socket);
        }
    }

    fn moved(
        &mut self,
        socket: SocketId,
        record: &Record,
        chunk: &Chunk,
        ours: bool,
    ) -> Option<Vec<MadePacket>> {
        if !self.parts.contains_key(&socket) {
            // Its beginning is gone from the log; while it is listed, its addresses are known.
            let ends = self.workspace.ends(socket)?;
            self.begins(socket, ends, record.hidden);
        }
        let Some(Part::Tells(_)) = self.parts.get(&socket) else { return None };
        let stored = self.workspace.record(record.seq).ok().map(|record| record.payload);
        let bytes: &[u8] = match &stored {
            Some(Stored::Kept(bytes)) => bytes,
            _ => &[],
        };
        let payload = Payload { len: chunk.len as usize, bytes };
        let talk = self.talk(socket)?;
        Some(match chunk.offset() {
            Some(offset) => talk.moves(ours, offset, payload),
            None => talk.datagram(ours, calls::peer(chunk), payload),
        })
    }

    fn write(&mut self, socket: SocketId, at: u64, packets: Option<Vec<MadePacket>>) {
        let Some(packets) = packets.filter(|packets| !packets.is_empty()) else { return };
        let far = self.who.other(socket);
        let description = "headers synthesised by sockscope: nothing here was captured";
        let interface = self.interface(&Arc::from("synthesised"), LinkType::Raw, Some(description));
        for (made, ours) in packets {
            self.packet((socket, far), interface, at, &made.bytes, made.len, ours);
        }
    }

    /// The number of an interface, described before its first packet.
    fn interface(&mut self, name: &Arc<str>, link: LinkType, description: Option<&str>) -> u32 {
        let next = u32::try_from(self.interfaces.len()).expect("nobody has so many interfaces");
        *self.interfaces.entry((Arc::clone(name), link)).or_insert_with(|| {
            blocks::interface(&mut self.out, link, name, description);
            next
        })
    }

    fn packet(
        &mut self,
        ends: (SocketId, Option<SocketId>),
        interface: u32,
        at: u64,
        bytes: &[u8],
        len: u32,
        outgoing: bool,
    ) {
        let comments = self.comments.take(ends);
        let at = self.workspace.anchor().unix_nanos(at);
        blocks::packet(&mut self.out, &Frame { interface, at, bytes, len, outgoing, comments: &comments });
    }
}

/// A frame of these bytes, as if it had come: its checksum counts.
fn understood(seen: &Seen, bytes: &[u8]) -> Option<Packet> {
    Packet::parse(&Raw {
        at: Instant::now(),
        wall: Duration::ZERO,
        interface: 0,
        way: Way::In,
        link: seen.link,
        checksum: seen.checksum,
        len: seen.len,
        bytes: bytes.into(),
    })
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
