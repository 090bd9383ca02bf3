//! What is particular to connections: bytes, both ways until each FIN.

use std::{future::pending, io, pin::pin};

use socket2::SockRef;
use sockscope_sockets::{
    errno::Errno,
    fact::{Fact, PauseReason, Phase, Recorder as _, Stamp, What},
    stream::try_read,
};
use tokio::{io::Interest, net::TcpStream, time::Instant};

use super::{
    Head, PacketType,
    packet::{head, packet},
    stream::Stream,
};
use crate::bridge::{
    buffer::{Buffer, READ},
    end::End,
    frame::HEADER,
    ledger::Ledger,
    low_water::LowWater,
    outbox::Outbox,
    pace::Pace,
};

/// What stands in front of the payload in a buffer.
const FRONT: usize = HEADER + Head::LEN;

impl Stream {
    /// From the client: what waits, as the socket takes it, and then the FIN.
    pub(super) async fn up(&self, socket: &TcpStream, ledger: &Ledger, outbox: &Outbox) -> End {
        let mut pace = Pace::default();
        loop {
            {
                let drained = self.upload().drain(socket, ledger);
                let written = match drained {
                    Ok(written) => written,
                    Err(error) => return self.breaks(Phase::Send, &error, ledger),
                };
                self.grants(written, outbox);
                pace.round(written).await;
                let mut upload = self.upload();
                if let Some(end) = upload.end() {
                    return end;
                }
                if upload.is_to_shut() {
                    upload.shut = true;
                    let entered = Instant::now();
                    if let Err(error) = SockRef::from(socket).shutdown(std::net::Shutdown::Write) {
                        drop(upload);
                        return self.breaks(Phase::Shutdown, &error, ledger);
                    }
                    ledger.recorder().record(Stamp::since(entered), &None, Fact::Shutdown, None);
                    if upload.eof {
                        return End::Eof;
                    }
                }
            }
            if self.upload().is_empty() {
                self.wake.notified().await;
                continue;
            }
            // However much more comes meanwhile, it stands still since the first of it.
            let writable = pin!(socket.writable());
            let standing = ledger.stand_still(What::Send, PauseReason::PeerNotReading, writable);
            tokio::select! {
                () = self.until(|upload| upload.over.is_some()) => {}
                ready = standing => if let Err(error) = ready {
                    return End::Target(Phase::Send, Errno::from(&error));
                }
            }
        }
    }

    /// Writing has failed.
    fn breaks(&self, phase: Phase, error: &io::Error, ledger: &Ledger) -> End {
        ledger.breaks();
        self.upload().shut = true;
        End::Target(phase, Errno::from(error))
    }

    /// To the client. Nothing is read that the client has no credits for, or before it is this socket's turn to write: so one
    /// buffer serves all, and what a client does not take stays in the kernel.
    pub(super) async fn down(&self, socket: &TcpStream, ledger: &Ledger, outbox: &Outbox) -> End {
        let mut pace = Pace::default();
        let mut mark = LowWater::of(socket);
        loop {
            let entered = ledger.entering_receive();
            if let Err(error) = mark.readable().await {
                return End::Target(Phase::Receive, Errno::from(&error));
            }
            let mut came = Ok(None);
            let write = async {
                came = self.turn(entered, socket, ledger, outbox).await?;
                Ok(())
            };
            if ledger.stand_still(What::Read, PauseReason::ClientNotReading, pin!(write)).await.is_err() {
                return End::ClientLost;
            }
            match came {
                Ok(Some(0)) => break,
                Ok(Some(n)) => {
                    mark.read(n, ledger.sent_bytes());
                    pace.round(n).await;
                }
                Ok(None) => {}
                Err(errno) => return End::Target(Phase::Receive, errno),
            }
        }
        if !ledger.eof() {
            return End::Eof;
        }
        outbox.say(&packet(PacketType::Fin, self.id(), &[]));
        {
            let mut upload = self.upload();
            upload.eof = true;
            if upload.shut {
                return End::Eof;
            }
        }
        // Nobody reads any more: a reset would not be seen.
        let word = socket.ready(Interest::ERROR).await;
        if self.upload().shut {
            return End::Eof;
        }
        if let Err(error) = word {
            return End::Target(Phase::Receive, Errno::from(&error));
        }
        match socket.take_error() {
            Ok(Some(error)) | Err(error) => End::Target(Phase::Receive, Errno::from(&error)),
            Ok(None) => pending().await,
        }
    }

    /// Waits until the client takes more, and for the turn to write; reads, and writes that. Gives how much it was, nothing where
    /// nothing was there, or what the call met; the error is the client's.
    async fn turn(
        &self,
        entered: Option<Instant>,
        socket: &TcpStream,
        ledger: &Ledger,
        outbox: &Outbox,
    ) -> io::Result<Result<Option<usize>, Errno>> {
        let credits = self.affords(1).await;
        let _turn = outbox.turn.lock().await;
        let mut buffer = Buffer::take();
        let room = usize::try_from(credits).unwrap_or(usize::MAX).min(READ);
        let n = match try_read(socket, &mut buffer[FRONT..FRONT + room]) {
            Ok(0) => return Ok(Ok(Some(0))),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Ok(None)),
            Err(error) => return Ok(Err(Errno::from(&error))),
        };
        ledger.received(entered, &buffer[FRONT..FRONT + n]);
        self.spends(n as u64);
        buffer[HEADER..FRONT].copy_from_slice(&head(PacketType::Data, self.id()));
        let start = buffer.frames(Head::LEN + n);
        outbox.client.write(&buffer[start..FRONT + n]).await?;
        Ok(Ok(Some(n)))
    }
}
