//! One comparison: a server of its own, a source, four lanes at the same time.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, timeout, timeout_at},
};

use super::{
    Settings,
    clients::{Lanes, Ran},
    delays::Summary,
    link::{ClockOffset, Http, PATIENCE, Place},
    report::Report,
    source::Source,
};

/// How long lanes have to bring the end after the source has ended, beside one poll interval.
const GRACE: Duration = Duration::from_secs(10);

/// Runs one.
///
/// # Errors
/// When something cannot be started. What breaks on the way makes the report incomplete instead.
pub async fn run(settings: &Settings) -> anyhow::Result<Report> {
    let server = match settings.server {
        Some(address) => {
            let token = std::env::var("SOCKSCOPE_TOKEN").ok().filter(|token| !token.is_empty());
            Measured::Running(Place { address, token })
        }
        None => Measured::Own(OwnServer::start(settings).await?),
    };
    let place = server.place();
    let mut http = Http::new(place);
    let mut source = Source::start(&mut http, place, settings).await?;
    let clock = ClockOffset::measure(&mut http).await?;
    let mut lanes = Lanes::start(&mut http, place, settings, &source, clock).await?;
    lanes.ready().await?;
    lanes.measure_base(&mut http, &source, settings.viewers).await?;

    let begun = Instant::now();
    let go = Place::path(&format!("sockets/{}/send", source.socket));
    http.whole(Method::POST, &go, &json!({ "text": "go" })).await?;
    let last = begun + Duration::from_secs_f64(settings.seconds + settings.poll_interval) + GRACE;
    let ended = timeout_at(last, lanes.ended()).await;
    let seconds = begun.elapsed().as_secs_f64();

    // From here on nothing fails: what was measured is told, and whether it is all.
    let told = source.told().await;
    let reads = source.reads(&mut http, &told).await;
    let ran = Ran { settings, server: place.address.ip(), seconds, sent: &told.sent_us, reads };
    let mut report = Report {
        settings: settings.clone(),
        seconds,
        sent: told.sent_us.len() as u64,
        clock_uncertainty_ms: clock.uncertainty_us / 1000.0,
        reference: Summary::of(told.read.delays_ms(&told.sent_us)),
        lanes: lanes.stop(&mut http, &ran).await,
        complete: ended.is_ok() && told.is_whole(),
    };
    report.complete &= report.lanes.iter().all(|lane| lane.complete);
    if !report.complete {
        // What did not run as it was set can be held against nothing.
        report.lanes.iter_mut().for_each(|lane| lane.predicted = None);
    }
    source.end(&mut http).await;
    Ok(report)
}

/// The server that is measured.
enum Measured {
    Own(OwnServer),
    Running(Place),
}

impl Measured {
    fn place(&self) -> &Place {
        match self {
            Self::Own(server) => &server.place,
            Self::Running(place) => place,
        }
    }
}

/// A server in a process of its own, so that its CPU time is its alone.
struct OwnServer {
    place: Place,
    /// Killed when this is dropped.
    _child: Child,
}

impl OwnServer {
    async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let token = crate::secret::random_secret();
        let connections = (settings.viewers as usize * settings.chosen().len() + 64).to_string();
        let program = std::env::current_exe().context("this program cannot be found again")?;
        let mut child = Command::new(program)
            .args(["serve", "--with-parent", &std::process::id().to_string()])
            .args(["--listen", "127.0.0.1:0", "--max-connections", &connections])
            .env_clear()
            .env("SOCKSCOPE_TOKEN", &token)
            .env("SOCKSCOPE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context("no further process can be started")?;
        let output = child.stdout.take().context("its output was asked for")?;
        let mut lines = BufReader::new(output).lines();
        let address = timeout(PATIENCE, async {
            while let Some(line) = lines.next_line().await? {
                if let Some(rest) = line.strip_prefix("http://") {
                    let host = rest.split('/').next().unwrap_or_default();
                    return host.parse().with_context(|| format!("no address: {line}"));
                }
            }
            bail!("the server ended before it listened")
        });
        let address = address.await.context("the server did not start in time")??;
        Ok(Self { place: Place { address, token: Some(token) }, _child: child })
    }
}
