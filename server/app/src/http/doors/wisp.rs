//! Wisp: a WebSocket in, as many sockets out as its client asks for.

use std::sync::Arc;

use axum::extract::Request;
use http::HeaderValue;
use sockscope_wire::Contract;

use super::bridge::Caller;
use crate::{
    bridge::{
        Client, Incoming, Opener,
        wisp::{Session, Version},
    },
    http::{
        answer::Answer,
        front::{
            gate::{TICKET, offered},
            timed::Timed,
            upgrade::Upgrade,
        },
    },
};

/// Many streams over one WebSocket. A client that names a subprotocol, whichever, speaks version 2; browsers insist that it is
/// answered with.
pub(in crate::http) async fn wisp(
    Caller { app, principal, connection }: Caller,
    mut request: Request,
) -> Answer {
    let upgrade = Upgrade::of(&mut request)?;
    let protocol = offered(request.headers()).find(|protocol| !protocol.starts_with(TICKET));
    let version = if protocol.is_some() { Version::V2 } else { Version::V1 };
    // What is no header value was not offered in one.
    let response = upgrade.grant(protocol.and_then(|protocol| HeaderValue::from_str(protocol).ok()));
    let opener = Opener {
        workspace: app.workspace.clone(),
        principal: principal.name,
        name: format!("Wisp of {}", connection.peer).into(),
        contract: Contract::Wisp,
        grant: request.extensions_mut().remove(),
    };
    let session = Session {
        opener: Arc::new(opener),
        settings: app.wisp.clone(),
        reserve: app.wisp_reserve.clone(),
        ending: app.ending.clone(),
    };
    let wire = connection.wire;
    tokio::spawn(Timed::new(app, wire, async move {
        if let Some((io, early)) = upgrade.connection().await {
            session.serve(Client::new(io), Incoming::new(early), version).await;
        }
    }));
    Ok(response)
}
