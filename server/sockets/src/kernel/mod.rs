//! What the kernel and the wire say of a socket, beside what our own calls return.
//!
//! `info` asks a descriptor (TCP_INFO). `diag` asks by addresses (NETLINK_SOCK_DIAG), `destroyed` is told when a socket
//! is gone. `capture` sees frames; `packet` takes them apart, `flow` follows one connection through them.

pub mod state;
