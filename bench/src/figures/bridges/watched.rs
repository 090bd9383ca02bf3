//! What it costs a TCP bridge to be watched, and to have every byte recorded.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{ECHOES, Effort, median, nanos, patient, start};
use crate::{
    bridge::{Bridge, frames},
    report::Row,
    server::Server,
};

/// What goes over a bridge: the same bytes again and again.
const SMALL: [u8; 64] = [b'b'; 64];
static LARGE: [u8; 64 * 1024] = [b'b'; 64 * 1024];

/// So many small messages leave in one write.
const TOGETHER: usize = 1000;

/// By then viewers are told of all of it, which is part of the cost.
const SETTLED: Duration = Duration::from_millis(400);

/// Who looks, and whether every byte is recorded.
const EYES: [(&str, usize, bool); 5] = [
    ("nobody watching", 0, false),
    ("one viewer", 1, false),
    ("four viewers", 4, false),
    ("recorded", 0, true),
    ("recorded, one viewer", 1, true),
];

/// How nanoseconds are written.
type Spelt = fn(f64) -> String;

/// What passes, and how its cost is written.
const LOADS: [(&str, Spelt); 5] = [
    ("upload of 64 B messages", |nanos| format!("{nanos:.0} ns each")),
    ("upload of 64 KiB messages", |nanos| format!("{nanos:.2} ns/B")),
    ("download, target writes 64 KiB", |nanos| format!("{nanos:.2} ns/B")),
    ("download, target writes 64 B", |nanos| format!("{nanos:.2} ns/B")),
    ("echo over each of 64 bridges", |nanos| format!("{:.2} µs", nanos / 1e3)),
];

/// Nanoseconds of CPU for each load.
type Turn = [f64; LOADS.len()];

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let rounds = effort.pick(5, 1);
    let mut server = start(effort)?;
    let secret = server.recording_key()?;
    let mut pages = server.peer("pages")?;
    let mut streams = [Streams::open(&server, None)?, Streams::open(&server, Some(&secret))?];
    let mut turns = [const { Vec::new() }; EYES.len()];
    // The first turn warms up.
    for round in 0..=rounds {
        for ((_, viewers, recorded), turns) in EYES.iter().zip(&mut turns) {
            pages.ask(&format!("open {viewers}"))?;
            let turn = streams[usize::from(*recorded)].turn(effort, server.pid())?;
            pages.ask("close")?;
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    let note = format!(
        "the server's CPU, {} ms after the last byte included: what is told of later is told by then; median of {rounds} \
         turns, and of the turns' ratios to nobody watching; a viewer is told what a page is; recorded is a key with \
         `record`, and what the kernel saw is recorded, too",
        SETTLED.as_millis()
    );
    let mut rows = Vec::new();
    for (load, (what, spelt)) in LOADS.iter().enumerate() {
        for ((eyes, ..), seen) in EYES.iter().zip(&turns) {
            let measured = spelt(median(seen.iter().map(|turn| turn[load]).collect())?);
            let ratios = seen.iter().zip(&turns[0]).map(|(seen, alone)| seen[load] / alone[load]);
            let ratio = median(ratios.collect())?;
            let row = Row::new(format!("{what}, {eyes}"), format!("{measured}: {ratio:.2} ×"));
            rows.push(if rows.is_empty() { row.note(&*note) } else { row });
        }
    }
    Ok(rows)
}

/// Bridges that are opened the same way, and the targets behind them.
struct Streams {
    one: Stream,
    echoes: Vec<Stream>,
}

impl Streams {
    fn open(server: &Server, key: Option<&str>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        patient(&listener)?;
        let one = Stream::open(server, key, &listener)?;
        let echoes = (0..ECHOES).map(|_| Stream::open(server, key, &listener)).collect::<Result<_>>()?;
        Ok(Self { one, echoes })
    }

    fn turn(&mut self, effort: &Effort, server: u32) -> Result<Turn> {
        let (small, large) = (effort.pick(1000, 250), effort.pick(2048, 512));
        let (pieces, trips) = (effort.pick(200_000, 50_000), effort.pick(100, 25));
        let settled = |work: &mut dyn FnMut() -> Result<()>| {
            nanos(server, || {
                work()?;
                thread::sleep(SETTLED);
                Ok(())
            })
        };
        let bytes = (large * LARGE.len()) as f64;
        let (together, single) = (frames(&SMALL, TOGETHER), frames(&LARGE, 1));
        Ok([
            settled(&mut || self.one.upload(&together, small, small * TOGETHER * SMALL.len()))?
                / (small * TOGETHER) as f64,
            settled(&mut || self.one.upload(&single, large, large * LARGE.len()))? / bytes,
            settled(&mut || self.one.download(&LARGE, large))? / bytes,
            settled(&mut || self.one.download(&SMALL, pieces))? / (pieces * SMALL.len()) as f64,
            settled(&mut || (0..trips).try_for_each(|_| self.trip()))? / (trips * ECHOES) as f64,
        ])
    }

    /// One round trip over each.
    fn trip(&mut self) -> Result<()> {
        let message = frames(&SMALL, 1);
        let mut buffer = [0; SMALL.len()];
        self.echoes.iter_mut().try_for_each(|echo| echo.client.write(&message))?;
        for Stream { target, .. } in &mut self.echoes {
            target.read_exact(&mut buffer)?;
            target.write_all(&buffer)?;
        }
        for Stream { client, .. } in &mut self.echoes {
            ensure!(*client.read()? == SMALL, "an echo came altered");
        }
        Ok(())
    }
}

/// One bridge and its target.
struct Stream {
    client: Bridge,
    target: TcpStream,
}

impl Stream {
    fn open(server: &Server, key: Option<&str>, listener: &TcpListener) -> Result<Self> {
        let client = Bridge::open(server, key, &format!("tcp/127.0.0.1/{}", listener.local_addr()?.port()))?;
        let (target, _) = listener.accept().context("the target was not dialled")?;
        target.set_nodelay(true)?;
        patient(&target)?;
        Ok(Self { client, target })
    }

    /// Writes the same frames again and again, until all they hold is at the target.
    fn upload(&mut self, frames: &[u8], writes: usize, bytes: usize) -> Result<()> {
        let Self { client, target } = self;
        thread::scope(|scope| {
            let target = scope.spawn(|| drain(target, bytes));
            (0..writes).try_for_each(|_| client.write(frames))?;
            target.join().unwrap_or_else(|_| bail!("the target has panicked"))
        })
    }

    /// The target writes a piece so often, until all of it is at the client.
    fn download(&mut self, piece: &[u8], writes: usize) -> Result<()> {
        let Self { client, target } = self;
        thread::scope(|scope| {
            let target = scope.spawn(|| (0..writes).try_for_each(|_| target.write_all(piece)));
            let mut left = writes * piece.len();
            while left > 0 {
                let message = client.read()?;
                left = left.checked_sub(message.len()).context("more came than was written")?;
                check(message)?;
            }
            target
                .join()
                .unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()))
                .context("the target failed")
        })
    }
}

fn drain(target: &mut TcpStream, bytes: usize) -> Result<()> {
    let mut buffer = vec![0; 256 * 1024];
    let mut left = bytes;
    while left > 0 {
        let n = target.read(&mut buffer).context("not all arrived")?;
        ensure!(n > 0, "the target's connection ended");
        left = left.checked_sub(n).context("more arrived than was sent")?;
        check(&buffer[..n])?;
    }
    Ok(())
}

fn check(bytes: &[u8]) -> Result<()> {
    ensure!(bytes.iter().all(|byte| *byte == SMALL[0]), "bytes arrived altered");
    Ok(())
}
