//! Wisp: one connection that carries 64 streams, of sockscope and of whatever other servers are named.
//!
//! Client and targets are this process, on one core; each server in turn is on the other.

mod client;
mod subject;
mod targets;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::Effort;
use crate::report::Row;
use client::{Client, Said};
use subject::Subject;
use targets::{Order, Targets};

const STREAMS: u32 = 64;

/// Opened at once, where opening is measured.
const AT_ONCE: u32 = 32;

const SMALL: usize = 64;
const LARGE: usize = 64 * 1024;

/// What is echoed on each idle stream before its memory is measured again.
const USED: usize = 32 * 1024;

/// How nanoseconds or bytes are written.
type Spelt = fn(f64) -> String;

/// What is measured, and how it is written.
const FIGURES: [(&str, Spelt); 9] = [
    ("upload of 64 B messages", |nanos| format!("{nanos:.0} ns each")),
    ("upload of 64 KiB messages", |nanos| format!("{nanos:.2} ns/B")),
    ("download, targets write 64 KiB", |nanos| format!("{nanos:.2} ns/B")),
    ("64 B echo on each stream", |nanos| format!("{:.1} µs", nanos / 1e3)),
    ("connect and first byte, 32 at a time", |nanos| format!("{:.0} µs", nanos / 1e3)),
    ("p99 of a 64 B round trip", |nanos| format!("{:.0} µs", nanos / 1e3)),
    ("the same beside a stream at full speed", |nanos| format!("{:.0} µs", nanos / 1e3)),
    ("memory of an idle stream", |bytes| format!("{:.1} KiB", bytes / 1024.0)),
    ("the same after 32 KiB were echoed", |bytes| format!("{:.1} KiB", bytes / 1024.0)),
];

/// One number for each of them: nanoseconds or bytes.
type Figures = [f64; FIGURES.len()];

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let measured = super::apart(|| {
        let targets = Targets::start()?;
        let ours = ("sockscope".to_owned(), run(effort, &targets, None)?);
        let others = effort.beside.iter().map(|(name, command)| {
            let figures = run(effort, &targets, Some(command)).with_context(|| name.clone())?;
            Ok((name.clone(), figures))
        });
        std::iter::once(Ok(ours)).chain(others).collect::<Result<Vec<_>>>()
    })?;
    let (ours, others) = measured.split_first().context("one was measured")?;
    Ok(FIGURES
        .iter()
        .enumerate()
        .map(|(n, (what, spelt))| {
            let beside: Vec<_> =
                others.iter().map(|(name, other)| format!("{name} {}", spelt(other[n]))).collect();
            let row = Row::new(*what, spelt(ours.1[n])).note(beside.join("; "));
            let ahead = others.iter().all(|(_, other)| ours.1[n] < other[n]);
            if others.is_empty() { row } else { row.target("ahead of each", ahead) }
        })
        .collect())
}

/// All figures of one server: medians of some turns.
fn run(effort: &Effort, targets: &Targets, command: Option<&str>) -> Result<Figures> {
    let rounds = effort.pick(5, 3);
    let mut turns = Vec::new();
    let subject = Subject::start(effort, command)?;
    let mut client = subject.connect()?;
    let streams = open(&mut client, targets, STREAMS)?;
    // The first turn warms up.
    for round in 0..=rounds {
        let mut turn: Vec<f64> = Vec::with_capacity(FIGURES.len());
        let (small, large) = (effort.pick(4000, 1000), effort.pick(64, 16));
        let (blocks, trips) = (effort.pick(64, 16), effort.pick(200, 50));
        turn.push(upload(&subject, &mut client, targets, &streams, SMALL, small)?);
        turn.push(upload(&subject, &mut client, targets, &streams, LARGE, large)? / LARGE as f64);
        turn.push(download(&subject, &mut client, &streams, blocks)?);
        turn.push(echo(&subject, &mut client, &streams, trips)?);
        turn.push(connect(&subject, &mut client, targets, effort.pick(20, 5))?);
        turn.push(round_trips(&mut client, streams[0], None, trips * 10)?);
        turn.push(round_trips(&mut client, streams[0], Some(streams[1]), trips * 10)?);
        if round > 0 {
            turns.push(turn);
        }
    }
    drop((client, subject));
    let mut figures = Figures::default();
    for (n, figure) in figures.iter_mut().enumerate().take(turns[0].len()) {
        *figure = super::median(turns.iter().map(|turn| turn[n]).collect()).context("ran at least once")?;
    }
    let subject = Subject::start(effort, command)?;
    [figures[7], figures[8]] = memory(effort, &subject, targets)?;
    Ok(figures)
}

/// So many streams to a target each, which a byte has passed there and back.
fn open(client: &mut Client, targets: &Targets, count: u32) -> Result<Vec<u32>> {
    let streams = client.connect(targets.port(), count)?;
    for stream in &streams {
        client.send(*stream, &[&Order::Echo.of(1)[..], b"!"].concat())?;
    }
    hear(client, count as usize)?;
    Ok(streams)
}

/// Waits until so many bytes have come.
fn hear(client: &mut Client, mut bytes: usize) -> Result<()> {
    while bytes > 0 {
        if let Said::Data(_, came) = client.next()? {
            bytes = bytes.checked_sub(came).context("more came than was sent")?;
        }
    }
    Ok(())
}

