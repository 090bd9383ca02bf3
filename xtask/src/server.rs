//! A sockscope we started ourselves.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use crate::sh;

/// How long it may take to start, and to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; dropping it ends it.
pub(crate) struct Server {
    child: Child,
    /// The launch link it printed.
    pub(crate) link: String,
}

impl Server {
    /// Starts it and waits for the launch link on its standard output, which goes on to ours.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        sh::announce(command);
        let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| sh::cannot_start(command))?;
        let stdout = child.stdout.take().context("its standard output is piped")?;
        // One link is all that is ever sent; whoever waited may be gone by then.
        let (found, link) = mpsc::sync_channel(1);
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                println!("{line}");
                if line.starts_with("http") {
                    found.try_send(line).ok();
                }
            }
        });
        let mut server = Self { child, link: String::new() };
        server.link = link.recv_timeout(PATIENCE).context("the server printed no launch link")?;
        Ok(server)
    }

    /// Its address, `host:port`.
    pub(crate) fn authority(&self) -> &str {
        let rest = self.link.split_once("://").map_or(&*self.link, |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    /// The launch code in its link, as the fragment of a URL.
    pub(crate) fn fragment(&self) -> &str {
        self.link.split_once('#').map_or("", |(_, fragment)| fragment)
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// The body of a 200 answer to a GET without credentials.
    #[expect(clippy::disallowed_methods, reason = "dials a server of our own, not what a user asked for")]
    pub(crate) fn get(&self, path: &str) -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.authority()).context("cannot connect to the server")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.authority())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).with_context(|| format!("no whole answer to GET {path}"))?;
        let (head, body) = parts(&answer).with_context(|| format!("GET {path}: not an HTTP answer"))?;
        ensure!(head.starts_with("HTTP/1.1 200 "), "GET {path}: {}", head.lines().next().unwrap_or(""));
        Ok(body.to_vec())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where it has already ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn parts(answer: &[u8]) -> Option<(&str, &[u8])> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&answer[..end]).ok()?, &answer[end + 4..]))
}
