//! Which socket of this workspace is at which end of which connection.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use foldhash::HashMap;
use sockscope_wire::SocketId;
use tokio::time::Instant;

use super::flows::canonical;

/// How long the frames of a socket are looked for that is closed and not observed itself.
const LATE: Duration = Duration::from_secs(1);

/// A socket's own address, and its peer's, both as on the wire.
type Pair = (SocketAddr, SocketAddr);

/// Sockets by their ends. Finding one, and forgetting one, costs the same however many there are.
#[derive(Debug, Default)]
pub(super) struct Ends {
    by_pair: HashMap<Pair, SocketId>,
    /// The same the other way round; an attempt after another has other ends.
    of: HashMap<SocketId, Vec<Pair>>,
    /// Those that are closed and still to be found for a while, in the order in which they were closed.
    closed: VecDeque<(Instant, SocketId)>,
}

impl Ends {
    /// A socket has these ends from now on. Returns which one had them before.
    pub(super) fn insert(&mut self, id: SocketId, local: SocketAddr, remote: SocketAddr) -> Option<SocketId> {
        let pair = (canonical(local), canonical(remote));
        let before = self.by_pair.insert(pair, id).filter(|before| *before != id);
        // Most have one, and there are many.
        let pairs = self.of.entry(id).or_insert_with(|| Vec::with_capacity(1));
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
        before
    }

    /// The socket with these ends.
    pub(super) fn at(&self, local: SocketAddr, remote: SocketAddr) -> Option<SocketId> {
        self.by_pair.get(&(canonical(local), canonical(remote))).copied()
    }

    /// A socket is closed: it is found a moment longer.
    pub(super) fn closes(&mut self, id: SocketId, now: Instant) {
        if self.of.contains_key(&id) {
            self.closed.push_back((now, id));
        }
        while let Some(&(_, id)) = self.closed.front().filter(|(closed, _)| *closed + LATE <= now) {
            self.closed.pop_front();
            self.remove(id);
        }
    }

    /// It is found no more.
    pub(super) fn remove(&mut self, id: SocketId) {
        for pair in self.of.remove(&id).unwrap_or_default() {
            if self.by_pair.get(&pair) == Some(&id) {
                self.by_pair.remove(&pair);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn a_socket_is_found_by_each_of_its_ends_until_a_moment_after_it_is_closed() {
        let (mut ends, start) = (Ends::default(), Instant::now());
        assert_eq!(ends.insert(SocketId(1), at(1), at(9)), None);
        assert_eq!(ends.insert(SocketId(1), at(2), at(9)), None);
        assert_eq!(ends.insert(SocketId(1), at(2), at(9)), None);
        let mapped = "[::ffff:127.0.0.1]:1".parse().expect("an address");
        assert_eq!([ends.at(mapped, at(9)), ends.at(at(2), at(9))], [Some(SocketId(1)); 2]);
        ends.closes(SocketId(1), start);
        ends.insert(SocketId(2), at(3), at(9));
        ends.closes(SocketId(2), start + LATE / 2);
        assert_eq!(ends.at(at(1), at(9)), Some(SocketId(1)));
        ends.closes(SocketId(3), start + LATE);
        assert_eq!([ends.at(at(1), at(9)), ends.at(at(2), at(9))], [None; 2]);
        assert_eq!(ends.at(at(3), at(9)), Some(SocketId(2)));
        ends.closes(SocketId(3), start + 2 * LATE);
        assert!(ends.by_pair.is_empty() && ends.of.is_empty() && ends.closed.is_empty());
    }

    #[test]
    fn whoever_has_the_ends_of_one_before_keeps_them_when_that_is_forgotten() {
        let mut ends = Ends::default();
        ends.insert(SocketId(1), at(1), at(9));
        assert_eq!(ends.insert(SocketId(2), at(1), at(9)), Some(SocketId(1)));
        ends.remove(SocketId(1));
        assert_eq!(ends.at(at(1), at(9)), Some(SocketId(2)));
    }
}
