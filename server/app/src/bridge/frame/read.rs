//! What a client sends: frames with a mask.

use std::ops::Range;

use super::{
    close::{Close, code},
    mask,
    write::CONTROL,
};

/// What a message consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8; that it is, is left to whoever takes it.
    Text,
    /// Bytes.
    Binary,
}

impl Kind {
    pub(super) const fn opcode(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Binary => 2,
        }
    }
}

/// The connection fails with this close code (RFC 6455 §7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed(pub u16);

/// What the next bytes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// A part of a message: the bytes from `start`, `len` of them. `last` says that the message ends with them. Parts may be
    /// empty.
    Data {
        /// Of which kind the message is.
        kind: Kind,
        /// Where the part begins in the bytes that were read.
        start: usize,
        /// How long it is.
        len: usize,
        /// It is the last of its message.
        last: bool,
    },
    /// To be answered with a pong that says the same.
    Ping(&'a [u8]),
    /// The answer to a ping.
    Pong(&'a [u8]),
    /// The client ends it; nothing that follows counts.
    Close(Close<'a>),
}

/// What was gathered from the front of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gathered<'a> {
    /// Where payload lies, close together.
    pub start: usize,
    /// So many bytes of it.
    pub payload: usize,
    /// So many bytes were read. What follows is to be given again, with more behind it.
    pub used: usize,
    /// What came behind the payload and is no data.
    pub control: Option<Item<'a>>,
}

/// The frame whose payload is being read.
#[derive(Debug, Clone, Copy)]
struct Frame {
    key: [u8; 4],
    /// Bytes of payload that were read, and that are still to come.
    done: u64,
    left: u64,
    fin: bool,
}

/// A part of a message.
struct Part {
    kind: Kind,
    start: usize,
    len: usize,
    last: bool,
}

/// Reads what one client sends.
#[derive(Debug, Default)]
pub struct Reader {
    /// The message that is not finished.
    message: Option<Kind>,
    frame: Option<Frame>,
}

/// A header.
struct Header {
    fin: bool,
    opcode: u8,
    key: [u8; 4],
    payload: u64,
    len: usize,
}

impl Reader {
    /// Nothing was read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next item from the front of `bytes`, unmasking its payload there, and says how many bytes it took; `None`
    /// where more are needed. What was not taken is to be given again.
    ///
    /// # Errors
    /// What RFC 6455 does not allow, with the close code that says so. The reader is of no use afterwards.
    pub fn next<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Option<(usize, Item<'a>)>, Failed> {
        let header = match self.frame {
            Some(_) => None,
            None => {
                let Some(header) = Header::parse(bytes)? else { return Ok(None) };
                if header.opcode >= 8 {
                    return control(&header, bytes);
                }
                Some(header)
            }
        };
        let Some(part) = self.part(header, bytes)? else { return Ok(None) };
        let Part { kind, start, len, last } = part;
        Ok(Some((start + len, Item::Data { kind, start, len, last })))
    }

    /// Reads on behind a whole binary message, `used` bytes into `bytes`, for as long as what follows is another of the same length,
    /// and closes their payload up behind that of the first, `most` bytes of it at most. Says where it ends now, and how many bytes
    /// were used.
    pub fn alike(
        &self,
        bytes: &mut [u8],
        first: Range<usize>,
        most: usize,
        mut used: usize,
    ) -> (usize, usize) {
        let (len, mut end) = (first.len(), first.end);
        // Closed up, empty messages could not be told apart.
        while self.message.is_none()
            && len > 0
            && end + len - first.start <= most
            && let Ok(Some(Header { fin: true, opcode: 2, key, payload, len: start })) =
                Header::parse(&bytes[used..])
            && payload == len as u64
            && bytes.len() - used - start >= len
        {
            let from = used + start;
            mask::apply(&mut bytes[from..from + len], key, 0);
            bytes.copy_within(from..from + len, end);
            (end, used) = (end + len, from + len);
        }
        (end, used)
    }

    /// Reads items from the front of `bytes` for as long as they are data, and closes their payload up behind the first: for
    /// whom messages are a stream of bytes.
    ///
    /// # Errors
    /// As [`Self::next`], and [`code::UNSUPPORTED`] for text. The payload that came before is lost.
    pub fn gather<'a>(&mut self, bytes: &'a mut [u8]) -> Result<Gathered<'a>, Failed> {
        let (mut first, mut payload, mut used) = (None, 0, 0);
        while used < bytes.len() {
            let header = match self.frame {
                Some(_) => None,
                None => {
                    let Some(header) = Header::parse(&bytes[used..])? else { break };
                    if header.opcode >= 8 {
                        let Some((more, item)) = control(&header, &mut bytes[used..])? else { break };
                        let start = first.unwrap_or(0);
                        return Ok(Gathered { start, payload, used: used + more, control: Some(item) });
                    }
                    Some(header)
                }
            };
            let Some(Part { kind, start, len, .. }) = self.part(header, &mut bytes[used..])? else { break };
            if kind == Kind::Text {
                return Err(Failed(code::UNSUPPORTED));
            }
            let from = *first.get_or_insert(used + start);
            // Most of what comes in one piece stays where it is.
            if from + payload != used + start {
                bytes.copy_within(used + start..used + start + len, from + payload);
            }
            payload += len;
            used += start + len;
        }
        Ok(Gathered { start: first.unwrap_or(0), payload, used, control: None })
    }

    /// Takes what there is of the payload of a frame: of the one under way, or of the one that begins with this header.
    fn part(&mut self, header: Option<Header>, bytes: &mut [u8]) -> Result<Option<Part>, Failed> {
        let (start, frame) = match (header, self.frame) {
            (Some(header), _) => {
                self.begins(&header)?;
                (header.len, Frame { key: header.key, done: 0, left: header.payload, fin: header.fin })
            }
            (None, Some(frame)) => (0, frame),
            (None, None) => return Ok(None),
        };
        let Some(kind) = self.message else { return Err(Failed(code::PROTOCOL)) };
        let there = bytes.len() - start;
        if start == 0 && there == 0 {
            return Ok(None);
        }
        let len = usize::try_from(frame.left).unwrap_or(usize::MAX).min(there);
        mask::apply(&mut bytes[start..start + len], frame.key, (frame.done % 4) as usize);
        let left = frame.left - len as u64;
        self.frame = (left > 0).then_some(Frame { done: frame.done + len as u64, left, ..frame });
        let last = left == 0 && frame.fin;
        if last {
            self.message = None;
        }
        Ok(Some(Part { kind, start, len, last }))
    }

    /// Whether a frame may begin now.
    fn begins(&mut self, header: &Header) -> Result<(), Failed> {
        let kind = match (header.opcode, self.message) {
            (0, Some(kind)) => kind,
            (1, None) => Kind::Text,
            (2, None) => Kind::Binary,
            _ => return Err(Failed(code::PROTOCOL)),
        };
        self.message = Some(kind);
        Ok(())
    }
}

