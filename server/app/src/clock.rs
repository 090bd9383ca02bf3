//! Time: monotonic inside, wall clock computed once at the edge.

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// One moment, known on both clocks: where a log's `t_us` counts from.
#[derive(Debug, Clone, Copy)]
pub struct Anchor {
    mono: Instant,
    wall: Timestamp,
}

impl Anchor {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self { mono: Instant::now(), wall: wall_now() }
    }

    /// The monotonic half.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.mono
    }

    /// µs from the anchor to `at`; 0 for anything before it.
    #[must_use]
    pub fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.mono).as_micros()).unwrap_or(u64::MAX)
    }

    /// So many ns after the anchor, in ns since 1970.
    #[must_use]
    pub fn unix_nanos(&self, after: u64) -> u64 {
        u64::try_from(self.wall.as_nanosecond()).unwrap_or(0).saturating_add(after)
    }

    /// `t_us` as wall-clock time: RFC 3339, UTC, six digits.
    #[must_use]
    pub fn wall(&self, t_us: u64) -> String {
        let after = SignedDuration::from_micros(i64::try_from(t_us).unwrap_or(i64::MAX));
        let at = self.wall.checked_add(after).unwrap_or(Timestamp::MAX);
        format!("{at:.6}")
    }
}

/// The wall clock: for an anchor, and for a peer that is asked the time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn wall_now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_has_six_digits_and_follows_the_monotonic_clock() {
        let anchor =
            Anchor { mono: Instant::now(), wall: "2026-11-21T08:00:00Z".parse().expect("a timestamp") };
        assert_eq!(anchor.wall(123_456), "2026-11-21T08:00:00.123456Z");
        assert_eq!(anchor.wall(0), "2026-11-21T08:00:00.000000Z");
        assert_eq!(anchor.wall(86_400_000_000), "2026-11-22T08:00:00.000000Z");
    }
}
