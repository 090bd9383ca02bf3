//! The figures of `docs/BENCHMARKS.md`. Run by `cargo xtask bench`; nothing here is a test, and nothing fails for being
//! slow.
//!
//! Every load is bounded in count and in time and stays on loopback. Peers are this same program, started again with
//! the hidden command `peer`, so that their time and memory are not the server's; they end when we do.

#![expect(
    clippy::disallowed_methods,
    reason = "dials servers and peers it started itself, never a user's target"
)]

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bridge;
mod figures;
mod machine;
mod peer;
mod peers;
mod process;
mod report;
mod server;
mod viewer;

use figures::{Effort, Figure};
use report::Report;

/// Measures sockscope
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    peer: Option<Hidden>,
    /// The release binary to measure
    #[arg(long, env = "SOCKSCOPE_BIN", value_name = "PATH", default_value = "target/release/sockscope")]
    sockscope: PathBuf,
    /// A short run: smaller loads, fewer rounds, noisier figures
    #[arg(long)]
    quick: bool,
    /// Write the table into docs/BENCHMARKS.md; all figures, full length
    #[arg(long, conflicts_with_all = ["quick", "only"])]
    write: bool,
    /// Only these figures; may be repeated
    #[arg(long, value_name = "FIGURE", value_enum)]
    only: Vec<Figure>,
    /// Another Wisp server to measure beside this; `{port}` is where it is to listen; may be repeated
    #[arg(long, value_name = "NAME=COMMAND", value_parser = named)]
    beside: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
enum Hidden {
    /// What the other end of a measurement does; speaks lines on standard input and output
    #[command(subcommand, hide = true)]
    Peer(peers::Kind),
}

fn named(text: &str) -> Result<(String, String), String> {
    let (name, command) = text.split_once('=').ok_or("it is NAME=COMMAND")?;
    Ok((name.to_owned(), command.to_owned()))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.peer {
        Some(Hidden::Peer(kind)) => peers::run(kind),
        None => measure(&cli),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(cli: &Cli) -> Result<()> {
    process::raise_descriptors();
    let effort = Effort { quick: cli.quick, sockscope: cli.sockscope.clone(), beside: cli.beside.clone() };
    let mut report = Report::new(machine::Machine::here());
    for figure in Figure::ALL.into_iter().filter(|figure| cli.only.is_empty() || cli.only.contains(figure)) {
        eprintln!("measuring: {}", figure.title());
        let rows = figure.measure(&effort)?;
        report.add(figure.title(), &rows);
    }
    println!("{}", report.markdown());
    if cli.write {
        report.write()?;
    }
    Ok(())
}
