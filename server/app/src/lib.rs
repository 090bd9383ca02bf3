//! The sockscope server: an oscilloscope for sockets.
//!
//! `http` holds the doors, `workspace` the rooms, `log` the memory, `peers` the practice servers. `docs/ARCHITECTURE.md`
//! follows a byte through all of them.

pub mod ask;
pub mod bridge;
pub mod clock;
pub mod compare;
pub mod config;
pub mod failure;
pub mod feed;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod key;
pub mod launch;
pub mod limits;
pub mod log;
pub mod memory;
pub mod meter;
pub mod pcapng;
pub mod peers;
pub mod problem;
pub mod secret;
pub mod server;
pub mod text;
pub mod workspace;
