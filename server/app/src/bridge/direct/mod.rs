//! Direct sockets of a server: many sockets over one WebSocket, of every kind, for pages that use `/sdk/direct-sockets.js`.
//!
//! `packet`, `open` and `told` do no I/O; `session` reads the connection, `stream` carries one socket, `bytes`, `datagrams` and
//! `listener` what is particular to those; all of them write through the outbox of the connection.
//!
//! A packet is one binary message. The client numbers the sockets it opens, the server those that a listener accepts; the latter have
//! the highest bit set. Bytes are paid for with credits each way, a [`WINDOW`] of them at the beginning, so that a socket nobody
//! reads waits alone: at most that much lies here, the rest in the kernel.

mod bytes;
mod datagrams;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod listener;
mod open;
mod packet;
mod session;
mod stream;
mod told;
mod upload;

pub use packet::{Head, Packet, PacketType, Place, Wrong, packet, place_of};
pub(crate) use session::Session;

/// Bytes of one socket that may be on their way, each way.
pub const WINDOW: u32 = 256 * 1024;

/// What a datagram costs beside its bytes: an empty one is not for nothing.
pub const DATAGRAM_COST: u32 = 64;

/// The highest bit of a number: the server chose it.
pub const SERVERS: u32 = 1 << 31;
