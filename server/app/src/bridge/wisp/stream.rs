//! One stream of a Wisp connection: a socket, and what waits for it.

use std::{
    collections::VecDeque,
    io,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use socket2::SockRef;
use sockscope_sockets::{
    drops::Drops,
    errno::Errno,
    fact::{DropReason, Fact, Failed, Failure, Leftover, PauseReason, Phase, Recorder as _, Stamp, What},
    mailbox::{Ending, Inbox},
    open::Opened,
    options::MAX_DATAGRAM,
    stream::{self, try_read},
};
use sockscope_wire::Code;
use tokio::{
    net::{TcpStream, UdpSocket},
    sync::Notify,
    time::{Instant, timeout},
};

use super::{
    BUFFER, Credits, Head, continue_packet, credits_for,
    outbox::Outbox,
    packet::{close_packet, data_head},
    reason,
};
use crate::bridge::{
    buffer::{Buffer, READ},
    datagram::{refusal, stirred},
    end::{End, FLUSH},
    frame::{self, HEADER, Kind},
    keys::NoLease,
    ledger::Ledger,
    opening::Unopened,
    pace::Pace,
};

/// Datagrams that wait for their socket, in all no longer than [`BUFFER`]; more are lost, as the network would lose them, and
/// counted.
const QUEUE: usize = 64;

/// A stream, as its task and whoever reads the connection share it.
pub(super) struct Stream {
    id: u32,
    pub(super) datagrams: bool,
    upload: Mutex<Upload>,
    /// Something is to be written, or it is over.
    wake: Notify,
    /// Something was written, or it is over.
    drained: Notify,
}

/// What the client sends.
struct Upload {
    /// Once it is open.
    open: Option<(Arc<Socket>, Arc<Ledger>)>,
    /// What the socket has not taken, oldest first; of the first, so many bytes are written.
    waiting: VecDeque<Waiting>,
    written: usize,
    /// How many bytes wait.
    bytes: usize,
    /// Datagrams that found no room, and that the log does not know of.
    lost: u64,
    credits: Credits,
    /// How long packets are: the longest that came, and the one that is coming.
    largest: usize,
    coming: usize,
    over: Option<Over>,
    /// One side has said that it is over: nothing more is said of it, and its number is free.
    told: bool,
}

/// Bytes that wait, with which so many packets end.
struct Waiting {
    data: Vec<u8>,
    packets: u32,
}

/// Why a stream ends, where its socket does not say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// The client closed it, or the connection.
    Closed,
    /// The connection is gone.
    Lost,
    /// More came than the client had credits for.
    Exceeded,
    /// The socket took no more.
    Failed(Errno),
}

/// What a stream did when it was its turn.
enum Turn {
    Nothing,
    Wrote(usize),
    Over(End),
}

/// What stands in front of the payload in a buffer.
const FRONT: usize = HEADER + Head::LEN;

/// A call about a datagram failed; the socket survives that.
fn failed(ledger: &Ledger, phase: Phase, errno: Errno) {
    let failed = Failed::minor(Failure::Os(errno), phase);
    ledger.recorder().record(Stamp::now(), &None, Fact::Failed(Box::new(failed)), None);
}

enum Socket {
    Tcp(TcpStream),
    Udp(UdpSocket, Mutex<Drops>),
}

