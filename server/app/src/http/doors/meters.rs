//! Meters, started, read and stopped; and the clock that what they count happens by.

use axum::extract::State;
use http::StatusCode;
use sockscope_wire::{Clock, Code, MeterStarted};
use tokio::time::Instant;

use crate::http::{
    App,
    answer::{Answer, No, done, json, ok},
    request::{Ask, IdNamed, OfEpoch, Room, same_epoch},
};
use crate::{
    meter::METERS,
    problem::{Saying as _, problem},
};

/// Begins one.
pub(in crate::http) async fn start(State(app): State<App>, _: Room) -> Answer {
    let full = || No(problem(Code::TooManyMeters, "end another meter first").with("max", METERS));
    let meter = app.meters.start().ok_or_else(full)?;
    Ok(json(StatusCode::CREATED, &MeterStarted { id: meter.id().to_owned() }))
}

/// What it has counted.
pub(in crate::http) async fn one(State(app): State<App>, _: Room, IdNamed(id): IdNamed) -> Answer {
    let meter = app.meters.get(&id).ok_or_else(|| No(problem(Code::UnknownMeter, &id)))?;
    ok(&meter.figures())
}

/// Forgets it.
pub(in crate::http) async fn stop(
    State(app): State<App>,
    room: Room,
    IdNamed(id): IdNamed,
    Ask(of): Ask<OfEpoch>,
) -> Answer {
    same_epoch(&room.workspace, of.epoch.as_deref())?;
    if app.meters.stop(&id) { done() } else { Err(No(problem(Code::UnknownMeter, &id))) }
}

/// What time it is.
pub(in crate::http) async fn clock(room: Room) -> Answer {
    let workspace = &room.workspace;
    let (_, head) = workspace.bounds();
    let now_us = workspace.anchor().micros(Instant::now());
    ok(&Clock { epoch: workspace.epoch().to_owned(), now_us, head })
}
