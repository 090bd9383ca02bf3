//! The observer: one task a workspace, which looks, and records what it sees.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sockscope_sockets::kernel::{
    capture::{Capture, Raw},
    destroyed::{Destroyed, Notice},
    owner,
};
use sockscope_sockets::mailbox::Command;
use sockscope_wire::{Direction, Owner, ShelfName, SocketId};
use tokio::{
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    Kernel, SeenFrame, Watched,
    subject::{Looked, Moment, Telling, owned},
};
use crate::{
    log::{self, Entry, Stored, Tag},
    workspace::Workspace,
};

/// How often what somebody looks at is sampled.
const SAMPLE: Duration = Duration::from_millis(100);

/// Something to record: of which socket, when, and what.
pub(in crate::workspace) type Seen = (Option<SocketId>, Instant, Entry);

/// So many frames at least are recorded at once, where there are so many; a stretch more may be.
const TOGETHER: usize = 512;

/// How many sockets are looked at in one turn: some hundred µs.
const LOOKS: usize = 128;

/// How often a process is looked for at most.
const OWNERS: Duration = Duration::from_millis(200);

enum Step {
    Stirred,
    Due,
    Sample,
    Frames(std::io::Result<()>),
    Gone(std::io::Result<Notice>),
}

/// Observes until the workspace ends.
pub(in crate::workspace) async fn run(workspace: Arc<Workspace>) {
    let kernel = &workspace.kernel;
    let mut destroyed = None;
    if kernel.is_open() {
        match Destroyed::open() {
            Ok((notices, subscription)) => {
                destroyed = Some(notices);
                kernel.lock().has_notices(subscription);
            }
            Err(error) => tracing::debug!(%error, "the kernel does not say when a socket is gone"),
        }
    }
    let mut frames: Vec<Raw> = Vec::new();
    let mut sample = interval(SAMPLE);
    sample.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looked_at = kernel.looks.all();
    let mut lost = 0;
    let mut next_owner = Instant::now();
    let mut due = None;
    loop {
        let step = tokio::select! {
            () = workspace.ending.cancelled() => return,
            () = kernel.stirred.notified() => Step::Stirred,
            () = kernel.looks.changed.notified() => {
                looked_at = kernel.looks.all();
                Step::Stirred
            }
            read = read(kernel, &mut frames) => Step::Frames(read),
            gone = gone(&mut destroyed) => Step::Gone(gone),
            () = until(due) => Step::Due,
            _ = sample.tick(), if !looked_at.is_empty() => Step::Sample,
        };
        let now = Instant::now();
        // Most sockets that go are other programs', and then nothing of ours is due sooner.
        let mut ours = true;
        match step {
            Step::Stirred | Step::Due => {
                catch_up(&workspace, &mut frames, &mut lost);
                let due = kernel.lock().due(now);
                look(&workspace, &due, false, &mut next_owner).await;
            }
            Step::Sample => {
                catch_up(&workspace, &mut frames, &mut lost);
                let ids: Vec<_> = looked_at.iter().copied().collect();
                if kernel.diag.is_ok() {
                    look(&workspace, &ids, true, &mut next_owner).await;
                } else {
                    workspace.ask_tasks(&ids);
                }
            }
            Step::Gone(Ok(Notice::Gone(gone))) => {
                let counted = kernel.lock().is_gone(&gone, now, &mut ours);
                workspace.record_kernel(
                    counted.map(|(id, telling)| told(Some(id), telling)).into_iter().collect(),
                );
            }
            Step::Gone(Ok(Notice::Missed)) => kernel.lock().stir_all(now),
            Step::Gone(Err(error)) => {
                tracing::debug!(%error, "the kernel says no more when a socket is gone");
                destroyed = None;
                kernel.lock().notices = None;
            }
            Step::Frames(Ok(())) => record_frames(&workspace, &mut frames, &mut lost),
            Step::Frames(Err(error)) => tracing::warn!(%error, "a frame could not be read"),
        }
        if ours {
            due = kernel.lock().subjects.values().filter_map(|subject| subject.due).min();
        }
    }
}

