//! The WebSocket: events down, commands up.

use std::{future::pending, pin::Pin, sync::Arc, time::Duration};

use axum::{
    extract::{
        Extension, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, rejection::WebSocketUpgradeRejection},
    },
    response::Response,
};
use futures_util::FutureExt as _;
use sockscope_wire::{
    ClientFrame, Code, Hello, PatchSocket, Reply, SendRequest, ServerFrame, SocketId, Subscribe,
    WatchCommand, close_code,
};
use tokio::time::{Instant, interval, timeout};
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

use crate::http::{
    App,
    answer::{Answer, No},
    front::{connection::ConnectionInfo, gate::PROTOCOL, timed::Timed},
    request::{Ask, Metered, Room, ViewQuery, parse, types},
};
use crate::{
    ask::data,
    feed::{After, Cursor, STREAM_BATCH, Start},
    log::Filter,
    problem::{Refused, Saying as _, problem},
    workspace::{LOOKED_AT, Look, Order},
};

/// tungstenite's buffers: an idle viewer holds two of these and little else.
const BUFFER: usize = 4 * 1024;

/// The largest command. Larger sends go through POST.
const COMMAND: usize = 64 * 1024;

/// The largest frame that is read: a command that is too large is heard to its end, so that its sender gets the close
/// frame. Closing with unread bytes would reset the connection, and the close frame with it.
const FRAME: usize = 4 * COMMAND;

/// More than the largest batch, so that one always fits: its payload in base64 and 2,048 events around it.
const MAX_WRITE: usize = 4 << 20;

/// How long one write may be blocked before the viewer is dropped.
const BLOCKED: Duration = Duration::from_secs(10);

/// How often a viewer is asked whether it lives, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(30);

