//! Errors of UDP sockets: which are about the datagram at hand, and which are word of one of before.

use std::io;

use sockscope_sockets::{
    errno::Errno,
    fact::{Fact, Failed, Failure, Phase, Recorder as _, Stamp},
};
use tokio::{io::Interest, net::UdpSocket};

use super::ledger::Ledger;

/// What sending one datagram has met. An error may be word of a datagram of before (ICMP), which is told once; what is met again is
/// about this one.
#[derive(Default)]
pub(super) struct Met(Option<Errno>);

impl Met {
    /// Says in the log that a call failed, if that is news. Returns the error if it is about this datagram, which else is to be tried
    /// again.
    pub(super) fn failed(&mut self, error: &io::Error, ledger: &Ledger) -> Option<Errno> {
        let errno = Errno::from(error);
        // However often: that is never about the datagram at hand.
        if self.0.replace(errno) == Some(errno) && errno != Errno::ECONNREFUSED {
            return Some(errno);
        }
        failed(ledger, Phase::Send, errno);
        None
    }
}

/// A call about a datagram failed; the socket survives that.
pub(super) fn failed(ledger: &Ledger, phase: Phase, errno: Errno) {
    let failed = Failed::minor(Failure::Os(errno), phase);
    ledger.recorder().record(Stamp::now(), &None, Fact::Failed(Box::new(failed)), None);
}

/// Waits until a datagram has come, or word that one of before was refused (ICMP), which wakes nobody who waits for datagrams.
pub(super) async fn stirred(target: &UdpSocket) -> io::Result<()> {
    target.ready(Interest::READABLE | Interest::ERROR).await.map(drop)
}

/// Word that a datagram of before was refused, where that has come.
pub(super) fn refusal(target: &UdpSocket) -> Option<io::Error> {
    // Without an error there is nothing to be ready for.
    target
        .try_io(Interest::ERROR, || target.take_error()?.ok_or_else(|| io::ErrorKind::WouldBlock.into()))
        .ok()
}
