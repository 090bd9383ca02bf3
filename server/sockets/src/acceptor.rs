//! Taking connections off a listening socket that is busy.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd as _, OwnedFd},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::{
    io::unix::AsyncFd,
    net::{TcpListener, TcpStream},
};

use crate::sys;

/// A listening socket where each accept(2) counts. The runtime's listener makes one more after each that took a connection, to hear
/// that there is none: the kernel makes a descriptor before it looks, so that costs as much as ten other calls. Here it is asked only
/// for what has come; whether something has is waited for at a descriptor of its own, and looked at with one of those.
pub struct Acceptor {
    listener: TcpListener,
    come: AsyncFd<OwnedFd>,
}

impl Acceptor {
    /// Of a socket that listens.
    ///
    /// # Errors
    /// What fcntl(2) or epoll_ctl(2) say of one more descriptor.
    pub fn new(listener: TcpListener) -> io::Result<Self> {
        let come = sys::readable(listener.as_fd().try_clone_to_owned()?)?;
        Ok(Self { listener, come })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits for a connection, and takes it. No connection is lost where this is given up.
    ///
    /// # Errors
    /// What accept(2) says.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let mut ready = self.come.readable().await?;
            if self.has_come() {
                return self.listener.accept().await;
            }
            ready.clear_ready();
        }
    }

    /// Whether one is there (poll(2)). Where the kernel does not say so, it may be.
    fn has_come(&self) -> bool {
        let mut listening = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        poll(&mut listening, PollTimeout::ZERO).map_or(true, |ready| ready > 0)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "sockets of the test's own")]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use tokio::time::timeout;

    use super::*;

    async fn listening() -> (Acceptor, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let acceptor = Acceptor::new(listener).expect("a free descriptor");
        let address = acceptor.local_addr().expect("bound");
        (acceptor, address)
    }

    #[tokio::test]
    async fn every_connection_is_taken_whether_they_come_together_or_after_another() {
        let (acceptor, address) = listening().await;
        for together in [1, 5, 1, 1, 40, 2] {
            let clients: Vec<_> =
                (0..together).map(|_| std::net::TcpStream::connect(address).expect("it listens")).collect();
            for client in &clients {
                let taken = timeout(Duration::from_secs(5), acceptor.accept()).await.expect("at once");
                let (stream, peer) = taken.expect("accepted");
                assert_eq!(peer, client.local_addr().expect("bound"));
                assert_eq!(stream.peer_addr().expect("connected"), peer);
            }
            assert!(acceptor.accept().now_or_never().is_none(), "nobody else has come");
        }
    }

    #[tokio::test]
    async fn whoever_comes_while_it_is_waited_for_is_taken() {
        let (acceptor, address) = listening().await;
        for _ in 0..100 {
            let (taken, client) = tokio::join!(acceptor.accept(), TcpStream::connect(address));
            assert_eq!(taken.expect("accepted").1, client.expect("it listens").local_addr().expect("bound"));
        }
    }
}
