//! The gate in front of every route, outside the router: Host, Origin, where the request comes from, who it is.
//!
//! Deny by default: a path this gate does not know needs a token. The Origin being equal to the Host is not enough
//! alone, since under DNS rebinding both are the attacker's; the Host is therefore held against a list first.

use std::{net::IpAddr, sync::Arc};

use axum::extract::Request;
use http::{HeaderMap, HeaderValue, header, uri::Authority};
use sockscope_wire::Code;

use super::{
    auth::Principal,
    connection::ConnectionInfo,
    keyed::{Keyed, at},
    prefix::meant,
};
use crate::http::{
    App,
    routes::{Access, access},
};
use crate::{
    ask::number,
    bridge::keys::Visit,
    problem::{Refused, problem},
};

/// The subprotocol of the WebSocket.
pub(in crate::http) const PROTOCOL: &str = "sockscope.v1";

/// What the subprotocol that carries a ticket begins with.
pub(in crate::http) const TICKET: &str = "ticket.";

/// Where requests may come from.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    /// Names beside the loopback ones, in lower case (`--host`).
    names: Vec<String>,
}

impl Gate {
    /// Loopback literals, `localhost` and these names.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            names: names.into_iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect(),
        }
    }

    /// Whether this Host (with or without port) is ours.
    fn knows(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        if authority.as_str().contains('@') {
            return false;
        }
        let name = authority.host();
        let port = &authority.as_str()[name.len()..];
        if !port.is_empty() && port.strip_prefix(':').and_then(number::<u16>).is_none() {
            return false;
        }
        let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        if let Ok(address) = literal.parse::<IpAddr>() {
            let bracketed = literal.len() != name.len();
            return bracketed == address.is_ipv6()
                && (address.is_loopback() || self.names.iter().any(|known| known == literal));
        }
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        name == "localhost" || self.names.contains(&name)
    }

    /// The request's one Host, if it is ours.
    fn host<'a>(&self, request: &'a Request) -> Result<&'a str, Refused> {
        let wrong = || problem(Code::BadHost, "name another host with --host");
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).ok_or_else(wrong)?;
        if hosts.next().is_some() || !self.knows(host) {
            return Err(wrong());
        }
        // A request in absolute form names its host twice; both must be ours (RFC 9112, 3.2.2).
        if request.uri().authority().is_some_and(|authority| !self.knows(authority.as_str())) {
            return Err(wrong());
        }
        Ok(host)
    }
}

/// The page a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Page<'a> {
    /// Ours, or none at all.
    Ours,
    /// Of another origin, as its browser writes it.
    Other(&'a HeaderValue),
}

/// Which page a request comes from, if it comes from one.
pub(super) fn page<'a>(headers: &'a HeaderMap, host: &str) -> Result<Page<'a>, Refused> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(Page::Ours) };
    if origins.next().is_some() {
        return Err(foreign());
    }
    let ours = origin.to_str().ok().and_then(|origin| {
        let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))?;
        Some(rest.eq_ignore_ascii_case(host))
    });
    Ok(if ours == Some(true) { Page::Ours } else { Page::Other(origin) })
}

/// A page that has no business here.
pub(super) fn foreign() -> Refused {
    problem(Code::BadOrigin, "requests of other pages are refused")
}

fn check_origin(headers: &HeaderMap, host: &str) -> Result<(), Refused> {
    match page(headers, host)? {
        Page::Ours => Ok(()),
        Page::Other(_) => Err(foreign()),
    }
}

pub(super) fn check_site(headers: &HeaderMap) -> Result<(), Refused> {
    let fine = headers.get_all("sec-fetch-site").iter().all(|site| site == "same-origin" || site == "none");
    if fine { Ok(()) } else { Err(problem(Code::CrossSite, "requests from other sites are refused")) }
}

