//! Opening sockets, practice peers among them.

use std::sync::Arc;

use sockscope_sockets::{
    datagram,
    fact::{Cause, EndReason, Fact, Leftover, Recorder, Stamp},
    listener,
    mailbox::{Command, Inbox, Mailbox},
    open::{Family, Opened, Opening},
    options::Options,
    stream,
    target::{Scheme, Target},
};
use sockscope_wire::{Code, Contract, OpenRequest, PeerKind, PracticeStarted, Role, Socket, SocketId};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Inner, Order, SocketEntry, Workspace,
    record::{Nursery, SocketRecorder},
    watch::{Progress, Watcher},
};
use crate::{
    ask, failure,
    log::{Entry, Stored, Tag},
    peers::{self, Connection, Program, Stop},
    problem::{Refused, Saying as _, problem},
};

/// Waits for a socket to open. Dropping it before cancels the connect: the client that asked has left.
pub struct OpenGuard {
    workspace: Arc<Workspace>,
    id: SocketId,
    order: Order,
    watcher: Watcher,
    role: Role,
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
        let result = self.watcher.until(|progress| outcome(progress, self.id, self.role)).await;
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

/// Whether it opened; what became of it afterwards is another matter, so that is asked second.
fn outcome(progress: &Progress, id: SocketId, role: Role) -> Option<Result<(), Refused>> {
    // An address is all a datagram socket needs; a stream's still has to be listened on or connected.
    if progress.opened.is_some() || (role == Role::Bound && progress.bound.is_some()) {
        return Some(Ok(()));
    }
    progress.ended.as_ref().map(|record| Err(failure::problem_of(record, id)))
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        let mut inner = self.workspace.lock();
        inner.watches.remove(&self.order.0.cause);
        if !self.done
            && let Some(entry) = inner.sockets.get(&self.id)
        {
            // Refused only when it has ended meanwhile, which is what was wanted.
            entry.tell(Command::Close(self.order.cause())).ok();
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
        let options = request.options.clone().unwrap_or_default();
        let options = ask::options(&options, role(target.scheme))?;
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
        program: Program,
    ) -> Result<PracticeStarted, Refused> {
        let peer = program.kind();
        let scheme = peers::scheme(peer);
        let target: Target =
            format!("{}://127.0.0.1:0", if scheme == "udp" { "udp-bind" } else { "tcp-listen" })
                .parse()
                .map_err(|error| ask::target_problem(&error))?;
        let socket = self
            .open_checked(order, target, Options::default(), None, Some(Arc::new(program)))?
            .opened()
            .await?;
        let local = socket.local.ok_or_else(|| problem(Code::Internal, "an open listener has an address"))?;
        Ok(PracticeStarted { id: socket.id, peer, target: format!("{scheme}://{local}") })
    }

    fn open_checked(
        self: &Arc<Self>,
        order: &Order,
        target: Target,
        options: Options,
        name: Option<Box<str>>,
        practice: Option<Arc<Program>>,
    ) -> Result<OpenGuard, Refused> {
        let seat = self.seat()?;
        let role = role(target.scheme);
        let kind = practice.as_deref().map(Program::kind);
        let New { id, inbox, recorder } = self.register(
            order.cause(),
            Making { name, practice: kind, ..Making::of(&target, &options) },
            seat,
        )?;
        // Before its task starts, so that nothing it does can be missed.
        let watcher = self.lock().watches.add(&order.0.cause, id);
        let opening = Opening {
            target,
            options,
            family: None,
            cause: order.cause(),
            policy: Arc::clone(if practice.is_some() {
                &self.config.practice_policy
            } else {
                &self.config.policy
            }),
            resolver: Arc::clone(&self.config.resolver),
            recorder,
        };
        self.tasks.spawn(drive(Arc::clone(self), id, practice, opening, inbox));
        Ok(OpenGuard { workspace: Arc::clone(self), id, order: order.clone(), watcher, role, done: false })
    }

    /// Makes a socket of the workspace, about to open.
    pub(super) fn register(
        self: &Arc<Self>,
        cause: Cause,
        Making { target, options, family: _, name, practice, bridge, observed }: Making<'_>,
        seat: OwnedSemaphorePermit,
    ) -> Result<New, Refused> {
        let (mailbox, inbox) = Mailbox::new();
        let role = role(target.scheme);
        let target: Box<str> = target.to_string().into();
        let id = {
            let mut inner = self.lock();
            inner.must_take_commands()?;
            let id = inner.new_id();
            let tag = Tag {
                t_us: self.anchor.micros(tokio::time::Instant::now()),
                took_us: None,
                origin: cause,
                socket: Some(id),
                hidden: practice.is_some(),
            };
            let opening = crate::log::Opening {
                target: target.clone(),
                role,
                name: name.clone(),
                practice,
                bridge,
                options: options.clone(),
            };
            let mut entry = SocketEntry::new(target, role, mailbox);
            entry.name = name;
            entry.options = options.clone();
            entry.practice = practice;
            entry.bridge = bridge;
            entry.opened_seq = inner.append(tag, Entry::Opening(Box::new(opening)), Stored::None);
            inner.sockets.insert(id, entry);
            id
        };
        if practice.is_none() && observed {
            self.kernel.opens(id, role);
        }
        self.news.notify_waiters();
        let recorder = Arc::new(SocketRecorder::new(self, id, practice.is_some(), Some(seat)));
        Ok(New { id, inbox, recorder })
    }

    /// How a stream is dialled that is none of the stream tasks': under the policy for what people dial.
    pub(super) fn dialling(&self, target: &Target, cause: Cause, recorder: Arc<SocketRecorder>) -> Opening {
        Opening {
            target: target.clone(),
            options: Options::default(),
            family: None,
            cause,
            policy: Arc::clone(&self.config.policy),
            resolver: Arc::clone(&self.config.resolver),
            recorder,
        }
    }

    /// A place for a socket that somebody opens who has the run of this server.
    pub(crate) fn seat(&self) -> Result<OwnedSemaphorePermit, Refused> {
        self.common_seat()
            .or_else(|refused| Arc::clone(&self.kept_seats).try_acquire_owned().map_err(|_| refused))
    }

    /// The same for a socket of anybody else's: the kept places are not for these.
    pub(crate) fn common_seat(&self) -> Result<OwnedSemaphorePermit, Refused> {
        Arc::clone(&self.seats).try_acquire_owned().map_err(|_| {
            problem(Code::TooManySockets, "close a socket first").with("max", self.config.max_sockets)
        })
    }

    /// Which practice peer a socket is.
    #[must_use]
    pub fn practice_of(&self, id: SocketId) -> Option<PeerKind> {
        self.lock().sockets.get(&id).filter(|entry| entry.parent.is_none()).and_then(|entry| entry.practice)
    }
}

/// What a socket is to be.
pub(super) struct Making<'a> {
    pub(super) target: &'a Target,
    pub(super) options: &'a Options,
    /// Addresses of a name are taken of this family only.
    pub(super) family: Option<Family>,
    pub(super) name: Option<Box<str>>,
    /// The practice peer it belongs to.
    pub(super) practice: Option<PeerKind>,
    /// How a program reaches it, of the socket of a bridge.
    pub(super) bridge: Option<Contract>,
    /// The kernel's side of it is recorded, too.
    pub(super) observed: bool,
}

