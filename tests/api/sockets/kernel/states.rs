//! The way of a connection from open to gone: whatever somebody samples beside it is in our path, in that order.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use socket2::SockRef;
use sockscope_sockets::kernel::{
    diag::{Ask, Diag},
    state::Protocol,
};

use super::{is_within, path, set};
use crate::kit::{Deaf, Listener, PATIENCE, Server, apart, eventually, id, read_exactly, reset, text};

/// With segments, and from what the kernel answers alone.
const EYES: [&str; 2] = ["all", "states"];

/// The states two ends were in, as fast as they can be asked, until somebody says stop.
struct Sampled([Vec<String>; 2]);

impl Sampled {
    fn until(stop: &AtomicBool, local: SocketAddr, remote: SocketAddr) -> Self {
        let diag = Diag::open().expect("the kernel answers");
        let ask = |local, remote| Ask { protocol: Protocol::Tcp, local, remote };
        let asks = [ask(local, remote), ask(remote, local)];
        let mut paths = [Vec::new(), Vec::new()];
        while !stop.load(Ordering::Relaxed) {
            let answers = diag.query_all(&asks).expect("asked");
            for (path, seen) in paths.iter_mut().zip(answers) {
                let state =
                    seen.map_or_else(|| "CLOSED".to_owned(), |seen| name(&format!("{:?}", seen.state)));
                if path.last() != Some(&state) && !(path.is_empty() && state == "CLOSED") {
                    path.push(state);
                }
            }
        }
        Self(paths)
    }
}

