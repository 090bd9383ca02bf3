//! What a connection's task does from the first request to the end: HTTP, and then what that has made of it. The page's own
//! WebSocket alone, which is axum's, has a task beside.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

/// A part of it. Boxed: it is moved once and then only polled, and each is freed before the next begins.
type Part = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What requests have made of a connection.
#[derive(Default)]
pub(super) struct Standing {
    /// The gate let a principal through on it.
    known: AtomicBool,
    /// What follows after HTTP, once a handler has said so.
    next: Mutex<Option<Part>>,
}

impl Standing {
    pub(super) fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    pub(super) fn know(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    pub(super) fn goes_on(&self, next: impl Future<Output = ()> + Send + 'static) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(next));
    }

    fn next(&self) -> Option<Part> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The whole of it in one task: another one for what follows would have to be made, and woken. What follows begins however HTTP
/// ended, and finds out by itself whether there is a connection left.
pub(super) struct Life {
    now: Part,
    standing: Arc<Standing>,
}

impl Life {
    pub(super) fn new(http: impl Future<Output = ()> + Send + 'static, standing: Arc<Standing>) -> Self {
        Self { now: Box::pin(http), standing }
    }
}

impl Future for Life {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.now.as_mut().poll(context));
            match self.standing.next() {
                Some(next) => self.now = next,
                None => return Poll::Ready(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_follows_begins_once_http_is_over_and_nothing_of_it_is_kept() {
        let (standing, needed) = (Arc::<Standing>::default(), Arc::new(()));
        let (kept, handler) = (Arc::clone(&needed), Arc::clone(&standing));
        let (done, heard) = tokio::sync::oneshot::channel();
        let http = async move {
            let left = Arc::downgrade(&kept);
            handler.goes_on(async move { done.send(left.strong_count()).expect("it is waited for") });
            tokio::task::yield_now().await;
            assert_eq!(Arc::strong_count(&kept), 2, "HTTP is not over, and has what it needs");
        };
        Life::new(http, Arc::clone(&standing)).await;
        assert_eq!(heard.await.expect("it followed"), 1, "the test's own is left");
        drop(needed);
        assert!(standing.next().is_none());
    }

    #[tokio::test]
    async fn where_nothing_follows_it_is_over_with_http() {
        Life::new(async {}, Arc::default()).await;
    }
}
