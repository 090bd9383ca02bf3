//! Options of a socket: what may be asked, and what the kernel granted.

use std::time::Duration;

use socket2::SockRef;

use crate::{
    errno::Errno,
    fact::{Cause, Fact, Failed, Failure, Phase, Recorder, Stamp},
};

/// The most bytes one read may return.
pub const MAX_READ: usize = 256 * 1024;

/// The most bytes one datagram may have (65,507 over IPv4, 65,527 over IPv6).
pub const MAX_DATAGRAM: usize = 64 * 1024;

/// The receive buffer asked for a datagram socket, in bytes: a flood that outlasts a scheduling hiccup of the reader.
/// The kernel grants what `net.core.rmem_max` allows; an event says how much.
pub const DATAGRAM_RECV_BUFFER: u32 = 4 << 20;

/// Options as asked for. `None` is the default.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long connecting may take, every address together (default 10 s).
    pub connect_timeout: Option<Duration>,
    /// SO_REUSEADDR (default: true for a listener, false for a datagram socket).
    pub reuse_addr: Option<bool>,
    /// listen(2)'s backlog (default 1,024).
    pub backlog: Option<u32>,
    /// The most bytes one read may return, 1 to [`MAX_READ`].
    pub read_size: Option<u32>,
    /// TCP_NODELAY (default true).
    pub nodelay: Option<bool>,
    /// SO_KEEPALIVE (default false).
    pub keepalive: Option<bool>,
    /// SO_RCVBUF in bytes.
    pub recv_buffer: Option<u32>,
    /// SO_SNDBUF in bytes.
    pub send_buffer: Option<u32>,
    /// SO_BROADCAST (default false).
    pub broadcast: Option<bool>,
    /// IPV6_V6ONLY (default: the system's).
    pub ipv6_only: Option<bool>,
}

impl Options {
    /// How long connecting may take.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout.unwrap_or(Duration::from_secs(10))
    }

    /// The most bytes one read of a stream may return.
    #[must_use]
    pub fn stream_read_size(&self) -> usize {
        self.read_size.map_or(MAX_READ, |size| (size as usize).clamp(1, MAX_READ))
    }

    /// The most bytes one datagram may return.
    #[must_use]
    pub fn datagram_read_size(&self) -> usize {
        self.read_size.map_or(MAX_DATAGRAM, |size| (size as usize).clamp(1, MAX_DATAGRAM))
    }

    /// What a listener's options mean for the connections it accepts.
    #[must_use]
    pub fn for_accepted(&self) -> Self {
        Self {
            connect_timeout: None,
            reuse_addr: None,
            backlog: None,
            broadcast: None,
            ipv6_only: None,
            ..self.clone()
        }
    }

    /// Takes over what `newer` says; what it leaves out stays.
    pub fn merge(&mut self, newer: &Self) {
        let Self {
            connect_timeout,
            reuse_addr,
            backlog,
            read_size,
            nodelay,
            keepalive,
            recv_buffer,
            send_buffer,
            broadcast,
            ipv6_only,
        } = newer;
        fn take<T: Copy>(here: &mut Option<T>, newer: Option<T>) {
            if newer.is_some() {
                *here = newer;
            }
        }
        take(&mut self.connect_timeout, *connect_timeout);
        take(&mut self.reuse_addr, *reuse_addr);
        take(&mut self.backlog, *backlog);
        take(&mut self.read_size, *read_size);
        take(&mut self.nodelay, *nodelay);
        take(&mut self.keepalive, *keepalive);
        take(&mut self.recv_buffer, *recv_buffer);
        take(&mut self.send_buffer, *send_buffer);
        take(&mut self.broadcast, *broadcast);
        take(&mut self.ipv6_only, *ipv6_only);
    }

    /// Sets what a living socket can be set to, and records asked and granted; a refusal of the kernel is a fact and
    /// does not end the socket. `read_size` is ours, not the kernel's: the caller keeps it.
    pub(crate) fn apply(&self, socket: &SockRef<'_>, recorder: &dyn Recorder, cause: &Cause) {
        let one = |name,
                   asked: Option<u64>,
                   set: &dyn Fn(u64) -> std::io::Result<()>,
                   get: &dyn Fn() -> std::io::Result<u64>| {
            let Some(asked) = asked else { return };
            let entered = tokio::time::Instant::now();
            let fact = match set(asked).and_then(|()| get()) {
                Ok(granted) => Fact::OptionSet(Box::new((name, asked, granted))),
                Err(error) => Fact::Failed(Box::new(Failed {
                    failure: Failure::Os(Errno::from(&error)),
                    phase: Phase::Option,
                    remote: None,
                    fatal: false,
                })),
            };
            recorder.record(Stamp::since(entered), cause, fact, None);
        };
        let flag = |value: Option<bool>| value.map(u64::from);
        let bytes = |value: Option<u32>| value.map(u64::from);
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        one("reuse_addr", flag(self.reuse_addr), &|v| socket.set_reuse_address(v != 0), &|| {
            socket.reuse_address().map(u64::from)
        });
        one("nodelay", flag(self.nodelay), &|v| socket.set_tcp_nodelay(v != 0), &|| {
            socket.tcp_nodelay().map(u64::from)
        });
        one("keepalive", flag(self.keepalive), &|v| socket.set_keepalive(v != 0), &|| {
            socket.keepalive().map(u64::from)
        });
        one("recv_buffer", bytes(self.recv_buffer), &|v| socket.set_recv_buffer_size(size(v)), &|| {
            socket.recv_buffer_size().map(|n| n as u64)
        });
        one("send_buffer", bytes(self.send_buffer), &|v| socket.set_send_buffer_size(size(v)), &|| {
            socket.send_buffer_size().map(|n| n as u64)
        });
        one("broadcast", flag(self.broadcast), &|v| socket.set_broadcast(v != 0), &|| {
            socket.broadcast().map(u64::from)
        });
        one("ipv6_only", flag(self.ipv6_only), &|v| socket.set_only_v6(v != 0), &|| {
            socket.only_v6().map(u64::from)
        });
        if let Some(asked) = self.read_size {
            let fact = Fact::OptionSet(Box::new(("read_size", u64::from(asked), u64::from(asked))));
            recorder.record(Stamp::now(), cause, fact, None);
        }
    }
}
