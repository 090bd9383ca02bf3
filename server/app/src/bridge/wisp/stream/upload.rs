//! What a client sends over one stream, and what of it waits for the socket.

use std::{collections::VecDeque, io, num::NonZeroU32, sync::Arc};

use sockscope_sockets::errno::Errno;

use super::socket::Socket;
use crate::bridge::{
    ledger::Ledger,
    wisp::{BUFFER, Credits, Lengths, Loan},
};

/// Datagrams that wait for their socket, in all no longer than [`BUFFER`]; more are lost, as the network would lose them, and
/// counted.
const QUEUE: usize = 64;

/// Bytes of a stream that came in parts are put together up to so many.
const PIECE: usize = 64 << 10;

/// What the client sends.
pub(super) struct Upload {
    /// Once it is open.
    pub(super) open: Option<(Arc<Socket>, Arc<Ledger>)>,
    /// What the socket has not taken, oldest first; of the first, so many bytes are written.
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) written: usize,
    /// How many bytes wait.
    pub(super) bytes: usize,
    pub(super) loan: Loan,
    /// Datagrams that found no room, and that the log does not know of.
    pub(super) lost: u64,
    pub(super) credits: Credits,
    /// How long packets are, and how much has come of the last one.
    lengths: Lengths,
    coming: usize,
    pub(super) over: Option<Over>,
    /// One side has said that it is over: nothing more is said of it, and its number is free.
    pub(super) told: bool,
}

/// Bytes that wait, with which so many packets end.
pub(super) struct Waiting {
    data: Vec<u8>,
    packets: u32,
}

/// Why a stream ends, where its socket does not say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::wisp) enum Over {
    /// The client closed it, or the connection.
    Closed,
    /// The connection is gone.
    Lost,
    /// More came than the client had credits for.
    Exceeded,
    /// The socket took no more.
    Failed(Errno),
}

impl Upload {
    pub(super) fn new(credits: Credits, loan: Loan) -> Self {
        Self {
            open: None,
            waiting: VecDeque::new(),
            written: 0,
            bytes: 0,
            loan,
            lost: 0,
            credits,
            lengths: Lengths::default(),
            coming: 0,
            over: None,
            told: false,
        }
    }

    /// A packet begins: so many bytes of it.
    pub(super) fn begins(&mut self, bytes: usize) {
        self.coming = bytes;
        self.lengths.begins(bytes);
    }

    /// It goes on with so many.
    pub(super) fn goes_on(&mut self, bytes: usize) {
        self.coming += bytes;
        self.lengths.goes_on(self.coming);
    }

    /// What CONTINUE is to say now, if one is due.
    pub(super) fn due(&mut self) -> Option<NonZeroU32> {
        let fit = self.lengths.fit(self.credits.credits());
        self.credits.due(fit)
    }

    /// Whether a socket that is not open yet need not be opened any more.
    pub(super) fn is_called_off(&self) -> bool {
        self.over.is_some_and(|over| over != Over::Closed || self.waiting.is_empty())
    }

    /// Whether a datagram of that length may wait.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.waiting.len() < QUEUE && self.bytes + bytes <= BUFFER
    }

    /// Bytes that are to wait. Those of a stream are put together, however small the parts they come in.
    pub(super) fn push(&mut self, data: &[u8], packets: u32, is_datagram: bool) {
        self.bytes += data.len();
        self.loan.holds(self.bytes);
        match self.waiting.back_mut() {
            Some(last) if !is_datagram && last.data.len() + data.len() <= PIECE => {
                last.data.extend_from_slice(data);
                last.packets += packets;
            }
            _ => self.waiting.push_back(Waiting { data: data.to_vec(), packets }),
        }
    }

    /// Nothing waits any more. Returns how many bytes did and were not written.
    pub(super) fn give_up(&mut self) -> usize {
        let unsent = self.bytes - self.written.min(self.bytes);
        self.waiting = VecDeque::new();
        (self.bytes, self.written) = (0, 0);
        self.loan.holds(0);
        unsent
    }

    /// Writes what the socket takes of what waits. Returns how many packets that were, to their ends.
    pub(super) fn drain(&mut self, socket: &Socket, ledger: &Ledger) -> io::Result<u32> {
        let mut packets = 0;
        while let Some(first) = self.waiting.front().filter(|_| !ledger.is_over()) {
            let mut rest = &first.data[self.written..];
            if !socket.send(&mut rest, ledger)? {
                self.written = first.data.len() - rest.len();
                break;
            }
            packets += first.packets;
            self.bytes -= first.data.len();
            self.loan.holds(self.bytes);
            self.written = 0;
            self.waiting.pop_front();
        }
        Ok(packets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::wisp::{Reserve, credits_for};

    fn upload() -> Upload {
        let credits = Credits::new(credits_for(1 << 16).expect("some"));
        Upload::new(credits, Loan::new(Arc::<Reserve>::default()))
    }

    #[test]
    fn what_waits_of_a_stream_is_kept_together_however_small_its_parts() {
        let mut upload = upload();
        for _ in 0..100_000 {
            upload.push(b"", 0, false);
            upload.push(b"x", 1, false);
        }
        assert_eq!((upload.waiting.len(), upload.bytes), (2, 100_000));
        assert_eq!(upload.waiting.iter().map(|waiting| waiting.packets).sum::<u32>(), 100_000);
        upload.written = 10;
        assert_eq!(upload.give_up(), 99_990);
        assert!(upload.waiting.is_empty() && upload.has_room(BUFFER));
    }

    #[test]
    fn each_datagram_waits_by_itself() {
        let mut upload = upload();
        for _ in 0..3 {
            upload.push(b"x", 1, true);
        }
        assert_eq!(upload.waiting.len(), 3);
    }
}
