//! What these tests share: a server, a plain HTTP client, and waiting for facts instead of for time.
//!
//! Blocking on purpose: the peers here are what the sockets are tested against, and a plain call shows what it did.
#![allow(clippy::needless_pass_by_value, reason = "json! at the call reads best by value")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use socket2::SockRef;

pub(crate) use crate::support::network::{apart, run};
use crate::support::{Builder, TOKEN, TestServer, wait::DEADLINE};

/// How long anything may take before the test says that it did not happen.
pub(crate) const PATIENCE: Duration = DEADLINE;

/// A running server; it ends with the test.
pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
    idle: Mutex<Vec<BufReader<TcpStream>>>,
}

enum Process {
    Test(TestServer),
    Limited(Child),
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Self::Limited(child) = self {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{} {}",
            self.status,
            String::from_utf8_lossy(&self.bytes)
        );
        if self.bytes.is_empty() { Value::Null } else { self.json() }
    }

    /// The body of a problem with that status and code.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let text = String::from_utf8_lossy(&self.bytes);
        assert_eq!(self.status, status, "{text}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{text}");
        assert_eq!(problem["type"], format!("urn:sockscope:{code}"), "{text}");
        problem
    }
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Self {
        let server = TestServer::with(flags);
        let address = server.address();
        Self { process: Process::Test(server), address, idle: Mutex::default() }
    }

    /// One that records that much of the kernel's side: `all`, `states` or `off`.
    pub(crate) fn seeing(eyes: &str, flags: &[&str]) -> Self {
        Self::built(TestServer::builder().args(flags).env("SOCKSCOPE_KERNEL", eyes))
    }

    pub(crate) fn built(builder: Builder) -> Self {
        let server = builder.start();
        let address = server.address();
        Self { process: Process::Test(server), address, idle: Mutex::default() }
    }

    /// With so many descriptors, hard.
    pub(crate) fn start_with_descriptors(descriptors: usize) -> Self {
        let script = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
        let mut child = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_sockscope"), "--listen", "127.0.0.1:0"])
            .env("SOCKSCOPE_TOKEN", TOKEN)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.split_whitespace().find_map(|word| word.trim_end_matches('.').parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        Self { process: Process::Limited(child), address, idle: Mutex::default() }
    }

    pub(crate) fn pid(&self) -> u32 {
        match &self.process {
            Process::Test(server) => server.pid(),
            Process::Limited(child) => child.id(),
        }
    }

    /// The server as the shared support knows it.
    pub(crate) fn process(&mut self) -> &mut TestServer {
        match &mut self.process {
            Process::Test(server) => server,
            Process::Limited(_) => panic!("started by hand"),
        }
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
        kib * 1024
    }

    /// CPU time it has used, in hundredths of a second.
    pub(crate) fn cpu(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        // Behind the name, which may hold anything: utime and stime are the 12th and 13th words (proc(5)).
        let words: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
        words[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
    }

    /// How many descriptors it holds.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("it runs").count()
    }

    /// Leaves every connection that is kept: the next request makes a new one.
    pub(crate) fn hang_up(&self) {
        self.idle.lock().expect("sound").clear();
    }

    /// A request with JSON; the path is relative to the workspace unless it begins with `/`.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(|body| body.to_string().into_bytes());
        self.request(method, path, "application/json", body.as_deref())
    }

    pub(crate) fn request(&self, method: &str, path: &str, kind: &str, body: Option<&[u8]>) -> Answer {
        let request = self.text(method, path, kind, body);
        loop {
            let kept = self.idle.lock().expect("sound").pop();
            let fresh = kept.is_none();
            let mut connection = kept.unwrap_or_else(|| BufReader::new(self.connect()));
            match converse(&mut connection, &request) {
                Ok((answer, keep)) => {
                    if keep {
                        self.idle.lock().expect("sound").push(connection);
                    }
                    return answer;
                }
                // A kept connection that the server has closed meanwhile took nothing.
                Err(_) if !fresh => {}
                Err(error) => panic!("{method} {path}: {error}"),
            }
        }
    }

    fn text(&self, method: &str, path: &str, kind: &str, body: Option<&[u8]>) -> Vec<u8> {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/api/v1/workspaces/default/{path}")
        };
        let body = body.unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        [head.as_bytes(), body].concat()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server listens");
        stream.set_nodelay(true).expect("a living socket");
        stream.set_read_timeout(Some(Duration::from_secs(70))).expect("not zero");
        stream
    }

    /// A request whose answer nobody waits for yet: dropping the connection is leaving.
    pub(crate) fn begin(&self, method: &str, path: &str, body: &Value) -> TcpStream {
        let mut stream = self.connect();
        let request = self.text(method, path, "application/json", Some(body.to_string().as_bytes()));
        stream.write_all(&request).expect("the server listens");
        stream
    }

    /// A viewer that follows everything over SSE and never reads.
    pub(crate) fn viewer_that_never_reads(&self) -> TcpStream {
        let mut stream = self.connect();
        SockRef::from(&stream).set_recv_buffer_size(4096).expect("a living socket");
        let head = format!(
            "GET /api/v1/workspaces/default/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\nAccept: text/event-stream\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).expect("the server listens");
        stream
    }

    pub(crate) fn try_open(&self, target: &str, options: Value) -> Answer {
        self.ask("POST", "sockets", Some(&json!({ "open": target, "options": options })))
    }

    /// Opens a socket; the socket as answered.
    #[track_caller]
    pub(crate) fn open(&self, target: &str) -> Value {
        self.open_with(target, json!({}))
    }

    #[track_caller]
    pub(crate) fn open_with(&self, target: &str, options: Value) -> Value {
        let answer = self.try_open(target, options);
        let socket = answer.ok();
        assert_eq!(answer.status, 201);
        socket
    }

    #[track_caller]
    pub(crate) fn socket(&self, id: &str) -> Value {
        self.ask("GET", &format!("sockets/{id}"), None).ok()
    }

    pub(crate) fn sockets(&self) -> Vec<Value> {
        list(&self.ask("GET", "sockets", None).ok()["sockets"])
    }

    pub(crate) fn send(&self, id: &str, bytes: &[u8], query: &str) -> Answer {
        self.request("POST", &format!("sockets/{id}/send{query}"), "application/octet-stream", Some(bytes))
    }

    #[track_caller]
    pub(crate) fn say(&self, id: &str, bytes: &[u8]) {
        assert_eq!(self.send(id, bytes, "").ok()["sent"], bytes.len());
    }

    #[track_caller]
    pub(crate) fn close(&self, id: &str) {
        self.ask("DELETE", &format!("sockets/{id}"), None).ok();
    }

    #[track_caller]
    pub(crate) fn shut_down(&self, id: &str) {
        self.ask("POST", &format!("sockets/{id}/shutdown"), Some(&json!({ "how": "write" }))).ok();
    }

    /// Starts a practice peer: its id and how it is reached.
    #[track_caller]
    pub(crate) fn practice(&self, peer: &str) -> (String, String) {
        let started = self.ask("POST", "practice", Some(&json!({ "peer": peer }))).ok();
        (text(&started["id"]), text(&started["target"]))
    }

    /// The last seq there is.
    pub(crate) fn head(&self) -> u64 {
        number(&self.ask("GET", "events?after=head", None).ok()["head"])
    }

    /// Everything the log says now: events and gaps.
    pub(crate) fn history(&self, query: &str) -> (Vec<Value>, Vec<Value>) {
        let (mut events, mut gaps, mut after) = (Vec::new(), Vec::new(), 0);
        loop {
            let page = self.ask("GET", &format!("events?after={after}&limit=10000&{query}"), None).ok();
            events.extend(list(&page["events"]));
            gaps.extend(list(&page["gaps"]));
            after = number(&page["next"]);
            if after >= number(&page["head"]) {
                return (events, gaps);
            }
        }
    }

    /// All a socket has done, oldest first.
    pub(crate) fn story(&self, id: &str) -> Vec<Value> {
        self.history(&format!("socket={id}")).0
    }

    /// Waits for a fact of a socket (of any, with `""`) that is like this one, and tells it.
    #[track_caller]
    pub(crate) fn fact(&self, id: &str, like: Value) -> Value {
        let mut filter = if id.is_empty() { String::new() } else { format!("&socket={id}") };
        if let Some(kind) = like["type"].as_str() {
            filter.push_str(&format!("&type={kind}"));
        }
        let begin = Instant::now();
        let mut after = 0;
        while begin.elapsed() < PATIENCE {
            let path = format!("events?after={after}&wait=1&payload=preview:64{filter}");
            let page = self.ask("GET", &path, None).ok();
            for event in list(&page["events"]) {
                if is_like(&event, &like) {
                    return event;
                }
            }
            after = number(&page["next"]);
        }
        let (events, _) =
            self.history(&format!("payload=preview:64{}", filter.split("&type").next().unwrap_or_default()));
        panic!("{id} never did {like}, but last: {:#?}", &events[events.len().saturating_sub(20)..]);
    }

    /// Waits until a socket has received that much, and tells the bytes.
    #[track_caller]
    pub(crate) fn received(&self, id: &str, bytes: usize) -> Vec<u8> {
        eventually(&format!("{id} receives {bytes} bytes"), || {
            number(&self.socket(id)["counters"]["received_bytes"]) >= bytes as u64
        });
        carried(&self.story(id), "received")
    }
}

