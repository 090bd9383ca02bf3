//! What sockets report, and who they report it to.

use std::{
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    errno::Errno,
    kernel::info::{Queues, TcpInfo},
    options::OptionName,
    policy::ResolveError,
};

/// Who asked for something: the command's name and the one who gave it.
#[derive(Debug, PartialEq, Eq)]
pub struct Origin {
    /// The command, unique in the epoch.
    pub cause: Box<str>,
    /// The principal.
    pub by: Box<str>,
}

/// The command a fact is due to; `None` where nobody asked for it.
pub type Cause = Option<Arc<Origin>>;

/// When a call returned and how long it took, waiting for readiness included.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// When it happened.
    pub at: Instant,
    /// How long the call took; `None` where the fact is no call.
    pub took: Option<Duration>,
}

impl Stamp {
    /// Something that happened now and is no call.
    #[must_use]
    pub fn now() -> Self {
        Self { at: Instant::now(), took: None }
    }

    /// A call that was entered then and returned now.
    #[must_use]
    pub fn since(entered: Instant) -> Self {
        let at = Instant::now();
        Self { at, took: Some(at.duration_since(entered)) }
    }

    /// How long the call took in µs.
    #[must_use]
    pub fn took_us(&self) -> Option<u64> {
        self.took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX - 1))
    }
}

/// Which step of an operation it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Turning a name into addresses.
    Resolve,
    /// socket(2).
    Socket,
    /// connect(2).
    Connect,
    /// bind(2).
    Bind,
    /// listen(2).
    Listen,
    /// accept(2).
    Accept,
    /// send(2) and its kin.
    Send,
    /// recv(2) and its kin.
    Receive,
    /// shutdown(2).
    Shutdown,
    /// setsockopt(2).
    Option,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The kernel said so.
    Os(Errno),
    /// A name could not be resolved.
    Resolve(ResolveError),
    /// Our own limit on connecting ran out before the kernel's.
    TimedOut,
}

/// Why a descriptor was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Somebody closed it.
    Closed,
    /// Somebody closed it while it was opening.
    Cancelled,
    /// Both directions of the stream had ended.
    BothEnded,
    /// It was reset, by either side.
    Reset,
    /// A call failed for good.
    Failed,
    /// The listener that accepted it was closed with its children.
    ListenerClosed,
    /// The server is shutting down.
    ShuttingDown,
    /// The bridge's client closed its connection.
    ClientClosed,
    /// The bridge's client is gone without a word, or broke the rules.
    ClientLost,
    /// All the bytes that the bridge's key allows have passed.
    KeySpent,
}

/// What stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Reading.
    Read,
    /// Sending.
    Send,
    /// Accepting.
    Accept,
}

/// Why it stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PauseReason {
    /// The log may not give anything up and has no room.
    LogFull,
    /// The peer takes no more bytes.
    PeerNotReading,
    /// The bridge's client takes no more bytes.
    ClientNotReading,
    /// No more sockets may be open.
    TooManySockets,
    /// The process has no descriptor left.
    NoDescriptors,
}

/// Why datagrams were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// The kernel's receive buffer was full.
    KernelBufferFull,
    /// The log was full and may not give anything up.
    LogFull,
    /// Too many waited for the socket to take them.
    QueueFull,
}

/// The bytes of one read or write.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// How many bytes.
    pub len: u32,
    /// How long a datagram was that was longer than the read; 0 where nothing was cut off.
    pub cut: u32,
    /// Where in its stream, or when in the kernel.
    pub place: Place,
    /// The other end of a datagram. Shared, because most come from the same one in the same way.
    pub peer: Option<Arc<Peer>>,
}

impl Chunk {
    /// Bytes of a stream, from that offset on.
    #[must_use]
    pub fn of_stream(len: u32, offset: u64) -> Self {
        Self { len, cut: 0, place: Place::Offset(offset), peer: None }
    }

    /// Stream offset of the first byte; none of a datagram.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match self.place {
            Place::Offset(offset) => Some(offset),
            Place::Arrived(_) | Place::Nowhere => None,
        }
    }

    /// A datagram that goes there.
    #[must_use]
    pub fn to(len: u32, to: Option<SocketAddr>) -> Self {
        Self { len, cut: 0, place: Place::Nowhere, peer: to.map(|to| Arc::new(Peer::at(to))) }
    }
}

/// What places bytes among others. Streams have offsets and datagrams times, so one field is enough for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Stream offset of the first.
    Offset(u64),
    /// When the kernel had the datagram (SO_TIMESTAMPNS).
    Arrived(Instant),
    /// A datagram, and the kernel does not say.
    Nowhere,
}

/// The other end of a datagram, and how it came from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// How many hops the datagram had left (IP_RECVTTL, IPV6_RECVHOPLIMIT).
    pub ttl: Option<u8>,
    /// By which interface it came (IP_PKTINFO, IPV6_RECVPKTINFO).
    pub interface: Option<Arc<str>>,
}

impl Peer {
    /// One that something goes to.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self { address, ttl: None, interface: None }
    }
}

/// An ICMP error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp {
    /// Its type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// Who sent it.
    pub from: Option<IpAddr>,
}

