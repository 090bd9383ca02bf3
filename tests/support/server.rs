//! The real binary, started on a free port and ended with the test.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader, Read},
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{Client, Viewer};

/// The token every test server asks for.
pub const TOKEN: &str = "the-token-of-the-tests-0123456789abcdef";

/// How long starting may take.
const START: Duration = Duration::from_secs(30);

/// What a stream of the child has said so far.
type Said = Arc<Mutex<String>>;

/// One of its streams: what it said, and the thread that hears it, which ends with the stream.
struct Heard {
    said: Said,
    hearing: thread::JoinHandle<()>,
}

/// How a server is to be started.
pub struct Builder {
    token: Option<String>,
    listen: String,
    args: Vec<OsString>,
    env: Vec<(String, String)>,
    /// What starts the binary, where it is not started by itself.
    under: Vec<String>,
}

impl Builder {
    /// Started by another program, which becomes it.
    pub fn under(mut self, program: &[&str]) -> Self {
        self.under = program.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// More arguments.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(OsString::from));
        self
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another address than a free port of 127.0.0.1.
    pub fn listen(mut self, listen: &str) -> Self {
        listen.clone_into(&mut self.listen);
        self
    }

    /// No token in the environment: the server makes one up.
    pub fn random_token(mut self) -> Self {
        self.token = None;
        self
    }

    /// `--no-token`.
    pub fn no_token(self) -> Self {
        self.random_token().args(&["--no-token"])
    }

    fn command(&self) -> Command {
        let binary = env!("CARGO_BIN_EXE_sockscope");
        let mut command = match &self.under[..] {
            [] => Command::new(binary),
            [program, args @ ..] => {
                let mut command = Command::new(program);
                command.args(args).arg(binary);
                command
            }
        };
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SOCKSCOPE_"))
        {
            command.env_remove(name);
        }
        command.args(["--listen", &self.listen]).args(&self.args).stdin(Stdio::null());
        if let Some(token) = &self.token {
            command.env("SOCKSCOPE_TOKEN", token);
        }
        // What is tested of the log is told in its conversation; tests of the kernel's side open its shelf.
        command.env("SOCKSCOPE_KERNEL", "off");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it, and returns once it has said where it listens.
    pub fn start(self) -> TestServer {
        let mut child =
            self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let (links, link) = mpsc::sync_channel(1);
        let out = listen(child.stdout.take().expect("piped"), move |line| {
            if line.starts_with("http://") {
                links.try_send(line.to_owned()).ok();
            }
        });
        let err = listen(child.stderr.take().expect("piped"), |_| {});
        let Ok(link) = link.recv_timeout(START) else {
            child.kill().ok();
            child.wait().ok();
            panic!("the server did not start:\n{}", said(&err));
        };
        let address = link
            .strip_prefix("http://")
            .and_then(|rest| rest.split('/').next())
            .and_then(|host| host.parse().ok())
            .unwrap_or_else(|| panic!("no address in {link:?}"));
        let client = Client::new(address, self.token.as_deref().unwrap_or_default());
        let _same_port = UdpSocket::bind(address).ok();
        TestServer { child, address, link, out, err, client, _same_port }
    }

    /// Runs it to its end: for command lines that are refused.
    pub fn run(self) -> Output {
        self.command().output().expect("the binary starts")
    }
}

/// Collects what a stream says, line by line.
fn listen(stream: impl Read + Send + 'static, mut heard: impl FnMut(&str) + Send + 'static) -> Heard {
    let said = Said::default();
    let all = Arc::clone(&said);
    let hearing = thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all.push_str(&line);
            all.push('\n');
            drop(all);
            heard(&line);
        }
    });
    Heard { said, hearing }
}

fn said(by: &Heard) -> String {
    by.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A running server. Killed when dropped.
pub struct TestServer {
    child: Child,
    address: SocketAddr,
    link: String,
    out: Heard,
    err: Heard,
    client: Client,
    /// The control port may not be dialled, over UDP neither: no peer of a test is given that port by chance.
    _same_port: Option<UdpSocket>,
}

impl TestServer {
    /// How to start one that asks for [`TOKEN`] on a free port of 127.0.0.1.
    pub fn builder() -> Builder {
        Builder {
            token: Some(TOKEN.to_owned()),
            listen: "127.0.0.1:0".to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            under: Vec::new(),
        }
    }

    /// Starts one.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Starts one with these arguments.
    pub fn with(args: &[&str]) -> Self {
        Self::builder().args(args).start()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its own Host, `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The launch link it printed.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// The code in that link.
    pub fn launch_code(&self) -> &str {
        self.link.split_once("#c=").expect("a link with a code").1
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All of its standard output so far.
    pub fn stdout(&self) -> String {
        said(&self.out)
    }

    /// All of its standard error so far: the log.
    pub fn stderr(&self) -> String {
        said(&self.err)
    }

    /// A client with the token.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A WebSocket viewer with the token; `query` without `?`.
    pub async fn viewer(&self, query: &str) -> Viewer {
        Viewer::connect(&self.client, query).await
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid is an i32");
        kill(Pid::from_raw(pid), signal).expect("our own child can be signalled");
    }

    /// Waits for its end, and until all it said is heard.
    pub async fn ended(&mut self, deadline: Duration) -> ExitStatus {
        let begun = Instant::now();
        let mut ended = None;
        loop {
            ended = ended.or_else(|| self.child.try_wait().expect("our own child"));
            if let Some(status) = ended
                && [&self.out, &self.err].iter().all(|stream| stream.hearing.is_finished())
            {
                return status;
            }
            assert!(begun.elapsed() < deadline, "still running after {deadline:?}:\n{}", self.stderr());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// SIGTERM, and waits for its end.
    pub async fn terminate(&mut self, deadline: Duration) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.ended(deadline).await
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.stderr());
        }
    }
}
