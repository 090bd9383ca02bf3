//! A WebSocket client that sends any bytes and hears every frame.

use std::{net::SocketAddr, ops::Range};

use sockscope_wire::{Code, Counters, Fact, Socket, SocketId};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader, Interest},
    net::{
        TcpSocket, UdpSocket,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::support::{network::run, *};

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// A connection that was upgraded, in its two directions.
pub(crate) struct Raw {
    pub(crate) up: Up,
    pub(crate) down: Down,
}

/// What the client sends.
pub(crate) struct Up(OwnedWriteHalf);

/// What it hears.
pub(crate) struct Down {
    stream: BufReader<OwnedReadHalf>,
    /// What came and is no whole frame yet.
    came: Vec<u8>,
    /// Payload of binary messages that was not asked for yet.
    heard: Vec<u8>,
    /// The payloads of pongs.
    pub(crate) pongs: Vec<Vec<u8>>,
}

/// How a client is made.
#[derive(Default)]
pub(crate) struct Asking<'a> {
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// Sent together with the request.
    pub(crate) behind: &'a [u8],
    /// The client's SO_RCVBUF, where it is to be small.
    pub(crate) receive_buffer: Option<u32>,
}

/// A frame of a client: masked, with any first byte.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x5a, 0x01, 0xfe, 0x33];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).expect("short")),
        middle @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(middle).expect("two bytes").to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// The payload of a close frame.
pub(crate) fn closing(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

impl Raw {
    /// Opens a bridge.
    pub(crate) async fn open(server: &TestServer, path: &str) -> Self {
        Self::ask(server.address(), path, &Asking::default()).await
    }

    /// The same, as it is asked for.
    pub(crate) async fn ask(address: SocketAddr, path: &str, asking: &Asking<'_>) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(size) = asking.receive_buffer {
            socket.set_recv_buffer_size(size).expect("SO_RCVBUF");
        }
        let stream = within("connecting to the server", socket.connect(address)).await.expect("connects");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        let request = asking
            .headers
            .iter()
            .fold(Request::bare("GET", path), |request, (name, value)| request.header(name, value))
            .header("Host", &address.to_string())
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let (read, mut write) = stream.into_split();
        let bytes = [&request.bytes(), asking.behind].concat();
        within("asking for an upgrade", write.write_all(&bytes)).await.expect("sends");
        let mut stream = BufReader::new(read);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within("the answer", stream.read_u8()).await.expect("an answer"));
        }
        let head = String::from_utf8_lossy(&head);
        assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
        Self { up: Up(write), down: Down { stream, came: Vec::new(), heard: Vec::new(), pongs: Vec::new() } }
    }

    /// Sends a binary message.
    pub(crate) async fn send(&mut self, payload: &[u8]) {
        self.up.frame(BINARY, payload).await;
    }

    /// Receives exactly so many bytes of binary messages.
    pub(crate) async fn receive(&mut self, count: usize) -> Vec<u8> {
        self.down.receive(count).await
    }

    /// Leaves without a word, and at once.
    pub(crate) fn reset(self) {
        let stream = self.up.0.reunite(self.down.stream.into_inner()).expect("of one");
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).expect("SO_LINGER");
    }
}

impl Up {
    /// The client's port.
    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }

    /// Sends bytes as they are.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        within("sending over a bridge", self.0.write_all(bytes)).await.expect("sends");
    }

    /// The same; that the server has closed meanwhile is seen in what it said.
    pub(crate) async fn try_bytes(&mut self, bytes: &[u8]) {
        within("sending over a bridge", self.0.write_all(bytes)).await.ok();
    }

    /// Sends a frame.
    pub(crate) async fn frame(&mut self, first: u8, payload: &[u8]) {
        self.bytes(&frame(first, payload)).await;
    }

    /// Waits until the connection is broken, without reading anything.
    pub(crate) async fn gone(&self) {
        self.0.as_ref().ready(Interest::ERROR).await.expect("it is told");
    }

    /// Writes what goes without waiting: how many bytes the kernel took, `None` when it has no room.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> Option<usize> {
        self.0.try_write(bytes).ok()
    }
}