/// Nanoseconds of the server a message, `each` of them on each stream, as many as there are credits for and at most eight of one
/// stream behind the other.
fn upload(
    subject: &Subject,
    client: &mut Client,
    targets: &Targets,
    streams: &[u32],
    len: usize,
    each: u32,
) -> Result<f64> {
    let frames: Vec<_> = streams.iter().map(|stream| client::data(*stream, &vec![b'u'; len])).collect();
    let mut left = vec![each; streams.len()];
    let before = targets.drained();
    let bytes = u64::from(each) * len as u64;
    subject.cost(u64::from(each) * streams.len() as u64, || {
        for stream in streams {
            client.send(*stream, &Order::Drain.of(bytes))?;
        }
        while left.iter().any(|left| *left > 0) {
            let mut out = Vec::new();
            for ((stream, frame), left) in streams.iter().zip(&frames).zip(&mut left) {
                let now = client.spend(*stream, (*left).min(8));
                *left -= now;
                out.extend_from_slice(&frame.repeat(now as usize));
            }
            if out.is_empty() {
                // Credits, or nothing that could come.
                client.next()?;
            } else {
                client.write(&out)?;
                client.look()?;
            }
        }
        targets.until_drained(before + bytes * streams.len() as u64)
    })
}

/// Nanoseconds a byte.
fn download(subject: &Subject, client: &mut Client, streams: &[u32], blocks: usize) -> Result<f64> {
    let bytes = blocks * LARGE;
    subject.cost((bytes * streams.len()) as u64, || {
        for stream in streams {
            client.send(*stream, &Order::Write.of(bytes as u64))?;
        }
        hear(client, bytes * streams.len())
    })
}

/// Nanoseconds a round trip: one message of each stream is on its way.
fn echo(subject: &Subject, client: &mut Client, streams: &[u32], trips: usize) -> Result<f64> {
    let frames: Vec<_> = streams.iter().map(|stream| client::data(*stream, &[b'e'; SMALL])).collect();
    subject.cost((trips * streams.len()) as u64, || {
        for stream in streams {
            client.send(*stream, &Order::Echo.of((trips * SMALL) as u64))?;
        }
        for _ in 0..trips {
            let mut out = Vec::new();
            for (stream, frame) in streams.iter().zip(&frames) {
                while client.spend(*stream, 1) == 0 {
                    client.next()?;
                }
                out.extend_from_slice(frame);
            }
            client.write(&out)?;
            hear(client, SMALL * streams.len())?;
        }
        Ok(())
    })
}

/// Nanoseconds a stream that is opened, echoes a byte and is closed.
fn connect(subject: &Subject, client: &mut Client, targets: &Targets, rounds: u32) -> Result<f64> {
    subject.cost(u64::from(rounds * AT_ONCE), || {
        for _ in 0..rounds {
            let streams = open(client, targets, AT_ONCE)?;
            streams.iter().try_for_each(|stream| client.close(*stream))?;
        }
        Ok(())
    })
}

/// The p99 of round trips on one stream in nanoseconds, perhaps beside one whose target writes for as long.
fn round_trips(client: &mut Client, stream: u32, beside: Option<u32>, trips: usize) -> Result<f64> {
    // More than passes meanwhile; what is left over is heard afterwards.
    const BLOCK: usize = 64 << 20;
    let mut owed = 0;
    let mut took = Vec::with_capacity(trips);
    client.send(stream, &Order::Echo.of((trips * SMALL) as u64))?;
    for _ in 0..trips {
        if let Some(busy) = beside.filter(|_| owed < BLOCK) {
            client.send(busy, &Order::Write.of(BLOCK as u64))?;
            owed += BLOCK;
        }
        let begun = Instant::now();
        client.send(stream, &[b'p'; SMALL])?;
        let mut missing = SMALL;
        while missing > 0 {
            match client.next()? {
                Said::Data(from, came) if from == stream => missing -= came.min(missing),
                Said::Data(_, came) => {
                    owed = owed.checked_sub(came).context("more came than was asked for")?
                }
                Said::Credit => {}
            }
        }
        took.push(begun.elapsed());
    }
    hear(client, owed)?;
    took.sort_unstable();
    let p99 = took.get(trips * 99 / 100).copied().unwrap_or(Duration::ZERO);
    Ok(p99.as_nanos() as f64)
}

/// Bytes a stream, idle since it was opened, and after it carried something.
fn memory(effort: &Effort, subject: &Subject, targets: &Targets) -> Result<[f64; 2]> {
    let count = effort.pick(512, 256);
    let mut client = subject.connect()?;
    // What is there once is not a stream's.
    open(&mut client, targets, 1)?;
    let before = subject.memory()?;
    let streams = open(&mut client, targets, count)?;
    let each = |now: u64| (now.saturating_sub(before)) as f64 / f64::from(count);
    let idle = each(subject.memory()?);
    for stream in &streams {
        client.send(*stream, &[&Order::Echo.of(USED as u64)[..], &[b'm'; USED]].concat())?;
        hear(&mut client, USED)?;
    }
    Ok([idle, each(subject.memory()?)])
}
