//! Bridges: a WebSocket in, a socket out.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{Extension, FromRequestParts, Path, Request, rejection::ExtensionRejection},
    response::Response,
};
use http::{HeaderValue, request::Parts};
use sockscope_sockets::{
    open::Opened,
    target::{Scheme, Target, parse_endpoint},
};
use sockscope_wire::{Code, Contract};

use crate::{
    ask,
    bridge::{
        self, Carried, Client, Close, Incoming, Opener, Unopened, code,
        keys::{NoLease, Visit},
    },
    http::{
        App,
        answer::{Answer, No},
        front::{
            auth::Principal,
            connection::ConnectionInfo,
            gate::{TICKET, offered},
            keyed::{Permitted, TokenQuery},
            upgrade::Upgrade,
        },
        request::Ask,
    },
    problem::problem,
};

/// What carries bytes and nothing else calls itself that (websockify); some clients insist.
const BINARY: &str = "binary";

/// Who asks for a bridge, and over which connection.
pub(in crate::http) struct Caller {
    pub(super) app: App,
    pub(super) principal: Principal,
    pub(super) connection: ConnectionInfo,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ExtensionRejection;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ExtensionRejection> {
        let Extension(principal) = Extension::from_request_parts(parts, app).await?;
        let Extension(connection) = Extension::from_request_parts(parts, app).await?;
        Ok(Self { app: app.clone(), principal, connection })
    }
}

impl Caller {
    /// Grants the upgrade; the target is dialled afterwards, so that a client can be told in words why it cannot be reached.
    fn bridge(self, target: Target, contract: Contract, mut request: Request) -> Answer {
        let Self { app, principal, connection } = self;
        let upgrade = Upgrade::of(&mut request)?;
        let grant = request.extensions_mut().remove();
        let protocol = answering(&request);
        let response: Response = upgrade.grant(protocol);
        let wanted = Wanted { app, principal, peer: connection.peer, target, contract };
        connection.goes_on(async move {
            if let Some((io, early)) = upgrade.connection().await {
                let heartbeat = match contract {
                    Contract::Websockify => wanted.app.websockify.heartbeat(),
                    Contract::Wsproxy | Contract::Wisp | Contract::Direct => None,
                };
                let (client, mut incoming) = (Client::new(io).beating(heartbeat), Incoming::new(early));
                wanted.serve(&client, &mut incoming, grant.as_ref()).await;
            }
        });
        Ok(response)
    }
}

/// One WebSocket to the TCP port its path names.
pub(in crate::http) async fn tcp(
    caller: Caller,
    Path((host, port)): Path<(String, String)>,
    request: Request,
) -> Answer {
    let target = target(Scheme::Tcp, &[&host, ":", &port].concat())?;
    caller.bridge(target, Contract::Wsproxy, request)
}

/// One WebSocket to the UDP port its path names: a message is a datagram.
pub(in crate::http) async fn udp(
    caller: Caller,
    Path((host, port)): Path<(String, String)>,
    request: Request,
) -> Answer {
    let target = target(Scheme::Udp, &[&host, ":", &port].concat())?;
    caller.bridge(target, Contract::Wsproxy, request)
}

/// The first, shorter: `host:port`.
pub(in crate::http) async fn short(caller: Caller, Path(target): Path<String>, request: Request) -> Answer {
    let target = self::target(Scheme::Tcp, &target)?;
    caller.bridge(target, Contract::Wsproxy, request)
}

/// One WebSocket to the target of a token, as websockify has it.
pub(in crate::http) async fn websockify(
    caller: Caller,
    Ask(query): Ask<TokenQuery>,
    mut request: Request,
) -> Answer {
    if answering(&request).is_none()
        && offered(request.headers()).any(|protocol| !protocol.is_empty() && !protocol.starts_with(TICKET))
    {
        return Err(No(problem(Code::InvalidQuery, "offer the subprotocol binary, or none")));
    }
    let target = match request.extensions_mut().remove() {
        Some(Permitted(target)) => target,
        None => caller.app.websockify.target(query.token.as_deref()).await?,
    };
    caller.bridge(target, Contract::Websockify, request)
}

fn target(scheme: Scheme, text: &str) -> Result<Target, No> {
    let (host, port) = parse_endpoint(text).map_err(|error| No(ask::target_problem(&error)))?;
    Ok(Target { scheme, host, port })
}

/// A bridge that somebody wants.
struct Wanted {
    app: App,
    principal: Principal,
    /// Where it is asked for from.
    peer: SocketAddr,
    target: Target,
    contract: Contract,
}

impl Wanted {
    /// What only opening or refusing needs is boxed: a bridge that lives for hours does not carry it. The visit of its key is the
    /// caller's, and lasts as long as the bridge.
    async fn serve(self, client: &Client, incoming: &mut Incoming, grant: Option<&Arc<Visit>>) {
        let (opened, mut inbox, ledger) = match Box::pin(self.open(client, grant.cloned())).await {
            None => return,
            Some(Ok(opened)) => opened,
            Some(Err(why)) => return Box::pin(client.part(incoming, last_word(&why), false)).await,
        };
        match opened {
            Opened::Stream(stream) => {
                Box::pin(bridge::carry_stream(client, incoming, stream, &mut inbox, &ledger)).await;
            }
            Opened::Datagram(socket) => {
                Box::pin(bridge::carry_datagrams(client, incoming, socket, &mut inbox, &ledger)).await;
            }
            Opened::Listener(_) => {
                let last = Close::new(code::INTERNAL, "no bridge leads to a listener");
                Box::pin(client.part(incoming, last, false)).await;
            }
        }
    }

    /// Opens the socket; `None` where the client is gone before that is done.
    async fn open(self, client: &Client, grant: Option<Arc<Visit>>) -> Option<Result<Carried, Unopened>> {
        let Self { app, principal, peer, target, contract } = self;
        let name = format!("bridge of {peer}").into();
        let workspace = app.workspace.clone();
        let opener = Opener { workspace, principal: principal.name, name, contract, grant };
        tokio::select! {
            biased;
            () = client.broken() => None,
            opened = opener.open(&target) => Some(opened),
        }
    }
}

/// The subprotocol to answer with: the one that says "bytes", or none. Browsers insist on an answer where they offered any, so a
/// page offers it beside its ticket.
fn answering(request: &Request) -> Option<HeaderValue> {
    offered(request.headers()).any(|protocol| protocol == BINARY).then(|| HeaderValue::from_static(BINARY))
}

/// Why a target could not be reached, as a close frame says it.
fn last_word(why: &Unopened) -> Close {
    match why {
        Unopened::NoLease(why @ NoLease::Over(_)) => Close::new(code::POLICY, why.as_str()),
        Unopened::NoLease(why) => Close::new(code::LATER, why.as_str()),
        Unopened::Over(over) => Close::new(code::POLICY, over.as_str()),
        Unopened::Target => Close::new(code::POLICY, "the key does not allow this target"),
        Unopened::Refused(refused) => {
            let code = if refused.code == Code::Denied { code::POLICY } else { code::INTERNAL };
            let what = refused.errno.as_deref().unwrap_or(refused.code.as_str());
            Close::new(code, format!("{what}: {}", refused.code.title()))
        }
    }
}
