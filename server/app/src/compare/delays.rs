//! From bytes that came to how long each message took.

/// When each message of a stream of equal messages was had whole.
#[derive(Debug, Clone)]
pub(super) struct Arrivals {
    message: u64,
    /// Bytes had without a hole.
    covered: u64,
    /// A hole, an overlap or a loss was met: from there on nothing is known.
    broken: bool,
    /// When message 0, 1, 2 … was whole, on the server's clock in µs.
    at_us: Vec<f64>,
}

impl Arrivals {
    pub(super) fn new(message: u64) -> Self {
        Self { message, covered: 0, broken: false, at_us: Vec::new() }
    }

    /// Bytes came. In order, or the stream is broken.
    pub(super) fn bytes(&mut self, offset: u64, len: u64, at_us: f64) {
        if offset != self.covered {
            self.broken = true;
        }
        if self.broken {
            return;
        }
        self.covered += len;
        while (self.at_us.len() as u64 + 1) * self.message <= self.covered {
            self.at_us.push(at_us);
        }
    }

    /// History was lost before it came.
    pub(super) fn lost(&mut self) {
        self.broken = true;
    }

    pub(super) fn covered(&self) -> u64 {
        self.covered
    }

    pub(super) fn messages(&self) -> u64 {
        self.at_us.len() as u64
    }

    /// Whether all came, in order.
    pub(super) fn is_whole(&self) -> bool {
        !self.broken
    }

    /// How long each message took from its sending, in ms.
    pub(super) fn delays_ms(&self, sent_us: &[f64]) -> Vec<f64> {
        self.at_us.iter().zip(sent_us).map(|(at, sent)| (at - sent) / 1000.0).collect()
    }
}

/// What can be said of many delays, in ms.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Summary {
    /// How many there are.
    pub samples: usize,
    /// The arithmetic mean.
    pub mean: f64,
    /// Half took no longer.
    pub p50: f64,
    /// 95 of 100 took no longer.
    pub p95: f64,
    /// 99 of 100; only said of 1,000 samples and more.
    pub p99: Option<f64>,
    /// The longest.
    pub max: f64,
}

/// Fewer samples say nothing of one in a hundred.
const ENOUGH_FOR_P99: usize = 1000;

impl Summary {
    /// Of these, if there are any. Percentiles are nearest-rank: a delay that was met, not one between two.
    #[must_use]
    pub fn of(mut delays: Vec<f64>) -> Option<Self> {
        delays.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (delays.len() * percent).div_ceil(100).max(1);
            delays.get(rank - 1).copied()
        };
        Some(Self {
            samples: delays.len(),
            mean: delays.iter().sum::<f64>() / delays.len() as f64,
            p50: at(50)?,
            p95: at(95)?,
            p99: if delays.len() >= ENOUGH_FOR_P99 { at(99) } else { None },
            max: delays.last().copied()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_had_when_its_last_byte_is() {
        let mut arrivals = Arrivals::new(10);
        arrivals.bytes(0, 25, 1000.0);
        arrivals.bytes(25, 4, 2000.0);
        assert_eq!(arrivals.messages(), 2);
        arrivals.bytes(29, 1, 3000.0);
        assert_eq!(arrivals.delays_ms(&[500.0, 600.0, 700.0]), [0.5, 0.4, 2.3]);
        assert!(arrivals.is_whole());
    }

    #[test]
    fn a_hole_or_a_repetition_breaks_the_stream_for_good() {
        for offset in [0, 5, 11] {
            let mut arrivals = Arrivals::new(10);
            arrivals.bytes(0, 10, 1.0);
            arrivals.bytes(offset, 10, 2.0);
            arrivals.bytes(10, 10, 3.0);
            assert!(!arrivals.is_whole());
            assert_eq!(arrivals.messages(), 1);
        }
    }

    #[test]
    fn percentiles_are_delays_that_were_met() {
        let summary = Summary::of((1..=100).map(f64::from).collect()).expect("some");
        assert_eq!((summary.p50, summary.p95, summary.max, summary.mean), (50.0, 95.0, 100.0, 50.5));
        assert_eq!(summary.p99, None, "a hundred samples say nothing of one in a hundred");
        let many = Summary::of((1..=1000).map(f64::from).collect()).expect("some");
        assert_eq!(many.p99, Some(990.0));
        assert_eq!(Summary::of(vec![7.0]).expect("one").p95, 7.0);
        assert_eq!(Summary::of(Vec::new()), None);
    }
}
