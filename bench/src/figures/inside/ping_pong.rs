//! CPU of one 64-byte round trip: recorded, against the same loop over plain tokio.
//!
//! The peer echoes in another process, so the process clock counts our side only. All loops run on the same runtime
//! (multi-thread, one worker, pinned), take turns, and the ratio is taken turn by turn: what disturbs one disturbs the
//! other.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use nix::time::ClockId;
use sockscope::{
    log::{Entry, Filter, Limits, Log, Stored, Tag},
    workspace::{Order, Workspace},
};
use sockscope_sockets::{
    fact::{Cause, Fact, Recorder, Stamp, Wait},
    mailbox::{Command, Mailbox, Outgoing},
    options::Options,
    stream,
};
use sockscope_wire::{LogFull, OpenRequest, Seq, ShelfName, SocketId};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Runtime,
    sync::mpsc,
    time::Instant,
};

use super::{Effort, clock, median, workspace};
use crate::{peer::Peer, process, report::Row};

const PING: [u8; 64] = [b'p'; 64];
const LOG_BYTES: usize = 64 << 20;
const TARGET: f64 = 1.25;

/// Our core.
const OURS: usize = 1;

/// The peer's core, and what to call that. On another core a round trip also pays for waking it up, on both sides; on
/// the same one it is as cheap as it gets, and what is ours weighs most.
const PLACES: [(usize, &str); 2] = [(0, "peer on another core"), (OURS, "peer on the same core")];

pub(in crate::figures) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let trips = effort.pick(20_000, 5_000);
    let rounds = effort.pick(15, 5);
    let mut rows = Vec::new();
    for (core, place) in PLACES {
        let measuring = std::thread::spawn(move || turns(trips, rounds, core));
        let turns = measuring.join().ok().context("the measuring thread panicked")??;
        rows.extend(table(&turns, place, trips)?);
    }
    Ok(rows)
}

fn table(turns: &[Turn], place: &str, trips: u64) -> Result<[Row; 3]> {
    let middle = |of: fn(&Turn) -> f64| median(turns.iter().map(of).collect()).context("ran at least once");
    let (log, workspace) =
        (middle(|turn| turn.log / turn.plain)?, middle(|turn| turn.workspace / turn.plain)?);
    let micros = |of: fn(&Turn) -> f64| Ok::<_, anyhow::Error>(format!("{:.2} µs", middle(of)? * 1e6));
    let plain = micros(|turn| turn.plain)?;
    let rounds = turns.len();
    Ok([
        Row::new(format!("plain tokio, {place}"), plain).note(format!(
            "one task: `write_all`, then `read` into 256 KiB; CPU (user + system) a round trip, median of {rounds} \
             turns of {trips}"
        )),
        Row::new(format!("`sockets` + `log`, {place}"), format!("{}: {log:.2} ×", micros(|turn| turn.log)?))
            .target("≤ 1.25 ×", log <= TARGET)
            .note(
                "the socket's task records the read, its recorder answers through the mailbox, the write is recorded: \
                 two events a round trip; median of the turns' ratios",
            ),
        Row::new(
            format!("the whole workspace, {place}"),
            format!("{}: {workspace:.2} ×", micros(|turn| turn.workspace)?),
        )
        .note(
            "`Workspace` as the program has it: a second task follows the log as a cursor and answers through \
             `Workspace::send`; socket counters, causes, wake-up of cursors",
        ),
    ])
}

/// Seconds of CPU a round trip.
struct Turn {
    plain: f64,
    log: f64,
    workspace: f64,
}

fn turns(trips: u64, rounds: usize, theirs: usize) -> Result<Vec<Turn>> {
    process::pin(OURS);
    let (_peer, port) = Peer::listening(&["echo", "--core", &theirs.to_string()])?;
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut turns = Vec::new();
    // The first turn warms up.
    for round in 0..=rounds {
        let plain = on(&runtime, plain(to, trips))?;
        let log = on(&runtime, recorded(to, trips))?;
        let workspace = on(&runtime, followed(to, trips))?;
        if round > 0 {
            turns.push(Turn { plain, log, workspace });
        }
    }
    Ok(turns)
}

/// Runs a loop on the worker; the thread that waits for it sleeps.
fn on(runtime: &Runtime, work: impl Future<Output = Result<f64>> + Send + 'static) -> Result<f64> {
    runtime.block_on(runtime.spawn(work))?
}

/// CPU a trip since then.
fn each(trips: u64, before: Duration) -> f64 {
    (clock(ClockId::CLOCK_PROCESS_CPUTIME_ID) - before).as_secs_f64() / trips as f64
}

