//! What a bridge costs the server: datagrams each way, and streams that somebody watches or has recorded.
//!
//! Client and target are this process, on one core; the server is on the other.

mod datagrams;
mod watched;

use std::thread;

use anyhow::{Context as _, Result, bail};

use super::Effort;
use crate::{process, report::Row, server::Server};

const SERVERS: usize = 1;
const OURS: usize = 0;

/// Connections of an echo.
const ECHOES: usize = 64;

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    // On a thread of its own: what it is kept to must not be inherited by what is started later.
    thread::scope(|scope| {
        let measuring = scope.spawn(|| {
            let mut rows = datagrams::measure(effort)?;
            rows.extend(watched::measure(effort)?);
            anyhow::Ok(rows)
        });
        measuring.join().unwrap_or_else(|_| bail!("the measuring thread has panicked"))
    })
}

/// A server on its core; whatever is started next is on ours.
fn start(effort: &Effort) -> Result<Server> {
    process::pin(SERVERS);
    let server = Server::start(&effort.sockscope, &["--max-sockets", "4096", "--max-connections", "4096"]);
    process::pin(OURS);
    server
}

/// The server's CPU while something is done, in nanoseconds.
fn nanos(server: u32, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let before = process::cpu_of(server)?;
    work()?;
    Ok((process::cpu_of(server)? - before).as_nanos() as f64)
}

/// The middle of some rounds.
fn median(values: Vec<f64>) -> Result<f64> {
    super::median(values).context("ran at least once")
}
