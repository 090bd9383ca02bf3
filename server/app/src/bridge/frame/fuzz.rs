//! Whatever a client of a bridge may send, cut anywhere.

use std::io::{self, Read, Write};

use tokio_tungstenite::tungstenite::{
    Error, Message, WebSocket,
    error::ProtocolError,
    protocol::{Role, WebSocketConfig},
};

use super::{Failed, Item, KEPT, Kind, Reader, code};

/// How many lengths follow (one byte), those, and the stream: it is cut into pieces as long as these in turn, and however that
/// is, the same comes out. Another implementation does not find more wrong with it, and reads the same.
pub(crate) fn frame(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else { return };
    let (pieces, stream) = rest.split_at(usize::from(*count % 8).min(rest.len()));
    let whole = read(stream, &[]);
    assert_eq!(read(stream, pieces), whole, "cut {pieces:?}");
    let at_once = gather(stream, &[]);
    let gathered = gather(stream, pieces);
    assert_eq!(gathered.failed, at_once.failed);
    for Gathered { bytes, control, failed } in [at_once, gathered] {
        let all = Gathered::of(&whole);
        assert_eq!(failed, all.failed);
        // Of the call that fails, what came before is lost.
        assert!(if failed.is_some() { all.bytes.starts_with(&bytes) } else { all.bytes == bytes });
        assert_eq!(control, all.control);
    }
    assert_eq!(datagrams(stream, pieces), Datagrams::of(&whole), "cut {pieces:?}");
    compare(stream, &whole);
}

/// What a stream says, its parts put together.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    /// A message, or what there is of it before something else is said; whether it is finished.
    Message(Kind, Vec<u8>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Closed(Option<u16>, String),
    Failed(u16),
}

impl Said {
    fn control(item: Item<'_>) -> Option<Self> {
        Some(match item {
            Item::Data { .. } => return None,
            Item::Ping(payload) => Self::Ping(payload.to_vec()),
            Item::Pong(payload) => Self::Pong(payload.to_vec()),
            Item::Close(close) => Self::Closed(close.code, close.reason.to_owned()),
        })
    }

    fn is_last(&self) -> bool {
        matches!(self, Self::Closed(..) | Self::Failed(_))
    }
}

/// A stream as it comes: in pieces as long as these in turn, or whole. What is not taken comes again, with more behind it.
fn come(stream: &[u8], pieces: &[u8], mut take: impl FnMut(&mut [u8]) -> Option<usize>) {
    let (mut kept, mut rest, mut pieces) = (Vec::new(), stream, pieces.iter().cycle());
    while !rest.is_empty() {
        let len = pieces.next().map_or(rest.len(), |len| usize::from(*len).clamp(1, rest.len()));
        let piece;
        (piece, rest) = rest.split_at(len);
        kept.extend_from_slice(piece);
        let Some(used) = take(&mut kept) else { return };
        kept.drain(..used);
        assert!(kept.len() <= KEPT, "{} bytes are kept", kept.len());
    }
}

/// Item by item.
fn read(stream: &[u8], pieces: &[u8]) -> Vec<Said> {
    let (mut reader, mut all) = (Reader::new(), Vec::new());
    come(stream, pieces, |bytes| {
        let mut used = 0;
        loop {
            let there = bytes.len() - used;
            let (more, item) = match reader.next(&mut bytes[used..]) {
                Ok(None) => return Some(used),
                Ok(Some(next)) => next,
                Err(Failed(code)) => {
                    all.push(Said::Failed(code));
                    return None;
                }
            };
            assert!(more > 0 && more <= there);
            if let Item::Data { kind, start, len, last } = item {
                assert!(start + len == more);
                let part = &bytes[used + start..used + more];
                match all.last_mut() {
                    Some(Said::Message(of, begun, finished @ false)) => {
                        assert_eq!(*of, kind);
                        begun.extend_from_slice(part);
                        *finished = last;
                    }
                    _ => all.push(Said::Message(kind, part.to_vec(), last)),
                }
            } else {
                all.extend(Said::control(item));
            }
            if all.last().is_some_and(Said::is_last) {
                return None;
            }
            used += more;
        }
    });
    all
}

/// What is a stream of bytes to whoever takes messages for one.
#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    control: Vec<Said>,
    failed: Option<u16>,
}

impl Gathered {
    fn of(all: &[Said]) -> Self {
        let mut gathered = Self::default();
        for said in all {
            match said {
                Said::Message(Kind::Text, ..) => gathered.failed = Some(code::UNSUPPORTED),
                Said::Message(Kind::Binary, part, _) => gathered.bytes.extend_from_slice(part),
                Said::Failed(code) => gathered.failed = Some(*code),
                control => gathered.control.push(control.clone()),
            }
            if gathered.failed.is_some() {
                break;
            }
        }
        gathered
    }
}

