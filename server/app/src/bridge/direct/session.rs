//! A channel: what its client says, and the sockets it opens.

use std::{ops::Range, sync::Arc};

use sockscope_sockets::options::MAX_DATAGRAM;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Head, Packet, PacketType, SERVERS, Wrong,
    listener::Born,
    open, packet,
    stream::{Channel, Start, Stream},
    told::{Accepted, Why, json},
    upload::Over,
};
use crate::bridge::{
    Client, Close, Incoming, Opener,
    frame::{self, Item, Kind, code},
    many::{Ended, Streams, called_off, finish},
    outbox::Outbox,
    pace::Pace,
};

/// The longest packet that is taken in whole: a datagram with where it goes. OPEN is shorter.
const LONGEST: usize = Head::LEN + 4 + 255 + MAX_DATAGRAM;

/// The longest OPEN: every field, and a name as long as can be.
const ASKED: usize = 4096;

/// Connections that were accepted and are not told yet. Of each listener one more waits for a place, and the others in the kernel.
const BORN: usize = 16;

/// Who opens sockets.
pub(crate) struct Session {
    pub(crate) opener: Arc<Opener>,
    /// Cancelled when the server goes: without a socket, nothing else would tell the client.
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
    /// Data of a socket that is over.
    Nobodys,
}

impl From<Wrong> for Ended {
    fn from(wrong: Wrong) -> Self {
        Self::Told(Close::new(code::PROTOCOL, wrong.to_string()))
    }
}

/// What happens while a client is listened to.
enum Step {
    Filled(std::io::Result<Option<(crate::bridge::buffer::Buffer, usize)>>),
    Over,
    Born(Box<Born>),
    Ended(Ended),
}

impl Session {
    /// Serves a client until it leaves.
    pub(crate) async fn serve(self, client: Client, mut incoming: Incoming) {
        let outbox = Arc::new(Outbox::new(client));
        let (births, born) = mpsc::channel(BORN);
        let mut talk = Talk {
            session: &self,
            channel: Channel { outbox: Arc::clone(&outbox), opener: Arc::clone(&self.opener), births },
            born,
            message: Message::Between,
            sockets: Streams::new(),
            next: SERVERS,
        };
        let ended = talk.listen(&mut incoming).await;
        talk.end(&ended).await;
        ended.part(outbox, &mut incoming).await;
    }
}

/// A connection under way.
struct Talk<'a> {
    session: &'a Session,
    channel: Channel,
    /// What listeners accept.
    born: mpsc::Receiver<Born>,
    message: Message,
    sockets: Streams<Stream>,
    /// The number of the next connection that is accepted, if it is free.
    next: u32,
}

