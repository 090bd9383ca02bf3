//! The way down: wishes to the workspace. What is understood becomes facts; what is not is answered and leaves no trace.

use std::{sync::Arc, time::Duration};

use sockscope_sockets::{
    datagram,
    fact::{Cause, EndReason, Fact, Origin, Stamp},
    listener,
    mailbox::{Command, Inbox, Mailbox, Outgoing, Refused as MailRefused},
    open::{Opened, Opening},
    options::Options,
    policy::{CheckedAddr, Purpose, Refusal},
    stream,
    target::{Scheme, Target, parse_endpoint},
};
use sockscope_wire::{
    Code, OpenRequest, PatchSocket, PeerKind, Phase, PracticeStarted, Role, SendAnswer, SendRequest, Seq,
    Socket, SocketId, SocketState,
};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Inner, SocketEntry, Workspace,
    record::{Nursery, SocketRecorder},
    unknown_socket,
    watch::{Progress, Watcher},
};
use crate::{
    ask, failure,
    log::{Entry, Stored, Tag},
    peers,
    problem::{Refused, Saying as _, problem},
};

/// Who gives a command, and what its facts are marked with.
#[derive(Debug, Clone)]
pub struct Order(pub Arc<Origin>);

impl Order {
    /// An order of that name by that principal.
    #[must_use]
    pub fn new(cause: String, by: &str) -> Self {
        Self(Arc::new(Origin { cause: cause.into(), by: by.into() }))
    }

    fn cause(&self) -> Cause {
        Some(Arc::clone(&self.0))
    }
}

/// Waits for a socket to open. Dropping it before cancels the connect: the client that asked has left.
pub struct OpenGuard {
    workspace: Arc<Workspace>,
    id: SocketId,
    order: Order,
    watcher: Watcher,
    done: bool,
}

impl OpenGuard {
    /// Which socket it is.
    #[must_use]
    pub fn id(&self) -> SocketId {
        self.id
    }

    /// Waits until it is open or listens.
    ///
    /// # Errors
    /// Why it did not open.
    pub async fn opened(mut self) -> Result<Socket, Refused> {
        let result = self.watcher.until(|progress| outcome(progress, self.id)).await;
        self.done = true;
        result?;
        self.workspace.socket(self.id)
    }

    /// Leaves it opening: the log will tell.
    pub fn leave(mut self) -> SocketId {
        self.done = true;
        self.id
    }
}

fn outcome(progress: &Progress, id: SocketId) -> Option<Result<(), Refused>> {
    if let Some(record) = &progress.ended {
        return Some(Err(failure::problem_of(record, id)));
    }
    progress.opened.map(|_| Ok(()))
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        let mut inner = self.workspace.lock();
        inner.watches.remove(&self.order.0.cause);
        if !self.done
            && let Some(entry) = inner.sockets.get(&self.id)
        {
            // Refused only when it has ended meanwhile, which is what was wanted.
            entry.mailbox.tell(Command::Close(self.order.cause())).ok();
        }
    }
}

impl Workspace {
    /// Opens a socket: it is in the list at once, and opens in its own task.
    ///
    /// # Errors
    /// When the request is not understood or there is no room for another socket.
    pub fn open(self: &Arc<Self>, order: &Order, request: &OpenRequest) -> Result<OpenGuard, Refused> {
        let target: Target = request.open.parse().map_err(|error| ask::target_problem(&error))?;
        let options = request.options.as_ref().map(ask::options).transpose()?.unwrap_or_default();
        let name = request.name.as_deref().map(ask::name).transpose()?.flatten();
        self.open_checked(order, target, options, name, None)
    }

