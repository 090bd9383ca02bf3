//! Wisp (v1.2, v2.0 draft 6) of a server: many TCP and UDP streams over one WebSocket.
//!
//! `packet`, `handshake`, `auth`, `extension` and `credits` do no I/O; `session` reads the connection, `stream` carries one
//! stream, and all of them write through `outbox`.
//!
//! A packet is the payload of one binary message. Whoever reads the WebSocket takes a [`Head`] from its first five
//! bytes: the payload of a TCP stream's DATA is then handed on as it comes, anything else is gathered and parsed.
//!
//! Beside the specification, clients expect this of a server: it does not answer CLOSE with CLOSE, and after a CLOSE,
//! of either side, it says nothing more of the stream, for some take that for an error. What they say of a stream
//! that is gone was under way when it went, and is dropped.

mod auth;
mod credits;
mod extension;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod handshake;
mod packet;
pub mod reason;
mod reserve;
mod session;
mod stream;

pub use auth::{CHALLENGE, Keys, LongName, NoKey, Passwords};
pub use credits::{BUFFER, CREDITS, Credits, Exceeded, LARGEST, Lengths, credits_for};
pub use extension::{Extension, extensions};
pub use handshake::{Accepted, Begun, Handshake, MAJOR, MINOR, Outcome, Settings, Version};
pub use packet::{
    Fault, Head, Packet, PacketType, StreamType, Wrong, close_packet, continue_packet, data_head, info_packet,
};
pub use reserve::{Loan, Reserve};
pub(crate) use session::Session;
