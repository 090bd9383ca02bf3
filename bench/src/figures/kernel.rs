//! What it costs to look at the kernel's side: sampling, capturing, and other programs' TIME_WAITs beside it.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sched::{CloneFlags, unshare};

use super::{Effort, median};
use crate::{peer::Peer, process, report::Row, server::Server};

const GIB: f64 = (1 << 30) as f64;

/// As many as one viewer may look at.
const WATCHED: usize = 100;

const FOREIGN: usize = 100_000;

/// Client ports to one listener are fewer than 28,232.
const TO_ONE: usize = 10_000;

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let mut rows = watching(effort)?;
    rows.extend(capturing(effort)?);
    Ok(rows)
}

/// A server with sockets that somebody looks at, or does not.
struct Watched {
    server: Server,
    _peer: Peer,
    viewer: Peer,
    ids: String,
}

impl Watched {
    fn start(effort: &Effort) -> Result<Self> {
        let mut server = Server::start(&effort.sockscope, &["--kernel", "all"])?;
        let (peer, port) = Peer::listening(&["tick"])?;
        let mut ids = Vec::new();
        for _ in 0..WATCHED {
            let socket = server.open(&format!("tcp://127.0.0.1:{port}"))?;
            ids.push(format!("\"{}\"", socket["id"].as_str().context("a socket has an id")?));
        }
        let viewer = server.peer("look")?;
        Ok(Self { server, _peer: peer, viewer, ids: ids.join(",") })
    }

    /// The server's CPU, as a part of a core, while everybody looks, or nobody does.
    fn share(&mut self, looks: bool, length: Duration) -> Result<f64> {
        let look = if looks { format!("[{}]", self.ids) } else { "[]".to_owned() };
        self.viewer.ask(&look)?;
        thread::sleep(Duration::from_millis(500));
        let (began, before) = (Instant::now(), process::cpu_of(self.server.pid())?);
        thread::sleep(length);
        let used = process::cpu_of(self.server.pid())?.saturating_sub(before);
        Ok(used.as_secs_f64() / began.elapsed().as_secs_f64())
    }

    /// What looking costs: the median of turns without and with.
    fn cost(&mut self, effort: &Effort) -> Result<(f64, f64)> {
        let length = Duration::from_secs(effort.pick(4, 1));
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..effort.pick(5, 2) {
            without.push(self.share(false, length)?);
            with.push(self.share(true, length)?);
        }
        let without = median(without).context("turns")?;
        Ok((without, median(with).context("turns")?))
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// In a namespace of its own, so that the connections that are left behind are nobody else's.
fn watching(effort: &Effort) -> Result<Vec<Row>> {
    thread::scope(|scope| {
        scope.spawn(|| apart(effort)).join().unwrap_or_else(|_| bail!("the measuring thread has panicked"))
    })
}

fn apart(effort: &Effort) -> Result<Vec<Row>> {
    let alone = unshare(CloneFlags::CLONE_NEWNET).is_ok();
    if alone {
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().context("cannot run ip")?;
        ensure!(up.success(), "loopback cannot be set up in a network namespace of its own");
    }
    let mut watched = Watched::start(effort)?;
    let (without, with) = watched.cost(effort)?;
    let cost = with - without;
    let mut rows = vec![
        Row::new("sampling 100 watched sockets at 10 Hz", format!("{} of a core", percent(cost)))
            .target("aim ≤ 3 %", cost <= 0.03)
            .note(format!(
                "64 bytes come 10 times a second on each, so every sample is a new fact: both ends asked, recorded, sent to \
                 the viewer; the server's CPU with somebody looking ({}) less that with nobody ({})",
                percent(with),
                percent(without)
            )),
    ];
    let what = "all of it beside 100,000 foreign TIME_WAITs";
    if !alone {
        rows.push(Row::new(what, "not measured").note("needs a network namespace of its own: run as root"));
        return Ok(rows);
    }
    let count = effort.pick(FOREIGN, FOREIGN / 5);
    let waiting = wait_around(count)?;
    let (_, beside) = watched.cost(effort)?;
    rows.push(
        Row::new(what, format!("{} of a core, {} without them", percent(beside), percent(with)))
            .target("no difference", beside <= with * 1.25)
            .note(format!(
                "{waiting} of them in the server's network namespace; the server's CPU with somebody looking, within 25 %"
            )),
    );
    Ok(rows)
}

/// Leaves so many connections behind in TIME_WAIT; how many there are.
fn wait_around(count: usize) -> Result<usize> {
    fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "1000000")
        .context("cannot allow so many TIME_WAITs")?;
    let mut left = count;
    while left > 0 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let to = listener.local_addr()?;
        for _ in 0..left.min(TO_ONE) {
            let client = TcpStream::connect(to)?;
            let (accepted, _) = listener.accept()?;
            // Who ends first waits.
            drop(client);
            drop(accepted);
        }
        left -= left.min(TO_ONE);
    }
    let said = fs::read_to_string("/proc/thread-self/net/sockstat")?;
    let mut words = said.lines().find(|line| line.starts_with("TCP:")).context("no TCP")?.split(' ');
    let waiting = words.by_ref().skip_while(|word| *word != "tw").nth(1).context("no tw")?.parse()?;
    ensure!(waiting >= count * 9 / 10, "only {waiting} wait");
    Ok(waiting)
}

/// A flood into one socket, with and without a capture.
fn capturing(effort: &Effort) -> Result<Vec<Row>> {
    let length = Duration::from_secs(effort.pick(4, 2));
    let turns = effort.pick(5, 2);
    let (mut off, mut on, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..turns {
        let (without, with) = (flood(effort, "states", length)?, flood(effort, "all", length)?);
        ratios.push(with / without);
        off.push(without);
        on.push(with);
    }
    let ratio = median(ratios).context("turns")?;
    let (off, on) = (median(off).context("turns")?, median(on).context("turns")?);
    Ok(vec![
        Row::new("flood of a stream, captured", format!("{:.0} % ({:.2} of {:.2} GiB/s)", ratio * 100.0, on / GIB, off / GIB))
            .target("aim ≥ 80 %", ratio >= 0.8)
            .note(format!(
                "a peer writes 256 KiB at a time; every frame recorded with `--kernel all`, none with `--kernel states`; median \
                 ratio of {turns} turns of {} s",
                length.as_secs()
            )),
    ])
}

/// Bytes a second.
fn flood(effort: &Effort, kernel: &str, length: Duration) -> Result<f64> {
    let mut server = Server::start(&effort.sockscope, &["--kernel", kernel])?;
    let (_peer, port) = Peer::listening(&["flood"])?;
    let socket = server.open(&format!("tcp://127.0.0.1:{port}"))?;
    let id = socket["id"].as_str().context("a socket has an id")?.to_owned();
    thread::sleep(length / 4);
    let mut look = || -> Result<_> {
        let received = server.socket(&id)?["counters"]["received_bytes"].as_f64();
        Ok((Instant::now(), received.context("it counts bytes")?))
    };
    let before = look()?;
    thread::sleep(length);
    let after = look()?;
    server.close(&id, "?reset=true")?;
    Ok((after.1 - before.1) / (after.0 - before.0).as_secs_f64())
}
