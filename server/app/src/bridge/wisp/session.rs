//! A Wisp connection: what its client says, and the streams it opens.

use std::{ops::Range, sync::Arc, time::Duration};

use sockscope_sockets::{
    options::MAX_DATAGRAM,
    target::{Scheme, Target, parse_endpoint},
};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    Begun, CHALLENGE, Credits, Fault, Handshake, Head, Outcome, Packet, PacketType, Reserve, Settings,
    StreamType, Version,
    packet::close_packet,
    reason,
    stream::{Over, Stream},
};
use crate::bridge::{
    Client, Close, Incoming, Opener,
    frame::{self, Item, Kind, code},
    many::{Ended, Streams, called_off, finish},
    outbox::Outbox,
    pace::Pace,
};

/// How long a client may take to say which version it speaks: one of before v2 that names a subprotocol says nothing.
const SILENCE: Duration = Duration::from_secs(5);

/// So many streams more than there may be are asked for at once, each to be refused by what it is refused by, and to be listed;
/// of more it is only said that they are too many.
const REFUSED: usize = 256;

/// The longest packet that is taken in whole: a datagram.
const LONGEST: usize = Head::LEN + MAX_DATAGRAM;

/// Who opens streams, and what its client is asked for.
pub(crate) struct Session {
    pub(crate) opener: Arc<Opener>,
    pub(crate) settings: Arc<Settings>,
    /// What its streams may borrow of.
    pub(crate) reserve: Arc<Reserve>,
    /// Cancelled when the server goes: without a stream, nothing else would tell the client.
    pub(crate) ending: CancellationToken,
}

/// The message that is coming in parts.
enum Message {
    /// None is.
    Between,
    /// One that is taken in whole.
    Whole(Vec<u8>),
    /// Data of a stream, which is handed on as it comes.
    Data(Arc<Stream>),
    /// Data of a stream that is over, or never was.
    Nobodys,
}

/// Bytes for one stream, gathered from one message or several.
struct Run {
    stream: Arc<Stream>,
    from: usize,
    to: usize,
    packets: u32,
}

impl Session {
    /// Serves a client until it leaves.
    pub(crate) async fn serve(self, client: Client, mut incoming: Incoming, version: Version) {
        let outbox = Arc::new(Outbox::new(client));
        let settings = Arc::clone(&self.settings);
        let mut talk = Talk {
            session: &self,
            outbox: Arc::clone(&outbox),
            handshake: None,
            udp: true,
            message: Message::Between,
            full: Vec::new(),
            streams: Streams::new(),
        };
        let ended = match talk.begin(version, &settings) {
            Ok(()) => talk.listen(&mut incoming).await,
            Err(ended) => ended,
        };
        talk.end(&ended).await;
        ended.part(outbox, &mut incoming).await;
    }
}

/// A connection under way.
struct Talk<'a> {
    session: &'a Session,
    outbox: Arc<Outbox>,
    /// INFO was sent, and not answered.
    handshake: Option<Handshake<'a>>,
    /// The client may open UDP streams.
    udp: bool,
    message: Message,
    /// More waits for these than may.
    full: Vec<Arc<Stream>>,
    streams: Streams<Stream>,
}

impl<'a> Talk<'a> {
    fn begin(&mut self, version: Version, settings: &'a Settings) -> Result<(), Ended> {
        let mut challenge = [0; CHALLENGE];
        getrandom::fill(&mut challenge).map_err(|error| {
            tracing::error!(%error, "there are no random numbers");
            Ended::Told(Close::new(code::INTERNAL, ""))
        })?;
        let mut out = Vec::new();
        let begun = Handshake::begin(version, settings, challenge, &mut out);
        self.outbox.say(&out);
        match begun {
            Begun::Waiting(handshake) => {
                self.handshake = Some(handshake);
                Ok(())
            }
            Begun::Over(outcome) => self.agreed(outcome).map(drop),
        }
    }

    /// Takes note of how the handshake ended. Returns whether the message it ended with is still to be taken.
    fn agreed(&mut self, outcome: Outcome) -> Result<bool, Ended> {
        match outcome {
            Outcome::Accepted(accepted) => {
                self.udp = accepted.version == Version::V1 || accepted.udp;
                Ok(accepted.pending)
            }
            Outcome::Refused(reason) => Err(Ended::Told(Close::new(
                code::POLICY,
                match reason {
                    reason::INCOMPATIBLE => "the versions do not go together",
                    _ => "the credentials are not right",
                },
            ))),
            Outcome::Left(_) => Err(Ended::Closed(None)),
        }
    }

