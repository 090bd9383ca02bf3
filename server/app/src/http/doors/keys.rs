//! Keys for bridges: made, listed, revoked.

use axum::extract::State;
use http::StatusCode;
use sockscope_wire::KeyRequest;
use tokio::time::Instant;

use crate::http::{
    App,
    answer::{Answer, done, json, ok},
    request::{IdNamed, Json, Room},
};

/// Lists them.
pub(in crate::http) async fn list(_: Room, State(app): State<App>) -> Answer {
    ok(&app.keys.list())
}

/// Makes one.
pub(in crate::http) async fn make(
    room: Room,
    State(app): State<App>,
    Json(request): Json<KeyRequest>,
) -> Answer {
    let anchor = room.workspace.anchor();
    let made = app.keys.make(&request, anchor.wall(anchor.micros(Instant::now())))?;
    Ok(json(StatusCode::CREATED, &made))
}

/// Takes one back, and closes what it opened.
pub(in crate::http) async fn revoke(room: Room, State(app): State<App>, IdNamed(id): IdNamed) -> Answer {
    app.keys.revoke(&id, room.origin())?;
    done()
}
