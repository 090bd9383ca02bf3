//! Reading requests: bodies, queries, paths. What is not understood is a problem that says what and where.

use std::{str::FromStr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use bytes::{Bytes, BytesMut};
use http::header;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use serde::{Deserialize, de::DeserializeOwned};
use sockscope_sockets::fact::Origin;
use sockscope_wire::{Code, PayloadMode, Phase, Seq, SocketId};

use super::{App, answer::No, front::auth::Principal};
use crate::{
    feed::{After, Start},
    log::Filter,
    meter::Meter,
    problem::{Refused, Saying as _, problem},
    workspace::{Order, Workspace, convert},
};

/// The most bytes a request's body may have.
pub(super) const BODY: usize = 1 << 20;

/// How long a body may take to arrive: nobody holds a connection by not sending what was announced.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A JSON body.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = No;

    async fn from_request(request: Request, _: &S) -> Result<Self, No> {
        if !is_json(&request) {
            return Err(No(problem(Code::UnsupportedMediaType, "send application/json")));
        }
        let bytes = body(request).await?;
        parse(&bytes).map(Json).map_err(No)
    }
}

/// Whether the body says that it is JSON.
pub(super) fn is_json(request: &Request) -> bool {
    let kind =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The whole body, if it is not too large.
pub(super) async fn body(request: Request) -> Result<Bytes, No> {
    tokio::time::timeout(BODY_TIME, whole(request.into_body()))
        .await
        .unwrap_or_else(|_| Err(No(problem(Code::TimedOut, "the body did not arrive in time"))))
}

/// Copied into one buffer as it comes: a body of many tiny chunks costs no more than its bytes.
async fn whole(mut body: Body) -> Result<Bytes, No> {
    let too_large = || No(problem(Code::TooLarge, format!("at most {BODY} bytes")).with("max", BODY));
    if body.size_hint().lower() > BODY as u64 {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| No(problem(Code::MalformedJson, error.to_string())))?;
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.len() > BODY {
                return Err(too_large());
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// JSON as a value.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(bytes).map_err(|error| {
        problem(Code::MalformedJson, error.to_string())
            .in_phase(Phase::Parse)
            .with("line", error.line())
            .with("column", error.column())
    })
}

/// A query.
pub(super) struct Ask<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Ask<T> {
    type Rejection = No;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, No> {
        Query::<T>::try_from_uri(&parts.uri)
            .map(|Query(query)| Self(query))
            .map_err(|error| No(problem(Code::InvalidQuery, error.body_text())))
    }
}

/// The workspace in the path, if the principal may enter it, and an order in the principal's name.
pub(super) struct Room {
    pub(super) workspace: Arc<Workspace>,
    pub(super) principal: Principal,
}

impl Room {
    /// An order for one request.
    pub(super) fn order(&self) -> Order {
        Order::new(self.workspace.name('r'), &self.principal.name)
    }

    /// What a fact of such an order is marked with.
    pub(super) fn origin(&self) -> Option<Arc<Origin>> {
        Some(self.order().0)
    }
}

impl FromRequestParts<App> for Room {
    type Rejection = No;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, No> {
        let principal = parts
            .extensions
            .get::<Principal>()
            .cloned()
            .ok_or_else(|| No(problem(Code::Unauthorized, "the gate let nobody through")))?;
        let segments = segments(parts, app).await?;
        let named = segments.first().map(String::as_str).unwrap_or_default();
        // Local mode has one workspace; who may enter others is decided here when there are more.
        if named == "default" || named == app.workspace.id() {
            Ok(Self { workspace: Arc::clone(&app.workspace), principal })
        } else {
            Err(No(problem(Code::UnknownWorkspace, "`default` names yours")))
        }
    }
}

async fn segments(parts: &mut Parts, app: &App) -> Result<Vec<String>, No> {
    Path::<Vec<String>>::from_request_parts(parts, app)
        .await
        .map(|Path(segments)| segments)
        .map_err(|error| No(problem(Code::UnknownRoute, error.body_text())))
}

/// The socket in the path.
pub(super) struct Named(pub(super) SocketId);

impl FromRequestParts<App> for Named {
    type Rejection = No;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, No> {
        let segments = segments(parts, app).await?;
        let named = segments.get(1).map(String::as_str).unwrap_or_default();
        SocketId::from_str(named)
            .map(Self)
            .map_err(|error| No(problem(Code::UnknownSocket, error.to_string())))
    }
}

/// The seq in the path.
pub(super) struct At(pub(super) Seq);

