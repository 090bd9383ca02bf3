//! One socket of a channel: what waits for it, and its pumps.

use std::{
    future::pending,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use socket2::SockRef;
use sockscope_sockets::{
    drops::Drops,
    errno::Errno,
    fact::{Fact, Leftover, PauseReason, Phase, Recorder as _, Stamp, What},
    mailbox::{Ending, Inbox},
    open::Opened,
    stream::{self, try_read},
};
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Notify, mpsc},
    time::{Instant, sleep, timeout},
};

use super::{
    Head, PacketType, Place, WINDOW,
    listener::Born,
    open::Carries,
    packet::{head, packet},
    told::{Accepted, Ends, Why, json},
    upload::{Over, Upload},
};
use crate::{
    bridge::{
        Opener, Unopened,
        buffer::{Buffer, READ},
        end::{End, FLUSH, ordered},
        frame::{self, HEADER, Kind},
        ledger::Ledger,
        outbox::Outbox,
        pace::Pace,
    },
    workspace::Wish,
};

/// What stands in front of the payload in a buffer.
const FRONT: usize = HEADER + Head::LEN;

/// What all sockets of a channel share.
#[derive(Clone)]
pub(super) struct Channel {
    pub(super) outbox: Arc<Outbox>,
    pub(super) opener: Arc<Opener>,
    /// Where listeners put what they accept: whoever reads the connection gives it a number.
    pub(super) births: mpsc::Sender<Born>,
}

/// A socket that is open, as its task begins with it.
pub(super) type Open = (Opened, Inbox, Ledger);

/// How a socket comes to be.
pub(super) enum Start {
    /// It is to be opened.
    Open(Wish),
    /// A listener accepted it, and the client is told of it by that packet.
    Accepted(Open, u64),
}

/// A socket, as its task and whoever reads the connection share it.
pub(super) struct Stream {
    id: u32,
    carries: Carries,
    upload: Mutex<Upload>,
    /// Something is to be sent, or it is over.
    pub(super) wake: Notify,
    /// The client takes so much more.
    credits: Mutex<u64>,
    more: Notify,
}

enum Socket {
    Tcp(TcpStream),
    Udp(UdpSocket),
    Listener(TcpListener),
}

