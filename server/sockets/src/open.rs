//! From what the user asked for to a socket that is open, or the reason why not: resolve, check, dial.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    arrival, dial,
    errno::Errno,
    fact::{Cause, Denied, Fact, Failed, Failure, Phase, Recorder, Stamp},
    options::{DATAGRAM_RECV_BUFFER, Options},
    policy::{Checked, CheckedAddr, Policy, Purpose, Refusal, ResolveError, Resolver},
    target::{Scheme, Target},
};

/// How long a connection attempt has before the next address is tried beside it (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Attempts under way at the same time: each holds a descriptor of its own.
const ATTEMPTS: usize = 3;

/// listen(2)'s backlog unless asked otherwise.
pub const BACKLOG: u32 = 1024;

/// An open socket of one kind or another.
#[derive(Debug)]
pub enum Opened {
    /// A connected stream.
    Stream(TcpStream),
    /// A listener.
    Listener(TcpListener),
    /// A datagram socket, connected or bound.
    Datagram(UdpSocket),
}

/// A family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Whether an address is of it.
    #[must_use]
    pub const fn has(self, address: &SocketAddr) -> bool {
        matches!((self, address), (Self::V4, SocketAddr::V4(_)) | (Self::V6, SocketAddr::V6(_)))
    }
}

/// Which of the addresses to try it is, from 1, and how many there are.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    nth: u32,
    of: u32,
}

/// A name has a few addresses.
fn counted(addresses: usize) -> u32 {
    u32::try_from(addresses).unwrap_or(u32::MAX)
}

/// The socket did not open; the facts say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOpened;

/// What opening needs.
#[derive(Clone)]
pub struct Opening {
    /// What the user asked for.
    pub target: Target,
    /// With which options.
    pub options: Options,
    /// Addresses of a name are taken of this family only.
    pub family: Option<Family>,
    /// Who asked.
    pub cause: Cause,
    /// What may be reached.
    pub policy: Arc<Policy>,
    /// How names become addresses.
    pub resolver: Arc<Resolver>,
    /// Where the facts go.
    pub recorder: Arc<dyn Recorder>,
}

impl Opening {
    /// Opens the socket. Every step is recorded; the last fact of a socket that did not open is fatal. Dropping the
    /// future cancels whatever is under way.
    ///
    /// # Errors
    /// When it did not open.
    pub async fn open(&self) -> Result<Opened, NotOpened> {
        let deadline = Instant::now() + self.options.connect_timeout();
        let purpose = match self.target.scheme {
            Scheme::Tcp | Scheme::Udp => Purpose::Connect,
            Scheme::TcpListen | Scheme::UdpBind => Purpose::Bind,
        };
        let checked = self.check(purpose, deadline).await?;
        let checked = self.any_of_range(purpose, checked);
        match self.target.scheme {
            Scheme::Tcp => self.connect(&checked.allowed, deadline).await.map(Opened::Stream),
            Scheme::TcpListen => self.first(&checked.allowed, |at, _| self.listen(at)).map(Opened::Listener),
            Scheme::Udp => {
                self.first(&checked.allowed, |to, nth| self.udp_connect(to, nth)).map(Opened::Datagram)
            }
            Scheme::UdpBind => self.first(&checked.allowed, |at, _| self.udp_bind(at)).map(Opened::Datagram),
        }
    }

    fn record(&self, stamp: Stamp, fact: Fact) {
        self.recorder.record(stamp, &self.cause, fact, None);
    }

