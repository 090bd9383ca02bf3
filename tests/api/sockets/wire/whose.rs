//! Whose a frame is, where that is easily mistaken: after a listener, between the same ports, beside other programs, on a
//! bridge.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream, UdpSocket},
};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use super::{Frame, Host, Left, at, compare, echo_with, settle, told};
use crate::{
    kernel::{path, segments},
    kit::{
        Listener, Server, apart, dial, eventually, id, number, patient, read_exactly, read_to_fin, reset,
        run, text,
    },
};

/// The socket a listener accepted from there.
fn accepted(server: &Server, listener: &str, from: &TcpStream) -> String {
    let remote = from.local_addr().expect("bound").to_string();
    text(&server.fact(listener, json!({ "type": "accepted", "remote": remote }))["child"])
}

fn carries(segment: &Value, len: u64) -> bool {
    number(&segment["len"]) == len
}

#[test]
fn an_accepted_connection_is_seen_when_its_listener_is_gone() {
    apart(|| {
        let server = Server::seeing("all", &[]);
        let listening = server.open("tcp-listen://127.0.0.1:0");
        let listener = id(&listening);
        let mut peer = dial(&listening);
        let child = accepted(&server, &listener, &peer);
        server.close(&listener);
        server.fact(&listener, json!({ "type": "closed" }));
        settle(&server);
        peer.write_all(b"still there?").expect("written");
        assert_eq!(server.received(&child, 12), b"still there?");
        eventually("it is seen", || segments(&server, &child).iter().any(|segment| carries(segment, 12)));
        server.close(&child);
        assert_eq!(read_to_fin(&mut peer), b"");
        drop(peer);
        eventually("its close, too", || {
            path(&server, &child, "local").last().is_some_and(|last| last == "TIME_WAIT")
        });
    });
}

/// Connects from a port that may have been connected from before.
fn from(local: SocketAddr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("an option");
    socket.bind(&local.into()).expect("the port is free");
    socket.connect(&to.into()).expect("somebody listens");
    patient(socket.into())
}

/// We close first and keep TIME_WAIT, out of which Linux lets a new SYN wake the connection's ports.
#[test]
fn a_connection_between_the_same_ports_is_another_socket_s() {
    apart(|| {
        let server = Server::seeing("all", &[]);
        let listening = server.open("tcp-listen://127.0.0.1:0");
        let (listener, to) = (id(&listening), text(&listening["local"]).parse().expect("an address"));
        let local: SocketAddr = at("127.0.0.1").parse().expect("an address");

        let mut peer = from(local, to);
        let first = accepted(&server, &listener, &peer);
        server.say(&first, b"first");
        assert_eq!(read_exactly(&mut peer, 5), b"first");
        server.close(&first);
        assert_eq!(read_to_fin(&mut peer), b"");
        drop(peer);
        eventually("it waits", || {
            path(&server, &first, "local").last().is_some_and(|last| last == "TIME_WAIT")
        });
        let before = told(&server, &Left::with_peer(&first, local.port()));

        let mut peer = from(local, to);
        let second = {
            let of = |event: &Value| text(&event["child"]);
            let all = || server.history(&format!("socket={listener}&type=accepted")).0;
            eventually("it is accepted", || all().len() == 2);
            all().iter().map(of).find(|child| *child != first).expect("another")
        };
        server.say(&second, b"the second");
        assert_eq!(read_exactly(&mut peer, 10), b"the second");
        eventually("the first is over", || {
            path(&server, &first, "local").last().is_some_and(|last| last == "CLOSED")
        });
        server.close(&second);
        assert_eq!(read_to_fin(&mut peer), b"");
        drop(peer);
        let way = ["SYN_RECEIVED", "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"];
        eventually("the second closes", || path(&server, &second, "local").len() >= way.len());
        settle(&server);

        assert_eq!(path(&server, &second, "local"), way);
        let first_way = path(&server, &first, "local");
        assert_eq!(first_way, [&way[..], &["CLOSED"]].concat());
        assert_eq!(told(&server, &Left::with_peer(&first, local.port())), before, "nothing came after");
        let [Frame::Tcp { flags: 2, seq: 0, .. }, Frame::Tcp { flags: 18, seq: 0, ack: Some(1), .. }, ..] =
            told(&server, &Left::with_peer(&second, local.port()))[..]
        else {
            panic!("a handshake: {:#?}", segments(&server, &second));
        };
        assert!(server.history("type=capture_lost").0.is_empty());
    });
}