impl Talk<'_> {
    /// Takes what the client says until the connection is over.
    async fn listen(&mut self, incoming: &mut Incoming) -> Ended {
        let outbox = Arc::clone(&self.channel.outbox);
        let serving = outbox.serve();
        tokio::pin!(serving);
        let mut pace = Pace::default();
        loop {
            let step = tokio::select! {
                biased;
                _ = &mut serving => Step::Ended(Ended::Lost),
                () = outbox.client.broken() => Step::Ended(Ended::Lost),
                () = self.sockets.reap_next() => Step::Over,
                close = called_off(&self.session.opener, &self.session.ending) => Step::Ended(Ended::CalledOff(close)),
                // Never closed: one end is here.
                Some(born) = self.born.recv() => Step::Born(Box::new(born)),
                filled = incoming.fill(&outbox.client) => Step::Filled(filled),
            };
            let (mut buffer, len) = match step {
                Step::Ended(ended) => return ended,
                Step::Over => continue,
                Step::Born(born) => {
                    self.bear(*born);
                    continue;
                }
                Step::Filled(Ok(Some(filled))) => filled,
                Step::Filled(Ok(None) | Err(_)) => return Ended::Lost,
            };
            if let Err(ended) = self.take(incoming, &mut buffer, len) {
                return ended;
            }
            drop(buffer);
            tokio::select! {
                biased;
                () = outbox.room() => {}
                close = called_off(&self.session.opener, &self.session.ending) => return Ended::CalledOff(close),
                _ = &mut serving => return Ended::Lost,
                () = outbox.client.broken() => return Ended::Lost,
            }
            pace.round(len).await;
        }
    }

    /// A listener has accepted a connection: it gets a number, and the client is told.
    fn bear(&mut self, born: Born) {
        let Born { listener, ends, opened } = born;
        while self.sockets.get(self.next).is_some() {
            self.next = self.next.wrapping_add(1) | SERVERS;
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1) | SERVERS;
        let stream = Stream::new(id, open::Carries::Bytes);
        match listener.tells_of(&Accepted { socket: id, ends }, &self.channel.outbox) {
            Some(told) => self.start(stream, Start::Accepted(opened, told)),
            None => self.start(stream.unheard(), Start::Accepted(opened, 0)),
        }
    }

    fn start(&mut self, stream: Arc<Stream>, start: Start) {
        let (carried, channel) = (Arc::clone(&stream), self.channel.clone());
        self.sockets.start(stream.id(), stream, async move { carried.run(start, &channel).await });
    }

    /// Takes what was read.
    fn take(&mut self, incoming: &mut Incoming, buffer: &mut [u8], len: usize) -> Result<(), Ended> {
        let mut at = 0;
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
                    self.part(buffer, at + start..at + start + len, last)?;
                }
                Item::Ping(said) => self.channel.outbox.client.pinged(said),
                Item::Pong(_) => {}
                Item::Close(close) => return Err(Ended::Closed(close.answer())),
            }
            at += used;
        }
        incoming.keep(&buffer[at..len]);
        Ok(())
    }

    /// A part of a message. Data of a stream is handed on as it comes, anything else once it is whole.
    fn part(&mut self, buffer: &[u8], part: Range<usize>, last: bool) -> Result<(), Ended> {
        let part = &buffer[part];
        match std::mem::replace(&mut self.message, Message::Between) {
            Message::Between if last => self.packet(part)?,
            Message::Between => self.begin(part.to_vec())?,
            Message::Whole(mut whole) => {
                whole.extend_from_slice(part);
                if last { self.packet(&whole)? } else { self.begin(whole)? }
            }
            Message::Data(stream) => {
                stream.takes(part);
                if !last {
                    self.message = Message::Data(stream);
                }
            }
            Message::Nobodys if last => {}
            Message::Nobodys => self.message = Message::Nobodys,
        }
        Ok(())
    }

    /// A message whose end has not come.
    fn begin(&mut self, so_far: Vec<u8>) -> Result<(), Ended> {
        self.message = match Head::parse(&so_far)? {
            Some(Head { packet_type: PacketType::Data, socket }) => match self.sockets.get(socket) {
                Some(stream) => {
                    stream.takes(&so_far[Head::LEN..]);
                    Message::Data(Arc::clone(stream))
                }
                None => Message::Nobodys,
            },
            _ if so_far.len() > LONGEST => {
                return Err(Ended::Told(Close::new(code::TOO_BIG, "a packet is too long")));
            }
            _ => Message::Whole(so_far),
        };
        Ok(())
    }

    /// A whole packet. What is said of a socket that is over was under way when it ended, and is dropped.
    fn packet(&mut self, message: &[u8]) -> Result<(), Ended> {
        let (socket, packet) = match Packet::parse(message)? {
            Packet::Open { socket, asked } => return self.open(socket, asked),
            packet @ (Packet::Data { socket, .. }
            | Packet::Datagram { socket, .. }
            | Packet::Credit { socket, .. }
            | Packet::Fin { socket }
            | Packet::Close { socket, .. }) => (socket, packet),
        };
        let Some(stream) = self.sockets.get(socket) else { return Ok(()) };
        match packet {
            Packet::Open { .. } => {}
            Packet::Data { payload, .. } => stream.takes(payload),
            Packet::Datagram { to, payload, .. } => stream.takes_datagram(to, payload),
            Packet::Credit { amount, .. } => stream.granted(amount),
            Packet::Fin { .. } => stream.finishes(),
            Packet::Close { discard, .. } => {
                stream.ends(if discard { Over::Discarded } else { Over::Closed });
            }
        }
        Ok(())
    }

    fn open(&mut self, socket: u32, asked: &[u8]) -> Result<(), Ended> {
        // The task of one that was told to be over may still be there.
        if socket & SERVERS != 0 || self.sockets.get(socket).is_some_and(|stream| !stream.is_told()) {
            return Err(Wrong::Socket(socket).into());
        }
        if asked.len() > ASKED {
            return Err(Ended::Told(Close::new(code::TOO_BIG, "an OPEN is too long")));
        }
        match open::read(asked) {
            Ok((wish, carries)) => self.start(Stream::new(socket, carries), Start::Open(wish)),
            Err(refused) => {
                let why = json(&Why::refused(&refused));
                self.channel.outbox.say(&packet(PacketType::Closed, socket, &why));
            }
        }
        Ok(())
    }

    /// Ends all sockets with the connection.
    async fn end(mut self, ended: &Ended) {
        let over = match ended {
            Ended::Lost => Some(Over::Lost),
            Ended::Closed(_) | Ended::Told(_) => Some(Over::Closed),
            Ended::CalledOff(_) => None,
        };
        self.sockets.drain().for_each(|stream| over.into_iter().for_each(|over| stream.ends(over)));
        let outbox = Arc::clone(&self.channel.outbox);
        self.born.close();
        let all = async {
            loop {
                // What was accepted and not told goes with the rest.
                while let Ok(Born { opened, .. }) = self.born.try_recv() {
                    let stream = Stream::new(SERVERS, open::Carries::Bytes);
                    stream.ends(over.unwrap_or(Over::Closed));
                    self.start(stream, Start::Accepted(opened, 0));
                }
                if !self.sockets.reap().await {
                    return;
                }
            }
        };
        finish(&outbox, all).await;
    }
}
