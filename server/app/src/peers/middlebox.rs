//! The middlebox: a relay that forgets idle connections, as firewalls and address translators do.
//!
//! A relay that merely stopped reading would not do: its kernel would go on acknowledging. So the kernel is told to drop
//! whatever arrives; from then on nothing passes, nothing is acknowledged, and nobody is told.

use std::{sync::Arc, time::Duration};

use sockscope_sockets::{
    errno::Errno,
    fact::{EndReason, Fact, Failed, Failure, Phase, Recorder as _, Stamp},
    mailbox::Ending,
    tcp_info::{forget, segments},
};
use tokio::{
    net::TcpStream,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{
    connection::{Connection, Receiving, Sending, Stop},
    program::Relaying,
};
use crate::workspace::{Leg, SocketRecorder};

/// How often the kernel is asked whether anything came: keepalive probes never reach a relay's reads.
const LOOK: Duration = Duration::from_millis(50);

/// What is read at once.
const BUFFER: usize = 64 * 1024;

/// How long a forgotten connection is held for its peers, who know nothing: they may be waiting to find out.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// Relays one connection until both sides have ended, or either failed. Returns how the client's side is to end.
pub(super) async fn relay(
    relaying: &Relaying,
    recorder: &Arc<SocketRecorder>,
    client: &mut Connection,
) -> Stop {
    let mut leg = match Leg::open(recorder.workspace(), &relaying.to).await {
        Ok(leg) => leg,
        // The facts of the onward socket say why; the client sees what it would see of a server that is not there.
        Err(_) => return Stop::Reset(None),
    };
    let Leg { connection: Some(server), inbox, .. } = &mut leg else { return Stop::Reset(None) };
    let ended = async {
        match inbox.end().await {
            Ending::Close(cause, reason) => Stop::Close(cause, reason),
            Ending::Reset(cause) => Stop::Reset(cause),
        }
    };
    let stop = tokio::select! {
        biased;
        stop = ended => stop,
        stop = pass(relaying, recorder, client, server) => stop,
    };
    leg.end(&stop);
    stop
}

/// Passes on both ways, each at its own pace, until both have ended or nothing came for too long.
async fn pass(
    relaying: &Relaying,
    recorder: &SocketRecorder,
    client: &mut Connection,
    server: &mut Connection,
) -> Stop {
    let (near, from_client, to_client) = client.split();
    let (far, from_server, to_server) = server.split();
    let streams = [near, far];
    let both = async {
        match tokio::try_join!(copy(from_client, to_server), copy(from_server, to_client)) {
            Ok(_) => Stop::Close(None, EndReason::BothEnded),
            Err(stop) => stop,
        }
    };
    tokio::select! {
        biased;
        stop = both => stop,
        () = idle(streams, relaying.idle) => forgotten(relaying, recorder, streams).await,
    }
}

/// Hands on what comes, and the FIN after it.
async fn copy(mut from: Receiving<'_>, mut to: Sending<'_>) -> Result<(), Stop> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.receive(&mut buffer).await? {
            0 => return to.shut_down(),
            n => to.send(&buffer[..n]).await?,
        }
    }
}

/// Ends when no segment came on either of them for so long. One that is active keeps both, as one entry of an address
/// translator would.
async fn idle(streams: [&TcpStream; 2], most: Duration) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    let mut active = Instant::now();
    while active.elapsed() < most {
        look.tick().await;
        let counts = [0, 1].map(|side| segments(streams[side]).map_or(0, |segments| segments.all_in));
        if seen.replace(counts) != Some(counts) {
            active = Instant::now();
        }
    }
}

/// Both ends stay as they are and hear nothing any more, until somebody ends the peer or nobody can be waiting.
async fn forgotten(relaying: &Relaying, recorder: &SocketRecorder, streams: [&TcpStream; 2]) -> Stop {
    for stream in streams {
        if let Err(error) = forget(stream) {
            let failure = Failure::Os(Errno::from(&error));
            let failed = Failed { fatal: true, ..Failed::minor(failure, Phase::Option) };
            recorder.record(Stamp::now(), &None, Fact::Failed(Box::new(failed)), None);
            return Stop::Failed(EndReason::Failed);
        }
    }
    recorder.record(Stamp::now(), &None, Fact::Forgotten(relaying.idle), None);
    sleep(FORGOTTEN).await;
    Stop::Close(None, EndReason::Closed)
}
