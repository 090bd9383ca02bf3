//! Many clients of one lane, in a process of their own: their work is not the server's.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sockscope_wire::CrowdReport;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{ChildStdin, Command},
    sync::watch,
    task::JoinSet,
    time::interval,
};

use super::{
    delays::Arrivals,
    lane::{Following, Told, follow},
};

/// The most clients one crowd has.
pub const MOST: u32 = 1000;

/// How often a crowd says how it is.
const REPORT: Duration = Duration::from_millis(200);

/// Clients that connect at the same time: more would fill the server's queue of connections.
const AT_ONCE: usize = 64;

/// What a crowd is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CrowdSpec {
    /// What each of them follows.
    pub following: Following,
    /// How many.
    pub clients: u32,
    /// Bytes of one message.
    pub message: u64,
}

/// A running crowd; its process ends with this.
pub struct Crowd {
    clients: u32,
    report: watch::Receiver<CrowdReport>,
    /// Its end is how the process knows that it is over.
    input: ChildStdin,
    /// Hears what the process says, and reaps it. Dropped before that, it kills it.
    hearing: JoinSet<()>,
}

impl Crowd {
    /// Starts the process.
    ///
    /// # Errors
    /// When there can be no further process.
    pub async fn start(spec: &CrowdSpec) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program cannot be found again")?;
        let mut child = Command::new(program)
            .arg("crowd")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context("no further process can be started")?;
        // On standard input, since a command line is public: it holds the token.
        let mut input = child.stdin.take().context("its input was asked for")?;
        input.write_all(format!("{}\n", serde_json::to_string(spec)?).as_bytes()).await?;
        let output = child.stdout.take().context("its output was asked for")?;
        let (told, report) = watch::channel(CrowdReport::default());
        let clients = spec.clients;
        let mut hearing = JoinSet::new();
        hearing.spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(report) = serde_json::from_str(&line) {
                    told.send_replace(report);
                }
            }
            if let Err(error) = child.wait().await {
                tracing::warn!(%error, "the process of a crowd could not be waited for");
            }
            // Whoever had not everything by then will never have it.
            told.send_modify(|report| report.broken = clients - report.complete.min(clients));
        });
        Ok(Self { clients, report, input, hearing })
    }

    /// How many clients it has.
    #[must_use]
    pub fn clients(&self) -> u32 {
        self.clients
    }

    /// How it is.
    #[must_use]
    pub fn report(&self) -> CrowdReport {
        *self.report.borrow()
    }

    /// Waits until it is so.
    ///
    /// # Errors
    /// When its process ends before.
    pub async fn until(&mut self, so: impl FnMut(&CrowdReport) -> bool) -> anyhow::Result<CrowdReport> {
        self.report.wait_for(so).await.map(|report| *report).context("the crowd's process has ended")
    }

    /// Ends it.
    pub async fn end(self) {
        let Self { input, mut hearing, .. } = self;
        drop(input);
        // It ends by itself once its input has; if not, dropping what hears it kills it.
        tokio::time::timeout(Duration::from_secs(1), hearing.join_next()).await.ok();
    }
}

/// The process of a crowd: reads what it is to do, does it until its input ends, and says how it is.
///
/// # Errors
/// When what it is to do is not understood, or nobody hears it any more.
pub async fn serve() -> anyhow::Result<()> {
    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = String::new();
    input.read_line(&mut line).await?;
    let spec: CrowdSpec = serde_json::from_str(&line).context("what to do is not understood")?;
    let report = Arc::new(Mutex::new(CrowdReport::default()));
    let connecting = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
    let mut clients = JoinSet::new();
    for _ in 0..spec.clients.min(MOST) {
        let (spec, report, connecting) = (spec.clone(), Arc::clone(&report), Arc::clone(&connecting));
        clients.spawn(async move {
            let mut turn = connecting.acquire_owned().await.ok();
            let mut client = Client { arrivals: Arrivals::new(spec.message), report: &report, over: false };
            let broke = follow(&spec.following, &mut |told| {
                turn.take();
                client.hear(told);
            })
            .await;
            if broke.is_err() {
                client.end(false);
            }
        });
    }
    let mut pace = interval(REPORT);
    let mut rest = [0; 64];
    loop {
        tokio::select! {
            _ = pace.tick() => {
                let report = *report.lock().unwrap_or_else(PoisonError::into_inner);
                let mut line = serde_json::to_vec(&report)?;
                line.push(b'\n');
                let mut out = tokio::io::stdout();
                out.write_all(&line).await?;
                out.flush().await?;
            }
            read = input.read(&mut rest) => {
                if read? == 0 {
                    return Ok(());
                }
            }
        }
    }
}

/// One of them.
struct Client<'a> {
    arrivals: Arrivals,
    report: &'a Mutex<CrowdReport>,
    over: bool,
}

impl Client<'_> {
    fn hear(&mut self, told: Told) {
        match told {
            Told::Ready => self.report.lock().unwrap_or_else(PoisonError::into_inner).ready += 1,
            Told::Bytes { offset, len, .. } => {
                let before = self.arrivals.messages();
                self.arrivals.bytes(offset, len, 0.0);
                let new = self.arrivals.messages() - before;
                self.report.lock().unwrap_or_else(PoisonError::into_inner).messages += new;
            }
            Told::Lost => self.arrivals.lost(),
            Told::End(total) => {
                let whole = self.arrivals.is_whole() && self.arrivals.covered() == total;
                self.end(whole);
            }
        }
    }

    fn end(&mut self, complete: bool) {
        if !std::mem::replace(&mut self.over, true) {
            let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
            if complete {
                report.complete += 1;
            } else {
                report.broken += 1;
            }
        }
    }
}
