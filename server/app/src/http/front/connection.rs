//! One accepted connection: its bytes counted on the wire, its blocked writes bounded.

use std::{
    io,
    net::{Shutdown, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use sockscope_sockets::{
    kernel::info::TcpInfo,
    stream,
    tcp_info::{Segments, segments},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{serve::Traffic, timed::thread_cpu};
use crate::meter::Meter;

/// How long a write may be blocked before the connection is dropped: a little longer than a WebSocket viewer has, so
/// that its close frame is tried first.
const BLOCKED: Duration = Duration::from_secs(11);

/// Bytes the kernel holds for a client that is near; it grants itself as much again for its own needs (socket(7)).
const NEAR_QUEUE: usize = 256 * 1024;

/// Within so many µs a client is near: the queue above, sent once in each, is 2 Gbit/s.
const NEAR: u32 = 1000;

/// After so long without a word a client is asked whether it is still there, and again so often; then it is gone (tcp(7)).
const SILENT: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(15);
const QUESTIONS: u32 = 4;

/// How many meters a connection remembers to have worked for; of more, the first is counted as new again.
const MOST_SERVED: usize = 64;

/// What a handler may know of the connection a request came on (a request extension).
#[derive(Clone)]
pub struct ConnectionInfo {
    /// The client's address.
    pub peer: SocketAddr,
    /// What passes over it.
    pub wire: Arc<Wire>,
    /// The gate let a principal through on it.
    pub known: Arc<AtomicBool>,
}

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

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Plain counters: a panic while it was held left none of them half written.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
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
        let Ok(now) = segments(&self.stream) else { return };
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
    fn over(&self) {
        let mut tally = self.tally();
        // What the kernel still holds of the last answer is on its way: closing sends it.
        self.look(&mut tally);
        let charged = [tally.meter.take(), tally.former.take()];
        if let Some(last) = charged.iter().flatten().next() {
            last.read(tally.unclaimed + tally.header);
            last.segments_up(tally.unclaimed_segments);
            last.segments_up(tally.header_segments);
        }
        charged.into_iter().for_each(|meter| self.leave(meter));
    }

    fn note_read(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
        let mut tally = self.tally();
        match &tally.meter {
            Some(meter) if tally.upgraded => meter.read(bytes),
            None if tally.upgraded => {}
            _ => tally.unclaimed += bytes,
        }
    }

    fn note_written(&self, bytes: u64) {
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

/// Whether a client is near, by the least round trip that was measured, in µs; 0 is none.
const fn is_near(rtt: u32) -> bool {
    0 < rtt && rtt < NEAR
}

/// What a connection holds while it lives. It belongs to the stream itself, so it lasts exactly as long, also after an
/// upgrade has handed the stream to somebody else.
pub(crate) struct Lease {
    traffic: Arc<Traffic>,
    /// Its place among the connections there may be.
    _seat: OwnedSemaphorePermit,
    /// What the end of the server waits for.
    _tracked: TaskTrackerToken,
}

impl Lease {
    pub(in crate::http) fn new(
        traffic: Arc<Traffic>,
        seat: OwnedSemaphorePermit,
        tracked: TaskTrackerToken,
    ) -> Self {
        traffic.begin();
        Self { traffic, _seat: seat, _tracked: tracked }
    }
}

/// A TCP connection that counts, and does not wait for ever for a client that does not read.
pub(crate) struct Counted {
    wire: Arc<Wire>,
    lease: Lease,
    /// Running while a write is blocked.
    blocked: Option<Pin<Box<Sleep>>>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.wire.over();
        // Somebody may look at the counters a moment longer; the connection ends here.
        SockRef::from(&self.wire.stream).shutdown(Shutdown::Both).ok();
        self.lease.traffic.end(&self.wire);
    }
}

impl Counted {
    pub(in crate::http) fn new(wire: Arc<Wire>, lease: Lease) -> Self {
        Self { wire, lease, blocked: None }
    }

    /// Has the connection end with RST, and what is unsent be forgotten, once this is dropped (SO_LINGER, socket(7)).
    pub(crate) fn abort(&self) {
        // Cannot fail on a living socket; were it to, it would end as any other.
        SockRef::from(&self.wire.stream).set_linger(Some(Duration::ZERO)).ok();
    }

    /// Bounds what the kernel holds for a client that is near. There a long queue gains no speed, and once the client takes
    /// some of it, the kernel sends megabytes in one go, for which all others wait. To one that is far the kernel finds out by
    /// itself how much may be on its way.
    pub(crate) fn shorten_queue(&self) {
        let stream = &self.wire.stream;
        // Fails on a connection that is gone.
        if TcpInfo::of(stream).is_ok_and(|info| is_near(info.min_rtt_us)) {
            SockRef::from(stream).set_send_buffer_size(NEAR_QUEUE).ok();
        }
    }

    /// Has the kernel ask, while nothing is heard, whether the client is still there: who has gone without a word would else hold
    /// what it has for ever.
    pub(crate) fn ask_whether_alive(&self) {
        let alive = TcpKeepalive::new().with_time(SILENT).with_interval(AGAIN).with_retries(QUESTIONS);
        // Fails on a connection that is gone, which is met by whoever reads.
        SockRef::from(&self.wire.stream).set_tcp_keepalive(&alive).ok();
    }

    /// Ends what is sent to the client: shutdown(2) of the writing direction.
    ///
    /// # Errors
    /// What the call says.
    pub(crate) fn finish(&self) -> io::Result<()> {
        SockRef::from(&self.wire.stream).shutdown(Shutdown::Write)
    }

    /// Waits until it can be read, or written; or, with [`Interest::ERROR`], until it is broken.
    ///
    /// # Errors
    /// When the runtime shuts down.
    pub(crate) async fn ready(&self, interest: Interest) -> io::Result<()> {
        self.wire.stream.ready(interest).await.map(drop)
    }

    /// Reads what there is, without waiting; 0 at the client's FIN.
    ///
    /// # Errors
    /// What recv(2) says; [`io::ErrorKind::WouldBlock`] where there is nothing.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = stream::try_read(&self.wire.stream, buffer)?;
        self.wire.note_read(n as u64);
        Ok(n)
    }

    /// Writes what the kernel takes, without waiting.
    ///
    /// # Errors
    /// What send(2) says; [`io::ErrorKind::WouldBlock`] where it takes nothing.
    pub(crate) fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        let n = self.wire.stream.try_write(data)?;
        self.wire.note_written(n as u64);
        Ok(n)
    }

    /// Calls until it is done, or waits until it can be: for reading or for writing.
    fn write(
        &mut self,
        context: &mut Context<'_>,
        call: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.wire.stream.poll_write_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    let blocked = self.blocked.get_or_insert_with(|| Box::pin(sleep(BLOCKED)));
                    ready!(blocked.as_mut().poll(context));
                    let error = io::Error::new(io::ErrorKind::TimedOut, "the client does not read");
                    return Poll::Ready(Err(error));
                }
            }
            match call(&self.wire.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.blocked = None;
                    if let Ok(n) = result {
                        self.wire.note_written(n as u64);
                    }
                    return Poll::Ready(result);
                }
            }
        }
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.wire.stream.poll_read_ready(context))?;
            match self.wire.stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(n) => {
                    self.wire.note_read(n as u64);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |stream| stream.try_write(data))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is held back here: what was written is the kernel's.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a connection to be counted")]
mod tests {
    use std::sync::Arc;

    use tokio::net::{TcpListener, TcpStream};

    use super::{NEAR, Wire, is_near};
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

    #[test]
    fn whoever_is_less_than_a_millisecond_away_is_near() {
        let near = [0, 1, 20, 999, 1000, 30_000].map(is_near);
        assert_eq!(near, [false, true, true, true, false, false], "{NEAR} µs");
    }
}