    /// Starts a practice peer on loopback, as a hidden socket of this workspace.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn start_practice(
        self: &Arc<Self>,
        order: &Order,
        peer: PeerKind,
    ) -> Result<PracticeStarted, Refused> {
        let scheme = peers::scheme(peer);
        let target: Target =
            format!("{}://127.0.0.1:0", if scheme == "udp" { "udp-bind" } else { "tcp-listen" })
                .parse()
                .map_err(|error| ask::target_problem(&error))?;
        let socket = self.open_checked(order, target, Options::default(), None, Some(peer))?.opened().await?;
        let local = socket.local.ok_or_else(|| problem(Code::Internal, "an open listener has an address"))?;
        Ok(PracticeStarted { id: socket.id, peer, target: format!("{scheme}://{local}") })
    }

    fn open_checked(
        self: &Arc<Self>,
        order: &Order,
        target: Target,
        options: Options,
        name: Option<Box<str>>,
        practice: Option<PeerKind>,
    ) -> Result<OpenGuard, Refused> {
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(|_| {
            problem(Code::TooManySockets, "close a socket first").with("max", self.config.max_sockets)
        })?;
        let role = match target.scheme {
            Scheme::Tcp => Role::Client,
            Scheme::TcpListen => Role::Listener,
            Scheme::Udp => Role::Connected,
            Scheme::UdpBind => Role::Bound,
        };
        let (mailbox, inbox) = Mailbox::new();
        let (id, watcher) = {
            let mut inner = self.lock();
            inner.must_take_commands()?;
            let id = inner.new_id();
            let target: Box<str> = target.to_string().into();
            let tag = Tag {
                t_us: self.anchor.micros(tokio::time::Instant::now()),
                took_us: None,
                origin: order.cause(),
                socket: Some(id),
                hidden: practice.is_some(),
            };
            let opening = crate::log::Opening {
                target: target.clone(),
                role,
                name: name.clone(),
                practice,
                options: options.clone(),
            };
            let mut entry = SocketEntry::new(target, role, mailbox);
            entry.name = name;
            entry.options = options.clone();
            entry.practice = practice;
            entry.opened_seq = inner.append(tag, Entry::Opening(Box::new(opening)), Stored::None);
            inner.sockets.insert(id, entry);
            (id, inner.watches.add(&order.0.cause, id))
        };
        self.news.notify_waiters();
        let recorder =
            Arc::new(SocketRecorder { workspace: Arc::clone(self), id, practice: practice.is_some() });
        let opening = Opening {
            target,
            options,
            cause: order.cause(),
            policy: Arc::clone(if practice.is_some() {
                &self.config.practice_policy
            } else {
                &self.config.policy
            }),
            resolver: Arc::clone(&self.config.resolver),
            recorder,
        };
        self.tasks.spawn(drive(Arc::clone(self), id, practice, opening, inbox, seat));
        Ok(OpenGuard { workspace: Arc::clone(self), id, order: order.clone(), watcher, done: false })
    }

    /// Queues bytes for sending. Nothing is taken unless all of it is.
    ///
    /// # Errors
    /// When the request is not understood, the socket cannot send, or its queue or the log is full.
    pub async fn send(
        &self,
        order: &Order,
        id: SocketId,
        data: Vec<u8>,
        to: Option<&str>,
    ) -> Result<(), Refused> {
        let role = {
            let inner = self.lock();
            inner.must_take_commands()?;
            let entry = inner.sockets.get(&id).ok_or_else(|| unknown_socket(id))?;
            can_send(entry, id)?;
            entry.role
        };
        let to = match (role, to) {
            (Role::Bound, Some(to)) => Some(self.destination(order, id, to).await?),
            (Role::Bound, None) => return Err(problem(Code::MissingTo, "give `to` as host:port")),
            (_, Some(_)) => return Err(problem(Code::UnexpectedTo, "this socket has one peer")),
            (_, None) => None,
        };
        if data.is_empty() && !matches!(role, Role::Bound | Role::Connected) {
            return Err(problem(Code::InvalidData, "a stream cannot carry an empty send"));
        }
        let outgoing = Outgoing { data: data.into(), to, cause: order.cause() };
        let bytes = outgoing.data.len();
        let mut inner = self.lock();
        let entry = inner.sockets.get(&id).ok_or_else(|| unknown_socket(id))?;
        can_send(entry, id)?;
        let mailbox = entry.mailbox.clone();
        let granted = inner.log.grant(bytes);
        if granted < bytes {
            inner.log.settle(granted);
            return Err(problem(Code::LogFull, "trim the log first"));
        }
        mailbox.send(outgoing).map_err(|refused| {
            inner.log.settle(bytes);
            mail_problem(refused, id)
        })
    }

    /// Queues bytes and waits until the kernel has all of them.
    ///
    /// # Errors
    /// As [`Workspace::send`]; when the socket ended meanwhile; or when the time is over, with what was taken.
    pub async fn send_and_wait(
        self: &Arc<Self>,
        order: &Order,
        id: SocketId,
        request: &SendRequest,
        data: Vec<u8>,
        timeout: Duration,
    ) -> Result<SendAnswer, Refused> {
        let total = data.len() as u64;
        let watch = Watching::new(self, order, id);
        self.send(order, id, data, request.to.as_deref()).await?;
        let done = watch.watcher.until(|progress| sent(progress, total, id));
        match tokio::time::timeout(timeout, done).await {
            Ok(result) => result,
            Err(_) => {
                let progress = watch.watcher.progress();
                let mut late = problem(Code::SendTimedOut, "the rest stays queued").in_phase(Phase::Send);
                late.taken = Some(progress.sent);
                late.socket = Some(id);
                Err(late)
            }
        }
    }

    async fn destination(&self, order: &Order, id: SocketId, to: &str) -> Result<CheckedAddr, Refused> {
        let (host, port) = parse_endpoint(to).map_err(|error| ask::target_problem(&error))?;
        let config = &self.config;
        let refused = match config.policy.targets(&config.resolver, &host, port, Purpose::SendTo).await {
            Ok(checked) => {
                let v4 = self
                    .lock()
                    .sockets
                    .get(&id)
                    .and_then(|entry| entry.local)
                    .is_some_and(|local| local.is_ipv4());
                // A socket speaks one family; of a name's addresses take the first it can reach.
                let fitting = checked.allowed.iter().find(|address| address.get().is_ipv4() == v4);
                return fitting
                    .or(checked.allowed.first())
                    .copied()
                    .ok_or_else(|| problem(Code::NoAddress, to));
            }
            Err(refused) => refused,
        };
        let entered = Stamp::now();
        let fact = match refused {
            Refusal::Denied(denials) => match denials.into_iter().next() {
                Some(denial) => Fact::Denied(Box::new(sockscope_sockets::fact::Denied {
                    target: to.to_owned(),
                    address: denial.address,
                    class: denial.class,
                    rule: denial.rule,
                    fatal: false,
                })),
                None => return Err(problem(Code::Denied, to)),
            },
            Refusal::Resolve(error) => Fact::Failed(Box::new(sockscope_sockets::fact::Failed {
                failure: sockscope_sockets::fact::Failure::Resolve(error),
                phase: sockscope_sockets::fact::Phase::Resolve,
                remote: None,
                fatal: false,
            })),
        };
        let mut refused = failure::problem_of_fact(&fact);
        refused.socket = Some(id);
        self.record_for(id, entered, &order.cause(), fact);
        Err(refused)
    }

    /// Half-closes a stream, and waits until that is done or failed.
    ///
    /// # Errors
    /// When the socket is no open stream, or shutdown(2) failed.
    pub async fn shutdown_and_wait(self: &Arc<Self>, order: &Order, id: SocketId) -> Result<Socket, Refused> {
        let watch = Watching::new(self, order, id);
        self.shutdown(order, id)?;
        let done = |progress: &Progress| match (progress.shut_down, &progress.failed, &progress.ended) {
            (Some(_), _, _) => Some(Ok(())),
            (None, Some(record), _) | (None, None, Some(record)) => {
                Some(Err(failure::problem_of(record, id)))
            }
            (None, None, None) => None,
        };
        within(watch.watcher.until(done)).await??;
        self.socket(id)
    }

    /// Half-closes a stream after what is queued.
    ///
    /// # Errors
    /// When the socket is no open stream.
    pub fn shutdown(&self, order: &Order, id: SocketId) -> Result<(), Refused> {
        let inner = self.lock();
        inner.must_take_commands()?;
        let entry = inner.sockets.get(&id).ok_or_else(|| unknown_socket(id))?;
        let stream = matches!(entry.role, Role::Client | Role::Accepted);
        if !stream || !matches!(entry.state, SocketState::Open | SocketState::HalfClosedRemote) {
            return Err(wrong_state(entry, id, "only an open stream has a direction to shut down"));
        }
        entry.mailbox.tell(Command::Shutdown(order.cause())).map_err(|refused| mail_problem(refused, id))
    }

    /// Closes a socket, cancels its opening, or removes a closed one from the list. With `children`, what a listener
    /// accepted is closed, too.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn close(&self, order: &Order, id: SocketId, reset: bool, children: bool) -> Result<(), Refused> {
        {
            let mut inner = self.lock();
            let entry = inner.sockets.get(&id).ok_or_else(|| unknown_socket(id))?;
            if children {
                let of_it =
                    inner.sockets.values().filter(|child| child.parent == Some(id) && !child.is_over());
                for child in of_it {
                    let end = Command::End(order.cause(), EndReason::ListenerClosed);
                    // Refused only when it has ended meanwhile, which is what was wanted.
                    child.mailbox.tell(end).ok();
                }
            }
            if !entry.is_over() {
                let command =
                    if reset { Command::Reset(order.cause()) } else { Command::Close(order.cause()) };
                return match entry.mailbox.tell(command) {
                    Ok(()) | Err(MailRefused::Ended) => Ok(()),
                    Err(refused) => Err(mail_problem(refused, id)),
                };
            }
            inner.note(&self.anchor, Some(id), &order.cause(), Code::Removed, Vec::new());
            inner.sockets.remove(&id);
            inner.closed.retain(|closed| *closed != id);
        }
        self.news.notify_waiters();
        Ok(())
    }

    /// Closes a socket and waits until its descriptor is closed.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn close_and_wait(
        self: &Arc<Self>,
        order: &Order,
        id: SocketId,
        reset: bool,
        children: bool,
    ) -> Result<(), Refused> {
        let watch = Watching::new(self, order, id);
        self.close(order, id, reset, children)?;
        if self.lock().sockets.get(&id).is_none_or(SocketEntry::is_over) {
            return Ok(());
        }
        within(watch.watcher.until(|progress| progress.ended.as_ref().map(|_| ()))).await
    }

    /// Renames a socket and sets options; waits until the kernel has answered for each.
    ///
    /// # Errors
    /// When the request is not understood or does not apply.
    pub async fn patch_and_wait(
        self: &Arc<Self>,
        order: &Order,
        id: SocketId,
        patch: &PatchSocket,
    ) -> Result<Socket, Refused> {
        let watch = Watching::new(self, order, id);
        let asked = self.patch(order, id, patch)?;
        if asked > 0 {
            let done = |progress: &Progress| {
                if progress.options >= asked {
                    return Some(Ok(()));
                }
                progress.ended.as_ref().map(|record| Err(failure::problem_of(record, id)))
            };
            within(watch.watcher.until(done)).await??;
        }
        self.socket(id)
    }

    /// Renames a socket and asks for options. Returns how many facts about options will follow.
    ///
    /// # Errors
    /// When the request is not understood or does not apply.
    pub fn patch(&self, order: &Order, id: SocketId, patch: &PatchSocket) -> Result<usize, Refused> {
        let name = patch.name.as_deref().map(ask::name).transpose()?;
        let options = patch.options.as_ref().map(ask::live_options).transpose()?;
        let mut inner = self.lock();
        inner.must_take_commands()?;
        let entry = inner.sockets.get_mut(&id).ok_or_else(|| unknown_socket(id))?;
        let mut asked = 0;
        if let Some((options, count)) = options
            && count > 0
        {
            if entry.is_over() || entry.state == SocketState::Opening {
                return Err(wrong_state(entry, id, "options are set on an open socket"));
            }
            let command = Command::Set(Box::new((options.clone(), order.cause())));
            entry.mailbox.tell(command).map_err(|refused| mail_problem(refused, id))?;
            entry.options.merge(&options);
            asked = count;
        }
        if let Some(name) = name {
            let said = name.as_deref().unwrap_or_default().to_owned();
            entry.name = name;
            inner.note(&self.anchor, Some(id), &order.cause(), Code::Renamed, vec![("name", said)]);
        }
        drop(inner);
        self.news.notify_waiters();
        Ok(asked)
    }

    /// Which practice peer a socket is.
    #[must_use]
    pub fn practice_of(&self, id: SocketId) -> Option<PeerKind> {
        self.lock().sockets.get(&id).filter(|entry| entry.parent.is_none()).and_then(|entry| entry.practice)
    }

    fn record_for(self: &Workspace, id: SocketId, stamp: Stamp, cause: &Cause, fact: Fact) {
        let tag = Tag {
            t_us: self.anchor.micros(stamp.at),
            took_us: None,
            origin: cause.clone(),
            socket: Some(id),
            hidden: false,
        };
        self.lock().append(tag, Entry::Fact(fact), Stored::None);
        self.news.notify_waiters();
    }
}