fn converse(connection: &mut BufReader<TcpStream>, request: &[u8]) -> std::io::Result<(Answer, bool)> {
    connection.get_mut().write_all(request)?;
    let mut line = String::new();
    if connection.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    let (mut length, mut keep) = (0, true);
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
        assert!(!header.starts_with("transfer-encoding:"), "only whole answers are asked for here");
        keep &= header != "connection: close";
    }
    let mut bytes = vec![0; length];
    connection.read_exact(&mut bytes)?;
    Ok((Answer { status, bytes }, keep))
}

/// Whether every field of `like` is in `event`, and the same.
pub(crate) fn is_like(event: &Value, like: &Value) -> bool {
    match (event, like) {
        (Value::Object(event), Value::Object(like)) => {
            like.iter().all(|(name, like)| event.get(name).is_some_and(|value| is_like(value, like)))
        }
        (event, like) => event == like,
    }
}

/// Looks again until it is so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

pub(crate) fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}")).clone()
}

pub(crate) fn id(socket: &Value) -> String {
    text(&socket["id"])
}

/// The types of events, in order.
pub(crate) fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}

pub(crate) fn payload(event: &Value) -> Vec<u8> {
    STANDARD
        .decode(event["payload"].as_str().unwrap_or_else(|| panic!("no payload: {event}")))
        .expect("base64")
}