    async fn check(&self, purpose: Purpose, deadline: Instant) -> Result<Checked, NotOpened> {
        let entered = Instant::now();
        let host = &self.target.host;
        // Port 0 stands for every port of the range. Which of them the policy allows does not depend on the host, so
        // the host is asked about with one that is; the others follow when it is opened.
        let on = |port| SocketAddr::from(([0, 0, 0, 0], port));
        let range = self.policy.listen_ports().filter(|_| self.wants_any(purpose));
        let allowed =
            range.and_then(|mut ports| ports.find(|port| self.policy.check(on(*port), purpose).is_ok()));
        let port = allowed.unwrap_or(self.target.port);
        let checked = match timeout_at(deadline, self.policy.targets(&self.resolver, host, port, purpose))
            .await
        {
            Ok(Ok(checked)) => checked,
            Ok(Err(Refusal::Resolve(error))) => {
                return Err(self.fail(Stamp::since(entered), Failure::Resolve(error), Phase::Resolve, None));
            }
            Ok(Err(Refusal::Denied(denials))) => {
                let last = denials.len().saturating_sub(1);
                for (index, denial) in denials.iter().enumerate() {
                    self.deny(denial, index == last);
                }
                return Err(NotOpened);
            }
            Err(_) => return Err(self.fail(Stamp::since(entered), Failure::TimedOut, Phase::Resolve, None)),
        };
        if let Some(addresses) = &checked.resolved {
            let name = self.target.host.to_string();
            self.record(Stamp::since(entered), Fact::Resolved(Box::new((name, addresses.clone()))));
        }
        for denial in &checked.denied {
            self.deny(denial, false);
        }
        self.of_family(checked, entered)
    }

    /// Of a name's addresses those that were asked for.
    fn of_family(&self, mut checked: Checked, entered: Instant) -> Result<Checked, NotOpened> {
        if let (Some(family), Some(_)) = (self.family, &checked.resolved) {
            checked.allowed.retain(|address| family.has(&address.get()));
            if checked.allowed.is_empty() {
                let none = Failure::Resolve(ResolveError::NoAddress);
                return Err(self.fail(Stamp::since(entered), none, Phase::Resolve, None));
            }
        }
        Ok(checked)
    }

    /// Where the ports of listeners are limited, "any free port" means any free one of those.
    fn any_of_range(&self, purpose: Purpose, checked: Checked) -> Checked {
        let Some(ports) = self.policy.listen_ports().filter(|_| self.wants_any(purpose)) else {
            return checked;
        };
        let on_every_port = |address: &CheckedAddr| {
            let ip = address.get();
            let policy = Arc::clone(&self.policy);
            ports.clone().filter_map(move |port| {
                let mut address = ip;
                address.set_port(port);
                policy.check(address, Purpose::Bind).ok()
            })
        };
        let allowed = checked.allowed.iter().flat_map(on_every_port).collect();
        Checked { allowed, ..checked }
    }

    fn wants_any(&self, purpose: Purpose) -> bool {
        purpose == Purpose::Bind && self.target.port == 0
    }

    fn deny(&self, denial: &crate::policy::Denial, fatal: bool) {
        let crate::policy::Denial { address, class, rule } = *denial;
        let denied = Denied { target: self.target.to_string(), address, class, rule, fatal };
        self.record(Stamp::now(), Fact::Denied(Box::new(denied)));
    }

    fn fail(&self, stamp: Stamp, failure: Failure, phase: Phase, remote: Option<SocketAddr>) -> NotOpened {
        let failed = Failed { remote, fatal: true, ..Failed::minor(failure, phase) };
        self.record(stamp, Fact::Failed(Box::new(failed)));
        NotOpened
    }

