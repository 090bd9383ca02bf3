//! An echo on a plain TCP connection, with the framing of the bridges and nothing else: what `cargo xtask autobahn` tests.
//!
//! `frame-echo PORT` listens on that port of the loopback interface (0 takes a free one) and says on which. Each message
//! comes back whole; text is held to be UTF-8 as it comes.

#![expect(clippy::disallowed_methods, reason = "it is a peer for tests and no part of the product")]

use std::{env, io, net::Ipv4Addr, time::Duration};

use sockscope::bridge::frame::{CONTROL, Failed, HEADER, Item, Kind, Reader, close, code, header, pong};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// What is read at once. It is never full of what cannot be understood: that is at most `KEPT` bytes.
const READ: usize = 64 * 1024;

/// The longest message; a longer one is refused with 1009.
const MESSAGE: usize = 16 * 1024 * 1024;

/// The longest request; a longer one is hung up on.
const REQUEST: usize = 8 * 1024;

/// How long a client may take to go once it was said good-bye to.
const GRACE: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = env::args().nth(1).and_then(|port| port.parse().ok());
    let port = port.ok_or_else(|| io::Error::other("usage: frame-echo PORT"))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("{}", listener.local_addr()?);
    let mut clients = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        clients.spawn(async move {
            if let Err(error) = serve(stream).await {
                eprintln!("a client is gone: {error}");
            }
        });
        // Those that have ended are forgotten.
        while clients.try_join_next().is_some() {}
    }
}

/// One client, from its request to the end.
async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; READ];
    let Some((key, mut filled)) = request(&mut stream, &mut buffer).await? else { return Ok(()) };
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    let (mut reader, mut message) = (Reader::new(), Message::new());
    loop {
        match understood(&mut stream, &mut reader, &mut message, &mut buffer[..filled]).await {
            Ok(used) => {
                buffer.copy_within(used..filled, 0);
                filled -= used;
            }
            Err(End::Said(code)) => return leave(stream, code, &mut buffer).await,
            Err(End::Broken(error)) => return Err(error),
        }
        match stream.read(&mut buffer[filled..]).await? {
            0 => return Ok(()),
            more => filled += more,
        }
    }
}

/// How a connection ends.
enum End {
    /// With a close frame that says this, or nothing.
    Said(Option<u16>),
    /// Without.
    Broken(io::Error),
}

impl From<Failed> for End {
    fn from(Failed(code): Failed) -> Self {
        Self::Said(Some(code))
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Reads and answers all that is there: how many bytes that were.
async fn understood(
    stream: &mut TcpStream,
    reader: &mut Reader,
    message: &mut Message,
    bytes: &mut [u8],
) -> Result<usize, End> {
    let mut used = 0;
    while let Some((took, item)) = reader.next(&mut bytes[used..])? {
        match item {
            Item::Data { kind, start, len, last } => {
                message.add(kind, &bytes[used + start..used + start + len], last)?;
                if last {
                    message.send(stream, kind).await?;
                }
            }
            Item::Ping(payload) => stream.write_all(pong(&mut [0; 2 + CONTROL], payload)).await?,
            Item::Pong(_) => {}
            Item::Close(said) => return Err(End::Said(said.answer())),
        }
        used += took;
    }
    Ok(used)
}

/// Says good-bye, and waits until the client has heard it: a connection that is closed while something lies unread is reset,
/// and the close frame lost with it.
async fn leave(mut stream: TcpStream, code: Option<u16>, buffer: &mut [u8]) -> io::Result<()> {
    stream.write_all(close(&mut [0; 2 + CONTROL], code, "")).await?;
    stream.shutdown().await?;
    let gone = async {
        while stream.read(buffer).await? > 0 {}
        Ok(())
    };
    timeout(GRACE, gone).await.unwrap_or_else(|late| Err(late.into()))
}

/// The message that is coming, behind room for its header.
struct Message {
    bytes: Vec<u8>,
    /// So much of it is known to be UTF-8, where it is text.
    checked: usize,
}

impl Message {
    fn new() -> Self {
        Self { bytes: vec![0; HEADER], checked: HEADER }
    }

    /// Takes a part of it; refuses what cannot become UTF-8 any more.
    fn add(&mut self, kind: Kind, part: &[u8], last: bool) -> Result<(), Failed> {
        if self.bytes.len() - HEADER + part.len() > MESSAGE {
            return Err(Failed(code::TOO_BIG));
        }
        self.bytes.extend_from_slice(part);
        if kind == Kind::Binary {
            return Ok(());
        }
        match std::str::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            // A character is cut; the next part may have the rest.
            Err(error) if error.error_len().is_none() && !last => self.checked += error.valid_up_to(),
            Err(_) => return Err(Failed(code::INVALID)),
        }
        Ok(())
    }

    /// Sends it back, and is ready for the next.
    async fn send(&mut self, stream: &mut TcpStream, kind: Kind) -> io::Result<()> {
        let len = self.bytes.len() - HEADER;
        if let Some(room) = self.bytes.first_chunk_mut() {
            let start = header(room, kind, len);
            stream.write_all(&self.bytes[start..]).await?;
        }
        *self = Self::new();
        Ok(())
    }
}

/// Reads the request: the key in it, and how much of what follows was read; that lies in the front of the buffer. `None` where
/// it is none.
async fn request(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<(String, usize)>> {
    const END: &[u8] = b"\r\n\r\n";
    let mut filled = 0;
    let end = loop {
        match stream.read(&mut buffer[filled..REQUEST]).await? {
            0 => return Ok(None),
            more => filled += more,
        }
        if let Some(at) = buffer[..filled].windows(END.len()).position(|bytes| bytes == END) {
            break at + END.len();
        }
    };
    let head = String::from_utf8_lossy(&buffer[..end]);
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let key = fields.find_map(|(name, value)| {
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    });
    buffer.copy_within(end..filled, 0);
    Ok(key.map(|key| (key, filled - end)))
}