/// What happened to a socket.
#[derive(Debug, Clone)]
pub enum Fact {
    /// A name was resolved.
    Resolved(Box<(String, Vec<SocketAddr>)>),
    /// A connection attempt began: address, number, how many there are.
    Connecting(Box<(SocketAddr, u32, u32)>),
    /// The socket is connected: local, remote.
    Connected(Box<(SocketAddr, SocketAddr)>),
    /// The socket has a local address.
    Bound(Box<SocketAddr>),
    /// The socket accepts connections: address, backlog.
    Listening(Box<(SocketAddr, u32)>),
    /// A write took bytes.
    Sent(Chunk),
    /// A read returned bytes.
    Received(Chunk),
    /// The peer's FIN, after so many bytes.
    Eof(u64),
    /// We shut our sending direction down.
    Shutdown,
    /// The peer's RST, met by that call.
    ResetByPeer(Phase, Errno),
    /// Our RST.
    ResetByUs,
    /// Somebody closed it; so many queued bytes are written first.
    Closing(u64),
    /// The descriptor is closed.
    Closed(EndReason, Leftover),
    /// The policy refused.
    Denied(Box<Denied>),
    /// A call failed.
    Failed(Box<Failed>),
    /// An option was set: which, asked, granted.
    OptionSet(Box<(OptionName, u64, u64)>),
    /// Datagrams were lost: how many, how many in all, why.
    Dropped(Box<(u64, u64, DropReason)>),
    /// The socket stands still; bytes waiting, for a send.
    Paused(What, PauseReason, u64),
    /// It moves again, after so long.
    Resumed(What, Duration),
    /// A connection attempt was given up: another address answered first.
    Abandoned(Box<SocketAddr>),
    /// A connection waited, accepted, for a place among the open sockets and was closed with its listener.
    Unserved(Box<SocketAddr>),
    /// The middlebox let nothing pass any more, after so long without a segment.
    Forgotten(Duration),
    /// So much passed through an attached socket and was not told.
    Relayed(Box<Relayed>),
}

/// What passed through a socket since it was told last, beside what was told by itself.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Relayed {
    /// Bytes the kernel took.
    pub sent_bytes: u64,
    /// In so many writes, or datagrams.
    pub sent_calls: u64,
    /// Bytes the kernel handed over.
    pub received_bytes: u64,
    /// In so many reads, or datagrams.
    pub received_calls: u64,
}

/// What a closed socket left undone.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Leftover {
    /// Bytes that were accepted for sending and never written.
    pub unsent: u64,
    /// Bytes of a stream that lay unread in the kernel.
    pub unread: u64,
}

/// A refusal by the policy.
#[derive(Debug, Clone)]
pub struct Denied {
    /// What was asked for.
    pub target: String,
    /// The address, where there is one.
    pub address: Option<SocketAddr>,
    /// Its class.
    pub class: Option<crate::policy::Class>,
    /// The rule that decided.
    pub rule: &'static str,
    /// The socket is over.
    pub fatal: bool,
}

/// A failed call.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// Which step.
    pub phase: Phase,
    /// For which address.
    pub remote: Option<SocketAddr>,
    /// Which option, of a setsockopt(2).
    pub option: Option<OptionName>,
    /// The ICMP error it is due to.
    pub icmp: Option<Icmp>,
    /// The socket is over.
    pub fatal: bool,
}

impl Failed {
    /// A call the socket survives.
    #[must_use]
    pub fn minor(failure: Failure, phase: Phase) -> Self {
        Self { failure, phase, remote: None, option: None, icmp: None, fatal: false }
    }
}

/// A future a trait object can return.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes the facts of one socket into the log. Recording is synchronous and never waits.
pub trait Recorder: Send + Sync + 'static {
    /// Records a fact; `payload` holds the bytes of a `Sent` or `Received`.
    fn record(&self, stamp: Stamp, cause: &Cause, fact: Fact, payload: Option<&[u8]>);

    /// How many bytes of payload the next read may bring, at most `most`; 0 when the log is full and may not give
    /// anything up. What is granted stays set aside until the read is recorded or [`Recorder::decline`]d.
    fn admit(&self, most: usize) -> usize;

    /// Gives back what [`Recorder::admit`] granted to a read that brought fewer or no bytes.
    fn decline(&self, granted: usize);

    /// Ends when the log has room again.
    fn room(&self) -> Wait;

    /// Whether somebody watches the kernel's side of this socket: if nobody does, [`Recorder::dialling`] and [`Recorder::counted`] need
    /// not be told, and what they tell need not be asked for.
    fn watches(&self) -> bool {
        false
    }

    /// A stream is being connected from here to there, by the socket with this SO_COOKIE: the kernel has chosen our address, and
    /// there is no answer yet. Told only where somebody [watches](Recorder::watches).
    fn dialling(&self, _local: SocketAddr, _remote: SocketAddr, _cookie: Option<u64>) {}

    /// What the kernel counts of a stream: when somebody looks, and just before it is closed. Told only where somebody
    /// [watches](Recorder::watches).
    fn counted(&self, _info: &TcpInfo, _queues: Queues) {}
}