fn gather(stream: &[u8], pieces: &[u8]) -> Gathered {
    let (mut reader, mut gathered) = (Reader::new(), Gathered::default());
    come(stream, pieces, |bytes| {
        let mut used = 0;
        loop {
            let there = bytes.len() - used;
            let (payload, more, control) = match reader.gather(&mut bytes[used..]) {
                Ok(found) => (
                    found.start..found.start + found.payload,
                    found.used,
                    found.control.and_then(Said::control),
                ),
                Err(Failed(code)) => {
                    gathered.failed = Some(code);
                    return None;
                }
            };
            assert!(payload.end <= more && more <= there);
            gathered.bytes.extend_from_slice(&bytes[used..][payload]);
            used += more;
            let Some(control) = control else { return Some(used) };
            gathered.control.push(control);
            if gathered.control.last().is_some_and(Said::is_last) {
                return None;
            }
        }
    });
    gathered
}

/// What is datagrams to whoever takes a message for one.
#[derive(Debug, Default, PartialEq)]
struct Datagrams {
    whole: Vec<Vec<u8>>,
    failed: Option<u16>,
}

impl Datagrams {
    fn of(all: &[Said]) -> Self {
        let whole = put_together(all).into_iter().filter_map(|said| match said {
            Said::Message(_, message, _) => Some(message),
            _ => None,
        });
        let failed = all.iter().find_map(|said| match said {
            Said::Failed(code) => Some(*code),
            _ => None,
        });
        Self { whole: whole.collect(), failed }
    }
}

/// Those of one length that come together at once.
fn datagrams(stream: &[u8], pieces: &[u8]) -> Datagrams {
    let (mut reader, mut datagrams, mut begun) = (Reader::new(), Datagrams::default(), Vec::new());
    come(stream, pieces, |bytes| {
        let mut used = 0;
        loop {
            let (more, item) = match reader.next(&mut bytes[used..]) {
                Ok(None) => return Some(used),
                Ok(Some(next)) => next,
                Err(Failed(code)) => {
                    datagrams.failed = Some(code);
                    return None;
                }
            };
            let (start, len, last, kind) = match item {
                Item::Data { start, len, last, kind } => (used + start, len, last, kind),
                Item::Close(_) => return None,
                Item::Ping(_) | Item::Pong(_) => {
                    used += more;
                    continue;
                }
            };
            used += more;
            begun.extend_from_slice(&bytes[start..start + len]);
            if !last {
                continue;
            }
            let whole = std::mem::take(&mut begun);
            if kind == Kind::Binary && whole.len() == len && len > 0 {
                let (end, all) = reader.alike(bytes, start..start + len, 64 * len, used);
                assert!(start + len <= end && end <= all && all <= bytes.len() && (end - start) <= 64 * len);
                datagrams.whole.extend(bytes[start..end].chunks(len).map(<[u8]>::to_vec));
                used = all;
            } else {
                datagrams.whole.push(whole);
            }
        }
    });
    datagrams
}

/// A connection on which all has come, and whose answers nobody wants.
struct Wire<'a>(&'a [u8]);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What another implementation reads before the end, and why it stops there.
fn compare(stream: &[u8], whole: &[Said]) {
    let config = WebSocketConfig::default().read_buffer_size(1024);
    let mut other = WebSocket::from_raw_socket(Wire(stream), Role::Server, Some(config));
    let mut theirs = Vec::new();
    let stopped = loop {
        theirs.push(match other.read() {
            Ok(Message::Text(text)) => Said::Message(Kind::Text, text.as_bytes().to_vec(), true),
            Ok(Message::Binary(bytes)) => Said::Message(Kind::Binary, bytes.to_vec(), true),
            Ok(Message::Ping(payload)) => Said::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Said::Pong(payload.to_vec()),
            Ok(Message::Close(_) | Message::Frame(_)) => break None,
            Err(error) => break Some(error),
        });
    };
    let ours = put_together(whole);
    let both = ours.len().min(theirs.len());
    assert_eq!(ours[..both], theirs[..both]);
    let end = whole.last().filter(|said| said.is_last());
    match stopped {
        // They look at text, which is left to whoever takes it here, and at how much there is.
        Some(Error::Utf8(_) | Error::Capacity(_)) => {}
        Some(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) if end.is_none() => {
            assert_eq!(ours.len(), theirs.len());
        }
        // Here what has come is judged before the rest of it has.
        Some(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
            assert!(matches!(end, Some(Said::Failed(_))), "{end:?}");
        }
        Some(Error::Protocol(wrong)) => assert!(matches!(end, Some(Said::Failed(_))), "{wrong}, not {end:?}"),
        Some(other) => panic!("{other}"),
        None => assert!(end.is_some(), "they were told to close"),
    }
}

/// Messages when they are finished, whatever was said in between.
fn put_together(whole: &[Said]) -> Vec<Said> {
    let (mut all, mut open) = (Vec::new(), Vec::new());
    for said in whole {
        match said {
            Said::Message(kind, part, finished) => {
                open.extend_from_slice(part);
                if *finished {
                    all.push(Said::Message(*kind, std::mem::take(&mut open), true));
                }
            }
            Said::Ping(_) | Said::Pong(_) => all.push(said.clone()),
            Said::Closed(..) | Said::Failed(_) => {}
        }
    }
    all
}
