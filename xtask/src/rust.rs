//! cargo, as every step calls it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{paths, sh};

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::root());
    command
}

/// The compiler that cargo calls.
pub(crate) struct Compiler {
    /// Where it is installed.
    pub(crate) sysroot: PathBuf,
    /// The target it runs on, and builds for unless told otherwise.
    pub(crate) host: String,
    /// The major version of its LLVM.
    pub(crate) llvm: String,
}

/// Asks it what it is.
pub(crate) fn compiler() -> Result<Compiler> {
    let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?.trim_end());
    let said = rustc(&["-vV"])?;
    let field = |name: &str| {
        let value = said.lines().find_map(|line| line.strip_prefix(name));
        value.with_context(|| format!("`rustc -vV` names no {name}"))
    };
    let llvm = field("LLVM version: ")?;
    let llvm = llvm.split_once('.').map_or(llvm, |(major, _)| major).to_owned();
    Ok(Compiler { sysroot, host: field("host: ")?.to_owned(), llvm })
}

fn rustc(args: &[&str]) -> Result<String> {
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let output = command.args(args).current_dir(paths::root()).output();
    let output = output.with_context(|| sh::cannot_start(&command))?;
    ensure!(output.status.success(), "rustc ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
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

/// The server as `cargo xtask run` has it; build the page first, it is embedded.
pub(crate) fn build_release() -> Result<()> {
    sh::run(cargo().args(["build", "--locked", "--release", "--package", "sockscope"]))
}

/// The same with more flags for the compiler, in a folder of its own. Naming the target keeps the flags away from build scripts
/// and macros.
pub(crate) fn build_release_with(folder: &Path, host: &str, flags: &[String]) -> Result<()> {
    // The encoded form, since a path may have a space in it; cargo looks at this one first.
    const ENCODED: &str = "CARGO_ENCODED_RUSTFLAGS";
    let given = match (env::var(ENCODED), env::var("RUSTFLAGS")) {
        (Ok(encoded), _) => encoded.split('\x1f').map(str::to_owned).collect(),
        (_, Ok(spaced)) => spaced.split_whitespace().map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let mut command = cargo();
    command.args(["build", "--locked", "--release", "--package", "sockscope", "--target", host]);
    command.env("CARGO_TARGET_DIR", folder).env(ENCODED, [given.as_slice(), flags].concat().join("\x1f"));
    sh::run(&mut command)
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
