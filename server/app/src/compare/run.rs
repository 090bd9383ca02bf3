//! One comparison: a server of its own, a source, four lanes at the same time.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::json;
use sockscope_wire::{
    Arrivals as Spread, Clock, Fact, Lane, Meter, MeterStarted, Page, PeerKind, PracticeRequest,
    PracticeStarted, Seq, Socket, SocketId, TickerSettings,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    Settings,
    crowd::{Crowd, CrowdSpec},
    delays::{Arrivals, Summary},
    lane::{Following, Told, follow},
    link::{ClockOffset, Http, PATIENCE, Place},
    report::{LaneReport, Predicted, Report},
};

/// How long lanes have to bring the end after the source has ended, beside one poll interval.
const GRACE: Duration = Duration::from_secs(10);

/// How often a meter is looked at until its connections are closed: nothing tells when they are.
const LOOK: Duration = Duration::from_millis(20);

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
    let source = Source::start(&mut http, settings).await?;
    let clock = ClockOffset::measure(&mut http).await?;
    let mut lanes = Lanes::start(&mut http, place, settings, &source, clock).await?;
    lanes.ready().await?;

    let begun = Instant::now();
    let go = Place::path(&format!("sockets/{}/send", source.socket));
    http.whole(Method::POST, &go, &json!({ "text": "go" })).await?;
    let last = begun + Duration::from_secs_f64(settings.seconds + settings.poll_interval) + GRACE;
    let ended = timeout_at(last, lanes.ended()).await;
    let seconds = begun.elapsed().as_secs_f64();

    let (sent, read) = source.told(&mut http, settings.payload).await?;
    let mut report = Report {
        settings: settings.clone(),
        seconds,
        sent: sent.len() as u64,
        clock_uncertainty_ms: clock.uncertainty_us / 1000.0,
        reference: Summary::of(read.delays_ms(&sent)),
        lanes: Vec::new(),
        complete: ended.is_ok_and(|ended| ended.is_ok()),
    };
    for lane in lanes.stop(&mut http, settings, seconds, &sent).await? {
        report.complete &= lane.complete;
        report.lanes.push(lane);
    }
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
            .args(["serve", "--with-parent", "--listen", "127.0.0.1:0", "--max-connections", &connections])
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

/// The ticker, the socket that reads it, and the ticker's end of that connection.
struct Source {
    socket: SocketId,
    ticker: SocketId,
}

impl Source {
    async fn start(http: &mut Http, settings: &Settings) -> anyhow::Result<Self> {
        let request = PracticeRequest {
            peer: PeerKind::Ticker,
            ticker: Some(TickerSettings {
                rate: Some(settings.rate),
                payload: Some(settings.payload),
                arrivals: Some(if settings.regular { Spread::Regular } else { Spread::Poisson }),
                seconds: Some(settings.seconds),
                hold: true,
            }),
            middlebox: None,
        };
        let started: PracticeStarted = http.json(Method::POST, &Place::path("practice"), &request).await?;
        let open = json!({ "open": started.target, "name": "the source" });
        let socket: Socket = http.json(Method::POST, &Place::path("sockets"), &open).await?;
        let accepted = timeout(PATIENCE, async {
            loop {
                let path = Place::path(&format!("events?socket={}&type=accepted&wait=1", started.id));
                let page: Page = http.json(Method::GET, &path, &()).await?;
                if let Some(Fact::Accepted { child, .. }) = page.events.first().map(|event| &event.fact) {
                    return anyhow::Ok(*child);
                }
            }
        });
        let ticker = accepted.await.context("the ticker did not accept")??;
        Ok(Self { socket: socket.id, ticker })
    }

    /// When each message was sent, on the server's clock in µs, and when the server had read it from its socket.
    async fn told(&self, http: &mut Http, payload: u32) -> anyhow::Result<(Vec<f64>, Arrivals)> {
        let mut sent = Vec::new();
        let mut bytes = 0;
        each(http, self.ticker, "sent", |event| {
            if let Fact::Sent { len, .. } = event.fact {
                // A message is sent when the call that carries its first byte is entered.
                let entered = event.t_us - event.took_us.unwrap_or(0);
                if bytes % u64::from(payload) == 0 {
                    sent.push(entered as f64);
                }
                bytes += u64::from(len);
            }
        })
        .await?;
        let mut read = Arrivals::new(u64::from(payload));
        each(http, self.socket, "received", |event| {
            if let Fact::Received { len, offset: Some(offset), .. } = event.fact {
                read.bytes(offset, u64::from(len), event.t_us as f64);
            }
        })
        .await?;
        Ok((sent, read))
    }
}

/// Every event of a type of a socket.
async fn each(
    http: &mut Http,
    socket: SocketId,
    kind: &str,
    mut take: impl FnMut(sockscope_wire::Event),
) -> anyhow::Result<()> {
    let mut after = Seq(0);
    loop {
        let query = format!("events?after={after}&socket={socket}&type={kind}&limit=10000&payload=none");
        let page: Page = http.json(Method::GET, &Place::path(&query), &()).await?;
        page.events.into_iter().for_each(&mut take);
        after = page.next;
        if page.next >= page.head {
            return Ok(());
        }
    }
}

/// One lane's measured client.
struct LaneRun {
    lane: Lane,
    meter: String,
    state: Arc<State>,
    crowd: Option<Crowd>,
}

struct State {
    heard: Mutex<Heard>,
    changed: Notify,
}

struct Heard {
    arrivals: Arrivals,
    ready: bool,
    /// The stream ended after so many bytes.
    end: Option<u64>,
    /// The lane broke.
    error: Option<String>,
}