impl<'a> Making<'a> {
    /// A socket of the workspace like any other.
    pub(super) fn of(target: &'a Target, options: &'a Options) -> Self {
        Self { target, options, family: None, name: None, practice: None, bridge: None, observed: true }
    }
}

/// A socket that was just made.
pub(super) struct New {
    pub(super) id: SocketId,
    pub(super) inbox: Inbox,
    pub(super) recorder: Arc<SocketRecorder>,
}

/// Opens a socket, unless somebody ends it first. `None` when it did not open: the facts say why, also where this is
/// dropped on the way.
pub(super) async fn open_unless_ended(opening: Opening, inbox: &mut Inbox) -> Option<Opened> {
    let recorder = Arc::clone(&opening.recorder);
    let mut unsettled = Unsettled { recorder: &recorder, cause: opening.cause.clone(), settled: false };
    // Boxed, so that a socket that lives for hours does not carry what only opening it needed.
    let mut open = Box::pin(async move { opening.open().await });
    let opened = tokio::select! {
        biased;
        ended = inbox.cancelled() => Err(ended),
        opened = &mut open => Ok(opened),
    };
    // Whatever was under way is closed before the log says so.
    drop(open);
    unsettled.settled = true;
    match opened {
        Ok(opened) => opened.ok(),
        Err((cause, reason)) => {
            recorder.record(Stamp::now(), &cause, Fact::Closed(reason, Leftover::default()), None);
            None
        }
    }
}