impl Stream {
    pub(super) fn new(id: u32, datagrams: bool, credits: Credits) -> Arc<Self> {
        let upload = Upload {
            open: None,
            waiting: VecDeque::new(),
            written: 0,
            bytes: 0,
            lost: 0,
            credits,
            largest: 0,
            coming: 0,
            over: None,
            told: false,
        };
        Arc::new(Self {
            id,
            datagrams,
            upload: Mutex::new(upload),
            wake: Notify::new(),
            drained: Notify::new(),
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    fn upload(&self) -> MutexGuard<'_, Upload> {
        // Every change made under it is whole.
        self.upload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is over.
    pub(super) fn ends(&self, over: Over) {
        let mut upload = self.upload();
        upload.over.get_or_insert(over);
        upload.told |= matches!(over, Over::Closed | Over::Lost);
        drop(upload);
        self.drained.notify_waiters();
        self.wake.notify_one();
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

    /// A packet of data begins.
    pub(super) fn begins(&self) {
        if !self.datagrams && self.upload().credits.received().is_err() {
            self.ends(Over::Exceeded);
        }
    }

    /// Bytes came, with which so many packets end. What the socket does not take at once waits.
    pub(super) fn takes(&self, data: &[u8], packets: u32, outbox: &Outbox) {
        let mut upload = self.upload();
        if upload.over.is_some() {
            return;
        }
        upload.measure(data.len(), packets);
        let mut rest = data;
        let all = match &upload.open {
            Some((socket, ledger)) if upload.waiting.is_empty() => socket.send(&mut rest, ledger),
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
            Ok(false) => upload.push(rest, packets),
        }
        drop(upload);
        self.wake.notify_one();
    }

    /// Waits until what waits is no more than it may be. A client whose packets keep to the length its credits were made for
    /// never gets there; for the others nothing further is read.
    pub(super) async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            {
                let upload = self.upload();
                if upload.over.is_some() || upload.bytes <= BUFFER {
                    return;
                }
            }
            drained.await;
        }
    }

    /// Whether more waits than may.
    pub(super) fn is_full(&self) -> bool {
        self.upload().bytes > BUFFER
    }

    /// Lets the client send more, when it is time.
    fn grants(&self, upload: &mut Upload, outbox: &Outbox) {
        if self.datagrams || upload.open.is_none() || upload.told {
            return;
        }
        // Nothing is known before the first packet.
        let fit = if upload.largest > 0 { credits_for(upload.largest) } else { None };
        if let Some(credits) = upload.credits.due(fit.unwrap_or(NonZeroU32::MIN)) {
            outbox.say(&continue_packet(self.id, credits.get()));
        }
    }

    /// Carries it from beginning to end.
    pub(super) async fn run(
        &self,
        opening: impl Future<Output = Result<(Opened, Inbox, Ledger), Unopened>>,
        outbox: &Outbox,
    ) {
        let opened = tokio::select! {
            biased;
            () = self.over() => return,
            opened = opening => opened,
        };
        let (opened, mut inbox, ledger) = match opened {
            Ok((opened, inbox, ledger)) => (opened, inbox, Arc::new(ledger)),
            Err(refused) => {
                self.tell(why(&refused), outbox);
                return self.ends(Over::Closed);
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
        let last = match &end {
            // The client has said so itself, or nobody is there to hear it.
            End::ClientClosed(_) | End::ClientLost => None,
            End::ClientFailed(_) => Some(reason::THROTTLED),
            End::Key(_) => Some(reason::BLOCKED),
            End::Eof | End::Ordered(_) => Some(reason::VOLUNTARY),
            End::Target(_, Errno::ETIMEDOUT) => Some(reason::TRANSFER_TIMEOUT),
            End::Target(..) => Some(reason::NETWORK),
        };
        if let Some(last) = last {
            self.tell(last, outbox);
        }
        self.close(socket, &ledger, &end);
    }

    async fn over(&self) {
        loop {
            if self.upload().over.is_some() {
                return;
            }
            self.wake.notified().await;
        }
    }

    /// Runs both pumps until one ends.
    async fn carry(&self, socket: &Socket, ledger: &Ledger, inbox: &mut Inbox, outbox: &Outbox) -> End {
        let up = self.up(socket, ledger, outbox);
        let down = self.down(socket, ledger, outbox);
        let books = ledger.keep();
        tokio::pin!(up, down, books);
        let end = tokio::select! {
            biased;
            ending = inbox.end() => End::Ordered(ending),
            end = &mut up => end,
            end = &mut down => end,
            over = ledger.over() => End::Key(over),
            never = &mut books => match never {},
        };
        if matches!(end, End::ClientClosed(_) | End::Eof) {
            // What the client sent before is on its way.
            timeout(FLUSH, self.flush(socket, ledger)).await.ok();
        }
        end
    }

    /// From the client: what waits, as the socket takes it.
    async fn up(&self, socket: &Socket, ledger: &Ledger, outbox: &Outbox) -> End {
        loop {
            self.wake.notified().await;
            loop {
                {
                    let mut upload = self.upload();
                    let packets = match upload.drain(socket, ledger) {
                        Ok(packets) => packets,
                        Err(error) => return End::Target(Phase::Send, Errno::from(&error)),
                    };
                    upload.credits.written(packets);
                    self.grants(&mut upload, outbox);
                    self.drained.notify_waiters();
                    socket.lost(std::mem::take(&mut upload.lost), ledger);
                    match upload.over {
                        None => {}
                        Some(Over::Closed) => return End::ClientClosed(None),
                        Some(Over::Lost) => return End::ClientLost,
                        Some(Over::Exceeded) => return End::ClientFailed(frame::code::POLICY),
                        Some(Over::Failed(errno)) => return End::Target(Phase::Send, errno),
                    }
                    if upload.waiting.is_empty() {
                        break;
                    }
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
    }

    /// Writes all that waits.
    async fn flush(&self, socket: &Socket, ledger: &Ledger) -> io::Result<()> {
        while {
            let mut upload = self.upload();
            upload.drain(socket, ledger)?;
            !upload.waiting.is_empty()
        } {
            socket.writable().await?;
        }
        Ok(())
    }

    /// To the client. Nothing is read before it is this stream's turn to write: so one buffer serves all streams, and what the
    /// client does not take stays in the kernel.
    async fn down(&self, socket: &Socket, ledger: &Ledger, outbox: &Outbox) -> End {
        let mut pace = Pace::default();
        loop {
            let entered = ledger.entering_receive();
            if let Err(error) = socket.readable().await {
                return End::Target(Phase::Receive, Errno::from(&error));
            }
            let mut turn = Turn::Nothing;
            let write = async {
                turn = self.turn(entered, socket, ledger, outbox).await?;
                Ok(())
            };
            if ledger.stand_still(What::Read, PauseReason::ClientNotReading, write).await.is_err() {
                return End::ClientLost;
            }
            match turn {
                Turn::Nothing => {}
                Turn::Wrote(n) => pace.round(n).await,
                Turn::Over(End::Eof) => {
                    ledger.tell();
                    ledger.recorder().record(Stamp::now(), &None, Fact::Eof(ledger.received_bytes()), None);
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
        let mut room = [0; HEADER];
        let start = frame::header(&mut room, Kind::Binary, Head::LEN + n);
        buffer[start..HEADER].copy_from_slice(&room[start..]);
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
            self.drained.notify_waiters();
            ((upload.bytes - upload.written.min(upload.bytes)) as u64, std::mem::take(&mut upload.lost))
        };
        socket.lost(lost, ledger);
        let (cause, reason) = end.told(ledger);
        let recorder = ledger.recorder();
        match Arc::into_inner(socket) {
            Some(Socket::Tcp(socket)) => {
                if matches!(end, End::Ordered(Ending::Reset(_))) {
                    // Cannot fail on a living socket; were it to, the close would show as a FIN.
                    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).ok();
                }
                stream::end(socket, recorder.as_ref(), &cause, reason, unsent);
            }
            socket => {
                drop(socket);
                let left = Leftover { unsent, unread: 0 };
                recorder.record(Stamp::now(), &cause, Fact::Closed(reason, left), None);
            }
        }
    }
}

impl Upload {
    /// Takes note of how long packets are: bytes came, with which so many end.
    fn measure(&mut self, bytes: usize, packets: u32) {
        self.coming += bytes;
        if packets > 0 {
            self.largest = self.largest.max(self.coming / packets as usize);
            self.coming = 0;
        }
    }

    /// Whether a datagram of that length may wait.
    fn has_room(&self, bytes: usize) -> bool {
        self.waiting.len() < QUEUE && self.bytes + bytes <= BUFFER
    }

    fn push(&mut self, data: &[u8], packets: u32) {
        self.bytes += data.len();
        self.waiting.push_back(Waiting { data: data.to_vec(), packets });
    }

    /// Writes what the socket takes of what waits. Returns how many packets that were, to their ends.
    fn drain(&mut self, socket: &Socket, ledger: &Ledger) -> io::Result<u32> {
        let mut packets = 0;
        while let Some(first) = self.waiting.front() {
            let mut rest = &first.data[self.written..];
            if !socket.send(&mut rest, ledger)? {
                self.written = first.data.len() - rest.len();
                break;
            }
            packets += first.packets;
            self.bytes -= first.data.len();
            self.written = 0;
            self.waiting.pop_front();
        }
        Ok(packets)
    }
}

impl Socket {
    fn datagram(socket: UdpSocket) -> Self {
        let drops = Mutex::new(Drops::of(&socket));
        Self::Udp(socket, drops)
    }

    /// Hands over what the kernel takes now, and leaves in `rest` what it does not. Returns whether that was all.
    fn send(&self, rest: &mut &[u8], ledger: &Ledger) -> io::Result<bool> {
        loop {
            if rest.is_empty() && matches!(self, Self::Tcp(_)) {
                return Ok(true);
            }
            let entered = ledger.entering_send();
            let result = match self {
                Self::Tcp(socket) => socket.try_write(rest),
                Self::Udp(socket, _) => socket.try_send(rest),
            };
            match (result, self) {
                (Ok(n), _) => {
                    ledger.sent(entered, &rest[..n]);
                    *rest = &rest[n..];
                    if matches!(self, Self::Udp(..)) {
                        return Ok(true);
                    }
                }
                (Err(error), _) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                (Err(error), Self::Tcp(_)) => return Err(error),
                (Err(error), Self::Udp(..)) => {
                    let errno = Errno::from(&error);
                    failed(ledger, Phase::Send, errno);
                    // That was about a datagram of before (ICMP); any other error is about this one, which is lost.
                    if errno != Errno::ECONNREFUSED {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Has datagrams recorded that were lost: so many on their way out, and those that the kernel dropped meanwhile.
    fn lost(&self, count: u64, ledger: &Ledger) {
        if let Self::Udp(socket, drops) = self {
            let recorder = ledger.recorder().as_ref();
            // A count that was being changed is still a count.
            let mut drops = drops.lock().unwrap_or_else(PoisonError::into_inner);
            drops.lost(count, DropReason::QueueFull, recorder);
            drops.look(socket, recorder);
        }
    }

    /// Takes what there is; `None` at the end of a stream.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self {
            Self::Tcp(socket) => try_read(socket, buffer).map(|n| (n > 0).then_some(n)),
            Self::Udp(socket, _) => match refusal(socket) {
                Some(error) => Err(error),
                None => socket.try_recv(&mut buffer[..MAX_DATAGRAM]).map(Some),
            },
        }
    }

    async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.readable().await,
            Self::Udp(socket, _) => stirred(socket).await,
        }
    }

    async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.writable().await,
            Self::Udp(socket, _) => socket.writable().await,
        }
    }
}

/// Why a stream could not be opened.
fn why(unopened: &Unopened) -> u8 {
    let refused = match unopened {
        Unopened::NoLease(NoLease::Streams | NoLease::Rate { .. }) => return reason::THROTTLED,
        Unopened::NoLease(NoLease::Over(_)) | Unopened::Over(_) | Unopened::Target => return reason::BLOCKED,
        Unopened::Refused(refused) => refused,
    };
    match refused.code {
        Code::InvalidTarget | Code::InvalidHost | Code::InvalidPort => reason::INVALID,
        Code::NameNotFound | Code::NoAddress | Code::ResolveFailed | Code::Unreachable => reason::UNREACHABLE,
        Code::TimedOut | Code::ResolveTimedOut => reason::CONNECT_TIMEOUT,
        Code::Refused => reason::REFUSED,
        Code::Denied | Code::PermissionDenied => reason::BLOCKED,
        Code::TooManySockets | Code::NoDescriptors => reason::THROTTLED,
        _ => reason::NETWORK,
    }
}