async fn dial(to: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn plain(to: SocketAddr, trips: u64) -> Result<f64> {
    let mut stream = dial(to).await?;
    let mut buffer = vec![0; 256 * 1024];
    let before = clock(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    for _ in 0..trips {
        stream.write_all(&PING).await?;
        let mut got = 0;
        while got < PING.len() {
            let n = stream.read(&mut buffer).await?;
            ensure!(n > 0, "the echo peer closed");
            got += n;
        }
    }
    Ok(each(trips, before))
}

/// A log, and a user who answers every event at once.
struct Responder {
    log: Mutex<Log>,
    anchor: Instant,
    mailbox: OnceLock<Mailbox>,
    /// Round trips left, bytes of the current one.
    left: Mutex<(u64, usize)>,
    done: mpsc::Sender<()>,
}

impl Responder {
    /// Queues the next ping, or says that it was the last.
    fn answer(&self, n: usize) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.1 += n;
        if left.1 < PING.len() {
            return;
        }
        *left = (left.0 - 1, 0);
        let Some(mailbox) = self.mailbox.get().filter(|_| left.0 > 0) else {
            // There is room for the one thing ever said.
            self.done.try_send(()).ok();
            return;
        };
        mailbox.send(ping()).expect("one ping at a time always fits");
    }
}

impl Recorder for Responder {
    fn record(&self, stamp: Stamp, cause: &Cause, fact: Fact, payload: Option<&[u8]>) {
        let received = match &fact {
            Fact::Received(chunk) => Some(chunk.len as usize),
            _ => None,
        };
        let stored = payload.map_or(Stored::None, |bytes| Stored::Kept(Arc::from(bytes)));
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let tag = Tag {
            t_us: micros(stamp.at.duration_since(self.anchor)),
            took_us: stamp.took.map(micros),
            origin: cause.clone(),
            socket: Some(SocketId(1)),
            hidden: false,
        };
        self.log.lock().unwrap_or_else(PoisonError::into_inner).append(
            ShelfName::Conversation,
            tag,
            Entry::Fact(fact),
            stored,
        );
        if let Some(n) = received {
            self.answer(n);
        }
    }

    fn admit(&self, most: usize) -> usize {
        most
    }

    fn decline(&self, _granted: usize) {}

    fn room(&self) -> Wait {
        Box::pin(std::future::ready(()))
    }
}

fn ping() -> Outgoing {
    Outgoing { data: Arc::from(&PING[..]), to: None, cause: None }
}

async fn recorded(to: SocketAddr, trips: u64) -> Result<f64> {
    let stream = dial(to).await?;
    let (mailbox, inbox) = Mailbox::new();
    let (done, mut ended) = mpsc::channel(1);
    let anchor = Instant::now();
    let responder = Arc::new(Responder {
        log: Mutex::new(Log::new(LOG_BYTES, LogFull::Evict)),
        anchor,
        mailbox: OnceLock::from(mailbox.clone()),
        left: Mutex::new((trips, 0)),
        done,
    });
    let task =
        tokio::spawn(stream::run(stream, Options::default(), inbox, Arc::clone(&responder) as _, anchor));
    let before = clock(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    mailbox.send(ping())?;
    ended.recv().await.context("the socket ended early")?;
    let each = each(trips, before);
    mailbox.tell(Command::Close(None))?;
    task.await?;
    let head = responder.log.lock().unwrap_or_else(PoisonError::into_inner).head();
    ensure!(head > Seq(2 * trips), "every ping and pong is in the log");
    Ok(each)
}

async fn followed(to: SocketAddr, trips: u64) -> Result<f64> {
    let workspace = workspace(LOG_BYTES);
    let order = Order::new("bench".to_owned(), "bench");
    let request = OpenRequest { open: format!("tcp://{to}"), name: None, options: None };
    let socket = workspace.open(&order, &request).map_err(said)?.opened().await.map_err(said)?;
    let filter = Filter { socket: Some(socket.id), types: Some(vec!["received"]), ..Filter::default() };
    let (_, mut after) = workspace.bounds();
    let before = clock(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    for _ in 0..trips {
        workspace.send(&order, socket.id, PING.to_vec(), None).await.map_err(said)?;
        let mut got = 0;
        while got < PING.len() {
            let (n, next) = received(&workspace, &filter, after).await;
            got += n;
            after = next;
        }
    }
    let each = each(trips, before);
    workspace.shut_down().await;
    Ok(each)
}

/// Waits for bytes received after that seq: how many, and where to go on.
async fn received(workspace: &Workspace, filter: &Filter, after: Seq) -> (usize, Seq) {
    let limits = Limits::new(100, 1 << 20);
    loop {
        let news = workspace.news();
        tokio::pin!(news);
        // Registered before reading, so that an append in between is not missed.
        news.as_mut().enable();
        let slice = workspace.read(after, filter, limits).slice;
        let got = slice.records.iter().map(|record| match &record.payload {
            Stored::Kept(bytes) => bytes.len(),
            _ => 0,
        });
        match got.sum() {
            0 => news.await,
            n => return (n, slice.next),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn said(refused: sockscope::problem::Refused) -> anyhow::Error {
    anyhow::anyhow!("{}", serde_json::to_string(&refused).unwrap_or_default())
}
