//! One key: what it allows, and what is done with it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sockscope_sockets::{fact::Cause, target::Target};
use sockscope_wire::{BridgeKey, SocketId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::terms::Terms;

/// The rule by which a target that a key does not name is refused.
pub(crate) const TARGETS: &str = "key:targets";

/// How often the log is told that more is opened a second than a key allows, or that it is over: asking is free, and the log is
/// everybody's.
const TELL: Duration = Duration::from_secs(1);

/// A key, as whoever it let in holds it.
pub(crate) type Grant = Arc<Key>;

/// A key.
pub(crate) struct Key {
    id: String,
    /// Permits are signed with it.
    secret: Box<str>,
    /// Its place among all that were made.
    number: u64,
    made_at: String,
    terms: Terms,
    /// Bytes that passed, both ways.
    bytes: AtomicU64,
    used: Mutex<Used>,
    /// Why it opens nothing any more.
    over: OnceLock<Over>,
    /// Cancelled after that is said.
    ended: CancellationToken,
}

/// Why a key opens nothing any more.
#[derive(Debug, Clone)]
pub(crate) enum Over {
    /// All the bytes it allows have passed.
    Spent,
    /// Somebody took it back.
    Revoked(Cause),
}

impl Over {
    /// The same for people.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Spent => "key spent",
            Self::Revoked(_) => "key revoked",
        }
    }
}

/// What is done with a key.
struct Used {
    /// Connections it let in.
    connections: u32,
    /// Leases that are out.
    streams: u32,
    /// Those of them that have a socket.
    sockets: BTreeSet<SocketId>,
    /// Sockets in all.
    opened: u64,
    /// How many may be opened now, as of then: a bucket that fills with `connects_per_second` up to as many.
    tokens: f64,
    filled: Instant,
    /// When the log was last told that there are none, or that the key is over.
    told: Option<Instant>,
}

impl Used {
    /// Whether it is time to tell the log of another refusal that costs whoever asks nothing; it is told then.
    fn tells(&mut self, now: Instant) -> bool {
        let tells = self.told.is_none_or(|told| now.duration_since(told) >= TELL);
        if tells {
            self.told = Some(now);
        }
        tells
    }
}

/// Why there is no lease.
#[derive(Debug)]
pub(crate) enum NoLease {
    /// The key is over.
    Over(Over),
    /// As many are open as it allows.
    Streams,
    /// As many were opened within a second as it allows.
    Rate,
}

impl NoLease {
    /// The same for people.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Over(over) => over.as_str(),
            Self::Streams => "the key allows no more sockets at once",
            Self::Rate => "the key allows no more connects a second",
        }
    }

    /// The rule it is refused by.
    pub(crate) const fn rule(&self) -> &'static str {
        match self {
            Self::Over(Over::Spent) => "key:max_bytes",
            Self::Over(Over::Revoked(_)) => "key:revoked",
            Self::Streams => "key:max_streams",
            Self::Rate => "key:connects_per_second",
        }
    }
}

