//! Wisp: a WebSocket in, as many sockets out as its client asks for.

use std::sync::Arc;

use axum::extract::Request;
use http::HeaderValue;
use sockscope_wire::Contract;
use tracing::{Instrument as _, Span, warn_span};

use super::bridge::Caller;
use crate::{
    bridge::{
        Client, Incoming, Opener,
        wisp::{Session, Settings, Version},
    },
    http::{
        answer::Answer,
        front::{
            gate::{TICKET, offered},
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
    // What is told of wrong credentials is told with whose they are.
    let span = match *app.wisp {
        Settings { passwords: None, keys: None, .. } => Span::none(),
        _ => warn_span!("wisp", peer = %connection.peer, by = &*principal.name),
    };
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
    connection.goes_on(async move {
        if let Some((io, early)) = upgrade.connection().await {
            session.serve(Client::new(io), Incoming::new(early), version).instrument(span).await;
        }
    });
    Ok(response)
}
