//! What passes over one connection, and who is charged with it.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use sockscope_sockets::tcp_info::{Segments, segments_and_min_rtt};
use tokio::net::TcpStream;

use super::timed::thread_cpu;
use crate::meter::Meter;

/// How many meters a connection remembers to have worked for; of more, the first is counted as new again.
const MOST_SERVED: usize = 64;

/// The connection, and what passed over it: headers and frames included, TCP not.
pub struct Wire {
    stream: TcpStream,
    received: AtomicU64,
    sent: AtomicU64,
    tally: Mutex<Tally>,
}

/// For whom the connection works now.
#[derive(Default)]
struct Tally {
    /// Who is charged with what is written, and after an upgrade also with what is read.
    meter: Option<Arc<Meter>>,
    /// Who was charged before the request that is neither claimed nor answered yet: it may be theirs, too, so the connection
    /// is still one of theirs.
    former: Option<Arc<Meter>>,
    upgraded: bool,
    /// Read and not charged: the header of the next request, or the body of this one until it is answered.
    unclaimed: u64,
    /// The same in segments.
    unclaimed_segments: Segments,
    /// What the header of the latest request cost, until somebody is charged.
    header: u64,
    header_segments: Segments,
    /// The kernel's counters as last seen.
    seen: Segments,
    /// The least round trip as last seen, in µs; 0 is none.
    min_rtt_us: u32,
    /// Whom it has ever worked for.
    served: Vec<String>,
    /// The CPU clock of the thread that polls it now, when the work that is not charged yet began.
    working_since: Option<u64>,
}

impl Tally {
    fn charge_work(&mut self) {
        if let Some(since) = &mut self.working_since {
            let now = thread_cpu();
            if let Some(meter) = &self.meter {
                meter.worked(now.saturating_sub(*since));
            }
            *since = now;
        }
    }
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Arc<Self> {
        Arc::new(Self {
            stream,
            received: AtomicU64::default(),
            sent: AtomicU64::default(),
            tally: Mutex::default(),
        })
    }

    /// The connection itself.
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Plain counters: a panic while it was held left none of them half written.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The least round trip to the client, in µs, when the kernel was asked last; 0 where none was measured.
    pub(super) fn min_rtt_us(&self) -> u32 {
        self.tally().min_rtt_us
    }

    /// Bytes the client sent.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes the client was sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// A request's header was read whole: what came since the last answer is its cost. It works for nobody until the
    /// gate has let it in. Requests do not overlap on a connection: browsers do not pipeline, and hyper answers in order.
    pub(in crate::http) fn begin(self: &Arc<Self>) {
        let mut tally = self.tally();
        self.look(&mut tally);
        // One poll may answer a request and already read the next.
        tally.charge_work();
        tally.header = std::mem::take(&mut tally.unclaimed);
        tally.header_segments = std::mem::take(&mut tally.unclaimed_segments);
        let last = tally.meter.take();
        let before = std::mem::replace(&mut tally.former, last);
        self.leave(before);
    }

    /// It is no longer one of this meter's connections.
    fn leave(&self, meter: Option<Arc<Meter>>) {
        if let Some(meter) = meter {
            meter.released(self);
        }
    }

    /// The request that began last is let in and names this meter: its header is charged, and what goes from now on.
    pub(in crate::http) fn claim(self: &Arc<Self>, meter: &Arc<Meter>) {
        let mut tally = self.tally();
        let (header, came) = (std::mem::take(&mut tally.header), std::mem::take(&mut tally.header_segments));
        {
            let fresh = !tally.served.iter().any(|id| id == meter.id());
            if fresh {
                if tally.served.len() == MOST_SERVED {
                    tally.served.remove(0);
                }
                tally.served.push(meter.id().to_owned());
            }
            meter.requested(self, header, fresh);
            meter.segments_up(came);
        }
        let others = tally.former.take().filter(|former| !Arc::ptr_eq(former, meter));
        self.leave(others);
        tally.meter = Some(Arc::clone(meter));
    }

    /// The upgrade was granted: what comes from now on is no request.
    pub(in crate::http) fn upgraded(&self) {
        self.tally().upgraded = true;
    }

    /// Whom it works for now.
    pub(in crate::http) fn meter(&self) -> Option<Arc<Meter>> {
        self.tally().meter.clone()
    }

    /// Charges whoever it works for with the segments seen until now.
    pub(crate) fn settle(&self) {
        self.look(&mut self.tally());
    }

