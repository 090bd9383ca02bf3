//! The policy with real answers of DNS and the real addresses of this host.

mod dns;
mod host;
mod names;
