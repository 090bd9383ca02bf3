//! What a socket's own events say that the wire must have carried, where nothing of the wire was captured.

use std::net::SocketAddr;

use super::made::{self, MOST, Made, Payload, Say};

/// How far the peer's acknowledgements stay behind what was sent: more than a kernel keeps unacknowledged, so that none
/// is claimed that did not come.
const UNSURE: u64 = 64 << 20;

/// A connection, or the conversations of a datagram socket, as they are made up.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) local: SocketAddr,
    pub(super) remote: Option<SocketAddr>,
    /// The sequence number of both SYNs.
    first: u32,
    /// Offsets behind what went each way, FIN included.
    sent: u64,
    received: u64,
    acknowledged: u64,
    fin_sent: bool,
    fin_received: bool,
    over: bool,
}

/// A packet, and whether this end sent it.
pub(super) type Packet = (Made, bool);

impl Talk {
    /// Nothing was said yet.
    pub(super) fn new(local: SocketAddr, remote: Option<SocketAddr>, first: u32) -> Self {
        Self {
            local,
            remote,
            first,
            sent: 0,
            received: 0,
            acknowledged: 0,
            fin_sent: false,
            fin_received: false,
            over: false,
        }
    }

    /// Byte 0 follows the SYN. Truncation is meant: 32 bits are what the wire has.
    fn number(&self, offset: u64) -> u32 {
        self.first.wrapping_add(1).wrapping_add(offset as u32)
    }

    fn say(&self, ours: bool, say: Say, payload: Payload<'_>) -> Option<Packet> {
        let (from, to) = if ours { (self.local, self.remote?) } else { (self.remote?, self.local) };
        Some((made::tcp(from, to, say, payload), ours))
    }

    /// The numbers of a segment with nothing in it.
    fn plain(&self, ours: bool) -> Say {
        let (seq, ack) = if ours { (self.sent, self.received) } else { (self.received, self.acknowledged) };
        Say { seq: self.number(seq), ack: Some(self.number(ack)), ..Say::default() }
    }

    /// The handshake, begun by this end or by the other.
    pub(super) fn opens(&self, ours: bool) -> Vec<Packet> {
        let syn = Say { syn: true, seq: self.first, ..Say::default() };
        let answer = Say { ack: Some(self.number(0)), ..syn };
        [
            self.say(ours, syn, Payload::default()),
            self.say(!ours, answer, Payload::default()),
            self.say(ours, self.plain(ours), Payload::default()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// A call moved bytes of a stream; what was received is acknowledged.
    pub(super) fn moves(&mut self, ours: bool, offset: u64, payload: Payload<'_>) -> Vec<Packet> {
        let mut packets = Vec::new();
        if ours {
            self.sent = offset;
        } else {
            self.received = offset;
            // It answers what it has; that is known of what the kernel cannot keep any more.
            self.acknowledged = self.acknowledged.max(self.sent.saturating_sub(UNSURE));
        }
        let mut at = 0;
        while at < payload.len {
            let len = (payload.len - at).min(MOST);
            let have = payload.bytes.get(at..).unwrap_or_default();
            let piece = Payload { len, bytes: &have[..have.len().min(len)] };
            let say = Say { psh: at + len == payload.len, ..self.plain(ours) };
            packets.extend(self.say(ours, say, piece));
            at += len;
            *if ours { &mut self.sent } else { &mut self.received } += len as u64;
        }
        if !ours {
            packets.extend(self.say(true, self.plain(true), Payload::default()));
        } else if self.sent.saturating_sub(self.acknowledged) > 2 * UNSURE {
            self.acknowledged = self.sent - UNSURE;
            packets.extend(self.say(false, self.plain(false), Payload::default()));
        }
        packets
    }

    /// An end sends no more, after so many bytes where that is known.
    pub(super) fn ends(&mut self, ours: bool, offset: Option<u64>) -> Vec<Packet> {
        let done = if ours { &mut self.fin_sent } else { &mut self.fin_received };
        if std::mem::replace(done, true) || self.over {
            return Vec::new();
        }
        if let (false, Some(offset)) = (ours, offset) {
            self.received = offset;
        }
        let mut packets = Vec::new();
        if !ours && self.fin_sent {
            // Whoever ends last has heard of the other's end.
            self.acknowledged = self.sent;
        }
        packets.extend(self.say(ours, Say { fin: true, ..self.plain(ours) }, Payload::default()));
        *if ours { &mut self.sent } else { &mut self.received } += 1;
        if !ours {
            packets.extend(self.say(true, self.plain(true), Payload::default()));
        }
        packets
    }

    /// An end broke it off.
    pub(super) fn resets(&mut self, ours: bool) -> Vec<Packet> {
        if std::mem::replace(&mut self.over, true) {
            return Vec::new();
        }
        let say = Say { rst: true, ..self.plain(ours) };
        self.say(ours, say, Payload::default()).into_iter().collect()
    }

    /// The descriptor was closed: with a FIN, or where bytes lay unread, with a RST.
    pub(super) fn closes(&mut self, unread: bool) -> Vec<Packet> {
        if unread { self.resets(true) } else { self.ends(true, None) }
    }

    /// A datagram went to that address, or came from there.
    pub(super) fn datagram(&self, ours: bool, peer: Option<SocketAddr>, payload: Payload<'_>) -> Vec<Packet> {
        let Some(peer) = peer.or(self.remote) else { return Vec::new() };
        let (from, to) = if ours { (self.local, peer) } else { (peer, self.local) };
        vec![(made::udp(from, to, payload), ours)]
    }
}
