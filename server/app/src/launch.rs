//! The launch link: made by the server, handed out on its standard output and to `sockscope link`.
//!
//! `sockscope link` asks over an abstract Unix socket named after the port: the kernel says who asks (SO_PEERCRED), so
//! only the same user or root gets one. Never over HTTP.

use std::{
    io::{self, Read as _},
    net::SocketAddr,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr as UnixAddr, UnixListener as StdListener, UnixStream as StdStream},
    },
    time::Duration,
};

use nix::{
    sys::socket::{getsockopt, sockopt},
    unistd::geteuid,
};
use tokio::{
    io::AsyncWriteExt as _,
    net::{UnixListener, UnixStream},
    time::{Instant, timeout},
};

use crate::http::App;

/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often the server says that another user knocks: knocking is free.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// The longest link.
const LINK: usize = 256;

/// How a link is spelled: the code in the fragment, which no browser sends to a server or a referrer.
#[must_use]
pub fn link(app: &App, address: SocketAddr) -> String {
    // A wildcard address is no place a browser goes to.
    let host = match address.ip() {
        ip if !ip.is_unspecified() => SocketAddr::new(ip, address.port()).to_string(),
        _ => format!("127.0.0.1:{}", address.port()),
    };
    if app.auth.needs_token() {
        format!("http://{host}/#c={}", app.auth.launch_code())
    } else {
        format!("http://{host}/")
    }
}

fn name(port: u16) -> io::Result<UnixAddr> {
    UnixAddr::from_abstract_name(format!("sockscope-{port}"))
}

/// Opens the door `sockscope link` knocks at.
///
/// # Errors
/// When the name is taken: another process has it.
pub fn listen(port: u16) -> io::Result<UnixListener> {
    let listener = StdListener::bind_addr(&name(port)?)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Answers who may know. Ends with the server.
pub async fn serve(listener: UnixListener, app: App, address: SocketAddr) {
    let mut warned = None;
    loop {
        let accepted = tokio::select! {
            () = app.ending.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            // One at a time, and each only for a moment: nobody can hold this door.
            Ok((stream, _)) => {
                let _ = timeout(PATIENCE, answer(stream, &app, address, &mut warned)).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the launch socket failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(
    mut stream: UnixStream,
    app: &App,
    address: SocketAddr,
    warned: &mut Option<Instant>,
) -> io::Result<()> {
    let asker = stream.peer_cred()?.uid();
    if asker == geteuid().as_raw() || asker == 0 {
        let link = link(app, address);
        stream.write_all(link.as_bytes()).await?;
    } else if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
        *warned = Some(Instant::now());
        tracing::warn!(uid = asker, "another user asked for a launch link");
    }
    stream.shutdown().await
}

/// Asks the running server for a fresh link.
///
/// # Errors
/// When there is no server on that port, or it will not say.
pub fn ask(port: u16) -> anyhow::Result<String> {
    let mut stream = StdStream::connect_addr(&name(port)?)
        .map_err(|error| anyhow::anyhow!("no sockscope answers for port {port} on this machine: {error}"))?;
    // Anybody may take an abstract name: whoever answers must be us or root, as we must be to it.
    let server = getsockopt(&stream, sockopt::PeerCredentials)?.uid();
    anyhow::ensure!(
        server == geteuid().as_raw() || server == 0 || geteuid().is_root(),
        "port {port} is answered by user {server}, not by you: not trusted"
    );
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut answer = [0; LINK];
    // The server writes a link at once and whole.
    let n = stream.read(&mut answer)?;
    let link = std::str::from_utf8(&answer[..n])?;
    anyhow::ensure!(!link.is_empty(), "the server runs as another user; ask as that user or as root");
    let is_link = link.starts_with("http://") && link.bytes().all(|byte| byte.is_ascii_graphic());
    anyhow::ensure!(is_link, "what answers for port {port} is no sockscope");
    Ok(link.to_owned())
}
