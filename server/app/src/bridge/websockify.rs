//! websockify: one WebSocket to a target that was set up before, found by a token.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use sockscope_sockets::target::{Scheme, Target, TargetError, parse_endpoint};
use sockscope_wire::Code;

use crate::{
    ask,
    problem::{Refused, problem},
};

/// Where tokens lead.
#[derive(Debug, Clone, Default, Args)]
pub struct Websockify {
    /// A file, or a folder of files, with a line `token: host:port` for each target of /websockify?token=…; read anew each time
    #[arg(long = "websockify-token-file", env = "SOCKSCOPE_WEBSOCKIFY_TOKEN_FILE", value_name = "PATH")]
    tokens: Option<PathBuf>,
    /// The target of /websockify without a token
    #[arg(long = "websockify-target", env = "SOCKSCOPE_WEBSOCKIFY_TARGET", value_name = "HOST:PORT", value_parser = target)]
    preset: Option<Target>,
    /// Ping clients of /websockify every so many seconds (1 to 3,600)
    #[arg(long = "websockify-heartbeat", env = "SOCKSCOPE_WEBSOCKIFY_HEARTBEAT", value_name = "S", value_parser = clap::value_parser!(u16).range(1..=3600))]
    heartbeat: Option<u16>,
}

impl Websockify {
    /// Whether its tokens can be read, before anybody asks for one.
    ///
    /// # Errors
    /// Why they cannot.
    pub fn check(&self) -> anyhow::Result<()> {
        let Some(path) = &self.tokens else { return Ok(()) };
        match lookup(path, "") {
            Ok(_) => Ok(()),
            Err(error) => anyhow::bail!("cannot read the tokens of {}: {error}", path.display()),
        }
    }

    /// How often its clients are pinged.
    #[must_use]
    pub fn heartbeat(&self) -> Option<Duration> {
        self.heartbeat.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// Where a token leads; without one, to the preset target.
    ///
    /// # Errors
    /// When it leads nowhere.
    pub async fn target(&self, token: Option<&str>) -> Result<Target, Refused> {
        let nowhere = |detail: &str| problem(Code::InvalidTarget, detail);
        let Some(token) = token else {
            return self.preset.clone().ok_or_else(|| nowhere("name a target by ?token="));
        };
        let found = match &self.tokens {
            None => None,
            Some(path) => {
                let (path, token) = (path.clone(), token.to_owned());
                let looked = tokio::task::spawn_blocking(move || lookup(&path, &token)).await;
                looked.map_err(io::Error::other).and_then(|found| found).map_err(|error| {
                    tracing::warn!(%error, "the file of websockify's tokens cannot be read");
                    problem(Code::Internal, "the log of the server says more")
                })?
            }
        };
        let found = found.ok_or_else(|| nowhere("no target has this token"))?;
        target(&found).map_err(|error| ask::target_problem(&error))
    }
}

/// Reads `host:port`, split at the last colon: an IPv6 address may do without its brackets.
///
/// # Errors
/// What is wrong with it.
pub(super) fn target(text: &str) -> Result<Target, TargetError> {
    let bare = text.rsplit_once(':').filter(|(host, _)| host.contains(':') && !host.starts_with('['));
    let bracketed = bare.map(|(host, port)| format!("[{host}]:{port}"));
    let (host, port) = parse_endpoint(bracketed.as_deref().unwrap_or(text))?;
    Ok(Target { scheme: Scheme::Tcp, host, port })
}

/// What a token stands for in a file, or in the files of a folder by their names; the first that has it. Hidden files are not
/// looked at: editors leave some.
fn lookup(path: &Path, token: &str) -> io::Result<Option<String>> {
    if !path.is_dir() {
        return Ok(find(&std::fs::read_to_string(path)?, token));
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.path().is_file() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            files.push(entry.path());
        }
    }
    files.sort_unstable();
    for file in files {
        if let Some(found) = find(&std::fs::read_to_string(file)?, token) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn find(text: &str, token: &str) -> Option<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    // A token may hold colons: what ends it is one with a blank behind.
    let mut pairs = lines.filter_map(|line| {
        let at = line.find(": ").or_else(|| line.find(":\t"))?;
        Some((line[..at].trim_end(), line[at + 1..].trim()))
    });
    pairs.find(|(known, _)| *known == token && !token.is_empty()).map(|(_, target)| target.to_owned())
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_file_is_read_as_websockify_does() {
        let text = "# comment\n\n  one: 127.0.0.1:5900 \nsix: ::1:5901\nbr:\t[::1]:5902\na:b: host:1\none: later:2\n";
        assert_eq!(find(text, "one").as_deref(), Some("127.0.0.1:5900"));
        assert_eq!(find(text, "six").as_deref(), Some("::1:5901"));
        assert_eq!(find(text, "br").as_deref(), Some("[::1]:5902"));
        assert_eq!(find(text, "a:b").as_deref(), Some("host:1"));
        for unknown in ["", "#", "# comment", "on", "one ", "ONE", "a"] {
            assert_eq!(find(text, unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn an_address_of_ipv6_may_do_without_brackets_here() {
        for (text, meant) in [
            ("127.0.0.1:1", "tcp://127.0.0.1:1"),
            ("::1:5901", "tcp://[::1]:5901"),
            ("[::1]:5901", "tcp://[::1]:5901"),
            ("2001:db8::2:80", "tcp://[2001:db8::2]:80"),
            ("Host.:80", "tcp://host:80"),
        ] {
            assert_eq!(target(text).map(|target| target.to_string()).as_deref(), Ok(meant), "{text}");
        }
        for wrong in ["", "host", "host:", ":80", "host:0", "a:b:80", "2130706433:80", "unix_socket:/tmp/x"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
