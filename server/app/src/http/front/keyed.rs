//! Requests that a bridge key lets in: by its secret, `/k/{secret}` and behind it the path of a bridge, or by a permit that was
//! signed with it, as the token of a websockify client.

use std::sync::Arc;

use axum::extract::{Query, Request};
use http::{HeaderMap, Uri, uri::PathAndQuery};
use serde::Deserialize;
use sockscope_sockets::target::Target;
use sockscope_wire::Code;

use super::{
    auth::Principal,
    gate::{Page, check_site, foreign, page},
    prefix::{WispPrefix, meant},
};
use crate::{
    bridge::keys::{Grant, Visit},
    http::{
        App,
        routes::{carries_many, is_bridge, is_websockify},
    },
    problem::{Refused, problem},
};

/// The query of a websockify client.
#[derive(Deserialize)]
pub(in crate::http) struct TokenQuery {
    /// Names a target, or is a permit.
    pub(in crate::http) token: Option<String>,
}

/// The target that a permit leads to (a request extension).
#[derive(Clone)]
pub(in crate::http) struct Permitted(pub(in crate::http) Target);

/// What a request brings that a key let in.
pub(super) struct Keyed {
    grant: Grant,
    /// The URI without the secret: nothing further in hears of it.
    uri: Option<Uri>,
    permitted: Option<Permitted>,
}

impl Keyed {
    /// `None` of a request that brings neither a key nor a permit. Whatever is wrong with either, the answer is the same, and
    /// repeats nothing of what was sent.
    pub(super) fn of(app: &App, uri: &Uri) -> Result<Option<Self>, Refused> {
        let stranger = || problem(Code::Unauthorized, "no bridge key, and no permit of one, lets this in");
        let (keyed, inner) = match split(uri.path()) {
            Some((secret, rest)) => {
                let grant = app.keys.find(secret).ok_or_else(stranger)?;
                (Some(grant), Some(behind(&app.wisp_prefixes, uri, rest)?))
            }
            None => (None, None),
        };
        let permit = permit(app, inner.as_ref().unwrap_or(uri));
        let (grant, permitted) = match (keyed, permit) {
            (None, None) => return Ok(None),
            (Some(grant), None) => (grant, None),
            (keyed, Some(permit)) => {
                let (grant, target) = permit.ok_or_else(stranger)?;
                if keyed.is_some_and(|keyed| keyed.id() != grant.id()) {
                    return Err(stranger());
                }
                (grant, Some(Permitted(target)))
            }
        };
        Ok(Some(Self { grant, uri: inner, permitted }))
    }

    /// Whether the page a request comes from may use the key. Programs that are no pages send no Origin, and need none.
    pub(super) fn check(&self, headers: &HeaderMap, host: &str) -> Result<(), Refused> {
        match page(headers, host)? {
            Page::Ours => check_site(headers),
            // A page of another site, by its key's leave: Sec-Fetch-Site says no more than that.
            Page::Other(origin) if self.grant.admits(origin.as_bytes()) => Ok(()),
            Page::Other(_) => Err(foreign()),
        }
    }

    /// Lets the request in as the key's, in a place among the connections that keys may let in.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn enter(self, app: &App, request: &mut Request) -> Result<Principal, Refused> {
        let Self { grant, uri, permitted } = self;
        if let Some(uri) = uri {
            *request.uri_mut() = uri;
        }
        let principal = Principal { name: format!("key:{}", grant.id()).into() };
        let full = |why: &str| problem(Code::TooManyConnections, why);
        let seat = Arc::clone(&app.keyed_seats)
            .try_acquire_owned()
            .map_err(|_| full("bridge keys let in no more: the rest is kept for who has the token"))?;
        let visit = Visit::begin(grant, carries_many(request.uri().path()), seat)
            .ok_or_else(|| full("the key allows no more connections at once"))?;
        request.extensions_mut().insert(Arc::new(visit));
        if let Some(permitted) = permitted {
            request.extensions_mut().insert(permitted);
        }
        Ok(principal)
    }
}

/// The secret in a path, and the path behind it.
fn split(path: &str) -> Option<(&str, &str)> {
    let keyed = path.strip_prefix("/k/")?;
    Some(keyed.split_at(keyed.find('/').unwrap_or(keyed.len())))
}

/// The URI behind a key. Only bridges have a keyed form.
fn behind(prefixes: &[WispPrefix], uri: &Uri, rest: &str) -> Result<Uri, Refused> {
    let meant = meant(prefixes, rest);
    let rest = meant.as_deref().unwrap_or(rest);
    let inner = if is_bridge(rest) { at(uri, rest) } else { None };
    inner.ok_or_else(|| problem(Code::UnknownRoute, "a key opens bridges only: see docs/BRIDGES.md"))
}

/// The same URI with another path; `None` where that is no path.
pub(super) fn at(uri: &Uri, path: &str) -> Option<Uri> {
    let path = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

/// The permit a request brings, which is not good where there is nothing in it; `None` where it brings none.
fn permit(app: &App, uri: &Uri) -> Option<Option<(Grant, Target)>> {
    if !is_websockify(uri.path()) {
        return None;
    }
    let Query(TokenQuery { token }) = Query::try_from_uri(uri).ok()?;
    Some(app.keys.permit(&token?)?.ok())
}

#[cfg(any(test, feature = "fuzzing"))]
pub(in crate::http) mod fuzz;
