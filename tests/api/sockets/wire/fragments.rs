//! Datagrams that do not fit into a frame: IP cuts them, and only the first piece says which ports they are between.

use std::{collections::HashMap, net::UdpSocket};

use serde_json::Value;

use super::{Host, at, settle};
use crate::{
    kernel::{field, segments},
    kit::{PATIENCE, Server, apart, eventually, id, number, payload, text},
    support::shark::{self, Dump},
};

/// Just more than a frame takes, a few frames, and nearly as much as a datagram may have.
const LENGTHS: [usize; 3] = [1473, 5000, 60_000];

/// A piece of a datagram, as both tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    ours: bool,
    datagram: u32,
    more: bool,
    len: u64,
}

fn hex(number: &str) -> u32 {
    u32::from_str_radix(number.trim_start_matches("0x"), 16).unwrap_or_else(|_| panic!("no number: {number}"))
}

/// The pieces a socket's log tells.
fn told(server: &Server, socket: &str) -> Vec<Piece> {
    let piece = |segment: &Value| {
        assert_eq!(segment["interface"], "near", "{segment}");
        let field = |name| field(server, segment, name).unwrap_or_else(|| panic!("no {name}: {segment}"));
        Piece {
            ours: segment["sender"] == "local",
            datagram: hex(&field("identification")),
            more: field("more_fragments") == "set",
            len: number(&segment["frame_len"]),
        }
    };
    segments(server, socket).iter().map(piece).collect()
}

/// Every piece for itself: the dump has no more than the beginning of each, of which no packet can be made.
const APART: [&str; 4] = ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"];

const FIELDS: [&str; 9] = [
    "frame.len",
    "ip.src",
    "ip.id",
    "ip.flags.mf",
    "ipv6.src",
    "ipv6.fraghdr.ident",
    "ipv6.fraghdr.more",
    "udp.srcport",
    "udp.dstport",
];

/// The pieces tshark saw of the datagrams from or to a port of this end.
fn seen(rows: &[Vec<String>], ours: &str, port: u16) -> Vec<Piece> {
    let mut mine = HashMap::new();
    let mut pieces = Vec::new();
    for row in rows {
        let [len, from, datagram, more, from6, datagram6, more6, source, destination] = &row[..] else {
            panic!("nine fields: {row:?}")
        };
        let (from, datagram, more) =
            if from6.is_empty() { (from, datagram, more) } else { (from6, datagram6, more6) };
        // A frame of something else has no identification in IPv6.
        if datagram.is_empty() {
            continue;
        }
        let key = (from.clone(), hex(datagram));
        let ports = [source, destination].map(|port| port.parse::<u16>().ok());
        // The first piece.
        if ports.iter().any(Option::is_some) {
            mine.insert(key.clone(), ports[usize::from(from != ours)] == Some(port));
        }
        let len = len.parse().expect("a number");
        let more = ["1", "True"].contains(&more.as_str());
        pieces.push((key.clone(), Piece { ours: from == ours, datagram: key.1, more, len }));
    }
    pieces.retain(|(key, _)| mine.get(key) == Some(&true));
    pieces.into_iter().map(|(_, piece)| piece).collect()
}

/// Two sockets of one host that talk with the same other one, and one that is not connected: each has its own pieces.
#[test]
fn a_datagram_in_pieces_comes_whole_and_every_piece_is_told_where_it_belongs() {
    apart(|| {
        let far = Host::new();
        far.wire();
        let server = Server::seeing("all", &[]);
        for (here, there) in [("10.77.0.1", "10.77.0.2"), ("fd77::1", "fd77::2")] {
            let bracketed =
                |host: &str| if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            let there = bracketed(there);
            let peers = far.does(move || {
                [0; 3].map(|_| {
                    let peer = UdpSocket::bind(at(&there)).expect("free");
                    peer.set_read_timeout(Some(PATIENCE)).expect("not zero");
                    peer
                })
            });
            let dir = tempfile::tempdir().expect("a place");
            let dump = Dump::start("near", &dir.path().join("beside.pcapng"));
            let address = |peer: &UdpSocket| peer.local_addr().expect("bound");
            let bound = server.open(&format!("udp-bind://{}:0", bracketed(here)));
            let sockets = [
                (server.open(&format!("udp://{}", address(&peers[0]))), String::new()),
                (server.open(&format!("udp://{}", address(&peers[1]))), String::new()),
                (bound, format!("?to={}", address(&peers[2]))),
            ];
            for len in LENGTHS {
                for ((socket, to), peer) in sockets.iter().zip(&peers) {
                    let bytes = vec![u8::try_from(len % 251).expect("small"); len];
                    server.send(&id(socket), &bytes, to).ok();
                    let mut datagram = vec![0; 65_536];
                    let (len, from) = peer.recv_from(&mut datagram).expect("it comes");
                    assert!(datagram[..len] == bytes, "whole");
                    peer.send_to(&datagram[..len], from).expect("sent");
                }
            }
            for (socket, _) in &sockets {
                eventually("all came back", || {
                    server.socket(&id(socket))["counters"]["received_events"] == LENGTHS.len()
                });
                let received = server.history(&format!("socket={}&type=received", id(socket))).0;
                let lengths: Vec<_> = received.iter().map(|event| payload(event).len()).collect();
                assert_eq!(lengths, LENGTHS, "whole");
            }
            settle(&server);
            let rows = shark::fields_with(&dump.end(), &APART, &FIELDS);
            for (socket, _) in &sockets {
                let port = text(&socket["local"]).rsplit(':').next().and_then(|port| port.parse().ok());
                let (told, seen) = (told(&server, &id(socket)), seen(&rows, here, port.expect("a port")));
                assert!(seen.len() > 2 * LENGTHS.len(), "they were cut: {seen:?}");
                assert_eq!(told, seen, "{socket}");
            }
        }
    });
}
