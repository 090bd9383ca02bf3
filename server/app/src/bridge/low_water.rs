//! The receive low-water mark of a target (SO_RCVLOWAT, socket(7)): how much is to come before it is read.
//!
//! A target that writes small pieces at full speed would wake its bridge for nearly each, which costs many times what it
//! costs to carry it. Whoever reads a little later reads all that has come meanwhile at once.

use std::{io, time::Duration};

use sockscope_sockets::stream::set_low_water;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// A read that brings less is small.
const SMALL: usize = 8 * 1024;

/// So many small reads in a row, within so long, are a burst that lasts: to be woken for each takes a tenth of a core.
const MANY: u32 = 256;
const WITHIN: Duration = Duration::from_millis(32);

/// So many bytes of it are waited for, for so long at most. The runtime's timer may be another millisecond late.
const ENOUGH: u32 = 32 * 1024;
const AT_MOST: Duration = Duration::from_millis(1);

/// A wait is worth it that brings as much as so many of those small reads.
const WORTH: usize = 4;

/// What comes so long after a wait was not brought by it.
const LATE: Duration = Duration::from_millis(4);

/// The mark of one target.
pub(super) struct LowWater<'a> {
    target: &'a TcpStream,
    run: Run,
    /// How many bytes the target had been sent at the last read.
    sent: u64,
    burst: Option<Burst>,
    /// The mark is [`ENOUGH`], and not 1.
    raised: bool,
}

/// Small reads in a row.
struct Run {
    reads: u32,
    bytes: usize,
    since: Instant,
}

/// Many small pieces in a short time, of which more are waited for.
struct Burst {
    /// What a read brought that waited for nothing, on the average.
    piece: usize,
    /// What has come waits until then.
    until: Instant,
    /// It waited so long for the next read.
    waited: bool,
}

impl<'a> LowWater<'a> {
    /// Of a target whose mark nobody else sets.
    pub(super) fn of(target: &'a TcpStream) -> Self {
        let run = Run { reads: 0, bytes: 0, since: Instant::now() };
        Self { target, run, sent: 0, burst: None, raised: false }
    }

    /// Waits until there is something to read, or enough of a burst; the end of the stream and a reset are seen at once.
    /// Cancel-safe: begun again, the wait is no longer for that.
    ///
    /// # Errors
    /// What epoll(7) or setsockopt(2) say.
    pub(super) async fn readable(&mut self) -> io::Result<()> {
        let waits = self.burst.as_ref().and_then(|burst| (!burst.waited).then_some(burst.until));
        self.set(waits.is_some())?;
        if let Some(until) = waits {
            if let Ok(ready) = timeout_at(until, self.target.readable()).await {
                return ready;
            }
            if let Some(burst) = &mut self.burst {
                burst.waited = true;
            }
            self.set(false)?;
        }
        self.target.readable().await
    }

    /// A read has brought so many bytes, and the target has been sent so many in all: what was asked for is not waited with.
    pub(super) fn read(&mut self, bytes: usize, sent: u64) {
        let is_asked = std::mem::replace(&mut self.sent, sent) != sent;
        match &self.burst {
            Some(burst) if is_asked || burst.is_over(bytes) => {
                self.burst = None;
                self.run.reads = 0;
            }
            Some(burst) => self.burst = Some(Burst::of(burst.piece)),
            None if is_asked || bytes >= SMALL => self.run.reads = 0,
            None => self.burst = self.run.read(bytes).map(Burst::of),
        }
    }

    /// Raises the mark or lowers it. Lowering it wakes whoever waits, if anything is there.
    fn set(&mut self, raised: bool) -> io::Result<()> {
        if std::mem::replace(&mut self.raised, raised) == raised {
            return Ok(());
        }
        set_low_water(self.target, if raised { ENOUGH } else { 1 })
    }
}

impl Burst {
    /// The wait for the next read of it begins.
    fn of(piece: usize) -> Self {
        Self { piece, until: Instant::now() + AT_MOST, waited: false }
    }

    /// Whether waiting for this read was in vain.
    fn is_over(&self, bytes: usize) -> bool {
        self.waited && (bytes < WORTH * self.piece || self.until.elapsed() > LATE)
    }
}

