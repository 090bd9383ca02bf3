//! The way to a client with many streams: whole frames, one after the other, from whoever has something to say.

use std::{
    convert::Infallible,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as Turns, Notify};

use super::{
    Client,
    frame::{self, HEADER, Kind},
};

/// So many bytes of short packets wait to be sent before nothing further is read that could call for more.
const FULL: usize = 64 * 1024;

/// A client's connection, shared by its streams.
pub(super) struct Outbox {
    pub(super) client: Client,
    /// Whose turn it is to write: frames do not lie in one another, and streams that wait take turns.
    pub(super) turn: Turns<()>,
    /// Short packets that are to be sent, as frames. They wait for no stream.
    due: Mutex<Due>,
    wake: Notify,
    sent: Notify,
}

/// Short packets on their way.
#[derive(Default)]
struct Due {
    waiting: Vec<u8>,
    /// So many were said, and so many of them are written.
    said: u64,
    written: u64,
}

impl Outbox {
    pub(super) fn new(client: Client) -> Self {
        Self { client, turn: Turns::new(()), due: Mutex::default(), wake: Notify::new(), sent: Notify::new() }
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        // What was appended was appended whole.
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a short packet sent, after what is being sent now.
    pub(super) fn say(&self, packet: &[u8]) {
        self.announce(packet);
    }

    /// The same. Returns which it is, for [`Outbox::has_said`].
    pub(super) fn announce(&self, packet: &[u8]) -> u64 {
        let mut room = [0; HEADER];
        let start = frame::header(&mut room, Kind::Binary, packet.len());
        let mut due = self.due();
        due.waiting.extend_from_slice(&room[start..]);
        due.waiting.extend_from_slice(packet);
        due.said += 1;
        let said = due.said;
        drop(due);
        self.wake.notify_one();
        said
    }

    /// Waits until that packet is written: what must not come before it goes then.
    pub(super) async fn has_said(&self, packet: u64) {
        loop {
            let sent = self.sent.notified();
            if self.due().written >= packet {
                return;
            }
            sent.await;
        }
    }

    /// Waits until there is room for more short packets.
    pub(super) async fn room(&self) {
        loop {
            let sent = self.sent.notified();
            if self.due().waiting.len() < FULL {
                return;
            }
            sent.await;
        }
    }

    /// Sends what short packets and control frames there are, for as long as it is polled.
    pub(super) async fn serve(&self) -> io::Result<Infallible> {
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = self.client.wants() => {}
            }
            self.flush().await?;
        }
    }

    /// Sends what there is now.
    pub(super) async fn flush(&self) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        let (waiting, said) = {
            let mut due = self.due();
            (std::mem::take(&mut due.waiting), due.said)
        };
        // Given up meanwhile, it is written by whoever writes next.
        self.client.owes(&waiting);
        self.client.write(&[]).await?;
        self.due().written = said;
        self.sent.notify_waiters();
        self.client.say().await.map(drop)
    }
}
