//! A client of Wisp that folds what it hears.

use std::{collections::HashMap, net::SocketAddr};

use tokio::net::TcpStream;

use crate::{
    raw::{Asking, BINARY, CLOSE, Raw, noise},
    support::{peer, *},
};

pub(crate) const CONNECT: u8 = 1;
pub(crate) const DATA: u8 = 2;
pub(crate) const CONTINUE: u8 = 3;
pub(crate) const OVER: u8 = 4;
pub(crate) const INFO: u8 = 5;

pub(crate) const TCP: u8 = 1;
pub(crate) const UDP: u8 = 2;

/// What an INFO lists: numbers, and what is said of each.
pub(crate) type Extensions = Vec<(u8, Vec<u8>)>;

/// A client, with all that it heard.
pub(crate) struct Wisp {
    pub(crate) raw: Raw,
    /// The server's INFO, where there was one: version and extensions.
    pub(crate) info: Option<((u8, u8), Extensions)>,
    /// What every CONTINUE said, by stream.
    pub(crate) credits: HashMap<u32, Vec<u32>>,
    pub(crate) data: HashMap<u32, Vec<u8>>,
    /// The messages of data, one by one.
    pub(crate) messages: HashMap<u32, Vec<Vec<u8>>>,
    /// Of each stream every CLOSE, and how many bytes had come by then.
    pub(crate) over: HashMap<u32, Vec<(u8, usize)>>,
    /// How the WebSocket was closed.
    pub(crate) closed: Option<Option<u16>>,
}

pub(crate) fn packet(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    [&[kind], &stream.to_le_bytes()[..], payload].concat()
}

pub(crate) fn connect(stream: u32, kind: u8, host: &str, port: u16) -> Vec<u8> {
    packet(CONNECT, stream, &[&[kind], &port.to_le_bytes()[..], host.as_bytes()].concat())
}

pub(crate) fn to(stream: u32, address: SocketAddr) -> Vec<u8> {
    connect(stream, TCP, &address.ip().to_string(), address.port())
}

pub(crate) fn info(extensions: &[(u8, &[u8])]) -> Vec<u8> {
    let mut payload = vec![2, 0];
    for (id, said) in extensions {
        payload.push(*id);
        payload.extend(u32::try_from(said.len()).expect("short").to_le_bytes());
        payload.extend_from_slice(said);
    }
    packet(INFO, 0, &payload)
}

impl Wisp {
    pub(crate) async fn ask(server: &TestServer, path: &str, asking: &Asking<'_>) -> Self {
        Self {
            raw: Raw::ask(server.address(), path, asking).await,
            info: None,
            credits: HashMap::new(),
            data: HashMap::new(),
            messages: HashMap::new(),
            over: HashMap::new(),
            closed: None,
        }
    }

    /// Of version 1, ready.
    pub(crate) async fn v1(server: &TestServer) -> Self {
        Self::v1_at(server, "/wisp/").await
    }

    pub(crate) async fn v1_at(server: &TestServer, path: &str) -> Self {
        let mut wisp = Self::ask(server, path, &Asking::default()).await;
        wisp.hear().await;
        assert!(wisp.credits[&0][0] > 0 && wisp.info.is_none(), "CONTINUE of stream 0 comes first");
        wisp
    }

    /// Of version 2, with the server's INFO heard and nothing said.
    pub(crate) async fn v2(server: &TestServer) -> Self {
        let headers = [("Sec-WebSocket-Protocol", "wisp-v2")];
        let mut wisp = Self::ask(server, "/wisp/", &Asking { headers: &headers, ..Asking::default() }).await;
        wisp.hear().await;
        assert!(wisp.info.is_some() && wisp.credits.is_empty(), "INFO comes first");
        wisp
    }

    pub(crate) async fn say(&mut self, packet: &[u8]) {
        self.raw.send(packet).await;
    }

    /// Hears one frame.
    pub(crate) async fn hear(&mut self) {
        let frame = self.raw.down.frame().await;
        self.fold(frame);
    }