impl Run {
    /// One more. Gives what a read brought on the average, when they are a burst.
    fn read(&mut self, bytes: usize) -> Option<usize> {
        if self.reads == 0 {
            (self.bytes, self.since) = (0, Instant::now());
        }
        self.reads += 1;
        self.bytes += bytes;
        if self.reads < MANY {
            return None;
        }
        self.reads = 0;
        (self.since.elapsed() <= WITHIN).then_some(self.bytes / MANY as usize)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a target of the test's own")]
mod tests {
    use futures_util::FutureExt as _;
    use socket2::SockRef;
    use tokio::{
        io::AsyncWriteExt as _,
        net::TcpListener,
        time::{advance, timeout},
    };

    use super::*;

    /// A target as the bridge has it, and its other end.
    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        (near.expect("it listens"), far.expect("it connects").0)
    }

    /// Small reads, one each so many µs. Returns whether they are a burst then.
    async fn reads(mark: &mut LowWater<'_>, count: u32, every: u64) -> bool {
        for _ in 0..count {
            mark.read(100, mark.sent);
            advance(Duration::from_micros(every)).await;
        }
        mark.burst.is_some()
    }

    /// The mark of a target in a burst of pieces of 100 bytes, which waits until the test ends.
    async fn raised(target: &TcpStream) -> LowWater<'_> {
        let mut mark = LowWater::of(target);
        for _ in 0..MANY {
            mark.read(100, 0);
        }
        mark.burst.as_mut().expect("a burst").until += Duration::from_secs(3600);
        assert!(mark.readable().now_or_never().is_none() && mark.raised);
        mark
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_small_reads_in_so_short_a_time_are_a_burst_and_slower_ones_never() {
        let (target, _far) = pair().await;
        let mut mark = LowWater::of(&target);
        assert!(!reads(&mut mark, 10 * MANY, 130).await);
        assert!(!reads(&mut mark, MANY - 1, 100).await && reads(&mut mark, 1, 100).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_read_begins_anew() {
        let (target, _far) = pair().await;
        let mut mark = LowWater::of(&target);
        for _ in 0..3 {
            assert!(!reads(&mut mark, MANY - 1, 1).await);
            mark.read(SMALL, 0);
        }
        assert!(reads(&mut mark, MANY, 1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_answers_is_read_at_once() {
        let (target, _far) = pair().await;
        let mut mark = LowWater::of(&target);
        for sent in 0..1000 {
            mark.read(100, sent);
            assert!(mark.burst.is_none());
        }
        assert!(reads(&mut mark, MANY, 1).await);
        mark.read(100, 1000);
        assert!(mark.burst.is_none(), "asked something");
    }

    #[tokio::test]
    async fn enough_of_a_burst_is_read_at_once() {
        let (target, mut far) = pair().await;
        let mut mark = raised(&target).await;
        far.write_all(&[7; ENOUGH as usize - 1]).await.expect("there is room");
        assert!(timeout(Duration::from_millis(50), mark.readable()).await.is_err(), "not enough");
        far.write_all(&[7]).await.expect("there is room");
        timeout(Duration::from_secs(20), mark.readable()).await.expect("enough").expect("no error");
    }

    #[tokio::test]
    async fn the_end_of_a_stream_and_a_reset_are_seen_at_once() {
        for reset in [false, true] {
            let (target, mut far) = pair().await;
            let mut mark = raised(&target).await;
            far.write_all(b"last").await.expect("there is room");
            if reset {
                SockRef::from(&far).set_linger(Some(Duration::ZERO)).expect("set");
            }
            drop(far);
            timeout(Duration::from_secs(20), mark.readable()).await.expect("seen").expect("no error yet");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_in_vain_is_the_last() {
        let mut burst = Burst { piece: 100, until: Instant::now(), waited: true };
        assert!(burst.is_over(WORTH * 100 - 1) && !burst.is_over(WORTH * 100));
        advance(LATE + AT_MOST).await;
        assert!(burst.is_over(WORTH * 100), "it came by itself");
        burst.waited = false;
        assert!(!burst.is_over(1), "the mark was reached");
    }

    #[tokio::test]
    async fn little_waits_for_no_longer_than_that_however_often_the_wait_is_begun() {
        let (target, mut far) = pair().await;
        let mut mark = raised(&target).await;
        far.write_all(b"some").await.expect("there is room");
        let begun = Instant::now();
        mark.burst.as_mut().expect("a burst").until = begun + 5 * AT_MOST;
        let wait = async { while timeout(AT_MOST, mark.readable()).await.is_err() {} };
        timeout(Duration::from_secs(20), wait).await.expect("the time is over");
        assert!(begun.elapsed() >= 5 * AT_MOST && !mark.raised);
    }
}
