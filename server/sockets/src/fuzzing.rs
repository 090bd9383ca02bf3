//! What is done with the bytes of a fuzzer, a function a parser: it panics where a promise is broken.

pub use crate::{
    kernel::fuzz::{packet, sock_diag},
    target::fuzz::target,
};
