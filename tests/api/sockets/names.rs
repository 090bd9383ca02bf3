//! Names: resolved once, every address tried is a fact. The name server is the test's own.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};

use crate::kit::{Blackhole, Deaf, Listener, Server, id, is_like, list, number, text, types};

/// A name server that knows a few names. What is asked is written down.
struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

const A: u16 = 1;
const AAAA: u16 = 28;

impl NameServer {
    fn new(names: &[(&str, &[&str])]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("not zero");
        let address = socket.local_addr().expect("bound");
        let parse = |addresses: &[&str]| addresses.iter().map(|a| a.parse().expect("an address")).collect();
        let names: HashMap<String, Vec<IpAddr>> =
            names.iter().map(|(name, addresses)| ((*name).to_owned(), parse(addresses))).collect();
        let (asked, end) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::default()));
        let thread = {
            let (asked, end) = (Arc::clone(&asked), Arc::clone(&end));
            thread::spawn(move || serve(&socket, &names, &asked, &end))
        };
        Self { address, asked, end, thread: Some(thread) }
    }

    fn asked(&self) -> Vec<(String, u16)> {
        let mut asked = self.asked.lock().expect("sound").clone();
        asked.sort();
        asked
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn serve(
    socket: &UdpSocket,
    names: &HashMap<String, Vec<IpAddr>>,
    asked: &Mutex<Vec<(String, u16)>>,
    end: &AtomicBool,
) {
    let mut query = [0; 512];
    while !end.load(Ordering::Relaxed) {
        let Ok((len, from)) = socket.recv_from(&mut query) else { continue };
        let (name, kind, question_end) = question(&query[..len]);
        asked.lock().expect("sound").push((name.clone(), kind));
        let known = names.get(&name);
        let records: Vec<Vec<u8>> = known
            .into_iter()
            .flatten()
            .filter_map(|address| match (address, kind) {
                (IpAddr::V4(v4), A) => Some(v4.octets().to_vec()),
                (IpAddr::V6(v6), AAAA) => Some(v6.octets().to_vec()),
                _ => None,
            })
            .collect();
        // RFC 1035 §4.1: the same id, "response, recursion desired and available", and NXDOMAIN for a stranger.
        let mut answer = query[..2].to_vec();
        answer.extend([0x81, if known.is_some() { 0x80 } else { 0x83 }]);
        answer.extend([0, 1, 0, u8::try_from(records.len()).expect("few"), 0, 0, 0, 0]);
        answer.extend_from_slice(&query[12..question_end]);
        for data in records {
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).expect("4 or 16")]);
            answer.extend(data);
        }
        socket.send_to(&answer, from).ok();
    }
}

/// The name, the type and where the question ends.
fn question(query: &[u8]) -> (String, u16, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] > 0 {
        let label = &query[at + 1..=at + usize::from(query[at])];
        at += 1 + label.len();
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
    }
    (labels.join("."), u16::from_be_bytes([query[at + 1], query[at + 2]]), at + 5)
}

fn start(names: &NameServer) -> Server {
    Server::start(&["--dns", &names.address.to_string()])
}

/// Something on an address of its own, and a listener on 127.0.0.1 with the same port.
fn on_one_port<T>(make: impl Fn() -> T, port: impl Fn(&T) -> u16) -> (T, Listener) {
    (0..16)
        .find_map(|_| {
            let made = make();
            let listener = Listener::try_on(&format!("127.0.0.1:{}", port(&made))).ok()?;
            Some((made, listener))
        })
        .expect("a port that is free on both")
}

#[test]
fn a_name_is_asked_once_and_what_it_resolves_to_is_told() {
    let names = NameServer::new(&[("one.example", &["127.0.0.1"])]);
    let server = start(&names);
    let listener = Listener::new();
    let client = server.open(&format!("tcp://one.example:{}", listener.port()));
    let asked = |kind| ("one.example".to_owned(), kind);
    assert_eq!(names.asked(), [asked(A), asked(AAAA)], "one round");
    let story = server.story(&id(&client));
    assert_eq!(types(&story), ["opening", "resolved", "connecting", "connected"]);
    let address = format!("127.0.0.1:{}", listener.port());
    assert!(is_like(&story[1], &json!({ "name": "one.example", "addresses": [address] })), "{}", story[1]);
    assert!(story[1]["took_us"].is_u64());
    assert_eq!(text(&client["target"]), format!("tcp://one.example:{}", listener.port()));
}

#[test]
fn every_address_is_tried_in_turn_and_each_is_a_fact() {
    let names = NameServer::new(&[("two.example", &["127.0.0.1", "::1"])]);
    let server = start(&names);
    let (_deaf, listener) = on_one_port(|| Deaf::on("[::1]:0").expect("a free port"), Deaf::port);
    let port = listener.port();
    let client = id(&server.open(&format!("tcp://two.example:{port}")));
    let (six, four) = (
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)).to_string(),
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string(),
    );
    let story = server.story(&client);
    let expected = [
        json!({ "type": "opening" }),
        json!({ "type": "resolved", "addresses": [six, four] }),
        json!({ "type": "connecting", "remote": six, "attempt": 1, "of": 2 }),
        json!({ "type": "failed", "remote": six, "errno": "ECONNREFUSED", "phase": "connect", "fatal": false }),
        json!({ "type": "connecting", "remote": four, "attempt": 2, "of": 2 }),
        json!({ "type": "connected", "remote": four }),
    ];
    assert_eq!(story.len(), expected.len(), "{story:#?}");
    for (event, expected) in story.iter().zip(&expected) {
        assert!(is_like(event, expected), "{event} is not like {expected}");
    }
}

