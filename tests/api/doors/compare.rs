//! `sockscope compare`: what it says of each lane is what passed over the wire and what arithmetic predicts.

use std::process::Stdio;

use serde_json::{Value, json};
use sockscope_wire::{Code, CrowdReport, CrowdStarted, Meter, MeterStarted};

use crate::support::{wait::within_time, *};

/// How long one comparison here may take.
const RUN: std::time::Duration = std::time::Duration::from_secs(60);

/// Runs it with these flags; exit status, standard output, standard error.
async fn compare(flags: &[&str], token: Option<&str>) -> (bool, String, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_sockscope"));
    command.arg("compare").args(flags).stdin(Stdio::null()).kill_on_drop(true);
    match token {
        Some(token) => command.env("SOCKSCOPE_TOKEN", token),
        None => command.env_remove("SOCKSCOPE_TOKEN"),
    };
    let output = within_time(RUN, "a comparison", command.output()).await.expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

async fn measured(flags: &[&str], token: Option<&str>) -> Value {
    let (success, out, err) = compare(&[flags, &["--json"]].concat(), token).await;
    assert!(success, "{out}{err}");
    serde_json::from_str(&out).expect("JSON")
}

fn lane<'a>(report: &'a Value, name: &str) -> &'a Value {
    let lanes = report["lanes"].as_array().expect("lanes");
    lanes.iter().find(|lane| lane["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

const LANES: [&str; 4] = ["short_poll", "long_poll", "sse", "websocket"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wire_bytes_and_requests_are_what_a_relay_in_front_counts() {
    let server = TestServer::start();
    let proxy = Proxy::before(server.address()).await;
    let address = proxy.address().to_string();
    let flags = [
        "--server",
        &address,
        "--seconds",
        "4",
        "--rate",
        "25",
        "--payload",
        "200",
        "--poll-interval",
        "0.25",
    ];
    let report = measured(&flags, Some(TOKEN)).await;
    let passed = |what: &str, not: &str| -> (u64, u64) {
        let of_lane: Vec<_> = proxy
            .connections()
            .into_iter()
            .filter(|passed| {
                let line = passed.first_line();
                line.contains("meter=") && line.contains(what) && (not.is_empty() || !line.contains(not))
            })
            .collect();
        assert!(!of_lane.is_empty(), "{what}");
        of_lane.iter().fold((0, 0), |sum, passed| (sum.0 + passed.bytes().0, sum.1 + passed.bytes().1))
    };
    // A poll and a stream ask for the same path: which is which, their meters say (they were begun in this order).
    let wires =
        [passed("/events?", "zzz"), passed("wait=30", ""), passed("meter=m3", ""), passed("/ws?", "")];
    let [all_events, long, sse, ws] = wires;
    let short = (all_events.0 - long.0 - sse.0, all_events.1 - long.1 - sse.1);
    for (name, wire) in LANES.into_iter().zip([short, long, sse, ws]) {
        let lane = lane(&report, name);
        assert_eq!((&lane["bytes_up"], &lane["bytes_down"]), (&json!(wire.0), &json!(wire.1)), "{name}");
        assert_eq!((&lane["missing"], &lane["complete"]), (&json!(0), &json!(true)), "{name}: {lane}");
        assert_eq!(lane["events"], report["sent"], "{name}");
    }
}

/// Figures that depend on how requests are made and messages wrapped, and not on luck with a few delays.
const BILL: [&str; 10] = [
    "empty_requests",
    "full_requests",
    "bytes_up",
    "bytes_down",
    "bytes_per_event",
    "data_up",
    "data_down",
    "acks_up",
    "acks_down",
    "connections",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_lane_behaves_as_arithmetic_predicts() {
    let report = measured(&["--seconds", "10", "--rate", "20", "--poll-interval", "0.5"], None).await;
    assert_eq!(report["complete"], true);
    let sent = report["sent"].as_u64().expect("a number");
    assert!((120..=290).contains(&sent), "200 expected, {sent} sent");
    let short = lane(&report, "short_poll");
    let requests = short["requests"].as_u64().expect("a number");
    assert!((19..=24).contains(&requests), "one every half second for ten: {requests}");
    let mean = |lane: &Value| lane["delay_ms"]["mean"].as_f64().expect("a mean");
    assert!((200.0..300.0).contains(&mean(short)), "half an interval on average: {short}");
    assert_eq!(short["delay_ms"]["p99"], Value::Null, "too few samples to say");
    for name in ["sse", "websocket"] {
        let push = lane(&report, name);
        assert_eq!((&push["requests"], &push["connections"]), (&json!(1), &json!(1)), "{push}");
        assert_eq!(push["empty_requests"], 0);
        assert!(mean(push) < 100.0, "a push waits for nobody: {push}");
    }
    let long = lane(&report, "long_poll");
    let requests = long["requests"].as_u64().expect("a number");
    assert!(requests > sent / 2 && requests <= sent + 3, "about one a message: {requests} for {sent}");
    for name in LANES {
        let predicted = &lane(&report, name)["predicted"];
        assert_eq!(predicted["requests_agree"], true, "{name}: {}", lane(&report, name));
    }
    assert_eq!(short["predicted"]["delay_agrees"], true, "{short}");
    for name in LANES {
        let figures = &lane(&report, name)["predicted"]["figures"];
        for figure in BILL {
            assert_eq!(figures[figure]["agrees"], true, "{name}: {figure}: {}", lane(&report, name));
        }
        assert!(figures["cpu_us"].is_null(), "the machine's own: {figures}");
    }
    let reference = report["reference"]["p50"].as_f64().expect("measured");
    assert!(reference > 0.0 && reference < mean(lane(&report, "websocket")) + 50.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_miss_nothing() {
    let flags = ["--seconds", "3", "--rate", "10", "--viewers", "50", "--poll-interval", "0.5", "--regular"];
    let report = measured(&flags, None).await;
    let sent = report["sent"].as_u64().expect("a number");
    assert!(sent > 0);
    for name in LANES {
        let lane = lane(&report, name);
        assert_eq!((&lane["missing"], &lane["complete"]), (&json!(0), &json!(true)), "{lane}");
        assert_eq!(lane["connections"], 50, "{lane}");
        // How many messages come together is the machine's affair, and fifty clients beside other tests keep it busy.
        for figure in ["acks_up", "acks_down"] {
            assert_eq!(lane["predicted"]["figures"][figure]["agrees"], true, "{name}: {figure}: {lane}");
        }
    }
    assert_eq!(lane(&report, "websocket")["requests"], 50);
}

/// What the issue of a crowded room is: everybody is told everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_web_sockets_miss_nothing() {
    assert!(sockscope::limits::raise_descriptors() > 2500, "ulimit -n");
    let flags = ["--lane", "websocket", "--viewers", "1000", "--seconds", "5", "--rate", "10"];
    let report = measured(&flags, None).await;
    let lane = lane(&report, "websocket");
    assert_eq!((&lane["missing"], &lane["complete"]), (&json!(0), &json!(true)), "{lane}");
    assert_eq!((&lane["requests"], &lane["connections"]), (&json!(1000), &json!(1000)), "{lane}");
    assert_eq!(report["lanes"].as_array().map(Vec::len), Some(1), "the lane that was asked for");
}

#[tokio::test]
async fn the_table_names_every_lane_and_bad_settings_are_refused_with_the_range() {
    let (success, out, err) = compare(&["--seconds", "1", "--rate", "50"], None).await;
    assert!(success, "{err}");
    for name in LANES.into_iter().chain(["raw socket"]) {
        assert!(out.lines().any(|line| line.starts_with(name)), "{name} in\n{out}");
    }
    let (_, predictions) = out.split_once("\npredicted ").expect("a second table");
    assert!(LANES.into_iter().all(|name| predictions.lines().any(|line| line.starts_with(name))), "{out}");
    assert!(predictions.contains("CPU: no prediction"), "{out}");
    for (flags, range) in [
        (["--rate", "0"], "0.1 to 1000"),
        (["--rate", "NaN"], "0.1 to 1000"),
        (["--payload", "15"], "16..=65536"),
        (["--viewers", "1002"], "1..=1001"),
        (["--poll-interval", "0"], "0.01 to 60"),
        (["--seconds", "0.5"], "1 to 3600"),
        (["--lane", "carrier_pigeon"], "one of short_poll"),
    ] {
        let (success, _, err) = compare(&flags, None).await;
        assert!(!success && err.contains(range), "{flags:?}: {err}");
    }
    let (success, _, err) = compare(&["--rate", "1000", "--payload", "65536"], None).await;
    assert!(!success && err.contains("4 MiB"), "{err}");
}

#[tokio::test]
async fn a_server_that_refuses_is_told_in_a_sentence() {
    let server = TestServer::start();
    let address = server.address().to_string();
    let (success, _, err) =
        compare(&["--server", &address], Some("wrong-token-wrong-token-wrong-token")).await;
    assert!(!success && err.contains("401"), "{err}");
    let nobody = Nobody::bind();
    let (success, _, err) = compare(&["--server", &nobody.address().to_string()], None).await;
    assert!(!success && err.contains("cannot be reached"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_follows_every_lane_to_the_end_and_is_metered() {
    let server = TestServer::start();
    let client = server.client();
    for lane in LANES {
        let peer = TcpPeer::listen().await;
        let socket = client.open(&peer.target()).await;
        let mut stream = peer.accept().await;
        let meter = client.post("meters", &json!({})).await.to::<MeterStarted>().id;
        let wish = json!({
            "lane": lane, "clients": 20, "socket": socket.id, "after": 0, "message": 100, "poll_interval_ms": 50,
            "meter": meter,
        });
        let crowd = client.post("crowds", &wish).await.to::<CrowdStarted>().id;
        let path = format!("crowds/{crowd}");
        eventually("all are connected", async || client.get(&path).await.ok::<CrowdReport>().ready == 20)
            .await;
        peer::write(&mut stream, &[b'x'; 1000]).await;
        drop(stream);
        eventually("all have everything", async || {
            client.get(&path).await.ok::<CrowdReport>().complete == 20
        })
        .await;
        let report: CrowdReport = client.get(&path).await.ok();
        assert_eq!((report.messages, report.broken), (200, 0), "{lane}");
        let counted: Meter = client.get(&format!("meters/{meter}")).await.ok();
        assert_eq!(counted.connections, 20, "{lane}: {counted:?}");
        assert_eq!(client.delete(&path).await.status(), 204);
        client.get(&path).await.refused(404, Code::UnknownCrowd);
        eventually("they are gone", async || {
            client.get(&format!("meters/{meter}")).await.ok::<Meter>().open_connections == 0
        })
        .await;
    }
}

/// The processes that this one started, from /proc.
fn children(pid: u32) -> Vec<u32> {
    let parent = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // Behind the name, which may hold anything: state and parent (proc(5)).
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let all = std::fs::read_dir("/proc")
        .expect("Linux")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|child| parent(*child) == Some(pid)).collect()
}

fn runs(pid: u32) -> bool {
    // One that has ended and was not waited for yet is a zombie.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

#[tokio::test]
async fn a_crowd_does_not_outlive_a_server_that_is_killed() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await.id;
    let wish = json!({ "lane": "websocket", "clients": 5, "socket": socket, "after": 0, "message": 64 });
    let crowd = client.post("crowds", &wish).await.to::<CrowdStarted>().id;
    eventually("it is there", async || {
        client.get(&format!("crowds/{crowd}")).await.ok::<CrowdReport>().ready == 5
    })
    .await;
    let crowd = children(server.pid());
    assert_eq!(crowd.len(), 1, "a process of its own");
    // The token is nowhere another user could read it.
    let command = std::fs::read_to_string(format!("/proc/{}/cmdline", crowd[0])).expect("it runs");
    assert!(!command.contains(TOKEN), "{command}");
    server.signal(nix::sys::signal::Signal::SIGKILL);
    eventually("it ends", async || !runs(crowd[0])).await;
}

#[tokio::test]
async fn a_comparison_that_is_killed_leaves_no_server_behind() {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_sockscope"));
    command.args(["compare", "--seconds", "60"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = command.spawn().expect("it starts");
    let pid = run.id().expect("it runs");
    let mut servers = Vec::new();
    eventually("its server is there", async || {
        servers = children(pid);
        servers.len() == 1
    })
    .await;
    run.kill().await.expect("it ran");
    eventually("the server ends", async || !runs(servers[0])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_most_four_crowds_run_however_they_are_asked_for() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await.id;
    let wish = json!({ "lane": "sse", "clients": 1, "socket": socket, "after": 0, "message": 64 });
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (client, wish) = (Client::new(client.address(), TOKEN), wish.clone());
        asking.spawn(async move { client.post("crowds", &wish).await.status() });
    }
    let answers = asking.join_all().await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 4, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 12, "{answers:?}");
    assert_eq!(children(server.pid()).len(), 4);
}

/// A browser opens connections as it likes, and closes them when it likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_viewers_fit_beside_browsers_without_a_flag() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await.id;
    let mut browsers = Vec::new();
    for _ in 0..100 {
        browsers.push(tokio::net::TcpStream::connect(server.address()).await.expect("it listens"));
    }
    let wish = json!({ "lane": "websocket", "clients": 1000, "socket": socket, "after": 0, "message": 64 });
    let crowd = client.post("crowds", &wish).await.to::<CrowdStarted>().id;
    eventually("all are connected", async || {
        client.get(&format!("crowds/{crowd}")).await.ok::<CrowdReport>().ready == 1000
    })
    .await;
}

/// Clients that are connected, and those that will be, are counted once each; what a crowd held is free when it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_several_crowds_add_up() {
    let server = TestServer::with(&["--max-connections", "128"]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await.id;
    let wish = |clients: u32| json!({ "lane": "websocket", "clients": clients, "socket": socket, "after": 0, "message": 64 });
    // A refusal says it: a thousand never fit.
    let free = async || {
        let refused = client.post("crowds", &wish(1000)).await.refused(429, Code::TooManyClients);
        refused.params["free"].parse::<u32>().expect("a number")
    };
    // 128 less sixteen less whoever asks; a connection of an earlier request is counted until it is closed.
    let free_is = async |due: u32| {
        eventually(&format!("{due} are free"), async || free().await == due).await;
    };
    free_is(111).await;
    let mut crowds = Vec::new();
    for clients in [30, 40] {
        let crowd = client.post("crowds", &wish(clients)).await.to::<CrowdStarted>().id;
        crowds.push((format!("crowds/{crowd}"), clients));
        let due = 111 - crowds.iter().map(|(_, clients)| clients).sum::<u32>();
        // A client between its connecting and its being ready is counted twice, never not at all.
        assert!(free().await <= due, "those that are still to come have their places");
        let (path, clients) = crowds.last().expect("just begun");
        eventually("all are connected", async || {
            client.get(path).await.ok::<CrowdReport>().ready == *clients
        })
        .await;
        free_is(due).await;
    }
    client.post("crowds", &wish(42)).await.refused(429, Code::TooManyClients);
    assert_eq!(client.delete(&crowds[0].0).await.status(), 204);
    free_is(71).await;
    eventually("as many as are free fit", async || client.post("crowds", &wish(71)).await.status() == 201)
        .await;
}

/// Who asks for a crowd and leaves before it is there gets none, and none stays.
#[tokio::test]
async fn a_client_that_leaves_while_its_crowd_starts_leaves_nothing_behind() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await.id;
    let wish = json!({ "lane": "sse", "clients": 300, "socket": socket, "after": 0, "message": 64 });
    for wait in 0..8 {
        let mut conn = Conn::connect(server.address()).await;
        let request = client.request("POST", "crowds").json(&wish.to_string());
        conn.send(&request.bytes()).await;
        // Later and later, so that some leave before and some after the process has started.
        tokio::time::sleep(std::time::Duration::from_micros(500 * wait)).await;
        let stream = conn.into_stream();
        stream.set_zero_linger().expect("a living socket");
        drop(stream);
    }
    // A crowd that had been answered already is its owner's, who may not have read the answer; all others are gone.
    eventually("there is room for a large one again", async || {
        for number in 1..=8 {
            client.delete(&format!("crowds/n{number}")).await;
        }
        let answer = client
            .post(
                "crowds",
                &json!({
                    "lane": "sse", "clients": 900, "socket": socket, "after": 0, "message": 64,
                }),
            )
            .await;
        answer.status() == 201
    })
    .await;
    eventually("one process is left", async || children(server.pid()).len() == 1).await;
}

#[tokio::test]
async fn a_crowd_whose_process_dies_says_so() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await.id;
    let wish = json!({ "lane": "sse", "clients": 5, "socket": socket, "after": 0, "message": 64 });
    let crowd = client.post("crowds", &wish).await.to::<CrowdStarted>().id;
    let path = format!("crowds/{crowd}");
    eventually("all are connected", async || client.get(&path).await.ok::<CrowdReport>().ready == 5).await;
    let process = children(server.pid())[0];
    let process = nix::unistd::Pid::from_raw(process.try_into().expect("a pid"));
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).expect("it runs");
    eventually("they are broken", async || client.get(&path).await.ok::<CrowdReport>().broken == 5).await;
    eventually("no zombie is left", async || children(server.pid()).is_empty()).await;
}

/// A source that dies, a server that dies: what was measured until then is told, and that it is not all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dies_on_the_way_is_told_with_what_was_measured_until_then() {
    let server = TestServer::start();
    let client = server.client();
    let address = server.address().to_string();
    let flags = ["--server", &address, "--seconds", "30", "--rate", "20", "--poll-interval", "0.2", "--json"];
    let mut deaths = Vec::new();
    for kill_the_server in [false, true] {
        let run = compare(&flags, Some(TOKEN));
        let death = async {
            let mut ticker = None;
            eventually("some messages came", async || {
                let sockets: sockscope_wire::SocketList = client.get("sockets?hidden=true").await.ok();
                let running = sockets.sockets.into_iter().filter(|socket| socket.closed_seq.is_none());
                let mut busy = running.filter(|socket| socket.counters.sent_events > 20);
                ticker = busy.next_back().and_then(|socket| socket.parent);
                ticker.is_some()
            })
            .await;
            if kill_the_server {
                server.signal(nix::sys::signal::Signal::SIGKILL);
            } else {
                let id = ticker.expect("just seen");
                assert_eq!(client.delete(&format!("practice/{id}")).await.status(), 204);
            }
        };
        let ((success, out, err), ()) = tokio::join!(run, death);
        assert!(!success && err.contains("incomplete"), "{err}");
        deaths.push(serde_json::from_str::<Value>(&out).expect("a report all the same"));
    }
    for report in deaths {
        assert_eq!(report["complete"], false);
        let push = lane(&report, "websocket");
        assert!(push["events"].as_u64() > Some(10), "{push}");
        let mean = push["delay_ms"]["mean"].as_f64().expect("measured until then");
        assert!((0.0..1000.0).contains(&mean), "{push}");
    }
}

/// A log so small that the source's own facts are given up while it runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_forgets_makes_no_nonsense() {
    let server = TestServer::with(&["--log-bytes", "4M"]);
    let address = server.address().to_string();
    let flags = [
        "--server",
        &address,
        "--seconds",
        "8",
        "--rate",
        "1000",
        "--payload",
        "1024",
        "--lane",
        "websocket",
    ];
    let report = measured(&flags, Some(TOKEN)).await;
    let push = lane(&report, "websocket");
    assert_eq!((&push["missing"], &push["events"]), (&json!(0), &report["sent"]), "{push}");
    let (least, mean) = (report["reference"]["mean"].as_f64(), push["delay_ms"]["mean"].as_f64());
    assert!(least.is_some_and(|least| least > 0.0) && mean.is_some_and(|mean| mean < 1000.0), "{report}");
    let sockets: sockscope_wire::SocketList = server.client().get("sockets?hidden=true").await.ok();
    assert!(sockets.sockets.iter().all(|socket| socket.closed_seq.is_some()), "it took away what it started");
}

#[tokio::test]
async fn a_crowd_out_of_range_or_too_large_is_refused() {
    let server = TestServer::with(&["--max-connections", "64"]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await.id;
    let wish = |field: &str, value: Value| {
        let mut wish = json!({ "lane": "sse", "clients": 1, "socket": socket, "after": 0, "message": 64 });
        wish[field] = value;
        wish
    };
    for (field, value) in [("clients", 0), ("clients", 1001), ("message", 15), ("poll_interval_ms", 9)] {
        let problem =
            client.post("crowds", &wish(field, json!(value))).await.refused(422, Code::InvalidCrowd);
        assert_eq!(problem.params["field"], field);
    }
    client.post("crowds", &wish("meter", json!("m9"))).await.refused(404, Code::UnknownMeter);
    client.post("crowds", &wish("socket", json!("s999"))).await.refused(404, Code::UnknownSocket);
    let problem =
        client.post("crowds", &wish("clients", json!(100))).await.refused(429, Code::TooManyClients);
    assert_eq!(problem.params["max"], "64");
}
