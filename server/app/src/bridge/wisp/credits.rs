//! Credits: how many packets of DATA a client may send for one TCP stream. UDP streams have none.
//!
//! A CONTINUE does not add to what the client has, it replaces it, and what the client sent before it came is under
//! way still. A server that says all the room it has can therefore be sent twice as much. So every CONTINUE says the
//! same number, the credits; twice as many packets may wait; and the next one is said when what waits and what may be
//! under way leaves room for it. That is when as many were written to the socket as the last one allowed: half of the
//! room.
//!
//! How many fit depends on how long packets are ([`Lengths`]). A stream begins with few, and is given twice as many for each run of
//! packets that were short. It never gets less again: what was said cannot be taken back, and who is told a smaller number
//! loses what it had left, so that both would wait. A client that sent hundreds of short packets and then long ones can
//! therefore fill more than the room, and borrows the rest ([`Reserve`](super::Reserve)).

use std::num::NonZeroU32;

/// The most bytes of one stream that wait for its socket. A client that keeps to its credits cannot send more, and
/// one that does not is found out: [`Exceeded`].
pub const BUFFER: usize = 1 << 20;

/// The largest message that credits are made for before any was seen.
pub const LARGEST: usize = 64 << 10;

/// The most credits: what servers say by custom.
pub const CREDITS: u32 = 128;

/// How many credits keep a stream to [`BUFFER`] bytes, when the longest message may hold so many; `None` where not
/// even one does.
#[must_use]
pub fn credits_for(largest_message: usize) -> Option<NonZeroU32> {
    let fit = BUFFER / 2 / largest_message.max(1);
    NonZeroU32::new(u32::try_from(fit).map_or(CREDITS, |fit| fit.min(CREDITS)))
}

/// The client sent a packet it had no credit for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client sent more packets than it had credits for")]
pub struct Exceeded;

/// The account of one stream, from its CONNECT on.
#[derive(Debug, Clone, Copy)]
pub struct Credits {
    /// What CONTINUE says.
    credits: NonZeroU32,
    /// Packets received and not written to the socket.
    waiting: u64,
    /// Packets that may yet come, by all that was said.
    promised: u64,
}

impl Credits {
    /// Every stream begins with what CONTINUE of stream 0 said.
    #[must_use]
    pub fn new(credits: NonZeroU32) -> Self {
        Self { credits, waiting: 0, promised: credits.get().into() }
    }

    /// A packet came, with whatever payload. Of one that arrives in parts, its head counts.
    ///
    /// # Errors
    /// It must not have: no client that keeps to its credits could have sent it.
    pub fn received(&mut self) -> Result<(), Exceeded> {
        self.promised = self.promised.checked_sub(1).ok_or(Exceeded)?;
        self.waiting += 1;
        Ok(())
    }

    /// So many packets were written to the socket, to their ends.
    pub fn written(&mut self, packets: u32) {
        self.waiting = self.waiting.saturating_sub(packets.into());
    }

    /// What CONTINUE says.
    #[must_use]
    pub fn credits(&self) -> NonZeroU32 {
        self.credits
    }

    /// What CONTINUE is to say now, where so many fit; `None` where none is due. What is returned is counted as said.
    ///
    /// To be asked when the socket is connected, and whenever packets were written. The first time there is always
    /// one, which thereby also confirms that the stream is open.
    #[must_use]
    pub fn due(&mut self, fit: NonZeroU32) -> Option<NonZeroU32> {
        self.credits = self.credits.max(fit);
        let credits = u64::from(self.credits.get());
        if self.waiting + self.promised > credits {
            return None;
        }
        self.promised += credits;
        Some(self.credits)
    }
}

/// Packets that are to be short before a stream is given more.
const RUN: u32 = 64;

/// How long the packets of one stream are.
#[derive(Debug, Clone, Copy)]
pub struct Lengths {
    /// The longest of the last run, and of the one that is under way, of which so many came.
    longest: usize,
    so_far: usize,
    count: u32,
    /// A run has ended, and nothing was given for it.
    may_grow: bool,
}

impl Default for Lengths {
    fn default() -> Self {
        Self { longest: LARGEST, so_far: 0, count: 0, may_grow: false }
    }
}

impl Lengths {
    /// A packet begins: so many bytes of it.
    pub fn begins(&mut self, bytes: usize) {
        if self.count == RUN {
            *self = Self { longest: self.so_far, so_far: 0, count: 0, may_grow: true };
        }
        self.count += 1;
        self.goes_on(bytes);
    }

    /// It is longer: so many bytes by now.
    pub fn goes_on(&mut self, bytes: usize) {
        self.so_far = self.so_far.max(bytes);
    }

