//! Direct sockets: a WebSocket in, and sockets of every kind, listeners among them.

use std::sync::Arc;

use axum::extract::Request;
use http::HeaderValue;
use sockscope_wire::Contract;

use super::bridge::Caller;
use crate::{
    bridge::{Client, Incoming, Opener, direct::Session},
    http::{
        answer::Answer,
        front::{gate::offered, upgrade::Upgrade},
    },
};

/// What a browser offers beside a ticket, and insists on hearing.
const PROTOCOL: &str = "sockscope.direct.v1";

/// Many sockets over one WebSocket.
pub(in crate::http) async fn direct(
    Caller { app, principal, connection }: Caller,
    mut request: Request,
) -> Answer {
    let upgrade = Upgrade::of(&mut request)?;
    let offers = offered(request.headers()).any(|protocol| protocol == PROTOCOL);
    let response = upgrade.grant(offers.then(|| HeaderValue::from_static(PROTOCOL)));
    let opener = Opener {
        workspace: app.workspace.clone(),
        principal: principal.name,
        name: format!("Direct sockets of {}", connection.peer).into(),
        contract: Contract::Direct,
        grant: request.extensions_mut().remove(),
    };
    let session = Session { opener: Arc::new(opener), ending: app.ending.clone() };
    connection.goes_on(async move {
        if let Some((io, early)) = upgrade.connection().await {
            session.serve(Client::new(io), Incoming::new(early)).await;
        }
    });
    Ok(response)
}
