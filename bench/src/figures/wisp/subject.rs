//! A server that is measured: sockscope, or what a command starts.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::client::Client;
use crate::{
    figures::{Effort, on_servers},
    process,
    server::Server,
};

/// How long a server may take until it can be reached.
const PATIENCE: Duration = Duration::from_secs(20);

/// One of them, on its core.
pub(super) enum Subject {
    Ours(Server),
    Other(Other),
}

/// Dropping it ends it.
pub(super) struct Other {
    child: Child,
    address: SocketAddr,
}

impl Drop for Other {
    fn drop(&mut self) {
        // What it has started itself would outlive it. All of this fails only where it has already ended.
        for child in process::family(self.child.id()).unwrap_or_default().into_iter().skip(1) {
            process::end(child).ok();
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Subject {
    /// Starts it and waits until it can be reached; in a command, `{port}` stands for where it is to listen.
    pub(super) fn start(effort: &Effort, command: Option<&str>) -> Result<Self> {
        on_servers(|| match command {
            None => effort.server(&[]).map(Self::Ours),
            Some(command) => Other::start(command).map(Self::Other),
        })
    }

    /// A connection to it.
    pub(super) fn connect(&self) -> Result<Client> {
        match self {
            Self::Ours(server) => Client::open(server.address(), &server.authorization()),
            Self::Other(Other { address, .. }) => Client::open(*address, ""),
        }
    }

    fn processes(&self) -> Result<Vec<u32>> {
        process::family(match self {
            Self::Ours(server) => server.pid(),
            Self::Other(other) => other.child.id(),
        })
    }

    /// The CPU of its processes while something is done, in nanoseconds for each of so many.
    pub(super) fn cost(&self, count: u64, work: impl FnOnce() -> Result<()>) -> Result<f64> {
        let spent = || self.processes()?.into_iter().map(process::cpu_of).sum::<Result<Duration>>();
        let before = spent()?;
        work()?;
        Ok((spent()? - before).as_nanos() as f64 / count as f64)
    }

    /// The memory they hold, in bytes.
    pub(super) fn memory(&self) -> Result<u64> {
        self.processes()?.into_iter().map(process::resident).sum()
    }
}

impl Other {
    fn start(command: &str) -> Result<Self> {
        // Free a moment ago.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let command = command.replace("{port}", &address.port().to_string());
        let mut words = command.split_whitespace();
        let program = words.next().context("a command names a program")?;
        let child = Command::new(program).args(words).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let other = Self { child: child.with_context(|| format!("cannot start {program}"))?, address };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(begun.elapsed() < PATIENCE, "{program} does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(other)
    }
}