/// Says that a socket was given up while it was opening, unless it was settled before.
struct Unsettled<'a> {
    recorder: &'a Arc<dyn Recorder>,
    cause: Cause,
    settled: bool,
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        if !self.settled {
            let fact = Fact::Closed(EndReason::Cancelled, Leftover::default());
            self.recorder.record(Stamp::now(), &self.cause, fact, None);
        }
    }
}

/// The onward half of a relay: a hidden socket whose task is the relay's.
pub struct Leg {
    /// There until it has ended.
    pub(crate) connection: Option<Connection>,
    /// How somebody ends it.
    pub(crate) inbox: Inbox,
}

impl Leg {
    /// Connects to where the relay stands. The policy is the one for what people dial: they named the target.
    pub(crate) async fn open(workspace: &Arc<Workspace>, target: &Target) -> Result<Self, Refused> {
        // Somebody connected, nobody opened.
        let seat = workspace.common_seat()?;
        let options = Options::default();
        let making = Making { practice: Some(PeerKind::Middlebox), ..Making::of(target, &options) };
        let New { mut inbox, recorder, .. } = workspace.register(None, making, seat)?;
        let opening = workspace.dialling(target, None, recorder.clone());
        match open_unless_ended(opening, &mut inbox).await {
            Some(Opened::Stream(stream)) => {
                Ok(Self { connection: Some(Connection::new(stream, recorder)), inbox })
            }
            Some(Opened::Listener(_) | Opened::Datagram(_)) => {
                Err(problem(Code::Internal, "a middlebox hands streams on"))
            }
            None => Err(problem(Code::Unreachable, "the facts of the onward socket say why")),
        }
    }

    /// Ends it as the other half ends.
    pub(crate) fn end(&mut self, stop: &Stop) {
        if let Some(connection) = self.connection.take() {
            connection.stop(match stop {
                Stop::Close(_, reason) => Stop::Close(None, *reason),
                Stop::Reset(_) | Stop::Failed(_) => Stop::Reset(None),
            });
        }
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.end(&Stop::Close(None, EndReason::ListenerClosed));
    }
}

impl Inner {
    pub(super) fn new_id(&mut self) -> SocketId {
        let id = SocketId(self.next_socket);
        self.next_socket += 1;
        id
    }
}

fn role(scheme: Scheme) -> Role {
    match scheme {
        Scheme::Tcp => Role::Client,
        Scheme::TcpListen => Role::Listener,
        Scheme::Udp => Role::Connected,
        Scheme::UdpBind => Role::Bound,
    }
}

/// Opens the socket and owns it until it ends.
async fn drive(
    workspace: Arc<Workspace>,
    id: SocketId,
    practice: Option<Arc<Program>>,
    opening: Opening,
    mut inbox: Inbox,
) {
    let recorder = Arc::clone(&opening.recorder);
    let options = opening.options.clone();
    let anchor = workspace.anchor.instant();
    match open_unless_ended(opening, &mut inbox).await {
        // The facts have said why.
        None => {}
        Some(Opened::Stream(socket)) => stream::run(socket, options, inbox, recorder, anchor).await,
        Some(Opened::Listener(socket)) => {
            let nursery = Nursery { workspace, parent: id, practice };
            listener::run(socket, &options, inbox, recorder, Arc::new(nursery)).await;
        }
        Some(Opened::Datagram(socket)) => match practice {
            Some(_) => peers::serve_datagrams(socket, inbox, recorder).await,
            None => datagram::run(socket, options, inbox, recorder).await,
        },
    }
}
