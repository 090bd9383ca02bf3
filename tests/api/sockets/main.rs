//! Sockets, black box: the real binary against real peers, on loopback.
#![allow(clippy::disallowed_methods, reason = "tests are peers, not the product")]

mod datagrams;
mod ends;
mod failures;
mod kernel;
mod kit;
mod lanes;
mod limits;
mod log;
mod names;
mod practice;
mod queue;
mod streams;
#[path = "../../support/mod.rs"]
mod support;
mod wire;
