//! `cargo xtask autobahn`: the framing of the bridges against the fuzzing client of the Autobahn|Testsuite. Every case with an echo that
//! has their framing and keeps messages apart; and with a bridge to an echo, those that a stream of bytes can answer.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{paths, rust, server::Server, sh, steps::Steps};

/// The last version that runs unchanged, on the last Python it was written for, and what it was tested with.
const PACKAGES: [&str; 3] = ["autobahntestsuite==0.8.2", "autobahn==0.10.9", "Twisted==20.3.0"];
/// The last that makes environments for that Python.
const VIRTUALENV: &str = "virtualenv==20.15.1";

/// What the servers are called in reports.
const ECHO: &str = "frame-echo";
const BRIDGE: &str = "bridge";

/// 12 and 13 are compression, which the bridges do not offer.
const LEFT_OUT: [&str; 2] = ["12.*", "13.*"];
/// So many cases are left; fewer means that it did not get to its end.
const CASES: usize = 301;

/// A bridge refuses text, and messages that are empty or longer than one read come back otherwise: the cases without either.
const OF_BYTES: &[&str] = &[
    "1.2.2", "1.2.3", "1.2.4", "1.2.5", "2.*", "3.1", "3.5", "3.6", "3.7", "4.1.1", "4.1.2", "4.2.1",
    "4.2.2", "5.1", "5.2", "5.9", "5.10", "5.11", "5.12", "5.13", "5.14", "5.16", "5.17", "7.1.2", "7.1.3",
    "7.1.4", "7.1.6", "7.3.*", "7.5.1", "7.7.*", "7.9.*", "7.13.1", "7.13.2",
];
const OF_BYTES_CASES: usize = 68;

/// Seconds after which it hangs. It takes about 15.
const PATIENCE: &str = "400";

/// Strict: what the RFC allows but does not want ("NON-STRICT") fails as well. Of some cases the outcome is only told.
const PASSES: [&str; 2] = ["OK", "INFORMATIONAL"];

/// What became of one case.
#[derive(Deserialize)]
struct Outcome {
    behavior: String,
    #[serde(rename = "behaviorClose")]
    close: String,
}

/// Finds or installs the suite, builds the echo, and lets the one loose on the other.
pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    let folder = paths::target()?.join("autobahn");
    let wstest = steps.run("Autobahn", || suite(&folder))?;
    steps.run("echo and bridge", || {
        sh::run(rust::cargo().args([
            "build",
            "--locked",
            "--package",
            "sockscope",
            "--example",
            ECHO,
            "--bins",
        ]))
    })?;
    steps.run("cases of an echo", || {
        let echo = Echo::start()?;
        let of = json!({ "cases": ["*"], "exclude-cases": LEFT_OUT });
        cases(&wstest, &folder, ECHO, &format!("ws://{}", echo.address), of, CASES)
    })?;
    steps.run("cases of a bridge", || {
        let target = byte_echo()?;
        let mut command = Command::new(paths::sockscope("debug")?);
        let server = Server::start(command.args(["--no-token", "--listen", "127.0.0.1:0"]))?;
        let of = json!({ "cases": OF_BYTES, "exclude-cases": [] });
        cases(
            &wstest,
            &folder,
            BRIDGE,
            &format!("ws://{}/bridge/{target}", server.authority()),
            of,
            OF_BYTES_CASES,
        )
    })
}

/// Gives back every byte, for as long as this process lives.
#[expect(clippy::disallowed_methods, reason = "a target, and no part of the product")]
fn byte_echo() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming() {
            match stream {
                // Ends with its connection, however that does.
                Ok(mut stream) => {
                    drop(thread::spawn(move || io::copy(&mut &stream.try_clone()?, &mut stream)))
                }
                Err(error) => eprintln!("the echo accepts nobody: {error}"),
            }
        }
    });
    Ok(address)
}