/// The bytes of all events of a type; their offsets must join.
#[track_caller]
pub(crate) fn carried(events: &[Value], kind: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events.iter().filter(|event| event["type"] == kind) {
        if let Some(offset) = event["offset"].as_u64() {
            assert_eq!(offset, bytes.len() as u64, "offsets join: {event}");
        }
        let payload = payload(event);
        assert_eq!(number(&event["len"]), payload.len() as u64);
        bytes.extend(payload);
    }
    bytes
}

/// A server of the test's own, on an address of this machine.
pub(crate) struct Listener(pub(crate) TcpListener);

impl Listener {
    pub(crate) fn new() -> Self {
        Self::on("127.0.0.1:0")
    }

    pub(crate) fn on(address: &str) -> Self {
        Self::try_on(address).unwrap_or_else(|error| panic!("{address}: {error}"))
    }

    pub(crate) fn try_on(address: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        // Also how long accept(2) waits.
        SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).expect("a living socket");
        Ok(Self(listener))
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().expect("bound").port()
    }

    pub(crate) fn target(&self) -> String {
        format!("tcp://{}", self.0.local_addr().expect("bound"))
    }

    #[track_caller]
    pub(crate) fn accept(&self) -> TcpStream {
        patient(self.0.accept().expect("somebody connects").0)
    }

    /// A client of this server and the peer's end of it.
    #[track_caller]
    pub(crate) fn meet(&self, server: &Server) -> (String, TcpStream) {
        self.meet_with(server, json!({}))
    }

    #[track_caller]
    pub(crate) fn meet_with(&self, server: &Server, options: Value) -> (String, TcpStream) {
        let socket = server.open_with(&self.target(), options);
        (id(&socket), self.accept())
    }
}

/// A stream on which no call waits for ever.
pub(crate) fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
    stream.set_nodelay(true).expect("a living socket");
    stream
}

/// Connects to a listener of the server's.
#[track_caller]
pub(crate) fn dial(socket: &Value) -> TcpStream {
    let local = text(&socket["local"]);
    patient(TcpStream::connect(&local).unwrap_or_else(|error| panic!("{local}: {error}")))
}

#[track_caller]
pub(crate) fn read_exactly(stream: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut all = vec![0; bytes];
    stream.read_exact(&mut all).expect("the bytes come");
    all
}

/// Reads to the FIN.
#[track_caller]
pub(crate) fn read_to_fin(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("a FIN, and no RST");
    all
}

/// Ends it with RST.
pub(crate) fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a living socket");
    drop(stream);
}

/// A port that is taken and that nobody listens on: connecting is refused, and no other test gets it meanwhile.
pub(crate) struct Deaf(socket2::Socket);

impl Deaf {
    pub(crate) fn on(address: &str) -> std::io::Result<Self> {
        let wanted: SocketAddr = address.parse().expect("an address");
        let socket = socket2::Socket::new(socket2::Domain::for_address(wanted), socket2::Type::STREAM, None)?;
        socket.bind(&wanted.into())?;
        Ok(Self(socket))
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().ok().and_then(|address| address.as_socket()).expect("bound").port()
    }
}

/// A listener whose queue is full: the kernel drops every further SYN.
pub(crate) struct Blackhole {
    pub(crate) address: SocketAddr,
    _listener: socket2::Socket,
    _fillers: Vec<TcpStream>,
}

impl Blackhole {
    pub(crate) fn new(address: &str) -> Self {
        let wanted: SocketAddr = address.parse().expect("an address");
        let listener =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        listener.bind(&wanted.into()).expect("free");
        listener.listen(0).expect("bound");
        let address = listener.local_addr().ok().and_then(|a| a.as_socket()).expect("bound");
        let mut fillers = Vec::new();
        while let Ok(filler) = TcpStream::connect_timeout(&address, Duration::from_millis(150)) {
            fillers.push(filler);
            assert!(fillers.len() < 16, "a queue of nothing is full soon");
        }
        Self { address, _listener: listener, _fillers: fillers }
    }
}

/// Bytes without a pattern, the same for the same seed (xorshift64*).
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            bytes.extend_from_slice(&self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}
