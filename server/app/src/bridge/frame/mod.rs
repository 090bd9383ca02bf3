//! WebSocket frames (RFC 6455 §5) of a server, without I/O: bytes come in, what they hold comes out, in place.
//!
//! Payload is unmasked where it lies and handed on as it comes, whole frame or not; nothing is allocated, and nothing kept
//! but a dozen bytes of state. What is not understood yet stays with whoever reads: at most one header and one control
//! frame, [`KEPT`] bytes.

mod close;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod mask;
mod read;
mod write;

pub use close::{Close, code};
pub use read::{Failed, Gathered, Item, Kind, Reader};
pub use write::{CONTROL, HEADER, close, header, ping, pong};

/// The most bytes that may be left unread after everything that could be understood was: a header, and a control frame's
/// payload.
pub const KEPT: usize = 14 + CONTROL;