/// The program of the suite, in an environment of its own.
fn suite(folder: &Path) -> Result<PathBuf> {
    let (boot, environment) = (folder.join("boot"), folder.join("environment"));
    let wstest = environment.join("bin/wstest");
    if wstest.is_file() {
        eprintln!("found {}", wstest.display());
        return Ok(wstest);
    }
    let python = python()?;
    // What an interrupted installation left is of no use.
    for old in [&boot, &environment] {
        if old.exists() {
            fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
    }
    sh::run(Command::new(&python).args(["-m", "pip", "install", "-q", VIRTUALENV, "--target"]).arg(&boot))?;
    let mut make = Command::new(&python);
    make.env("PYTHONPATH", &boot).args(["-m", "virtualenv", "-q", "--no-download"]);
    sh::run(make.arg(&environment))?;
    sh::run(Command::new(environment.join("bin/pip")).args(["install", "-q"]).args(PACKAGES))?;
    ensure!(wstest.is_file(), "it was installed, and there is no wstest");
    Ok(wstest)
}

fn python() -> Result<PathBuf> {
    if let Some(named) = env::var_os("PYTHON2") {
        return Ok(named.into());
    }
    let Some(found) = sh::which("python2.7") else {
        bail!(
            "the suite needs Python 2.7: put `python2.7` on PATH, or name the program in the variable PYTHON2"
        )
    };
    Ok(found)
}

/// Runs so many cases against a server and judges the reports; the exit code says nothing.
fn cases(wstest: &Path, folder: &Path, agent: &str, url: &str, of: Value, count: usize) -> Result<()> {
    let reports = folder.join("reports").join(agent);
    // An old report must not be taken for a new one.
    if reports.exists() {
        fs::remove_dir_all(&reports).context("cannot remove the reports of the last time")?;
    }
    let mut spec = of;
    spec["outdir"] = json!(reports);
    spec["servers"] = json!([{ "agent": agent, "url": url }]);
    spec["exclude-agent-cases"] = json!({});
    let file = folder.join("fuzzingclient.json");
    fs::write(&file, spec.to_string()).context("cannot write what to test")?;
    // It names every case; what matters is printed below.
    let mut command = Command::new("timeout");
    command.arg(PATIENCE).arg(wstest).args(["-m", "fuzzingclient", "-s"]).arg(&file).current_dir(folder);
    sh::run(command.stdout(Stdio::null()))?;
    let index = fs::read_to_string(reports.join("index.json")).context("it left no report")?;
    let mut index: BTreeMap<String, BTreeMap<String, Outcome>> = serde_json::from_str(&index)?;
    let outcomes = index.remove(agent).context("the report is of somebody else")?;
    let failed = print(&outcomes);
    ensure!(outcomes.len() == count, "{} cases were run, not {count}", outcomes.len());
    ensure!(failed == 0, "{failed} cases failed: see {}", reports.join("index.html").display());
    Ok(())
}

/// Prints how many cases of each group ended how, and which ended otherwise than well: how many failed.
fn print(outcomes: &BTreeMap<String, Outcome>) -> usize {
    let mut groups: BTreeMap<(u32, &str), usize> = BTreeMap::new();
    for (case, Outcome { behavior, .. }) in outcomes {
        let group = case.split('.').next().and_then(|group| group.parse().ok()).unwrap_or(0);
        *groups.entry((group, behavior)).or_default() += 1;
    }
    println!("group  behaviour      cases");
    for ((group, behavior), count) in groups {
        println!("{group:>5}  {behavior:<13} {count:>6}");
    }
    let bad = outcomes.iter().filter(|(_, outcome)| !outcome.passes());
    bad.inspect(|(case, Outcome { behavior, close })| println!("{case}: {behavior}, its close {close}"))
        .count()
}

impl Outcome {
    fn passes(&self) -> bool {
        [&self.behavior, &self.close].iter().all(|said| PASSES.contains(&said.as_str()))
    }
}

/// The echo; dropping it ends it.
struct Echo {
    child: Child,
    address: String,
}

impl Echo {
    fn start() -> Result<Self> {
        let mut command = Command::new(paths::target()?.join("debug/examples").join(ECHO));
        sh::announce(command.arg("0"));
        let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| sh::cannot_start(&command))?;
        let stdout = child.stdout.take().context("its standard output is piped")?;
        let mut echo = Self { child, address: String::new() };
        BufReader::new(stdout).read_line(&mut echo.address).context("it does not say where it listens")?;
        echo.address.truncate(echo.address.trim_end().len());
        ensure!(!echo.address.is_empty(), "it ended before it listened");
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // Both fail only where it has already ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_right_and_strict_passes() -> Result<()> {
        for (behavior, close, passes) in [
            ("OK", "OK", true),
            ("INFORMATIONAL", "INFORMATIONAL", true),
            ("NON-STRICT", "OK", false),
            ("OK", "FAILED", false),
            ("UNIMPLEMENTED", "OK", false),
        ] {
            let told = json!({ "behavior": behavior, "behaviorClose": close, "duration": 3, "remoteCloseCode": null });
            let outcome: Outcome = serde_json::from_value(told)?;
            assert_eq!(outcome.passes(), passes, "{behavior}, {close}");
        }
        Ok(())
    }
}
