//! Options that really act: what they do to the segments on the wire, and to connections that wait.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use socket2::SockRef;
use sockscope_sockets::kernel::{
    diag::Diag,
    state::{Protocol, TimerKind},
};

use super::{field, has, segments, set};
use crate::kit::{Listener, PATIENCE, Server, eventually, id, is_like, number, read_exactly, text};

/// Segments with bytes, of one end.
fn carrying(server: &Server, id: &str, sender: &str) -> Vec<Value> {
    let all = segments(server, id).into_iter();
    all.filter(|segment| segment["sender"] == sender && number(&segment["len"]) > 0).collect()
}

/// Waits until so many bytes of that end were seen on the wire; how they were cut. What a busy machine acknowledges late goes
/// again, as it was cut before.
#[track_caller]
fn cut(server: &Server, id: &str, sender: &str, bytes: u64) -> Vec<u64> {
    let mut lens: Vec<u64> = Vec::new();
    eventually(&format!("{bytes} bytes of {sender} are seen"), || {
        let again = |segment: &&Value| {
            segment["marks"].as_array().is_some_and(|marks| marks.contains(&json!("retransmission")))
        };
        let sent = carrying(server, id, sender);
        lens = sent.iter().filter(|one| !again(one)).map(|segment| number(&segment["len"])).collect();
        lens.iter().sum::<u64>() >= bytes
    });
    lens
}

#[test]
fn maxseg_is_in_the_syn_and_cuts_the_stream() {
    let server = Server::seeing("all", &[]);
    let (client, mut peer) = Listener::new().meet_with(&server, json!({ "maxseg": 600 }));
    let option = server.fact(&client, json!({ "type": "option_set", "option": "maxseg" }));
    assert_eq!(option["asked"], 600);
    let syn = server.fact(&client, json!({ "type": "segment", "flags": ["syn"], "sender": "local" }));
    assert_eq!(field(&server, &syn, "option_mss").as_deref(), Some("600"));
    server.say(&client, &[1; 10_000]);
    read_exactly(&mut peer, 10_000);
    peer.write_all(&[2; 10_000]).expect("written");
    server.received(&client, 10_000);
    for sender in ["local", "peer"] {
        cut(&server, &client, sender, 10_000);
        for segment in carrying(&server, &client, sender) {
            let (len, pieces, mss) =
                (number(&segment["len"]), number(&segment["pieces"]), number(&segment["mss"]));
            assert!(mss <= 600 && len <= pieces * mss, "{segment}");
            assert_eq!(pieces, len.div_ceil(mss), "{segment}");
        }
    }
}

/// The kernel lets go of what is held after 200 ms, so a machine that was too slow to ask tries again.
#[test]
fn cork_holds_small_writes_together_until_it_is_taken_off() {
    let server = Server::seeing("all", &[]);
    let listener = Listener::new();
    for last in [false, false, false, false, true] {
        let (client, mut peer) = listener.meet(&server);
        set(&server, &client, &json!({ "cork": true }));
        let begin = Instant::now();
        for part in [b"one", b"two", b"six"] {
            server.say(&client, part);
        }
        peer.set_read_timeout(Some(Duration::from_millis(20))).expect("not zero");
        let early = peer.read(&mut [0; 9]).is_ok();
        set(&server, &client, &json!({ "cork": false }));
        if begin.elapsed() < Duration::from_millis(150) || last {
            assert!(!early, "nothing goes while it is held");
            peer.set_read_timeout(Some(PATIENCE)).expect("not zero");
            assert_eq!(read_exactly(&mut peer, 9), b"onetwosix");
            assert_eq!(cut(&server, &client, "local", 9), [9], "one segment");
            return;
        }
    }
}