impl State {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        // What was heard is added whole: a panic leaves nothing half said.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, clock: ClockOffset, told: Told) {
        let mut heard = self.heard();
        match told {
            Told::Ready => heard.ready = true,
            Told::Bytes { offset, len, at, read_us: _ } => heard.arrivals.bytes(offset, len, clock.there(at)),
            Told::End(total) => heard.end = Some(total),
            Told::Lost => heard.arrivals.lost(),
        }
        drop(heard);
        self.changed.notify_waiters();
    }

    async fn until(&self, so: impl Fn(&Heard) -> bool) -> anyhow::Result<()> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let heard = self.heard();
                if let Some(error) = &heard.error {
                    bail!("{error}");
                }
                if so(&heard) {
                    return Ok(());
                }
            }
            changed.await;
        }
    }
}

struct Lanes {
    each: Vec<LaneRun>,
    clients: JoinSet<()>,
}

impl Lanes {
    async fn start(
        http: &mut Http,
        place: &Place,
        settings: &Settings,
        source: &Source,
        clock: ClockOffset,
    ) -> anyhow::Result<Self> {
        let now: Clock = http.json(Method::GET, &Place::path("clock"), &()).await?;
        let mut lanes = Self { each: Vec::new(), clients: JoinSet::new() };
        for lane in settings.chosen() {
            let meter: MeterStarted = http.json(Method::POST, &Place::path("meters"), &json!({})).await?;
            let following = Following {
                place: place.clone(),
                lane,
                socket: source.socket,
                after: now.head,
                meter: Some(meter.id.clone()),
                poll_interval: Duration::from_secs_f64(settings.poll_interval),
            };
            let message = u64::from(settings.payload);
            let heard = Heard { arrivals: Arrivals::new(message), ready: false, end: None, error: None };
            let state = Arc::new(State { heard: Mutex::new(heard), changed: Notify::new() });
            let crowd = match settings.viewers - 1 {
                0 => None,
                clients => {
                    Some(Crowd::start(&CrowdSpec { following: following.clone(), clients, message }).await?)
                }
            };
            let client = Arc::clone(&state);
            lanes.clients.spawn(async move {
                let over = follow(&following, &mut |told| client.take(clock, told)).await;
                client.heard().error = Some(match over {
                    Ok(()) => "the lane ended".to_owned(),
                    Err(error) => format!("{}: {error:#}", lane.as_str()),
                });
                client.changed.notify_waiters();
            });
            lanes.each.push(LaneRun { lane, meter: meter.id, state, crowd });
        }
        Ok(lanes)
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        let all = timeout(PATIENCE * 3, async {
            for lane in &mut self.each {
                lane.state.until(|heard| heard.ready).await?;
                if let Some(crowd) = &mut lane.crowd {
                    let clients = crowd.clients();
                    crowd.until(|report| report.ready + report.broken >= clients).await?;
                }
            }
            anyhow::Ok(())
        });
        all.await.context("not every lane could be connected in time")?
    }

    async fn ended(&mut self) -> anyhow::Result<()> {
        for lane in &mut self.each {
            lane.state.until(|heard| heard.end.is_some()).await?;
            if let Some(crowd) = &mut lane.crowd {
                let clients = crowd.clients();
                crowd.until(|report| report.complete + report.broken >= clients).await?;
            }
        }
        Ok(())
    }

    /// Ends every client, and reads the meters once their connections are closed.
    async fn stop(
        mut self,
        http: &mut Http,
        settings: &Settings,
        seconds: f64,
        sent: &[f64],
    ) -> anyhow::Result<Vec<LaneReport>> {
        self.clients.shutdown().await;
        let mut reports = Vec::new();
        for lane in self.each {
            let others = lane.crowd.as_ref().map(Crowd::report);
            if let Some(crowd) = lane.crowd {
                crowd.end().await;
            }
            let meter = closed(http, &lane.meter).await?;
            let heard = lane.state.heard();
            let delay = Summary::of(heard.arrivals.delays_ms(sent));
            let events = heard.arrivals.messages();
            let whole = heard.arrivals.is_whole() && heard.end == Some(heard.arrivals.covered());
            let everybody = u64::from(settings.viewers);
            let had = events + others.map_or(0, |others| others.messages);
            let complete = whole && others.is_none_or(|others| u64::from(others.complete) + 1 == everybody);
            reports.push(LaneReport {
                name: lane.lane,
                requests: meter.requests,
                empty_requests: meter.empty_requests,
                full_requests: meter.full_requests,
                bytes_up: meter.bytes_up,
                bytes_down: meter.bytes_down,
                body_down: meter.body_down,
                events,
                missing: (sent.len() as u64 * everybody).saturating_sub(had),
                complete,
                predicted: Predicted::of(lane.lane, settings, seconds, &meter, delay.as_ref()),
                delay_ms: delay,
                segments: meter.segments,
                cpu_us: meter.cpu_us,
                connections: meter.connections,
            });
        }
        Ok(reports)
    }
}

/// A meter's figures, once the server has seen its connections close: closing takes a moment.
async fn closed(http: &mut Http, id: &str) -> anyhow::Result<Meter> {
    let path = Place::path(&format!("meters/{id}"));
    let last = Instant::now() + PATIENCE;
    loop {
        let meter: Meter = http.json(Method::GET, &path, &()).await?;
        if meter.open_connections == 0 || Instant::now() >= last {
            return Ok(meter);
        }
        sleep(LOOK).await;
    }
}
