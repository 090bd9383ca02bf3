//! A Wisp 1 client, as light as can be.

use std::{
    collections::HashMap,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::time::timeout;

use crate::{bridge, viewer::upgraded};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Room for what one read brings.
const READ: usize = 256 * 1024;

const CONNECT: u8 = 1;
const DATA: u8 = 2;
const CONTINUE: u8 = 3;
const CLOSE: u8 = 4;

/// What a server said.
pub(super) enum Said {
    /// So many bytes of a stream.
    Data(u32, usize),
    /// More may be sent on one.
    Credit,
}

/// A connection and its streams.
pub(super) struct Client {
    stream: TcpStream,
    /// What came, `at` bytes of it understood.
    came: Vec<u8>,
    at: usize,
    /// What a stream begins with.
    first: u32,
    credits: HashMap<u32, u32>,
    /// The number of the next.
    next: u32,
}

/// A packet as a frame.
fn packet(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    bridge::frames(&[&[kind][..], &stream.to_le_bytes(), payload].concat(), 1)
}

/// DATA as a frame.
pub(super) fn data(stream: u32, payload: &[u8]) -> Vec<u8> {
    packet(DATA, stream, payload)
}

impl Client {
    /// Connects, and hears how many packets a stream may send.
    pub(super) fn open(to: SocketAddr, header: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stream = runtime.block_on(async {
            let upgraded = timeout(PATIENCE, upgraded(to, "/wisp/", header));
            upgraded.await.context("no answer to the upgrade")??.into_std().context("leaves the runtime")
        })?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut client = Self { stream, came: Vec::new(), at: 0, first: 0, credits: HashMap::new(), next: 1 };
        while client.first == 0 {
            client.next()?;
        }
        Ok(client)
    }

    /// Opens so many streams to a port of this machine.
    pub(super) fn connect(&mut self, port: u16, count: u32) -> Result<Vec<u32>> {
        let streams: Vec<u32> = (self.next..self.next + count).collect();
        self.next += count;
        let asked = [&[1][..], &port.to_le_bytes(), b"127.0.0.1"].concat();
        let out: Vec<_> = streams.iter().flat_map(|stream| packet(CONNECT, *stream, &asked)).collect();
        self.credits.extend(streams.iter().map(|stream| (*stream, self.first)));
        self.write(&out)?;
        Ok(streams)
    }

    /// Closes one.
    pub(super) fn close(&mut self, stream: u32) -> Result<()> {
        self.credits.remove(&stream);
        self.write(&packet(CLOSE, stream, &[2]))
    }

    /// Sends a packet, once there is a credit for it.
    pub(super) fn send(&mut self, stream: u32, payload: &[u8]) -> Result<()> {
        while self.spend(stream, 1) == 0 {
            ensure!(matches!(self.next()?, Said::Credit), "only credits are waited for");
        }
        self.write(&data(stream, payload))
    }

    /// Takes up to so many credits of a stream; gives how many.
    pub(super) fn spend(&mut self, stream: u32, most: u32) -> u32 {
        let Some(credits) = self.credits.get_mut(&stream) else { return 0 };
        let now = most.min(*credits);
        *credits -= now;
        now
    }

    /// Sends frames.
    pub(super) fn write(&mut self, frames: &[u8]) -> Result<()> {
        self.stream.write_all(frames).context("the server takes nothing")
    }

    /// Hears what has come, which is nothing but credits, without waiting.
    pub(super) fn look(&mut self) -> Result<()> {
        self.stream.set_nonblocking(true)?;
        let looked = self.read();
        self.stream.set_nonblocking(false)?;
        match looked {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => ensure!(other? > 0, "the server has ended the connection"),
        }
        while let Some(said) = self.understood()? {
            ensure!(matches!(said, Said::Credit), "only credits were to come");
        }
        Ok(())
    }

    /// The next it says.
    pub(super) fn next(&mut self) -> Result<Said> {
        let begun = Instant::now();
        loop {
            if let Some(said) = self.understood()? {
                return Ok(said);
            }
            // It may go on with nothing but pings.
            ensure!(begun.elapsed() < PATIENCE, "nothing comes");
            ensure!(self.read().context("nothing comes")? > 0, "the server has ended the connection");
        }
    }

    fn read(&mut self) -> std::io::Result<usize> {
        self.came.drain(..self.at);
        self.at = 0;
        let len = self.came.len();
        self.came.resize(len + READ, 0);
        let read = self.stream.read(&mut self.came[len..]);
        self.came.truncate(len + read.as_ref().copied().unwrap_or(0));
        read
    }

    /// What stands in front, once it is whole.
    fn understood(&mut self) -> Result<Option<Said>> {
        loop {
            let came = &self.came[self.at..];
            let (Some(first), Some(second)) = (came.first(), came.get(1)) else { return Ok(None) };
            let (start, len) = match second {
                126 => match came.get(2..4) {
                    Some(len) => (4, usize::from(u16::from_be_bytes(len.try_into()?))),
                    None => return Ok(None),
                },
                127 => match came.get(2..10) {
                    Some(len) => (10, usize::try_from(u64::from_be_bytes(len.try_into()?))?),
                    None => return Ok(None),
                },
                short => (2, usize::from(*short)),
            };
            let Some(payload) = came.get(start..start + len) else { return Ok(None) };
            ensure!(
                matches!(first, 0x82 | 0x89),
                "neither a binary message nor a ping: {first:#x} {}",
                payload.escape_ascii()
            );
            if *first == 0x89 {
                let mut pong = bridge::frames(payload, 1);
                pong[0] = 0x8a;
                self.at += start + len;
                self.write(&pong)?;
                continue;
            }
            self.at += start + len;
            let (head, payload) = payload.split_at_checked(5).context("a packet has a head")?;
            let stream = u32::from_le_bytes(head[1..].try_into()?);
            match head[0] {
                DATA => return Ok(Some(Said::Data(stream, payload.len()))),
                CONTINUE => {
                    let credits = u32::from_le_bytes(payload.try_into().context("four bytes")?);
                    if stream == 0 {
                        self.first = credits;
                    } else if let Some(known) = self.credits.get_mut(&stream) {
                        *known = credits;
                    }
                    return Ok(Some(Said::Credit));
                }
                // Of those that were closed here.
                CLOSE if !self.credits.contains_key(&stream) => {}
                CLOSE => bail!("stream {stream} was closed: {payload:?}"),
                other => bail!("a packet of type {other}"),
            }
        }
    }
}
