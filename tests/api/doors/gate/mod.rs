//! Who is let in.

mod credentials;
mod matrix;
mod page;
mod secrets;
mod start;