impl Down {
    /// The next frame, whole: its first byte and its payload. `None` once the server has ended the connection. Nothing is lost
    /// when this is given up.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        within("a frame", async {
            loop {
                if let Some((first, range)) = self.whole() {
                    let payload = self.came[range.clone()].to_vec();
                    self.came.drain(..range.end);
                    return Some((first, payload));
                }
                self.came.reserve(64 << 10);
                if !matches!(self.stream.read_buf(&mut self.came).await, Ok(1..)) {
                    assert!(self.came.is_empty(), "the end is between two frames");
                    return None;
                }
            }
        })
        .await
    }

    /// Takes in some bytes, at most so many, of whatever frames they are.
    pub(crate) async fn some(&mut self, most: usize) {
        let mut bytes = vec![0; most];
        let n = within("some bytes", self.stream.read(&mut bytes)).await.expect("it is open");
        self.came.extend_from_slice(&bytes[..n]);
    }

    /// The frame at the front of what came, once it is whole.
    fn whole(&self) -> Option<(u8, Range<usize>)> {
        let &[first, second] = self.came.first_chunk()?;
        assert!(matches!(first, BINARY | CLOSE | PING | PONG), "{first:#x} begins no frame");
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let (start, len) = match second {
            126 => (4, u64::from(u16::from_be_bytes(*self.came[2..].first_chunk()?))),
            127 => (10, u64::from_be_bytes(*self.came[2..].first_chunk()?)),
            short => (2, u64::from(short)),
        };
        assert!(len < 1 << 20, "{len} bytes");
        let end = start + usize::try_from(len).expect("small");
        (self.came.len() >= end).then_some((first, start..end))
    }

    /// The next message: what came before it is given back otherwise.
    pub(crate) async fn message(&mut self) -> Vec<u8> {
        loop {
            match self.frame().await {
                Some((BINARY, payload)) => return payload,
                Some((PONG, payload)) => self.pongs.push(payload),
                other => panic!("{other:?} instead of a message"),
            }
        }
    }

    /// Receives exactly so many bytes of binary messages.
    pub(crate) async fn receive(&mut self, count: usize) -> Vec<u8> {
        while self.heard.len() < count {
            let payload = self.message().await;
            self.heard.extend_from_slice(&payload);
        }
        self.heard.drain(..count).collect()
    }

    /// Waits for a pong that says this; messages that come before are heard.
    pub(crate) async fn pong(&mut self, said: &[u8]) {
        while !self.pongs.iter().any(|pong| pong == said) {
            match self.frame().await {
                Some((BINARY, payload)) => self.heard.extend_from_slice(&payload),
                Some((PONG, payload)) => self.pongs.push(payload),
                other => panic!("{other:?} instead of a pong"),
            }
        }
    }

    /// Listens until the server closes: all bytes not asked for before that, the code (`None` of an empty close frame), the reason.
    pub(crate) async fn closed(&mut self) -> (Vec<u8>, Option<u16>, String) {
        loop {
            match self.frame().await {
                Some((BINARY, payload)) => self.heard.extend_from_slice(&payload),
                Some((CLOSE, payload)) => {
                    let heard = std::mem::take(&mut self.heard);
                    let Some((code, reason)) = payload.split_first_chunk() else {
                        return (heard, None, String::new());
                    };
                    let reason = String::from_utf8(reason.to_vec()).expect("UTF-8");
                    return (heard, Some(u16::from_be_bytes(*code)), reason);
                }
                Some(_) => {}
                None => panic!("no close frame"),
            }
        }
    }
}

/// Bytes that do not repeat soon, so that any that are lost, doubled or moved are found.
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// A server whose bridges ask for nothing.
pub(crate) fn open_server(args: &[&str]) -> TestServer {
    TestServer::builder().no_token().args(args).start()
}

/// The one socket there is, once it has come to be.
pub(crate) async fn the_socket(client: &Client) -> Socket {
    eventually("there is a socket", async || !client.sockets().await.sockets.is_empty()).await;
    let mut sockets = client.sockets().await.sockets;
    assert_eq!(sockets.len(), 1, "one socket");
    sockets.remove(0)
}

/// The facts of a socket there are now.
pub(crate) async fn facts(client: &Client, id: SocketId) -> Vec<Fact> {
    let events = client.events().await;
    events.into_iter().filter(|event| event.socket == Some(id)).map(|event| event.fact).collect()
}

/// Waits until the log has a fact like this of a socket.
pub(crate) async fn logged(client: &Client, id: SocketId, what: &str, like: impl Fn(&Fact) -> bool) {
    eventually(what, async || facts(client, id).await.iter().any(&like)).await;
}

/// Waits for the socket's end: why, and its final counters.
pub(crate) async fn ended(client: &Client, id: SocketId) -> (Code, Counters) {
    logged(client, id, "the log has the socket's end", |fact| matches!(fact, Fact::Closed { .. })).await;
    let mut facts = facts(client, id).await.into_iter();
    let end = facts.find_map(|fact| match fact {
        Fact::Closed { reason, counters, .. } => Some((reason, counters)),
        _ => None,
    });
    end.expect("just seen")
}

/// Resident memory of a server, in bytes, as its page tables have it: the counters of /proc/PID/status may lag behind.
pub(crate) fn resident(server: &TestServer) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", server.pid())).expect("it runs");
    let line = maps.lines().find(|line| line.starts_with("Rss:")).expect("Rss");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
    kib * 1024
}

/// A firewall that rejects datagrams to this port, in the namespace of this thread, and says so of each: a call that sends meets EPERM,
/// and the next ECONNREFUSED, which is word of the one before.
pub(crate) fn reject(port: u16) {
    std::fs::write("/proc/sys/net/ipv4/icmp_ratemask", "0").expect("a namespace of ours");
    run("iptables", &format!("-A OUTPUT -p udp --dport {port} -j REJECT"));
}

/// CPU time a server has used, in hundredths of a second.
pub(crate) fn cpu(server: &TestServer) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("it runs");
    // Behind the name, which may hold anything: utime and stime are the 12th and 13th words (proc(5)).
    let words: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    words[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

/// A name server that knows no name.
pub(crate) async fn no_names() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut query = [0; 1500];
        while let Ok((n, from)) = socket.recv_from(&mut query).await {
            // An answer, recursion was desired and is available: NXDOMAIN (RFC 1035 §4.1.1).
            (query[2], query[3]) = (0x81, 0x83);
            socket.send_to(&query[..n], from).await.ok();
        }
    });
    address
}