    /// Happy eyeballs (RFC 8305): one attempt after the other, each with a head start, until one succeeds. There is an address: a
    /// name without one has failed before.
    async fn connect(&self, addresses: &[CheckedAddr], deadline: Instant) -> Result<TcpStream, NotOpened> {
        let of = counted(addresses.len());
        let mut waiting = addresses.iter().copied().enumerate();
        let mut running = Vec::new();
        let mut under_way: Vec<(SocketAddr, Instant)> = Vec::new();
        // `None`: at once. A timer that is due already still takes a millisecond.
        let mut next_at = None;
        let mut late = pin!(sleep_until(deadline));
        loop {
            let more = waiting.len() > 0;
            let next = async {
                if let Some(at) = next_at {
                    sleep_until(at).await;
                }
            };
            tokio::select! {
                biased;
                (address, entered, result) = first_over(&mut running) => {
                    let stamp = Stamp::since(entered);
                    let address: CheckedAddr = address;
                    let remote = address.get();
                    under_way.retain(|(other, _)| *other != remote);
                    match result {
                        Ok((stream, local)) => {
                            drop(running);
                            for (other, entered) in under_way {
                                self.record(Stamp::since(entered), Fact::Abandoned(Box::new(other)));
                            }
                            // getpeername(2) is not asked: it fails where the peer has reset the connection since. It was connected
                            // all the same, and its reading will say what became of it.
                            self.record(stamp, Fact::Connected(Box::new((local, remote))));
                            return Ok(stream);
                        }
                        Err((phase, error)) => {
                            let fatal = running.is_empty() && waiting.len() == 0;
                            self.attempt_failed(stamp, Failure::Os(Errno::from(&error)), phase, remote, fatal);
                            if fatal {
                                return Err(NotOpened);
                            }
                            next_at = None;
                        }
                    }
                }
                // Not begun before there is something to wait for: a target on this machine has answered by then.
                () = &mut late, if !under_way.is_empty() => {
                    drop(running);
                    let (last, entered) = under_way.pop().expect("an attempt is under way");
                    for (remote, entered) in under_way {
                        self.attempt_failed(Stamp::since(entered), Failure::TimedOut, Phase::Connect, remote, false);
                    }
                    return Err(self.fail(Stamp::since(entered), Failure::TimedOut, Phase::Connect, Some(last)));
                }
                () = next, if more && running.len() < ATTEMPTS => {
                    if let Some((index, address)) = waiting.next() {
                        self.record(Stamp::now(), Fact::Connecting(Box::new((address.get(), counted(index + 1), of))));
                        under_way.push((address.get(), Instant::now()));
                        running.push(Box::pin(self.attempt(address)));
                        next_at = Some(Instant::now() + ATTEMPT_DELAY);
                    }
                }
            }
        }
    }

    fn attempt_failed(&self, stamp: Stamp, failure: Failure, phase: Phase, remote: SocketAddr, fatal: bool) {
        let failed = Failed { remote: Some(remote), fatal, ..Failed::minor(failure, phase) };
        self.record(stamp, Fact::Failed(Box::new(failed)));
    }

    async fn attempt(
        &self,
        address: CheckedAddr,
    ) -> (CheckedAddr, Instant, Result<(TcpStream, SocketAddr), (Phase, io::Error)>) {
        let entered = Instant::now();
        let result = match dial::stream_socket(address, |socket| self.prepare_stream(socket)) {
            Ok(socket) => {
                let dialling = |local, socket: &_| {
                    if self.recorder.watches() {
                        self.recorder.dialling(local, address.get(), SockRef::from(socket).cookie().ok());
                    }
                };
                dial::connect(socket, address, dialling).await.map_err(|error| (Phase::Connect, error))
            }
            Err(error) => Err((Phase::Socket, error)),
        };
        (address, entered, result)
    }

    /// Tries each address in turn: what is bound, listened on or connected without a handshake has no race to win.
    fn first<T>(
        &self,
        addresses: &[CheckedAddr],
        open: impl Fn(CheckedAddr, Attempt) -> Result<T, (Phase, io::Error)>,
    ) -> Result<T, NotOpened> {
        for (index, address) in addresses.iter().enumerate() {
            let entered = Instant::now();
            match open(*address, Attempt { nth: counted(index + 1), of: counted(addresses.len()) }) {
                Ok(opened) => return Ok(opened),
                Err((phase, error)) => {
                    let fatal = index + 1 == addresses.len();
                    let errno = Errno::from(&error);
                    if errno == Errno::EADDRINUSE && self.target.port == 0 && !fatal {
                        // One of many ports that would do is taken: nobody asked for this one.
                        continue;
                    }
                    self.attempt_failed(
                        Stamp::since(entered),
                        Failure::Os(errno),
                        phase,
                        address.get(),
                        fatal,
                    );
                }
            }
        }
        Err(NotOpened)
    }