/// Records what was captured until now: it is to be there before a state is told that was read later, however busy this task
/// is.
fn catch_up(workspace: &Workspace, frames: &mut Vec<Raw>, lost: &mut u64) {
    if let Ok(capture) = &workspace.kernel.capture {
        capture.batch(frames);
    }
    record_frames(workspace, frames, lost);
}

/// Records frames, and how many were lost.
fn record_frames(workspace: &Workspace, frames: &mut Vec<Raw>, lost: &mut u64) {
    let kernel = &workspace.kernel;
    let Ok(capture) = &kernel.capture else { return };
    // Once at least: frames of before may have waited for somebody who is there now.
    loop {
        let mut seen = Vec::new();
        loop {
            kernel.lock().frames(capture, frames, &mut seen);
            if frames.is_empty() || seen.len() >= TOGETHER {
                break;
            }
        }
        workspace.record_kernel(together(seen));
        if frames.is_empty() {
            break;
        }
    }
    let total = capture.lost().unwrap_or(*lost) + kernel.lock().flows.lost();
    if total > *lost {
        workspace.record_kernel(vec![told(None, (Instant::now(), log::Kernel::Lost(total - *lost, total)))]);
        *lost = total;
    }
}

/// Puts the frames of each socket together; they stay in the order they came in.
fn together(frames: Vec<SeenFrame>) -> Vec<Seen> {
    let mut order = Vec::with_capacity(frames.len());
    let mut of = BTreeMap::<_, Vec<_>>::new();
    for SeenFrame { socket, at, seen, head } in frames {
        order.push((socket, at));
        of.entry(socket).or_default().push((seen, head));
    }
    let mut of: BTreeMap<_, _> =
        of.into_iter().map(|(socket, frames)| (socket, log::Frame::all(frames))).collect();
    let next = |(socket, at)| Some((Some(socket), at, Entry::Segment(of.get_mut(&socket)?.next()?)));
    order.into_iter().filter_map(next).collect()
}

/// Looks at both ends of these sockets and records what is new. The kernel answers at once, so that others need a turn in
/// between.
async fn look(workspace: &Workspace, ids: &[SocketId], sample: bool, next_owner: &mut Instant) {
    for some in ids.chunks(LOOKS) {
        look_at(workspace, some, sample, next_owner).await;
        tokio::task::yield_now().await;
    }
}

async fn look_at(workspace: &Workspace, ids: &[SocketId], sample: bool, next_owner: &mut Instant) {
    let kernel = &workspace.kernel;
    let mut asks = Vec::new();
    let mut asked = Vec::with_capacity(ids.len());
    {
        let watched = kernel.lock();
        for id in ids {
            let Some(subject) = watched.subjects.get(id) else { continue };
            let from = asks.len();
            subject.asks(&mut asks);
            asked.push((*id, from..asks.len()));
        }
    }
    let answers = kernel.diag.as_ref().ok().and_then(|diag| {
        diag.query_all(&asks).inspect_err(|error| tracing::debug!(%error, "sock_diag does not answer")).ok()
    });
    let can_read = answers.is_some();
    let mut answers = answers.unwrap_or_else(|| vec![None; asks.len()]);
    let capture = kernel.capture.as_ref().ok();
    let moment = Moment::of(capture);
    let mut tellings = Vec::new();
    for (id, range) in asked {
        let mut ends = answers[range].iter_mut().map(Option::take);
        let looked = Looked { near: ends.next().flatten(), far: ends.next().flatten() };
        let taken = kernel.lock().take(id, looked, sample, can_read, moment, capture);
        let Some((mut told, holding)) = taken else { continue };
        if let Some(holding) = holding {
            owned(&mut told, holder(holding, next_owner).await);
        }
        tellings.extend(told.into_iter().map(|telling| self::told(Some(id), telling)));
    }
    workspace.record_kernel(tellings);
}

