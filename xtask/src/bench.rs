//! `cargo xtask bench`: the figures of `docs/BENCHMARKS.md`.

use std::{env, fs};

use anyhow::{Context as _, Result, ensure};

use crate::{paths, rust, sh, steps::Steps, web};

/// Builds the server, unless `SOCKSCOPE_BIN` names one, and measures it; `args` go to the bench.
pub(crate) fn run(steps: &mut Steps, args: &[String]) -> Result<()> {
    let server = match env::var_os("SOCKSCOPE_BIN") {
        Some(named) => {
            ensure!(
                !args.iter().any(|arg| arg == "--write"),
                "--write is for the release build, not for SOCKSCOPE_BIN"
            );
            fs::canonicalize(named).context("SOCKSCOPE_BIN names no file")?
        }
        None => {
            web::build(steps)?;
            steps.run("release build", rust::build_release)?;
            paths::sockscope("release")?
        }
    };
    steps.run("bench", || {
        let mut command = rust::cargo();
        command.args(["run", "--locked", "--release", "--package", "sockscope-bench", "--"]).args(args);
        sh::run(command.env("SOCKSCOPE_BIN", server))
    })
}