/// Upgrades, and serves until one side ends it.
pub(in crate::http) async fn ws(
    State(app): State<App>,
    room: Room,
    Ask(query): Ask<ViewQuery>,
    metered: Metered,
    Extension(connection): Extension<ConnectionInfo>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer {
    let upgrade = upgrade.map_err(|error| No(problem(Code::NotAWebSocket, error.body_text())))?;
    query.may_give(&["binary"])?;
    query.may_meter(&metered)?;
    let cursor = Cursor::new(&room.workspace, &query.start()?, query.filter()?, query.mode()?);
    let binary = query.binary.is_some_and(|binary| binary != 0);
    let response: Response = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(MAX_WRITE)
        .max_message_size(FRAME)
        .max_frame_size(FRAME)
        .on_upgrade(move |socket| {
            let conn = room.workspace.name('v');
            let look = room.workspace.kernel().look();
            let timed = app.clone();
            let viewer = Viewer {
                app,
                room,
                conn,
                socket,
                cursor,
                binary,
                paused: false,
                heard: Instant::now(),
                answering: None,
                look,
                metered,
            };
            Timed::new(timed, connection.wire, Box::pin(viewer.serve()))
        });
    Ok(response)
}

struct Viewer {
    app: App,
    room: Room,
    /// The first half of its commands' cause.
    conn: String,
    socket: WebSocket,
    cursor: Cursor,
    binary: bool,
    /// It wants no events for now.
    paused: bool,
    /// When it last said anything.
    heard: Instant,
    /// The answer to its last command takes a while: a name is being resolved. Its next command is read after that,
    /// so that commands keep their order; events go on meanwhile.
    answering: Option<Later>,
    /// What it looks at.
    look: Look,
    /// Who counts what it is told.
    metered: Metered,
}

/// An answer that takes a while.
type Later = Pin<Box<dyn Future<Output = Reply> + Send>>;

enum Step {
    Batch(Box<crate::feed::Batch>),
    Message(Option<Result<Message, axum::Error>>),
    Answer(Reply),
    Ping,
    Ending,
}

/// The connection is over: with a close frame, or without.
enum End {
    Say(u16, &'static str),
    Gone,
}

impl End {
    const TOO_LARGE: Self = Self::Say(close_code::TOO_LARGE, "a command has at most 64 KiB");

    /// A viewer that broke a rule of RFC 6455 is told which.
    fn because_of(error: axum::Error) -> Self {
        match error.into_inner().downcast_ref::<tungstenite::Error>() {
            Some(tungstenite::Error::Capacity(_)) => Self::TOO_LARGE,
            Some(tungstenite::Error::Utf8(_)) => Self::Say(close_code::NOT_TEXT, "text is UTF-8"),
            Some(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Self::Gone,
            Some(tungstenite::Error::Protocol(_)) => Self::Say(close_code::PROTOCOL, "no frame of RFC 6455"),
            _ => Self::Gone,
        }
    }
}

impl Viewer {
    async fn serve(mut self) {
        let end = match self.greet().await {
            Ok(()) => self.follow().await,
            Err(end) => end,
        };
        if let End::Say(code, reason) = end {
            let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            // Best effort: a viewer that does not read will not see why it was dropped.
            let _ = timeout(Duration::from_millis(200), self.socket.send(frame)).await;
        }
    }

    async fn greet(&mut self) -> Result<(), End> {
        let workspace = &self.room.workspace;
        let (first, head) = workspace.bounds();
        let hello = Hello {
            conn: self.conn.clone(),
            epoch: workspace.epoch().to_owned(),
            first,
            head,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now_us: workspace.anchor().micros(Instant::now()),
        };
        self.say(&ServerFrame::Hello { hello }).await
    }

    async fn follow(&mut self) -> End {
        let mut ping = interval(PING);
        ping.reset();
        let ending = self.app.ending.clone();
        loop {
            let listening = self.answering.is_none();
            let answer = async {
                match &mut self.answering {
                    Some(later) => later.await,
                    None => pending().await,
                }
            };
            let step = tokio::select! {
                biased;
                () = ending.cancelled() => Step::Ending,
                reply = answer => Step::Answer(reply),
                message = self.socket.recv(), if listening => Step::Message(message),
                _ = ping.tick() => Step::Ping,
                batch = self.cursor.next(STREAM_BATCH), if !self.paused => Step::Batch(Box::new(batch)),
            };
            let result = match step {
                Step::Ending => return End::Say(close_code::SHUTTING_DOWN, "shutting down"),
                Step::Message(message) => self.heard(message).await,
                Step::Answer(reply) => {
                    self.answering = None;
                    self.say(&ServerFrame::Reply(reply)).await
                }
                Step::Ping if self.heard.elapsed() > PING + PONG => {
                    return End::Say(close_code::GONE, "no answer to pings");
                }
                Step::Ping => self.write(Message::Ping(bytes::Bytes::new())).await,
                Step::Batch(batch) => {
                    if let Metered(Some(meter)) = &self.metered {
                        meter.told(batch.len());
                    }
                    let message = if self.binary {
                        Message::Binary(batch.binary().into())
                    } else {
                        Message::Text(batch.json().into())
                    };
                    // What the batch held of the log is free before the write waits.
                    drop(batch);
                    self.write(message).await
                }
            };
            if let Err(end) = result {
                return end;
            }
        }
    }

    async fn say(&mut self, frame: &ServerFrame) -> Result<(), End> {
        let json = serde_json::to_string(frame).map_err(|_| End::Say(close_code::INTERNAL, "internal"))?;
        self.write(Message::Text(json.into())).await
    }

    /// One write at a time; one that is blocked for too long ends the viewer, never a socket.
    async fn write(&mut self, message: Message) -> Result<(), End> {
        if let Metered(Some(meter)) = &self.metered {
            meter.body(match &message {
                Message::Text(text) => text.len(),
                Message::Binary(batch) => batch.len(),
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => 0,
            });
        }
        match timeout(BLOCKED, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Gone),
            Err(_) => Err(End::Say(close_code::SLOW, "not reading")),
        }
    }

    async fn heard(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) if text.len() > COMMAND => Err(End::TOO_LARGE),
            Some(Ok(Message::Text(text))) => {
                let mut reply = self.obey(text.as_bytes());
                // Nearly every answer is there at once.
                match reply.as_mut().now_or_never() {
                    Some(reply) => self.say(&ServerFrame::Reply(reply)).await,
                    None => {
                        self.answering = Some(reply);
                        Ok(())
                    }
                }
            }
            Some(Ok(Message::Binary(_))) => {
                let refused = problem(Code::MalformedFrame, "commands are text frames");
                self.say(&ServerFrame::Reply(answer(None, Err(refused)))).await
            }
            // tungstenite answers pings and closes by itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Err(error)) => Err(End::because_of(error)),
            Some(Ok(Message::Close(_))) | None => Err(End::Gone),
        }
    }

    /// Does what a command says. The answer is there at once, but for a send to a name.
    fn obey(&mut self, text: &[u8]) -> Later {
        let frame: ClientFrame = match parse(text) {
            Ok(frame) => frame,
            Err(refused) => return at_once(answer(id_of(text), Err(refused))),
        };
        let id = frame.id.clone();
        if id.is_empty()
            || id.len() > 64
            || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            let refused = problem(Code::MalformedFrame, "an id has 1 to 64 letters, digits, - or _");
            return at_once(answer(None, Err(refused)));
        }
        let cause = format!("{}.{id}", self.conn);
        let order = Order::new(cause.clone(), &self.room.principal.name);
        let reply = move |result| {
            let mut reply = answer(Some(id), result);
            if reply.problem.is_none() {
                reply.cause = Some(cause);
            }
            reply
        };
        match self.wish(&order, frame) {
            Ok(Wish::Done(socket)) => at_once(reply(Ok(socket))),
            Err(refused) => at_once(reply(Err(refused))),
            Ok(Wish::Send { socket, bytes, to }) => {
                let workspace = Arc::clone(&self.room.workspace);
                Box::pin(async move {
                    let sent = workspace.send(&order, socket, bytes, to.as_deref()).await;
                    reply(sent.map(|()| None))
                })
            }
        }
    }

    fn wish(&mut self, order: &Order, frame: ClientFrame) -> Result<Wish, Refused> {
        let workspace = &self.room.workspace;
        let ClientFrame { id: _, open, send, shutdown, close, set, subscribe, watch } = frame;
        let given = [
            open.is_some(),
            send.is_some(),
            shutdown.is_some(),
            close.is_some(),
            set.is_some(),
            subscribe.is_some(),
            watch.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() != 1 {
            let one = "give exactly one of open, send, shutdown, close, set, subscribe, watch";
            return Err(problem(Code::MalformedFrame, one));
        }
        if let Some(open) = open {
            return workspace.open(order, &open).map(|guard| Wish::Done(Some(guard.leave())));
        }
        if let Some(send) = send {
            let sockscope_wire::SendCommand { socket, text, escaped, hex, base64, to } = send;
            let request = SendRequest { text, escaped, hex, base64, to, timeout_ms: None };
            let bytes = data(&request)?;
            return Ok(Wish::Send { socket, bytes, to: request.to });
        }
        if let Some(shutdown) = shutdown {
            let sockscope_wire::How::Write = shutdown.how;
            workspace.shutdown(order, shutdown.socket)?;
        }
        if let Some(close) = close {
            workspace.close(order, close.socket, close.reset, close.children)?;
        }
        if let Some(set) = set {
            let patch = PatchSocket { name: set.name, options: set.options };
            workspace.patch(order, set.socket, &patch)?;
        }
        if let Some(subscribe) = subscribe {
            self.subscribe(subscribe)?;
        }
        if let Some(WatchCommand { sockets }) = watch {
            if sockets.len() > LOOKED_AT {
                let most = format!("look at {LOOKED_AT} sockets at most");
                return Err(problem(Code::MalformedFrame, most).with("max", LOOKED_AT));
            }
            self.look.at(sockets);
        }
        Ok(Wish::Done(None))
    }

    fn subscribe(&mut self, wish: Subscribe) -> Result<(), Refused> {
        let Subscribe { payload, binary, socket, types: names, hidden, kernel, after, paused } = wish;
        let types = if names.is_empty() { None } else { Some(types(names.iter().map(String::as_str))?) };
        self.cursor.filter = Filter {
            socket,
            types,
            without_hidden: hidden == Some(false),
            without_kernel: kernel == Some(false),
        };
        self.cursor.mode = payload;
        self.binary = binary;
        self.paused = paused;
        if let Some(after) = after {
            self.cursor.seek(&Start { epoch: None, after: After::Seq(after) });
        }
        Ok(())
    }
}

/// What became of a command.
enum Wish {
    /// It is given; an opening has its socket's name.
    Done(Option<SocketId>),
    /// Bytes are to be sent, which may have to wait for a name.
    Send { socket: SocketId, bytes: Vec<u8>, to: Option<String> },
}

fn at_once(reply: Reply) -> Later {
    Box::pin(std::future::ready(reply))
}

/// The id of a frame that was not understood, if it has one: its sender waits for an answer.
fn id_of(text: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(text).ok()?;
    value.get("id")?.as_str().map(str::to_owned)
}

fn answer(re: Option<String>, result: Result<Option<SocketId>, Refused>) -> Reply {
    match result {
        Ok(socket) => Reply { re, cause: None, socket, problem: None },
        Err(refused) => Reply { re, cause: None, socket: None, problem: Some(*refused) },
    }
}
