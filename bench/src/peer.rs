//! A peer in another process, as the measuring side holds it.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

/// A running peer; dropping it ends it.
pub(crate) struct Peer {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts this program as a peer of that kind.
    pub(crate) fn start(words: &[&str]) -> Result<Self> {
        Self::start_with(words, &[])
    }

    /// The same, with something in its environment.
    pub(crate) fn start_with(words: &[&str], variables: &[(&str, &str)]) -> Result<Self> {
        let program = env::current_exe().context("cannot tell where the bench lies")?;
        let mut child = Command::new(program)
            .arg("peer")
            .args(words)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a peer")?;
        let stdin = child.stdin.take().context("its standard input is piped")?;
        let stdout = BufReader::new(child.stdout.take().context("its standard output is piped")?);
        Ok(Self { child, stdin, stdout })
    }

    /// Starts one that listens, and returns it with its port.
    pub(crate) fn listening(words: &[&str]) -> Result<(Self, u16)> {
        let mut peer = Self::start(words)?;
        let port = peer.hear()?.parse().context("a peer that listens says its port first")?;
        Ok((peer, port))
    }

    /// Tells it something.
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        writeln!(self.stdin, "{line}").context("the peer has ended")
    }

    /// The next line it says.
    pub(crate) fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        let n = self.stdout.read_line(&mut line).context("the peer has ended")?;
        ensure!(n > 0, "the peer has ended");
        Ok(line.trim_end().to_owned())
    }

    /// Tells it something and returns what it answers.
    pub(crate) fn ask(&mut self, line: &str) -> Result<String> {
        self.say(line)?;
        self.hear()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail only where it has already ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
