//! What the black-box tests share: the real binary as a child process, clients of every door, peers of their own.
//!
//! Nothing here knows the server from inside: it speaks HTTP, SSE and WebSocket as any program would. Waiting is always
//! for a condition under a deadline ([`eventually`], [`within`]), never for time to pass, and no port is fixed.

// Each test binary uses its share of this.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "shared by several test binaries")]

pub mod batch;
pub mod client;
pub mod http;
pub mod network;
pub mod peer;
pub mod proxy;
pub mod server;
pub mod shark;
pub mod sse;
pub mod tun;
pub mod viewer;
pub mod wait;

pub use batch::decode_batch;
pub use client::{Answer, Client};
pub use http::{Conn, Request, Response};
pub use peer::{Blackhole, Nobody, TcpPeer, UdpPeer};
pub use proxy::Proxy;
pub use server::{Builder, TOKEN, TestServer};
pub use sse::{Message, Sse};
pub use viewer::Viewer;
pub use wait::{DEADLINE, eventually, within};
