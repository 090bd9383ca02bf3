//! The task that owns a UDP socket, connected or not.

use std::{collections::VecDeque, io, mem, net::SocketAddr, os::fd::AsRawFd as _, sync::Arc, time::Duration};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};
use socket2::SockRef;
use tokio::{
    io::{Interest, Ready},
    net::UdpSocket,
    task::yield_now,
    time::{Instant, sleep_until},
};

use crate::{
    dial,
    errno::Errno,
    fact::{
        Cause, Chunk, DropReason, EndReason, Fact, Failed, Failure, PauseReason, Phase, Recorder, Stamp,
        Wait, What,
    },
    mailbox::{Command, Inbox, Outgoing},
    options::Options,
    policy::CheckedAddr,
    scratch::with_scratch,
    sys,
};

/// Datagrams received in a row before commands get a turn.
const RECEIVE_BURST: usize = 64;

/// How often the drop counter is looked at while the socket is idle: drops that no later datagram tells of.
const IDLE_LOOK: Duration = Duration::from_millis(250);

/// The least time between two `dropped` events of a flood.
const DROPS_APART: Duration = Duration::from_millis(100);

enum Step {
    Command(Option<Command>),
    Ready(io::Result<Ready>),
    Room,
    /// Nothing came for a while after something did.
    Idle,
}

/// Owns the socket until it is closed.
pub async fn run(socket: UdpSocket, options: Options, mut inbox: Inbox, recorder: Arc<dyn Recorder>) {
    let mut task = Task {
        options,
        recorder,
        pending: VecDeque::new(),
        waiting: Instant::now(),
        last_peer: None,
        overflow: 0,
        unrecorded: 0,
        recorded_at: None,
        dropped: 0,
        no_room: None,
        more: false,
        idle_at: Some(Instant::now() + IDLE_LOOK),
        socket,
    };
    // SO_RXQ_OVFL places drops in time; SO_MEMINFO counts them for certain. A kernel without it still counts.
    if let Err(errno) = setsockopt(&task.socket, sockopt::RxqOvfl, &1) {
        tracing::debug!(%errno, "SO_RXQ_OVFL is not to be had");
    }
    let (cause, reason) = loop {
        let step = task.next(&mut inbox).await;
        let end = match step {
            Step::Command(command) => task.obey(command, &inbox),
            Step::Ready(Ok(ready)) => {
                task.ready(ready, &inbox);
                None
            }
            Step::Ready(Err(error)) => {
                task.failed(&None, Phase::Receive, None, Errno::from(&error), true);
                Some((None, EndReason::Failed))
            }
            Step::Room => {
                task.resume();
                None
            }
            Step::Idle => {
                task.idle_at = None;
                task.count_drops();
                None
            }
        };
        if let Some(end) = end {
            break end;
        }
        // A flood is always ready and would keep its thread: the runtime sees nothing that waits.
        if mem::take(&mut task.more) {
            yield_now().await;
        }
    };
    task.close(inbox, &cause, reason);
}

struct Task {
    socket: UdpSocket,
    options: Options,
    recorder: Arc<dyn Recorder>,
    /// Accepted and not yet sent. Bounded by the mailbox.
    pending: VecDeque<Outgoing>,
    /// When the current receive was entered.
    waiting: Instant,
    /// The sender of the latest datagram: most come from the same one, and share its address.
    last_peer: Option<Arc<SocketAddr>>,
    /// The kernel's drop counter as last seen; wraps at 2³².
    overflow: u32,
    /// Drops seen and not yet recorded, and when drops were last recorded: in a flood, every datagram tells of some.
    unrecorded: u64,
    recorded_at: Option<Instant>,
    /// Datagrams lost in all.
    dropped: u64,
    /// The last burst ended by its number, so there is more to receive.
    more: bool,
    /// The log is full: since when datagrams are read and dropped, how many, and what ends it.
    no_room: Option<(Instant, u64, Wait)>,
    /// When to look at the drop counter, if something came since the last look.
    idle_at: Option<Instant>,
}

