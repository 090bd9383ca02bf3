//! A program behind a bridge, and keys for it.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use sockscope_wire::{BridgeKey, KeyList, KeyMade, Ticket};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest as _,
        http::{HeaderName, HeaderValue},
        protocol::frame::coding::CloseCode,
    },
};

use crate::support::{http::Conn, *};

/// A WebSocket that is a bridge.
#[derive(Debug)]
pub(crate) struct Bridge {
    ws: WebSocketStream<TcpStream>,
    /// The subprotocol that was granted.
    pub(crate) protocol: Option<String>,
    /// What came and was not asked for yet.
    heard: Vec<u8>,
}

impl Bridge {
    /// Opens one, or says with which status it was refused.
    pub(crate) async fn open(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Self, u16> {
        let stream = within("connecting to the server", TcpStream::connect(address)).await.expect("connects");
        let mut request = format!("ws://{address}{path}").into_client_request().expect("a URL");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            request.headers_mut().append(name, HeaderValue::from_str(value).expect("a header value"));
        }
        match within("a WebSocket upgrade", client_async(request, stream)).await {
            Ok((ws, response)) => {
                let protocol = response.headers().get("sec-websocket-protocol");
                let protocol = protocol.map(|protocol| protocol.to_str().expect("text").to_owned());
                Ok(Self { ws, protocol, heard: Vec::new() })
            }
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// Sends a binary message.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let message = Message::binary(bytes.to_vec());
        within("sending over a bridge", self.ws.send(message)).await.expect("sends");
    }

    /// Sends a text message.
    pub(crate) async fn send_text(&mut self, text: &str) {
        within("sending over a bridge", self.ws.send(Message::text(text))).await.expect("sends");
    }

    /// Receives exactly so many bytes.
    pub(crate) async fn receive(&mut self, count: usize) -> Vec<u8> {
        while self.heard.len() < count {
            match within("bytes over a bridge", self.ws.next()).await {
                Some(Ok(Message::Binary(bytes))) => self.heard.extend_from_slice(&bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?} after {} of {count} bytes", self.heard.len()),
            }
        }
        self.heard.drain(..count).collect()
    }

    /// Waits for a ping.
    pub(crate) async fn ping(&mut self) {
        match within("a ping", self.ws.next()).await {
            Some(Ok(Message::Ping(_))) => {}
            other => panic!("{other:?} instead of a ping"),
        }
    }

    /// Listens until the server closes: with which code, and the reason it gives.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match within("a close frame", self.ws.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    // Our answer to it, which was only queued.
                    within("closing", self.ws.flush()).await.ok();
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Close(None))) => return (CloseCode::Status.into(), String::new()),
                Some(Ok(Message::Binary(bytes))) => self.heard.extend_from_slice(&bytes),
                Some(Ok(_)) => {}
                other => panic!("{other:?} instead of a close frame"),
            }
        }
    }

    /// What came before the close.
    pub(crate) fn heard(&self) -> &[u8] {
        &self.heard
    }

    /// Says good-bye.
    pub(crate) async fn close(&mut self) {
        within("closing", self.ws.close(None)).await.ok();
    }
}

/// Asks for an upgrade with exactly these headers: the status, and the body unless it was granted.
pub(crate) async fn ask_upgrade(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let request = headers
        .iter()
        .fold(Request::bare("GET", path), |request, (name, value)| request.header(name, value))
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let mut conn = Conn::connect(address).await;
    let response = conn.ask(&request).await.unwrap_or_else(|| panic!("no answer to {path}"));
    (response.status, response.text())
}

/// A ticket, which opens one connection.
pub(crate) async fn ticket(client: &Client) -> String {
    client.post("/api/v1/tickets", &json!({})).await.ok::<Ticket>().ticket
}

/// Makes a key that leads to these targets; `more` of what it may say.
pub(crate) async fn key(client: &Client, targets: &[&str], more: Value) -> KeyMade {
    let mut request = json!({ "targets": targets });
    request.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    client.post("keys", &request).await.ok()
}

/// A key as it is listed now.
pub(crate) async fn listed(client: &Client, id: &str) -> BridgeKey {
    let KeyList { keys } = client.get("keys").await.ok();
    keys.into_iter().find(|key| key.id == id).expect("it is listed")
}

/// The keyed path of a bridge to a TCP port.
pub(crate) fn tcp(secret: &str, to: SocketAddr) -> String {
    format!("/k/{secret}/bridge/tcp/{}/{}", to.ip(), to.port())
}
