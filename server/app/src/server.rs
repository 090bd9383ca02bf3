//! The server, put together: from its flags to its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use sockscope_sockets::{
    acceptor::Acceptor,
    policy::{Policy, PolicyConfig, Resolver},
};
use sockscope_wire as wire;
use tokio::{net::UnixListener, sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    bridge::Keys,
    config::ServeArgs,
    http::{self, App, AppState, Auth, CAPTURES, Crowds, Gate, Served},
    launch,
    limits::{self, Budget, keyed},
    meter::Meters,
    workspace::{Workspace, WorkspaceConfig},
};

/// How long sockets have to end, once their tasks are told.
const SOCKETS_GRACE: Duration = Duration::from_secs(1);

/// A server that is bound and not yet serving.
pub struct Server {
    app: App,
    listener: Acceptor,
    /// Where `sockscope link` knocks.
    door: Option<UnixListener>,
    address: SocketAddr,
    budget: Budget,
}

impl Server {
    /// Checks the flags as a whole, then binds.
    ///
    /// # Errors
    /// When the flags are refused, or the address cannot be bound; the message is one sentence for the user.
    pub async fn bind(args: &ServeArgs) -> anyhow::Result<Self> {
        let given = std::env::var("SOCKSCOPE_TOKEN").ok().filter(|token| !token.is_empty());
        let token = args.token(given.as_deref())?;
        args.websockify.check()?;
        let budget = limits::share(limits::raise_descriptors(), args.max_sockets, args.max_connections)?;
        let listener = listen(args.listen)?;
        let address = listener.local_addr().context("the listener has no address")?;
        let policy = |listen_ports| {
            let control = vec![address];
            let default_listen_host = args.default_listen_host();
            Arc::new(Policy::new(PolicyConfig { control, listen_ports, default_listen_host }))
        };
        let resolver =
            if args.dns.is_empty() { Resolver::system() } else { Resolver::with_servers(args.dns.clone()) };
        let workspace = Workspace::new(WorkspaceConfig {
            log_bytes: args.log_bytes,
            log_full: args.log_full(),
            max_sockets: budget.sockets,
            policy: policy(args.listen_ports.clone()),
            practice_policy: policy(None),
            resolver: Arc::new(resolver),
            eyes: args.eyes(),
        });
        let shown = wire::Policy {
            mode: "local".to_owned(),
            token_required: token.is_some(),
            never: vec!["metadata".to_owned(), "self-control".to_owned()],
            listen_ports: args
                .listen_ports
                .as_ref()
                .map(|ports| format!("{}-{}", ports.start(), ports.end())),
        };
        let app = App::new(AppState {
            workspace,
            auth: Auth::new(token),
            gate: Gate::new(args.hosts.iter().cloned()),
            policy: shown,
            ending: CancellationToken::new(),
            traffic: Arc::default(),
            meters: Meters::default(),
            captures: Arc::new(Semaphore::new(CAPTURES)),
            keys: Keys::default(),
            websockify: args.websockify.clone(),
            crowds: Crowds::default(),
            wisp: Arc::new(args.wisp.settings()?),
            wisp_reserve: Arc::default(),
            wisp_prefixes: args.wisp.prefixes.clone(),
            keyed_seats: Arc::new(Semaphore::new(keyed(budget.connections))),
            address,
            max_connections: budget.connections,
        });
        let door = launch::listen(address.port())
            // The server is no worse for it: the link it prints works.
            .inspect_err(|error| tracing::warn!(%error, "`sockscope link` will not reach this server"))
            .ok();
        Ok(Self { app, listener, door, address, budget })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A fresh launch link.
    #[must_use]
    pub fn link(&self) -> String {
        launch::link(&self.app, self.address)
    }

    /// Serves until `shutdown` ends, then: stops accepting, tells viewers, closes sockets with FIN, waits for both
    /// under a grace time, and says whether all ended by themselves.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Served {
        let Self { app, listener, door, address, budget } = self;
        let mut tasks = JoinSet::new();
        if let Some(door) = door {
            tasks.spawn(launch::serve(door, app.clone(), address));
        }
        let ending = app.ending.clone();
        let serving = http::serve(listener, app.clone(), budget.connections);
        tokio::pin!(serving);
        let early = tokio::select! {
            served = &mut serving => Some(served),
            () = shutdown => None,
        };
        ending.cancel();
        let sockets = tokio::time::timeout(SOCKETS_GRACE, app.workspace.shut_down());
        let (served, sockets) = tokio::join!(async { early.unwrap_or(serving.await) }, sockets);
        if sockets.is_err() {
            tracing::warn!("some sockets did not end in time");
        }
        tasks.shutdown().await;
        served
    }
}

fn listen(address: SocketAddr) -> anyhow::Result<Acceptor> {
    match http::bind(address) {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let port = address.port();
            // A sockscope has a launch socket; anything else has none.
            if launch::ask(port).is_ok() {
                anyhow::bail!(
                    "sockscope runs on {address} already: `sockscope link` opens it, --listen 127.0.0.1:0 starts another"
                )
            }
            anyhow::bail!("{address} is taken by another program: --listen 127.0.0.1:0 takes a free port")
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}")),
    }
}