/// A telling, as it is recorded.
pub(in crate::workspace) fn told(socket: Option<SocketId>, (at, kernel): Telling) -> Seen {
    (socket, at, Entry::Kernel(Box::new(kernel)))
}

/// Who holds the far end of a connection, as far as the kernel says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holding {
    uid: u32,
    inode: u32,
    /// It is a socket of this workspace.
    ours: bool,
}

impl Watched {
    /// Takes in what a look at a socket brought: what to tell, and who is to be asked for.
    fn take(
        &mut self,
        id: SocketId,
        looked: Looked,
        sample: bool,
        can_read: bool,
        moment: Moment,
        capture: Option<&Capture>,
    ) -> Option<(Vec<Telling>, Option<Holding>)> {
        let ours = self.is_ours(id);
        let subject = self.subjects.get_mut(&id)?;
        let holding = looked.far.as_ref().and_then(|far| far.uid.zip(far.inode));
        let told = subject.take(looked, sample, can_read, moment);
        let ends = subject.local.zip(subject.remote).filter(|_| !subject.listens);
        let first = |kernel: &log::Kernel| {
            matches!(kernel, log::Kernel::State { end: Direction::Peer, state: Some(_), .. })
        };
        let holding = holding
            .filter(|_| told.iter().any(|(_, kernel)| first(kernel)) && subject.wants_owner())
            .map(|(uid, inode)| Holding { uid, inode, ours });
        let over = subject.is_over();
        if let Some((local, remote)) = ends {
            self.was_told(&told, local, remote);
        }
        if over {
            self.forget(id, capture);
        }
        Some((told, holding))
    }
}

/// Who holds a socket. Of other users' processes only their user may be known, and of many that connect at once only some
/// are looked for.
async fn holder(Holding { uid, inode, ours }: Holding, next: &mut Instant) -> Owner {
    let process = if ours {
        owner::this()
    } else if Instant::now() < *next {
        None
    } else {
        // Every process's descriptors are looked at, which takes a while: not where others wait for a turn.
        let found = spawn_blocking(move || owner::process_of(inode)).await;
        *next = Instant::now() + OWNERS;
        found.inspect_err(|error| tracing::warn!(%error, "nobody looked for a process")).ok().flatten()
    };
    Owner {
        uid,
        pid: process.as_ref().map(|process| process.pid),
        process: process.map(|process| process.name),
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn read(kernel: &Kernel, frames: &mut Vec<Raw>) -> std::io::Result<()> {
    match &kernel.capture {
        Ok(capture) => capture.next_batch(frames).await,
        Err(_) => std::future::pending().await,
    }
}

async fn gone(destroyed: &mut Option<Destroyed>) -> std::io::Result<Notice> {
    match destroyed {
        Some(destroyed) => destroyed.next().await,
        None => std::future::pending().await,
    }
}

impl Workspace {
    /// Puts what was seen on the kernel's shelf.
    pub(in crate::workspace) fn record_kernel(&self, tellings: Vec<Seen>) {
        if tellings.is_empty() {
            return;
        }
        {
            let mut inner = self.lock();
            for (socket, at, entry) in tellings {
                let hidden = socket
                    .and_then(|id| inner.sockets.get(&id))
                    .is_some_and(|entry| entry.practice.is_some());
                let tag = Tag { t_us: self.anchor.micros(at), took_us: None, origin: None, socket, hidden };
                inner.log.append(ShelfName::Kernel, tag, entry, Stored::None);
            }
        }
        self.news.notify_waiters();
    }

    /// Has sockets' own tasks say what the kernel counts: where it cannot be asked by address.
    fn ask_tasks(&self, ids: &[SocketId]) {
        let inner = self.lock();
        for entry in ids.iter().filter_map(|id| inner.sockets.get(id)) {
            // Refused only by one that has ended, or is starved of turns: the next sample comes soon.
            entry.tell(Command::Look).ok();
        }
    }
}
