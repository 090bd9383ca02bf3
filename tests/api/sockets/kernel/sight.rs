//! How much of the kernel is seen, and that the server says so.

use std::{io::Write as _, process::Command, time::Duration};

use serde_json::{Value, json};

use super::segments;
use crate::{
    kit::{Listener, Server, eventually, id, is_like, number},
    support::TestServer,
};

const KERNEL: [&str; 5] = ["kernel_state", "tcp_info", "accept_queue", "segment", "capture_lost"];

/// A connection from open to gone; its events.
fn whole_life(server: &Server) -> Vec<Value> {
    let (client, mut peer) = Listener::new().meet(server);
    peer.write_all(b"bytes").expect("written");
    server.received(&client, 5);
    let _listener = server.open("tcp-listen://127.0.0.1:0");
    drop(peer);
    server.fact(&client, json!({ "type": "eof" }));
    server.close(&client);
    server.fact(&client, json!({ "type": "closed" }));
    let sight = server.ask("GET", "kernel", None).ok();
    if sight["sock_diag"]["active"] == true {
        server.fact(&client, json!({ "type": "kernel_state", "end": "local", "state": "CLOSED" }));
    }
    server.story(&client)
}

fn kinds(events: &[Value]) -> Vec<&str> {
    KERNEL.into_iter().filter(|kind| events.iter().any(|event| event["type"] == *kind)).collect()
}

#[test]
fn off_records_nothing_of_the_kernel() {
    let server = Server::seeing("off", &[]);
    whole_life(&server);
    let (events, gaps) = server.history("");
    assert_eq!(kinds(&events), Vec::<&str>::new());
    assert!(gaps.is_empty());
    let sight = server.ask("GET", "kernel", None).ok();
    for level in ["tcp_info", "sock_diag", "segments"] {
        assert_eq!(sight[level], json!({ "active": false }), "{sight}");
    }
}

#[test]
fn states_are_recorded_without_segments() {
    let server = Server::seeing("states", &[]);
    let events = whole_life(&server);
    assert_eq!(kinds(&events), ["kernel_state", "tcp_info"]);
    let sight = server.ask("GET", "kernel", None).ok();
    let expected = json!({
        "tcp_info": { "active": true }, "sock_diag": { "active": true }, "segments": { "active": false },
    });
    assert!(is_like(&sight, &expected), "{sight}");
    assert!(sight["segments"].get("errno").is_none(), "nobody asked for them");
}

#[test]
fn all_is_all() {
    let server = Server::seeing("all", &[]);
    let events = whole_life(&server);
    assert_eq!(kinds(&events), ["kernel_state", "tcp_info", "segment"]);
    let sight = server.ask("GET", "kernel", None).ok();
    for level in ["tcp_info", "sock_diag", "segments"] {
        assert_eq!(sight[level], json!({ "active": true }), "{sight}");
    }
    assert!(sight["container"].is_boolean());
}

/// A user without privileges: there are no segments, it says why, and the rest is there.
#[test]
fn without_cap_net_raw_there_are_states_and_the_reason() {
    let bare = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"];
    let root = nix::unistd::geteuid().is_root();
    if root
        && Command::new(bare[0]).args(&bare[1..]).arg("true").status().is_ok_and(|status| !status.success())
    {
        eprintln!("setpriv cannot drop capabilities here");
        return;
    }
    let builder = TestServer::builder().env("SOCKSCOPE_KERNEL", "all");
    let server = Server::built(if root { builder.under(&bare) } else { builder });
    let sight = server.ask("GET", "kernel", None).ok();
    assert_eq!(sight["segments"], json!({ "active": false, "errno": "EPERM" }), "{sight}");
    assert_eq!(sight["sock_diag"], json!({ "active": true }));
    assert_eq!(kinds(&whole_life(&server)), ["kernel_state", "tcp_info"]);
}

/// Sampled is what somebody looks at, while he does; told is what changed.
#[tokio::test(flavor = "multi_thread")]
async fn counters_are_told_of_watched_sockets_when_they_change_and_once_at_the_end() {
    for eyes in ["states", "all"] {
        let mut server = Server::seeing(eyes, &[]);
        let listener = Listener::new();
        let (watched, mut peer) = listener.meet(&server);
        let (ignored, mut other) = listener.meet(&server);
        let mut viewer = server.process().viewer("").await;
        let told = |id: &str| server.history(&format!("socket={id}&type=tcp_info")).0;
        // Not a wait for something: time for ten samples.
        let ten_samples = || tokio::time::sleep(Duration::from_secs(1));
        ten_samples().await;
        assert_eq!((told(&watched).len(), told(&ignored).len()), (0, 0), "nobody looks");
        let reply = viewer.command("watch", json!({ "sockets": [watched] })).await;
        assert!(
            serde_json::to_value(&reply).expect("JSON").get("error").is_none_or(Value::is_null),
            "{reply:?}"
        );
        for end in ["local", "peer"] {
            server.fact(&watched, json!({ "type": "tcp_info", "end": end }));
        }
        ten_samples().await;
        assert_eq!(told(&watched).len(), 2, "nothing changed: {eyes} {:#?}", told(&watched));
        peer.write_all(b"bytes").expect("written");
        other.write_all(b"bytes").expect("written");
        server.received(&ignored, 5);
        let like = json!({ "end": "local", "info": { "bytes_received": 5 } });
        eventually("it is told", || told(&watched).iter().any(|event| is_like(event, &like)));
        ten_samples().await;
        let settled = told(&watched).len();
        ten_samples().await;
        assert_eq!(told(&watched).len(), settled, "{:#?}", told(&watched));
        assert_eq!(told(&ignored).len(), 0, "nobody looks at it");
        viewer.command("watch", json!({ "sockets": [] })).await;
        peer.write_all(b"more").expect("written");
        server.received(&watched, 9);
        ten_samples().await;
        assert_eq!(told(&watched).len(), settled, "nobody looks any more");
        for (id, bytes, before) in [(&watched, 9, settled), (&ignored, 5, 0)] {
            server.close(id);
            let closed = server.fact(id, json!({ "type": "closed" }));
            let mut told = told(id);
            told.retain(|event| number(&event["seq"]) < number(&closed["seq"]));
            assert_eq!(told.len(), before + 1, "once just before: what comes later is the kernel's notice");
            let last = told.last().expect("one");
            assert!(is_like(last, &json!({ "end": "local", "info": { "bytes_received": bytes } })), "{last}");
        }
    }
}

/// Segments are told once, by the end that was opened first, even where both are of this workspace.
#[test]
fn a_connection_to_ourselves_is_told_once() {
    let server = Server::seeing("all", &[]);
    let listening = server.open("tcp-listen://127.0.0.1:0");
    let client = id(&server.open(&format!("tcp://{}", listening["local"].as_str().expect("listens"))));
    let accepted = server.fact(&id(&listening), json!({ "type": "accepted" }));
    let child = accepted["child"].as_str().expect("a child");
    server.say(&client, b"bytes");
    server.received(child, 5);
    let like = json!({ "type": "segment", "len": 5, "sender": "local", "far": child });
    server.fact(&client, like);
    assert!(segments(&server, child).is_empty(), "told by the other");
    let all = segments(&server, &client);
    assert_eq!(all.iter().filter(|segment| segment["len"] == 5).count(), 1);
}
