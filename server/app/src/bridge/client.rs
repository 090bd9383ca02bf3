//! The client of a bridge: a WebSocket, read and written frame by frame.

use std::{
    convert::Infallible,
    future::{pending, poll_fn},
    io,
    pin::pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use futures_util::poll;
use tokio::{
    io::Interest,
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    buffer::Buffer,
    frame::{self, CONTROL, KEPT},
};
use crate::http::Counted;

/// How long a client has to take a close frame, to answer it, and to end the connection.
const GOODBYE: Duration = Duration::from_secs(2);

/// So often it has as long again, while it takes what was sent to it before: some minutes in all.
const AGAIN: usize = 150;

/// So many pings are answered that came before there was time to; of more, the latest: earlier ones need no answer (RFC 6455 §5.5.3).
const PONGS: usize = 16;

/// What a client sends beyond its close frame, or after ours, before it is cut.
const BEYOND: usize = 16 << 20;

/// A client's connection.
pub(crate) struct Client {
    io: Counted,
    /// Control frames that are to be sent. One pump writes, so that no frame lies in another.
    due: Mutex<Due>,
    /// There is a ping or a pong. Of the last word nobody is woken ([`Client::closes`]).
    wake: Notify,
    /// How often it is pinged.
    heartbeat: Option<Duration>,
    /// What goes before anything else that is written: the rest of a write that was given up after it had begun, and what is owed.
    /// Whoever writes has the turn to.
    torn: Mutex<Vec<u8>>,
    is_torn: AtomicBool,
}

/// Control frames that are to be sent.
#[derive(Default)]
struct Due {
    /// What pings said, at most [`PONGS`] of them.
    pongs: Vec<Short>,
    /// It is time for a ping of ours.
    ping: bool,
    /// The last word.
    close: Option<Close>,
    /// It was said: whoever would say another, says none.
    is_over: bool,
}

/// How the client is told that it is over: a code, or none where it gave none, and a reason for people.
#[derive(Debug, Clone)]
pub(crate) struct Close {
    pub(crate) code: Option<u16>,
    pub(crate) reason: String,
}

impl Due {
    fn is_any(&self) -> bool {
        !self.pongs.is_empty() || self.ping || self.close.is_some()
    }

    /// Appends the frames, one after the other. Returns whether the last word is among them; nothing follows that.
    fn put(&mut self, frames: &mut Vec<u8>) -> bool {
        let Self { pongs, ping, close, is_over } = std::mem::take(self);
        self.is_over = is_over || close.is_some();
        if is_over {
            return false;
        }
        let mut room = [0; 2 + CONTROL];
        for Short { bytes, len } in pongs {
            frames.extend_from_slice(frame::pong(&mut room, &bytes[..usize::from(len)]));
        }
        if ping {
            frames.extend_from_slice(frame::ping(&mut room, &[]));
        }
        if let Some(Close { code, reason }) = close {
            frames.extend_from_slice(frame::close(&mut room, code, &reason));
        }
        self.is_over
    }
}

impl Close {
    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code: Some(code), reason: reason.into() }
    }
}

/// What is left of a write that is under way. Dropped before its end, what was begun is kept for the next.
struct Left<'a> {
    client: &'a Client,
    data: &'a [u8],
    begun: bool,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if self.begun && (!self.data.is_empty() || self.client.is_torn.load(Relaxed)) {
            *self.client.torn() = self.data.to_vec();
            self.client.is_torn.store(!self.data.is_empty(), Relaxed);
        }
    }
}

/// What follows what is written.
#[derive(Clone, Copy)]
enum Then {
    /// More, some time.
    More,
    /// The FIN, at once.
    Fin,
}

/// The payload of a control frame.
#[derive(Clone, Copy)]
struct Short {
    bytes: [u8; CONTROL],
    len: u8,
}

impl Client {
    /// A client whose connection is a WebSocket from now on.
    pub(crate) fn new(io: Counted) -> Self {
        io.shorten_queue();
        Self {
            io,
            due: Mutex::default(),
            wake: Notify::new(),
            heartbeat: None,
            torn: Mutex::default(),
            is_torn: AtomicBool::new(false),
        }
    }

    /// The same, pinged every so often: something between it and us may forget a connection that is silent.
    pub(crate) fn beating(self, heartbeat: Option<Duration>) -> Self {
        Self { heartbeat, ..self }
    }

