//! Not found, denied, refused, reset, timed out, unreachable and in use: seven failures, told apart by code, errno and
//! phase, in the answer and in the log.

use serde_json::{Value, json};

use crate::kit::{
    Blackhole, Deaf, Listener, PATIENCE, Server, dial, eventually, id, is_like, list, number, text, types,
};

/// Opening fails like this: in the answer, and with the same words in the log.
#[track_caller]
fn fails(server: &Server, target: &str, options: Value, status: u16, code: &str, errno: &str, phase: &str) {
    let problem = server.try_open(target, options).problem(status, code);
    assert!(is_like(&problem, &json!({ "errno": errno, "phase": phase })), "{problem}");
    let socket = text(&problem["socket"]);
    let story = server.story(&socket);
    let last = story.last().expect("it is in the log");
    let expected = json!({ "type": "failed", "code": code, "errno": errno, "phase": phase, "fatal": true });
    assert!(is_like(last, &expected), "{last}");
    assert_eq!(problem["seq"], last["seq"]);
    let socket = server.socket(&socket);
    assert_eq!((&socket["state"], &socket["closed_seq"]), (&json!("failed"), &last["seq"]));
}

#[test]
fn refused_is_told_with_errno_and_phase() {
    let server = Server::start(&[]);
    let deaf = Deaf::on("127.0.0.1:0").expect("a free port");
    let target = format!("tcp://127.0.0.1:{}", deaf.port());
    fails(&server, &target, json!({}), 502, "refused", "ECONNREFUSED", "connect");
}

#[test]
fn timed_out_is_told_with_errno_and_phase_after_the_time_asked_for() {
    let server = Server::start(&[]);
    let hole = Blackhole::new("127.0.0.1:0");
    let target = format!("tcp://{}", hole.address);
    fails(&server, &target, json!({ "connect_timeout_ms": 300 }), 504, "timed_out", "ETIMEDOUT", "connect");
    let failed = server.fact("", json!({ "type": "failed" }));
    let took = number(&failed["took_us"]);
    // Resolving, however quick, is of the same time.
    assert!((290_000..5_000_000).contains(&took), "{took} µs");
    assert_eq!(failed["remote"], hole.address.to_string());
}

/// No connection can be made to a broadcast address, whatever the routes (tcp(7)).
#[test]
fn unreachable_is_told_with_errno_and_phase() {
    let server = Server::start(&[]);
    let target = "tcp://255.255.255.255:9";
    fails(&server, target, json!({}), 502, "unreachable", "ENETUNREACH", "connect");
}

#[test]
fn in_use_is_told_with_errno_and_phase_whoever_has_the_port() {
    let server = Server::start(&[]);
    let foreign = Listener::new();
    let ours = text(&server.open("tcp-listen://127.0.0.1:0")["local"]);
    let bound = text(&server.open("udp-bind://127.0.0.1:0")["local"]);
    for target in [
        foreign.target().replace("tcp:", "tcp-listen:"),
        format!("tcp-listen://{ours}"),
        format!("udp-bind://{bound}"),
    ] {
        // A second listener with SO_REUSEADDR binds, and is told by listen(2) or bind(2): either is the kernel's word.
        let problem = server.try_open(&target, json!({})).problem(409, "address_in_use");
        assert_eq!(
            (&problem["errno"], &problem["phase"]),
            (&json!("EADDRINUSE"), &json!("bind")),
            "{target}"
        );
        let story = server.story(&text(&problem["socket"]));
        let expected = json!({ "type": "failed", "errno": "EADDRINUSE", "phase": "bind", "fatal": true });
        assert!(is_like(story.last().expect("told"), &expected), "{story:#?}");
    }
    let client = id(&server.open(&format!("tcp://{ours}")));
    server.say(&client, b"the first listener still works");
}

#[test]
fn an_address_of_another_machine_cannot_be_bound() {
    let server = Server::start(&[]);
    let target = "tcp-listen://192.0.2.123:0";
    fails(&server, target, json!({}), 409, "address_not_available", "EADDRNOTAVAIL", "bind");
}

