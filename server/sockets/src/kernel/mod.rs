//! What the kernel and the wire say of a socket, beside what our own calls return.
//!
//! `info` asks a descriptor (TCP_INFO). `diag` asks by addresses (NETLINK_SOCK_DIAG), `destroyed` is told when a socket
//! is gone. `owner` looks for the process that holds one. `capture` sees frames, those a `filter` lets through; `packet`
//! takes them apart, `flow` follows one connection through them and `path` the states of one end; `layers` shows every
//! field of one.

pub mod capture;
pub(crate) mod clocks;
pub mod destroyed;
pub mod diag;
pub mod filter;
pub mod flow;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
pub mod info;
pub(crate) mod interfaces;
pub mod layers;
pub mod owner;
pub mod packet;
pub mod path;
pub mod state;
