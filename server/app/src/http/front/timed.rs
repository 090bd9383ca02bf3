//! CPU time of serving a connection.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use nix::time::{ClockId, clock_gettime};

use super::wire::Wire;
use crate::http::App;

/// A future whose work is charged to whoever its connection works for, while there are meters. Serving a request or a
/// WebSocket is polling its task, so the thread's CPU clock around each poll is what it costs (user and system).
pub(in crate::http) struct Timed<F> {
    app: App,
    wire: Arc<Wire>,
    work: F,
}

impl<F> Timed<F> {
    pub(in crate::http) fn new(app: App, wire: Arc<Wire>, work: F) -> Self {
        Self { app, wire, work }
    }
}

impl<F: Future + Unpin> Future for Timed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        if !self.app.meters.any() {
            return Pin::new(&mut self.work).poll(context);
        }
        self.wire.work_begins();
        let result = Pin::new(&mut self.work).poll(context);
        self.wire.work_ends();
        result
    }
}

/// CPU time this thread has used, in ns (`CLOCK_THREAD_CPUTIME_ID`, clock_gettime(2)); 0 where it is not told.
pub(in crate::http) fn thread_cpu() -> u64 {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(0, |time| {
        u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
    })
}
