//! A peer writes 256 KiB at a time, as fast as it is read, into one socket.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::Effort;
use crate::{
    peer::Peer,
    process,
    report::{Row, mib},
    server::Server,
};

const GIB: f64 = (1 << 30) as f64;
const LOG_BYTES: u64 = 256 << 20;
const OVERHEAD: u64 = 64 << 20;

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let length = Duration::from_secs(effort.pick(10, 3));
    let mut rows = run(effort, length, false)?.rows("nobody watching");
    rows.extend(run(effort, length, true)?.rows("one viewer follows"));
    Ok(rows)
}

struct Flood {
    seconds: f64,
    received: f64,
    /// Payload bytes the viewer got, if there was one.
    delivered: Option<f64>,
    cpu: Duration,
    peak: u64,
}

fn run(effort: &Effort, length: Duration, watched: bool) -> Result<Flood> {
    let mut server = Server::start(&effort.sockscope, &["--log-bytes", "256M"])?;
    let (_peer, port) = Peer::listening(&["flood"])?;
    let mut viewer = if watched {
        let mut viewer = server.peer("follow")?;
        viewer.hear()?;
        Some(viewer)
    } else {
        None
    };
    let socket = server.open(&format!("tcp://127.0.0.1:{port}"))?;
    let id = socket["id"].as_str().context("a socket has an id")?.to_owned();
    // Until the log is full once: from then on every append gives something up.
    thread::sleep(length / 4);
    let mut look = || -> Result<_> {
        let received =
            server.socket(&id)?["counters"]["received_bytes"].as_f64().context("it counts bytes")?;
        let got = viewer.as_mut().map(|viewer| viewer.ask("count")).transpose()?;
        let got = got.map(|got| got.parse::<f64>()).transpose()?;
        Ok((Instant::now(), received, got, process::cpu_of(server.pid())?))
    };
    let before = look()?;
    thread::sleep(length);
    let after = look()?;
    let peak = process::resident_peak(server.pid())?;
    server.close(&id, "?reset=true")?;
    Ok(Flood {
        seconds: (after.0 - before.0).as_secs_f64(),
        received: after.1 - before.1,
        delivered: after.2.zip(before.2).map(|(after, before)| after - before),
        cpu: after.3 - before.3,
        peak,
    })
}

impl Flood {
    fn rows(&self, how: &str) -> Vec<Row> {
        let Self { seconds, received, delivered, cpu, peak } = self;
        let rate = received / seconds;
        let mut rows = vec![
            Row::new(format!("recorded, {how}"), format!("{:.2} GiB/s", rate / GIB))
                .target("aim ≥ 1 GiB/s", rate >= GIB)
                .note(format!(
                    "over {seconds:.0} s, every read copied into the log; peer in another process, nothing pinned; the \
                     server's CPU: {:.2} ns a byte",
                    cpu.as_nanos() as f64 / received
                )),
        ];
        if let Some(delivered) = delivered {
            rows.push(
                Row::new("of that delivered", format!("{:.0} % ({:.2} GiB/s)", delivered / received * 100.0, delivered / seconds / GIB))
                    .note("raw payloads over one WebSocket; what was given up before the viewer came to it is told as evicted"),
            );
        }
        rows.push(
            Row::new(format!("largest RSS, {how}"), format!("{} MiB", mib(*peak)))
                .target("≤ 320 MiB", *peak <= LOG_BYTES + OVERHEAD)
                .note("`--log-bytes 256M` + 64 MiB; the most the process ever held"),
        );
        rows
    }
}
