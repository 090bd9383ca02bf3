//! The doors: HTTP, SSE and WebSocket over one workspace.

mod answer;
mod doors;
mod front;
mod request;
mod routes;

use std::{net::SocketAddr, sync::Arc};

use sockscope_wire::Policy;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::{
    bridge::{Keys, Websockify, wisp},
    meter::Meters,
    workspace::Workspace,
};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use doors::payload::fuzz::range;
pub use doors::{crowds::Crowds, events::CAPTURES};
pub(crate) use front::connection::Counted;
pub use front::{
    auth::{Auth, Principal},
    connection::ConnectionInfo,
    gate::Gate,
    listener::bind,
    prefix::{BadPrefix, WispPrefix},
    serve::{Served, Traffic, serve},
    wire::Wire,
};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use front::{gate::fuzz::host, keyed::fuzz::keyed_path};
pub use routes::{Access, Route, access, table};

/// What every handler can reach. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<AppState>);

/// The state behind [`App`].
pub struct AppState {
    /// The one workspace of local mode.
    pub workspace: Arc<Workspace>,
    /// Who may come in.
    pub auth: Auth,
    /// Where requests may come from.
    pub gate: Gate,
    /// The rules in force, for the page to show.
    pub policy: Policy,
    /// Cancelled when the server ends: streams say good-bye.
    pub ending: CancellationToken,
    /// Connections served now and in all.
    pub traffic: Arc<Traffic>,
    /// What ways of delivery cost, where somebody asked.
    pub meters: Meters,
    /// Places for captures that are being taken away.
    pub captures: Arc<Semaphore>,
    /// What lets bridges in without the token.
    pub keys: Keys,
    /// Where the tokens of websockify's clients lead.
    pub websockify: Websockify,
    /// Many clients at once, where somebody asked.
    pub crowds: Crowds,
    /// What Wisp clients are told and asked for.
    pub wisp: Arc<wisp::Settings>,
    /// Room that their streams share.
    pub wisp_reserve: Arc<wisp::Reserve>,
    /// Where they are served beside `/wisp/`.
    pub wisp_prefixes: Vec<WispPrefix>,
    /// Places for connections that keys let in: fewer than there are for all, so that who gave them away can take them back.
    pub keyed_seats: Arc<Semaphore>,
    /// Where this server listens.
    pub address: SocketAddr,
    /// The most connections served at once.
    pub max_connections: usize,
}

impl App {
    /// Shares the state.
    #[must_use]
    pub fn new(state: AppState) -> Self {
        Self(Arc::new(state))
    }
}

impl std::ops::Deref for App {
    type Target = AppState;

    fn deref(&self) -> &AppState {
        &self.0
    }
}
