//! The way in: connections are accepted, counted and bounded, and the gate stands before every route.

pub(super) mod auth;
pub(super) mod connection;
pub(super) mod gate;
pub(super) mod keyed;
mod life;
pub(super) mod listener;
pub(super) mod prefix;
pub(super) mod serve;
pub(super) mod timed;
pub(super) mod upgrade;
pub(super) mod wire;