#[test]
fn denied_is_told_with_the_rule_and_nothing_is_dialled() {
    let server = Server::start(&[]);
    let control = format!("tcp://{}", server.address);
    for (target, rule) in
        [("tcp://169.254.169.254:80", "hard-deny:metadata"), (control.as_str(), "hard-deny:self-control")]
    {
        let problem = server.try_open(target, json!({})).problem(403, "denied");
        assert!(is_like(&problem, &json!({ "phase": "policy", "rule": rule })), "{problem}");
        let story = server.story(&text(&problem["socket"]));
        assert_eq!(types(&story), ["opening", "refused_by_policy"]);
        assert!(is_like(&story[1], &json!({ "rule": rule, "fatal": true })), "{}", story[1]);
        assert_eq!(server.socket(&text(&problem["socket"]))["state"], "failed");
    }
    let bound = id(&server.open("udp-bind://127.0.0.1:0"));
    server.send(&bound, b"x", "?to=169.254.169.254:80").problem(403, "denied");
    server.fact(&bound, json!({ "type": "refused_by_policy", "fatal": false }));
    assert_eq!(server.socket(&bound)["state"], "open", "one datagram was refused, not the socket");
}

#[test]
fn what_is_not_understood_leaves_no_trace() {
    let server = Server::start(&[]);
    let head = server.head();
    for (target, status, code) in [
        ("127.0.0.1:80", 422, "invalid_target"),
        ("carrier-pigeon://127.0.0.1:80", 422, "unsupported_scheme"),
        ("tcp://127.1:80", 422, "invalid_host"),
        ("tcp://127.0.0.1:65536", 422, "invalid_port"),
        ("tcp://127.0.0.1:0", 422, "invalid_port"),
        ("udp-bind://127.0.0.1:-1", 422, "invalid_port"),
    ] {
        let problem = server.try_open(target, json!({})).problem(status, code);
        assert_eq!(problem["phase"], "parse", "{target}");
    }
    for (options, status, code) in [
        (json!({ "read_size": 0 }), 422, "invalid_option"),
        (json!({ "read_size": 65_537 }), 422, "invalid_option"),
        (json!({ "connect_timeout_ms": 10 }), 422, "invalid_option"),
        (json!({ "nodelay": true }), 422, "invalid_option"),
        (json!({ "backlog": 1 }), 422, "invalid_option"),
        (json!({ "send_buffer": 0 }), 422, "invalid_option"),
        (json!({ "colour": "red" }), 400, "malformed_json"),
        (json!({ "nodelay": "yes" }), 400, "malformed_json"),
    ] {
        server.try_open("udp-bind://127.0.0.1:0", options).problem(status, code);
    }
    assert_eq!(server.head(), head);
    assert!(server.sockets().is_empty());
}

#[test]
fn a_connect_in_progress_is_cancelled_by_closing_it() {
    let server = Server::start(&[]);
    let hole = Blackhole::new("127.0.0.1:0");
    let request =
        json!({ "open": format!("tcp://{}", hole.address), "options": { "connect_timeout_ms": 60_000 } });
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| server.ask("POST", "sockets", Some(&request)));
        let connecting = server.fact("", json!({ "type": "connecting" }));
        let socket = text(&connecting["socket"]);
        assert_eq!(server.socket(&socket)["state"], "opening");
        server.close(&socket);
        opening.join().expect("answered").problem(409, "cancelled");
        server.fact(&socket, json!({ "type": "closed", "reason": "cancelled" }));
    });
}

