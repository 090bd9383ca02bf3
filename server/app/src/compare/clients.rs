//! The clients of a comparison: one measured client a lane, and the crowds beside them.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::json;
use sockscope_wire::{Clock, Lane, Meter, MeterStarted};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::{
    Settings,
    crowd::{Crowd, CrowdSpec},
    delays::{Arrivals, Summary},
    lane::{Following, Told, follow},
    link::{ClockOffset, Http, PATIENCE, Place},
    predict::{Premises, segment_to},
    prices::{Empty, Prices, Reads},
    report::LaneReport,
    source::Source,
};

/// How often a meter is looked at until its connections are closed: nothing tells when they are.
const LOOK: Duration = Duration::from_millis(20);

/// One lane's measured client.
struct LaneRun {
    lane: Lane,
    meter: String,
    state: Arc<State>,
    crowd: Option<Crowd>,
    /// What connecting, or asking for nothing, had cost before the first message.
    base: Meter,
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

    /// Waits until it is so, or the lane broke.
    async fn until(&self, so: impl Fn(&Heard) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let heard = self.heard();
                if heard.error.is_some() || so(&heard) {
                    return;
                }
            }
            changed.await;
        }
    }
}

/// Every lane that runs.
pub(super) struct Lanes {
    each: Vec<LaneRun>,
    clients: JoinSet<()>,
    /// What an answer without events is, once it was measured.
    empty: Option<Empty>,
}

/// What a run was, for the report.
pub(super) struct Ran<'a> {
    pub(super) settings: &'a Settings,
    pub(super) server: IpAddr,
    pub(super) seconds: f64,
    /// When each message was sent.
    pub(super) sent: &'a [f64],
    pub(super) reads: Option<Reads>,
}

impl Lanes {
    pub(super) async fn start(
        http: &mut Http,
        place: &Place,
        settings: &Settings,
        source: &Source,
        clock: ClockOffset,
    ) -> anyhow::Result<Self> {
        let now: Clock = http.json(Method::GET, &Place::path("clock"), &()).await?;
        let mut lanes = Self { each: Vec::new(), clients: JoinSet::new(), empty: None };
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
            lanes.each.push(LaneRun { lane, meter: meter.id, state, crowd, base: Meter::default() });
        }
        Ok(lanes)
    }

    pub(super) async fn ready(&mut self) -> anyhow::Result<()> {
        let all = timeout(PATIENCE * 3, async {
            for lane in &mut self.each {
                lane.state.until(|heard| heard.ready).await;
                if let Some(error) = &lane.state.heard().error {
                    bail!("{error}");
                }
                if let Some(crowd) = &mut lane.crowd {
                    let clients = crowd.clients();
                    crowd.until(|report| report.ready + report.broken >= clients).await?;
                }
            }
            anyhow::Ok(())
        });
        all.await.context("not every lane could be connected in time")?
    }

    /// Reads what each lane has cost until now, which is before the first message; of long polls once every question has
    /// arrived. And asks once for nothing, to know what that costs.
    pub(super) async fn measure_base(
        &mut self,
        http: &mut Http,
        source: &Source,
        viewers: u32,
    ) -> anyhow::Result<()> {
        for lane in &mut self.each {
            let path = Place::path(&format!("meters/{}", lane.meter));
            let last = Instant::now() + PATIENCE;
            loop {
                lane.base = http.json(Method::GET, &path, &()).await?;
                if lane.base.requests >= u64::from(viewers) || Instant::now() >= last {
                    break;
                }
                sleep(LOOK).await;
            }
        }
        let meter: MeterStarted = http.json(Method::POST, &Place::path("meters"), &json!({})).await?;
        let path = format!("events?after=head&socket={}&meter={}", source.socket, meter.id);
        http.whole(Method::GET, &Place::path(&path), &()).await?;
        let path = Place::path(&format!("meters/{}", meter.id));
        let asked: Meter = http.json(Method::GET, &path, &()).await?;
        http.whole(Method::DELETE, &path, &()).await?;
        self.empty = Some(Empty { whole: asked.bytes_down as f64, body: asked.body_down as f64 });
        Ok(())
    }

    /// Waits until every client of every lane has met the end of the stream, or broke.
    pub(super) async fn ended(&mut self) {
        for lane in &mut self.each {
            lane.state.until(|heard| heard.end.is_some()).await;
            if let Some(crowd) = &mut lane.crowd {
                let clients = crowd.clients();
                // A crowd whose process has ended is over, too; its report says what it had.
                crowd.until(|report| report.complete + report.broken >= clients).await.ok();
            }
        }
    }

    /// Ends every client, and reads the meters once their connections are closed. A lane whose meter cannot be read any
    /// more is incomplete, and says why.
    pub(super) async fn stop(mut self, http: &mut Http, ran: &Ran<'_>) -> Vec<LaneReport> {
        let Ran { settings, seconds, sent, .. } = *ran;
        let segment = segment_to(ran.server);
        // An end of ours is no error of the lane's.
        let errors: Vec<_> = self.each.iter().map(|lane| lane.state.heard().error.clone()).collect();
        self.clients.shutdown().await;
        let mut reports = Vec::new();
        for (lane, error) in self.each.into_iter().zip(errors) {
            let others = lane.crowd.as_ref().map(Crowd::report);
            if let Some(crowd) = lane.crowd {
                crowd.end().await;
            }
            let (meter, unread) = match closed(http, &lane.meter).await {
                Ok(meter) => (meter, None),
                Err(error) => (Meter::default(), Some(format!("its meter cannot be read: {error:#}"))),
            };
            let error = error.or(unread);
            let heard = lane.state.heard();
            let delay = Summary::of(heard.arrivals.delays_ms(sent));
            let events = heard.arrivals.messages();
            let whole = heard.arrivals.is_whole() && heard.end == Some(heard.arrivals.covered());
            let everybody = u64::from(settings.viewers);
            let had = events + others.map_or(0, |others| others.messages);
            let complete = error.is_none()
                && whole
                && others.is_none_or(|others| u64::from(others.complete) + 1 == everybody);
            let premises = Premises { settings, seconds, messages: events as f64, segment };
            let bill = self.empty.zip(ran.reads.as_ref());
            let prices = bill.map(|(empty, reads)| Prices::of(lane.lane, &lane.base, empty, reads));
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
                error,
                predicted: Some(premises.predict(lane.lane, &meter, delay.as_ref(), prices.as_ref())),
                delay_ms: delay,
                segments: meter.segments,
                cpu_us: meter.cpu_us,
                connections: meter.connections,
            });
        }
        reports
    }
}

/// A meter's figures, once the server has seen its connections close: closing takes a moment.
async fn closed(http: &mut Http, id: &str) -> anyhow::Result<Meter> {
    let path = Place::path(&format!("meters/{id}"));
    let last = Instant::now() + PATIENCE;
    loop {
        let meter: Meter = http.json(Method::GET, &path, &()).await?;
        if meter.open_connections == 0 || Instant::now() >= last {
            // It was ours; on a server that goes on, nobody else would take it away.
            http.whole(Method::DELETE, &path, &()).await?;
            return Ok(meter);
        }
        sleep(LOOK).await;
    }
}
