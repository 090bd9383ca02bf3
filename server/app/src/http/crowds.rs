//! Crowds: many clients of one lane in a process of their own, started, looked at and ended.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::extract::State;
use http::StatusCode;
use sockscope_wire::{Code, CrowdRequest, CrowdStarted};
use tokio::time::sleep;

use super::{
    App,
    answer::{Answer, No, done, json, ok},
    request::{IdNamed, Json, Room},
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
    running: BTreeMap<u64, Crowd>,
    /// Clients of crowds that are being started.
    starting: usize,
}

impl Crowds {
    fn list(&self) -> MutexGuard<'_, List> {
        // A list of processes: a panic while it was held left it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove(&self, id: &str) -> Option<Crowd> {
        self.list().running.remove(&number(id)?)
    }
}

fn number(id: &str) -> Option<u64> {
    id.strip_prefix('n')?.parse().ok()
}

/// Starts one.
pub(super) async fn start(State(app): State<App>, room: Room, Json(request): Json<CrowdRequest>) -> Answer {
    let spec = spec(&app, &room, request)?;
    let clients = spec.clients as usize;
    {
        let mut list = app.crowds.list();
        let crowded = list.running.values().map(|crowd| crowd.clients() as usize).sum::<usize>();
        let taken = usize::try_from(app.traffic.open()).unwrap_or(usize::MAX).max(crowded + list.starting);
        let free = app.max_connections.saturating_sub(taken + SPARE);
        if list.running.len() >= CROWDS || clients > free {
            let refused = problem(Code::TooManyClients, "end another crowd, or raise --max-connections");
            return Err(No(refused.with("free", free).with("max", app.max_connections)));
        }
        list.starting += clients;
    }
    let started = Crowd::start(&spec).await;
    let mut list = app.crowds.list();
    list.starting -= clients;
    let crowd = started.map_err(|error| {
        tracing::warn!(%error, "a crowd could not be started");
        No(problem(Code::Internal, "no further process could be started"))
    })?;
    list.next += 1;
    let number = list.next;
    list.running.insert(number, crowd);
    drop(list);
    tokio::spawn(async move {
        tokio::select! {
            () = sleep(LIFE) => {}
            () = app.ending.cancelled() => {}
        }
        let forgotten = app.crowds.list().running.remove(&number);
        if let Some(crowd) = forgotten {
            crowd.end().await;
        }
    });
    Ok(json(StatusCode::CREATED, &CrowdStarted { id: format!("n{number}") }))
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

/// How it is.
pub(super) async fn one(State(app): State<App>, _: Room, IdNamed(id): IdNamed) -> Answer {
    let report = number(&id).and_then(|number| app.crowds.list().running.get(&number).map(Crowd::report));
    ok(&report.ok_or_else(|| No(problem(Code::UnknownCrowd, &id)))?)
}

/// Ends it.
pub(super) async fn stop(State(app): State<App>, _: Room, IdNamed(id): IdNamed) -> Answer {
    let crowd = app.crowds.remove(&id).ok_or_else(|| No(problem(Code::UnknownCrowd, &id)))?;
    crowd.end().await;
    done()
}