    fn look(&self, tally: &mut Tally) {
        // Nobody can name a meter any more.
        if tally.upgraded && tally.meter.is_none() {
            return;
        }
        // Fails on a connection that is gone: then there is nothing new either.
        let Ok((now, min_rtt_us)) = segments_and_min_rtt(&self.stream) else { return };
        tally.min_rtt_us = min_rtt_us;
        let new = now.since(tally.seen);
        tally.seen = now;
        if let Some(meter) = &tally.meter {
            meter.segments_down(new);
            if tally.upgraded {
                meter.segments_up(new);
                return;
            }
        }
        tally.unclaimed_segments.data_in += new.data_in;
    }

    /// Its task is being polled, on this thread.
    pub(in crate::http) fn work_begins(&self) {
        self.tally().working_since = Some(thread_cpu());
    }

    /// The poll is over: what it took is charged to whom it works for.
    pub(in crate::http) fn work_ends(&self) {
        let mut tally = self.tally();
        tally.charge_work();
        tally.working_since = None;
    }

    /// The connection has ended. What came and became no request, since the client left behind it, is charged to whom the
    /// connection worked for last.
    pub(super) fn over(&self) {
        let mut tally = self.tally();
        // What the kernel still holds of the last answer is on its way: closing sends it.
        self.look(&mut tally);
        // What it took until here, if it ends in the poll that began it.
        tally.charge_work();
        let charged = [tally.meter.take(), tally.former.take()];
        if let Some(last) = charged.iter().flatten().next() {
            last.read(tally.unclaimed + tally.header);
            last.segments_up(tally.unclaimed_segments);
            last.segments_up(tally.header_segments);
        }
        charged.into_iter().for_each(|meter| self.leave(meter));
    }

    pub(super) fn note_read(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
        let mut tally = self.tally();
        match &tally.meter {
            Some(meter) if tally.upgraded => meter.read(bytes),
            None if tally.upgraded => {}
            _ => tally.unclaimed += bytes,
        }
    }

    pub(super) fn note_written(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
        let mut tally = self.tally();
        // An answer to what nobody claimed.
        self.leave(tally.former.take());
        if tally.unclaimed > 0 {
            // What was read before the answer goes is this request's body.
            self.look(&mut tally);
            let (body, came) =
                (std::mem::take(&mut tally.unclaimed), std::mem::take(&mut tally.unclaimed_segments));
            if let Some(meter) = &tally.meter {
                meter.read(body);
                meter.segments_up(came);
            }
        }
        if let Some(meter) = &tally.meter {
            meter.written(bytes);
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a connection to be counted")]
mod tests {
    use std::sync::Arc;

    use tokio::net::{TcpListener, TcpStream};

    use super::{Wire, thread_cpu};
    use crate::meter::Meter;

    #[tokio::test]
    async fn a_request_that_nobody_has_claimed_yet_may_be_of_the_meter_before() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let wire = Wire::new(TcpStream::connect(address).await.expect("it listens"));
        let [one, other] = [(); 2].map(|()| Arc::new(Meter::default()));
        let open = |meter: &Meter| meter.figures().open_connections;
        wire.begin();
        wire.claim(&one);
        wire.note_read(10);
        for _ in 0..2 {
            wire.begin();
            assert_eq!(open(&one), 1, "whoever looks now must look again");
            wire.claim(&one);
            assert_eq!(open(&one), 1);
        }
        wire.begin();
        wire.claim(&other);
        assert_eq!((open(&one), open(&other)), (0, 1));
        wire.begin();
        assert_eq!(open(&other), 1);
        wire.note_written(100);
        assert_eq!((open(&other), other.figures().bytes_down), (0, 0), "an answer, and not one of its");
        assert_eq!((one.figures().requests, one.figures().bytes_up), (3, 10));
    }

    #[tokio::test]
    async fn what_came_right_before_the_end_is_charged_to_whom_the_connection_worked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        for (begun, answered, charged) in [(false, false, 209), (true, false, 209), (true, true, 0)] {
            let wire = Wire::new(TcpStream::connect(address).await.expect("it listens"));
            let meter = Arc::new(Meter::default());
            wire.begin();
            wire.claim(&meter);
            wire.note_read(209);
            if begun {
                wire.begin();
            }
            if answered {
                wire.note_written(100);
            }
            wire.over();
            let figures = meter.figures();
            assert_eq!((figures.open_connections, figures.bytes_up), (0, charged), "{begun} {answered}");
        }
    }

    #[tokio::test]
    async fn what_a_connection_took_that_ends_in_the_poll_that_began_it_is_charged() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let wire = Wire::new(TcpStream::connect(address).await.expect("it listens"));
        let meter = Arc::new(Meter::default());
        wire.work_begins();
        let begun = thread_cpu();
        wire.begin();
        wire.claim(&meter);
        while thread_cpu() < begun + 2_000_000 {}
        wire.over();
        wire.work_ends();
        assert!(meter.figures().cpu_us >= 1000, "{} µs of some 2000", meter.figures().cpu_us);
    }
}
