//! UDP, as the kernel says it: how a datagram came, and what became of one that did not arrive.

use std::{net::UdpSocket, time::Duration};

use serde_json::{Value, json};

use super::segments;
use crate::kit::{PATIENCE, Server, eventually, id, is_like, number, text};

/// Both families: an address of loopback no other test binds, the type and code of "port unreachable", and who says so.
const NOBODY: [(&str, u8, u8, &str); 2] = [("127.0.0.78:0", 3, 3, "127.0.0.78"), ("[::1]:0", 1, 4, "::1")];

/// A port nobody holds. Of IPv4 an address of its own keeps others away from it.
fn closed_port(address: &str) -> String {
    UdpSocket::bind(address).expect("free").local_addr().expect("bound").to_string()
}

fn failures(server: &Server, id: &str) -> Vec<Value> {
    server.history(&format!("socket={id}&type=failed")).0
}

#[test]
fn a_datagram_says_how_it_came() {
    let server = Server::start(&[]);
    for (host, from) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "[::1]"), ("[::]", "127.0.0.1")] {
        let bound = server.open(&format!("udp-bind://{host}:0"));
        let port = text(&bound["local"]).rsplit(':').next().expect("a port").to_owned();
        let to = if host == "[::]" { format!("127.0.0.1:{port}") } else { format!("{host}:{port}") };
        let sender = id(&server.open(&format!("udp-bind://{from}:0")));
        server.send(&sender, b"ping", &format!("?to={to}")).ok();
        let sent = server.fact(&sender, json!({ "type": "sent" }));
        let received = server.fact(&id(&bound), json!({ "type": "received" }));
        let arrival = &received["arrival"];
        assert!(is_like(arrival, &json!({ "ttl": 64, "interface": "lo" })), "{host}: {received}");
        assert!(arrival.get("len").is_none(), "nothing was cut off");
        let entered = number(&sent["t_us"]) - number(&sent["took_us"]);
        let at = number(&arrival["kernel_us"]);
        // Two clocks are read to tell it, and whoever reads them may be interrupted in between.
        assert!(at + 50 >= entered && at <= number(&received["t_us"]), "{entered} {at} {received}");
    }
}

#[test]
fn a_stream_has_no_arrival() {
    let server = Server::start(&[]);
    let (client, mut peer) = crate::kit::Listener::new().meet(&server);
    std::io::Write::write_all(&mut peer, b"bytes").expect("written");
    assert!(server.fact(&client, json!({ "type": "received" })).get("arrival").is_none());
}

#[test]
fn what_was_cut_off_says_how_long_it_was() {
    let server = Server::start(&[]);
    let socket = server.open_with("udp-bind://127.0.0.1:0", json!({ "read_size": 4 }));
    let peer = UdpSocket::bind("127.0.0.1:0").expect("free");
    for len in [4, 5, 60_000] {
        peer.send_to(&vec![7; len], text(&socket["local"])).expect("sent");
    }
    let socket = id(&socket);
    eventually("all are there", || server.socket(&socket)["counters"]["received_events"] == 3);
    let received = server.history(&format!("socket={socket}&type=received")).0;
    assert!(received[0].get("truncated").is_none() && received[0]["arrival"].get("len").is_none());
    for (event, len) in received[1..].iter().zip([5, 60_000]) {
        assert!(
            is_like(event, &json!({ "len": 4, "truncated": true, "arrival": { "len": len } })),
            "{event}"
        );
    }
}

/// The way of an ICMP error: on the wire, then into the socket's next call, once.
#[test]
fn a_closed_port_is_an_icmp_error_that_is_told_once() {
    let server = Server::seeing("all", &[]);
    for (address, kind, code, from) in NOBODY {
        let nobody = closed_port(address);
        let connected = id(&server.open(&format!("udp://{nobody}")));
        let host = if address.starts_with('[') { "[::1]" } else { "127.0.0.1" };
        let bound = id(&server.open(&format!("udp-bind://{host}:0")));
        for (socket, to) in [(&connected, String::new()), (&bound, format!("?to={nobody}"))] {
            server.send(socket, b"anybody?", &to).ok();
            let failed = server.fact(socket, json!({ "type": "failed" }));
            let expected = json!({
                "code": "refused", "errno": "ECONNREFUSED", "fatal": false, "phase": "receive",
                "remote": nobody, "icmp": { "type": kind, "code": code, "from": from },
            });
            assert!(is_like(&failed, &expected), "{failed}");
            let icmp = json!({ "type": "segment", "protocol": "icmp" });
            let segment = server.fact(socket, icmp);
            let seen = json!({ "sender": "peer", "icmp": { "type": kind, "code": code, "from": from } });
            assert!(is_like(&segment, &seen), "{segment}");
            assert!(number(&segment["t_us"]) <= number(&failed["t_us"]) + 50, "seen before it was told");
            let datagrams = segments(&server, socket);
            let ours = json!({ "protocol": "udp", "sender": "local", "len": 8 });
            assert!(datagrams.iter().any(|segment| is_like(segment, &ours)), "{datagrams:#?}");
            // The socket lives on: somebody takes the port, and is reached.
            let peer = UdpSocket::bind(&nobody).expect("still free");
            peer.set_read_timeout(Some(PATIENCE)).expect("not zero");
            server.send(socket, b"now?", &to).ok();
            assert_eq!(peer.recv(&mut [0; 16]).expect("it comes"), 4);
            drop(peer);
            server.close(socket);
            server.fact(socket, json!({ "type": "closed", "reason": "closed" }));
            assert_eq!(failures(&server, socket).len(), 1, "told once");
        }
    }
}

/// Every datagram that went to nobody has its error, no more and no fewer, while others go where somebody is.
#[test]
fn a_flood_of_errors_is_told_to_the_last() {
    const SENT: usize = 500;
    let server = Server::start(&[]);
    for (address, kind, code, _) in NOBODY {
        let nobody = closed_port(address);
        let host = if address.starts_with('[') { "[::1]" } else { "127.0.0.1" };
        let bound = id(&server.open(&format!("udp-bind://{host}:0")));
        let peer = UdpSocket::bind(format!("{host}:0")).expect("free");
        peer.set_read_timeout(Some(Duration::from_millis(1))).expect("not zero");
        let there = peer.local_addr().expect("bound");
        let (mut arrived, mut refused) = (0, 0);
        for turn in 0..SENT {
            // A send that fails with the error of the one before did not go, and says so.
            if server.send(&bound, b"x", &format!("?to={nobody}")).status != 200 {
                refused += 1;
            }
            if turn % 10 == 0 {
                // An error about another is none of its business.
                server.send(&bound, b"y", &format!("?to={there}")).ok();
                arrived += 1;
            }
        }
        eventually("every error is told", || {
            let told = failures(&server, &bound);
            told.iter().filter(|failed| failed["phase"] == "receive").count() + 2 * refused >= SENT
        });
        for _ in 0..arrived {
            peer.recv(&mut [0; 4]).expect("everything that was taken comes");
        }
        server.close(&bound);
        let told = failures(&server, &bound);
        assert_eq!(told.len() + refused, SENT, "{refused} did not go");
        for failed in &told {
            assert!(
                is_like(failed, &json!({ "icmp": { "type": kind, "code": code }, "remote": nobody })),
                "{failed}"
            );
        }
    }
}
