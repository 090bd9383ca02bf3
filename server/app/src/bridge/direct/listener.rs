//! A listener of a channel: it accepts as many connections as its client has asked for, the others wait in the kernel.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sockscope_sockets::{
    errno::Errno,
    fact::{Fact, Failed, Failure, PauseReason, Phase, Recorder as _, Stamp, What},
    open::Opened,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use super::{
    stream::{Channel, Open, Stream},
    told::Ends,
};
use crate::bridge::{end::End, ledger::Ledger};

/// How long accepting rests when the process has no descriptor left: nothing tells when one is freed.
const REST: Duration = Duration::from_millis(200);

/// A connection that was accepted.
pub(super) struct Born {
    /// By which socket of the client's.
    pub(super) listener: Arc<Stream>,
    pub(super) ends: Ends,
    pub(super) opened: Open,
}

/// A connection that was accepted, until somebody has it: dropped before, it is closed, which is in the log.
struct Unserved<'a> {
    remote: Option<SocketAddr>,
    ledger: &'a Ledger,
}

impl Unserved<'_> {
    fn found_a_place(mut self) {
        self.remote = None;
    }
}

impl Drop for Unserved<'_> {
    fn drop(&mut self) {
        if let Some(remote) = self.remote {
            self.ledger.recorder().record(Stamp::now(), &None, Fact::Unserved(Box::new(remote)), None);
        }
    }
}

impl Stream {
    /// Accepts connections until the listener is over.
    pub(super) async fn accept(
        self: &Arc<Self>,
        socket: &TcpListener,
        ledger: &Ledger,
        channel: &Channel,
    ) -> End {
        let recorder = ledger.recorder();
        loop {
            self.affords(1).await;
            let entered = Instant::now();
            match socket.accept().await {
                Ok((stream, remote)) => {
                    let stamp = Stamp::since(entered);
                    let unserved = Unserved { remote: Some(remote), ledger };
                    // One waits here at most, the others in the kernel. A place is taken only now: an idle listener holds none.
                    let Ok(place) = channel.births.reserve().await else { return End::ClientLost };
                    if let Some(born) = self.born(stream, remote, stamp, ledger, channel) {
                        unserved.found_a_place();
                        place.send(born);
                        self.spends(1);
                    }
                }
                Err(error) => {
                    let errno = Errno::from(&error);
                    if errno.is_exhaustion() {
                        let fact = Fact::Paused(What::Accept, PauseReason::NoDescriptors, 0);
                        recorder.record(Stamp::now(), &None, fact, None);
                        sleep(REST).await;
                        let fact = Fact::Resumed(What::Accept, entered.elapsed());
                        recorder.record(Stamp::now(), &None, fact, None);
                    } else {
                        let failed = Failed::minor(Failure::Os(errno), Phase::Accept);
                        recorder.record(Stamp::now(), &None, Fact::Failed(Box::new(failed)), None);
                    }
                }
            }
        }
    }

    /// Makes it a socket of the channel, if one more may be open; else the connection is closed.
    fn born(
        self: &Arc<Self>,
        stream: TcpStream,
        remote: SocketAddr,
        stamp: Stamp,
        ledger: &Ledger,
        channel: &Channel,
    ) -> Option<Born> {
        let id = ledger.recorder().id();
        let opened = channel.opener.accepts(id, stream, remote, stamp)?;
        let local = match &opened.0 {
            Opened::Stream(stream) => stream.local_addr().ok(),
            Opened::Listener(_) | Opened::Datagram(_) => None,
        };
        let local = local.unwrap_or(([0, 0, 0, 0], 0).into());
        Some(Born { listener: Arc::clone(self), ends: Ends::new(&local, Some(&remote)), opened })
    }
}