#[test]
fn an_address_that_does_not_answer_is_overtaken_by_the_next() {
    let (_hole, listener) = on_one_port(|| Blackhole::new("127.0.0.9:0"), |hole| hole.address.port());
    let port = listener.port();
    let names = NameServer::new(&[("slow.example", &["127.0.0.9", "127.0.0.1"])]);
    let server = start(&names);
    let client = server.open(&format!("tcp://slow.example:{port}"));
    let _peer = listener.accept();
    assert_eq!(text(&client["remote"]), format!("127.0.0.1:{port}"));
    let story = server.story(&id(&client));
    let tries: Vec<&Value> = story.iter().filter(|event| event["type"] == "connecting").collect();
    let [first, second] = tries[..] else { panic!("{story:#?}") };
    assert_eq!(text(&first["remote"]), format!("127.0.0.9:{port}"));
    assert_eq!(text(&second["remote"]), format!("127.0.0.1:{port}"));
    assert!(
        number(&second["t_us"]) - number(&first["t_us"]) >= 250_000,
        "each has its head start (RFC 8305)"
    );
    let [.., abandoned, connected] = &story[..] else { panic!("{story:#?}") };
    let said =
        json!({ "type": "note", "code": "attempt_abandoned", "params": { "remote": first["remote"] } });
    assert!(is_like(abandoned, &said), "an attempt ends in a fact: {abandoned}");
    assert_eq!(connected["type"], "connected");
    assert_eq!(names.asked().len(), 2, "and the name was asked in one round");
}

#[test]
fn a_name_that_does_not_exist_is_told_apart_from_one_without_address() {
    let names = NameServer::new(&[("empty.example", &[])]);
    let server = start(&names);
    for (name, code, errno) in
        [("none.example", "name_not_found", "EAI_NONAME"), ("empty.example", "no_address", "EAI_NODATA")]
    {
        for scheme in ["tcp", "udp", "tcp-listen"] {
            let problem = server.try_open(&format!("{scheme}://{name}:80"), json!({})).problem(502, code);
            assert!(is_like(&problem, &json!({ "errno": errno, "phase": "resolve" })), "{problem}");
            let socket = text(&problem["socket"]);
            let story = server.story(&socket);
            assert_eq!(types(&story), ["opening", "failed"]);
            let failed = json!({ "code": code, "errno": errno, "phase": "resolve", "fatal": true });
            assert!(is_like(&story[1], &failed), "{}", story[1]);
            assert_eq!(server.socket(&socket)["state"], "failed");
        }
    }
}

#[test]
fn a_denied_answer_is_a_fact_and_the_others_are_dialled() {
    let names = NameServer::new(&[
        ("rebind.example", &["169.254.169.254", "127.0.0.1"]),
        ("cloud.example", &["169.254.169.254"]),
    ]);
    let server = start(&names);
    let listener = Listener::new();
    let client = server.open(&format!("tcp://rebind.example:{}", listener.port()));
    let story = server.story(&id(&client));
    assert_eq!(types(&story), ["opening", "resolved", "refused_by_policy", "connecting", "connected"]);
    assert_eq!(list(&story[1]["addresses"]).len(), 2, "what DNS said is told as it was");
    let denied = json!({ "address": format!("169.254.169.254:{}", listener.port()), "fatal": false });
    assert!(is_like(&story[2], &denied), "{}", story[2]);
    let problem = server.try_open("tcp://cloud.example:80", json!({})).problem(403, "denied");
    let story = server.story(&text(&problem["socket"]));
    assert!(!types(&story).contains(&"connecting"), "nothing is dialled");
}

#[test]
fn a_datagram_may_go_to_a_name() {
    let names = NameServer::new(&[("there.example", &["::1", "127.0.0.1"])]);
    let server = start(&names);
    let peer = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    peer.set_read_timeout(Some(crate::kit::PATIENCE)).expect("not zero");
    let port = peer.local_addr().expect("bound").port();
    let bound = id(&server.open("udp-bind://127.0.0.1:0"));
    server.send(&bound, b"by name", &format!("?to=there.example:{port}")).ok();
    let mut buffer = [0; 16];
    assert_eq!(peer.recv(&mut buffer).expect("it comes"), 7);
    let sent = server.fact(&bound, json!({ "type": "sent" }));
    assert_eq!(
        text(&sent["to"]),
        format!("127.0.0.1:{port}"),
        "of its addresses the one this socket can reach"
    );
    let problem = server.send(&bound, b"x", "?to=none.example:9").problem(502, "name_not_found");
    assert_eq!(problem["phase"], "resolve");
    server.fact(&bound, json!({ "type": "failed", "phase": "resolve", "fatal": false }));
}
