//! What is measured. Each figure is a file; it returns rows and judges nothing but its own target.

mod bridges;
mod datagrams;
mod flood;
mod idle_sockets;
mod idle_viewers;
#[cfg(feature = "inside")]
mod inside;
mod kernel;
mod memory;
mod start;
mod wisp;

use std::{path::PathBuf, thread};

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::{process, report::Row, server::Server};

/// The core of the servers that are measured, where client and targets are on another: ours.
const SERVERS: usize = 1;
const OURS: usize = 0;

/// How hard to try, and what to measure.
pub(crate) struct Effort {
    /// A short run.
    pub(crate) quick: bool,
    /// The release binary.
    pub(crate) sockscope: PathBuf,
    /// Other Wisp servers: a name, and what starts one.
    pub(crate) beside: Vec<(String, String)>,
}

impl Effort {
    /// One of two numbers.
    pub(crate) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// A server with room for what a figure opens. A short run gets by with 1,024 descriptors, all that some places allow.
    fn server(&self, flags: &[&str]) -> Result<Server> {
        let most = self.pick("6000", "448");
        let room = ["--max-sockets", most, "--max-connections", most];
        Server::start(&self.sockscope, &[&room[..], flags].concat())
    }
}

/// A group of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Figure {
    /// Start and size
    Start,
    /// Log::append
    Append,
    /// 64-byte echo
    PingPong,
    /// chargen into one socket
    Flood,
    /// 64-byte datagrams
    Datagrams,
    /// Connections and datagrams over bridges, and bridges that are watched
    Bridges,
    /// One Wisp connection with 64 streams
    Wisp,
    /// Sampling, capturing, foreign TIME_WAITs
    Kernel,
    /// WebSocket viewers
    IdleViewers,
    /// TCP sockets
    IdleSockets,
}

impl Figure {
    /// All, quiet ones first.
    pub(crate) const ALL: [Self; 10] = [
        Self::Start,
        Self::Append,
        Self::PingPong,
        Self::Flood,
        Self::Datagrams,
        Self::Bridges,
        Self::Wisp,
        Self::Kernel,
        Self::IdleViewers,
        Self::IdleSockets,
    ];

    /// As the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Start => "Start and size",
            Self::Append => "The log alone",
            Self::PingPong => "Ping-pong, 64 bytes",
            Self::Flood => "Flood of a stream",
            Self::Datagrams => "Flood of datagrams, 64 bytes",
            Self::Bridges => "Bridges: connections, datagrams, and being watched",
            Self::Wisp => "Wisp: one connection, 64 streams",
            Self::Kernel => "The kernel's side",
            Self::IdleViewers => "Idle WebSocket viewers",
            Self::IdleSockets => "Idle TCP sockets",
        }
    }

    /// Measures it.
    pub(crate) fn measure(self, effort: &Effort) -> Result<Vec<Row>> {
        match self {
            Self::Start => start::measure(effort),
            #[cfg(feature = "inside")]
            Self::Append => inside::append::measure(effort),
            #[cfg(feature = "inside")]
            Self::PingPong => inside::ping_pong::measure(effort),
            #[cfg(not(feature = "inside"))]
            Self::Append | Self::PingPong => bail!("{} is built without the feature `inside`", self.title()),
            Self::Flood => flood::measure(effort),
            Self::Datagrams => datagrams::measure(effort),
            Self::Bridges => bridges::measure(effort),
            Self::Wisp => wisp::measure(effort),
            Self::Kernel => kernel::measure(effort),
            Self::IdleViewers => idle_viewers::measure(effort),
            Self::IdleSockets => idle_sockets::measure(effort),
        }
    }
}

/// Measures on our core; whatever the figure starts is on the servers'. On a thread of its own: what it is kept to must not be
/// inherited by what is started later.
fn apart<T: Send>(measure: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let measuring = scope.spawn(|| {
            process::pin(OURS);
            measure()
        });
        measuring.join().unwrap_or_else(|_| bail!("the measuring thread has panicked"))
    })
}

/// Starts something on the servers' core.
fn on_servers<T>(start: impl FnOnce() -> T) -> T {
    process::pin(SERVERS);
    let started = start();
    process::pin(OURS);
    started
}

/// The middle one.
fn median<T: Copy + PartialOrd>(mut values: Vec<T>) -> Option<T> {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied()
}
