//! Packets: `type: u8 | socket: u32 | payload`, integers little-endian.

use std::net::SocketAddr;

use sockscope_sockets::{open::Family, policy::display_addr};

/// Which packet it is. The first six are a client's; a server says those from the second to the fifth, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketType {
    /// A socket is to be opened: JSON.
    Open = 1,
    /// Bytes of a stream.
    Data = 2,
    /// A datagram.
    Datagram = 3,
    /// So many bytes more may be sent, or connections accepted.
    Credit = 4,
    /// No more bytes come this way.
    Fin = 5,
    /// A socket is to be closed.
    Close = 6,
    /// It is open: JSON.
    Opened = 7,
    /// A listener accepted a connection: JSON.
    Accepted = 8,
    /// It is closed, and its number free: JSON.
    Closed = 9,
    /// A datagram did not go: JSON.
    Lost = 10,
}

/// What is wrong with a packet. Whoever says this speaks another protocol: the connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It ends before its fields do.
    #[error("the packet is truncated")]
    Truncated,
    /// Bytes stand behind its last field.
    #[error("the packet is too long")]
    Long,
    /// No client says packets of this type.
    #[error("no client's packet has type {0}")]
    PacketType(u8),
    /// A client's socket has the number of a server's, or of one there is.
    #[error("socket {0} is not to be had")]
    Socket(u32),
    /// The host is no UTF-8, or stands without a port.
    #[error("where the datagram goes is not understood")]
    Place,
    /// CLOSE says 0 or 1.
    #[error("{0} is no way to close")]
    Close(u8),
    /// There is no such family.
    #[error("{0} is no family of addresses")]
    Family(u8),
}

/// The first bytes of every packet of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which packet it is.
    pub packet_type: PacketType,
    /// Which socket it is about.
    pub socket: u32,
}

impl Head {
    /// How many bytes it takes.
    pub const LEN: usize = 5;

    /// Reads it from the front of a message, whole or not; `None` where more bytes are needed.
    ///
    /// # Errors
    /// A type that no client says, which the first byte tells.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Wrong> {
        let Some(first) = bytes.first() else { return Ok(None) };
        let packet_type = match first {
            1 => PacketType::Open,
            2 => PacketType::Data,
            3 => PacketType::Datagram,
            4 => PacketType::Credit,
            5 => PacketType::Fin,
            6 => PacketType::Close,
            other => return Err(Wrong::PacketType(*other)),
        };
        let Some(&[_, a, b, c, d]) = bytes.first_chunk() else { return Ok(None) };
        Ok(Some(Self { packet_type, socket: u32::from_le_bytes([a, b, c, d]) }))
    }
}

/// Where a datagram goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'a> {
    /// A name or an address; that it is one is left to whoever sends.
    pub host: &'a str,
    /// Not 0.
    pub port: u16,
    /// Of a name's addresses one of this family.
    pub family: Option<Family>,
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A socket is to be opened.
    Open {
        /// The client's number for it.
        socket: u32,
        /// Which, to be read as JSON.
        asked: &'a [u8],
    },
    /// Bytes of a stream.
    Data {
        /// Which.
        socket: u32,
        /// What is to be sent.
        payload: &'a [u8],
    },
    /// A datagram.
    Datagram {
        /// Whose.
        socket: u32,
        /// Where it goes, of a socket that is not connected.
        to: Option<Place<'a>>,
        /// What is in it.
        payload: &'a [u8],
    },
    /// The client takes so much more.
    Credit {
        /// Of which socket.
        socket: u32,
        /// Bytes; of a listener, connections.
        amount: u32,
    },
    /// Nothing further is sent.
    Fin {
        /// Over which stream.
        socket: u32,
    },
    /// The socket is to be closed.
    Close {
        /// Which.
        socket: u32,
        /// Without sending what waits.
        discard: bool,
    },
}

impl<'a> Packet<'a> {
    /// Reads a whole message.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(message: &'a [u8]) -> Result<Self, Wrong> {
        let Some(Head { packet_type, socket }) = Head::parse(message)? else {
            return Err(Wrong::Truncated);
        };
        let payload = &message[Head::LEN..];
        match packet_type {
            PacketType::Open => Ok(Self::Open { socket, asked: payload }),
            PacketType::Data => Ok(Self::Data { socket, payload }),
            PacketType::Datagram => {
                let (&[family, len, low, high], rest) =
                    payload.split_first_chunk().ok_or(Wrong::Truncated)?;
                let (host, payload) = rest.split_at_checked(usize::from(len)).ok_or(Wrong::Truncated)?;
                let port = u16::from_le_bytes([low, high]);
                let family = match family {
                    0 => None,
                    4 => Some(Family::V4),
                    6 => Some(Family::V6),
                    other => return Err(Wrong::Family(other)),
                };
                let host = std::str::from_utf8(host).map_err(|_| Wrong::Place)?;
                let to = match (host.is_empty(), port, family) {
                    (true, 0, None) => None,
                    (false, 1.., family) => Some(Place { host, port, family }),
                    _ => return Err(Wrong::Place),
                };
                Ok(Self::Datagram { socket, to, payload })
            }
            PacketType::Credit => Ok(Self::Credit { socket, amount: u32::from_le_bytes(exactly(payload)?) }),
            PacketType::Fin => exactly::<0>(payload).map(|_| Self::Fin { socket }),
            PacketType::Close => match exactly(payload)? {
                [0] => Ok(Self::Close { socket, discard: false }),
                [1] => Ok(Self::Close { socket, discard: true }),
                [other] => Err(Wrong::Close(other)),
            },
            PacketType::Opened | PacketType::Accepted | PacketType::Closed | PacketType::Lost => {
                Err(Wrong::PacketType(packet_type as u8))
            }
        }
    }
}

fn exactly<const N: usize>(payload: &[u8]) -> Result<[u8; N], Wrong> {
    let (fields, rest) = payload.split_first_chunk().ok_or(Wrong::Truncated)?;
    if rest.is_empty() { Ok(*fields) } else { Err(Wrong::Long) }
}

/// What stands in front of the payload of any packet.
#[must_use]
pub(super) const fn head(packet_type: PacketType, socket: u32) -> [u8; Head::LEN] {
    let [a, b, c, d] = socket.to_le_bytes();
    [packet_type as u8, a, b, c, d]
}

/// A whole packet.
#[must_use]
pub fn packet(packet_type: PacketType, socket: u32, payload: &[u8]) -> Vec<u8> {
    [&head(packet_type, socket), payload].concat()
}

/// What stands between the head of a datagram and its bytes: where it came from, of a socket that is not connected.
#[must_use]
pub fn place_of(from: Option<SocketAddr>) -> Vec<u8> {
    let Some(from) = from else { return vec![0; 4] };
    let host = host_of(&from);
    let [low, high] = from.port().to_le_bytes();
    // An address with its zone is at most 55 characters.
    [&[if from.is_ipv4() { 4 } else { 6 }, host.len() as u8, low, high], host.as_bytes()].concat()
}

/// An address as the standard writes it, without brackets.
pub(super) fn host_of(address: &SocketAddr) -> String {
    let text = display_addr(address);
    let host = text.rsplit_once(':').map_or(text.as_str(), |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

#[cfg(test)]
mod tests;