impl Task {
    async fn next(&mut self, inbox: &mut Inbox) -> Step {
        let interest = if self.pending.is_empty() {
            Interest::READABLE | Interest::ERROR
        } else {
            Interest::READABLE | Interest::WRITABLE | Interest::ERROR
        };
        let idle_at = self.idle_at;
        let room = async {
            match &mut self.no_room {
                Some((_, _, wait)) => wait.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            command = inbox.commands.recv() => Step::Command(command),
            () = room => Step::Room,
            ready = self.socket.ready(interest) => Step::Ready(ready),
            () = sleep_until(idle_at.unwrap_or_else(Instant::now)), if idle_at.is_some() => Step::Idle,
        }
    }

    fn obey(&mut self, command: Option<Command>, inbox: &Inbox) -> Option<(Cause, EndReason)> {
        match command {
            None => Some((None, EndReason::Closed)),
            Some(Command::Send(outgoing)) => {
                self.pending.push_back(*outgoing);
                self.send(inbox);
                None
            }
            // Datagrams go at once or wait for the local buffer only; there is no FIN, no RST and no peer to wait for.
            Some(Command::Close(cause) | Command::Reset(cause)) => Some((cause, EndReason::Closed)),
            Some(Command::End(cause, reason)) => Some((cause, reason)),
            Some(Command::Shutdown(cause)) => {
                self.failed(&cause, Phase::Shutdown, None, Errno::ENOTCONN, false);
                None
            }
            Some(Command::Set(set)) => {
                let (options, cause) = *set;
                options.apply(&SockRef::from(&self.socket), self.recorder.as_ref(), &cause);
                self.options.merge(&options);
                None
            }
        }
    }

    fn ready(&mut self, ready: Ready, inbox: &Inbox) {
        if ready.is_writable() {
            self.send(inbox);
        }
        if ready.is_readable() || ready.is_read_closed() {
            self.receive();
        }
        if ready.is_error() {
            let pending = self.socket.try_io(Interest::ERROR, || match self.socket.take_error() {
                Ok(Some(error)) | Err(error) => Ok(error),
                // Clears the readiness: the error was met by a read or write already.
                Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            });
            if let Ok(error) = pending {
                self.failed(&None, Phase::Receive, None, Errno::from(&error), false);
            }
        }
    }

    fn receive(&mut self) {
        for _ in 0..RECEIVE_BURST {
            let size = self.options.datagram_read_size();
            let granted = self.recorder.admit(size);
            if granted >= size {
                self.resume();
            } else if self.no_room.is_none() {
                self.no_room = Some((Instant::now(), 0, self.recorder.room()));
                let fact = Fact::Paused(What::Read, PauseReason::LogFull, 0);
                self.recorder.record(Stamp::now(), &None, fact, None);
            }
            let result = with_scratch(|scratch| self.receive_one(&mut scratch[..size], granted >= size));
            let recorded = *result.as_ref().unwrap_or(&0);
            self.recorder.decline(granted - recorded);
            match result {
                Ok(_) => self.idle_at = Some(Instant::now() + IDLE_LOOK),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // An ICMP error about an earlier datagram (ip(7)): a fact, and the socket lives on.
                Err(error) => {
                    self.failed(&None, Phase::Receive, None, Errno::from(&error), false);
                    self.waiting = Instant::now();
                }
            }
        }
        self.more = true;
    }

    /// Receives one datagram and records it, or counts it when there is no room. Returns how many bytes of the log's
    /// grant it used.
    fn receive_one(&mut self, buffer: &mut [u8], room: bool) -> io::Result<usize> {
        let received = self.socket.try_io(Interest::READABLE, || try_receive(&self.socket, buffer));
        let Message { len: n, from, truncated, overflow } = received?;
        if let Some(overflow) = overflow {
            self.note_overflow(overflow);
        }
        let stamp = Stamp::since(self.waiting);
        self.waiting = stamp.at;
        if !room {
            if let Some((_, lost, _)) = &mut self.no_room {
                *lost += 1;
            }
            return Ok(0);
        }
        let peer = from.map(|from| match &self.last_peer {
            Some(last) if **last == from => Arc::clone(last),
            _ => {
                let peer = Arc::new(from);
                self.last_peer = Some(Arc::clone(&peer));
                peer
            }
        });
        let len = u32::try_from(n).expect("a datagram is at most 64 KiB");
        let chunk = Chunk { len, offset: None, peer, truncated };
        self.recorder.record(stamp, &None, Fact::Received(chunk), Some(&buffer[..n]));
        Ok(n)
    }

    fn send(&mut self, inbox: &Inbox) {
        while let Some(outgoing) = self.pending.front() {
            let entered = Instant::now();
            match dial::try_send(&self.socket, &outgoing.data, outgoing.to) {
                Ok(n) => {
                    let chunk = Chunk {
                        len: u32::try_from(n).expect("a datagram is at most 64 KiB"),
                        offset: None,
                        peer: outgoing.to.map(|to| Arc::new(to.get())),
                        truncated: false,
                    };
                    let sent = Some(&outgoing.data[..n]);
                    self.recorder.record(Stamp::since(entered), &outgoing.cause, Fact::Sent(chunk), sent);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let (cause, to) = (outgoing.cause.clone(), outgoing.to.map(CheckedAddr::get));
                    self.recorder.decline(outgoing.data.len());
                    self.failed(&cause, Phase::Send, to, Errno::from(&error), false);
                }
            }
            if let Some(outgoing) = self.pending.pop_front() {
                inbox.queue.sent(outgoing.data.len() as u64);
                inbox.queue.done();
            }
        }
    }

    /// Takes over the kernel's counter, and records what it grew by unless that was just done.
    fn note_overflow(&mut self, overflow: u32) {
        let grew = overflow.wrapping_sub(self.overflow);
        // A datagram tells the counter of when it was queued, which may be before we last asked (SO_MEMINFO).
        if grew > u32::MAX / 2 {
            return;
        }
        self.unrecorded += u64::from(grew);
        self.overflow = overflow;
        // A full log gets one event for all of them when it has room again.
        if self.no_room.is_none()
            && self.unrecorded > 0
            && self.recorded_at.is_none_or(|at| at.elapsed() >= DROPS_APART)
        {
            self.record_overflow();
        }
    }

    fn record_overflow(&mut self) {
        if self.unrecorded > 0 {
            self.recorded_at = Some(Instant::now());
            let count = mem::take(&mut self.unrecorded);
            self.lost(count, DropReason::KernelBufferFull);
        }
    }

    fn lost(&mut self, count: u64, reason: DropReason) {
        self.dropped += count;
        let fact = Fact::Dropped(Box::new((count, self.dropped, reason)));
        self.recorder.record(Stamp::now(), &None, fact, None);
    }

    /// Asks the kernel how many were dropped, and records what was not recorded yet.
    fn count_drops(&mut self) {
        match sys::datagrams_dropped(&self.socket) {
            Ok(dropped) => self.note_overflow(dropped),
            Err(error) => tracing::debug!(%error, "SO_MEMINFO is not to be had"),
        }
        self.record_overflow();
    }

    fn resume(&mut self) {
        if let Some((since, lost, _)) = self.no_room.take() {
            if lost > 0 {
                self.lost(lost, DropReason::LogFull);
            }
            self.recorder.record(Stamp::now(), &None, Fact::Resumed(What::Read, since.elapsed()), None);
            self.count_drops();
        }
    }

    fn failed(&self, cause: &Cause, phase: Phase, remote: Option<SocketAddr>, errno: Errno, fatal: bool) {
        let failed = Failed { failure: Failure::Os(errno), phase, remote, fatal };
        self.recorder.record(Stamp::now(), cause, Fact::Failed(Box::new(failed)), None);
    }

    fn close(mut self, mut inbox: Inbox, cause: &Cause, reason: EndReason) {
        inbox.commands.close();
        if let Some((_, lost, _)) = self.no_room.take()
            && lost > 0
        {
            self.lost(lost, DropReason::LogFull);
        }
        // What the kernel already holds was received by this socket: record it, so that sent = recorded + dropped.
        self.receive_all();
        self.count_drops();
        while let Ok(command) = inbox.commands.try_recv() {
            if let Command::Send(outgoing) = command {
                self.pending.push_back(*outgoing);
            }
        }
        let unsent: u64 = self.pending.iter().map(|outgoing| outgoing.data.len() as u64).sum();
        inbox.queue.sent(unsent);
        self.recorder.decline(usize::try_from(unsent).unwrap_or(usize::MAX));
        self.pending.iter().for_each(|_| inbox.queue.done());
        let Self { socket, recorder, .. } = self;
        let entered = Instant::now();
        drop(socket);
        recorder.record(Stamp::since(entered), cause, Fact::Closed(reason, unsent), None);
    }

    /// Receives what lies in the socket's buffer, and no more than it can hold: a flood must not keep a close waiting.
    fn receive_all(&mut self) {
        let size = self.options.datagram_read_size();
        // The kernel accounts at least 512 bytes a datagram against SO_RCVBUF.
        let at_most = SockRef::from(&self.socket).recv_buffer_size().unwrap_or(0) / 512 + 1;
        let mut unrecorded = 0;
        for _ in 0..at_most {
            let granted = self.recorder.admit(size);
            let room = granted >= size;
            let result = with_scratch(|scratch| self.receive_one(&mut scratch[..size], room));
            self.recorder.decline(granted - *result.as_ref().unwrap_or(&0));
            match result {
                Ok(_) if room => {}
                Ok(_) => unrecorded += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error comes before the datagrams behind it.
                Err(_) => {}
            }
        }
        if unrecorded > 0 {
            self.lost(unrecorded, DropReason::LogFull);
        }
    }
}

/// What one recvmsg(2) brought.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    /// How many bytes were handed over.
    pub len: usize,
    /// Who sent them.
    pub from: Option<SocketAddr>,
    /// The datagram was longer than the buffer.
    pub truncated: bool,
    /// The socket's drop counter (SO_RXQ_OVFL), once it has dropped any.
    pub overflow: Option<u32>,
}

/// Waits for a datagram.
///
/// # Errors
/// What recvmsg(2) says.
pub async fn receive_message(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Message> {
    socket.async_io(Interest::READABLE, || try_receive(socket, buffer)).await
}

fn try_receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Message> {
    let mut control = nix::cmsg_space!(u32);
    let mut slices = [io::IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut slices,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;
    let from = message.address.as_ref().and_then(|address| {
        let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
    });
    let overflow = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::RxqOvfl(count) => Some(count),
        _ => None,
    });
    Ok(Message { len: message.bytes, from, truncated: message.flags.contains(MsgFlags::MSG_TRUNC), overflow })
}
