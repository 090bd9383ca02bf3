//! A sockscope of the release build, and the little of its API that measuring needs.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{process, viewer::TOKEN};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// After how long without a request a new connection is made: well before the server's own limit.
const IDLE: Duration = Duration::from_secs(2);

/// A running server; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    token: String,
    connection: BufReader<TcpStream>,
    /// When it was last used: the server closes a connection that is idle for 10 s.
    used: Instant,
}

/// Starts one and measures how long it takes until it says where it listens.
pub(crate) fn start_timed(program: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let mut child = spawn(program, &[])?;
    let mut line = String::new();
    let stdout = child.stdout.take().context("its standard output is piped")?;
    let read = BufReader::new(stdout).read_line(&mut line);
    let took = begun.elapsed();
    child.kill()?;
    child.wait()?;
    read?;
    ensure!(line.contains("listens on"), "not what a server says first: {line}");
    Ok(took)
}

fn spawn(program: &Path, flags: &[&str]) -> Result<Child> {
    let mut command = Command::new(program);
    command.args(["--listen", "127.0.0.1:0"]).args(flags).env("SOCKSCOPE_LOG", "warn");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| {
        format!("cannot start {}: build it with `cargo build --release -p sockscope`", program.display())
    })
}

impl Server {
    /// Starts a server with these flags and signs in by its launch link. Peers find the token in their environment.
    pub(crate) fn start(program: &Path, flags: &[&str]) -> Result<Self> {
        let mut child = spawn(program, flags)?;
        let stdout = child.stdout.take().context("its standard output is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let link = lines.find_map(|line| line.ok().filter(|line| line.starts_with("http://")));
        let link = link.context("the server printed no launch link")?;
        let rest = link.strip_prefix("http://").context("found by it")?;
        let (authority, code) = rest.split_once("/#c=").context("a link has a code")?;
        let address: SocketAddr = authority.parse().context("a link has an address")?;
        let connection = BufReader::new(dial(address)?);
        let mut server = Self { child, address, token: String::new(), connection, used: Instant::now() };
        let session = server.call("POST", "/api/v1/session", Some(&json!({ "code": code })))?;
        server.token = session["token"].as_str().context("a session has a token")?.to_owned();
        Ok(server)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The header that opens its gate, as a line.
    pub(crate) fn authorization(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.token)
    }

    /// A peer that may talk to it: the token is in its environment.
    pub(crate) fn peer(&self, kind: &str) -> Result<crate::peer::Peer> {
        crate::peer::Peer::start_with(&[kind, &self.address.to_string()], &[(TOKEN, &self.token)])
    }

    /// Opens a socket and returns it.
    pub(crate) fn open(&mut self, target: &str) -> Result<Value> {
        self.call("POST", "/api/v1/workspaces/default/sockets", Some(&json!({ "open": target })))
    }

    /// Makes a key for bridges, to anywhere and as often as asked, that records every byte; returns its secret.
    pub(crate) fn recording_key(&mut self) -> Result<String> {
        let terms = json!({
            "targets": ["tcp://*:*", "udp://*:*"], "max_streams": 4096, "connects_per_second": 100_000, "record": true,
        });
        let made = self.call("POST", "/api/v1/workspaces/default/keys", Some(&terms))?;
        Ok(made["secret"].as_str().context("a key has a secret")?.to_owned())
    }

    /// The socket that was opened last.
    pub(crate) fn latest(&mut self) -> Result<Value> {
        let list = self.call("GET", "/api/v1/workspaces/default/sockets", None)?;
        list["sockets"].as_array().and_then(|sockets| sockets.last()).cloned().context("a socket was opened")
    }

    /// One socket.
    pub(crate) fn socket(&mut self, id: &str) -> Result<Value> {
        self.call("GET", &format!("/api/v1/workspaces/default/sockets/{id}"), None)
    }

    /// Closes a socket.
    pub(crate) fn close(&mut self, id: &str, query: &str) -> Result<()> {
        self.call("DELETE", &format!("/api/v1/workspaces/default/sockets/{id}{query}"), None).map(|_| ())
    }

    /// Gives up all of the log.
    pub(crate) fn trim(&mut self) -> Result<()> {
        let page = self.call("GET", "/api/v1/workspaces/default/events?after=head&limit=1", None)?;
        let body = json!({ "up_to": page["head"] });
        self.call("POST", "/api/v1/workspaces/default/log/trim", Some(&body)).map(|_| ())
    }

    /// Descriptors it has open now: its sockets and connections, and a constant few.
    pub(crate) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("/proc/{}/fd", self.pid())).context("the server has ended")?.count())
    }

    /// Waits until it has that many descriptors open.
    pub(crate) fn until_descriptors(&self, judge: impl Fn(usize) -> bool) -> Result<()> {
        let begun = Instant::now();
        loop {
            let open = self.descriptors()?;
            if judge(open) {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "the server still has {open} descriptors");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// One request on the kept connection.
    fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        if self.used.elapsed() > IDLE {
            self.connection = BufReader::new(dial(self.address)?);
        }
        self.used = Instant::now();
        let body = body.map_or_else(String::new, Value::to_string);
        let bearer = if self.token.is_empty() { String::new() } else { self.authorization() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{bearer}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.connection.get_mut().write_all(request.as_bytes())?;
        let mut status = String::new();
        self.connection.read_line(&mut status)?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            ensure!(self.connection.read_line(&mut line)? > 0, "{method} {path}: no whole answer");
            match line.trim_end().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = value.parse()?,
                Some(_) => {}
                None => break,
            }
        }
        let mut answer = vec![0; length];
        self.connection.read_exact(&mut answer)?;
        if !status.starts_with("HTTP/1.1 2") {
            bail!("{method} {path}: {} {}", status.trim_end(), String::from_utf8_lossy(&answer));
        }
        if answer.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&answer)?) }
    }
}

fn dial(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).context("cannot connect to the server")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asked to end first, so that it writes what it writes at its end. All of this fails only where it has already ended.
        process::ask_to_end(self.pid()).ok();
        let begun = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if begun.elapsed() > PATIENCE {
                eprintln!(
                    "a server does not end, and is killed: if it counts for a profile, its counts are lost"
                );
                self.child.kill().ok();
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.child.wait().ok();
    }
}

/// The image's size in bytes, where `SOCKSCOPE_IMAGE_BYTES` says it.
pub(crate) fn image_bytes() -> Option<u64> {
    env::var("SOCKSCOPE_IMAGE_BYTES").ok()?.parse().ok()
}
