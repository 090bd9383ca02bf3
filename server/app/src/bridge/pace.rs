//! Turns for others: a pump whose both ends are always ready would never leave its thread.

use tokio::task::yield_now;

/// What a pump may do before others have a turn: one full read, or some hundred calls.
const TURN: usize = 64 << 10;

/// What one round costs beside its bytes, as much as so many of them.
const ROUND: usize = 8 * 1024;

/// The same of a call in a round of many.
const CALL: usize = 512;

/// How much a pump has done since others had a turn.
#[derive(Default)]
pub(super) struct Pace(usize);

impl Pace {
    /// One call was made, of many in a round.
    pub(super) async fn call(&mut self) {
        self.spent(CALL).await;
    }

    /// A round was done that moved so many bytes.
    pub(super) async fn round(&mut self, bytes: usize) {
        self.spent(bytes + ROUND).await;
    }

    async fn spent(&mut self, bytes: usize) {
        self.0 += bytes;
        if self.0 >= TURN {
            self.0 = 0;
            yield_now().await;
        }
    }
}