impl Header {
    /// Reads one; `None` where it is not all there.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Failed> {
        let wrong = Err(Failed(code::PROTOCOL));
        let Some(&[first, second]) = bytes.first_chunk() else {
            // Half of what can be wrong is in the first byte.
            return if bytes.first().is_some_and(|first| first & 0x70 != 0) { wrong } else { Ok(None) };
        };
        let (fin, opcode) = (first & 0x80 != 0, first & 0x0f);
        // Reserved bits, reserved opcodes, no mask (RFC 6455 §5.2).
        if first & 0x70 != 0 || matches!(opcode, 3..=7 | 11..) || second & 0x80 == 0 {
            return wrong;
        }
        let short = second & 0x7f;
        // Control frames are short and whole (§5.5).
        if opcode >= 8 && (!fin || short as usize > CONTROL) {
            return wrong;
        }
        let (payload, at) = match short {
            126 => match bytes[2..].first_chunk() {
                Some(len) => (u64::from(u16::from_be_bytes(*len)), 4),
                None => return Ok(None),
            },
            127 => match bytes[2..].first_chunk() {
                Some(len) => (u64::from_be_bytes(*len), 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        // As few bytes as will do, and no more than 63 bits (§5.2).
        let least = match at {
            4 => 126,
            10 => 1 << 16,
            _ => 0,
        };
        if payload < least || payload >= 1 << 63 {
            return wrong;
        }
        let Some(key) = bytes[at..].first_chunk() else { return Ok(None) };
        Ok(Some(Self { fin, opcode, key: *key, payload, len: at + 4 }))
    }
}

/// Reads a control frame; `None` where it is not all there.
fn control<'a>(header: &Header, bytes: &'a mut [u8]) -> Result<Option<(usize, Item<'a>)>, Failed> {
    // At most 125.
    let end = header.len + header.payload as usize;
    let Some(payload) = bytes.get_mut(header.len..end) else { return Ok(None) };
    mask::apply(payload, header.key, 0);
    let item = match header.opcode {
        8 => Item::Close(Close::parse(payload).map_err(Failed)?),
        9 => Item::Ping(payload),
        _ => Item::Pong(payload),
    };
    Ok(Some((end, item)))
}

#[cfg(test)]
mod tests;
