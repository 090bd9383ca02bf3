//! The doors, from outside: who is let in, that every way of delivery tells the same story, and that bad input changes
//! nothing.

#![allow(clippy::disallowed_methods, reason = "tests are peers, not the product")]

#[path = "../../support/mod.rs"]
mod support;

mod compare;
mod contract;
mod delivery;
mod ending;
mod gate;
mod input;
mod pcapng;
mod story;
