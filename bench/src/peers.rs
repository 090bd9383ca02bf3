//! What peers do: the other end of every measurement, in a process of its own.
//!
//! A peer that listens first says its port. Then it obeys lines on its standard input and answers each with one line;
//! the end of its input ends it, so none outlives the bench.

use std::{
    io::{Read as _, Write as _, stdin, stdout},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use tokio::task::JoinSet;

use crate::{
    process,
    viewer::{Viewer, tell},
};

/// What a flood writes at once.
const FLOOD_WRITE: usize = 256 * 1024;

/// Connections opened at once, so that no backlog overflows.
const AT_ONCE: usize = 100;

/// The kinds of peers.
#[derive(Debug, Subcommand)]
pub(crate) enum Kind {
    /// Sends back what it gets
    Echo {
        /// Stay on this core
        #[arg(long)]
        core: Option<usize>,
    },
    /// Writes as fast as it is read
    Flood,
    /// `send N`: sends N datagrams of 64 bytes as fast as it can; answers how many the kernel took, and nanoseconds
    Datagrams {
        /// To whom
        to: SocketAddr,
    },
    /// Writes 64 bytes ten times a second
    Tick,
    /// A WebSocket viewer that looks at sockets: a JSON array of their ids a line
    Look {
        /// The server
        to: SocketAddr,
    },
    /// Accepts and does nothing
    Hold,
    /// `open N`: so many more connections; `close`: ends them all
    Connect {
        /// To whom
        to: SocketAddr,
    },
    /// WebSocket viewers. `open N`: so many more; `close`: ends them all
    Viewers {
        /// The server
        to: SocketAddr,
    },
    /// The same, and they are told what a page is told
    Pages {
        /// The server
        to: SocketAddr,
    },
    /// One WebSocket viewer that follows with raw payloads; any line: answers the bytes of payload it got so far
    Follow {
        /// The server
        to: SocketAddr,
    },
}

/// Is that peer until its input ends.
pub(crate) fn run(kind: &Kind) -> Result<()> {
    process::raise_descriptors();
    match kind {
        Kind::Echo { core } => {
            if let Some(core) = core {
                process::pin(*core);
            }
            serve(echo)
        }
        Kind::Flood => serve(flood),
        Kind::Tick => serve(tick),
        Kind::Look { to } => look(*to),
        Kind::Datagrams { to } => datagrams(*to),
        Kind::Hold => hold(),
        Kind::Connect { to } => connect(*to),
        Kind::Viewers { to } => viewers(*to, "after=head"),
        Kind::Pages { to } => viewers(*to, "after=head&binary=1&payload=preview:4096"),
        Kind::Follow { to } => follow(*to),
    }
}

/// Answers lines until there are no more.
fn obey(mut answer: impl FnMut(&str) -> Result<String>) -> Result<()> {
    for line in stdin().lines() {
        let answer = answer(&line.context("standard input failed")?)?;
        say(&answer)?;
    }
    Ok(())
}

fn say(line: &str) -> Result<()> {
    let mut out = stdout();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

fn count(text: &str) -> Result<usize> {
    text.parse().with_context(|| format!("not a count: {text}"))
}

fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
    say(&listener.local_addr()?.port().to_string())?;
    Ok(listener)
}

/// Serves each connection on a thread of its own.
fn serve(behave: fn(TcpStream) -> std::io::Result<()>) -> Result<()> {
    let listener = listen()?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // How a connection ends is the measuring side's affair.
            thread::spawn(move || behave(stream).ok());
        }
    });
    obey(|_| Ok("ok".to_owned()))
}

fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n])?,
        }
    }
}

fn flood(mut stream: TcpStream) -> std::io::Result<()> {
    // As chargen (RFC 864) has it, one byte after the other.
    let line: Vec<u8> = (b' '..=b'~').cycle().take(FLOOD_WRITE).collect();
    loop {
        stream.write_all(&line)?;
    }
}

fn tick(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        stream.write_all(&[b't'; 64])?;
        thread::sleep(Duration::from_millis(100));
    }
}

fn look(to: SocketAddr) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut held = JoinSet::new();
    obey(|sockets| {
        let command = format!(r#"{{"id":"look","watch":{{"sockets":{sockets}}}}}"#);
        // One at a time, each shorter than the server waits for an answer to its pings.
        runtime.block_on(async {
            held.shutdown().await;
            let (mut reads, mut writes) = Viewer::connect(to, "after=head").await?.split();
            tell(&mut writes, &command).await?;
            held.spawn(async move {
                let _open = writes;
                tokio::io::copy(&mut reads, &mut tokio::io::sink()).await
            });
            anyhow::Ok(())
        })?;
        Ok("looks".to_owned())
    })
}

fn datagrams(to: SocketAddr) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(to)?;
    obey(|line| {
        let Some(n) = line.strip_prefix("send ") else { bail!("not a command: {line}") };
        let begun = Instant::now();
        let sent = (0..count(n)?).filter(|_| socket.send(&[b'u'; 64]).is_ok()).count();
        Ok(format!("{sent} {}", begun.elapsed().as_nanos()))
    })
}

fn hold() -> Result<()> {
    let listener = listen()?;
    let held = Arc::new(Mutex::new(Vec::new()));
    let holder = Arc::clone(&held);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            holder.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        }
    });
    obey(|_| {
        held.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok("closed".to_owned())
    })
}

fn connect(to: SocketAddr) -> Result<()> {
    let mut held = Vec::new();
    obey(|line| match line.split_once(' ') {
        Some(("open", n)) => {
            for _ in 0..count(n)? {
                held.push(TcpStream::connect(to)?);
            }
            Ok("open".to_owned())
        }
        _ => {
            held.clear();
            Ok("closed".to_owned())
        }
    })
}

fn viewers(to: SocketAddr, query: &'static str) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut held = JoinSet::new();
    obey(|line| match line.split_once(' ') {
        Some(("open", n)) => {
            let mut left = count(n)?;
            while left > 0 {
                let now = left.min(AT_ONCE);
                left -= now;
                let opened = runtime.block_on(async {
                    let opening: Vec<_> =
                        (0..now).map(|_| tokio::spawn(Viewer::connect(to, query))).collect();
                    let mut opened = Vec::new();
                    for viewer in opening {
                        opened.push(viewer.await??);
                    }
                    anyhow::Ok(opened)
                })?;
                for mut viewer in opened {
                    held.spawn_on(async move { viewer.idle().await }, runtime.handle());
                }
            }
            Ok("open".to_owned())
        }
        _ => {
            runtime.block_on(held.shutdown());
            Ok("closed".to_owned())
        }
    })
}

fn follow(to: SocketAddr) -> Result<()> {
    let got = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&got);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut viewer = runtime.block_on(Viewer::connect(to, "after=head&payload=full&binary=1"))?;
    say("following")?;
    runtime.spawn(async move { viewer.follow(&counter).await });
    obey(|_| Ok(got.load(Ordering::Relaxed).to_string()))
}
