//! `cargo xtask …`: everything that needs cargo and npm together, and exactly what CI runs.

use std::process::ExitCode;

use anyhow::{Result, bail};

mod autobahn;
mod bench;
mod browser;
mod ci;
mod container;
mod dev;
mod embed;
mod fuzz;
mod npm;
mod paths;
mod release;
mod rust;
mod server;
mod sh;
mod steps;
mod test;
mod web;

use steps::Steps;

const USAGE: &str = "\
usage: cargo xtask <command>

  run [ARGS…]        build the page and the server, start it and open the page; ARGS go to sockscope
  dev [ARGS…]        the page with hot reload in front of a debug server; ARGS go to sockscope
  test               every test: Rust, the page's own, and a real Chromium against the release build
  bench [ARGS…]      measures the release build, or what SOCKSCOPE_BIN names: --quick, --only FIGURE, --write (docs/BENCHMARKS.md)
  autobahn           the framing of the bridges against Autobahn's fuzzing client; needs Python 2.7, on PATH or as PYTHON2
  fuzz [TARGET] [--seconds N]
                     one parser, or each of them, on whatever libFuzzer thinks of for N s (60); needs cargo-fuzz and nightly
  release [--static] [--plain]
                     the server as the container ships it: optimised by a profile of what it does, which needs LLVM's
                     llvm-profdata (--plain: without); --static: it needs nothing of the system it runs on
  codegen [--check]  write web/src/wire/generated.ts and docs/openapi.json, or fail where they are stale
  container          build the container image and test it for real
  ci                 what CI runs: formats, lints, docs, generated files, all tests, the release build, the container";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut steps = Steps::default();
    let result = dispatch(&args, &mut steps);
    steps.print_table();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!();
            for cause in error.chain().skip(1) {
                eprintln!("error: {cause}");
            }
            // The name of the failing step comes last, where a log is read first.
            eprintln!("xtask failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String], steps: &mut Steps) -> Result<()> {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["run", ..] => web::run(steps, &args[1..]),
        ["dev", ..] => dev::run(steps, &args[1..]),
        ["test"] => test::all(steps),
        ["bench", ..] => bench::run(steps, &args[1..]),
        ["release", ..] => release::run(steps, &args[1..]),
        ["autobahn"] => autobahn::run(steps),
        ["fuzz", ..] => fuzz::run(steps, &args[1..]),
        ["codegen"] => steps.run("generated files", || rust::codegen("write")),
        ["codegen", "--check"] => steps.run("generated files", || rust::codegen("check")),
        ["container"] => steps.run("container", container::test),
        ["ci"] => ci::run(steps),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("no such command: {}\n\n{USAGE}", words.join(" ")),
    }
}
