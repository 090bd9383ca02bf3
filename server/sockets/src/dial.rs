//! The only place where sockets are created, bound, connected and sent to: everything here takes a [`CheckedAddr`].
#![expect(
    clippy::disallowed_methods,
    reason = "this is the room the ban points to; every address here is checked"
)]

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use crate::policy::CheckedAddr;

/// Makes a TCP socket of the address's family to listen on; `prepare` sets its options before anything else happens to it.
///
/// # Errors
/// What socket(2) says.
pub(crate) fn tcp_socket(address: CheckedAddr, prepare: impl FnOnce(&SockRef<'_>)) -> io::Result<TcpSocket> {
    let socket = if address.get().is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    prepare(&SockRef::from(&socket));
    Ok(socket)
}

/// The same to connect with.
///
/// # Errors
/// What socket(2) says.
pub(crate) fn stream_socket(address: CheckedAddr, prepare: impl FnOnce(&SockRef<'_>)) -> io::Result<Socket> {
    let domain = Domain::for_address(address.get());
    let socket = Socket::new(domain, Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    prepare(&SockRef::from(&socket));
    Ok(socket)
}

/// connect(2). `dialling` hears our address, and of which socket, as soon as the kernel has chosen the address, which is before there is
/// an answer. Gives that address with the connection: it stays what it is.
///
/// # Errors
/// What connect(2) says.
pub(crate) async fn connect(
    socket: Socket,
    address: CheckedAddr,
    dialling: impl FnOnce(SocketAddr, &TcpStream),
) -> io::Result<(TcpStream, SocketAddr)> {
    let remote = address.get().into();
    match socket.connect(&remote) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let stream = TcpStream::from_std(socket.into())?;
    // Port 0: it is refused already, and its port given back.
    let local = stream.local_addr().ok().filter(|local| local.port() != 0);
    if let Some(local) = local {
        dialling(local, &stream);
    }
    // A target on this machine has answered by now, and to wait for epoll to say so would cost a wake-up. Called again, connect(2)
    // says how it went.
    match SockRef::from(&stream).connect(&remote).map_err(|error| (error.raw_os_error(), error)) {
        Ok(()) | Err((Some(libc::EISCONN), _)) => {}
        Err((Some(libc::EALREADY), _)) => {
            stream.writable().await?;
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
        }
        Err((_, error)) => return Err(error),
    }
    let local = local.map_or_else(|| stream.local_addr(), Ok)?;
    Ok((stream, local))
}

/// bind(2).
///
/// # Errors
/// What bind(2) says.
pub(crate) fn bind(socket: &TcpSocket, address: CheckedAddr) -> io::Result<()> {
    socket.bind(address.get())
}

/// listen(2).
///
/// # Errors
/// What listen(2) says.
pub(crate) fn listen(socket: TcpSocket, backlog: u32) -> io::Result<TcpListener> {
    socket.listen(backlog)
}

/// Makes a UDP socket of the address's family, not yet bound or connected.
///
/// # Errors
/// What socket(2) says.
pub(crate) fn udp_socket(address: CheckedAddr, prepare: impl FnOnce(&SockRef<'_>)) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address.get()),
        Type::DGRAM.nonblocking().cloexec(),
        Some(Protocol::UDP),
    )?;
    prepare(&SockRef::from(&socket));
    Ok(socket)
}

/// bind(2) of a datagram socket.
///
/// # Errors
/// What bind(2) says.
pub(crate) fn udp_bind(socket: Socket, address: CheckedAddr) -> io::Result<UdpSocket> {
    socket.bind(&address.get().into())?;
    UdpSocket::from_std(socket.into())
}

/// connect(2) of a datagram socket.
///
/// # Errors
/// What connect(2) says.
pub(crate) fn udp_connect(socket: Socket, address: CheckedAddr) -> io::Result<UdpSocket> {
    socket.connect(&address.get().into())?;
    UdpSocket::from_std(socket.into())
}

/// sendto(2), or send(2) on a connected socket; never waits.
///
/// # Errors
/// What the call says; `WouldBlock` when the socket's buffer is full.
pub fn try_send(socket: &UdpSocket, data: &[u8], to: Option<CheckedAddr>) -> io::Result<usize> {
    match to {
        Some(to) => socket.try_send_to(data, to.get()),
        None => socket.try_send(data),
    }
}

/// Answers a datagram to where it came from, for practice peers: the sender proved nothing, so the caller keeps the
/// answer no longer than the question.
///
/// # Errors
/// What sendto(2) says.
pub async fn answer(socket: &UdpSocket, data: &[u8], from: SocketAddr) -> io::Result<usize> {
    socket.send_to(data, from).await
}
