//! A WebSocket viewer that folds what it hears.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Map, Value, json};
use sockscope_wire::{Event, Gap, Hello, Page, Reply, Seq, ServerFrame};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        self, Message,
        client::IntoClientRequest as _,
        http::{HeaderName, HeaderValue, Response},
    },
};

use super::{Client, DEADLINE, batch::decode_batch, within};

/// A viewer. What it heard is in its fields; [`Viewer::until`] listens until they say what is waited for.
pub struct Viewer {
    ws: WebSocketStream<TcpStream>,
    pub hello: Hello,
    pub events: Vec<Event>,
    /// The events as the JSON they came as; of binary frames, as the page says with the payload put back.
    pub raw: Vec<Value>,
    pub gaps: Vec<Gap>,
    pub pages: usize,
    pub replies: HashMap<String, Reply>,
    /// Replies to frames without a readable id.
    pub nameless: Vec<Reply>,
    /// Continue after this one.
    pub next: Seq,
    /// Set once the connection is over: the close code, if a close frame came.
    pub closed: Option<Option<u16>>,
    commands: usize,
}

/// Upgrades a connection, with these headers beside the usual ones.
pub async fn upgrade(
    address: SocketAddr,
    query: &str,
    headers: &[(&str, &str)],
) -> Result<(WebSocketStream<TcpStream>, Response<Option<Vec<u8>>>), tungstenite::Error> {
    let stream = within("connecting to the server", TcpStream::connect(address)).await.expect("connects");
    upgrade_on(stream, address, query, headers).await
}

/// Upgrades this connection.
pub async fn upgrade_on(
    stream: TcpStream,
    address: SocketAddr,
    query: &str,
    headers: &[(&str, &str)],
) -> Result<(WebSocketStream<TcpStream>, Response<Option<Vec<u8>>>), tungstenite::Error> {
    let url = format!("ws://{address}{}?{query}", Client::path("ws"));
    let mut request = url.into_client_request().expect("a URL");
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        request.headers_mut().append(name, HeaderValue::from_str(value).expect("a header value"));
    }
    within("a WebSocket upgrade", client_async(request, stream)).await
}

impl Viewer {
    /// Connects with the client's token and waits for the hello; `query` without `?`.
    pub async fn connect(client: &Client, query: &str) -> Self {
        let bearer = format!("Bearer {}", client.token());
        let (ws, _) = upgrade(client.address(), query, &[("authorization", bearer.as_str())])
            .await
            .expect("the upgrade succeeds");
        Self::of(ws).await
    }

    /// Takes over a connection that is upgraded, and waits for the hello.
    pub async fn of(mut ws: WebSocketStream<TcpStream>) -> Self {
        let first = within("the hello", ws.next()).await.expect("a frame").expect("no error");
        let frame = serde_json::from_str(first.to_text().expect("hello is text")).expect("a frame of ours");
        let ServerFrame::Hello { hello } = frame else { panic!("the first frame is hello, not {frame:?}") };
        Self {
            ws,
            hello,
            events: Vec::new(),
            raw: Vec::new(),
            gaps: Vec::new(),
            pages: 0,
            replies: HashMap::new(),
            nameless: Vec::new(),
            next: Seq(0),
            closed: None,
            commands: 0,
        }
    }

    /// Hears one frame; nothing once the connection is over.
    pub async fn hear(&mut self) {
        match self.ws.next().await {
            Some(Ok(Message::Text(text))) => {
                let frame: ServerFrame = serde_json::from_str(&text).expect("a frame of ours");
                match frame {
                    ServerFrame::Hello { .. } => panic!("hello comes once"),
                    ServerFrame::Reply(reply) => match reply.re.clone() {
                        Some(re) => assert!(self.replies.insert(re, reply).is_none(), "one reply a command"),
                        None => self.nameless.push(reply),
                    },
                    ServerFrame::Page(page) => {
                        let value: Value = serde_json::from_str(&text).expect("JSON");
                        let events = value["events"].as_array().expect("events").clone();
                        self.fold(page, events);
                    }
                }
            }
            Some(Ok(Message::Binary(batch))) => {
                let page = decode_batch(&batch).expect("a binary batch");
                let events =
                    page.events.iter().map(|event| serde_json::to_value(event).expect("JSON")).collect();
                self.fold(page, events);
            }
            Some(Ok(Message::Close(frame))) => self.closed = Some(frame.map(|frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => {
                self.closed.get_or_insert(None);
            }
        }
    }

    fn fold(&mut self, page: Page, raw: Vec<Value>) {
        assert_eq!(page.epoch, self.hello.epoch);
        assert!(!page.events.is_empty() || !page.gaps.is_empty(), "a frame says something");
        self.pages += 1;
        self.next = page.next;
        self.events.extend(page.events);
        self.raw.extend(raw);
        self.gaps.extend(page.gaps);
    }

    /// Listens until the condition holds of what it heard; panics when the connection ends before.
    pub async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        self.until_in(DEADLINE, what, condition).await;
    }

    /// The same with a deadline.
    pub async fn until_in(&mut self, deadline: Duration, what: &str, condition: impl Fn(&Self) -> bool) {
        let listening = async {
            while !condition(self) {
                if let Some(code) = self.closed {
                    panic!("closed ({code:?}) before: {what}");
                }
                self.hear().await;
            }
        };
        if tokio::time::timeout(deadline, listening).await.is_err() {
            let last = self.events.last();
            panic!("not within {deadline:?}: {what}; {} events, the last {last:?}", self.events.len());
        }
    }

    /// Listens until it has heard of everything up to this seq.
    pub async fn until_next(&mut self, seq: Seq) {
        self.until(&format!("events up to {seq}"), |viewer| viewer.next >= seq).await;
    }

    /// Listens until an event like this came; that event.
    pub async fn until_event(&mut self, what: &str, like: impl Fn(&Event) -> bool) -> Event {
        self.until(what, |viewer| viewer.events.iter().any(&like)).await;
        self.events.iter().find(|event| like(event)).cloned().expect("just seen")
    }

    /// Listens until the connection is over; the close code, if a close frame came.
    pub async fn until_closed(&mut self) -> Option<u16> {
        within("the connection's end", async {
            while self.closed.is_none() {
                self.hear().await;
            }
        })
        .await;
        self.closed.flatten()
    }

    /// Sends a frame as it is. That the server has closed meanwhile is seen when listening.
    pub async fn say(&mut self, message: Message) {
        within("sending a frame", self.ws.send(message)).await.ok();
    }

    /// Gives a command with an id of its own, and listens until it is answered.
    pub async fn command(&mut self, wish: &str, value: Value) -> Reply {
        self.commands += 1;
        let id = format!("c{}", self.commands);
        let mut frame = Map::new();
        frame.insert("id".to_owned(), json!(id));
        frame.insert(wish.to_owned(), value);
        self.say(Message::text(Value::Object(frame).to_string())).await;
        self.until(&format!("the reply to {id}"), |viewer| viewer.replies.contains_key(&id)).await;
        self.replies[&id].clone()
    }

    /// The connection itself: dropping it leaves without a word.
    pub fn into_stream(self) -> TcpStream {
        self.ws.into_inner()
    }
}
