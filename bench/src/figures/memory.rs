//! What a thing costs while nothing happens: the server's RSS with and without thousands of them, twice.

use anyhow::Result;

use crate::{process, report::Row, server::Server};

/// A second round of the same load may make the process this much larger.
const GROWTH: f64 = 1.10;

/// So many descriptors may come and go by themselves while others are counted: of a control connection that was replaced, of
/// what is read in `/proc`.
const STRAY: usize = 4;

/// RSS at each step.
pub(super) struct Rounds {
    count: usize,
    before: u64,
    first: u64,
    between: u64,
    second: u64,
}

/// Puts the load on and takes it off, twice.
pub(super) fn rounds(
    server: &mut Server,
    count: usize,
    mut open: impl FnMut(&mut Server) -> Result<()>,
    mut close: impl FnMut(&mut Server) -> Result<()>,
) -> Result<Rounds> {
    let idle = server.descriptors()?;
    let before = process::resident(server.pid())?;
    let mut round = |server: &mut Server| -> Result<u64> {
        open(server)?;
        server.until_descriptors(|now| now + STRAY >= idle + count)?;
        let held = process::resident(server.pid())?;
        close(server)?;
        server.until_descriptors(|now| now <= idle + STRAY)?;
        // History is bounded by `--log-bytes`, not by how many sockets there are now: it would hide what is asked here.
        server.trim()?;
        Ok(held)
    };
    let first = round(server)?;
    let between = process::resident(server.pid())?;
    let second = round(server)?;
    Ok(Rounds { count, before, first, between, second })
}

impl Rounds {
    /// As rows of the table; `most` bytes of each are the target, where there is one.
    pub(super) fn rows(&self, what: &str, most: Option<u64>, includes: &str) -> Vec<Row> {
        let Self { count, before, first, between, second } = *self;
        let each = first.saturating_sub(before) as f64 / count as f64;
        let growth = second as f64 / first as f64;
        let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
        let mut held = Row::new(format!("RSS of {what}"), format!("{:.1} KiB", each / 1024.0)).note(format!(
            "{count} of them: {:.1} → {:.1} MiB; {includes}; kernel buffers are not part of it",
            mib(before),
            mib(first)
        ));
        if let Some(most) = most {
            held = held.target(format!("≤ {} KiB", most >> 10), each <= most as f64);
        }
        vec![
            held,
            Row::new("the same load again", format!("{:+.1} %", (growth - 1.0) * 100.0))
                .target("≤ +10 %", growth <= GROWTH)
                .note(format!(
                    "the whole process: {:.1} MiB, all closed and the log trimmed {:.1}, all opened again {:.1}",
                    mib(first),
                    mib(between),
                    mib(second)
                )),
        ]
    }
}