    /// Asks for a ping, now and then, for as long as it is polled.
    pub(super) async fn beat(&self) -> Infallible {
        let Some(every) = self.heartbeat else { return pending().await };
        loop {
            sleep(every).await;
            self.due().ping = true;
            self.wake.notify_one();
        }
    }

    fn due(&self) -> MutexGuard<'_, Due> {
        // Whatever was written under it is whole.
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ping came; it is answered between two frames.
    pub(super) fn pinged(&self, payload: &[u8]) {
        let mut bytes = [0; CONTROL];
        let len = payload.len().min(CONTROL);
        bytes[..len].copy_from_slice(&payload[..len]);
        let mut due = self.due();
        if due.pongs.len() == PONGS {
            due.pongs.remove(0);
        }
        // At most 125.
        due.pongs.push(Short { bytes, len: len as u8 });
        drop(due);
        self.wake.notify_one();
    }

    /// It is over: whoever writes says so, after what it is writing, once it is polled. It is not woken: whoever calls this polls
    /// it, and a task that wakes itself wakes a thread of the runtime, too.
    pub(super) fn closes(&self, close: Close) {
        self.due().close.get_or_insert(close);
    }

    /// Ends when a control frame is to be sent. Looked at whenever it is polled: [`Client::closes`] counts on that.
    pub(super) async fn wants(&self) {
        let mut woken = pin!(self.wake.notified());
        // A notification is taken even where something is due: left behind, it would come again, for nothing.
        poll_fn(|context| {
            let is_woken = woken.as_mut().poll(context).is_ready();
            if is_woken || self.due().is_any() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Sends what control frames are due. Returns whether the last was the last word.
    pub(super) async fn say(&self) -> io::Result<bool> {
        self.say_and(Then::More).await
    }

    /// The same, where the last word is followed by the FIN: both go in one segment. Until then the kernel keeps it, so whoever gets
    /// `Ok(true)` comes to [`Client::part`] without waiting for anything.
    pub(super) async fn say_before_fin(&self) -> io::Result<bool> {
        self.say_and(Then::Fin).await
    }

    async fn say_and(&self, then: Then) -> io::Result<bool> {
        let is_last = {
            let mut torn = self.torn();
            let is_last = self.due().put(&mut torn);
            // Given up meanwhile, it is written by whoever writes next.
            self.is_torn.store(!torn.is_empty(), Relaxed);
            is_last
        };
        self.write_and(&[], if is_last { then } else { Then::More }).await?;
        Ok(is_last)
    }

    /// Writes all of it. Given up in the middle, the rest of what was begun goes before whatever is written next, so that no frame
    /// lies in another: one stream of many may end at any time.
    pub(super) async fn write(&self, data: &[u8]) -> io::Result<()> {
        self.write_and(data, Then::More).await
    }

    async fn write_and(&self, data: &[u8], then: Then) -> io::Result<()> {
        if self.is_torn.load(Relaxed) {
            // Taken out only once it is written: this may be given up, too.
            let rest = self.torn().clone();
            self.write_on(&rest, true, then).await?;
        }
        self.write_on(data, false, then).await
    }

    /// Has this written before anything else is.
    pub(super) fn owes(&self, data: &[u8]) {
        let mut torn = self.torn();
        torn.extend_from_slice(data);
        self.is_torn.store(!torn.is_empty(), Relaxed);
    }

    async fn write_on(&self, data: &[u8], rest: bool, then: Then) -> io::Result<()> {
        let mut left = Left { client: self, data, begun: rest };
        while !left.data.is_empty() {
            let written = match then {
                Then::More => self.io.try_write(left.data),
                Then::Fin => self.io.try_write_before_fin(left.data),
            };
            match written {
                Ok(n) => {
                    left.data = &left.data[n..];
                    left.begun = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.io.ready(Interest::WRITABLE).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn torn(&self) -> MutexGuard<'_, Vec<u8>> {
        // A panic while it was held left it as it was before, or as it was to be.
        self.torn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when the connection is broken: nobody may be reading or writing to find that out.
    pub(crate) async fn broken(&self) {
        // An error here is one of the runtime, which ends.
        let _ = self.io.ready(Interest::ERROR).await;
    }

    /// Says the last word, if none was said, and ends the connection so that the client has all that was sent to it: closing
    /// with bytes unread, or before the client's last bytes have come, would reset it, and take what is on its way along. Whom
    /// somebody here ends is `cut` short: the kernel would hold what is unsent for minutes.
    pub(crate) async fn part(&self, incoming: &mut Incoming, last: Close, cut: bool) {
        self.closes(last);
        let goodbye = async {
            // And the rest of what was begun.
            self.say_before_fin().await?;
            self.io.finish()?;
            if self.io.has_ended() {
                return Ok(());
            }
            let mut beyond = 0;
            while beyond < BEYOND
                && let Some((_, n)) = incoming.fill(self).await?
            {
                beyond += n;
            }
            Ok(())
        };
        let left = |result: io::Result<()>| {
            if let Err(error) = result {
                tracing::debug!(%error, "a bridge's client left without a goodbye");
            }
        };
        tokio::pin!(goodbye);
        // One that has left already is not asked how much it has not taken.
        if let Poll::Ready(result) = poll!(&mut goodbye) {
            return left(result);
        }
        let mut unsent = self.io.unsent();
        for _ in 0..AGAIN {
            if let Ok(result) = timeout(GOODBYE, &mut goodbye).await {
                return left(result);
            }
            let before = std::mem::replace(&mut unsent, self.io.unsent());
            let takes_it = 0 < unsent && unsent < before;
            if cut || !takes_it {
                break;
            }
        }
        tracing::debug!("a bridge's client did not say goodbye");
        if cut {
            self.io.abort();
        }
    }
}

/// What a client sends, as it comes.
pub(crate) struct Incoming {
    pub(super) reader: frame::Reader,
    /// What was read and not understood: the rest of it is still to come.
    kept: [u8; KEPT],
    len: u8,
    /// What came together with the request.
    early: Box<[u8]>,
}

impl Incoming {
    /// What came behind the request is read first.
    pub(crate) fn new(early: Box<[u8]>) -> Self {
        Self { reader: frame::Reader::new(), kept: [0; KEPT], len: 0, early }
    }

    /// Waits until more has come: a buffer, and how many bytes are in it, those that were kept first; `None` at the end.
    pub(super) async fn fill(&mut self, client: &Client) -> io::Result<Option<(Buffer, usize)>> {
        let kept = usize::from(self.len);
        loop {
            if !self.early.is_empty() {
                let mut buffer = Buffer::take();
                let n = self.early.len().min(buffer.len() - kept);
                buffer[..kept].copy_from_slice(&self.kept[..kept]);
                buffer[kept..kept + n].copy_from_slice(&self.early[..n]);
                self.early = self.early[n..].into();
                self.len = 0;
                return Ok(Some((buffer, kept + n)));
            }
            client.io.ready(Interest::READABLE).await?;
            let mut buffer = Buffer::take();
            match client.io.try_read(&mut buffer[kept..]) {
                Ok(0) => return Ok(None),
                Ok(n) => {
                    buffer[..kept].copy_from_slice(&self.kept[..kept]);
                    self.len = 0;
                    return Ok(Some((buffer, kept + n)));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps what was not understood yet, at most [`KEPT`] bytes, for when more has come.
    pub(super) fn keep(&mut self, rest: &[u8]) {
        self.kept[..rest.len()].copy_from_slice(rest);
        // At most KEPT, which is less than 256.
        self.len = rest.len() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(due: &mut Due) -> (Vec<u8>, bool) {
        let mut frames = Vec::new();
        let is_last = due.put(&mut frames);
        (frames, is_last)
    }

    #[test]
    fn the_last_word_is_said_once_and_nothing_after_it() {
        let ping = Short { bytes: [b'p'; CONTROL], len: 2 };
        let mut due = Due { pongs: vec![ping], ping: true, ..Due::default() };
        assert_eq!(said(&mut due), (b"\x8a\x02pp\x89\x00".to_vec(), false));
        assert!(!due.is_any());
        due = Due { pongs: vec![ping], close: Some(Close::new(1000, "over")), ..due };
        assert_eq!(said(&mut due), (b"\x8a\x02pp\x88\x06\x03\xe8over".to_vec(), true));
        due = Due { pongs: vec![ping], ping: true, close: Some(Close::new(1001, "")), ..due };
        assert_eq!((said(&mut due), due.is_any()), ((Vec::new(), false), false));
    }
}
