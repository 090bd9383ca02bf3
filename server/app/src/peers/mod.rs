//! Practice peers: real servers on loopback that behave in a known way, so that nobody needs a second machine.
//!
//! Their sockets are sockets of the workspace, hidden from its list unless asked for. Their calls are facts like any
//! other, without the bytes: the other end has those.

mod behave;
mod connection;
mod http;
mod middlebox;
mod program;
mod ticker;

use std::{future::pending, sync::Arc, time::Duration};

use sockscope_sockets::{
    arrival::{Arrivals, receive_message},
    dial::answer,
    drops::{Drops, IDLE_LOOK},
    errno::Errno,
    fact::{Chunk, Fact, Failed, Failure, Leftover, Phase, Recorder, Stamp},
    mailbox::{Ending, Inbox},
};
use sockscope_wire::PeerKind;
use tokio::{
    net::{TcpStream, UdpSocket},
    time::{Instant, sleep_until},
};

use crate::workspace::SocketRecorder;
pub(crate) use connection::{Connection, Stop};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use http::fuzz::practice_http;
pub use program::{Program, Relaying, Ticking};

/// The largest datagram a practice peer answers whole.
const DATAGRAM: usize = 64 * 1024;

/// How it is reached.
#[must_use]
pub fn scheme(kind: PeerKind) -> &'static str {
    match kind {
        PeerKind::EchoUdp => "udp",
        PeerKind::Echo
        | PeerKind::Discard
        | PeerKind::Chargen
        | PeerKind::Daytime
        | PeerKind::SlowReader
        | PeerKind::Fragmenter
        | PeerKind::HalfCloser
        | PeerKind::Resetter
        | PeerKind::Silent
        | PeerKind::Greeter
        | PeerKind::Http
        | PeerKind::Ticker
        | PeerKind::Middlebox => "tcp",
    }
}

/// Serves one connection until it ends.
pub async fn serve(program: &Program, stream: TcpStream, mut inbox: Inbox, recorder: Arc<SocketRecorder>) {
    let mut connection = Connection::new(stream, Arc::clone(&recorder));
    let stop = tokio::select! {
        biased;
        ending = inbox.end() => match ending {
            Ending::Close(cause, reason) => Stop::Close(cause, reason),
            Ending::Reset(cause) => Stop::Reset(cause),
        },
        stop = behave::behave(program, &recorder, &mut connection) => stop,
    };
    connection.stop(stop);
}

/// Answers datagrams, each with itself: never more than came, to whoever sent it (RFC 862).
pub async fn serve_datagrams(socket: UdpSocket, mut inbox: Inbox, recorder: Arc<dyn Recorder>) {
    let mut buffer = vec![0; DATAGRAM];
    let mut drops = Drops::of(&socket);
    let mut arrivals = Arrivals::default();
    let mut look_at = None;
    let ending = loop {
        let entered = Instant::now();
        let idle = async {
            match look_at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        let received = tokio::select! {
            biased;
            ending = inbox.end() => break ending,
            received = async {
                recorder.room().await;
                receive_message(&socket, &mut buffer).await
            } => received,
            () = idle => {
                drops.look(&socket, recorder.as_ref());
                look_at = None;
                continue;
            }
        };
        match received {
            Ok(message) => {
                look_at = Some(Instant::now() + IDLE_LOOK);
                if let Some(overflow) = message.overflow {
                    drops.note(overflow, recorder.as_ref(), false);
                }
                let stamp = Stamp::since(entered);
                let chunk = arrivals.chunk(&message, stamp.at);
                recorder.record(stamp, &None, Fact::Received(chunk), Some(&[]));
                let Some(from) = message.from else { continue };
                let entered = Instant::now();
                match answer(&socket, &buffer[..message.len], from).await {
                    Ok(n) => {
                        let sent = Fact::Sent(Chunk::to(u32::try_from(n).unwrap_or(u32::MAX), Some(from)));
                        recorder.record(Stamp::since(entered), &None, sent, Some(&[]));
                    }
                    Err(error) => fail(recorder.as_ref(), Phase::Send, &error),
                }
            }
            Err(error) => fail(recorder.as_ref(), Phase::Receive, &error),
        }
    };
    drops.look(&socket, recorder.as_ref());
    drop(socket);
    let (cause, reason) = match ending {
        Ending::Close(cause, reason) => (cause, reason),
        Ending::Reset(cause) => (cause, sockscope_sockets::fact::EndReason::Closed),
    };
    recorder.record(Stamp::now(), &cause, Fact::Closed(reason, Leftover::default()), None);
}

fn fail(recorder: &dyn Recorder, phase: Phase, error: &std::io::Error) {
    let failure = Failure::Os(Errno::from(error));
    let failed = Failed::minor(failure, phase);
    recorder.record(Stamp::now(), &None, Fact::Failed(Box::new(failed)), None);
}

/// How long the slow reader rests between reads.
pub(crate) const SLOW_READ_EVERY: Duration = Duration::from_secs(1);
