//! The doors, from outside: who is let in, and that every way of delivery tells the same story.

#![allow(clippy::disallowed_methods, reason = "tests are peers, not the product")]

#[path = "../../support/mod.rs"]
mod support;

mod support_works;
