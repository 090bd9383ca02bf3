//! Bridges: programs reach sockets through a WebSocket.
//!
//! A bridged socket is *attached*: its bytes belong to one client and wait for that client alone. Two pumps carry them, one
//! each way, and each waits for its write before its next read, so that nothing grows between the two. The log is told
//! what passed, the first bytes of it, and how it ended.

pub mod direct;
pub mod frame;
pub mod wisp;

mod buffer;
mod client;
mod datagram;
mod end;
pub mod keys;
mod ledger;
mod low_water;
mod many;
mod opening;
mod outbox;
mod pace;
mod stream;
mod udp_errors;
mod websockify;

pub(crate) use client::{Client, Close, Incoming};
pub(crate) use datagram::carry as carry_datagrams;
pub(crate) use frame::code;
pub use keys::Keys;
pub(crate) use opening::{Carried, Opener, Unopened};
pub(crate) use stream::carry as carry_stream;
pub use websockify::Websockify;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use websockify::fuzz::token_file;