    fn listen(&self, address: CheckedAddr) -> Result<TcpListener, (Phase, io::Error)> {
        let entered = Instant::now();
        let socket = dial::tcp_socket(address, |socket| self.prepare_listener(socket))
            .map_err(|error| (Phase::Socket, error))?;
        dial::bind(&socket, address).map_err(|error| (Phase::Bind, error))?;
        let local = socket.local_addr().map_err(|error| (Phase::Bind, error))?;
        self.record(Stamp::since(entered), Fact::Bound(Box::new(local)));
        let entered = Instant::now();
        let backlog = self.options.backlog.unwrap_or(BACKLOG);
        let listener = dial::listen(socket, backlog).map_err(|error| (Phase::Listen, error))?;
        self.record(Stamp::since(entered), Fact::Listening(Box::new((local, backlog))));
        Ok(listener)
    }

    fn udp_bind(&self, address: CheckedAddr) -> Result<UdpSocket, (Phase, io::Error)> {
        let entered = Instant::now();
        let socket = dial::udp_socket(address, |socket| self.prepare_datagram(socket))
            .map_err(|error| (Phase::Socket, error))?;
        let socket = dial::udp_bind(socket, address).map_err(|error| (Phase::Bind, error))?;
        let local = socket.local_addr().map_err(|error| (Phase::Bind, error))?;
        self.record(Stamp::since(entered), Fact::Bound(Box::new(local)));
        Ok(socket)
    }

    fn udp_connect(&self, address: CheckedAddr, attempt: Attempt) -> Result<UdpSocket, (Phase, io::Error)> {
        let entered = Instant::now();
        let socket = dial::udp_socket(address, |socket| self.prepare_datagram(socket))
            .map_err(|error| (Phase::Socket, error))?;
        let Attempt { nth, of } = attempt;
        self.record(Stamp::now(), Fact::Connecting(Box::new((address.get(), nth, of))));
        let socket = dial::udp_connect(socket, address).map_err(|error| (Phase::Connect, error))?;
        let local = socket.local_addr().map_err(|error| (Phase::Connect, error))?;
        self.record(Stamp::since(entered), Fact::Connected(Box::new((local, address.get()))));
        Ok(socket)
    }

    fn prepare_stream(&self, socket: &SockRef<'_>) {
        prepare_accepted(socket, &self.options, self.recorder.as_ref(), &self.cause);
    }

    fn prepare_listener(&self, socket: &SockRef<'_>) {
        if self.options.reuse_addr.is_none() {
            quietly("SO_REUSEADDR", socket.set_reuse_address(true));
        }
        self.options.apply(socket, self.recorder.as_ref(), &self.cause);
    }

    fn prepare_datagram(&self, socket: &SockRef<'_>) {
        let mut options = self.options.clone();
        options.recv_buffer.get_or_insert(DATAGRAM_RECV_BUFFER);
        options.apply(socket, self.recorder.as_ref(), &self.cause);
        arrival::ask(socket);
    }
}

/// Sets the options of a stream: those asked for, and TCP_NODELAY unless asked otherwise.
pub fn prepare_accepted(socket: &SockRef<'_>, options: &Options, recorder: &dyn Recorder, cause: &Cause) {
    if options.nodelay.is_none() {
        quietly("TCP_NODELAY", socket.set_tcp_nodelay(true));
    }
    options.apply(socket, recorder, cause);
}

/// A default the kernel refuses is not the user's business: nobody asked for it.
fn quietly(option: &str, result: io::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(option, %error, "a default could not be set");
    }
}

/// What the first of these that is over says; it is taken out. All are asked when one stirs: they are few.
async fn first_over<F: Future + Unpin>(running: &mut Vec<F>) -> F::Output {
    poll_fn(|context| {
        let over =
            running.iter_mut().enumerate().find_map(|(index, future)| match Pin::new(future).poll(context) {
                Poll::Ready(said) => Some((index, said)),
                Poll::Pending => None,
            });
        over.map_or(Poll::Pending, |(index, said)| {
            drop(running.swap_remove(index));
            Poll::Ready(said)
        })
    })
    .await
}
