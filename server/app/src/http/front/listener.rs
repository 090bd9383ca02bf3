//! Where connections come in: the listening socket, and what each connection inherits from it.

use std::{io, net::SocketAddr, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use sockscope_sockets::acceptor::Acceptor;
use tokio::net::TcpSocket;

/// Connections the kernel holds until they are accepted. The usual 128 is one busy page of a classroom: beyond it the
/// kernel answers with SYN cookies, and resets what it cannot place.
const BACKLOG: u32 = 4096;

/// After so long without a word a client is asked whether it is still there, and again so often; then it is gone (tcp(7)).
const SILENT: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(15);
const QUESTIONS: u32 = 4;

/// Listens on our own control address. What every connection inherits is set before the first can come (Linux): what is written
/// goes at once, since events are small and must not wait for an ACK; and the kernel asks, while nothing is heard, whether the
/// client is still there: who has gone without a word would else hold what it has for ever. While something is unacknowledged the
/// kernel repeats that instead, for some fifteen minutes: to give up sooner (TCP_USER_TIMEOUT) would end whom a closed window
/// keeps waiting, too.
///
/// # Errors
/// What socket(2), setsockopt(2), bind(2) or listen(2) say.
#[expect(clippy::disallowed_methods, reason = "our own control address, given by the operator")]
pub fn bind(address: SocketAddr) -> io::Result<Acceptor> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_nodelay(true)?;
    let alive = TcpKeepalive::new().with_time(SILENT).with_interval(AGAIN).with_retries(QUESTIONS);
    SockRef::from(&socket).set_tcp_keepalive(&alive)?;
    socket.bind(address)?;
    Acceptor::new(socket.listen(BACKLOG)?)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};

    use socket2::SockRef;

    use super::{AGAIN, QUESTIONS, SILENT, bind};

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a client of our own listener")]
    async fn whoever_connects_the_moment_it_listens_waits_for_no_ack_and_is_asked_whether_it_is_there() {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = listener.local_addr().expect("bound");
        // It is connected before anything can be done to the listener, as the first client of a server may be.
        let _client = TcpStream::connect(address).expect("it listens");
        let (accepted, _) = listener.accept().await.expect("it connected");
        let accepted = SockRef::from(&accepted);
        assert!(accepted.tcp_nodelay().expect("asked") && accepted.keepalive().expect("asked"));
        assert_eq!(accepted.tcp_keepalive_time().expect("asked"), SILENT);
        assert_eq!(accepted.tcp_keepalive_interval().expect("asked"), AGAIN);
        assert_eq!(accepted.tcp_keepalive_retries().expect("asked"), QUESTIONS);
    }
}
