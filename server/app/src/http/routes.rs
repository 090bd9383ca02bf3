//! Every route, once. The router is built from this table, and so are the tests that try each of them.

use axum::{
    Router,
    routing::{MethodRouter, delete, get, patch, post},
};
use http::Method;

use super::{
    App, answer,
    doors::{
        assets, bridge, crowds, direct, events, kernel, keys, meters, ops, payload, practice, session,
        sockets, wisp, ws,
    },
};

/// What the gate asks of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The static page: no token, and it may be linked to from anywhere.
    Page,
    /// Modules that pages of any origin may load: no token, and no question where they are asked for from.
    Shared,
    /// No token.
    Open,
    /// A token.
    Token,
    /// A token, or a ticket: what a browser can offer when it opens a WebSocket.
    Ticket,
}

/// What the gate asks of a request for this path. Unknown paths need a token.
#[must_use]
pub fn access(method: &Method, path: &str) -> Access {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match path {
        "/healthz" | "/readyz" if reads => Access::Open,
        "/api/v1/session" if *method == Method::POST => Access::Open,
        "/" if reads => Access::Page,
        _ if reads && assets::is_shared(path) => Access::Shared,
        _ if reads && assets::is_asset(path) => Access::Page,
        _ if *method == Method::GET && is_web_socket(path) => Access::Ticket,
        _ => Access::Token,
    }
}

/// Whether a path is websockify's: its clients may bring a permit as their token.
#[must_use]
pub(super) fn is_websockify(path: &str) -> bool {
    matches!(path, "/websockify" | "/bridge/websockify")
}

/// Whether a path is a bridge's that a key may open: its door asks the key before it dials.
#[must_use]
pub(super) fn is_bridge(path: &str) -> bool {
    path.starts_with("/bridge/") || path.starts_with("/wisp/") || is_websockify(path)
}

/// Whether a bridge carries many sockets over one connection.
#[must_use]
pub(super) fn carries_many(path: &str) -> bool {
    matches!(path, "/wisp/" | "/bridge/sockets")
}

/// Whether paths of our own begin with this segment: a route's, one of the page's files, a module for other pages, or a key's.
#[must_use]
pub(super) fn is_own(first: &str) -> bool {
    matches!(first, "assets" | "sdk" | "k")
        || table().iter().any(|route| route.path.split('/').nth(1) == Some(first))
}

fn is_web_socket(path: &str) -> bool {
    if is_bridge(path) {
        return true;
    }
    let workspace = path.strip_prefix("/api/v1/workspaces/").and_then(|rest| rest.strip_suffix("/ws"));
    workspace.is_some_and(|workspace| !workspace.contains('/'))
}

/// One route: a method, a path pattern, what answers it.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The pattern, as in the OpenAPI document.
    pub path: &'static str,
    handler: fn() -> MethodRouter<App>,
}

/// Every route of the API, in the order of the OpenAPI document. The page's files are what is left.
#[must_use]
pub fn table() -> Vec<Route> {
    macro_rules! routes {
        ($($method:ident $of:ident $path:literal $handler:path;)*) => {
            vec![$(Route { method: Method::$method, path: $path, handler: || $of($handler) }),*]
        };
    }
    routes! {
        GET get "/healthz" ops::healthz;
        GET get "/readyz" ops::readyz;
        GET get "/metrics" ops::metrics;
        POST post "/api/v1/session" session::session;
        POST post "/api/v1/tickets" session::ticket;
        GET get "/api/v1/about" ops::about;
        GET get "/api/v1/openapi.json" ops::openapi;
        GET get "/api/v1/practice" practice::catalog;
        POST post "/api/v1/workspaces/{ws}/practice" practice::start;
        DELETE delete "/api/v1/workspaces/{ws}/practice/{id}" practice::stop;
        GET get "/api/v1/workspaces/{ws}/sockets" sockets::list;
        POST post "/api/v1/workspaces/{ws}/sockets" sockets::open;
        GET get "/api/v1/workspaces/{ws}/sockets/{id}" sockets::one;
        PATCH patch "/api/v1/workspaces/{ws}/sockets/{id}" sockets::change;
        DELETE delete "/api/v1/workspaces/{ws}/sockets/{id}" sockets::close;
        POST post "/api/v1/workspaces/{ws}/sockets/{id}/send" sockets::send;
        POST post "/api/v1/workspaces/{ws}/sockets/{id}/shutdown" sockets::shutdown;
        POST post "/api/v1/workspaces/{ws}/http" sockets::fetch;
        GET get "/api/v1/workspaces/{ws}/events" events::events;
        GET get "/api/v1/workspaces/{ws}/events/{seq}/payload" payload::payload;
        GET get "/api/v1/workspaces/{ws}/events/{seq}/frame" kernel::frame;
        GET get "/api/v1/workspaces/{ws}/kernel" kernel::sight;
        GET get "/api/v1/workspaces/{ws}/export" events::export;
        POST post "/api/v1/workspaces/{ws}/log/trim" events::trim;
        GET get "/api/v1/workspaces/{ws}/clock" meters::clock;
        POST post "/api/v1/workspaces/{ws}/meters" meters::start;
        GET get "/api/v1/workspaces/{ws}/meters/{id}" meters::one;
        DELETE delete "/api/v1/workspaces/{ws}/meters/{id}" meters::stop;
        POST post "/api/v1/workspaces/{ws}/crowds" crowds::start;
        GET get "/api/v1/workspaces/{ws}/crowds/{id}" crowds::one;
        DELETE delete "/api/v1/workspaces/{ws}/crowds/{id}" crowds::stop;
        GET get "/api/v1/workspaces/{ws}/keys" keys::list;
        POST post "/api/v1/workspaces/{ws}/keys" keys::make;
        DELETE delete "/api/v1/workspaces/{ws}/keys/{id}" keys::revoke;
        GET get "/api/v1/workspaces/{ws}/ws" ws::ws;
        GET get "/bridge/tcp/{host}/{port}" bridge::tcp;
        GET get "/bridge/udp/{host}/{port}" bridge::udp;
        GET get "/bridge/sockets" direct::direct;
        GET get "/bridge/websockify" bridge::websockify;
        GET get "/bridge/{target}" bridge::short;
        GET get "/wisp/" wisp::wisp;
        GET get "/wisp/{target}" bridge::short;
        GET get "/websockify" bridge::websockify;
    }
}

/// The router without the gate.
pub(super) fn router() -> Router<App> {
    let router =
        table().into_iter().fold(Router::new(), |router, route| router.route(route.path, (route.handler)()));
    router
        .route("/", get(assets::index))
        // What is none of the page's files is no route, by whatever method.
        .route("/{*path}", get(assets::file).fallback(answer::unknown_route))
        .fallback(answer::unknown_route)
        .method_not_allowed_fallback(answer::wrong_method)
}
