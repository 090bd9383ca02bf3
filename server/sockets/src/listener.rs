//! The task that owns a listening TCP socket.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};

use crate::{
    errno::Errno,
    fact::{
        Cause, EndReason, Fact, Failed, Failure, Leftover, PauseReason, Phase, Recorder, Stamp, Wait, What,
    },
    mailbox::{Command, Inbox},
    options::Options,
};

/// How long accepting rests when the process has no descriptor left: nothing tells when one is freed.
const NO_DESCRIPTORS_REST: Duration = Duration::from_millis(200);

/// Takes accepted connections into the workspace.
pub trait Adopt: Send + Sync + 'static {
    /// How many more sockets may be open: one permit a socket.
    fn seats(&self) -> Arc<Semaphore>;

    /// Makes the connection a socket of its own, which keeps the permit until it ends.
    fn adopt(&self, stream: TcpStream, remote: SocketAddr, stamp: Stamp, seat: OwnedSemaphorePermit);
}

enum Step {
    Command(Option<Command>),
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    Seat(OwnedSemaphorePermit),
    /// The log has room again, or a descriptor may be free again.
    Rested,
}

/// What the listener is doing about connections.
enum Door {
    /// Waiting for the next one; entered then.
    Open(Instant),
    /// One was accepted and no socket may be opened for it; standing still since.
    NoSeat { stream: Box<TcpStream>, remote: SocketAddr, stamp: Stamp, since: Instant },
    /// accept(2) has no descriptor to give; standing still since.
    NoDescriptor(Instant),
    /// Somebody asked not to accept: connections wait in the kernel's queue.
    Held,
    /// The log has no room for what an accepted connection says; standing still since, until the wait ends.
    NoRoom(Instant, Wait),
}

impl Door {
    /// Opens it unless somebody asked not to, or the log is full: connections then wait in the kernel, like the bytes of
    /// a stream.
    fn open(recorder: &dyn Recorder, accepting: bool) -> Self {
        if !accepting {
            return Self::Held;
        }
        let mut room = recorder.room();
        match (&mut room).now_or_never() {
            Some(()) => Self::Open(Instant::now()),
            None => {
                pause(recorder, PauseReason::LogFull);
                Self::NoRoom(Instant::now(), room)
            }
        }
    }
}

/// Owns the listener until it is closed. Facts of accepted connections are recorded by `adopt`.
pub async fn run(
    listener: TcpListener,
    options: &Options,
    mut inbox: Inbox,
    recorder: Arc<dyn Recorder>,
    nursery: Arc<dyn Adopt>,
) {
    let seats = nursery.seats();
    let mut accepting = options.accepting.unwrap_or(true);
    let mut door = Door::open(recorder.as_ref(), accepting);
    let (cause, reason) = loop {
        let step = tokio::select! {
            biased;
            command = inbox.commands.recv() => Step::Command(command),
            step = watch(&listener, &mut door, &seats) => step,
        };
        match step {
            Step::Command(command) => {
                if let Some(end) = obey(command, &listener, recorder.as_ref(), &mut accepting) {
                    break end;
                }
                // Whatever else it waits for comes first.
                if matches!((&door, accepting), (Door::Open(_), false) | (Door::Held, true)) {
                    door = Door::open(recorder.as_ref(), accepting);
                }
            }
            Step::Accepted(Ok((stream, remote))) => {
                let Door::Open(entered) = door else { unreachable!("only an open door accepts") };
                let stamp = Stamp::since(entered);
                door = match Arc::clone(&seats).try_acquire_owned() {
                    Ok(seat) => {
                        nursery.adopt(stream, remote, stamp, seat);
                        Door::open(recorder.as_ref(), accepting)
                    }
                    Err(_) => {
                        pause(recorder.as_ref(), PauseReason::TooManySockets);
                        Door::NoSeat { stream: Box::new(stream), remote, stamp, since: Instant::now() }
                    }
                };
            }
            Step::Accepted(Err(error)) => match Errno::from(&error) {
                errno if errno.is_exhaustion() => {
                    pause(recorder.as_ref(), PauseReason::NoDescriptors);
                    door = Door::NoDescriptor(Instant::now());
                }
                errno => {
                    let failure = Failure::Os(errno);
                    let failed = Failed::minor(failure, Phase::Accept);
                    recorder.record(Stamp::now(), &None, Fact::Failed(Box::new(failed)), None);
                    door = Door::open(recorder.as_ref(), accepting);
                }
            },
            Step::Seat(seat) => {
                if let Door::NoSeat { stream, remote, stamp, since } = door {
                    resume(recorder.as_ref(), since);
                    nursery.adopt(*stream, remote, stamp, seat);
                }
                door = Door::open(recorder.as_ref(), accepting);
            }
            Step::Rested => {
                if let Door::NoDescriptor(since) | Door::NoRoom(since, _) = door {
                    resume(recorder.as_ref(), since);
                }
                door = Door::open(recorder.as_ref(), accepting);
            }
        }
    };
    inbox.commands.close();
    if let Door::NoSeat { stream, remote, .. } = door {
        drop(stream);
        recorder.record(Stamp::now(), &cause, Fact::Unserved(Box::new(remote)), None);
    }
    let entered = Instant::now();
    drop(listener);
    recorder.record(Stamp::since(entered), &cause, Fact::Closed(reason, Leftover::default()), None);
}

