//! The other ends: plain sockets of the tests' own.

use std::net::SocketAddr;

use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
};

use super::within;

/// A TCP server of the test on a free port of 127.0.0.1.
pub struct TcpPeer {
    listener: TcpListener,
    address: SocketAddr,
}

impl TcpPeer {
    /// Listens.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        Self { listener, address }
    }

    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to open to reach it.
    pub fn target(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// The next connection.
    pub async fn accept(&self) -> TcpStream {
        let (stream, _) =
            within("a connection to the test's peer", self.listener.accept()).await.expect("accepts");
        stream.set_nodelay(true).ok();
        stream
    }
}

/// Connects to an address `host:port`, as a peer of a listener.
pub async fn dial(address: &str) -> TcpStream {
    let stream = within("dialling as a peer", TcpStream::connect(address)).await.expect("connects");
    stream.set_nodelay(true).ok();
    stream
}

/// Writes all of it.
pub async fn write(stream: &mut TcpStream, bytes: &[u8]) {
    within("writing as a peer", stream.write_all(bytes)).await.expect("writes");
}

/// Reads exactly so many bytes.
pub async fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    within("reading as a peer", stream.read_exact(&mut bytes)).await.expect("reads");
    bytes
}

/// Reads to the end: `Ok` after a FIN, `Err` after a RST.
pub async fn read_to_end(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    within("reading to the end as a peer", stream.read_to_end(&mut bytes)).await.map(|_| bytes)
}

/// A UDP socket of the test on a free port of 127.0.0.1.
pub struct UdpPeer {
    socket: UdpSocket,
    address: SocketAddr,
}

impl UdpPeer {
    /// Binds.
    pub async fn bind() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("an address");
        Self { socket, address }
    }

    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to open to have it as the one peer.
    pub fn target(&self) -> String {
        format!("udp://{}", self.address)
    }

    /// The next datagram and its sender.
    pub async fn receive(&self) -> (Vec<u8>, SocketAddr) {
        let mut datagram = vec![0; 65_536];
        let (length, from) = within("a datagram for the test's peer", self.socket.recv_from(&mut datagram))
            .await
            .expect("receives");
        datagram.truncate(length);
        (datagram, from)
    }

    /// The socket itself.
    pub fn into_socket(self) -> UdpSocket {
        self.socket
    }

    /// Sends a datagram.
    pub async fn send(&self, datagram: &[u8], to: &str) {
        within("sending as a peer", self.socket.send_to(datagram, to)).await.expect("sends");
    }
}

/// An address where nobody listens, and nobody else can as long as this is held: connecting is refused.
pub struct Nobody {
    _bound: Socket,
    address: SocketAddr,
}

impl Nobody {
    /// Takes a port without listening on it.
    pub fn bind() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        let address = socket.local_addr().expect("an address").as_socket().expect("IPv4");
        Self { _bound: socket, address }
    }

    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to open to be refused.
    pub fn target(&self) -> String {
        format!("tcp://{}", self.address)
    }
}

/// An address where connecting neither succeeds nor fails: a listener whose backlog is full, so that the kernel drops
/// every further SYN.
pub struct Blackhole {
    _listener: Socket,
    _filling: Vec<Socket>,
    address: SocketAddr,
}

impl Blackhole {
    /// Opens one.
    pub fn open() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        listener.listen(0).expect("listens");
        let address = listener.local_addr().expect("an address").as_socket().expect("IPv4");
        // A backlog of 0 holds one connection; a few more leave SYNs that are dropped.
        let filling = (0..4).map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            socket.set_nonblocking(true).expect("nonblocking");
            // Under way or done: either fills.
            socket.connect(&address.into()).ok();
            socket
        });
        Self { _filling: filling.collect(), _listener: listener, address }
    }

    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to open to hang there.
    pub fn target(&self) -> String {
        format!("tcp://{}", self.address)
    }
}