    /// Takes what the client says until the connection is over.
    async fn listen(&mut self, incoming: &mut Incoming) -> Ended {
        let outbox = Arc::clone(&self.outbox);
        let serving = outbox.serve();
        tokio::pin!(serving);
        let deadline = Instant::now() + SILENCE;
        let mut pace = Pace::default();
        loop {
            let silent = self.handshake.is_some();
            let filled = tokio::select! {
                biased;
                _ = &mut serving => return Ended::Lost,
                () = outbox.client.broken() => return Ended::Lost,
                () = self.streams.reap_next() => continue,
                close = called_off(&self.session.opener, &self.session.ending) => return Ended::CalledOff(close),
                () = sleep_until(deadline), if silent => {
                    if let Err(ended) = self.silent() {
                        return ended;
                    }
                    continue;
                }
                filled = incoming.fill(&outbox.client) => filled,
            };
            let (mut buffer, len) = match filled {
                Ok(Some(filled)) => filled,
                Ok(None) | Err(_) => return Ended::Lost,
            };
            if let Err(ended) = self.take(incoming, &mut buffer, len) {
                return ended;
            }
            drop(buffer);
            let full = std::mem::take(&mut self.full);
            let room = async {
                outbox.room().await;
                for stream in full {
                    stream.room().await;
                }
            };
            tokio::select! {
                biased;
                () = room => {}
                close = called_off(&self.session.opener, &self.session.ending) => return Ended::CalledOff(close),
                _ = &mut serving => return Ended::Lost,
                () = outbox.client.broken() => return Ended::Lost,
            }
            pace.round(len).await;
        }
    }

    fn silent(&mut self) -> Result<(), Ended> {
        let Some(handshake) = self.handshake.take() else { return Ok(()) };
        let mut out = Vec::new();
        let outcome = handshake.silent(&mut out);
        self.outbox.say(&out);
        self.agreed(outcome).map(drop)
    }

    /// Takes what was read.
    fn take(&mut self, incoming: &mut Incoming, buffer: &mut [u8], len: usize) -> Result<(), Ended> {
        let mut at = 0;
        let mut run = None;
        while at < len {
            let (used, item) = match incoming.reader.next(&mut buffer[at..len]) {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(frame::Failed(code)) => return Err(Ended::Told(Close::new(code, ""))),
            };
            match item {
                Item::Data { kind: Kind::Text, .. } => {
                    return Err(Ended::Told(Close::new(code::UNSUPPORTED, "packets are binary")));
                }
                Item::Data { start, len, last, .. } => {
                    self.part(buffer, at + start..at + start + len, last, &mut run)?;
                }
                Item::Ping(said) => self.outbox.client.pinged(said),
                Item::Pong(_) => {}
                Item::Close(close) => return Err(Ended::Closed(close.answer())),
            }
            at += used;
        }
        self.hand_on(buffer, &mut run);
        incoming.keep(&buffer[at..len]);
        Ok(())
    }

    /// A part of a message. Data of a stream is closed up at the front of `run`, so that many small packets are one write.
    fn part(
        &mut self,
        buffer: &mut [u8],
        part: Range<usize>,
        last: bool,
        run: &mut Option<Run>,
    ) -> Result<(), Ended> {
        match std::mem::replace(&mut self.message, Message::Between) {
            Message::Between => match self.data(&buffer[part.clone()]) {
                Some(Some(stream)) if last || !stream.datagrams => {
                    stream.begins(part.len() - Head::LEN);
                    self.gather(buffer, stream, part.start + Head::LEN..part.end, last, run);
                }
                Some(None) => self.message = if last { Message::Between } else { Message::Nobodys },
                Some(Some(_)) | None if !last => self.message = Message::Whole(buffer[part].to_vec()),
                Some(Some(_)) | None => {
                    self.hand_on(buffer, run);
                    self.packet(&buffer[part])?;
                }
            },
            Message::Whole(mut whole) => {
                whole.extend_from_slice(&buffer[part]);
                self.hand_on(buffer, run);
                match self.data(&whole) {
                    Some(None) if !last => self.message = Message::Nobodys,
                    Some(Some(stream)) if last || !stream.datagrams => {
                        stream.begins(whole.len() - Head::LEN);
                        self.give(&stream, &whole[Head::LEN..], u32::from(last));
                        if !last {
                            self.message = Message::Data(stream);
                        }
                    }
                    _ if last => self.packet(&whole)?,
                    _ if whole.len() > LONGEST => {
                        return Err(Ended::Told(Close::new(code::TOO_BIG, "a packet is too long")));
                    }
                    _ => self.message = Message::Whole(whole),
                }
            }
            Message::Data(stream) => {
                stream.goes_on(part.len());
                self.gather(buffer, stream, part, last, run);
            }
            Message::Nobodys => self.message = if last { Message::Between } else { Message::Nobodys },
        }
        Ok(())
    }

    /// Whether a message is data, as far as it has come, and of which stream.
    fn data(&self, message: &[u8]) -> Option<Option<Arc<Stream>>> {
        if self.handshake.is_some() {
            return None;
        }
        match Head::parse(message) {
            Ok(Some(Head { packet_type: PacketType::Data, stream })) => {
                Some(self.streams.get(stream).cloned())
            }
            _ => None,
        }
    }

