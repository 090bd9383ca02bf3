//! Options of a socket: what may be asked, and what the kernel granted.

use std::time::Duration;

use nix::sys::socket::{getsockopt, setsockopt, sockopt};
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
    /// TCP_KEEPIDLE in seconds.
    pub keepalive_idle_s: Option<u32>,
    /// TCP_KEEPINTVL in seconds.
    pub keepalive_interval_s: Option<u32>,
    /// TCP_KEEPCNT.
    pub keepalive_count: Option<u32>,
    /// TCP_USER_TIMEOUT in ms.
    pub user_timeout_ms: Option<u32>,
    /// SO_RCVBUF in bytes.
    pub recv_buffer: Option<u32>,
    /// SO_SNDBUF in bytes.
    pub send_buffer: Option<u32>,
    /// TCP_CORK (default false).
    pub cork: Option<bool>,
    /// TCP_QUICKACK.
    pub quickack: Option<bool>,
    /// TCP_MAXSEG in bytes.
    pub maxseg: Option<u32>,
    /// Whether the stream is read (default true).
    pub reading: Option<bool>,
    /// Whether the listener accepts (default true).
    pub accepting: Option<bool>,
    /// SO_BROADCAST (default false).
    pub broadcast: Option<bool>,
    /// IPV6_V6ONLY (default: the system's).
    pub ipv6_only: Option<bool>,
}

/// An option that is set on a socket, as opposed to those that say how it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionName {
    /// SO_REUSEADDR.
    ReuseAddr,
    /// The most bytes one read may return: ours, not the kernel's.
    ReadSize,
    /// TCP_NODELAY.
    Nodelay,
    /// SO_KEEPALIVE.
    Keepalive,
    /// TCP_KEEPIDLE.
    KeepaliveIdle,
    /// TCP_KEEPINTVL.
    KeepaliveInterval,
    /// TCP_KEEPCNT.
    KeepaliveCount,
    /// TCP_USER_TIMEOUT.
    UserTimeout,
    /// SO_RCVBUF.
    RecvBuffer,
    /// SO_SNDBUF.
    SendBuffer,
    /// TCP_CORK.
    Cork,
    /// TCP_QUICKACK.
    Quickack,
    /// TCP_MAXSEG.
    Maxseg,
    /// Whether the stream is read: ours, not the kernel's.
    Reading,
    /// Whether the listener accepts: ours, not the kernel's.
    Accepting,
    /// SO_BROADCAST.
    Broadcast,
    /// IPV6_V6ONLY.
    Ipv6Only,
}

