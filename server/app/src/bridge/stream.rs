//! One stream for one client: what wsproxy and websockify carry.

use std::{
    io,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use sockscope_sockets::{
    errno::Errno,
    fact::{PauseReason, Phase, What},
    mailbox::Inbox,
    stream,
};
use tokio::net::TcpStream;

use super::{
    buffer::{Buffer, READ},
    client::{Client, Incoming},
    end::{End, run},
    frame::{self, HEADER, Item},
    ledger::Ledger,
    low_water::LowWater,
    pace::Pace,
};

/// Carries bytes both ways until one side ends.
pub(crate) async fn carry(
    client: &Client,
    incoming: &mut Incoming,
    target: TcpStream,
    inbox: &mut Inbox,
    ledger: &Ledger,
) {
    let bridge = Bridge { client, target: &target, ledger, unsent: AtomicUsize::new(0) };
    let (end, last) = {
        let (up, down) = (pin!(bridge.up(incoming)), pin!(bridge.down()));
        run(client, ledger, inbox, up, down).await
    };
    let unsent = bridge.unsent.into_inner();
    inbox.close();
    end.close(target, ledger, unsent as u64);
    if let Some(last) = last {
        client.part(incoming, last, end.is_ordered()).await;
    }
}

struct Bridge<'a> {
    client: &'a Client,
    target: &'a TcpStream,
    ledger: &'a Ledger,
    /// Bytes that came from the client and that the target has not taken.
    unsent: AtomicUsize,
}

impl Bridge<'_> {
    /// From the client to the target.
    async fn up(&self, incoming: &mut Incoming) -> End {
        let mut pace = Pace::default();
        loop {
            let (mut buffer, len) = match incoming.fill(self.client).await {
                Ok(Some(more)) => more,
                Ok(None) | Err(_) => return End::ClientLost,
            };
            let mut at = 0;
            loop {
                let gathered = match incoming.reader.gather(&mut buffer[at..len]) {
                    Ok(gathered) => gathered,
                    Err(frame::Failed(code)) => return End::ClientFailed(code),
                };
                let (start, payload, used) = (at + gathered.start, gathered.payload, gathered.used);
                let (again, closed) = match gathered.control {
                    None => (false, None),
                    Some(Item::Ping(said)) => {
                        self.client.pinged(said);
                        (true, None)
                    }
                    Some(Item::Close(close)) => (false, Some(close.answer())),
                    Some(Item::Pong(_) | Item::Data { .. }) => (true, None),
                };
                if payload > 0
                    && let Err(error) = self.send(&buffer[start..start + payload]).await
                {
                    self.ledger.breaks();
                    return End::Target(Phase::Send, Errno::from(&error));
                }
                at += used;
                if let Some(code) = closed {
                    return End::ClientClosed(code);
                }
                if !again {
                    break;
                }
            }
            incoming.keep(&buffer[at..len]);
            // Others need one meanwhile.
            drop(buffer);
            pace.round(len).await;
        }
    }

    /// Writes all of it to the target.
    async fn send(&self, mut data: &[u8]) -> io::Result<()> {
        loop {
            self.unsent.store(data.len(), Relaxed);
            if data.is_empty() {
                return Ok(());
            }
            let entered = self.ledger.entering_send();
            match self.target.try_write(data) {
                Ok(n) => {
                    self.ledger.sent(entered, &data[..n]);
                    data = &data[n..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ledger
                        .stand_still(What::Send, PauseReason::PeerNotReading, pin!(self.target.writable()))
                        .await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// From the target to the client, and control frames in between.
    async fn down(&self) -> End {
        let mut pace = Pace::default();
        let mut mark = LowWater::of(self.target);
        loop {
            let entered = self.ledger.entering_receive();
            tokio::select! {
                biased;
                () = self.client.wants() => match self.client.say_before_fin().await {
                    Ok(false) => continue,
                    // Whoever said it knows why.
                    Ok(true) | Err(_) => return End::ClientLost,
                },
                ready = mark.readable() => {
                    if let Err(error) = ready {
                        return End::Target(Phase::Receive, Errno::from(&error));
                    }
                }
            }
            let mut buffer = Buffer::take();
            let n = match stream::try_read(self.target, &mut buffer[HEADER..HEADER + READ]) {
                Ok(0) => {
                    self.ledger.eof();
                    return End::Eof;
                }
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return End::Target(Phase::Receive, Errno::from(&error)),
            };
            self.ledger.received(entered, &buffer[HEADER..HEADER + n]);
            let start = buffer.frames(n);
            let write = self.client.write(&buffer[start..HEADER + n]);
            if self.ledger.stand_still(What::Read, PauseReason::ClientNotReading, pin!(write)).await.is_err()
            {
                return End::ClientLost;
            }
            drop(buffer);
            mark.read(n, self.ledger.sent_bytes());
            pace.round(n).await;
        }
    }
}
