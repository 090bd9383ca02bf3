//! What a bridge costs the server: connections, datagrams each way, and streams that somebody watches or has recorded.
//!
//! Client and target are this process, on one core; the server is on the other.

mod connections;
mod datagrams;
mod watched;

use std::{os::fd::AsFd, time::Duration};

use anyhow::{Context as _, Result};
use nix::sys::{
    socket::{setsockopt, sockopt},
    time::TimeVal,
};

use super::Effort;
use crate::{process, report::Row, server::Server};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections of an echo.
const ECHOES: usize = 64;

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    super::apart(|| {
        let mut rows = connections::measure(effort)?;
        rows.extend(datagrams::measure(effort)?);
        rows.extend(watched::measure(effort)?);
        Ok(rows)
    })
}

/// Lets a target's socket wait so long and no longer: for a connection, for bytes, for room.
fn patient(socket: &impl AsFd) -> Result<()> {
    let patience = TimeVal::new(PATIENCE.as_secs() as i64, 0);
    setsockopt(socket, sockopt::ReceiveTimeout, &patience)?;
    setsockopt(socket, sockopt::SendTimeout, &patience)?;
    Ok(())
}

/// A server on its core.
fn start(effort: &Effort) -> Result<Server> {
    super::on_servers(|| effort.server(&[]))
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
