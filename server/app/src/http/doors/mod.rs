//! What stands behind the gate: a file a door, each a few handlers.

pub(super) mod assets;
pub(super) mod bridge;
pub(super) mod crowds;
pub(super) mod direct;
pub(super) mod events;
pub(super) mod kernel;
pub(super) mod keys;
pub(super) mod meters;
pub(super) mod ops;
pub(super) mod payload;
pub(super) mod practice;
pub(super) mod session;
pub(super) mod sockets;
pub(super) mod wisp;
pub(super) mod ws;
