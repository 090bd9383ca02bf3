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
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    connection::{Connection, Stop},
    program::Relaying,
};
use crate::workspace::{Leg, SocketRecorder};

/// How often the kernel is asked whether anything came: keepalive probes never reach a relay's reads.
const LOOK: Duration = Duration::from_millis(50);

/// What is read at once.
const BUFFER: usize = 64 * 1024;

enum Step {
    /// So many bytes, now in the buffer of that side; none is its FIN.
    FromClient(usize),
    FromServer(usize),
    Look,
}

/// Relays one connection until both sides have ended, or either failed. Returns how both are to end.
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
    let stop = pass(relaying, recorder, client, &mut leg).await;
    leg.end(&stop);
    stop
}

async fn pass(
    relaying: &Relaying,
    recorder: &SocketRecorder,
    client: &mut Connection,
    leg: &mut Leg,
) -> Stop {
    let Leg { connection: Some(server), inbox, .. } = leg else { return Stop::Reset(None) };
    let (mut up, mut down) = (vec![0; BUFFER], vec![0; BUFFER]);
    let (mut client_open, mut server_open) = (true, true);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    let mut active = Instant::now();
    loop {
        let step = tokio::select! {
            n = client.receive(&mut up), if client_open => n.map(Step::FromClient),
            n = server.receive(&mut down), if server_open => n.map(Step::FromServer),
            _ = look.tick() => Ok(Step::Look),
            ending = inbox.end() => return match ending {
                Ending::Close(cause, reason) => Stop::Close(cause, reason),
                Ending::Reset(cause) => Stop::Reset(cause),
            },
        };
        let done = match step {
            Ok(Step::FromClient(0)) => {
                client_open = false;
                server.shut_down()
            }
            Ok(Step::FromServer(0)) => {
                server_open = false;
                client.shut_down()
            }
            Ok(Step::FromClient(n)) => server.send(&up[..n]).await,
            Ok(Step::FromServer(n)) => client.send(&down[..n]).await,
            Ok(Step::Look) => {
                let counts = [client.stream(), server.stream()]
                    .map(|stream| segments(stream).map_or(0, |segments| segments.all_in));
                if seen.replace(counts) != Some(counts) {
                    active = Instant::now();
                }
                if active.elapsed() >= relaying.idle {
                    return forgotten(relaying, recorder, client, server).await;
                }
                Ok(())
            }
            Err(stop) => Err(stop),
        };
        if let Err(stop) = done {
            return stop;
        }
        if !client_open && !server_open {
            return Stop::Close(None, EndReason::BothEnded);
        }
    }
}

/// Both ends stay as they are, and hear nothing any more, until the peer is stopped.
async fn forgotten(
    relaying: &Relaying,
    recorder: &SocketRecorder,
    client: &Connection,
    server: &Connection,
) -> Stop {
    for stream in [client.stream(), server.stream()] {
        if let Err(error) = forget(stream) {
            let failed =
                Failed { fatal: true, ..Failed::minor(Failure::Os(Errno::from(&error)), Phase::Option) };
            recorder.record(Stamp::now(), &None, Fact::Failed(Box::new(failed)), None);
            return Stop::Failed(EndReason::Failed);
        }
    }
    recorder.record(Stamp::now(), &None, Fact::Forgotten(relaying.idle), None);
    std::future::pending().await
}
