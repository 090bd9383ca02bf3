//! Real sockets, the address policy, and what the kernel says of them. Knows neither HTTP nor JSON.

pub mod policy;
pub mod target;