#[test]
fn datagrams_of_other_programs_are_not_ours() {
    apart(|| {
        let far = Host::new();
        far.wire();
        let server = Server::seeing("all", &[]);
        let port = at("0.0.0.0").rsplit_once(':').expect("a port").1.parse::<u16>().expect("a port");
        let target = format!("udp-bind://0.0.0.0:{port}");
        let closed = id(&server.open(&target));
        server.close(&closed);
        let ours = id(&server.open(&target));

        // Others talk to the same port of another host, over both families, and are answered from it.
        let there = far.does(move || {
            ["10.77.0.2", "fd77::2"].map(|host| UdpSocket::bind((host, port)).expect("nobody has it"))
        });
        for (peer, near) in there.iter().zip(["10.77.0.1", "fd77::1"]) {
            let other = UdpSocket::bind((near, 0)).expect("a port");
            other.send_to(b"not for you", peer.local_addr().expect("bound")).expect("sent");
            let mut heard = [0; 32];
            let (len, from) = peer.recv_from(&mut heard).expect("it comes");
            peer.send_to(&heard[..len], from).expect("answered");
            other.recv_from(&mut heard).expect("it comes");
        }
        let [peer, _] = &there;
        peer.send_to(b"for you", ("10.77.0.1", port)).expect("sent");
        server.fact(&ours, json!({ "type": "received", "len": 7 }));
        let answer = json!({ "text": "thanks", "to": format!("10.77.0.2:{port}") });
        server.ask("POST", &format!("sockets/{ours}/send"), Some(&answer)).ok();
        peer.recv_from(&mut [0; 32]).expect("it comes");
        settle(&server);

        let lengths = |socket| {
            let segments = segments(&server, socket);
            segments.iter().map(|one| (text(&one["sender"]), number(&one["len"]))).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&ours), [("peer".to_owned(), 7), ("local".to_owned(), 6)]);
        assert_eq!(lengths(&closed), []);
    });
}

/// What goes through a bridge is seen at the bridge and at its port.
#[test]
fn a_frame_on_a_bridge_is_told_once() {
    apart(|| {
        let far = Host::new();
        far.wire();
        run("ip", "link add bridge type bridge");
        run("ip", "address flush dev near");
        run("ip", "link set near master bridge");
        run("ip", "address add 10.77.0.1/24 dev bridge");
        run("ip", "link set bridge up");
        let server = Server::seeing("all", &[]);
        let exchange = |server: &Server| {
            let listener = far.does(|| Listener::on(&at("10.77.0.2")));
            echo_with(server, &listener)
        };
        compare(&server, "bridge", &[("over a bridge", &exchange)]);
        let marked = server.history("type=segment").0;
        assert!(
            marked.iter().all(|segment| segment.get("marks").is_none_or(|marks| marks == &json!([]))),
            "{marked:#?}"
        );
    });
}

/// Each is over before the next, and all of them may be before the first frame is looked at.
#[test]
fn a_port_that_is_used_again_and_again_is_a_connection_each_time() {
    const TIMES: usize = 60;
    apart(|| {
        let server = Server::seeing("all", &[]);
        let listening = server.open("tcp-listen://127.0.0.1:0");
        let to = text(&listening["local"]).parse().expect("an address");
        let local: SocketAddr = at("127.0.0.1").parse().expect("an address");
        for _ in 0..TIMES {
            let mut peer = from(local, to);
            peer.write_all(b"again").expect("written");
            reset(peer);
        }
        let accepted = || server.history(&format!("socket={}&type=accepted", id(&listening))).0;
        eventually("all are accepted", || accepted().len() == TIMES);
        settle(&server);
        for (nth, event) in accepted().iter().enumerate() {
            let child = text(&event["child"]);
            let told = told(&server, &Left::with_peer(&child, local.port()));
            let [
                Frame::Tcp { flags: 2, .. },
                Frame::Tcp { flags: 18, .. },
                ..,
                Frame::Tcp { flags: last, .. },
            ] = told[..]
            else {
                panic!("{nth}: {told:#?}");
            };
            assert!(told.len() >= 5 && last & 4 != 0, "{nth}: from SYN to RST, {told:#?}");
            let states = path(&server, &child, "local");
            let way = ["SYN_RECEIVED", "ESTABLISHED", "CLOSED"];
            assert_eq!(states, way, "{nth}: {:#?}", server.story(&child));
        }
        assert!(server.history("type=capture_lost").0.is_empty());
    });
}

#[test]
fn frames_of_a_connection_that_waited_are_told_when_it_is_accepted() {
    apart(|| {
        let server = Server::seeing("all", &[]);
        let listening = server.open_with("tcp-listen://127.0.0.1:0", json!({ "accepting": false }));
        let listener = id(&listening);
        let mut peer = dial(&listening);
        peer.write_all(b"is anybody there?").expect("written");
        // Others, to ports nobody wants, do not take their place.
        let nobody = UdpSocket::bind("127.0.0.1:0").expect("a port");
        for port in 1..600 {
            nobody.send_to(b"?", ("127.0.0.1", port)).ok();
        }
        settle(&server);
        server
            .ask("PATCH", &format!("sockets/{listener}"), Some(&json!({ "options": { "accepting": true } })))
            .ok();
        let child = accepted(&server, &listener, &peer);
        eventually("all of it is told", || segments(&server, &child).len() >= 5);
        eventually("and its states", || path(&server, &child, "local") == ["SYN_RECEIVED", "ESTABLISHED"]);
    });
}