impl FromRequestParts<App> for At {
    type Rejection = No;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, No> {
        let segments = segments(parts, app).await?;
        let named = segments.get(1).map(String::as_str).unwrap_or_default();
        named
            .parse()
            .map(|seq| Self(Seq(seq)))
            .map_err(|_| No(problem(Code::UnknownEvent, "a seq is a number")))
    }
}

/// The meter or crowd in the path.
pub(super) struct IdNamed(pub(super) String);

impl FromRequestParts<App> for IdNamed {
    type Rejection = No;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, No> {
        let mut segments = segments(parts, app).await?;
        Ok(Self(segments.pop().unwrap_or_default()))
    }
}

/// The meter a request is counted under, if it names one.
pub(super) struct Metered(pub(super) Option<Arc<Meter>>);

impl FromRequestParts<App> for Metered {
    type Rejection = No;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, No> {
        Ok(Self(parts.extensions.get::<Arc<Meter>>().cloned()))
    }
}

/// What a viewer asks to see: the query of every feed. Not every door has a use for every field.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ViewQuery {
    pub(super) after: Option<String>,
    pub(super) epoch: Option<String>,
    pub(super) limit: Option<usize>,
    pub(super) wait: Option<f64>,
    pub(super) socket: Option<String>,
    #[serde(rename = "type")]
    pub(super) types: Option<String>,
    pub(super) hidden: Option<bool>,
    pub(super) kernel: Option<bool>,
    pub(super) payload: Option<String>,
    pub(super) binary: Option<u8>,
    pub(super) meter: Option<String>,
}

impl ViewQuery {
    /// Refuses what this door has no use for, like a field nobody knows. Common to all are the cursor and the filter.
    pub(super) fn may_give(&self, fields: &[&str]) -> Result<(), Refused> {
        let given = [
            ("limit", self.limit.is_some()),
            ("wait", self.wait.is_some()),
            ("binary", self.binary.is_some()),
        ];
        match given.iter().find(|(field, given)| *given && !fields.contains(field)) {
            Some((field, _)) => Err(invalid(field, "not for this door")),
            None => Ok(()),
        }
    }

    /// Refuses a meter there is none of: what it counts would be lost.
    pub(super) fn may_meter(&self, metered: &Metered) -> Result<(), Refused> {
        match &self.meter {
            Some(id) if metered.0.as_ref().is_none_or(|meter| meter.id() != id) => {
                Err(problem(Code::UnknownMeter, id))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn start(&self) -> Result<Start, Refused> {
        let after = match self.after.as_deref() {
            None => After::Beginning,
            Some("head") => After::Head,
            Some(seq) => {
                seq.parse().map(|seq| After::Seq(Seq(seq))).map_err(|_| invalid("after", "a seq, or head"))?
            }
        };
        Ok(Start { epoch: self.epoch.clone(), after })
    }

    pub(super) fn filter(&self) -> Result<Filter, Refused> {
        let socket =
            self.socket.as_deref().map(str::parse).transpose().map_err(|_| invalid("socket", "like s1"))?;
        let types = self.types.as_deref().map(|types| self::types(types.split(','))).transpose()?;
        let (without_hidden, without_kernel) = (self.hidden == Some(false), self.kernel == Some(false));
        Ok(Filter { socket, types, without_hidden, without_kernel })
    }

    pub(super) fn mode(&self) -> Result<PayloadMode, Refused> {
        self.payload
            .as_deref()
            .map_or(Ok(PayloadMode::Full), |mode| mode.parse().map_err(|why| invalid("payload", why)))
    }
}

/// Types of event by name.
pub(super) fn types<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<&'static str>, Refused> {
    let known = |name: &str| convert::TYPE_NAMES.into_iter().find(|known| *known == name);
    names
        .map(|name| known(name).ok_or_else(|| invalid("type", "types of event, separated by commas")))
        .collect()
}

/// A field of the query is wrong.
pub(super) fn invalid(field: &str, want: &str) -> Refused {
    problem(Code::InvalidQuery, format!("{field} is {want}")).with("field", field)
}

/// Which log an id was learned from: what is ended by it is never somebody else's of a server that started since.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfEpoch {
    pub(super) epoch: Option<String>,
}

/// Refuses a seq or an id of another log.
pub(super) fn same_epoch(workspace: &Workspace, epoch: Option<&str>) -> Result<(), Refused> {
    match epoch {
        Some(epoch) if epoch != workspace.epoch() => {
            Err(problem(Code::WrongEpoch, "the server was restarted since").with("epoch", workspace.epoch()))
        }
        _ => Ok(()),
    }
}
