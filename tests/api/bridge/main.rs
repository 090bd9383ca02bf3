//! Bridges, from outside: whom a key lets in, where it leads, and when it ends.

#![allow(clippy::disallowed_methods, reason = "tests are peers, not the product")]

#[path = "../../support/mod.rs"]
mod support;

mod command;
mod crowding;
mod direct;
mod flow;
mod frames;
mod gate;
mod kit;
mod limits;
mod python_websockets;
mod raw;
mod revoking;
mod secrets;
mod small_pieces;
mod targets;
mod visible;
mod websockify;
mod wisp;
mod wisp_client;
mod wisp_flow;
mod wisp_keys;
mod wisp_prefix;
mod wisp_reasons;
mod wisp_udp;
mod wsproxy;
