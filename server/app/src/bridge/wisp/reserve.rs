//! Room for what streams hold beyond their own mebibyte. A client has what credits it was given, and each may stand for a packet of any
//! length: who sends long ones after many short ones sends more than a stream has room for, and were nothing further read, its
//! other streams would wait with it. So streams lend each other room, and only where that is used up is a client read no further.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::{Notify, futures::Notified};

use super::{BUFFER, CREDITS, LARGEST};

/// The most bytes lent to one stream: with them it holds all that a client has credits for, in packets of 64 KiB.
const EACH: usize = 2 * CREDITS as usize * LARGEST - BUFFER;

/// The most to all streams of a server together.
const ROOM: usize = 64 << 20;

/// Room that all streams of a server share.
#[derive(Debug, Default)]
pub struct Reserve {
    lent: AtomicUsize,
    /// Something was given back.
    freed: Notify,
}

/// What one stream has borrowed.
#[derive(Debug)]
pub struct Loan {
    reserve: Arc<Reserve>,
    bytes: usize,
}

impl Loan {
    /// Nothing yet.
    #[must_use]
    pub fn new(reserve: Arc<Reserve>) -> Self {
        Self { reserve, bytes: 0 }
    }

    /// The stream holds so many bytes in all: what is beyond [`BUFFER`] is borrowed.
    pub fn holds(&mut self, bytes: usize) {
        let beyond = bytes.saturating_sub(BUFFER);
        if beyond > self.bytes {
            self.reserve.lent.fetch_add(beyond - self.bytes, Relaxed);
        } else if beyond < self.bytes {
            self.reserve.lent.fetch_sub(self.bytes - beyond, Relaxed);
            self.reserve.freed.notify_waiters();
        }
        self.bytes = beyond;
    }

    /// Whether nothing further may be read for this stream: it has borrowed, and more than it may or than there is.
    #[must_use]
    pub fn is_overdrawn(&self) -> bool {
        self.bytes > EACH || self.bytes > 0 && self.reserve.lent.load(Relaxed) > ROOM
    }
}

impl Reserve {
    /// Waits until something is given back.
    pub fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.holds(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stream_holds_beyond_its_own_room_is_lent_until_all_is_and_comes_back() {
        let reserve = Arc::new(Reserve::default());
        let loan = || Loan::new(Arc::clone(&reserve));
        let mut one = loan();
        one.holds(BUFFER + EACH + 1);
        assert!(one.is_overdrawn());
        one.holds(BUFFER + EACH);
        assert!(!one.is_overdrawn());
        let mut more: Vec<_> = (0..ROOM / EACH).map(|_| loan()).collect();
        for (n, loan) in more.iter_mut().enumerate() {
            loan.holds(BUFFER + if n == 0 { ROOM % EACH } else { EACH });
            assert!(!loan.is_overdrawn());
        }
        let mut other = loan();
        other.holds(BUFFER);
        assert!(!other.is_overdrawn());
        other.holds(BUFFER + 1);
        assert_eq!((one.is_overdrawn(), other.is_overdrawn()), (true, true));
        other.holds(BUFFER);
        assert_eq!(
            (one.is_overdrawn(), other.is_overdrawn()),
            (false, false),
            "who has borrowed nothing goes on"
        );
        other.holds(2 * BUFFER);
        drop(one);
        assert!(!other.is_overdrawn());
        drop((more, other));
        assert_eq!(reserve.lent.load(Relaxed), 0);
    }
}
