//! The least a WebSocket client can be (RFC 6455): its buffers are small and its cost is not the server's.

use std::{
    env,
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// Where peers find the token.
pub(crate) const TOKEN: &str = "SOCKSCOPE_BENCH_TOKEN";

const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// A viewer that has been greeted.
pub(crate) struct Viewer {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Viewer {
    /// Connects and waits for the greeting.
    pub(crate) async fn connect(to: SocketAddr, query: &'static str) -> Result<Self> {
        let token = env::var(TOKEN).context("a viewer needs a token")?;
        let path = format!("/api/v1/workspaces/default/ws?{query}");
        let headers = format!("Authorization: Bearer {token}\r\nSec-WebSocket-Protocol: sockscope.v1\r\n");
        let stream = upgraded(to, &path, &headers).await?;
        let mut viewer = Self { stream, buffer: Vec::new() };
        viewer.frame().await.context("no greeting")?;
        viewer.buffer = Vec::new();
        Ok(viewer)
    }

    /// Both directions, for one that says something and does not listen.
    pub(crate) fn split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.stream.into_split()
    }

    /// Answers pings until the connection ends.
    pub(crate) async fn idle(&mut self) -> Result<()> {
        while self.frame().await? != CLOSE {}
        Ok(())
    }

    /// Counts the payload bytes of binary batches until the connection ends.
    pub(crate) async fn follow(&mut self, payload: &AtomicU64) -> Result<()> {
        loop {
            match self.frame().await? {
                CLOSE => return Ok(()),
                BINARY => {
                    let (length, rest) = self.buffer.split_at_checked(4).context("a batch has a length")?;
                    let json = u32::from_be_bytes(length.try_into().context("four bytes")?) as usize;
                    let raw = rest.len().checked_sub(json).context("a batch holds its JSON")?;
                    payload.fetch_add(raw as u64, Ordering::Relaxed);
                }
                _ => {}
            }
        }
    }

    /// Reads one frame into the buffer and returns its opcode; the server sends every message as one frame.
    async fn frame(&mut self) -> Result<u8> {
        let opcode = self.stream.read_u8().await? & 0x0f;
        let length = match self.stream.read_u8().await? {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            masked @ 128.. => bail!("a server does not mask: {masked}"),
            short => u64::from(short),
        };
        self.buffer.resize(usize::try_from(length)?, 0);
        self.stream.read_exact(&mut self.buffer).await?;
        if opcode == PING {
            // An empty pong, masked with zeros; the server's pings are empty.
            self.stream.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await?;
        }
        Ok(opcode)
    }
}

/// What asks for a WebSocket; `headers` are whole lines.
pub(crate) fn upgrade(to: SocketAddr, path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {to}\r\n{headers}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Connects and asks for a WebSocket; `headers` are whole lines.
pub(crate) async fn upgraded(to: SocketAddr, path: &str, headers: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(to).await.context("cannot connect to the server")?;
    stream.set_nodelay(true)?;
    stream.write_all(upgrade(to, path, headers).as_bytes()).await?;
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        // Byte by byte: what follows the head belongs to the first frame.
        head.push(stream.read_u8().await.context("no answer to the upgrade")?);
    }
    ensure!(head.starts_with(b"HTTP/1.1 101 "), "not upgraded: {}", String::from_utf8_lossy(&head));
    Ok(stream)
}

/// Says something as one text frame, masked with zeros.
pub(crate) async fn tell(stream: &mut OwnedWriteHalf, text: &str) -> Result<()> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(len @ ..=125) => frame.push(0x80 | len),
        _ => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&u16::try_from(text.len())?.to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    Ok(stream.write_all(&frame).await?)
}