impl Stream {
    pub(super) fn new(id: u32, carries: Carries) -> Arc<Self> {
        // How many connections it takes, a client says first.
        let credits = if carries == Carries::Connections { 0 } else { u64::from(WINDOW) };
        Arc::new(Self {
            id,
            carries,
            upload: Mutex::new(Upload::default()),
            wake: Notify::new(),
            credits: Mutex::new(credits),
            more: Notify::new(),
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn upload(&self) -> MutexGuard<'_, Upload> {
        // Every change made under it is whole.
        self.upload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn credits(&self) -> MutexGuard<'_, u64> {
        // A number.
        self.credits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is over. What is said first is said, but nobody waits for what is to be discarded.
    pub(super) fn ends(&self, over: Over) {
        let mut upload = self.upload();
        // Who closes it may be in a hurry later.
        if matches!(upload.over, None | Some(Over::Closed)) {
            upload.over = Some(over);
        }
        drop(upload);
        self.wake.notify_one();
    }

    /// Bytes of a stream came.
    pub(super) fn takes(&self, data: &[u8]) {
        self.upload().takes(data, self.carries == Carries::Bytes);
        self.wake.notify_one();
    }

    /// A datagram came.
    pub(super) fn takes_datagram(&self, to: Option<Place<'_>>, data: &[u8]) {
        self.upload().takes_datagram(to, data, self.carries == Carries::Datagrams);
        self.wake.notify_one();
    }

    /// The client takes so much more.
    pub(super) fn granted(&self, amount: u32) {
        let mut credits = self.credits();
        *credits = credits.saturating_add(u64::from(amount));
        drop(credits);
        self.more.notify_one();
    }

    /// The client sends nothing further.
    pub(super) fn finishes(&self) {
        self.upload().finishes();
        self.wake.notify_one();
    }

    /// Waits until the client takes at least so much; gives how much it takes.
    pub(super) async fn affords(&self, least: u64) -> u64 {
        loop {
            let now = *self.credits();
            if now >= least {
                return now;
            }
            self.more.notified().await;
        }
    }

    /// So much is on its way to the client.
    pub(super) fn spends(&self, amount: u64) {
        let mut credits = self.credits();
        *credits = credits.saturating_sub(amount);
    }

    /// So much of what the client sent was taken: it may send more.
    pub(super) fn grants(&self, taken: usize, outbox: &Outbox) {
        if let Some(amount) = self.upload().frees(taken) {
            outbox.say(&packet(PacketType::Credit, self.id, &amount.to_le_bytes()));
        }
    }

    /// Carries it from beginning to end.
    pub(super) async fn run(self: &Arc<Self>, start: Start, channel: &Channel) {
        let outbox = &channel.outbox;
        let (opened, told) = match start {
            Start::Accepted(opened, told) => (opened, Some(told)),
            Start::Open(wish) => {
                let opening = Box::pin(channel.opener.open_as(&wish));
                // What was written before it was closed goes, if it is open soon.
                let flushed = async {
                    self.until(|upload| upload.over.is_some()).await;
                    sleep(FLUSH).await;
                };
                let opened = tokio::select! {
                    biased;
                    () = self.until(Upload::is_called_off) => None,
                    () = flushed => None,
                    opened = opening => Some(opened),
                };
                match opened {
                    Some(Ok(opened)) => (opened, None),
                    None => return self.tell(&Why::default(), outbox),
                    Some(Err(refused)) => return self.refused(&refused, outbox),
                }
            }
        };
        let (opened, mut inbox, ledger) = opened;
        let socket = match opened {
            Opened::Stream(socket) => Socket::Tcp(socket),
            Opened::Datagram(socket) => Socket::Udp(socket),
            Opened::Listener(socket) => Socket::Listener(socket),
        };
        let told = told.unwrap_or_else(|| {
            let ends = json(&socket.ends());
            outbox.announce(&packet(PacketType::Opened, self.id, &ends))
        });
        let end = self.carry(&socket, &ledger, &mut inbox, channel, told).await;
        let why = Why::end(&end);
        self.close(socket, &ledger, &end);
        self.tell(&why, outbox);
    }

    fn refused(&self, refused: &Unopened, outbox: &Outbox) {
        self.tell(&Why::unopened(refused), outbox);
    }

    /// The last that is said of it.
    fn tell(&self, why: &Why, outbox: &Outbox) {
        let mut upload = self.upload();
        if !std::mem::replace(&mut upload.told, true) && upload.over != Some(Over::Lost) {
            outbox.say(&packet(PacketType::Closed, self.id, &json(why)));
        }
    }

    /// Whether the client was told that it is over.
    pub(super) fn is_told(&self) -> bool {
        self.upload().told
    }

    /// Tells the client of a connection that this listener accepted, unless it was told that there are no more. Gives which packet says
    /// so.
    pub(super) fn tells_of(&self, accepted: &Accepted, outbox: &Outbox) -> Option<u64> {
        let upload = self.upload();
        (!upload.told).then(|| outbox.announce(&packet(PacketType::Accepted, self.id, &json(accepted))))
    }

    /// Nobody hears of it.
    pub(super) fn unheard(self: Arc<Self>) -> Arc<Self> {
        self.upload().told = true;
        self.ends(Over::Discarded);
        self
    }

    /// Waits until that holds of what the client sends.
    pub(super) async fn until(&self, holds: impl Fn(&Upload) -> bool) {
        while !holds(&self.upload()) {
            self.wake.notified().await;
        }
    }

    /// Carries it until it is over. Nothing goes to the client before the packet that tells it of the socket.
    async fn carry(
        self: &Arc<Self>,
        socket: &Socket,
        ledger: &Ledger,
        inbox: &mut Inbox,
        channel: &Channel,
        told: u64,
    ) -> End {
        let mut drops = match socket {
            Socket::Udp(socket) => Some(Drops::of(socket)),
            Socket::Tcp(_) | Socket::Listener(_) => None,
        };
        let end = {
            let up = self.pump_up(socket, ledger, channel);
            let down = async {
                channel.outbox.has_said(told).await;
                self.pump_down(socket, ledger, channel, &mut drops).await
            };
            let ordered = ordered(ledger, inbox);
            tokio::pin!(up, down, ordered);
            let end = tokio::select! {
                biased;
                end = &mut ordered => Ok(end),
                end = &mut up => Err(end),
                end = &mut down => Err(end),
            };
            match end {
                Ok(ordered) => ordered,
                Err(end) => {
                    let rest = async {
                        match end {
                            // What the client sent before.
                            End::ClientClosed(_) => drop(self.flush(socket, ledger, channel).await),
                            // What the target said before it reset the connection may say why.
                            End::Target(Phase::Send | Phase::Shutdown, _) => drop(down.await),
                            _ => {}
                        }
                    };
                    tokio::select! {
                        biased;
                        sooner = ordered => sooner,
                        // A client that closes it in haste waits for neither.
                        () = self.until(Upload::is_dropped) => end,
                        _ = timeout(FLUSH, rest) => end,
                    }
                }
            }
        };
        if let (Some(drops), Socket::Udp(socket)) = (&mut drops, socket) {
            drops.look(socket, ledger.recorder().as_ref());
        }
        end
    }

    async fn pump_up(&self, socket: &Socket, ledger: &Ledger, channel: &Channel) -> End {
        match socket {
            Socket::Tcp(socket) => self.up(socket, ledger, &channel.outbox).await,
            Socket::Udp(socket) => self.up_datagrams(socket, ledger, channel).await,
            Socket::Listener(_) => {
                self.until(|upload| upload.over.is_some()).await;
                self.upload().end().unwrap_or(End::ClientClosed(None))
            }
        }
    }

    async fn pump_down(
        self: &Arc<Self>,
        socket: &Socket,
        ledger: &Ledger,
        channel: &Channel,
        drops: &mut Option<Drops>,
    ) -> End {
        match socket {
            Socket::Tcp(socket) => self.down(socket, ledger, &channel.outbox).await,
            Socket::Udp(socket) => self.down_datagrams(socket, ledger, &channel.outbox, drops).await,
            Socket::Listener(socket) => self.accept(socket, ledger, channel).await,
        }
    }

    /// Sends all that waits.
    async fn flush(&self, socket: &Socket, ledger: &Ledger, channel: &Channel) -> io::Result<()> {
        match socket {
            Socket::Tcp(socket) => {
                while {
                    let mut upload = self.upload();
                    upload.drain(socket, ledger)?;
                    !upload.is_empty()
                } {
                    socket.writable().await?;
                }
            }
            Socket::Udp(socket) => while self.send_next(socket, ledger, channel).await {},
            Socket::Listener(_) => {}
        }
        Ok(())
    }

    /// From the client: what waits, as the socket takes it, and then the FIN.
    async fn up(&self, socket: &TcpStream, ledger: &Ledger, outbox: &Outbox) -> End {
        loop {
            {
                let drained = self.upload().drain(socket, ledger);
                match drained {
                    Ok(written) => self.grants(written, outbox),
                    Err(error) => return self.breaks(Phase::Send, &error, ledger),
                }
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
            let standing = ledger.stand_still(What::Send, PauseReason::PeerNotReading, socket.writable());
            tokio::pin!(standing);
            loop {
                tokio::select! {
                    () = self.wake.notified() => if self.upload().over.is_some() { break },
                    ready = &mut standing => match ready {
                        Ok(()) => break,
                        Err(error) => return End::Target(Phase::Send, Errno::from(&error)),
                    }
                }
            }
        }
    }

    /// Writing has failed.
    fn breaks(&self, phase: Phase, error: &io::Error, ledger: &Ledger) -> End {
        ledger.breaks();
        self.upload().shut = true;
        self.more.notify_one();
        End::Target(phase, Errno::from(error))
    }

    /// To the client. Nothing is read that the client has no credits for, or before it is this socket's turn to write: so one
    /// buffer serves all, and what a client does not take stays in the kernel.
    async fn down(&self, socket: &TcpStream, ledger: &Ledger, outbox: &Outbox) -> End {
        let mut pace = Pace::default();
        loop {
            let entered = ledger.entering_receive();
            if let Err(error) = socket.readable().await {
                return End::Target(Phase::Receive, Errno::from(&error));
            }
            let mut came = Ok(None);
            let write = async {
                came = self.turn(entered, socket, ledger, outbox).await?;
                Ok(())
            };
            if ledger.stand_still(What::Read, PauseReason::ClientNotReading, write).await.is_err() {
                return End::ClientLost;
            }
            match came {
                Ok(Some(0)) => break,
                Ok(Some(n)) => pace.round(n).await,
                Ok(None) => {}
                Err(errno) => return End::Target(Phase::Receive, errno),
            }
        }
        if !ledger.eof() {
            return End::Eof;
        }
        outbox.say(&packet(PacketType::Fin, self.id, &[]));
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
        buffer[HEADER..FRONT].copy_from_slice(&head(PacketType::Data, self.id));
        let mut room = [0; HEADER];
        let start = frame::header(&mut room, Kind::Binary, Head::LEN + n);
        buffer[start..HEADER].copy_from_slice(&room[start..]);
        outbox.client.write(&buffer[start..FRONT + n]).await?;
        Ok(Ok(Some(n)))
    }

    /// Closes the socket, and says in the log how it ended.
    fn close(&self, socket: Socket, ledger: &Ledger, end: &End) {
        let unsent = {
            let mut upload = self.upload();
            upload.over.get_or_insert(Over::Closed);
            upload.unsent() as u64
        };
        let (cause, reason) = end.told(ledger);
        let recorder = ledger.recorder();
        match socket {
            Socket::Tcp(socket) => {
                if matches!(end, End::Ordered(Ending::Reset(_))) {
                    // Cannot fail on a living socket; were it to, the close would show as a FIN.
                    SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO)).ok();
                }
                stream::end(socket, recorder.as_ref(), &cause, reason, unsent);
            }
            Socket::Udp(socket) => {
                drop(socket);
                let left = Leftover { unsent, unread: 0 };
                recorder.record(Stamp::now(), &cause, Fact::Closed(reason, left), None);
            }
            Socket::Listener(socket) => {
                drop(socket);
                recorder.record(Stamp::now(), &cause, Fact::Closed(reason, Leftover::default()), None);
            }
        }
    }
}

impl Socket {
    fn ends(&self) -> Ends {
        let unknown = ([0, 0, 0, 0], 0).into();
        let (local, remote) = match self {
            Self::Tcp(socket) => (socket.local_addr(), socket.peer_addr().ok()),
            Self::Udp(socket) => (socket.local_addr(), socket.peer_addr().ok()),
            Self::Listener(socket) => (socket.local_addr(), None),
        };
        // Only fails on a connection that is reset already; its reading will say so.
        Ends::new(&local.unwrap_or(unknown), remote.as_ref())
    }
}
