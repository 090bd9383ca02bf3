//! cargo, as every step calls it.

use std::{env, process::Command};

use anyhow::{Context as _, Result};

use crate::{paths, sh};

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::root());
    command
}

/// Formatting as `rustfmt.toml` says.
pub(crate) fn format_check() -> Result<()> {
    sh::run(cargo().args(["fmt", "--all", "--check"]))
}

/// No warning of rustc or clippy, in any target, with every feature.
pub(crate) fn clippy() -> Result<()> {
    let mut command = cargo();
    command.args(["clippy", "--locked", "--workspace", "--all-targets", "--all-features"]);
    sh::run(command.args(["--", "-D", "warnings"]))
}

/// Documentation without a warning: no dead link.
pub(crate) fn docs() -> Result<()> {
    let mut command = cargo();
    command.env("RUSTDOCFLAGS", "-D warnings");
    sh::run(command.args(["doc", "--locked", "--workspace", "--no-deps", "--all-features"]))
}

/// The fuzz package still fits the workspace beside it: it has a lock file of its own, and is not built here.
pub(crate) fn fuzz_lock() -> Result<()> {
    sh::run(cargo().args(["tree", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--depth", "0"]))
        .context("fuzz/Cargo.lock is stale: run `cargo tree --manifest-path fuzz/Cargo.toml` and commit what it changes")
}

/// Unit and API tests; they need no Node and no built page.
pub(crate) fn tests() -> Result<()> {
    let mut command = cargo();
    if sh::which("cargo-nextest").is_some() {
        command.args(["nextest", "run", "--no-fail-fast"]);
    } else {
        command.args(["test", "--all-targets", "--no-fail-fast"]);
    }
    sh::run(command.args(["--locked", "--workspace", "--all-features"]))
}

/// The examples in the documentation, which nextest does not run.
pub(crate) fn doc_tests() -> Result<()> {
    sh::run(cargo().args(["test", "--locked", "--workspace", "--all-features", "--doc"]))
}

/// The server as it is shipped; build the page first, it is embedded.
pub(crate) fn build_release() -> Result<()> {
    sh::run(cargo().args(["build", "--locked", "--release", "--package", "sockscope"]))
}

/// Writes what is generated from the wire crate (`write`), or fails where it is stale (`check`).
pub(crate) fn codegen(mode: &str) -> Result<()> {
    let mut command = cargo();
    command.args([
        "run",
        "--locked",
        "--package",
        "sockscope-wire",
        "--features",
        "codegen",
        "--bin",
        "codegen",
    ]);
    sh::run(command.args(["--", mode])).context(match mode {
        "check" => "generated files are stale: run `cargo xtask codegen` and commit what it writes",
        _ => "could not generate",
    })
}
