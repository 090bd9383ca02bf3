//! Meters: what a way of delivery costs, counted at the accepted connections.
//!
//! A browser reuses connections as it likes, so a connection belongs to no way of delivery. Each request does: from the
//! moment its header is read, what the connection carries is counted under the meter the request names.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use sockscope_sockets::tcp_info::Segments;
use sockscope_wire::{Meter as Figures, MeterSegments};
use tokio::time::Instant;

use crate::http::Wire;

/// Meters that run at once. One more is refused: whoever begins many must not end those of others.
pub const METERS: usize = 256;

/// A meter that was neither used nor read for so long, and has no connection, belongs to somebody who has left.
const UNUSED: Duration = Duration::from_secs(600);

/// Every meter that runs.
#[derive(Default)]
pub struct Meters {
    by_id: Mutex<BTreeMap<u64, Arc<Meter>>>,
    /// How many there are, for a look without the lock: mostly there are none.
    running: AtomicUsize,
    next: AtomicU64,
}

/// One meter.
#[derive(Default)]
pub struct Meter {
    id: String,
    /// When it was begun, used or read last.
    touched: Mutex<Option<Instant>>,
    requests: AtomicU64,
    empty: AtomicU64,
    full: AtomicU64,
    events: AtomicU64,
    connections: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
    body_down: AtomicU64,
    data_up: AtomicU64,
    data_down: AtomicU64,
    acks_up: AtomicU64,
    acks_down: AtomicU64,
    cpu_ns: AtomicU64,
    /// Connections whose current request it counts, by their address in memory.
    open: Mutex<HashMap<usize, Weak<Wire>>>,
}

impl Meters {
    /// Begins one, unless there are as many as there may be.
    pub fn start(&self) -> Option<Arc<Meter>> {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        by_id.retain(|_, meter| !meter.is_left());
        let begun = (by_id.len() < METERS).then(|| {
            let number = self.next.fetch_add(1, Relaxed) + 1;
            let meter = Arc::new(Meter { id: format!("m{number}"), ..Meter::default() });
            meter.touch();
            by_id.insert(number, Arc::clone(&meter));
            meter
        });
        self.running.store(by_id.len(), Relaxed);
        begun
    }

    /// The meter of that name.
    pub fn get(&self, id: &str) -> Option<Arc<Meter>> {
        let number = id.strip_prefix('m')?.parse().ok()?;
        let by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        by_id.get(&number).filter(|meter| meter.id == id).cloned()
    }

    /// Forgets one. Returns whether there was one.
    pub fn stop(&self, id: &str) -> bool {
        let Some(number) = self.get(id).and_then(|meter| meter.id[1..].parse().ok()) else { return false };
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = by_id.remove(&number).is_some();
        self.running.store(by_id.len(), Relaxed);
        gone
    }

    /// Whether there is any.
    #[must_use]
    pub fn any(&self) -> bool {
        self.running.load(Relaxed) > 0
    }

    /// The meter a request names in its query.
    pub fn named_in(&self, query: Option<&str>) -> Option<Arc<Meter>> {
        if !self.any() {
            return None;
        }
        self.get(query?.split('&').find_map(|field| field.strip_prefix("meter="))?)
    }
}

impl Meter {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A poll was answered with so many events; with `full`, more were there than its limits let through.
    pub fn polled(&self, events: usize, full: bool) {
        self.told(events);
        if events == 0 {
            self.empty.fetch_add(1, Relaxed);
        }
        if full {
            self.full.fetch_add(1, Relaxed);
        }
    }

    /// So many events were delivered.
    pub fn told(&self, events: usize) {
        self.events.fetch_add(events as u64, Relaxed);
    }

    /// So many bytes were content, not headers or framing.
    pub fn body(&self, bytes: usize) {
        self.body_down.fetch_add(bytes as u64, Relaxed);
    }

    /// A request came on this connection, whose header had so many bytes.
    pub(crate) fn requested(&self, wire: &Arc<Wire>, header: u64, fresh: bool) {
        self.requests.fetch_add(1, Relaxed);
        self.up.fetch_add(header, Relaxed);
        self.connections.fetch_add(u64::from(fresh), Relaxed);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(Arc::as_ptr(wire).addr(), Arc::downgrade(wire));
        drop(open);
        self.touch();
    }

    fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Nobody uses it any more.
    fn is_left(&self) -> bool {
        let unused = self
            .touched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none_or(|at| at.elapsed() >= UNUSED);
        unused && self.open.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Its request on this connection is over.
    pub(crate) fn released(&self, wire: *const Wire) {
        self.touch();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&wire.addr());
    }

    pub(crate) fn read(&self, bytes: u64) {
        self.up.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn written(&self, bytes: u64) {
        self.down.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn worked(&self, nanoseconds: u64) {
        self.cpu_ns.fetch_add(nanoseconds, Relaxed);
    }

    /// Segments that came with a request: from the client with data.
    pub(crate) fn segments_up(&self, seen: Segments) {
        self.data_up.fetch_add(u64::from(seen.data_in), Relaxed);
    }

    /// Segments that went with an answer, and what acknowledged them.
    pub(crate) fn segments_down(&self, seen: Segments) {
        self.data_down.fetch_add(u64::from(seen.data_out), Relaxed);
        self.acks_up.fetch_add(u64::from(seen.all_in.wrapping_sub(seen.data_in)), Relaxed);
        self.acks_down.fetch_add(u64::from(seen.all_out.wrapping_sub(seen.data_out)), Relaxed);
    }

    /// What was counted until now.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.touch();
        let open: Vec<_> = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.values().filter_map(Weak::upgrade).collect()
        };
        // Segments are counted by the kernel: of connections in use, it is asked now.
        open.iter().for_each(|wire| wire.settle());
        let bytes_down = self.down.load(Relaxed);
        Figures {
            id: self.id.clone(),
            requests: self.requests.load(Relaxed),
            empty_requests: self.empty.load(Relaxed),
            full_requests: self.full.load(Relaxed),
            events: self.events.load(Relaxed),
            connections: self.connections.load(Relaxed),
            open_connections: open.len() as u64,
            bytes_up: self.up.load(Relaxed),
            bytes_down,
            // Content is counted when it is handed over, so a connection that is cut may have some that was never sent.
            body_down: self.body_down.load(Relaxed).min(bytes_down),
            segments: MeterSegments {
                data_up: self.data_up.load(Relaxed),
                data_down: self.data_down.load(Relaxed),
                acks_up: self.acks_up.load(Relaxed),
                acks_down: self.acks_down.load(Relaxed),
            },
            cpu_us: self.cpu_ns.load(Relaxed) / 1000,
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a connection to be counted")]
mod tests {
    use tokio::{
        net::{TcpListener, TcpStream},
        time::advance,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_meter_that_nobody_uses_or_reads_leaves_when_the_next_begins() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let wire = Wire::new(TcpStream::connect(address).await.expect("it listens"));
        let meters = Meters::default();
        let begin = || meters.start().expect("there is room");
        let [left, read, used, held] = [(); 4].map(|()| begin());
        held.requested(&wire, 100, true);
        advance(UNUSED / 2).await;
        assert_eq!(read.figures().requests, 0);
        used.requested(&wire, 100, true);
        used.released(Arc::as_ptr(&wire));
        advance(UNUSED / 2).await;
        let fresh = begin();
        let there = |meter: &Meter| meters.get(meter.id()).is_some();
        assert_eq!(
            [&left, &read, &used, &held, &fresh].map(|meter| there(meter)),
            [false, true, true, true, true]
        );
        advance(UNUSED).await;
        held.released(Arc::as_ptr(&wire));
        begin();
        assert_eq!([&read, &used, &held, &fresh].map(|meter| there(meter)), [false, false, true, false]);
        assert!(meters.any());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_begins_too_many_meters_is_refused_and_ends_nobody_elses() {
        let meters = Meters::default();
        let first = meters.start().expect("there is room");
        for _ in 1..METERS {
            meters.start().expect("there is room");
        }
        assert!(meters.start().is_none());
        assert!(meters.get(first.id()).is_some(), "the oldest is still there");
        assert!(meters.stop("m2"));
        assert!(meters.start().is_some(), "one has gone");
        assert!(meters.start().is_none());
        advance(UNUSED).await;
        assert!(meters.start().is_some(), "those that nobody used have left");
    }

    #[test]
    fn content_that_was_never_sent_is_not_counted() {
        let meter = Meter::default();
        meter.body(1000);
        meter.written(700);
        let figures = meter.figures();
        assert_eq!((figures.bytes_down, figures.body_down), (700, 700));
        meter.written(400);
        assert_eq!(meter.figures().body_down, 1000);
    }
}
