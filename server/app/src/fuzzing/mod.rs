//! What is done with the bytes of a fuzzer, a function a parser: it panics where a promise is broken.
//!
//! Each lies beside its parser, as `fuzz.rs`. The programs of `fuzz/fuzz_targets` run them on whatever libFuzzer thinks of, and a
//! test on every file of `fuzz/corpus`.

macro_rules! targets {
    ($($(#[$doc:meta])* $name:ident: $body:path;)*) => {
        $($(#[$doc])* pub fn $name(data: &[u8]) { $body(data); })*

        /// Every one by its name, which its program and its corpus have too.
        pub const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name)),*];
    };
}

targets! {
    /// What a page asks to have opened.
    direct_open: crate::bridge::direct::fuzz::direct_open;
    /// Packets of the channel of Direct Sockets.
    direct_packet: crate::bridge::direct::fuzz::direct_packet;
    /// WebSocket frames of a client.
    frame: crate::bridge::frame::fuzz::frame;
    /// The Host of a request.
    host: crate::http::host;
    /// A request to be made.
    http_request: crate::workspace::http_request;
    /// Origins of a bridge key.
    key_origin: crate::bridge::keys::fuzz::key_origin;
    /// Targets of a bridge key.
    key_target: crate::bridge::keys::fuzz::key_target;
    /// Paths with a bridge key in front.
    keyed_path: crate::http::keyed_path;
    /// Captured frames.
    packet: sockscope_sockets::fuzzing::packet;
    /// Permits of a bridge key.
    permit: crate::bridge::keys::fuzz::permit;
    /// Requests to the HTTP practice peer.
    practice_http: crate::peers::practice_http;
    /// Range headers.
    range: crate::http::range;
    /// What netlink says of sockets.
    sock_diag: sockscope_sockets::fuzzing::sock_diag;
    /// Bytes as people spell them.
    spelled_bytes: crate::ask::spelled_bytes;
    /// What may be opened.
    target: sockscope_sockets::fuzzing::target;
    /// websockify's files of tokens.
    token_file: crate::bridge::token_file;
    /// How a Wisp connection begins.
    wisp_handshake: crate::bridge::wisp::fuzz::wisp_handshake;
    /// Wisp packets.
    wisp_packet: crate::bridge::wisp::fuzz::wisp_packet;
}

#[cfg(test)]
mod replay;
