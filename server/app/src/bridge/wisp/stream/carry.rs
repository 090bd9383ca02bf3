//! A stream from its beginning to its end: it is opened, both ways are carried, and why it ended is told.

use std::{io, pin::pin, sync::Arc};

use sockscope_sockets::{
    errno::Errno,
    fact::{PauseReason, Phase, What},
    mailbox::Inbox,
    open::Opened,
};
use tokio::time::{Instant, timeout};

use super::{Over, Stream, Upload, socket::Socket};
use crate::bridge::{
    buffer::{Buffer, READ},
    end::{End, FLUSH, ordered},
    frame::{self, HEADER},
    ledger::Ledger,
    opening::Unopened,
    outbox::Outbox,
    pace::Pace,
    udp_errors::failed,
    wisp::{Head, packet::data_head, reason},
};

/// What stands in front of the payload in a buffer.
const FRONT: usize = HEADER + Head::LEN;

/// What a stream did when it was its turn.
enum Turn {
    Nothing,
    Wrote(usize),
    Over(End),
}

impl Stream {
    /// Carries it from beginning to end.
    pub(in crate::bridge::wisp) async fn run(
        &self,
        opening: impl Future<Output = Result<(Opened, Inbox, Ledger), Unopened>>,
        outbox: &Outbox,
    ) {
        // What was sent before the client closed it goes, if it is open soon.
        let called_off = async {
            self.until(|upload| upload.over.is_some()).await;
            timeout(FLUSH, self.until(Upload::is_called_off)).await.ok();
        };
        let opened = tokio::select! {
            biased;
            () = called_off => {
                if self.upload().over == Some(Over::Exceeded) {
                    self.tell(reason::THROTTLED, outbox);
                }
                return;
            }
            opened = opening => opened,
        };
        let (opened, mut inbox, ledger) = match opened {
            Ok((opened, inbox, ledger)) => (opened, inbox, Arc::new(ledger)),
            Err(refused) => {
                self.tell(reason::of_unopened(&refused), outbox);
                self.ends(Over::Closed);
                return;
            }
        };
        let socket = Arc::new(match opened {
            Opened::Stream(stream) => Socket::Tcp(stream),
            Opened::Datagram(socket) => Socket::datagram(socket),
            Opened::Listener(_) => return self.tell(reason::INVALID, outbox),
        });
        {
            let mut upload = self.upload();
            upload.open = Some((Arc::clone(&socket), Arc::clone(&ledger)));
            self.grants(&mut upload, outbox);
        }
        self.wake.notify_one();
        let end = self.carry(&socket, &ledger, &mut inbox, outbox).await;
        inbox.close();
        self.close(socket, &ledger, &end);
        if let Some(reason) = reason::of_end(&end) {
            self.tell(reason, outbox);
        }
    }

    /// Waits until that holds of what the client sends. A wake reaches one who waits: nobody else may meanwhile.
    async fn until(&self, holds: impl Fn(&Upload) -> bool) {
        while !holds(&self.upload()) {
            self.wake.notified().await;
        }
    }

    /// Runs both pumps until one ends, and then what is on its way.
    async fn carry(&self, socket: &Socket, ledger: &Ledger, inbox: &mut Inbox, outbox: &Outbox) -> End {
        let up = self.up(socket, ledger, outbox);
        let mut down = Box::pin(self.down(socket, ledger, outbox));
        let ordered = ordered(ledger, inbox);
        tokio::pin!(up, ordered);
        let (end, has_all) = tokio::select! {
            biased;
            end = &mut ordered => return end,
            end = &mut up => (end, false),
            end = &mut down => (self.unless_failed(end), true),
        };
        let rest = async {
            match end {
                // What the client sent before. Meanwhile others write: it may not be this stream's turn.
                End::ClientClosed(_) | End::Eof => {
                    drop(down);
                    drop(self.flush(socket, ledger).await);
                }
                // What the target said before it reset the connection may say why.
                End::Target(Phase::Send, _) if !has_all => drop(down.await),
                _ => {}
            }
        };
        // Boxed, so that a stream that lives for hours does not carry what only its end needs.
        tokio::select! {
            biased;
            sooner = ordered => sooner,
            _ = Box::pin(timeout(FLUSH, rest)) => end,
        }
    }