fn identify(app: &App, request: &Request, takes_ticket: bool) -> Result<Principal, Refused> {
    let refused = || problem(Code::Unauthorized, "send Authorization: Bearer, or open a fresh launch link");
    let mut bearers = request.headers().get_all(header::AUTHORIZATION).iter();
    if let Some(bearer) = bearers.next() {
        let token = bearer.to_str().ok().and_then(|bearer| {
            let (scheme, token) = bearer.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        return match token.filter(|_| bearers.next().is_none()).and_then(|token| app.auth.bearer(token)) {
            Some(principal) => Ok(principal),
            // Without a token there is nothing a credential could be wrong about.
            None => app.auth.nobody().ok_or_else(refused),
        };
    }
    if takes_ticket
        && request.headers().contains_key(header::UPGRADE)
        && let Some(ticket) = offered(request.headers()).find_map(|protocol| protocol.strip_prefix(TICKET))
        && let Some(principal) = app.auth.redeem_ticket(ticket)
    {
        return Ok(principal);
    }
    app.auth.nobody().ok_or_else(refused)
}

/// The subprotocols a client offers.
pub(in crate::http) fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim)
}

/// The gate: lets a request in, which tells from then on who asks, and whose meter counts it.
///
/// # Errors
/// When it has no business here.
pub(super) fn enter(app: &App, request: &mut Request) -> Result<(), Refused> {
    let Some(principal) = pass(app, request)? else { return Ok(()) };
    let meter = app.meters.named_in(request.uri().query());
    if let Some(connection) = request.extensions().get::<ConnectionInfo>() {
        // Who has a key is known by the bridge it opens; who opens none with it is as good as a stranger.
        if request.extensions().get::<Arc<Visit>>().is_none() {
            connection.standing.know();
        }
        if let Some(meter) = &meter {
            connection.wire.claim(meter);
        }
    }
    if let Some(meter) = meter {
        request.extensions_mut().insert(meter);
    }
    request.extensions_mut().insert(principal);
    Ok(())
}

fn pass(app: &App, request: &mut Request) -> Result<Option<Principal>, Refused> {
    let host = app.gate.host(request)?;
    if let Some(keyed) = Keyed::of(app, request.uri())? {
        keyed.check(request.headers(), host)?;
        return keyed.enter(app, request).map(Some);
    }
    // Of whatever origin it is; no prefix begins like that.
    if access(request.method(), request.uri().path()) == Access::Shared {
        return Ok(None);
    }
    check_origin(request.headers(), host)?;
    let meant = meant(&app.wisp_prefixes, request.uri().path()).and_then(|path| at(request.uri(), &path));
    if let Some(meant) = meant {
        *request.uri_mut() = meant;
    }
    match access(request.method(), request.uri().path()) {
        Access::Page | Access::Shared => Ok(None),
        Access::Open => check_site(request.headers()).map(|()| None),
        needed @ (Access::Token | Access::Ticket) => {
            check_site(request.headers())?;
            identify(app, request, needed == Access::Ticket).map(Some)
        }
    }
}

#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::http) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_given_names_are_ours() {
        let gate = Gate::new(["scope.example.".to_owned(), "192.0.2.7".to_owned()]);
        for ours in [
            "127.0.0.1",
            "127.0.0.1:7625",
            "127.9.9.9",
            "localhost",
            "LOCALHOST:1",
            "localhost.",
            "[::1]:7625",
            "[::1]",
            "scope.example",
            "Scope.Example:443",
            "scope.example.",
            "192.0.2.7:7625",
        ] {
            assert!(gate.knows(ours), "{ours}");
        }
        for foreign in [
            "",
            "evil.com",
            "localhost.evil.com",
            "127.0.0.1.evil.com",
            "0.0.0.0",
            "0.0.0.0:7625",
            "[::]",
            "::1",
            "2130706433",
            "0177.0.0.1",
            "127.1",
            "a@localhost",
            "localhost@evil.com",
            "localhost evil.com",
            "127.0.0.1:99999999",
            "localhost:+1",
            "[127.0.0.1]",
            "[192.0.2.7]",
            "[::ffff:127.0.0.1]",
            "xlocalhost",
            "scope.example.evil.com",
            "10.0.0.1",
        ] {
            assert!(!gate.knows(foreign), "{foreign}");
        }
    }
}
