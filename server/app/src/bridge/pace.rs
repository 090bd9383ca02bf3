//! Turns for others: a pump whose both ends are always ready would never leave its thread.

use tokio::task::yield_now;

/// What a pump may do before others have a turn: one full read, or some hundred calls.
const TURN: usize = 64 << 10;

/// What one round costs beside its bytes, as much as so many of them.
const ROUND: usize = 8 * 1024;

/// The same of a call in a round of many.
const CALL: usize = 512;

/// So many calls are a turn, however little they move.
pub(super) const CALLS: usize = TURN / CALL;

/// How much a pump has done since others had a turn.
#[derive(Default)]
pub(super) struct Pace(usize);

impl Pace {
    /// One call is made, of many in a round.
    pub(super) async fn call(&mut self) {
        self.spent(CALL).await;
    }

    /// A round was done that moved so many bytes.
    pub(super) async fn round(&mut self, bytes: usize) {
        self.spent(bytes + ROUND).await;
    }

    /// The same, of so many calls: a few are no more than any round.
    pub(super) async fn round_of(&mut self, calls: usize, bytes: usize) {
        self.spent(bytes + ROUND.max(calls * CALL)).await;
    }

    async fn spent(&mut self, bytes: usize) {
        self.0 += bytes;
        if self.0 >= TURN {
            self.0 = 0;
            yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn others_have_their_turn_after_128_calls_however_little_they_move() {
        let mut pace = Pace::default();
        let on = (0..200).take_while(|_| pace.call().now_or_never().is_some()).count();
        assert_eq!((on + 1, CALLS), (128, 128));
    }

    #[test]
    fn a_round_of_calls_is_a_turn_as_soon_as_they_are() {
        let mut pace = Pace::default();
        assert!(pace.round_of(CALLS / 2, 0).now_or_never().is_some());
        assert!(pace.round_of(CALLS / 2, 0).now_or_never().is_none());
        assert!(pace.round_of(CALLS, 0).now_or_never().is_none());
        assert!(pace.round_of(1, TURN).now_or_never().is_none());
    }
}
