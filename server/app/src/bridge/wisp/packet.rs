//! Packets: `type: u8 | stream: u32 | payload`, integers little-endian.

use super::{
    extension::{self, Extension},
    reason,
};

/// Which packet it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketType {
    /// A client opens a stream.
    Connect = 1,
    /// Bytes of a stream.
    Data = 2,
    /// A server says how many packets of DATA it takes.
    Continue = 3,
    /// A stream ends.
    Close = 4,
    /// Version and extensions (v2).
    Info = 5,
}

impl PacketType {
    const fn of(byte: u8) -> Result<Self, Fault> {
        Ok(match byte {
            1 => Self::Connect,
            2 => Self::Data,
            3 => Self::Continue,
            4 => Self::Close,
            5 => Self::Info,
            _ => return Err(Fault::Connection(Wrong::PacketType(byte))),
        })
    }
}

/// What a stream runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamType {
    /// TCP.
    Tcp,
    /// UDP; each DATA is one datagram.
    Udp,
}

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It ends before its fields do.
    #[error("the packet is truncated")]
    Truncated,
    /// No packet has this type.
    #[error("no packet has type {0:#04x}")]
    PacketType(u8),
    /// No stream is of this kind.
    #[error("no stream is of kind {0:#04x}")]
    StreamType(u8),
    /// The host is no UTF-8.
    #[error("the host is no UTF-8")]
    Host,
    /// Stream 0 is the connection itself, and INFO is of no other.
    #[error("stream {0} cannot be meant")]
    Stream(u32),
}

/// What is wrong, and with what it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// With the connection: whoever says this speaks another protocol.
    #[error("{0}")]
    Connection(Wrong),
    /// With one stream: it is answered with CLOSE, and all others go on.
    #[error("stream {stream}: {wrong}")]
    Stream {
        /// Which.
        stream: u32,
        /// What is wrong.
        wrong: Wrong,
        /// What CLOSE is to say.
        reason: u8,
    },
}

/// The first bytes of every packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which packet it is.
    pub packet_type: PacketType,
    /// Of which stream.
    pub stream: u32,
}

impl Head {
    /// How many bytes it takes.
    pub const LEN: usize = 5;

    /// Reads it from the front of a message, whole or not; `None` where more bytes are needed.
    ///
    /// # Errors
    /// An unknown type, which the first byte tells.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let Some(first) = bytes.first() else { return Ok(None) };
        let packet_type = PacketType::of(*first)?;
        let Some(&[_, a, b, c, d]) = bytes.first_chunk() else { return Ok(None) };
        Ok(Some(Self { packet_type, stream: u32::from_le_bytes([a, b, c, d]) }))
    }

    /// The fault of this packet. Stream 0 is the connection: CLOSE for it would end all streams, so none is sent.
    const fn fault(self, wrong: Wrong) -> Fault {
        match (self.packet_type, self.stream) {
            (PacketType::Info, _) | (_, 0) => Fault::Connection(wrong),
            (PacketType::Connect, stream) => Fault::Stream { stream, wrong, reason: reason::INVALID },
            (_, stream) => Fault::Stream { stream, wrong, reason: reason::UNSPECIFIED },
        }
    }
}

/// What a packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A stream is to be opened.
    Connect {
        /// The client's number for it; never 0.
        stream: u32,
        /// What it runs over.
        kind: StreamType,
        /// Which port.
        port: u16,
        /// A name or an address; that it is one is left to whoever dials.
        host: &'a str,
    },
    /// Bytes of a stream.
    Data {
        /// Which.
        stream: u32,
        /// What is to be sent.
        payload: &'a [u8],
    },
    /// More may be sent. Said by servers only.
    Continue {
        /// Of which stream; 0: of each, at its beginning.
        stream: u32,
        /// So many packets from now on, whatever was said before.
        credits: u32,
    },
    /// A stream ends, at once and both ways.
    Close {
        /// Which; 0: the connection.
        stream: u32,
        /// Why ([`reason`]).
        reason: u8,
    },
    /// Version and extensions.
    Info {
        /// Of the version.
        major: u8,
        /// Of the version.
        minor: u8,
        /// To be read with [`extensions`](super::extensions).
        extensions: &'a [u8],
    },
}

impl<'a> Packet<'a> {
    /// Reads a whole message. Bytes behind the last field are left out: a later version may have put them there.
    ///
    /// # Errors
    /// What is wrong, and with what it is over.
    pub fn parse(message: &'a [u8]) -> Result<Self, Fault> {
        let Some(head) = Head::parse(message)? else { return Err(Fault::Connection(Wrong::Truncated)) };
        let stream = head.stream;
        let payload = &message[Head::LEN..];
        let truncated = head.fault(Wrong::Truncated);
        match head.packet_type {
            PacketType::Connect => {
                if stream == 0 {
                    return Err(head.fault(Wrong::Stream(stream)));
                }
                let (&[kind, low, high], host) = payload.split_first_chunk().ok_or(truncated)?;
                let kind = match kind {
                    1 => StreamType::Tcp,
                    2 => StreamType::Udp,
                    other => return Err(head.fault(Wrong::StreamType(other))),
                };
                let host = std::str::from_utf8(host).map_err(|_| head.fault(Wrong::Host))?;
                Ok(Self::Connect { stream, kind, port: u16::from_le_bytes([low, high]), host })
            }
            PacketType::Data => Ok(Self::Data { stream, payload }),
            PacketType::Continue => {
                let credits = u32::from_le_bytes(*payload.first_chunk().ok_or(truncated)?);
                Ok(Self::Continue { stream, credits })
            }
            PacketType::Close => Ok(Self::Close { stream, reason: *payload.first().ok_or(truncated)? }),
            PacketType::Info => {
                if stream != 0 {
                    return Err(head.fault(Wrong::Stream(stream)));
                }
                let (&[major, minor], extensions) = payload.split_first_chunk().ok_or(truncated)?;
                Ok(Self::Info { major, minor, extensions })
            }
        }
    }
}

const fn head(packet_type: PacketType, stream: u32) -> [u8; Head::LEN] {
    let [a, b, c, d] = stream.to_le_bytes();
    [packet_type as u8, a, b, c, d]
}

/// What stands in front of the payload of a DATA.
#[must_use]
pub const fn data_head(stream: u32) -> [u8; Head::LEN] {
    head(PacketType::Data, stream)
}

/// A CONTINUE. Never of a UDP stream.
#[must_use]
pub const fn continue_packet(stream: u32, credits: u32) -> [u8; Head::LEN + 4] {
    let [packet_type, a, b, c, d] = head(PacketType::Continue, stream);
    let [e, f, g, h] = credits.to_le_bytes();
    [packet_type, a, b, c, d, e, f, g, h]
}

/// A CLOSE.
#[must_use]
pub const fn close_packet(stream: u32, reason: u8) -> [u8; Head::LEN + 1] {
    let [packet_type, a, b, c, d] = head(PacketType::Close, stream);
    [packet_type, a, b, c, d, reason]
}

/// Appends an INFO with these extensions.
pub fn info_packet(out: &mut Vec<u8>, major: u8, minor: u8, extensions: &[Extension<'_>]) {
    out.extend_from_slice(&head(PacketType::Info, 0));
    out.extend_from_slice(&[major, minor]);
    for each in extensions {
        extension::put(out, *each);
    }
}

#[cfg(test)]
mod tests;
