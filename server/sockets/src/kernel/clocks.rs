//! From the wall clock, by which the kernel stamps what arrives, to the clock that facts are ordered by.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// Two readings closer than this are one moment.
const CLOSE: Duration = Duration::from_micros(1);

/// Both clocks, read at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    mono: Instant,
    pub(crate) wall: Duration,
}

impl Clocks {
    /// Reads them. Whoever is interrupted between the two would shift what was stamped against the calls around it, so the
    /// first of three readings counts that was not, or the closest.
    pub(crate) fn read() -> Self {
        let mut best: Option<(Duration, Self)> = None;
        for _ in 0..3 {
            let before = Instant::now();
            let wall = clock_gettime(ClockId::CLOCK_REALTIME).map_or(Duration::ZERO, Duration::from);
            let took = before.elapsed();
            if best.as_ref().is_none_or(|(least, _)| took < *least) {
                best = Some((took, Self { mono: before + took / 2, wall }));
            }
            if took < CLOSE {
                break;
            }
        }
        best.expect("at least one reading").1
    }

    /// How long ago they were read.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.mono)
    }

    /// When the wall clock showed this; now, where it was set back since.
    pub(crate) fn instant(&self, wall: Duration) -> Instant {
        self.instant_by(wall, self.mono)
    }

    /// The same, and it may have been after the clocks were read, but not after that.
    pub(crate) fn instant_by(&self, wall: Duration, latest: Instant) -> Instant {
        let at = match self.wall.checked_sub(wall) {
            Some(ago) => self.mono.checked_sub(ago),
            None => self.mono.checked_add(wall - self.wall),
        };
        at.unwrap_or(latest).min(latest)
    }
}