impl Key {
    pub(super) fn new(id: String, secret: Box<str>, number: u64, made_at: String, terms: Terms) -> Self {
        let used = Used {
            connections: 0,
            streams: 0,
            sockets: BTreeSet::new(),
            opened: 0,
            tokens: f64::from(terms.connects_per_second),
            filled: Instant::now(),
            told: None,
        };
        Self {
            id,
            secret,
            number,
            made_at,
            terms,
            bytes: AtomicU64::new(0),
            used: Mutex::new(used),
            over: OnceLock::new(),
            ended: CancellationToken::new(),
        }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        // Plain counters: a panic while it was held left none of them half written.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its name.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether every byte goes into the log.
    pub(crate) fn records(&self) -> bool {
        self.terms.record
    }

    /// How many sockets it allows at once.
    pub(crate) fn most_sockets(&self) -> usize {
        self.terms.max_streams as usize
    }

    /// Whether pages of this origin may use it.
    pub(crate) fn admits(&self, origin: &[u8]) -> bool {
        self.terms.origins.iter().any(|listed| listed.as_bytes() == origin)
    }

    /// Whether this is one of its targets. The policy still decides about the address behind it.
    pub(crate) fn allows(&self, target: &Target) -> bool {
        self.terms.targets.iter().any(|pattern| pattern.matches(target))
    }

    /// Counts one more connection, unless it is for `many` sockets and there are as many as the key allows sockets. Returns
    /// whether it did.
    pub(super) fn connect(&self, many: bool) -> bool {
        let mut used = self.used();
        let begins = !many || used.connections < self.terms.max_streams;
        used.connections += u32::from(begins);
        begins
    }

    /// One of them is over.
    pub(super) fn disconnect(&self) {
        self.used().connections -= 1;
    }

    /// A place for one more socket.
    ///
    /// # Errors
    /// Which limit is reached.
    pub(crate) fn lease(self: &Arc<Self>) -> Result<Lease, NoLease> {
        let mut used = self.used();
        if let Some(over) = self.over.get() {
            return Err(NoLease::Over(over.clone()));
        }
        let now = Instant::now();
        let most = f64::from(self.terms.connects_per_second);
        let filled = used.tokens + now.duration_since(used.filled).as_secs_f64() * most;
        (used.tokens, used.filled) = (filled.min(most), now);
        if used.tokens < 1.0 {
            return Err(NoLease::Rate);
        }
        used.tokens -= 1.0;
        if used.streams >= self.terms.max_streams {
            return Err(NoLease::Streams);
        }
        used.streams += 1;
        Ok(Lease { key: Arc::clone(self), socket: OnceLock::new(), ended: AtomicBool::new(false) })
    }

    /// Whether the log is to be told why there was no lease, if it was not told of others just now.
    pub(crate) fn is_news(&self, why: &NoLease) -> bool {
        match why {
            NoLease::Streams => true,
            NoLease::Rate | NoLease::Over(_) => self.used().tells(Instant::now()),
        }
    }

    /// It opens nothing any more, and whoever holds it hears of that. What is said first is said.
    pub(super) fn end(&self, over: Over) {
        // Said already: it ends for that reason.
        self.over.set(over).ok();
        self.ended.cancel();
    }

    /// Ends when the key does.
    pub(crate) async fn over(&self) -> Over {
        loop {
            self.ended.cancelled().await;
            if let Some(over) = self.over.get() {
                return over.clone();
            }
        }
    }

    /// Whether it is.
    pub(crate) fn is_over(&self) -> bool {
        self.over.get().is_some()
    }

    /// As the list shows it.
    pub(super) fn shown(&self) -> BridgeKey {
        let used = self.used();
        BridgeKey {
            id: self.id.clone(),
            name: self.terms.name.as_deref().map(str::to_owned),
            targets: self.terms.targets.iter().map(ToString::to_string).collect(),
            origins: self.terms.origins.iter().map(|origin| origin.to_string()).collect(),
            max_streams: self.terms.max_streams,
            connects_per_second: self.terms.connects_per_second,
            max_bytes: self.terms.max_bytes,
            record: self.terms.record,
            made_at: self.made_at.clone(),
            connections: used.connections,
            sockets: used.sockets.iter().copied().collect(),
            opened: used.opened,
            bytes: self.bytes.load(Relaxed),
        }
    }
}

/// A place for one socket among those that a key allows; given back by dropping it.
pub(crate) struct Lease {
    key: Grant,
    socket: OnceLock<SocketId>,
    ended: AtomicBool,
}

impl Lease {
    /// Whose it is.
    pub(crate) fn key(&self) -> &Grant {
        &self.key
    }

    /// The socket it is for is open.
    pub(crate) fn opened(&self, id: SocketId) {
        if self.socket.set(id).is_ok() {
            let mut used = self.key.used();
            used.opened += 1;
            used.sockets.insert(id);
        }
    }

    /// So many bytes passed. When they are all that the key allows, it is over.
    pub(crate) fn spend(&self, bytes: usize) {
        let bytes = bytes as u64;
        let spent = self.key.bytes.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if self.key.terms.max_bytes.is_some_and(|most| spent >= most) {
            self.key.end(Over::Spent);
        }
    }

    /// Gives the place back before it is dropped: the socket is closed, and its client may be long in leaving.
    pub(crate) fn end(&self) {
        if !self.ended.swap(true, Relaxed) {
            let mut used = self.key.used();
            used.streams -= 1;
            if let Some(id) = self.socket.get() {
                used.sockets.remove(id);
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end();
    }
}
