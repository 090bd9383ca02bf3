//! What each practice peer does with a connection. Short on purpose: each is the whole lesson.

use std::{convert::Infallible, sync::Arc, time::Duration};

use jiff::Timestamp;
use sockscope_sockets::fact::EndReason;
use sockscope_wire::PeerKind;
use tokio::time::sleep;

use super::{
    SLOW_READ_EVERY,
    connection::{Connection, Stop},
    http, middlebox,
    program::Program,
    ticker,
};
use crate::workspace::SocketRecorder;

/// What most peers read at once.
const BUFFER: usize = 64 * 1024;

/// What the slow reader reads at once, and the receive buffer it asks for.
const SLOW_READ: usize = 1024;
const SLOW_BUFFER: usize = 4096;

/// What the greeter says.
const GREETING: &[u8] = b"Hello! This server speaks first. Nobody had to ask.\r\n";

/// The longest a byte of the fragmenter waits for its own segment.
const FRAGMENT_GAP: Duration = Duration::from_millis(2);

/// Does what that kind of peer does until the connection ends.
pub(super) async fn behave(
    program: &Program,
    recorder: &Arc<SocketRecorder>,
    connection: &mut Connection,
) -> Stop {
    let kind = match program {
        Program::Ticker(ticking) => return over(ticker::tick(ticking, connection).await),
        Program::Middlebox(relaying) => return middlebox::relay(relaying, recorder, connection).await,
        Program::Plain(kind) => *kind,
    };
    over(match kind {
        // Datagrams have no connection, and the last two are programs of their own: no listener of such a plain kind is
        // ever started.
        PeerKind::Echo | PeerKind::EchoUdp | PeerKind::Ticker | PeerKind::Middlebox => echo(connection).await,
        PeerKind::Discard => discard(connection).await,
        PeerKind::Chargen => chargen(connection).await,
        PeerKind::Daytime => daytime(connection).await,
        PeerKind::SlowReader => slow_reader(connection).await,
        PeerKind::Fragmenter => fragmenter(connection).await,
        PeerKind::HalfCloser => half_closer(connection).await,
        PeerKind::Resetter => resetter(connection).await,
        PeerKind::Silent => silent(connection).await,
        PeerKind::Greeter => greeter(connection).await,
        PeerKind::Http => http::serve(connection).await,
    })
}

fn over(end: Result<Infallible, Stop>) -> Stop {
    match end {
        Err(stop) => stop,
    }
}

fn close() -> Stop {
    Stop::Close(None, EndReason::Closed)
}

async fn echo(connection: &mut Connection) -> Result<Infallible, Stop> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match connection.receive(&mut buffer).await? {
            0 => return Err(close()),
            n => connection.send(&buffer[..n]).await?,
        }
    }
}

async fn discard(connection: &mut Connection) -> Result<Infallible, Stop> {
    let mut buffer = vec![0; BUFFER];
    while connection.receive(&mut buffer).await? > 0 {}
    Err(close())
}

/// The rotating pattern of 95 printable characters, 72 a line (RFC 864), as fast as the peer takes it.
async fn chargen(connection: &mut Connection) -> Result<Infallible, Stop> {
    let pattern = chargen_pattern();
    loop {
        connection.send(&pattern).await?;
    }
}

/// 95 lines hold the pattern once; repeated to about 256 KiB, so that one call carries much.
fn chargen_pattern() -> Vec<u8> {
    let lines = (0_u8..95)
        .flat_map(|first| (0_u8..72).map(move |column| b' ' + (first + column) % 95).chain(*b"\r\n"));
    let once: Vec<u8> = lines.collect();
    once.repeat(37)
}

async fn daytime(connection: &mut Connection) -> Result<Infallible, Stop> {
    let now = crate::clock::wall_now();
    connection.send(daytime_line(now).as_bytes()).await?;
    Err(close())
}

/// One line, as RFC 867 suggests: weekday, month, day, year, time, zone.
fn daytime_line(now: Timestamp) -> String {
    format!("{}\r\n", now.strftime("%A, %B %-d, %Y %H:%M:%S-UTC"))
}

async fn slow_reader(connection: &mut Connection) -> Result<Infallible, Stop> {
    connection.small_buffer(SLOW_BUFFER);
    let mut buffer = [0; SLOW_READ];
    loop {
        sleep(SLOW_READ_EVERY).await;
        if connection.receive(&mut buffer).await? == 0 {
            return Err(close());
        }
    }
}

/// Sends back what it receives a byte at a time. The pause lets the other end read each byte by itself; without it the
/// kernel would hand several over at once, however they were sent.
async fn fragmenter(connection: &mut Connection) -> Result<Infallible, Stop> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match connection.receive(&mut buffer).await? {
            0 => return Err(close()),
            n => {
                for byte in &buffer[..n] {
                    connection.send(std::slice::from_ref(byte)).await?;
                    sleep(FRAGMENT_GAP).await;
                }
            }
        }
    }
}

async fn half_closer(connection: &mut Connection) -> Result<Infallible, Stop> {
    connection.shut_down()?;
    discard(connection).await
}

async fn resetter(connection: &mut Connection) -> Result<Infallible, Stop> {
    let mut buffer = [0; 1];
    match connection.receive(&mut buffer).await? {
        0 => Err(close()),
        _ => Err(Stop::Reset(None)),
    }
}

/// Reads, so that it learns of the end, and never says a word.
async fn silent(connection: &mut Connection) -> Result<Infallible, Stop> {
    discard(connection).await
}

async fn greeter(connection: &mut Connection) -> Result<Infallible, Stop> {
    connection.send(GREETING).await?;
    echo(connection).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chargen_sends_the_pattern_of_rfc_864() {
        let pattern = chargen_pattern();
        let lines: Vec<_> = pattern.split(|byte| *byte == b'\n').collect();
        assert!(lines[0].starts_with(b" !\"#$%&'()*+,-./0123456789"));
        assert!(lines[1].starts_with(b"!\"#$"));
        assert_eq!(lines[0].len(), 73, "72 characters and CR");
        assert_eq!(lines[94][0], b'~');
        assert_eq!(lines[95], lines[0], "the pattern begins again after 95 lines");
    }

    #[test]
    fn daytime_is_one_line_with_weekday_and_time() {
        let now = "2026-11-21T08:05:09Z".parse().expect("a timestamp");
        assert_eq!(daytime_line(now), "Saturday, November 21, 2026 08:05:09-UTC\r\n");
    }
}