/// A registered wait that is taken back when nobody waits any more.
struct Watching<'a> {
    workspace: &'a Workspace,
    order: Order,
    watcher: Watcher,
}

impl<'a> Watching<'a> {
    fn new(workspace: &'a Workspace, order: &Order, id: SocketId) -> Self {
        let watcher = workspace.lock().watches.add(&order.0.cause, id);
        Self { workspace, order: order.clone(), watcher }
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.workspace.lock().watches.remove(&self.order.0.cause);
    }
}

impl Inner {
    pub(super) fn new_id(&mut self) -> SocketId {
        let id = SocketId(self.next_socket);
        self.next_socket += 1;
        id
    }

    fn must_take_commands(&self) -> Result<(), Refused> {
        if self.ending {
            return Err(problem(Code::ShuttingDown, "the server is shutting down"));
        }
        if self.log.is_full() {
            return Err(problem(Code::LogFull, "trim the log first"));
        }
        Ok(())
    }
}

/// Opens the socket and owns it until it ends; the seat is free again when this returns.
async fn drive(
    workspace: Arc<Workspace>,
    id: SocketId,
    practice: Option<PeerKind>,
    opening: Opening,
    mut inbox: Inbox,
    seat: OwnedSemaphorePermit,
) {
    let recorder = Arc::clone(&opening.recorder);
    let options = opening.options.clone();
    // Boxed, so that a socket that lives for hours does not carry what only opening it needed.
    let mut open = Box::pin(async move { opening.open().await });
    let opened = tokio::select! {
        biased;
        (cause, reason) = inbox.cancelled() => {
            recorder.record(Stamp::now(), &cause, Fact::Closed(reason, 0), None);
            return;
        }
        opened = &mut open => opened,
    };
    drop(open);
    let anchor = workspace.anchor.instant();
    match opened {
        // The facts have said why.
        Err(_) => {}
        Ok(Opened::Stream(socket)) => stream::run(socket, options, inbox, recorder, anchor).await,
        Ok(Opened::Listener(socket)) => {
            let nursery = Nursery { workspace, parent: id, practice };
            listener::run(socket, inbox, recorder, Arc::new(nursery)).await;
        }
        Ok(Opened::Datagram(socket)) => match practice {
            Some(_) => peers::serve_datagrams(socket, inbox, recorder).await,
            None => datagram::run(socket, options, inbox, recorder).await,
        },
    }
    drop(seat);
}

