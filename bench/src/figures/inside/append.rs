//! How fast the log takes 64-byte payloads: alone, and as a socket's task reaches it, through its recorder.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use nix::time::ClockId;
use sockscope::{
    log::{Entry, Log, Stored, Tag},
    workspace::{SocketRecorder, Workspace},
};
use sockscope_sockets::fact::{Chunk, Fact, Recorder, Stamp};
use sockscope_wire::{LogFull, ShelfName, SocketId};
use tokio::time::Instant;

use super::{Effort, clock, median, workspace};
use crate::{process, report::Row};

const PAYLOAD: [u8; 64] = [b'a'; 64];
const LOG_BYTES: usize = 256 << 20;
const TARGET: f64 = 2e6;

pub(in crate::figures) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let count = effort.pick(4_000_000, 1_000_000);
    let rounds = effort.pick(5, 3);
    // A workspace's own tasks have no part in this; they only need somewhere to be.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    // On a thread of its own: what it is kept to must not be inherited by what is started later.
    let measuring = std::thread::spawn(move || {
        process::pin(1);
        let _within = handle.enter();
        let alone = rates(rounds, || alone(count));
        let recorded = rates(rounds, || through_recorder(count));
        (alone, recorded)
    });
    let (alone, recorded) = measuring.join().ok().context("the measuring thread panicked")?;
    let row = |what: &str, rate: Option<f64>, note: &str| {
        let rate = rate.context("ran at least once")?;
        anyhow::Ok(
            Row::new(what, format!("{:.2} million/s", rate / 1e6))
                .target("≥ 2 million/s", rate >= TARGET)
                .note(format!(
                    "{note}; {} million times in a log of 256 MiB, median of {rounds}",
                    count / 1_000_000
                )),
        )
    };
    Ok(vec![
        row("`Log::append`", alone, "one core's CPU time; copies the payload, gives up history once full")?,
        row(
            "through a socket's recorder",
            recorded,
            "the same with clock, lock, socket counters and wake-up of cursors",
        )?,
    ])
}

fn rates(rounds: usize, mut once: impl FnMut() -> f64) -> Option<f64> {
    median((0..rounds).map(|_| once()).collect())
}

fn received(offset: u64) -> Fact {
    Fact::Received(Chunk::of_stream(64, offset))
}

fn alone(count: u64) -> f64 {
    let mut log = Log::new(LOG_BYTES, LogFull::Evict);
    per_second(count, |n| {
        let tag = Tag { t_us: n, took_us: Some(1), origin: None, socket: Some(SocketId(1)), hidden: false };
        let payload = Stored::Kept(Arc::from(&PAYLOAD[..]));
        log.append(ShelfName::Conversation, tag, Entry::Fact(received(n * 64)), payload);
    })
}

fn through_recorder(count: u64) -> f64 {
    let workspace: Arc<Workspace> = workspace(LOG_BYTES);
    let recorder = SocketRecorder::new(&workspace, SocketId(1), false, None);
    let mut entered = Instant::now();
    per_second(count, |n| {
        let stamp = Stamp::since(entered);
        entered = stamp.at;
        recorder.record(stamp, &None, received(n * 64), Some(&PAYLOAD));
    })
}

/// How often a second of this thread's time would do it.
fn per_second(count: u64, mut once: impl FnMut(u64)) -> f64 {
    let before = clock(ClockId::CLOCK_THREAD_CPUTIME_ID);
    for n in 0..count {
        once(n);
    }
    count as f64 / (clock(ClockId::CLOCK_THREAD_CPUTIME_ID) - before).as_secs_f64()
}
