//! Waiting: for a condition, under a deadline.

use std::time::{Duration, Instant};

/// How long anything that should happen at once may take on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until the condition holds; panics naming it when it does not within [`DEADLINE`].
pub async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    eventually_in(DEADLINE, what, condition).await;
}

/// Waits until the condition holds; panics naming it when it does not in time.
pub async fn eventually_in(deadline: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < deadline, "not within {deadline:?}: {what}");
        tokio::time::sleep(LOOK).await;
    }
}

/// The future's result; panics naming it when there is none within [`DEADLINE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    within_time(DEADLINE, what, future).await
}

/// The future's result; panics naming it when there is none in time.
pub async fn within_time<T>(deadline: Duration, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(deadline, future).await {
        Ok(value) => value,
        Err(_) => panic!("not within {deadline:?}: {what}"),
    }
}