/// How long an answer waits for a task that should act at once.
const PATIENCE: Duration = Duration::from_secs(15);

async fn within<T>(done: impl Future<Output = T>) -> Result<T, Refused> {
    tokio::time::timeout(PATIENCE, done)
        .await
        .map_err(|_| problem(Code::TimedOut, "the socket has not done it yet"))
}

fn sent(progress: &Progress, total: u64, id: SocketId) -> Option<Result<SendAnswer, Refused>> {
    if let Some(record) = progress.failed.as_ref().or(progress.ended.as_ref()) {
        let mut refused = failure::problem_of(record, id);
        refused.taken = Some(progress.sent);
        return Some(Err(refused));
    }
    (progress.sent >= total && progress.sent_seq != Seq(0))
        .then_some(Ok(SendAnswer { seq: progress.sent_seq, sent: progress.sent }))
}

fn can_send(entry: &SocketEntry, id: SocketId) -> Result<(), Refused> {
    let ready = match entry.role {
        Role::Listener => {
            return Err(wrong_state(entry, id, "a listener has no peer; send on an accepted socket"));
        }
        Role::Client | Role::Accepted | Role::Bound | Role::Connected => {
            matches!(entry.state, SocketState::Open | SocketState::HalfClosedRemote)
        }
    };
    if ready && entry.practice.is_none() {
        Ok(())
    } else {
        Err(wrong_state(entry, id, "the socket cannot send"))
    }
}

fn wrong_state(entry: &SocketEntry, id: SocketId, detail: &str) -> Refused {
    let state = serde_json::to_value(entry.state).ok().and_then(|state| state.as_str().map(str::to_owned));
    let mut refused = problem(Code::WrongState, detail).with("state", state.unwrap_or_default());
    refused.socket = Some(id);
    refused
}

fn mail_problem(refused: MailRefused, id: SocketId) -> Refused {
    let mut refused = match refused {
        MailRefused::Full => problem(Code::QueueFull, "nothing was taken")
            .with("max", sockscope_sockets::mailbox::SEND_QUEUE_BYTES),
        MailRefused::Ended => problem(Code::WrongState, "the socket has ended"),
    };
    refused.socket = Some(id);
    refused
}