async fn watch(listener: &TcpListener, door: &mut Door, seats: &Arc<Semaphore>) -> Step {
    match door {
        Door::Open(_) => Step::Accepted(listener.accept().await),
        Door::NoSeat { .. } => match Arc::clone(seats).acquire_owned().await {
            Ok(seat) => Step::Seat(seat),
            // The semaphore is closed when the workspace ends; the command that ends this listener is on its way.
            Err(_) => std::future::pending().await,
        },
        Door::Held => std::future::pending().await,
        Door::NoDescriptor(_) => {
            sleep(NO_DESCRIPTORS_REST).await;
            Step::Rested
        }
        Door::NoRoom(_, room) => {
            room.await;
            Step::Rested
        }
    }
}

fn obey(
    command: Option<Command>,
    listener: &TcpListener,
    recorder: &dyn Recorder,
    accepting: &mut bool,
) -> Option<(Cause, EndReason)> {
    match command {
        None => Some((None, EndReason::Closed)),
        // A listener has no stream to reset: its descriptor is closed either way.
        Some(Command::Close(cause) | Command::Reset(cause)) => Some((cause, EndReason::Closed)),
        Some(Command::End(cause, reason)) => Some((cause, reason)),
        Some(Command::Set(set)) => {
            let (options, cause) = *set;
            options.apply(&SockRef::from(listener), recorder, &cause);
            *accepting = options.accepting.unwrap_or(*accepting);
            None
        }
        // What waits in its queue is asked by its address.
        Some(Command::Look) => None,
        Some(Command::Send(outgoing)) => {
            refuse(recorder, &outgoing.cause, Phase::Send);
            None
        }
        Some(Command::Shutdown(cause)) => {
            refuse(recorder, &cause, Phase::Shutdown);
            None
        }
    }
}

/// The workspace refuses such commands before they get here; were one to slip through, it is answered like a kernel
/// would.
fn refuse(recorder: &dyn Recorder, cause: &Cause, phase: Phase) {
    let failure = Failure::Os(Errno::ENOTCONN);
    let failed = Failed::minor(failure, phase);
    recorder.record(Stamp::now(), cause, Fact::Failed(Box::new(failed)), None);
}

fn pause(recorder: &dyn Recorder, reason: PauseReason) {
    recorder.record(Stamp::now(), &None, Fact::Paused(What::Accept, reason, 0), None);
}

fn resume(recorder: &dyn Recorder, since: Instant) {
    recorder.record(Stamp::now(), &None, Fact::Resumed(What::Accept, since.elapsed()), None);
}