/// `FinWait1` as the wire says it: `FIN_WAIT_1`.
fn name(state: &str) -> String {
    let mut name = String::new();
    for letter in state.chars() {
        if (letter.is_ascii_uppercase() || letter.is_ascii_digit()) && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// A connection of the server's to a peer of the test, what happens to it, and how both ends are to have gone.
#[track_caller]
fn exchange(
    what: &str,
    options: &Value,
    script: impl Fn(&Server, &str, TcpStream) -> Option<TcpStream> + Sync,
    local: &[&str],
    peer: &[&str],
) {
    for eyes in EYES {
        apart(|| seen_by(eyes, what, options, &script, local, peer));
    }
}

/// The same, with these eyes.
#[track_caller]
fn seen_by(
    eyes: &str,
    what: &str,
    options: &Value,
    script: &(impl Fn(&Server, &str, TcpStream) -> Option<TcpStream> + Sync),
    local: &[&str],
    peer: &[&str],
) {
    let server = Server::seeing(eyes, &[]);
    let (client, stream) = Listener::new().meet_with(&server, options.clone());
    let ends = (stream.peer_addr().expect("connected"), stream.local_addr().expect("connected"));
    let stop = AtomicBool::new(false);
    let sampled = thread::scope(|scope| {
        let sampling = scope.spawn(|| Sampled::until(&stop, ends.0, ends.1));
        // Both are to be seen open first.
        for end in ["local", "peer"] {
            server.fact(&client, json!({ "type": "kernel_state", "end": end, "state": "ESTABLISHED" }));
        }
        let _kept = script(&server, &client, stream);
        let last = |end: &str, expected: &[&str]| {
            let expected = expected.last().expect("an end");
            eventually(&format!("{what}, {eyes}: {end} is {expected}"), || {
                path(&server, &client, end).last().is_some_and(|last| last == expected)
            });
        };
        last("local", local);
        last("peer", peer);
        stop.store(true, Ordering::Relaxed);
        sampling.join().expect("no panic")
    });
    for ((end, expected), sampled) in [("local", local), ("peer", peer)].into_iter().zip(&sampled.0) {
        let told = path(&server, &client, end);
        let expected: Vec<String> = expected.iter().map(|&state| state.to_owned()).collect();
        if eyes == "all" {
            assert!(is_within(sampled, &told), "{what}, {end}: sampled {sampled:?}, told {told:?}");
            assert_eq!(told, expected, "{what}, {end}");
        } else {
            // Without segments a state that is over in microseconds may be missed. None is made up.
            assert!(is_within(&told, &expected), "{what}, {end}: {told:?}");
        }
    }
}

#[test]
fn we_close_first() {
    exchange(
        "close",
        &json!({}),
        |server, client, mut peer| {
            server.close(client);
            peer.read_to_end(&mut Vec::new()).expect("a FIN");
            None
        },
        &["SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"],
        &["SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"],
    );
}

#[test]
fn the_peer_closes_first() {
    exchange(
        "the peer's close",
        &json!({}),
        |server, client, peer| {
            drop(peer);
            server.fact(client, json!({ "type": "eof" }));
            server.close(client);
            None
        },
        &["SYN_SENT", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"],
        &["SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"],
    );
}

#[test]
fn half_closed_it_stays_until_the_other_half_ends() {
    exchange(
        "half-close by us",
        &json!({}),
        |server, client, mut peer| {
            server.shut_down(client);
            server.fact(client, json!({ "type": "kernel_state", "end": "local", "state": "FIN_WAIT_2" }));
            peer.write_all(b"late").expect("the other direction is open");
            server.received(client, 4);
            None
        },
        &["SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"],
        &["SYN_RECEIVED", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"],
    );
    exchange(
        "half-close by the peer",
        &json!({}),
        |server, client, mut peer| {
            peer.shutdown(Shutdown::Write).expect("open");
            server.fact(client, json!({ "type": "kernel_state", "end": "local", "state": "CLOSE_WAIT" }));
            server.say(client, b"late");
            assert_eq!(read_exactly(&mut peer, 4), b"late");
            server.shut_down(client);
            Some(peer)
        },
        &["SYN_SENT", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"],
        &["SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"],
    );
}

#[test]
fn a_rst_ends_both_at_once_in_three_ways() {
    let (local, peer) = (["SYN_SENT", "ESTABLISHED", "CLOSED"], ["SYN_RECEIVED", "ESTABLISHED", "CLOSED"]);
    let ours = |server: &Server, client: &str, peer: TcpStream| {
        server.ask("DELETE", &format!("sockets/{client}?reset=true"), None).ok();
        Some(peer)
    };
    exchange("reset", &json!({}), ours, &local, &peer);
    let unread = |server: &Server, client: &str, mut peer: TcpStream| {
        peer.write_all(b"unread").expect("written");
        server.close(client);
        Some(peer)
    };
    exchange("unread bytes", &json!({ "reading": false }), unread, &local, &peer);
    let theirs = |_: &Server, _: &str, peer: TcpStream| {
        reset(peer);
        None
    };
    exchange("linger 0 by the peer", &json!({}), theirs, &local, &peer);
}

/// Both FINs wait behind bytes that the other does not read, so that each goes before the other's comes.
#[test]
fn both_close_before_either_knows() {
    exchange(
        "simultaneous close",
        &json!({ "reading": false, "recv_buffer": 4096, "send_buffer": 400_000 }),
        |server, client, mut peer| {
            SockRef::from(&peer).set_send_buffer_size(400_000).expect("a living socket");
            // More than its window takes, less than its buffer: all is written, and the FIN waits behind it.
            peer.write_all(&[1; 100_000]).expect("written");
            peer.shutdown(Shutdown::Write).expect("open");
            server.fact(client, json!({ "type": "kernel_state", "end": "peer", "state": "FIN_WAIT_1" }));
            server.shut_down(client);
            server.fact(client, json!({ "type": "kernel_state", "end": "peer", "state": "CLOSING" }));
            set(server, client, &json!({ "reading": true }));
            server.received(client, 100_000);
            Some(peer)
        },
        &["SYN_SENT", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"],
        &["SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "CLOSING", "TIME_WAIT"],
    );
}

#[test]
fn a_refused_connection_was_tried() {
    for eyes in EYES {
        let server = Server::seeing(eyes, &[]);
        let deaf = Deaf::on("127.0.0.1:0").expect("free");
        server.try_open(&format!("tcp://127.0.0.1:{}", deaf.port()), json!({}));
        let failed = server.fact("", json!({ "type": "failed", "errno": "ECONNREFUSED" }));
        let client = text(&failed["socket"]);
        if eyes == "all" {
            let way = ["SYN_SENT", "CLOSED"];
            eventually("the way is told", || path(&server, &client, "local") == way);
            assert!(path(&server, &client, "peer").is_empty(), "nobody was there");
        }
        // Without segments nobody has seen it: it was over before it could be asked for.
        assert!(is_within(&path(&server, &client, "local"), &["SYN_SENT", "CLOSED"].map(str::to_owned)));
    }
}

/// An accepted socket's own way begins at the listener.
#[test]
fn an_accepted_connection_was_received() {
    apart(|| {
        for eyes in EYES {
            let server = Server::seeing(eyes, &[]);
            let listening = server.open("tcp-listen://127.0.0.1:0");
            let mut peer = crate::kit::dial(&listening);
            let remote = peer.local_addr().expect("connected").to_string();
            let accepted = server.fact(&id(&listening), json!({ "type": "accepted", "remote": remote }));
            let child = text(&accepted["child"]);
            server.close(&child);
            peer.read_to_end(&mut Vec::new()).expect("a FIN");
            drop(peer);
            let expected = ["SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"];
            eventually("TIME_WAIT", || {
                path(&server, &child, "local").last().is_some_and(|last| last == "TIME_WAIT")
            });
            let (told, expected) = (path(&server, &child, "local"), expected.map(str::to_owned));
            if eyes == "all" {
                assert_eq!(told, expected);
            } else {
                assert!(is_within(&told, &expected), "{told:?}");
            }
        }
    });
}

/// TIME_WAIT says how long it still lasts, and FIN_WAIT_2 of an orphan when it is given up.
#[test]
fn time_wait_says_when_it_ends() {
    apart(|| {
        let server = Server::seeing("states", &[]);
        let (client, peer) = Listener::new().meet(&server);
        server.close(&client);
        drop(peer);
        let event =
            server.fact(&client, json!({ "type": "kernel_state", "end": "local", "state": "TIME_WAIT" }));
        assert_eq!(event["timer"]["kind"], "time_wait", "{event}");
        let left = Duration::from_millis(event["timer"]["expires_ms"].as_u64().expect("a number"));
        assert!(left <= Duration::from_secs(60) && left > Duration::from_secs(60) - PATIENCE, "{event}");
    });
}

/// Nobody looks at either end; what they had counted comes with the kernel's notice that they are gone.
#[test]
fn what_both_ends_counted_is_told_when_they_are_gone() {
    apart(|| {
        let server = Server::seeing("states", &[]);
        let (client, mut peer) = Listener::new().meet(&server);
        server.say(&client, b"hello");
        assert_eq!(read_exactly(&mut peer, 5), b"hello");
        peer.write_all(b"and back").expect("written");
        server.received(&client, 8);
        server.close(&client);
        assert_eq!(peer.read(&mut [0]).expect("a FIN"), 0);
        drop(peer);
        let told = server.fact(&client, json!({ "type": "tcp_info", "end": "peer" }));
        // A FIN counts as a byte.
        assert_eq!(
            (&told["info"]["bytes_received"], &told["info"]["bytes_sent"]),
            (&json!(6), &json!(8)),
            "{told}"
        );
        server.fact(&client, json!({ "type": "kernel_state", "end": "local", "state": "TIME_WAIT" }));
        let ours = server.history(&format!("socket={client}&type=tcp_info")).0;
        let last = ours.iter().rfind(|event| event["end"] == "local").expect("ours, too");
        assert_eq!(last["info"]["bytes_received"], json!(9), "{ours:#?}");
    });
}

/// The kernel ends a TIME_WAIT up to some seconds late: nobody asks it a thousand times a second meanwhile.
#[test]
fn the_end_of_a_time_wait_is_told_and_waiting_for_it_costs_next_to_nothing() {
    apart(|| {
        const SOCKETS: usize = 200;
        let server = Server::seeing("states", &[]);
        let listener = Listener::new();
        for _ in 0..SOCKETS {
            let (client, mut peer) = listener.meet(&server);
            server.close(&client);
            // Ours is the first FIN.
            assert_eq!(peer.read(&mut [0]).expect("a FIN"), 0);
        }
        let told = |state: &str| {
            let mut events = server.history("type=kernel_state").0;
            events.retain(|event| event["end"] == "local" && event["state"] == state);
            events
        };
        eventually("all wait", || told("TIME_WAIT").len() == SOCKETS);
        // No condition: this is how long TIME_WAIT lasts, nearly.
        thread::sleep(Duration::from_secs(58));
        let (before, begun) = (server.cpu(), Instant::now());
        while told("CLOSED").len() < SOCKETS {
            assert!(begun.elapsed() < PATIENCE, "{} of {SOCKETS} are over", told("CLOSED").len());
            thread::sleep(Duration::from_millis(500));
        }
        let hundredths = server.cpu() - before;
        eprintln!("{hundredths} hundredths of a second of CPU in {:?}", begun.elapsed());
        assert!(hundredths < 60, "{hundredths} hundredths of a second of CPU in {:?}", begun.elapsed());
    });
}
