//! `cargo xtask release`: the server as the container ships it, optimised by a profile of what it does (PGO).
//!
//! It is built twice by the same command but for the compiler's flags: a profile knows functions by the compiler's names, and
//! cargo makes other names for other settings. Between the two the first, which counts, does what is measured of a server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{paths, rust, sh, steps::Steps, web};

/// What is done while it counts: figures of `cargo xtask bench`, in their short run. Not those of a start, of parts of a server
/// (they are compiled into the bench), and of the kernel's side, which need privileges.
const FIGURES: [&str; 6] = ["flood", "datagrams", "bridges", "wisp", "idle-viewers", "idle-sockets"];

/// Builds it and prints where it lies. `--static`: it needs nothing of the system it runs on. `--plain`: without a profile.
pub(crate) fn run(steps: &mut Steps, args: &[String]) -> Result<()> {
    let (mut plain, mut linked) = (false, Vec::new());
    for flag in args {
        match &**flag {
            "--static" => linked.push("-Ctarget-feature=+crt-static".to_owned()),
            "--plain" => plain = true,
            _ => bail!("no such flag: {flag}\n\nusage: cargo xtask release [--static] [--plain]"),
        }
    }
    let compiler = rust::compiler()?;
    let profdata = if plain { None } else { Some(profdata(&compiler)?) };
    let folder = paths::target()?.join("shipped");
    let built = folder.join(&compiler.host).join("release/sockscope");
    let build = |flags: &[String]| rust::build_release_with(&folder, &compiler.host, flags);
    web::build(steps)?;
    let mut flags = linked.clone();
    if let Some(profdata) = profdata {
        let (counts, profile) = (folder.join("counts"), folder.join("sockscope.profdata"));
        steps.run("counting build", || {
            // All is made anew: cargo does not see that a profile has changed.
            if folder.exists() {
                fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
            }
            linked.push(format!("-Cprofile-generate={}", counts.display()));
            build(&linked)
        })?;
        steps.run("counting", || count(&folder, &built))?;
        steps.run("profile", || {
            sh::run(Command::new(&profdata).arg("merge").arg("--output").args([&profile, &counts]))
        })?;
        flags.push(format!("-Cprofile-use={}", profile.display()));
    }
    steps.run("release build", || build(&flags))?;
    println!("{}", built.display());
    Ok(())
}

/// Has the counting build do all that is measured of a server. A server writes its counts when it ends.
fn count(folder: &Path, built: &Path) -> Result<()> {
    let mut command = rust::cargo();
    // What drives it counts nothing, and is built quickly.
    command.env("CARGO_TARGET_DIR", folder).env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    command.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    command.args(["run", "--locked", "--release", "--package", "sockscope-bench", "--no-default-features"]);
    command.args(["--", "--quick"]);
    command.args(FIGURES.iter().flat_map(|figure| ["--only", figure]));
    sh::run(command.env("SOCKSCOPE_BIN", built))
}

/// LLVM's tool for profiles, of the version the compiler has: others may not read what it writes.
fn profdata(compiler: &rust::Compiler) -> Result<PathBuf> {
    let rust::Compiler { sysroot, host, llvm } = compiler;
    let component = sysroot.join("lib/rustlib").join(host).join("bin/llvm-profdata");
    let installed = [format!("llvm-profdata-{llvm}"), "llvm-profdata".to_owned()];
    let candidates = std::iter::once(component).chain(installed.iter().filter_map(|name| sh::which(name)));
    candidates.filter(|path| path.is_file()).find(|path| version(path).as_ref() == Some(llvm)).with_context(|| {
        format!(
            "no llvm-profdata of LLVM {llvm}, as rustc has: `rustup component add llvm-tools`, or your system's llvm-{llvm}; \
             --plain does without"
        )
    })
}

/// The major version a tool of LLVM's says it has.
fn version(tool: &Path) -> Option<String> {
    let said = Command::new(tool).arg("--version").output().ok()?;
    major(&String::from_utf8(said.stdout).ok()?)
}

fn major(said: &str) -> Option<String> {
    let (_, version) = said.split_once("LLVM version")?;
    let major = version.trim_start().split(|c: char| !c.is_ascii_digit()).next()?;
    (!major.is_empty()).then(|| major.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_of_llvms_says_its_version() {
        assert_eq!(
            major("LLVM (http://llvm.org/):\n  LLVM version 22.1.2-rust-1.95.0-stable\n").as_deref(),
            Some("22")
        );
        assert_eq!(major("Debian LLVM version 19.1.7\n  Optimized build.\n").as_deref(), Some("19"));
        assert_eq!(major("GNU ar (GNU Binutils for Debian) 2.40"), None);
    }
}
