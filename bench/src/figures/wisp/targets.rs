//! What the streams lead to: each connection obeys orders, one after the other.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// How long what was sent may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a target does with so many bytes.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Order {
    /// Reads and counts them.
    Drain = b'd',
    /// Sends them back.
    Echo = b'e',
    /// Writes them.
    Write = b'w',
}

impl Order {
    /// As it is sent.
    pub(super) fn of(self, bytes: u64) -> [u8; 9] {
        let mut order = [self as u8; 9];
        order[1..].copy_from_slice(&bytes.to_le_bytes());
        order
    }
}

/// A listener whose connections do so.
pub(super) struct Targets {
    port: u16,
    drained: Arc<AtomicU64>,
}

impl Targets {
    /// On a thread of their own, which lives as long as this process.
    pub(super) fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let port = listener.local_addr()?.port();
        let drained = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&drained);
        thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => {
                            let counter = Arc::clone(&counter);
                            // Ends with its connection.
                            tokio::spawn(async move { obey(stream, &counter).await.ok() });
                        }
                        Err(error) => eprintln!("a target was not accepted: {error}"),
                    }
                }
            });
        });
        Ok(Self { port, drained })
    }

    /// Where they are.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// How many bytes were drained so far, by all.
    pub(super) fn drained(&self) -> u64 {
        self.drained.load(Relaxed)
    }

    /// Waits until that is so many.
    pub(super) fn until_drained(&self, bytes: u64) -> Result<()> {
        let begun = Instant::now();
        while self.drained() < bytes {
            ensure!(begun.elapsed() < PATIENCE, "{} bytes never arrived", bytes - self.drained());
            thread::sleep(Duration::from_micros(200));
        }
        ensure!(self.drained() == bytes, "more arrived than was sent");
        Ok(())
    }
}

async fn obey(mut stream: TcpStream, drained: &AtomicU64) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![b'w'; 64 * 1024];
    loop {
        let mut order = [0; 9];
        stream.read_exact(&mut order).await?;
        let mut left = usize::try_from(u64::from_le_bytes(order[1..].try_into()?))?;
        while left > 0 {
            let most = left.min(buffer.len());
            let n = match order[0] {
                b'w' => {
                    stream.write_all(&buffer[..most]).await?;
                    most
                }
                order => {
                    let n = stream.read(&mut buffer[..most]).await?;
                    ensure!(n > 0, "an order was broken off");
                    if order == b'e' {
                        stream.write_all(&buffer[..n]).await.context("the echo")?;
                    } else {
                        drained.fetch_add(n as u64, Relaxed);
                    }
                    n
                }
            };
            left -= n;
        }
    }
}