/// Nagle (RFC 896) needs an acknowledgement that takes its time: 40 ms, when the peer does not hurry.
#[test]
fn nagle_holds_what_is_small_while_something_is_on_its_way() {
    let server = Server::seeing("all", &[]);
    let listener = Listener::new();
    for nodelay in [true, false] {
        let mut lens = Vec::new();
        for _ in 0..10 {
            let (client, mut peer) = listener.meet_with(&server, json!({ "nodelay": nodelay }));
            SockRef::from(&peer).set_tcp_quickack(false).expect("a living socket");
            for part in [b"a", b"b", b"c"] {
                server.say(&client, part);
            }
            assert_eq!(read_exactly(&mut peer, 3), b"abc");
            lens = cut(&server, &client, "local", 3);
            if nodelay || lens == [1, 2] {
                break;
            }
        }
        assert_eq!(lens, if nodelay { vec![1, 1, 1] } else { vec![1, 2] }, "nodelay {nodelay}");
    }
}

/// How long an acknowledgement takes is what `quickack` is about; it is asked again for every segment, as tcp(7) says.
#[test]
fn quickack_acknowledges_at_once_and_its_absence_waits() {
    let server = Server::seeing("all", &[]);
    let listener = Listener::new();
    let delay = |quickack: bool| {
        let (client, mut peer) = listener.meet(&server);
        set(&server, &client, &json!({ "quickack": quickack }));
        let option = server.fact(&client, json!({ "type": "option_set", "option": "quickack" }));
        assert_eq!(
            (number(&option["asked"]), number(&option["granted"])),
            (quickack.into(), quickack.into())
        );
        peer.write_all(b"x").expect("written");
        let data = server.fact(&client, json!({ "type": "segment", "sender": "peer", "len": 1 }));
        let behind = number(&data["seq_relative"]) + 1;
        let ack = json!({ "type": "segment", "sender": "local", "len": 0, "ack_relative": behind });
        number(&server.fact(&client, ack)["t_us"]) - number(&data["t_us"])
    };
    let quick = (0..5).map(|_| delay(true)).min().expect("five");
    let late = delay(false);
    assert!(quick < 10_000, "{quick} µs");
    assert!(late >= 30_000, "{late} µs");
}

#[test]
fn buffers_are_asked_for_and_what_is_granted_is_told() {
    let server = Server::start(&[]);
    let (client, _peer) = Listener::new().meet_with(&server, json!({ "recv_buffer": 20_000 }));
    set(&server, &client, &json!({ "send_buffer": 30_000 }));
    for (option, asked) in [("recv_buffer", 20_000), ("send_buffer", 30_000)] {
        let set = server.fact(&client, json!({ "type": "option_set", "option": option }));
        // Linux doubles it, for its own bookkeeping (socket(7)).
        assert_eq!((number(&set["asked"]), number(&set["granted"])), (asked, 2 * asked));
    }
}

/// The whole of flow control: the window closes, probes ask whether it is open again, and nothing is lost.
#[test]
fn reading_held_closes_the_window_and_reading_again_opens_it() {
    let server = Server::seeing("all", &[]);
    let listener = Listener::new();
    let (client, mut peer) = listener.meet_with(&server, json!({ "recv_buffer": 4096, "reading": false }));
    let ends = (peer.local_addr().expect("connected"), peer.peer_addr().expect("connected"));
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[usize::from(n % 2 == 0)]).collect();
    thread::scope(|scope| {
        let writing = scope.spawn(|| peer.write_all(&bytes));
        server.fact(&client, json!({ "type": "segment", "sender": "local", "marks": ["zero_window"] }));
        eventually("a probe goes", || {
            let all = segments(&server, &client);
            all.iter().any(|s| s["sender"] == "peer" && has(&s["marks"], "zero_window_probe"))
        });
        let diag = Diag::open().expect("the kernel answers");
        let seen = diag.query(Protocol::Tcp, ends.0, ends.1).expect("asked").expect("there");
        assert!(seen.send_queue > 0, "the peer's send queue is full");
        assert_eq!(seen.timer.map(|timer| timer.kind), Some(TimerKind::ZeroWindowProbe));
        assert_eq!(server.socket(&client)["counters"]["received_bytes"], 0, "nothing was read");
        let waits = json!({
            "type": "kernel_state", "end": "peer", "state": "ESTABLISHED", "evidence": "read",
            "timer": { "kind": "zero_window_probe" },
        });
        let waits = number(&server.fact(&client, waits)["seq"]);
        set(&server, &client, &json!({ "reading": true }));
        writing.join().expect("no panic").expect("all is written");
        eventually("the persist timer runs no more", || {
            let told = server.history(&format!("socket={client}&type=kernel_state")).0;
            told.iter().any(|state| {
                number(&state["seq"]) > waits && state["end"] == "peer" && state["timer"]["kind"].is_null()
            })
        });
    });
    assert!(server.received(&client, bytes.len()) == bytes, "nothing is lost");
    let all = segments(&server, &client);
    let opened = all.iter().any(|s| s["sender"] == "local" && has(&s["marks"], "window_update"));
    assert!(opened, "{:#?}", all.last());
}

