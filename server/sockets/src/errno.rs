//! Error numbers by their POSIX names.

use std::{fmt, io};

/// An errno, kept as the kernel gave it and printed by its POSIX name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(nix::errno::Errno);

impl Errno {
    /// connect(2): nobody listens there.
    pub const ECONNREFUSED: Self = Self(nix::errno::Errno::ECONNREFUSED);
    /// The connection was reset.
    pub const ECONNRESET: Self = Self(nix::errno::Errno::ECONNRESET);
    /// The connection can no longer be written.
    pub const EPIPE: Self = Self(nix::errno::Errno::EPIPE);
    /// No answer came in time.
    pub const ETIMEDOUT: Self = Self(nix::errno::Errno::ETIMEDOUT);
    /// The host cannot be reached.
    pub const EHOSTUNREACH: Self = Self(nix::errno::Errno::EHOSTUNREACH);
    /// The network cannot be reached.
    pub const ENETUNREACH: Self = Self(nix::errno::Errno::ENETUNREACH);
    /// The address is in use.
    pub const EADDRINUSE: Self = Self(nix::errno::Errno::EADDRINUSE);
    /// The address is not this machine's.
    pub const EADDRNOTAVAIL: Self = Self(nix::errno::Errno::EADDRNOTAVAIL);
    /// Not permitted (privileged port, say).
    pub const EACCES: Self = Self(nix::errno::Errno::EACCES);
    /// Not permitted.
    pub const EPERM: Self = Self(nix::errno::Errno::EPERM);
    /// This process has no descriptor left.
    pub const EMFILE: Self = Self(nix::errno::Errno::EMFILE);
    /// The system has no descriptor left.
    pub const ENFILE: Self = Self(nix::errno::Errno::ENFILE);
    /// Not connected.
    pub const ENOTCONN: Self = Self(nix::errno::Errno::ENOTCONN);
    /// The kernel has no buffer left.
    pub const ENOBUFS: Self = Self(nix::errno::Errno::ENOBUFS);
    /// The kernel has no memory left.
    pub const ENOMEM: Self = Self(nix::errno::Errno::ENOMEM);
    /// The datagram is too long.
    pub const EMSGSIZE: Self = Self(nix::errno::Errno::EMSGSIZE);

    /// The system has run out of something: descriptors or memory. Any other error of accept(2) concerns one connection
    /// that is gone already (accept(2), "Error handling").
    #[must_use]
    pub fn is_exhaustion(self) -> bool {
        matches!(self, Self::EMFILE | Self::ENFILE | Self::ENOBUFS | Self::ENOMEM)
    }

    /// Its POSIX name, like `ECONNREFUSED`.
    #[must_use]
    pub fn name(self) -> String {
        format!("{:?}", self.0)
    }
}

impl From<&io::Error> for Errno {
    /// Errors that std makes up without a number become EIO: the caller made no system call that could say more.
    fn from(error: &io::Error) -> Self {
        Self(error.raw_os_error().map_or(nix::errno::Errno::EIO, nix::errno::Errno::from_raw))
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_is_printed_by_its_posix_name() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(Errno::from(&refused), Errno::ECONNREFUSED);
        assert_eq!(Errno::from(&refused).name(), "ECONNREFUSED");
    }
}
