//! Crowds: many clients of one lane in a process of their own, started, looked at and ended.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::State;
use http::StatusCode;
use sockscope_wire::{Code, CrowdReport, CrowdRequest, CrowdStarted};
use tokio::{sync::oneshot, task::AbortHandle, time::sleep};

use crate::http::{
    App,
    answer::{Answer, No, done, json, ok},
    request::{Ask, IdNamed, Json, OfEpoch, Room, same_epoch},
};
use crate::{
    compare::{Crowd, CrowdSpec, Following, MOST, Place},
    problem::{Refused, Saying as _, problem},
};

/// After how long a crowd that nobody ended ends: whoever started it has left.
const LIFE: Duration = Duration::from_secs(600);

/// Crowds at the same time: one a lane.
const CROWDS: usize = 4;

/// Connections left to everybody else.
const SPARE: usize = 16;

/// Every crowd that runs.
#[derive(Default)]
pub struct Crowds(Mutex<List>);

#[derive(Default)]
struct List {
    next: u64,
    running: BTreeMap<u64, Running>,
    /// Crowds that are being started, and the clients they will have.
    starting: usize,
    expected: usize,
}

struct Running {
    crowd: Crowd,
    /// Ends it when its time is over.
    life: AbortHandle,
}

impl Crowds {
    fn list(&self) -> MutexGuard<'_, List> {
        // A list of processes: a panic while it was held left it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove(&self, number: u64) -> Option<Crowd> {
        let Running { crowd, life } = self.list().running.remove(&number)?;
        life.abort();
        Some(crowd)
    }
}

fn number(id: &str) -> Option<u64> {
    let number = id.strip_prefix('n')?.parse().ok()?;
    (id == name(number)).then_some(number)
}

fn name(number: u64) -> String {
    format!("n{number}")
}

/// Connections and a place kept for a crowd until it is in the list, whatever becomes of starting it.
struct Kept {
    app: App,
    clients: usize,
}

impl Kept {
    fn of(app: &App, clients: usize) -> Result<Self, Refused> {
        let mut list = app.crowds.list();
        // Clients that are connected are among the open connections; the others will be.
        let coming = |running: &Running| (running.crowd.clients() - running.crowd.report().ready) as usize;
        let coming: usize = list.running.values().map(coming).sum();
        let open = usize::try_from(app.traffic.open()).unwrap_or(usize::MAX);
        let taken = open.saturating_add(coming + list.expected);
        let free = app.max_connections.saturating_sub(taken.saturating_add(SPARE));
        if list.running.len() + list.starting >= CROWDS || clients > free {
            let refused = problem(Code::TooManyClients, "end another crowd, or raise --max-connections");
            return Err(refused.with("free", free).with("max", app.max_connections).with("crowds", CROWDS));
        }
        list.starting += 1;
        list.expected += clients;
        drop(list);
        Ok(Self { app: app.clone(), clients })
    }

    /// Starts the crowd and puts it into the list.
    async fn start(self, spec: &CrowdSpec) -> Result<u64, Refused> {
        let crowd = Crowd::start(spec).await.map_err(|error| {
            tracing::warn!(%error, "a crowd could not be started");
            problem(Code::Internal, "no further process could be started")
        })?;
        let app = self.app.clone();
        let mut list = self.app.crowds.list();
        list.next += 1;
        let number = list.next;
        let life = tokio::spawn(async move {
            tokio::select! {
                () = sleep(LIFE) => {}
                () = app.ending.cancelled() => {}
            }
            let over = app.crowds.list().running.remove(&number);
            if let Some(Running { crowd, .. }) = over {
                crowd.end().await;
            }
        });
        list.running.insert(number, Running { crowd, life: life.abort_handle() });
        Ok(number)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut list = self.app.crowds.list();
        list.starting -= 1;
        list.expected -= self.clients;
    }
}

/// Starts one. In a task of its own: a client that leaves meanwhile gets no crowd, and leaves none behind.
pub(in crate::http) async fn start(
    State(app): State<App>,
    room: Room,
    Json(request): Json<CrowdRequest>,
) -> Answer {
    let spec = spec(&app, &room, request)?;
    let kept = Kept::of(&app, spec.clients as usize)?;
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let started = kept.start(&spec).await;
        if let Err(Ok(number)) = tell.send(started)
            && let Some(crowd) = app.crowds.remove(number)
        {
            crowd.end().await;
        }
    });
    let number = told.await.unwrap_or_else(|_| Err(problem(Code::Internal, "starting it was given up")))?;
    Ok(json(StatusCode::CREATED, &CrowdStarted { id: name(number) }))
}

fn spec(app: &App, room: &Room, request: CrowdRequest) -> Result<CrowdSpec, Refused> {
    let CrowdRequest { lane, clients, socket, after, message, poll_interval_ms, meter } = request;
    let interval = poll_interval_ms.unwrap_or(1000);
    for (field, value, min, max) in [
        ("clients", clients, 1, MOST),
        ("message", message, 16, 65_536),
        ("poll_interval_ms", interval, 10, 60_000),
    ] {
        if !(min..=max).contains(&value) {
            let refused = problem(Code::InvalidCrowd, format!("{field} is {min} to {max}"));
            return Err(refused.with("field", field).with("min", min).with("max", max));
        }
    }
    room.workspace.socket(socket)?;
    if let Some(id) = &meter
        && app.meters.get(id).is_none()
    {
        return Err(problem(Code::UnknownMeter, id));
    }
    let token = app.auth.token().map(str::to_owned);
    let place = Place { address: reachable(app.address), token };
    let poll_interval = Duration::from_millis(u64::from(interval));
    let following = Following { place, lane, socket, after, meter, poll_interval };
    Ok(CrowdSpec { following, clients, message: u64::from(message) })
}

/// Our own address as a client on this machine reaches it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn unknown(id: &str) -> No {
    No(problem(Code::UnknownCrowd, id))
}

/// How it is.
pub(in crate::http) async fn one(State(app): State<App>, _: Room, IdNamed(id): IdNamed) -> Answer {
    let report = |number| -> Option<CrowdReport> {
        app.crowds.list().running.get(&number).map(|running| running.crowd.report())
    };
    ok(&number(&id).and_then(report).ok_or_else(|| unknown(&id))?)
}

/// Ends it.
pub(in crate::http) async fn stop(
    State(app): State<App>,
    room: Room,
    IdNamed(id): IdNamed,
    Ask(of): Ask<OfEpoch>,
) -> Answer {
    same_epoch(&room.workspace, of.epoch.as_deref())?;
    let crowd = number(&id).and_then(|number| app.crowds.remove(number)).ok_or_else(|| unknown(&id))?;
    crowd.end().await;
    done()
}
