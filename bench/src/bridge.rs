//! A program behind a bridge, as light as can be: frames are made before they are sent, and many leave in one write.

use std::{
    io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{server::Server, viewer::upgrade};

/// After so long in silence it is said that nothing comes.
const SILENCE: Duration = Duration::from_millis(200);

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one read may bring.
const READ: usize = 256 * 1024;

/// A whole binary message; what a server sends has no mask.
const BINARY: u8 = 0x82;

/// Any mask but zero, which could be skipped.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x96, 0x0f];

/// "Normal closure", masked with zeros.
const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];

/// So many binary messages of the same payload, masked, one behind the other.
pub(crate) fn frames(payload: &[u8], count: usize) -> Vec<u8> {
    let mut frame = vec![BINARY];
    match payload.len() {
        // Shorter than 126.
        len @ ..=125 => frame.push(0x80 | len as u8),
        len @ ..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame.repeat(count)
}

/// A WebSocket that is a bridge.
pub(crate) struct Bridge {
    stream: BufReader<TcpStream>,
    message: Vec<u8>,
}

impl Bridge {
    /// Opens one: with a key's secret, or as whoever has the server's token.
    pub(crate) fn open(server: &Server, key: Option<&str>, target: &str) -> Result<Self> {
        let mut bridge = Self::ask(server, key, target)?;
        bridge.granted()?;
        Ok(bridge)
    }

    /// Asks for one, and does not wait for the answer.
    pub(crate) fn ask(server: &Server, key: Option<&str>, target: &str) -> Result<Self> {
        let (path, header) = match key {
            Some(secret) => (format!("/k/{secret}/bridge/{target}"), String::new()),
            None => (format!("/bridge/{target}"), server.authorization()),
        };
        let mut stream = TcpStream::connect(server.address()).context("cannot connect to the server")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(upgrade(server.address(), &path, &header).as_bytes())?;
        Ok(Self { stream: BufReader::with_capacity(READ, stream), message: Vec::new() })
    }

    /// Waits for the answer, which grants it.
    pub(crate) fn granted(&mut self) -> Result<()> {
        self.wait().context("no answer to the upgrade")?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.starts_with("HTTP/1.1 101 "), "not upgraded: {line}");
        while line != "\r\n" {
            line.clear();
            ensure!(self.stream.read_line(&mut line)? > 0, "no whole answer to the upgrade");
        }
        Ok(())
    }

    /// Says that it is over, and reads no more.
    pub(crate) fn close(mut self) -> Result<()> {
        self.write(&CLOSE)
    }

    fn wait(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !self.stirs()? {
            ensure!(begun.elapsed() < PATIENCE, "nothing comes");
        }
        Ok(())
    }

    /// Sends frames.
    pub(crate) fn write(&mut self, frames: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(frames).context("the bridge takes nothing")
    }

    /// Whether something comes.
    pub(crate) fn stirs(&mut self) -> Result<bool> {
        match self.stream.fill_buf() {
            Ok([]) => bail!("the bridge has ended"),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error).context("the bridge is broken"),
        }
    }

    /// The next message.
    pub(crate) fn read(&mut self) -> Result<&[u8]> {
        self.wait()?;
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        ensure!(head[0] == BINARY, "not a binary message: {:#x}", head[0]);
        let len = match head[1] {
            126 => {
                let mut len = [0; 2];
                self.stream.read_exact(&mut len)?;
                usize::from(u16::from_be_bytes(len))
            }
            127 => {
                let mut len = [0; 8];
                self.stream.read_exact(&mut len)?;
                usize::try_from(u64::from_be_bytes(len))?
            }
            short => usize::from(short),
        };
        self.message.resize(len, 0);
        self.stream.read_exact(&mut self.message)?;
        Ok(&self.message)
    }
}
