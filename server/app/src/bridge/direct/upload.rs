//! What the client of a channel sends over one socket, until the socket takes it.

use std::{collections::VecDeque, io};

use sockscope_sockets::open::Family;
use tokio::net::TcpStream;

use super::{DATAGRAM_COST, Place, WINDOW};
use crate::bridge::{end::End, frame, ledger::Ledger};

/// What came together is written together, up to this.
const PIECE: usize = 64 * 1024;

/// Credits are given back when they are so many.
const GRANT: usize = WINDOW as usize / 4;

/// What the client sends.
pub(super) struct Upload {
    /// What the socket has not taken, oldest first; of the first, so many bytes are written.
    waiting: VecDeque<Piece>,
    written: usize,
    /// Of a datagram that is being sent.
    sending: usize,
    /// What the client may send yet, and what it may again since it was told.
    allowed: usize,
    freed: usize,
    /// The client sends nothing further.
    fin: bool,
    /// Which ways have ended: ours, and the target's.
    pub(super) shut: bool,
    pub(super) eof: bool,
    pub(super) over: Option<Over>,
    /// The client was told that it is over: nothing more is said of it, and its number is free.
    pub(super) told: bool,
}

/// Bytes that wait: of a stream, or a datagram.
pub(super) struct Piece {
    pub(super) data: Vec<u8>,
    /// Where a datagram goes.
    pub(super) to: Option<(String, u16, Option<Family>)>,
}

impl Piece {
    /// What a datagram costs.
    pub(super) fn cost(&self) -> usize {
        cost(&self.data, self.to.as_ref().map_or("", |(host, ..)| host))
    }
}

/// What a datagram costs: its bytes, the name it goes to, and what it costs to keep.
fn cost(data: &[u8], host: &str) -> usize {
    data.len() + host.len() + DATAGRAM_COST as usize
}

/// Why a socket ends, where it does not say so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The client closed it, or the connection.
    Closed,
    /// The same, without sending what waits.
    Discarded,
    /// The connection is gone.
    Lost,
    /// More came than the client had credits for.
    Exceeded,
    /// What such a socket does not carry came.
    Misfit,
}

impl Default for Upload {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            written: 0,
            sending: 0,
            allowed: WINDOW as usize,
            freed: 0,
            fin: false,
            shut: false,
            eof: false,
            over: None,
            told: false,
        }
    }
}

impl Upload {
    /// Bytes of a stream came; whether it is one.
    pub(super) fn takes(&mut self, data: &[u8], is_stream: bool) {
        if data.is_empty() || !self.pays(data.len(), is_stream) {
            return;
        }
        match self.waiting.back_mut() {
            Some(piece) if piece.data.len() + data.len() <= PIECE => piece.data.extend_from_slice(data),
            _ => self.waiting.push_back(Piece { data: data.to_vec(), to: None }),
        }
    }

    /// A datagram came; whether the socket carries such.
    pub(super) fn takes_datagram(&mut self, to: Option<Place<'_>>, data: &[u8], is_datagram: bool) {
        if self.pays(cost(data, to.as_ref().map_or("", |to| to.host)), is_datagram) {
            let to = to.map(|to| (to.host.to_owned(), to.port, to.family));
            self.waiting.push_back(Piece { data: data.to_vec(), to });
        }
    }

    /// The client sends nothing further.
    pub(super) fn finishes(&mut self) {
        self.fin = true;
    }

    /// Whether all that the client sends was written, and the FIN was not.
    pub(super) fn is_to_shut(&self) -> bool {
        self.fin && !self.shut && self.waiting.is_empty()
    }

    /// Whether a socket that is not open yet need not be opened any more.
    pub(super) fn is_called_off(&self) -> bool {
        match self.over {
            None => false,
            Some(Over::Closed) => self.waiting.is_empty(),
            Some(_) => self.is_dropped(),
        }
    }

    /// Whether it is over, and nobody waits for what was sent.
    pub(super) fn is_dropped(&self) -> bool {
        matches!(self.over, Some(Over::Discarded | Over::Lost | Over::Exceeded | Over::Misfit))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// So much was taken. Gives how many credits the client is to be told of, when it is time.
    pub(super) fn frees(&mut self, taken: usize) -> Option<u32> {
        self.freed += taken;
        if self.freed < GRANT || self.over.is_some() {
            return None;
        }
        let amount = std::mem::take(&mut self.freed);
        self.allowed += amount;
        // At most a window.
        Some(amount as u32)
    }

    /// Whether there are credits for it, and it is of the kind that the socket carries; without, the socket is over. What comes
    /// when it is over already, or behind a FIN, is dropped.
    fn pays(&mut self, cost: usize, fits: bool) -> bool {
        if self.over.is_some() || self.fin {
            return false;
        }
        match self.allowed.checked_sub(cost) {
            _ if !fits => self.over = Some(Over::Misfit),
            Some(left) => self.allowed = left,
            None => self.over = Some(Over::Exceeded),
        }
        self.over.is_none()
    }

    /// How it ends, if it is over.
    pub(super) fn end(&self) -> Option<End> {
        Some(match self.over? {
            Over::Closed | Over::Discarded => End::ClientClosed(None),
            Over::Lost => End::ClientLost,
            Over::Exceeded => End::ClientFailed(frame::code::POLICY),
            Over::Misfit => End::ClientFailed(frame::code::UNSUPPORTED),
        })
    }

    /// The next datagram to be sent.
    pub(super) fn next(&mut self) -> Option<Piece> {
        let next = self.waiting.pop_front();
        self.sending = next.as_ref().map_or(0, |piece| piece.data.len());
        next
    }

    /// That was sent, or told to be lost.
    pub(super) fn is_sent(&mut self) {
        self.sending = 0;
    }

    pub(super) fn unsent(&self) -> usize {
        let waiting = self.waiting.iter().map(|piece| piece.data.len()).sum::<usize>();
        self.sending + waiting.saturating_sub(self.written)
    }

    /// Writes what the socket takes of what waits. Returns how many bytes that were.
    pub(super) fn drain(&mut self, socket: &TcpStream, ledger: &Ledger) -> io::Result<usize> {
        let mut total = 0;
        while let Some(first) = self.waiting.front().filter(|_| !ledger.is_over()) {
            let rest = &first.data[self.written..];
            let entered = ledger.entering_send();
            let n = match socket.try_write(rest) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            ledger.sent(entered, &rest[..n]);
            total += n;
            self.written += n;
            if self.written == first.data.len() {
                self.written = 0;
                self.waiting.pop_front();
            }
        }
        Ok(total)
    }
}
