//! The way to a Wisp client: whole frames, one after the other, from whoever has something to say.

use std::{
    convert::Infallible,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as Turns, Notify};

use super::super::{
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
    due: Mutex<Vec<u8>>,
    wake: Notify,
    sent: Notify,
}

impl Outbox {
    pub(super) fn new(client: Client) -> Self {
        Self { client, turn: Turns::new(()), due: Mutex::default(), wake: Notify::new(), sent: Notify::new() }
    }

    fn due(&self) -> MutexGuard<'_, Vec<u8>> {
        // What was appended was appended whole.
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a short packet sent, after what is being sent now.
    pub(super) fn say(&self, packet: &[u8]) {
        let mut room = [0; HEADER];
        let start = frame::header(&mut room, Kind::Binary, packet.len());
        let mut due = self.due();
        due.extend_from_slice(&room[start..]);
        due.extend_from_slice(packet);
        drop(due);
        self.wake.notify_one();
    }

    /// Waits until there is room for more short packets.
    pub(super) async fn room(&self) {
        loop {
            let sent = self.sent.notified();
            if self.due().len() < FULL {
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
        let due = std::mem::take(&mut *self.due());
        self.client.write(&due).await?;
        self.sent.notify_waiters();
        self.client.say().await.map(drop)
    }
}
