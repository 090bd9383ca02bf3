//! One socket of a channel: what waits for it, and its task from beginning to end.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sockscope_sockets::{drops::Drops, fact::Phase, mailbox::Inbox, open::Opened};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Notify, mpsc},
    time::timeout,
};

use super::{
    PacketType, Place, WINDOW,
    listener::Born,
    open::Carries,
    packet::packet,
    told::{Accepted, Ends, Why, json},
    upload::{Over, Upload},
};
use crate::{
    bridge::{
        Opener, Unopened,
        end::{End, FLUSH, ordered},
        ledger::Ledger,
        outbox::Outbox,
    },
    workspace::Wish,
};

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
                // What was written before it was closed goes, if it is open soon. One waits after the other: a wake reaches one alone.
                let called_off = async {
                    self.until(|upload| upload.over.is_some()).await;
                    timeout(FLUSH, self.until(Upload::is_called_off)).await.ok();
                };
                let opened = tokio::select! {
                    biased;
                    () = called_off => None,
                    opened = opening => Some(opened),
                };
                match opened {
                    Some(Ok(opened)) => (opened, None),
                    None => {
                        let why = self.upload().end().map_or_else(Why::default, |end| Why::end(&end));
                        return self.tell(&why, outbox);
                    }
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
        inbox.close();
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

    /// Waits until that holds of what the client sends. A wake reaches one who waits: nobody else may meanwhile.
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
            let mut down = Box::pin(async {
                channel.outbox.has_said(told).await;
                self.pump_down(socket, ledger, channel, &mut drops).await
            });
            let ordered = ordered(ledger, inbox);
            tokio::pin!(up, ordered);
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
                            // What the client sent before. Meanwhile others write: it may not be this socket's turn.
                            End::ClientClosed(_) => {
                                drop(down);
                                drop(self.flush(socket, ledger, channel).await);
                            }
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
                        _ = Box::pin(timeout(FLUSH, rest)) => end,
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

    /// Sends all that waits; never done once the key is over, for which somebody else waits.
    async fn flush(&self, socket: &Socket, ledger: &Ledger, channel: &Channel) -> io::Result<()> {
        match socket {
            Socket::Tcp(socket) => {
                while {
                    let mut upload = self.upload();
                    upload.drain(socket, ledger)?;
                    !upload.is_empty()
                } {
                    ledger.goes_on().await;
                    socket.writable().await?;
                }
            }
            Socket::Udp(socket) => while self.send_next(socket, ledger, channel).await {},
            Socket::Listener(_) => {}
        }
        Ok(())
    }

    /// Closes the socket, and says in the log how it ended.
    fn close(&self, socket: Socket, ledger: &Ledger, end: &End) {
        let unsent = {
            let mut upload = self.upload();
            upload.over.get_or_insert(Over::Closed);
            upload.unsent() as u64
        };
        match socket {
            Socket::Tcp(socket) => end.close(socket, ledger, unsent),
            gone => {
                drop(gone);
                end.closed(ledger, unsent);
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
