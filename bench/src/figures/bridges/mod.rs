//! What a bridge costs the server: datagrams each way, and streams that somebody watches or has recorded.
//!
//! Client and target are this process, on one core; the server is on the other.

mod datagrams;
mod watched;

use anyhow::{Context as _, Result};

use super::Effort;
use crate::{process, report::Row, server::Server};

/// Connections of an echo.
const ECHOES: usize = 64;

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    super::apart(|| {
        let mut rows = datagrams::measure(effort)?;
        rows.extend(watched::measure(effort)?);
        Ok(rows)
    })
}

/// A server on its core.
fn start(effort: &Effort) -> Result<Server> {
    super::on_servers(|| {
        Server::start(&effort.sockscope, &["--max-sockets", "4096", "--max-connections", "4096"])
    })
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