impl OptionName {
    /// The name it goes by in the log and in requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReuseAddr => "reuse_addr",
            Self::ReadSize => "read_size",
            Self::Nodelay => "nodelay",
            Self::Keepalive => "keepalive",
            Self::KeepaliveIdle => "keepalive_idle_s",
            Self::KeepaliveInterval => "keepalive_interval_s",
            Self::KeepaliveCount => "keepalive_count",
            Self::UserTimeout => "user_timeout_ms",
            Self::RecvBuffer => "recv_buffer",
            Self::SendBuffer => "send_buffer",
            Self::Cork => "cork",
            Self::Quickack => "quickack",
            Self::Maxseg => "maxseg",
            Self::Reading => "reading",
            Self::Accepting => "accepting",
            Self::Broadcast => "broadcast",
            Self::Ipv6Only => "ipv6_only",
        }
    }
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
            accepting: None,
            broadcast: None,
            ipv6_only: None,
            ..self.clone()
        }
    }

    /// Notes that one was set: to what was asked for, a flag as 0 or 1.
    pub fn note(&mut self, option: OptionName, asked: u64) {
        let flag = Some(asked != 0);
        let size = u32::try_from(asked).ok();
        match option {
            OptionName::ReuseAddr => self.reuse_addr = flag,
            OptionName::ReadSize => self.read_size = size,
            OptionName::Nodelay => self.nodelay = flag,
            OptionName::Keepalive => self.keepalive = flag,
            OptionName::KeepaliveIdle => self.keepalive_idle_s = size,
            OptionName::KeepaliveInterval => self.keepalive_interval_s = size,
            OptionName::KeepaliveCount => self.keepalive_count = size,
            OptionName::UserTimeout => self.user_timeout_ms = size,
            OptionName::RecvBuffer => self.recv_buffer = size,
            OptionName::SendBuffer => self.send_buffer = size,
            OptionName::Cork => self.cork = flag,
            OptionName::Quickack => self.quickack = flag,
            OptionName::Maxseg => self.maxseg = size,
            OptionName::Reading => self.reading = flag,
            OptionName::Accepting => self.accepting = flag,
            OptionName::Broadcast => self.broadcast = flag,
            OptionName::Ipv6Only => self.ipv6_only = flag,
        }
    }

    /// Sets what a living socket can be set to, and records asked and granted; a refusal of the kernel is a fact and
    /// does not end the socket. `read_size`, `reading` and `accepting` are ours, not the kernel's: the caller keeps them.
    pub(crate) fn apply(&self, socket: &SockRef<'_>, recorder: &dyn Recorder, cause: &Cause) {
        let one = |name: OptionName,
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
                    option: Some(name),
                    icmp: None,
                    fatal: false,
                })),
            };
            recorder.record(Stamp::since(entered), cause, fact, None);
        };
        let flag = |value: Option<bool>| value.map(u64::from);
        let number = |value: Option<u32>| value.map(u64::from);
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        one(OptionName::ReuseAddr, flag(self.reuse_addr), &|v| socket.set_reuse_address(v != 0), &|| {
            socket.reuse_address().map(u64::from)
        });
        one(OptionName::Nodelay, flag(self.nodelay), &|v| socket.set_tcp_nodelay(v != 0), &|| {
            socket.tcp_nodelay().map(u64::from)
        });
        one(OptionName::Keepalive, flag(self.keepalive), &|v| socket.set_keepalive(v != 0), &|| {
            socket.keepalive().map(u64::from)
        });
        let small = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        one(
            OptionName::KeepaliveIdle,
            number(self.keepalive_idle_s),
            &|v| Ok(setsockopt(&**socket, sockopt::TcpKeepIdle, &small(v))?),
            &|| Ok(u64::from(getsockopt(&**socket, sockopt::TcpKeepIdle)?)),
        );
        one(
            OptionName::KeepaliveInterval,
            number(self.keepalive_interval_s),
            &|v| Ok(setsockopt(&**socket, sockopt::TcpKeepInterval, &small(v))?),
            &|| Ok(u64::from(getsockopt(&**socket, sockopt::TcpKeepInterval)?)),
        );
        one(
            OptionName::KeepaliveCount,
            number(self.keepalive_count),
            &|v| Ok(setsockopt(&**socket, sockopt::TcpKeepCount, &small(v))?),
            &|| Ok(u64::from(getsockopt(&**socket, sockopt::TcpKeepCount)?)),
        );
        one(
            OptionName::UserTimeout,
            number(self.user_timeout_ms),
            &|v| Ok(setsockopt(&**socket, sockopt::TcpUserTimeout, &small(v))?),
            &|| Ok(u64::from(getsockopt(&**socket, sockopt::TcpUserTimeout)?)),
        );
        one(
            OptionName::RecvBuffer,
            number(self.recv_buffer),
            &|v| socket.set_recv_buffer_size(size(v)),
            &|| socket.recv_buffer_size().map(|n| n as u64),
        );
        one(
            OptionName::SendBuffer,
            number(self.send_buffer),
            &|v| socket.set_send_buffer_size(size(v)),
            &|| socket.send_buffer_size().map(|n| n as u64),
        );
        one(OptionName::Cork, flag(self.cork), &|v| socket.set_tcp_cork(v != 0), &|| {
            socket.tcp_cork().map(u64::from)
        });
        one(OptionName::Quickack, flag(self.quickack), &|v| socket.set_tcp_quickack(v != 0), &|| {
            socket.tcp_quickack().map(u64::from)
        });
        one(OptionName::Maxseg, number(self.maxseg), &|v| socket.set_tcp_mss(small(v)), &|| {
            socket.tcp_mss().map(u64::from)
        });
        one(OptionName::Broadcast, flag(self.broadcast), &|v| socket.set_broadcast(v != 0), &|| {
            socket.broadcast().map(u64::from)
        });
        one(OptionName::Ipv6Only, flag(self.ipv6_only), &|v| socket.set_only_v6(v != 0), &|| {
            socket.only_v6().map(u64::from)
        });
        for (name, asked) in [
            (OptionName::ReadSize, number(self.read_size)),
            (OptionName::Reading, flag(self.reading)),
            (OptionName::Accepting, flag(self.accepting)),
        ] {
            if let Some(asked) = asked {
                let fact = Fact::OptionSet(Box::new((name, asked, asked)));
                recorder.record(Stamp::now(), cause, fact, None);
            }
        }
    }
}
