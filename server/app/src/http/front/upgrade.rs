//! A connection that becomes a WebSocket whose frames are ours to read (RFC 6455 §4.2).

use axum::{body::Body, extract::Request, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::TokioIo;
use sockscope_wire::Code;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{connection::Counted, serve::EVERY};
use crate::problem::{Refused, problem};

/// Headers of an answer that grants an upgrade, beside those that every answer carries.
const OWN: usize = 4;

/// An upgrade that was asked for as it should be.
pub(in crate::http) struct Upgrade {
    accept: HeaderValue,
    pending: OnUpgrade,
}

impl Upgrade {
    /// Takes the upgrade out of a request.
    ///
    /// # Errors
    /// When it asks for none, or for one that this server does not speak.
    pub(in crate::http) fn of(request: &mut Request) -> Result<Self, Refused> {
        let no = |detail: &str| problem(Code::NotAWebSocket, detail);
        let headers = request.headers();
        if !lists(headers, header::CONNECTION, "upgrade") {
            return Err(no("Connection: upgrade is missing"));
        }
        if !lists(headers, header::UPGRADE, "websocket") {
            return Err(no("Upgrade: websocket is missing"));
        }
        if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(no("Sec-WebSocket-Version: 13 is missing"));
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or_else(|| no("Sec-WebSocket-Key is missing"))?;
        let accept = derive_accept_key(key.as_bytes());
        let accept =
            HeaderValue::try_from(accept).map_err(|error| problem(Code::Internal, error.to_string()))?;
        let pending = request.extensions_mut().remove().ok_or_else(|| no("this connection cannot change"))?;
        Ok(Self { accept, pending })
    }

    /// The answer that grants it, with one of the subprotocols that were offered.
    pub(in crate::http) fn grant(&self, protocol: Option<HeaderValue>) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.reserve(OWN + EVERY.len());
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(protocol) = protocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }

    /// The connection, once the answer is sent, and what came behind the request; `None` where it is gone. That is a copy: whoever
    /// holds on to hyper's buffer, even to none of its bytes, keeps all of it, 8 KiB at least.
    pub(in crate::http) async fn connection(self) -> Option<(Counted, Box<[u8]>)> {
        let upgraded = self.pending.await;
        let upgraded =
            upgraded.inspect_err(|error| tracing::debug!(%error, "a client left before the upgrade")).ok()?;
        match upgraded.downcast::<TokioIo<Counted>>() {
            Ok(Parts { io, read_buf, .. }) => Some((io.into_inner(), read_buf[..].into())),
            Err(_) => {
                tracing::error!("a connection is not what the accept loop made");
                None
            }
        }
    }
}

/// Whether a header that is a list has this in it.
fn lists(headers: &HeaderMap, name: header::HeaderName, wanted: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|one| one.trim().eq_ignore_ascii_case(wanted))
}