    /// How many of them are to be said, of a stream that has so many.
    pub fn fit(&mut self, credits: NonZeroU32) -> NonZeroU32 {
        let fit = credits_for(self.longest.max(self.so_far)).unwrap_or(NonZeroU32::MIN);
        if fit > credits && !std::mem::take(&mut self.may_grow) {
            return credits;
        }
        fit.min(credits.saturating_add(credits.get()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    fn some(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).expect("some")
    }

    fn credits(count: u32) -> Credits {
        Credits::new(some(count))
    }

    #[test]
    fn twice_the_credits_of_the_largest_messages_are_a_mebibyte_at_most() {
        assert_eq!(credits_for(0).map(NonZeroU32::get), Some(128));
        assert_eq!(credits_for(4 << 10).map(NonZeroU32::get), Some(128));
        assert_eq!(credits_for((4 << 10) + 1).map(NonZeroU32::get), Some(127));
        assert_eq!(credits_for(64 << 10).map(NonZeroU32::get), Some(8));
        assert_eq!(credits_for(512 << 10).map(NonZeroU32::get), Some(1));
        assert_eq!(credits_for((512 << 10) + 1), None);
        assert_eq!(credits_for(usize::MAX), None);
    }

    #[test]
    fn one_packet_more_than_all_credits_is_found_out() {
        let mut stream = credits(4);
        for _ in 0..4 {
            assert_eq!(stream.received(), Ok(()));
        }
        assert_eq!(stream.received(), Err(Exceeded));
    }

    #[test]
    fn the_first_continue_is_due_when_the_socket_is_connected_whatever_came_before() {
        for came in 0..=4 {
            let mut stream = credits(4);
            for _ in 0..came {
                assert_eq!(stream.received(), Ok(()));
            }
            assert_eq!(stream.due(some(4)).map(NonZeroU32::get), Some(4), "{came} came");
            assert_eq!(stream.due(some(4)), None, "{came} came");
        }
    }

    #[test]
    fn the_next_continue_is_due_when_half_of_the_room_was_written() {
        let mut stream = credits(4);
        assert!(stream.due(some(4)).is_some());
        for _ in 0..8 {
            assert_eq!(stream.received(), Ok(()));
        }
        assert_eq!(stream.received(), Err(Exceeded), "the room is full");
        stream.written(3);
        assert_eq!(stream.due(some(4)), None);
        stream.written(1);
        assert_eq!(stream.due(some(4)).map(NonZeroU32::get), Some(4));
    }

    #[test]
    fn what_was_given_stays_given() {
        let mut stream = credits(4);
        assert_eq!(stream.due(some(4)), Some(some(4)));
        assert_eq!(stream.due(some(100)), Some(some(100)));
        for _ in 0..8 {
            assert_eq!(stream.received(), Ok(()));
            stream.written(1);
        }
        assert_eq!(stream.due(some(4)), Some(some(100)), "what was said before has come");
    }

    #[test]
    fn more_is_given_for_runs_of_short_packets() {
        let mut lengths = Lengths::default();
        let begins =
            |lengths: &mut Lengths, times: u32, bytes: usize| (0..times).for_each(|_| lengths.begins(bytes));
        let mut credits = some(8);
        begins(&mut lengths, RUN, 100);
        assert_eq!(lengths.fit(credits), some(8), "the run may go on");
        for more in [16, 32, 64, 128, 128] {
            begins(&mut lengths, RUN, 100);
            credits = lengths.fit(credits);
            assert_eq!(credits, some(more));
            assert_eq!(lengths.fit(credits), credits, "once for each");
        }
        let mut lengths = Lengths::default();
        begins(&mut lengths, RUN, 100);
        lengths.begins(10);
        lengths.goes_on(64 << 10);
        assert_eq!(lengths.fit(some(8)), some(8), "the next run has a long one");
        begins(&mut lengths, 2 * RUN, 100);
        assert_eq!(lengths.fit(some(8)), some(16));
    }

    /// A client as the specification has it, and a network that delivers when it likes.
    #[derive(Debug)]
    struct Client {
        has: u32,
        left: u32,
        up: u32,
        down: VecDeque<u32>,
    }

    impl Client {
        fn send(&mut self) {
            if self.has > 0 && self.left > 0 {
                (self.has, self.left, self.up) = (self.has - 1, self.left - 1, self.up + 1);
            }
        }

        fn hear(&mut self) {
            self.has = self.down.pop_front().unwrap_or(self.has);
        }
    }

    proptest! {
        #[test]
        fn twice_the_room_is_all_that_is_promised(largest in 1_usize..2 << 20) {
            let room = |credits: u32| credits as usize * 2 * largest;
            match credits_for(largest).map(NonZeroU32::get) {
                Some(CREDITS) => prop_assert!(room(CREDITS) <= BUFFER),
                fit => prop_assert!(room(fit.unwrap_or(0)) <= BUFFER && room(fit.unwrap_or(0) + 1) > BUFFER),
            }
        }

        /// Whatever is under way when: a client that keeps to its credits is never accused, never fills more than the
        /// room, and never waits for a CONTINUE that does not come.
        #[test]
        fn a_client_that_keeps_to_its_credits_gets_everything_through(
            count in 1_u32..20,
            more in proptest::collection::vec(1_u32..20, 0..60),
            left in 0_u32..300,
            steps in proptest::collection::vec((0_u8..4, 1_u32..30), 0..600),
        ) {
            let mut stream = credits(count);
            let mut client = Client { has: count, left, up: 0, down: VecDeque::new() };
            let mut waiting = 0;
            let mut more = more.into_iter();
            // Random steps first, then each in turn, often enough for everything to arrive.
            let orderly = (0..1000).flat_map(|_| (0..4).map(|step| (step, 1)));
            for (step, times) in steps.into_iter().chain(orderly) {
                match step {
                    0 => (0..times).for_each(|_| client.send()),
                    1 => client.hear(),
                    2 if client.up > 0 => {
                        client.up -= 1;
                        waiting += 1;
                        prop_assert_eq!(stream.received(), Ok(()));
                    }
                    3 => {
                        let written = times.min(waiting);
                        waiting -= written;
                        stream.written(written);
                        let fit = some(more.next().unwrap_or(1));
                        client.down.extend(stream.due(fit).map(NonZeroU32::get));
                    }
                    _ => {}
                }
                prop_assert!(waiting <= 2 * count.max(20), "{waiting} wait");
            }
            prop_assert_eq!((client.left, client.up, waiting), (0, 0, 0));
        }
    }
}
