//! One stream: a socket, and what waits for it. Here is what whoever reads the connection does with it; `carry` is its task,
//! `upload` what they share.

mod carry;
mod socket;
mod upload;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sockscope_sockets::errno::Errno;
use tokio::sync::Notify;

use super::{Credits, Loan, Reserve, continue_packet, packet::close_packet};
use crate::bridge::outbox::Outbox;
pub(super) use upload::Over;
use upload::Upload;

/// A stream, as its task and whoever reads the connection share it.
pub(super) struct Stream {
    id: u32,
    pub(super) datagrams: bool,
    upload: Mutex<Upload>,
    /// Something is to be written, or it is over.
    wake: Notify,
    /// It is over.
    ended: Notify,
    /// What it may borrow of.
    reserve: Arc<Reserve>,
}

impl Stream {
    pub(super) fn new(id: u32, datagrams: bool, credits: Credits, reserve: &Arc<Reserve>) -> Arc<Self> {
        Arc::new(Self {
            id,
            datagrams,
            upload: Mutex::new(Upload::new(credits, Loan::new(Arc::clone(reserve)))),
            wake: Notify::new(),
            ended: Notify::new(),
            reserve: Arc::clone(reserve),
        })
    }

    fn upload(&self) -> MutexGuard<'_, Upload> {
        // Every change made under it is whole.
        self.upload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is over. Returns whether nothing had been said of that.
    pub(super) fn ends(&self, over: Over) -> bool {
        let mut upload = self.upload();
        upload.over.get_or_insert(over);
        let is_first = !upload.told;
        upload.told |= matches!(over, Over::Closed | Over::Lost);
        drop(upload);
        self.ended.notify_waiters();
        self.wake.notify_one();
        is_first
    }

    /// Whether the client knows that it is over.
    pub(super) fn is_told(&self) -> bool {
        self.upload().told
    }

    /// Tells the client why it is over, unless one side has said so: its number may be another stream's by now.
    fn tell(&self, reason: u8, outbox: &Outbox) {
        let mut upload = self.upload();
        if !std::mem::replace(&mut upload.told, true) {
            outbox.say(&close_packet(self.id, reason));
        }
    }

    /// A packet of data begins: so many bytes of it.
    pub(super) fn begins(&self, bytes: usize) {
        if self.datagrams {
            return;
        }
        let mut upload = self.upload();
        upload.begins(bytes);
        if upload.credits.received().is_err() {
            drop(upload);
            self.ends(Over::Exceeded);
        }
    }

    /// The packet goes on with so many bytes.
    pub(super) fn goes_on(&self, bytes: usize) {
        self.upload().goes_on(bytes);
    }

    /// Bytes came, with which so many packets end. What the socket does not take at once waits.
    pub(super) fn takes(&self, data: &[u8], packets: u32, outbox: &Outbox) {
        let mut upload = self.upload();
        if upload.over.is_some() {
            return;
        }
        let mut rest = data;
        let all = match &upload.open {
            Some((socket, ledger)) if upload.waiting.is_empty() => {
                socket.send(&mut rest, ledger).inspect_err(|_| ledger.breaks())
            }
            _ => Ok(false),
        };
        match all {
            Err(error) => upload.over = Some(Over::Failed(Errno::from(&error))),
            Ok(true) => {
                upload.credits.written(packets);
                self.grants(&mut upload, outbox);
                return;
            }
            Ok(false) if self.datagrams && !upload.has_room(rest.len()) => {
                upload.lost += 1;
                return;
            }
            Ok(false) => upload.push(rest, packets, self.datagrams),
        }
        drop(upload);
        self.wake.notify_one();
    }

    /// Waits until no more waits than may. A client whose packets keep to the length its credits were made for never gets there;
    /// for the others nothing further is read.
    pub(super) async fn room(&self) {
        loop {
            let (ended, freed) = (self.ended.notified(), self.reserve.freed());
            if !self.is_full() {
                return;
            }
            tokio::select! {
                () = ended => {}
                () = freed => {}
            }
        }
    }

    /// Whether more waits than may.
    pub(super) fn is_full(&self) -> bool {
        let upload = self.upload();
        upload.over.is_none() && upload.loan.is_overdrawn()
    }

    /// Lets the client send more, when it is time.
    fn grants(&self, upload: &mut Upload, outbox: &Outbox) {
        if self.datagrams || upload.open.is_none() || upload.told {
            return;
        }
        if let Some(credits) = upload.due() {
            outbox.say(&continue_packet(self.id, credits.get()));
        }
    }
}