    fn gather(
        &mut self,
        buffer: &mut [u8],
        stream: Arc<Stream>,
        part: Range<usize>,
        last: bool,
        run: &mut Option<Run>,
    ) {
        let goes_on = run.as_ref().is_some_and(|run| !stream.datagrams && Arc::ptr_eq(&run.stream, &stream));
        if !goes_on {
            self.hand_on(buffer, run);
        }
        let run = run.get_or_insert_with(|| Run {
            stream: Arc::clone(&stream),
            from: part.start,
            to: part.start,
            packets: 0,
        });
        let len = part.len();
        buffer.copy_within(part, run.to);
        run.to += len;
        run.packets += u32::from(last);
        if !last {
            self.message = Message::Data(stream);
        }
    }

    /// Hands on what was gathered.
    fn hand_on(&mut self, buffer: &[u8], run: &mut Option<Run>) {
        if let Some(Run { stream, from, to, packets }) = run.take() {
            self.give(&stream, &buffer[from..to], packets);
        }
    }

    fn give(&mut self, stream: &Arc<Stream>, data: &[u8], packets: u32) {
        stream.takes(data, packets, &self.outbox);
        if stream.is_full() {
            self.full.push(Arc::clone(stream));
        }
    }

    /// A whole packet.
    fn packet(&mut self, message: &[u8]) -> Result<(), Ended> {
        if let Some(handshake) = self.handshake.take() {
            let mut out = Vec::new();
            let outcome = handshake.receive(message, &mut out);
            if !out.is_empty() {
                self.outbox.say(&out);
            }
            if !self.agreed(outcome)? {
                return Ok(());
            }
        }
        match Packet::parse(message) {
            Ok(Packet::Connect { stream, kind, port, host }) => self.connect(stream, kind, host, port),
            Ok(Packet::Data { stream, payload }) => {
                if let Some(stream) = self.streams.get(stream).cloned() {
                    stream.begins(payload.len());
                    self.give(&stream, payload, 1);
                }
            }
            Ok(Packet::Close { stream: 0, .. }) => return Err(Ended::Closed(Some(code::NORMAL))),
            Ok(Packet::Close { stream, .. }) => {
                if let Some(stream) = self.streams.remove(stream) {
                    stream.ends(Over::Closed);
                }
            }
            // Said by servers only, or too late: nothing follows from it.
            Ok(Packet::Continue { .. } | Packet::Info { .. }) => {}
            Err(Fault::Stream { stream, reason, .. }) => self.gives_up(stream, reason),
            Err(Fault::Connection(wrong)) => {
                return Err(Ended::Told(Close::new(code::PROTOCOL, wrong.to_string())));
            }
        }
        Ok(())
    }

    /// What the client said of a stream has no meaning: the one it has by that number ends, and it is told.
    fn gives_up(&mut self, id: u32, reason: u8) {
        let is_open = self.streams.remove(id).is_some_and(|stream| stream.ends(Over::Closed));
        // What is said of one that is not open is ignored; a CONNECT opens one.
        if is_open || reason == reason::INVALID {
            self.outbox.say(&close_packet(id, reason));
        }
    }

    fn connect(&mut self, id: u32, kind: StreamType, host: &str, port: u16) {
        // Of two with one number the client could mean either: neither goes on.
        if self.streams.get(id).is_some_and(|before| !before.is_told()) {
            return self.gives_up(id, reason::INVALID);
        }
        let datagrams = kind == StreamType::Udp;
        let scheme = if datagrams { Scheme::Udp } else { Scheme::Tcp };
        let host = host.trim();
        let bare = host.contains(':') && !host.starts_with('[');
        let text = if bare { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let target = match parse_endpoint(&text) {
            Ok((host, port)) if self.udp || !datagrams => Target { scheme, host, port },
            _ => return self.outbox.say(&close_packet(id, reason::INVALID)),
        };
        // Each has a task before it is known whether there is room for it.
        if self.streams.len() >= self.session.opener.most_sockets() + REFUSED {
            return self.outbox.say(&close_packet(id, reason::THROTTLED));
        }
        let credits = Credits::new(self.session.settings.credits);
        let stream = Stream::new(id, datagrams, credits, &self.session.reserve);
        let (outbox, opener) = (Arc::clone(&self.outbox), Arc::clone(&self.session.opener));
        let carried = Arc::clone(&stream);
        self.streams.start(id, stream, async move {
            carried.run(Box::pin(opener.open(&target)), &outbox).await;
        });
    }

    /// Ends all streams with the connection.
    async fn end(mut self, ended: &Ended) {
        let over = match ended {
            Ended::Lost => Some(Over::Lost),
            Ended::Closed(_) | Ended::Told(_) => Some(Over::Closed),
            Ended::CalledOff(_) => None,
        };
        for stream in self.streams.drain() {
            over.map(|over| stream.ends(over));
        }
        finish(&self.outbox, async { while self.streams.reap().await {} }).await;
    }
}
