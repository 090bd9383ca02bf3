//! The ticker: small messages at a rate, as a source of events sends them.

use std::{convert::Infallible, time::Duration};

use sockscope_sockets::fact::EndReason;
use sockscope_wire::Arrivals;
use tokio::time::{Instant, sleep_until};

use super::{
    connection::{Connection, Stop},
    program::Ticking,
};

/// Ticks until its time is over or the client has gone.
pub(super) async fn tick(ticking: &Ticking, connection: &mut Connection) -> Result<Infallible, Stop> {
    if ticking.hold && connection.receive(&mut [0; 64]).await? == 0 {
        return Err(Stop::Close(None, EndReason::Closed));
    }
    let begun = Instant::now();
    let mut at = begun;
    let mut number = 0;
    let mut message = Vec::with_capacity(ticking.payload);
    loop {
        at += pause(ticking, random());
        if ticking.lasts.is_some_and(|lasts| at > begun + lasts) {
            sleep_until(begun + ticking.lasts.unwrap_or_default()).await;
            return Err(Stop::Close(None, EndReason::Closed));
        }
        // One that is late is sent at once and not left out: its delay is part of what is to be seen.
        sleep_until(at).await;
        number += 1;
        write(&mut message, number, ticking.payload);
        connection.send(&message).await?;
    }
}

/// The time to the next tick; `chance` is between 0 and 1, and exponentially distributed gaps make a Poisson process.
fn pause(ticking: &Ticking, chance: f64) -> Duration {
    let mean = 1.0 / ticking.rate;
    Duration::from_secs_f64(match ticking.arrivals {
        Arrivals::Regular => mean,
        // No gap is longer than twenty mean ones: one in 500 million would be.
        Arrivals::Poisson => (-chance.ln() * mean).min(20.0 * mean),
    })
}

/// A number above 0 and at most 1.
fn random() -> f64 {
    // Where the system gives no randomness ticks are regular; nothing else depends on it.
    let bits = getrandom::u64().unwrap_or(u64::MAX / 3) >> 11;
    (bits + 1) as f64 / (1_u64 << 53) as f64
}

/// `tick 0000000001`, dots to the length wanted, and a line break.
fn write(message: &mut Vec<u8>, number: u64, length: usize) {
    message.clear();
    message.extend_from_slice(format!("tick {:010}", number % 10_000_000_000).as_bytes());
    message.resize(length - 1, b'.');
    message.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticking(arrivals: Arrivals) -> Ticking {
        Ticking { rate: 50.0, payload: 16, arrivals, lasts: None, hold: false }
    }

    #[test]
    fn a_message_has_its_number_and_its_length() {
        let mut message = Vec::new();
        write(&mut message, 7, 16);
        assert_eq!(message, b"tick 0000000007\n");
        write(&mut message, 8, 20);
        assert_eq!(message, b"tick 0000000008....\n");
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential_distribution() {
        let gaps: Vec<f64> =
            (0..20_000).map(|_| pause(&ticking(Arrivals::Poisson), random()).as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!((0.0194..0.0206).contains(&mean), "20 ms, not {mean}");
        let shorter = gaps.iter().filter(|gap| **gap < 0.02).count() as f64 / gaps.len() as f64;
        assert!((0.61..0.65).contains(&shorter), "1 − 1/e are shorter than the mean, not {shorter}");
        assert_eq!(pause(&ticking(Arrivals::Regular), 0.3), Duration::from_millis(20));
    }
}