#[test]
fn a_close_with_unread_bytes_is_a_rst_on_the_wire() {
    let server = Server::seeing("all", &[]);
    let (client, mut peer) = Listener::new().meet_with(&server, json!({ "reading": false }));
    peer.write_all(b"unread").expect("written");
    server.fact(&client, json!({ "type": "segment", "sender": "peer", "len": 6 }));
    server.close(&client);
    let closed = server.fact(&client, json!({ "type": "closed" }));
    assert_eq!(closed["unread_bytes"], 6);
    server.fact(&client, json!({ "type": "reset", "side": "local" }));
    eventually("the RST is seen", || {
        segments(&server, &client).iter().any(|s| s["sender"] == "local" && has(&s["flags"], "rst"))
    });
    assert!(!segments(&server, &client).iter().any(|s| has(&s["flags"], "fin")), "and no FIN");
    assert_eq!(peer.read(&mut [0; 1]).expect_err("no FIN").kind(), ErrorKind::ConnectionReset);
}

/// connect(2) succeeds before anybody calls accept(2), and listen(5) lets six in.
#[test]
fn a_listener_that_does_not_accept_fills_its_queue_and_one_more() {
    let server = Server::seeing("all", &[]);
    let socket = server.open_with("tcp-listen://127.0.0.1:0", json!({ "backlog": 5, "accepting": false }));
    let (listener, local) = (id(&socket), text(&socket["local"]));
    let address = local.parse().expect("an address");
    let waiting: Vec<TcpStream> = (0..6)
        .map(|_| TcpStream::connect_timeout(&address, PATIENCE).expect("connects without being accepted"))
        .collect();
    server.fact(&listener, json!({ "type": "accept_queue", "length": 6, "limit": 5 }));
    let seventh = TcpStream::connect_timeout(&address, Duration::from_millis(300));
    assert_eq!(seventh.expect_err("there is no room").kind(), ErrorKind::TimedOut);
    assert!(!server.story(&listener).iter().any(|event| event["type"] == "accepted"));
    set(&server, &listener, &json!({ "accepting": true }));
    for peer in &waiting {
        let remote = peer.local_addr().expect("connected").to_string();
        server.fact(&listener, json!({ "type": "accepted", "remote": remote }));
    }
    let drained = || {
        let told = server.history(&format!("socket={listener}&type=accept_queue")).0;
        told.last().is_some_and(|last| is_like(last, &json!({ "length": 0, "limit": 5 })))
    };
    eventually("the queue is empty", drained);
    set(&server, &listener, &json!({ "accepting": false }));
    let _waits = TcpStream::connect_timeout(&address, PATIENCE).expect("connects");
    let one = json!({ "type": "accept_queue", "length": 1 });
    eventually("it fills again", || {
        let told = server.history(&format!("socket={listener}&type=accept_queue")).0;
        told.last().is_some_and(|last| is_like(last, &one))
    });
}
