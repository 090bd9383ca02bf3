//! The task that owns a UDP socket, connected or not.

use std::{collections::VecDeque, io, mem, net::SocketAddr, os::fd::AsRawFd as _, sync::Arc};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
use socket2::SockRef;
use tokio::{
    io::{Interest, Ready},
    net::UdpSocket,
    task::yield_now,
    time::{Instant, sleep_until},
};

use crate::{
    dial,
    drops::{Drops, IDLE_LOOK},
    errno::Errno,
    fact::{
        Cause, Chunk, DropReason, EndReason, Fact, Failed, Failure, Leftover, PauseReason, Phase, Recorder,
        Stamp, Wait, What,
    },
    mailbox::{Command, Inbox, Outgoing},
    options::Options,
    policy::CheckedAddr,
    scratch::with_scratch,
};

/// Datagrams received in a row before commands get a turn.
const RECEIVE_BURST: usize = 64;

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
        sending: None,
        waiting: Instant::now(),
        last_peer: None,
        drops: Drops::of(&socket),
        no_room: None,
        more: false,
        idle_at: Some(Instant::now() + IDLE_LOOK),
        socket,
    };
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
                task.drops.look(&task.socket, task.recorder.as_ref());
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
    /// When the first of them was first given to the kernel.
    sending: Option<Instant>,
    /// When the current receive was entered.
    waiting: Instant,
    /// The sender of the latest datagram: most come from the same one, and share its address.
    last_peer: Option<Arc<SocketAddr>>,
    /// Datagrams that never reached the log.
    drops: Drops,
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
            // TCP_INFO is of streams.
            Some(Command::Look) => None,
            Some(Command::Set(set)) => {
                let (options, cause) = *set;
                options.apply(&SockRef::from(&self.socket), self.recorder.as_ref(), &cause);
                self.options.read_size = options.read_size.or(self.options.read_size);
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
            self.drops.note(overflow, self.recorder.as_ref(), self.no_room.is_some());
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
            let entered = *self.sending.get_or_insert_with(Instant::now);
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
            self.sending = None;
            if let Some(outgoing) = self.pending.pop_front() {
                inbox.queue.sent(outgoing.data.len() as u64);
                inbox.queue.done();
            }
        }
    }

    fn resume(&mut self) {
        if let Some((since, lost, _)) = self.no_room.take() {
            self.drops.lost(lost, DropReason::LogFull, self.recorder.as_ref());
            self.recorder.record(Stamp::now(), &None, Fact::Resumed(What::Read, since.elapsed()), None);
            self.drops.look(&self.socket, self.recorder.as_ref());
        }
    }

    fn failed(&self, cause: &Cause, phase: Phase, remote: Option<SocketAddr>, errno: Errno, fatal: bool) {
        let failed = Failed { remote, fatal, ..Failed::minor(Failure::Os(errno), phase) };
        self.recorder.record(Stamp::now(), cause, Fact::Failed(Box::new(failed)), None);
    }

    fn close(mut self, mut inbox: Inbox, cause: &Cause, reason: EndReason) {
        inbox.commands.close();
        if let Some((_, lost, _)) = self.no_room.take() {
            self.drops.lost(lost, DropReason::LogFull, self.recorder.as_ref());
        }
        // What the kernel already holds was received by this socket: record it, so that sent = recorded + dropped.
        self.receive_all();
        self.drops.look(&self.socket, self.recorder.as_ref());
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
        recorder.record(
            Stamp::since(entered),
            cause,
            Fact::Closed(reason, Leftover { unsent, unread: 0 }),
            None,
        );
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
            self.drops.lost(unrecorded, DropReason::LogFull, self.recorder.as_ref());
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
