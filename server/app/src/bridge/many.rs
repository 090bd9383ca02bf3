//! A client with many streams: the streams it has, and how its connection ends.

use std::{collections::HashMap, future::pending, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{Close, Incoming, Opener, frame::code, outbox::Outbox};

/// How long a client has to take what is said last.
const LAST: Duration = Duration::from_secs(2);

/// The connection is over.
pub(super) enum Ended {
    /// The client said so, with this code.
    Closed(Option<u16>),
    /// It is gone without a word.
    Lost,
    /// The client is told why.
    Told(Close),
    /// The key it was opened with is over, or the server goes. Its streams know by themselves, and whose wish that was.
    CalledOff(Close),
}

impl Ended {
    /// Takes leave of the client, once nobody else has its outbox.
    pub(super) async fn part(self, outbox: Arc<Outbox>, incoming: &mut Incoming) {
        let cut = matches!(self, Self::CalledOff(_));
        let last = match self {
            Self::Closed(code) => Close { code, reason: String::new() },
            Self::Lost => return,
            Self::Told(close) | Self::CalledOff(close) => close,
        };
        if let Some(outbox) = Arc::into_inner(outbox) {
            outbox.client.part(incoming, last, cut).await;
        }
    }
}

/// Ends when a client is to be told that it is over: its key is, or the server goes, which without a stream nothing else would tell.
pub(super) async fn called_off(opener: &Opener, ending: &CancellationToken) -> Close {
    tokio::select! {
        biased;
        over = opener.over() => Close::new(code::POLICY, over.as_str()),
        () = ending.cancelled() => Close::new(code::GOING_AWAY, "the server goes"),
    }
}

/// Says what there is to say until all streams have ended, and what was said last.
pub(super) async fn finish(outbox: &Outbox, all: impl Future<Output = ()>) {
    let serving = async {
        // A client that is gone hears no more; its streams end all the same.
        let _ = outbox.serve().await;
        pending::<()>().await;
    };
    // A stream writes what came before for a bounded time, and then ends.
    tokio::select! {
        () = all => {}
        () = serving => {}
    }
    // Like the reason of a refusal; a client that does not read has had its time.
    timeout(LAST, outbox.flush()).await.ok();
}

/// The streams of a client by their numbers, and a task for each.
pub(super) struct Streams<S> {
    by_id: HashMap<u32, Arc<S>>,
    /// Each gives back whose it was: another stream may have the number by then.
    tasks: JoinSet<(u32, Arc<S>)>,
}

impl<S: Send + Sync + 'static> Streams<S> {
    pub(super) fn new() -> Self {
        Self { by_id: HashMap::new(), tasks: JoinSet::new() }
    }

    /// How many there are, those among them that are being opened.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn get(&self, id: u32) -> Option<&Arc<S>> {
        self.by_id.get(&id)
    }

    /// Nobody finds it any more; its task goes on.
    pub(super) fn remove(&mut self, id: u32) -> Option<Arc<S>> {
        self.by_id.remove(&id)
    }

    /// Adds a stream, with the task that carries it.
    pub(super) fn start(
        &mut self,
        id: u32,
        stream: Arc<S>,
        carry: impl Future<Output = ()> + Send + 'static,
    ) {
        self.by_id.insert(id, Arc::clone(&stream));
        // Not a block that awaits it: that would have room for it twice, and there are many.
        self.tasks.spawn(carry.map(move |()| (id, stream)));
    }

    /// Waits until the task of one has ended, and forgets that stream. Returns whether there was one. Cancel-safe.
    pub(super) async fn reap(&mut self) -> bool {
        match self.tasks.join_next().await {
            Some(Ok((id, stream))) => {
                if self.by_id.get(&id).is_some_and(|now| Arc::ptr_eq(now, &stream)) {
                    self.by_id.remove(&id);
                }
            }
            Some(Err(error)) => tracing::error!(%error, "a stream's task failed"),
            None => return false,
        }
        true
    }

    /// The same, for as long as it takes where there is none.
    pub(super) async fn reap_next(&mut self) {
        if !self.reap().await {
            pending().await
        }
    }

    /// Gives all streams away; their tasks go on.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Arc<S>> {
        self.by_id.drain().map(|(_, stream)| stream)
    }
}
