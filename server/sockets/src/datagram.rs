//! The task that owns a UDP socket, connected or not.

use std::{collections::VecDeque, io, mem, net::SocketAddr, sync::Arc};

use socket2::SockRef;
use tokio::{
    io::{Interest, Ready},
    net::UdpSocket,
    task::yield_now,
    time::{Instant, sleep_until},
};

use crate::{
    arrival::{Arrivals, try_receive},
    dial,
    drops::{Drops, IDLE_LOOK},
    errno::Errno,
    fact::{
        Cause, Chunk, DropReason, EndReason, Fact, Failed, Failure, Icmp, Leftover, PauseReason, Phase,
        Recorder, Stamp, Wait, What,
    },
    icmp::{Errors, Met},
    mailbox::{Command, Inbox, Outgoing},
    options::Options,
    policy::CheckedAddr,
    scratch::with_scratch,
};

/// Datagrams received in a row before commands get a turn.
const RECEIVE_BURST: usize = 64;

/// ICMP errors told in a row before commands and datagrams get a turn.
const ERROR_BURST: usize = 64;

/// How often one datagram is given to the kernel again after an error that is about another. Then it has failed.
const SEND_TRIES: usize = 8;

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
        arrivals: Arrivals::default(),
        errors: Errors::of(&socket),
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

