//! `cargo xtask fuzz`: the parsers, on whatever libFuzzer thinks of.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{paths, sh, steps::Steps};

/// For how long a target is run where nobody says.
const SECONDS: u32 = 60;

/// The longest input: more than any parser here looks at before it decides.
const MAX_LEN: &str = "-max_len=4096";

/// Runs one target, or one after the other.
pub(crate) fn run(steps: &mut Steps, args: &[String]) -> Result<()> {
    let known = targets()?;
    let (name, seconds) = read(args)?;
    let chosen = match name {
        None => known,
        Some(name) if known.contains(&name) => vec![name],
        Some(name) => bail!("there is no target {name}, but {}", known.join(", ")),
    };
    ensure!(
        sh::which("cargo-fuzz").is_some(),
        "cargo-fuzz is not installed: `cargo install cargo-fuzz --locked`"
    );
    let nightly = rustup().args(["cargo", "--version"]).output().context(NEEDS_NIGHTLY)?;
    ensure!(nightly.status.success(), NEEDS_NIGHTLY);
    for name in chosen {
        steps.run(name.clone(), || target(&name, seconds))?;
    }
    Ok(())
}

const NEEDS_NIGHTLY: &str =
    "libFuzzer needs a nightly compiler beside the stable one: `rustup toolchain install nightly`";

fn rustup() -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly"]);
    command
}

/// A target and for how many seconds; none: every one.
fn read(args: &[String]) -> Result<(Option<String>, u32)> {
    let (mut name, mut seconds) = (None, SECONDS);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seconds" => {
                let given = args.next().and_then(|given| given.parse().ok()).filter(|given| *given > 0);
                seconds = given.context("--seconds wants a number")?;
            }
            other if other.starts_with('-') || name.is_some() => bail!("what is {other}?"),
            other => name = Some(other.to_owned()),
        }
    }
    Ok((name, seconds))
}

fn folder() -> PathBuf {
    paths::root().join("fuzz")
}

/// Every target there is.
fn targets() -> Result<Vec<String>> {
    let programs = fs::read_dir(folder().join("fuzz_targets")).context("there is no fuzz/fuzz_targets")?;
    let mut names = Vec::new();
    for program in programs {
        names.extend(program?.path().file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

/// What it finds new goes beside what is built: the corpus in the repository stays as small as somebody made it.
fn target(name: &str, seconds: u32) -> Result<()> {
    let built = paths::target()?.join("fuzz");
    let found = built.join("corpus").join(name);
    fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let mut command = rustup();
    command.args(["cargo", "fuzz", "run", "--target-dir"]).arg(built).arg(name).arg(found);
    command.arg(folder().join("corpus").join(name)).arg("--").arg(MAX_LEN);
    command.arg(format!("-max_total_time={seconds}")).current_dir(folder());
    sh::run(&mut command).with_context(|| {
        format!("the input is in fuzz/artifacts/{name}: move it to fuzz/corpus/{name}, where a test runs it from now on")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_and_a_time_may_be_given_in_any_order() -> Result<()> {
        let given = |args: &[&str]| read(&args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>());
        assert_eq!(given(&[])?, (None, SECONDS));
        assert_eq!(given(&["--seconds", "5", "frame"])?, (Some("frame".to_owned()), 5));
        assert_eq!(given(&["frame", "--seconds", "5"])?, (Some("frame".to_owned()), 5));
        for wrong in [&["--seconds"][..], &["--seconds", "0"], &["--second", "1"], &["frame", "host"]] {
            assert!(given(wrong).is_err(), "{wrong:?}");
        }
        assert!(targets()?.contains(&"frame".to_owned()));
        Ok(())
    }
}
