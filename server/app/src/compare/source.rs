//! The source of a comparison: a held ticker, the socket that reads it, and what both say in the log while it runs.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use http::Method;
use serde_json::json;
use sockscope_wire::{
    Arrivals as Spread, Event, Fact, Page, PeerKind, PracticeRequest, PracticeStarted, Seq, Socket, SocketId,
    TickerSettings,
};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    Settings,
    delays::Arrivals,
    link::{Http, PATIENCE, Place},
    prices::Reads,
};

/// How often the log is read while the source runs: often enough that a full log has not given it up yet.
const LOOK: Duration = Duration::from_millis(250);

/// How much earlier than asked a source may end: its clock ticks in milliseconds, and its end has to be recorded.
const EARLY_US: f64 = 100_000.0;

/// The ticker and the socket that reads it.
pub(super) struct Source {
    /// Reads the ticker.
    pub(super) socket: SocketId,
    ticker: SocketId,
    listener: SocketId,
    told: Arc<Mutex<Told>>,
    /// Reads the log; ends with this.
    looking: JoinSet<()>,
}

/// What the log has said.
#[derive(Clone)]
pub(super) struct Told {
    message: u64,
    seconds: f64,
    /// When each message was sent: the call that carries its first byte was entered, on the server's clock in µs.
    pub(super) sent_us: Vec<f64>,
    /// When the server had read each from its socket.
    pub(super) read: Arrivals,
    /// How often that was, and the first and the last of these events.
    reads: u64,
    between: Option<(Seq, Seq)>,
    /// When the ticker heard that it may begin, and when it closed.
    began_us: Option<u64>,
    closed_us: Option<u64>,
    /// Some of it was given up before it was read, or could not be read any more.
    lost: bool,
}

impl Source {
    pub(super) async fn start(http: &mut Http, place: &Place, settings: &Settings) -> anyhow::Result<Self> {
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
        let message = u64::from(settings.payload);
        let told = Arc::new(Mutex::new(Told {
            message,
            seconds: settings.seconds,
            sent_us: Vec::new(),
            read: Arrivals::new(message),
            reads: 0,
            between: None,
            began_us: None,
            closed_us: None,
            lost: false,
        }));
        let mut source =
            Self { socket: socket.id, ticker, listener: started.id, told, looking: JoinSet::new() };
        let (telling, place) = (Arc::clone(&source.told), place.clone());
        let (ticker, socket) = (source.ticker, source.socket);
        source.looking.spawn(async move {
            if let Err(error) = look(&place, ticker, socket, &telling).await {
                tracing::debug!(%error, "the source's log cannot be read any more");
                lock(&telling).lost = true;
            }
        });
        Ok(source)
    }

    /// What the log says in the end. Waits until the ticker has closed, but not for long.
    pub(super) async fn told(&mut self) -> Told {
        timeout(PATIENCE, self.looking.join_next()).await.ok();
        self.looking.shutdown().await;
        lock(&self.told).clone()
    }

    /// How it was read, with one of these events from the middle: its numbers have about as many digits as most have.
    /// Nothing where there is none, or it cannot be had any more.
    pub(super) async fn reads(&self, http: &mut Http, told: &Told) -> Option<Reads> {
        let (Seq(first), Seq(last)) = told.between?;
        let after = (first + last) / 2 - 1;
        let query = format!("events?after={after}&socket={}&type=received&limit=1", self.socket);
        let page: Page = http.json(Method::GET, &Place::path(&query), &()).await.ok()?;
        let (count, bytes) = (told.reads, told.read.covered());
        Some(Reads { count, bytes, sample: page.events.into_iter().next()?, epoch: page.epoch })
    }

    /// Takes away what it started. Best effort: the server may be gone, or end with this anyway.
    pub(super) async fn end(self, http: &mut Http) {
        for path in [
            format!("practice/{}", self.listener),
            format!("sockets/{}", self.socket),
            // Closed by the first, gone from the list by the second.
            format!("sockets/{}", self.socket),
        ] {
            if let Err(error) = http.whole(Method::DELETE, &Place::path(&path), &()).await {
                tracing::debug!(%error, path, "could not be taken away");
            }
        }
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    // Events are taken whole: a panic leaves none half told.
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Told {
    /// The source did what it was asked to, to its end, and all of it is known.
    pub(super) fn is_whole(&self) -> bool {
        let lived = match (self.began_us, self.closed_us) {
            (Some(began), Some(closed)) => closed as f64 - began as f64,
            _ => return false,
        };
        let read = self.read.is_whole() && self.read.messages() == self.sent_us.len() as u64;
        !self.lost && read && lived + EARLY_US >= self.seconds * 1e6
    }

    fn of_ticker(&mut self, event: &Event) {
        match event.fact {
            Fact::Received { .. } => self.began_us = self.began_us.or(Some(event.t_us)),
            Fact::Closed { .. } => self.closed_us = Some(event.t_us),
            Fact::Sent { len, offset: Some(offset), .. } => {
                let entered = event.t_us.saturating_sub(event.took_us.unwrap_or(0));
                let end = offset + u64::from(len);
                // The messages whose first byte this call carried.
                while (self.sent_us.len() as u64) * self.message < end {
                    if (self.sent_us.len() as u64) * self.message < offset {
                        self.lost = true;
                    }
                    self.sent_us.push(entered as f64);
                }
            }
            _ => {}
        }
    }
}

/// Reads what both say until the ticker has closed and everything before that is read.
async fn look(place: &Place, ticker: SocketId, socket: SocketId, told: &Mutex<Told>) -> anyhow::Result<()> {
    let mut http = Http::new(place);
    let (mut of_ticker, mut of_socket) = (Seq(0), Seq(0));
    let mut pace = interval(LOOK);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let over = lock(told).closed_us.is_some();
        let types = "sent,received,closed";
        each(&mut http, ticker, types, &mut of_ticker, told, Told::of_ticker).await?;
        each(&mut http, socket, "received", &mut of_socket, told, |told, event| {
            if let Fact::Received { len, offset: Some(offset), .. } = event.fact {
                told.read.bytes(offset, u64::from(len), event.t_us as f64);
                told.reads += 1;
                told.between = Some((told.between.map_or(event.seq, |(first, _)| first), event.seq));
            }
        })
        .await?;
        // Once more after its end, since the socket reads what was on its way.
        if over {
            return Ok(());
        }
    }
}

/// Every event of these types of a socket since the last look.
async fn each(
    http: &mut Http,
    socket: SocketId,
    types: &str,
    after: &mut Seq,
    told: &Mutex<Told>,
    mut take: impl FnMut(&mut Told, &Event),
) -> anyhow::Result<()> {
    loop {
        let query = format!("events?after={after}&socket={socket}&type={types}&limit=10000&payload=none");
        let page: Page = http.json(Method::GET, &Place::path(&query), &()).await?;
        let mut told = lock(told);
        // A gap may be of others on the same stretch; a hole in the offsets tells for certain.
        page.events.iter().for_each(|event| take(&mut told, event));
        *after = page.next;
        if page.next >= page.head {
            return Ok(());
        }
    }
}
