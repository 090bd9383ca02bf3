//! Real sockets, the address policy, and what the kernel says of them. Knows neither HTTP nor JSON.
//!
//! A socket is opened by [`open::Opening`] and then owned by exactly one task: [`stream::run`], [`listener::run`] or
//! [`datagram::run`]. Commands come down through a [`mailbox::Mailbox`]; facts go up through a [`fact::Recorder`].

pub mod acceptor;
pub mod arrival;
pub mod datagram;
pub mod dial;
pub mod drops;
pub mod errno;
pub mod fact;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod icmp;
pub mod kernel;
pub mod listener;
pub mod mailbox;
pub mod open;
pub mod options;
pub mod policy;
mod scratch;
pub mod stream;
mod sys;
pub mod target;
pub mod tcp_info;
