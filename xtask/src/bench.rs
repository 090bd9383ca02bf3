//! `cargo xtask bench`: the figures of `docs/BENCHMARKS.md`.

use anyhow::Result;

use crate::{paths, rust, sh, steps::Steps, web};

/// Builds what is shipped, and measures it; `args` go to the bench.
pub(crate) fn run(steps: &mut Steps, args: &[String]) -> Result<()> {
    steps.run("page packages", web::install)?;
    steps.run("page build", web::build)?;
    steps.run("release build", rust::build_release)?;
    steps.run("bench", || {
        let mut command = rust::cargo();
        command.args(["run", "--locked", "--release", "--package", "sockscope-bench", "--"]).args(args);
        sh::run(command.env("SOCKSCOPE_BIN", paths::sockscope("release")?))
    })
}
