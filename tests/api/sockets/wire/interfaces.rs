//! Interfaces that go and come again while something runs over them.

use std::io::Write as _;

use nix::net::if_::if_nametoindex;
use serde_json::json;

use super::{Host, at};
use crate::{
    kernel::segments,
    kit::{Listener, Server, apart, eventually, list, read_exactly, run, text},
};

/// The interfaces a socket's frames were told to be seen at, in order, each once for as long as it lasted.
fn interfaces(server: &Server, socket: &str) -> Vec<String> {
    let mut names: Vec<_> =
        segments(server, socket).iter().map(|segment| text(&segment["interface"])).collect();
    names.dedup();
    names
}

/// Frames are told a moment after the bytes they brought.
#[track_caller]
fn seen_at(server: &Server, socket: &str, expected: &[&str]) {
    eventually(&format!("{socket} is seen at {expected:?}"), || {
        interfaces(server, socket).len() >= expected.len()
    });
    assert_eq!(interfaces(server, socket), expected);
}

/// A cable is pulled. What was under way says that it waits and goes on over whatever takes the place; new connections go
/// over that, and it is called what it is called, also where it has the number of the one before.
#[test]
fn a_connection_outlives_its_interface_and_frames_say_where_they_really_were() {
    apart(|| {
        let far = Host::new();
        far.wire();
        let server = Server::seeing("all", &[]);
        let listener = far.does(|| Listener::on(&at("10.77.0.2")));
        let index = if_nametoindex("near").expect("it is there");

        let (old, mut old_peer) = listener.meet(&server);
        server.say(&old, b"before");
        assert_eq!(read_exactly(&mut old_peer, 6), b"before");
        eventually("its frames are told", || segments(&server, &old).len() >= 5);

        run("ip", "link delete near");
        server.say(&old, b"meanwhile");
        let waits =
            json!({ "type": "kernel_state", "end": "local", "state": "ESTABLISHED", "evidence": "read" });
        eventually("it is told to wait in vain", || {
            let told = server.history(&format!("socket={old}&type=kernel_state")).0;
            told.iter().any(|event| crate::kit::is_like(event, &waits) && event["timer"].is_object())
        });
        let unreachable = server.try_open(&listener.target(), json!({}));
        assert_eq!(unreachable.json()["errno"], "ENETUNREACH", "{unreachable:?}");

        // The same number, another name.
        far.wire_with(&format!("other index {index}"));
        let (new, mut new_peer) = listener.meet(&server);
        server.say(&new, b"hello");
        assert_eq!(read_exactly(&mut new_peer, 5), b"hello");
        assert_eq!(read_exactly(&mut old_peer, 9), b"meanwhile");
        old_peer.write_all(b"and back").expect("it goes on");
        assert_eq!(server.received(&old, 8), b"and back");
        eventually("its frames are told", || segments(&server, &new).len() >= 5);
        seen_at(&server, &new, &["other"]);
        seen_at(&server, &old, &["near", "other"]);

        // The first name again, another number.
        run("ip", "link delete other");
        far.wire_with("near");
        assert_ne!(if_nametoindex("near").expect("it is there"), index);
        let (last, mut last_peer) = listener.meet(&server);
        server.say(&last, b"hello");
        assert_eq!(read_exactly(&mut last_peer, 5), b"hello");
        eventually("its frames are told", || segments(&server, &last).len() >= 5);
        seen_at(&server, &last, &["near"]);

        // The same interface under another name.
        run("ip", "link set near down");
        run("ip", "link set near name renamed");
        run("ip", "link set renamed up");
        server.say(&last, b"again");
        assert_eq!(read_exactly(&mut last_peer, 5), b"again");
        eventually("its frames are told", || segments(&server, &last).len() >= 7);
        seen_at(&server, &last, &["near", "renamed"]);
        assert!(list(&json!(server.history("type=capture_lost").0)).is_empty());
    });
}
