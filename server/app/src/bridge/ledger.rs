//! What passed through a bridged socket, for the log: the first bytes each way, and from then on how much.

use std::{
    convert::Infallible,
    future::pending,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use sockscope_sockets::fact::{Chunk, Fact, PauseReason, Recorder as _, Relayed, Stamp, What};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

use super::keys::{Lease, Over};
use crate::workspace::SocketRecorder;

/// How many bytes each way are in the log, unless all are.
const FIRST: u64 = 1024;

/// How long somebody may take no byte before the log says that it does not read.
const STALL_AFTER: Duration = Duration::from_secs(1);

/// How often the log is told how much has passed, while something does.
const TELL: Duration = Duration::from_millis(250);

/// One direction. Only its pump adds to it.
#[derive(Default)]
struct Way {
    /// All that passed.
    bytes: AtomicU64,
    /// Of that, what the log was not told.
    untold: AtomicU64,
    calls: AtomicU64,
}

/// The books of one bridged socket.
pub(crate) struct Ledger {
    recorder: Arc<SocketRecorder>,
    /// The key it is carried under.
    lease: Option<Lease>,
    /// What passes are datagrams: they have no place in a stream.
    datagrams: bool,
    /// So many bytes each way are recorded.
    first: u64,
    sent: Way,
    received: Way,
    /// Something passed that the log does not know.
    more: AtomicBool,
    stir: Notify,
    /// Writing to the target has failed: what ends behind that is no FIN.
    broken: AtomicBool,
}

impl Ledger {
    /// Of a socket that has carried nothing. With `all`, every byte is recorded.
    pub(crate) fn new(recorder: Arc<SocketRecorder>, datagrams: bool, all: bool) -> Self {
        Self {
            recorder,
            lease: None,
            datagrams,
            first: if all { u64::MAX } else { FIRST },
            sent: Way::default(),
            received: Way::default(),
            more: AtomicBool::new(false),
            stir: Notify::new(),
            broken: AtomicBool::new(false),
        }
    }

    /// The same, of a socket that a key opened: the key pays for what passes.
    pub(crate) fn under(self, lease: Option<Lease>) -> Self {
        if let Some(lease) = &lease {
            lease.opened(self.recorder.id());
        }
        Self { lease, ..self }
    }

    /// Ends when its key does.
    pub(super) async fn over(&self) -> Over {
        match &self.lease {
            Some(lease) => lease.key().over().await,
            None => pending().await,
        }
    }

    /// The socket is about to be closed: somebody else may have its place.
    pub(super) fn leave(&self) {
        if let Some(lease) = &self.lease {
            lease.end();
        }
    }

    /// Whether the key it was opened with is over: nothing more is to pass.
    pub(super) fn is_over(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.key().is_over())
    }

    /// Waits for ever if the key is over: whoever waits for its end is to have a turn.
    pub(super) async fn goes_on(&self) {
        if self.is_over() {
            pending().await
        }
    }

    /// Records the facts of the same socket.
    pub(crate) fn recorder(&self) -> &Arc<SocketRecorder> {
        &self.recorder
    }

    /// How many bytes the target has sent.
    pub(super) fn received_bytes(&self) -> u64 {
        self.received.bytes.load(Relaxed)
    }

    /// How many bytes the target was sent.
    pub(super) fn sent_bytes(&self) -> u64 {
        self.sent.bytes.load(Relaxed)
    }

    /// The target took these bytes; the call was entered then, where that was noted.
    pub(super) fn sent(&self, entered: Option<Instant>, bytes: &[u8]) {
        self.passed(&self.sent, Fact::Sent, entered, None, bytes);
    }

    /// Writing to the target has failed.
    pub(super) fn breaks(&self) {
        self.broken.store(true, Relaxed);
    }

    /// Nothing further comes from the target. Returns whether that is its FIN, and records it then.
    pub(super) fn eof(&self) -> bool {
        let is_fin = !self.broken.load(Relaxed);
        if is_fin {
            self.tell();
            self.recorder.record(Stamp::now(), &None, Fact::Eof(self.received_bytes()), None);
        }
        is_fin
    }

    /// The kernel took a datagram to there.
    pub(super) fn sent_to(&self, entered: Option<Instant>, to: SocketAddr, bytes: &[u8]) {
        self.passed(&self.sent, Fact::Sent, entered, Some(to), bytes);
    }

    /// The target sent these.
    pub(super) fn received(&self, entered: Option<Instant>, bytes: &[u8]) {
        self.passed(&self.received, Fact::Received, entered, None, bytes);
    }

    /// A datagram came from there.
    pub(super) fn received_from(&self, entered: Option<Instant>, from: SocketAddr, bytes: &[u8]) {
        self.passed(&self.received, Fact::Received, entered, Some(from), bytes);
    }

    /// When a call is entered, if it will be recorded: asking the clock is not for nothing.
    pub(super) fn entering_send(&self) -> Option<Instant> {
        (self.sent.bytes.load(Relaxed) < self.first).then(Instant::now)
    }

    /// The same of a read.
    pub(super) fn entering_receive(&self) -> Option<Instant> {
        (self.received.bytes.load(Relaxed) < self.first).then(Instant::now)
    }

    fn passed(
        &self,
        way: &Way,
        fact: impl FnOnce(Chunk) -> Fact,
        entered: Option<Instant>,
        peer: Option<SocketAddr>,
        bytes: &[u8],
    ) {
        let before = way.bytes.load(Relaxed);
        way.bytes.store(before + bytes.len() as u64, Relaxed);
        if let Some(lease) = &self.lease {
            // An empty datagram is not for nothing either: who sends them without end would else pay for none.
            lease.spend(bytes.len().max(1));
        }
        let shown = usize::try_from(self.first.saturating_sub(before)).unwrap_or(usize::MAX).min(bytes.len());
        // Empty datagrams are told like the others where all is; they cost no bytes, of which the first would have room for.
        if shown > 0 || bytes.is_empty() && self.first == u64::MAX {
            self.show(fact, (before, peer), entered, &bytes[..shown]);
        } else {
            way.calls.fetch_add(1, Relaxed);
        }
        if shown < bytes.len() || bytes.is_empty() {
            way.untold.fetch_add((bytes.len() - shown) as u64, Relaxed);
            if !self.more.load(Relaxed) {
                self.more.store(true, Relaxed);
                self.stir.notify_one();
            }
        }
    }

    fn show(
        &self,
        fact: impl FnOnce(Chunk) -> Fact,
        (offset, peer): (u64, Option<SocketAddr>),
        entered: Option<Instant>,
        bytes: &[u8],
    ) {
        // A full log that may give nothing up takes the fact without its bytes: nobody waits for a viewer here.
        let granted = self.recorder.admit(bytes.len());
        let payload = (granted == bytes.len()).then_some(bytes);
        if payload.is_none() {
            self.recorder.decline(granted);
        }
        // At most what a buffer holds.
        let len = bytes.len() as u32;
        let chunk = if self.datagrams { Chunk::to(len, peer) } else { Chunk::of_stream(len, offset) };
        let stamp = entered.map_or_else(Stamp::now, Stamp::since);
        self.recorder.record(stamp, &None, fact(chunk), payload);
    }

    /// Waits, and says so in the log when it takes long. Whoever calls keeps what is waited for: handed over by value, it would lie
    /// in this future twice.
    pub(super) async fn stand_still(
        &self,
        what: What,
        reason: PauseReason,
        mut done: Pin<&mut impl Future<Output = io::Result<()>>>,
    ) -> io::Result<()> {
        // Mostly it is done at once, and then no timer is needed.
        if let Some(result) = (&mut done).now_or_never() {
            return result;
        }
        let entered = Instant::now();
        if let Ok(result) = timeout(STALL_AFTER, &mut done).await {
            return result;
        }
        self.recorder.record(Stamp::since(entered), &None, Fact::Paused(what, reason, 0), None);
        let result = done.await;
        self.recorder.record(Stamp::now(), &None, Fact::Resumed(what, entered.elapsed()), None);
        result
    }

    /// Tells the log, now and then, for as long as it is polled.
    pub(super) async fn keep(&self) -> Infallible {
        loop {
            self.stir.notified().await;
            sleep(TELL).await;
            self.tell();
        }
    }

    /// Tells the log what it does not know.
    pub(crate) fn tell(&self) {
        self.more.store(false, Relaxed);
        let relayed = Relayed {
            sent_bytes: self.sent.untold.swap(0, Relaxed),
            sent_calls: self.sent.calls.swap(0, Relaxed),
            received_bytes: self.received.untold.swap(0, Relaxed),
            received_calls: self.received.calls.swap(0, Relaxed),
        };
        if relayed != Relayed::default() {
            self.recorder.record(Stamp::now(), &None, Fact::Relayed(Box::new(relayed)), None);
        }
    }
}
