//! Practice peers, started and stopped.

use axum::extract::State;
use http::StatusCode;
use sockscope_wire::{Code, PeerKind, PracticeCatalog, PracticePeer, PracticeRequest};

use crate::http::{
    App,
    answer::{Answer, No, done, json, ok},
    request::{Ask, Json, Named, OfEpoch, Room, same_epoch},
};
use crate::{
    peers::{self, Program},
    problem::problem,
};

/// The practice peers there are.
pub(in crate::http) async fn catalog(State(_): State<App>) -> Answer {
    let peers =
        PeerKind::ALL.into_iter().map(|peer| PracticePeer { peer, scheme: peers::scheme(peer).to_owned() });
    ok(&PracticeCatalog { peers: peers.collect() })
}

/// Starts one.
pub(in crate::http) async fn start(room: Room, Json(request): Json<PracticeRequest>) -> Answer {
    let program = Program::of(&request)?;
    let started = room.workspace.start_practice(&room.order(), program).await?;
    Ok(json(StatusCode::CREATED, &started))
}

/// Stops one, with its connections.
pub(in crate::http) async fn stop(room: Room, Named(id): Named, Ask(of): Ask<OfEpoch>) -> Answer {
    same_epoch(&room.workspace, of.epoch.as_deref())?;
    if room.workspace.practice_of(id).is_none() {
        return Err(No(problem(Code::UnknownSocket, format!("{id} is no practice peer"))));
    }
    room.workspace.close_and_wait(&room.order(), id, false, true).await?;
    done()
}