    /// Sends bytes as they are, and hears meanwhile.
    pub(crate) async fn flood(&mut self, bytes: &[u8]) {
        let mut frames = Vec::new();
        {
            let Raw { up, down } = &mut self.raw;
            let sending = up.bytes(bytes);
            tokio::pin!(sending);
            loop {
                tokio::select! {
                    () = &mut sending => break,
                    frame = down.frame() => frames.push(frame),
                }
            }
        }
        frames.into_iter().for_each(|frame| self.fold(frame));
    }

    fn fold(&mut self, frame: Option<(u8, Vec<u8>)>) {
        let message = match frame {
            Some((BINARY, message)) => message,
            Some((CLOSE, payload)) => {
                let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                self.closed = Some(code);
                return;
            }
            Some(_) => return,
            None => panic!("the connection ended"),
        };
        let (&[kind, a, b, c, d], payload) = message.split_first_chunk().expect("a head");
        let stream = u32::from_le_bytes([a, b, c, d]);
        match kind {
            DATA => {
                self.data.entry(stream).or_default().extend_from_slice(payload);
                self.messages.entry(stream).or_default().push(payload.to_vec());
            }
            CONTINUE => {
                let credits = u32::from_le_bytes(payload.try_into().expect("four bytes"));
                self.credits.entry(stream).or_default().push(credits);
            }
            OVER => {
                let &[reason] = payload else { panic!("a reason is one byte: {payload:?}") };
                let came = self.data.get(&stream).map_or(0, Vec::len);
                self.over.entry(stream).or_default().push((reason, came));
            }
            INFO => {
                let (&[major, minor], mut rest) = payload.split_first_chunk().expect("a version");
                let mut extensions = Vec::new();
                while let Some((&[id, a, b, c, d], behind)) = rest.split_first_chunk() {
                    let (said, behind) = behind.split_at(u32::from_le_bytes([a, b, c, d]) as usize);
                    extensions.push((id, said.to_vec()));
                    rest = behind;
                }
                self.info = Some(((major, minor), extensions));
            }
            other => panic!("packet type {other}"),
        }
    }

    /// Hears until the condition holds.
    pub(crate) async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        within(what, async {
            while !condition(self) {
                assert!(self.closed.is_none(), "closed ({:?}) before: {what}", self.closed);
                self.hear().await;
            }
        })
        .await;
    }

    /// Hears until a stream is over: why.
    pub(crate) async fn over(&mut self, stream: u32) -> u8 {
        self.until("a CLOSE", |wisp| wisp.over.contains_key(&stream)).await;
        self.over[&stream][0].0
    }

    /// Hears until so many bytes of a stream have come, all there are.
    pub(crate) async fn came(&mut self, stream: u32, count: usize) -> &[u8] {
        self.until("data", |wisp| wisp.data.get(&stream).is_some_and(|data| data.len() >= count)).await;
        &self.data[&stream]
    }

    /// Hears until the WebSocket is closed: with which code.
    pub(crate) async fn left(&mut self) -> Option<u16> {
        while self.closed.is_none() {
            self.hear().await;
        }
        self.closed.expect("just closed")
    }

    /// Opens a stream to a peer.
    pub(crate) async fn stream(&mut self, id: u32, peer: &TcpPeer) -> TcpStream {
        self.say(&to(id, peer.address())).await;
        peer.accept().await
    }

    /// Shows that a stream carries bytes both ways, whatever happened to others.
    pub(crate) async fn alive(&mut self, id: u32, stream: &mut TcpStream) {
        let said = noise(3000);
        self.say(&packet(DATA, id, &said)).await;
        assert_eq!(peer::read(stream, said.len()).await, said);
        let before = self.data.get(&id).map_or(0, Vec::len);
        peer::write(stream, &said).await;
        assert_eq!(self.came(id, before + said.len()).await[before..], said);
    }
}