/// What a failed send failed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// An error of its own.
    Own,
    /// What an earlier datagram to the same place met.
    Ours(Option<Icmp>),
    /// What one to another place met, and that is told.
    Another,
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
    /// How datagrams come.
    arrivals: Arrivals,
    /// What those that went met on their way.
    errors: Errors,
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
        // Errors first: a call made before would fail with one, whatever it is about.
        if ready.is_error() {
            self.tell_errors();
        }
        if ready.is_writable() {
            self.send(inbox);
        }
        if ready.is_readable() || ready.is_read_closed() {
            self.receive();
        }
    }

    /// Tells what waits in the error queue. What is left stays ready for the next turn.
    fn tell_errors(&mut self) {
        for _ in 0..ERROR_BURST {
            let (socket, errors) = (&self.socket, &mut self.errors);
            let met = socket.try_io(Interest::ERROR, || match errors.next(socket) {
                // Without a message there may still be an error: the queue was full, or the message is told already.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match socket.take_error()? {
                    Some(error) => Ok(Met { errno: Errno::from(&error), icmp: None, remote: None }),
                    // Clears the readiness.
                    None => Err(io::ErrorKind::WouldBlock.into()),
                },
                met => met,
            });
            match met {
                Ok(met) => self.tell(met),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
        self.more = true;
    }

    /// A call of ours found an error that came before it: the queue says which.
    fn tell_pending(&mut self, errno: Errno) {
        let mut found = false;
        for _ in 0..ERROR_BURST {
            let Ok(met) = self.errors.next(&self.socket) else { break };
            found |= met.errno == errno;
            self.tell(met);
        }
        if !found {
            self.tell(Met { errno, icmp: None, remote: None });
        }
    }

    fn tell(&mut self, met: Met) {
        let Met { errno, icmp, remote } = met;
        if icmp.is_none() && self.errors.is_echo(errno) {
            return;
        }
        let failed = Failed { remote, icmp, ..Failed::minor(Failure::Os(errno), Phase::Receive) };
        self.recorder.record(Stamp::now(), &None, Fact::Failed(Box::new(failed)), None);
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
                // When it was received: the clock was asked then.
                Ok(_) => self.idle_at = Some(self.waiting + IDLE_LOOK),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // An ICMP error about an earlier datagram (ip(7)): a fact, and the socket lives on.
                Err(error) => {
                    self.tell_pending(Errno::from(&error));
                    self.waiting = Instant::now();
                    // As many as wait were told: others get their turn.
                    break;
                }
            }
        }
        self.more = true;
    }

    /// Receives one datagram and records it, or counts it when there is no room. Returns how many bytes of the log's
    /// grant it used.
    fn receive_one(&mut self, buffer: &mut [u8], room: bool) -> io::Result<usize> {
        let received = self.socket.try_io(Interest::READABLE, || try_receive(&self.socket, buffer));
        let message = received?;
        if let Some(overflow) = message.overflow {
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
        let n = message.len;
        let chunk = self.arrivals.chunk(&message, stamp.at);
        self.recorder.record(stamp, &None, Fact::Received(chunk), Some(&buffer[..n]));
        Ok(n)
    }

    fn send(&mut self, inbox: &Inbox) {
        let mut tries = 0;
        while let Some(outgoing) = self.pending.front() {
            let entered = *self.sending.get_or_insert_with(Instant::now);
            match dial::try_send(&self.socket, &outgoing.data, outgoing.to) {
                Ok(n) => {
                    let len = u32::try_from(n).expect("a datagram is at most 64 KiB");
                    let chunk = Chunk::to(len, outgoing.to.map(CheckedAddr::get));
                    let sent = Some(&outgoing.data[..n]);
                    self.recorder.record(Stamp::since(entered), &outgoing.cause, Fact::Sent(chunk), sent);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let (cause, to) = (outgoing.cause.clone(), outgoing.to.map(CheckedAddr::get));
                    let len = outgoing.data.len();
                    tries += 1;
                    let errno = Errno::from(&error);
                    let found = self.found_sending(errno, to);
                    if found == Found::Another && tries < SEND_TRIES {
                        continue;
                    }
                    let icmp = if let Found::Ours(icmp) = found { icmp } else { None };
                    self.recorder.decline(len);
                    let failed =
                        Failed { remote: to, icmp, ..Failed::minor(Failure::Os(errno), Phase::Send) };
                    self.recorder.record(Stamp::now(), &cause, Fact::Failed(Box::new(failed)), None);
                }
            }
            tries = 0;
            self.sending = None;
            if let Some(outgoing) = self.pending.pop_front() {
                inbox.queue.sent(outgoing.data.len() as u64);
                inbox.queue.done();
            }
        }
    }

    /// A send failed: with its own error, or with one that an earlier datagram met (ip(7)), in which case this one did not
    /// go. One to the same place takes the error for its own; one to another is to be sent again, for only a socket that
    /// asked to hear of errors without being connected is held up by them.
    fn found_sending(&mut self, errno: Errno, to: Option<SocketAddr>) -> Found {
        let mut found = Found::Own;
        for _ in 0..ERROR_BURST {
            let Ok(met) = self.errors.next(&self.socket) else { break };
            if met.errno == errno && found == Found::Own {
                if to.is_none_or(|to| met.remote == Some(to)) {
                    // Told with the call that failed.
                    found = Found::Ours(met.icmp);
                    continue;
                }
                found = Found::Another;
            }
            self.tell(met);
        }
        if found == Found::Own && self.errors.is_echo(errno) { Found::Another } else { found }
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
        let at_most = self.at_most();
        self.receive_all(at_most);
        for _ in 0..at_most {
            let Ok(met) = self.errors.next(&self.socket) else { break };
            self.tell(met);
        }
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

    /// How many datagrams and errors the kernel can hold for it.
    fn at_most(&self) -> usize {
        // At least 512 bytes each are accounted against SO_RCVBUF.
        SockRef::from(&self.socket).recv_buffer_size().unwrap_or(0) / 512 + 1
    }

    /// Receives what lies in the socket's buffer, and no more than it can hold: a flood must not keep a close waiting.
    fn receive_all(&mut self, at_most: usize) {
        let size = self.options.datagram_read_size();
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
                Err(error) => self.tell_pending(Errno::from(&error)),
            }
        }
        if unrecorded > 0 {
            self.drops.lost(unrecorded, DropReason::LogFull, self.recorder.as_ref());
        }
    }
}