#[test]
fn a_connect_in_progress_is_cancelled_when_the_one_who_asked_leaves() {
    let server = Server::start(&[]);
    let hole = Blackhole::new("127.0.0.1:0");
    let request =
        json!({ "open": format!("tcp://{}", hole.address), "options": { "connect_timeout_ms": 60_000 } });
    let asking = server.begin("POST", "sockets", &request);
    let socket = text(&server.fact("", json!({ "type": "connecting" }))["socket"]);
    drop(asking);
    server.fact(&socket, json!({ "type": "closed", "reason": "cancelled" }));
    eventually("its seat is free", || server.ask("GET", "/api/v1/about", None).ok()["sockets"] == 0);
    assert!(PATIENCE.as_secs() < 60, "or this would prove nothing");
}

#[test]
fn options_are_set_and_the_kernels_answer_is_told() {
    let server = Server::start(&[]);
    let listener = Listener::new();
    let asked = json!({ "nodelay": false, "keepalive": true, "recv_buffer": 65_536, "read_size": 7 });
    let (client, mut peer) = listener.meet_with(&server, asked.clone());
    assert_eq!(server.socket(&client)["options"], asked);
    for (option, asked, granted) in
        [("nodelay", 0, 0), ("keepalive", 1, 1), ("recv_buffer", 65_536, 131_072), ("read_size", 7, 7)]
    {
        server.fact(
            &client,
            json!({ "type": "option_set", "option": option, "asked": asked, "granted": granted }),
        );
    }
    std::io::Write::write_all(&mut peer, b"twenty bytes to read").expect("written");
    assert_eq!(server.received(&client, 20), b"twenty bytes to read");
    let lengths: Vec<u64> = server
        .story(&client)
        .iter()
        .filter(|event| event["type"] == "received")
        .map(|event| number(&event["len"]))
        .collect();
    assert_eq!(lengths, [7, 7, 6]);
    let path = format!("sockets/{client}");
    let patched =
        server.ask("PATCH", &path, Some(&json!({ "options": { "keepalive": false, "nodelay": true } })));
    assert!(is_like(
        &patched.ok()["options"],
        &json!({ "keepalive": false, "nodelay": true, "read_size": 7 })
    ));
    server.fact(&client, json!({ "type": "option_set", "option": "keepalive", "asked": 0, "granted": 0 }));
    let head = server.head();
    for options in [json!({ "backlog": 1 }), json!({ "connect_timeout_ms": 1 }), json!({ "read_size": 0 })] {
        server.ask("PATCH", &path, Some(&json!({ "options": options }))).problem(422, "invalid_option");
    }
    server.ask("PATCH", &path, Some(&json!({ "colour": 1 }))).problem(400, "malformed_json");
    assert_eq!(server.head(), head, "what is refused leaves no trace");
}

#[test]
fn an_option_the_kernel_refuses_is_a_fact_that_names_it() {
    let server = Server::start(&[]);
    // IPV6_V6ONLY is no option of an IPv4 socket (ipv6(7)).
    let listening = server.open_with("tcp-listen://127.0.0.1:0", json!({ "ipv6_only": true }));
    let failed = server.fact(&id(&listening), json!({ "type": "failed", "phase": "option" }));
    assert!(
        is_like(&failed, &json!({ "option": "ipv6_only", "errno": "ENOPROTOOPT", "fatal": false })),
        "{failed}"
    );
    dial(&listening);
}

#[test]
fn a_socket_is_named_and_renamed() {
    let server = Server::start(&[]);
    let request = json!({ "open": "udp-bind://127.0.0.1:0", "name": "first" });
    let socket = server.ask("POST", "sockets", Some(&request)).ok();
    assert_eq!(socket["name"], "first");
    let path = format!("sockets/{}", id(&socket));
    let rename = |name: &str| server.ask("PATCH", &path, Some(&json!({ "name": name })));
    assert_eq!(rename("第二 <b>").ok()["name"], "第二 <b>");
    server.fact(&id(&socket), json!({ "type": "note", "code": "renamed", "params": { "name": "第二 <b>" } }));
    rename(&"x".repeat(201)).problem(422, "invalid_name");
    assert_eq!(rename("").ok()["name"], Value::Null);
    assert_eq!(list(&json!(server.sockets())).len(), 1);
}