    /// From the client: what waits, as the socket takes it.
    async fn up(&self, socket: &Socket, ledger: &Ledger, outbox: &Outbox) -> End {
        let mut pace = Pace::default();
        loop {
            self.wake.notified().await;
            loop {
                let (written, is_all) = {
                    let mut upload = self.upload();
                    let before = upload.bytes;
                    let packets = match upload.drain(socket, ledger) {
                        Ok(packets) => packets,
                        Err(error) => {
                            ledger.breaks();
                            return End::Target(Phase::Send, Errno::from(&error));
                        }
                    };
                    upload.credits.written(packets);
                    self.grants(&mut upload, outbox);
                    socket.lost(std::mem::take(&mut upload.lost), ledger);
                    match upload.over {
                        None => {}
                        Some(Over::Closed) => return End::ClientClosed(None),
                        Some(Over::Lost) => return End::ClientLost,
                        Some(Over::Exceeded) => return End::ClientFailed(frame::code::POLICY),
                        Some(Over::Failed(errno)) => {
                            ledger.breaks();
                            return End::Target(Phase::Send, errno);
                        }
                    }
                    (before - upload.bytes, upload.waiting.is_empty())
                };
                pace.round(written).await;
                if is_all {
                    break;
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
    }

    /// Whoever reads the connection may have met the target's reset in writing, and the end behind it is no FIN.
    fn unless_failed(&self, end: End) -> End {
        match (end, self.upload().over) {
            (End::Eof, Some(Over::Failed(errno))) => End::Target(Phase::Send, errno),
            (end, _) => end,
        }
    }

    /// Writes all that waits; never done once the key is over, for which somebody else waits.
    async fn flush(&self, socket: &Socket, ledger: &Ledger) -> io::Result<()> {
        while {
            let mut upload = self.upload();
            upload.drain(socket, ledger)?;
            !upload.waiting.is_empty()
        } {
            ledger.goes_on().await;
            socket.writable().await?;
        }
        Ok(())
    }

    /// To the client. Nothing is read before it is this stream's turn to write: so one buffer serves all streams, and what the
    /// client does not take stays in the kernel.
    async fn down(&self, socket: &Socket, ledger: &Ledger, outbox: &Outbox) -> End {
        let mut pace = Pace::default();
        let mut arrivals = socket.arrivals();
        loop {
            let entered = ledger.entering_receive();
            if let Err(error) = arrivals.readable().await {
                return End::Target(Phase::Receive, Errno::from(&error));
            }
            let mut turn = Turn::Nothing;
            let write = async {
                turn = self.turn(entered, socket, ledger, outbox).await?;
                Ok(())
            };
            if ledger.stand_still(What::Read, PauseReason::ClientNotReading, pin!(write)).await.is_err() {
                return End::ClientLost;
            }
            match turn {
                Turn::Nothing => {}
                Turn::Wrote(n) => {
                    arrivals.read(n, ledger);
                    pace.round(n).await;
                }
                Turn::Over(End::Eof) => {
                    // A write that met a reset meanwhile is known to the ledger once it is done.
                    drop(self.upload());
                    ledger.eof();
                    return End::Eof;
                }
                Turn::Over(end) => return end,
            }
            socket.lost(0, ledger);
        }
    }

    /// Waits for the turn to write, reads, and writes that.
    async fn turn(
        &self,
        entered: Option<Instant>,
        socket: &Socket,
        ledger: &Ledger,
        outbox: &Outbox,
    ) -> io::Result<Turn> {
        let _turn = outbox.turn.lock().await;
        let mut buffer = Buffer::take();
        let n = match socket.receive(&mut buffer[FRONT..FRONT + READ]) {
            Ok(Some(n)) => n,
            Ok(None) => return Ok(Turn::Over(End::Eof)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Turn::Nothing),
            Err(error) if self.datagrams => {
                failed(ledger, Phase::Receive, Errno::from(&error));
                return Ok(Turn::Nothing);
            }
            Err(error) => return Ok(Turn::Over(End::Target(Phase::Receive, Errno::from(&error)))),
        };
        ledger.received(entered, &buffer[FRONT..FRONT + n]);
        buffer[HEADER..FRONT].copy_from_slice(&data_head(self.id));
        let start = buffer.frames(Head::LEN + n);
        outbox.client.write(&buffer[start..FRONT + n]).await?;
        Ok(Turn::Wrote(n))
    }

    /// Closes the socket, and says in the log how it ended.
    fn close(&self, socket: Arc<Socket>, ledger: &Ledger, end: &End) {
        let (unsent, lost) = {
            let mut upload = self.upload();
            // The only other hold on the socket.
            upload.open = None;
            upload.over.get_or_insert(Over::Closed);
            self.ended.notify_waiters();
            (upload.give_up() as u64, std::mem::take(&mut upload.lost))
        };
        socket.lost(lost, ledger);
        match Arc::into_inner(socket) {
            Some(Socket::Tcp(socket)) => end.close(socket, ledger, unsent),
            gone => {
                drop(gone);
                end.closed(ledger, unsent);
            }
        }
    }
}
