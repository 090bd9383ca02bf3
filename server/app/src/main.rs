//! The `sockscope` command.

use std::{
    io::{IsTerminal as _, Read as _, Write as _},
    net::SocketAddr,
    process::{ExitCode, Stdio},
    time::Duration,
};

use clap::Parser as _;
use nix::sys::signal::Signal;
use sockscope::{
    compare,
    config::{Cli, Command, CompareArgs, ServeArgs},
    http::Served,
    key, launch, limits, memory,
    server::Server,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let command = Cli::parse().into_command();
    let result = match command {
        Command::Serve(args) => serve(&args),
        Command::Link(args) => launch::ask(args.listen.port()).map(|link| println!("{link}")),
        Command::Health(args) => health(args.address()),
        Command::Compare(args) => compare(&args),
        Command::Key(args) => in_runtime(key::run(&args)).map(|text| print!("{text}")),
        Command::Crowd => in_runtime(compare::serve()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sockscope: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    // Before there is a second thread.
    memory::share_one_arena();
    if let Some(parent) = args.with_parent {
        nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
        // It may have ended before it was asked for.
        let lives = nix::unistd::getppid().as_raw() == parent;
        anyhow::ensure!(lives, "the process that started this one has ended");
    }
    let filter = EnvFilter::try_from_env("SOCKSCOPE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        // Before anything is bound, so that no signal finds the server without a handler.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let server = Server::bind(args).await?;
        announce(&server, args.open)?;
        let shutdown = async move {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM: shutting down"),
                _ = interrupt.recv() => tracing::info!("SIGINT: shutting down"),
            }
            tokio::spawn(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                // Asked twice: at once.
                std::process::exit(1);
            });
        };
        // On a worker: what it spawns for a connection is run there next, and no other thread is woken for it.
        anyhow::Ok(tokio::spawn(server.run(shutdown)).await?)
    })?;
    // Name look-ups under way are not worth waiting for.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match served {
        Served::Clean => tracing::info!("every connection ended in order"),
        Served::Cut(left) => tracing::warn!(left, "connections were cut"),
    }
    Ok(())
}

fn in_runtime<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // Many clients are many descriptors; where there are too few, connecting says so.
    let _ = limits::raise_descriptors();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn compare(args: &CompareArgs) -> anyhow::Result<()> {
    let CompareArgs { settings, json } = args;
    anyhow::ensure!(
        settings.rate * f64::from(settings.payload) <= f64::from(4 << 20),
        "--rate times --payload is at most 4 MiB a second"
    );
    let report = in_runtime(compare::run(settings))?;
    if *json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    anyhow::ensure!(report.complete, "the comparison is incomplete: what was measured until then is above");
    Ok(())
}

/// Prints the launch link, and opens it in a browser if asked to and there is one.
fn announce(server: &Server, open: bool) -> anyhow::Result<()> {
    let link = server.link();
    let mut out = std::io::stdout();
    writeln!(
        out,
        "sockscope {} listens on {}. Open this link:",
        env!("CARGO_PKG_VERSION"),
        server.address()
    )?;
    writeln!(out, "{link}")?;
    out.flush()?;
    if open && !open_browser(&link) {
        writeln!(out, "No browser could be opened here: copy the link.")?;
    }
    Ok(())
}

fn open_browser(link: &str) -> bool {
    // xdg-open without a display would try text browsers on this terminal.
    let graphical = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    graphical
        && std::process::Command::new("xdg-open")
            .arg(link)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .is_ok()
}

/// `GET /readyz` on the server's own port, without a token.
#[expect(clippy::disallowed_methods, reason = "the server's own control address")]
fn health(address: SocketAddr) -> anyhow::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(2);
    let mut stream = std::net::TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "{}", answer.lines().next().unwrap_or("no answer"));
    Ok(())
}
