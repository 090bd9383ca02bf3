//! Errors of UDP sockets: which are about the datagram at hand, and which are word of one of before.

use std::io;

use sockscope_sockets::{
    errno::Errno,
    fact::{Fact, Failed, Failure, Phase, Recorder as _, Stamp},
};
use tokio::{io::Interest, net::UdpSocket};

use super::ledger::Ledger;

/// So many words of datagrams of before are met in sending one: where each try calls forth the next, there is no end to them.
const WORDS: usize = 16;

/// What sending one datagram has met. An error may be word of a datagram of before (ICMP), which is told once; a second one is about
/// this datagram. Only ECONNREFUSED never is.
#[derive(Default)]
pub(super) struct Met {
    words: usize,
    first: Option<Errno>,
}

impl Met {
    /// Says in the log that a call failed, if that is news. Returns the error if that was the last try: else the datagram is to be tried
    /// again.
    pub(super) fn failed(&mut self, error: &io::Error, ledger: &Ledger) -> Option<Errno> {
        let errno = Errno::from(error);
        if self.first != Some(errno) {
            failed(ledger, Phase::Send, errno);
        }
        self.is_last(errno).then_some(errno)
    }

    /// Whether it is of no use to try again. A firewall that rejects answers the tries in turn with EPERM and ECONNREFUSED.
    fn is_last(&mut self, errno: Errno) -> bool {
        if errno == Errno::ECONNREFUSED {
            self.words += 1;
            return self.words == WORDS;
        }
        self.first.replace(errno).is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: Errno = Errno::ECONNREFUSED;
    const TOO_BIG: Errno = Errno::EMSGSIZE;
    const DENIED: Errno = Errno::EPERM;

    /// After how many of these errors sending is given up.
    fn given_up(errors: impl IntoIterator<Item = Errno>) -> Option<usize> {
        let mut met = Met::default();
        errors.into_iter().position(|errno| met.is_last(errno)).map(|at| at + 1)
    }

    #[test]
    fn one_error_may_be_word_of_a_datagram_of_before_and_the_second_is_not() {
        assert_eq!(given_up([TOO_BIG]), None);
        assert_eq!(given_up([TOO_BIG, TOO_BIG]), Some(2));
        assert_eq!(given_up([DENIED, TOO_BIG]), Some(2));
    }

    #[test]
    fn a_refusal_is_about_a_datagram_of_before_and_hides_no_other_error() {
        assert_eq!(given_up([REFUSED, REFUSED, REFUSED]), None);
        assert_eq!(given_up([REFUSED, TOO_BIG]), None);
        assert_eq!(given_up([TOO_BIG, REFUSED, TOO_BIG]), Some(3));
        assert_eq!(given_up([TOO_BIG, REFUSED, REFUSED, DENIED]), Some(4));
    }

    #[test]
    fn whatever_errors_come_sending_ends() {
        assert_eq!(given_up([DENIED, REFUSED].into_iter().cycle()), Some(3));
        assert_eq!(given_up(std::iter::repeat(REFUSED)), Some(WORDS));
    }
}
