//! Packets that were cut: only the first piece says which ports they are between.

use std::{collections::VecDeque, net::IpAddr};

use sockscope_sockets::kernel::{
    packet::{Carries, Packet},
    state::Protocol,
};

use super::Frame;

/// Packets in pieces whose ports are remembered, and pieces that came before the first and wait for it. Of more, the oldest
/// are given up: they have passed, and are not told.
const CUT: usize = 256;

/// A packet that was cut: TCP or UDP, from where, where to, its identification.
type Cut = (Protocol, IpAddr, IpAddr, u32);

/// The pieces of packets that were cut. Only the first of a packet has its ports.
#[derive(Default)]
pub(super) struct Pieces {
    ports: VecDeque<(Cut, [u16; 2])>,
    early: VecDeque<(Cut, Frame)>,
}

impl Pieces {
    /// Takes a frame: those that are known to belong somewhere now, of a later piece with the ports of the first.
    pub(super) fn sort(&mut self, mut frame: Frame) -> Vec<Frame> {
        let Packet { from, to, carries, fragmented, .. } = &frame.packet;
        let (protocol, identification) = match (carries, *fragmented) {
            (Carries::Fragment { tcp: true, identification }, _) => (Protocol::Tcp, *identification),
            (Carries::Fragment { tcp: false, identification }, _) => (Protocol::Udp, *identification),
            (Carries::Tcp(_), Some(identification)) => (Protocol::Tcp, identification),
            (Carries::Udp, Some(identification)) => (Protocol::Udp, identification),
            (Carries::Icmp(_), _) | (_, None) => return vec![frame],
        };
        let cut = (protocol, from.ip(), to.ip(), identification);
        if matches!(carries, Carries::Fragment { .. }) {
            // Identifications come again: the latest packet that has it.
            match self.ports.iter().rev().find(|(known, _)| *known == cut) {
                Some((_, ports)) => {
                    frame.belongs(*ports);
                    return vec![frame];
                }
                None => push(&mut self.early, (cut, frame)),
            }
            return Vec::new();
        }
        let ports = [from.port(), to.port()];
        push(&mut self.ports, (cut, ports));
        let mut known = vec![frame];
        for (waits, mut early) in std::mem::take(&mut self.early) {
            if waits == cut {
                early.belongs(ports);
                known.push(early);
            } else {
                self.early.push_back((waits, early));
            }
        }
        known
    }
}

fn push<T>(queue: &mut VecDeque<T>, one: T) {
    if queue.len() >= CUT {
        queue.pop_front();
    }
    queue.push_back(one);
}

impl Frame {
    fn belongs(&mut self, [from, to]: [u16; 2]) {
        self.packet.from.set_port(from);
        self.packet.to.set_port(to);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use sockscope_sockets::kernel::capture::{Checksum, Link, Way};
    use tokio::time::Instant;

    use super::*;

    fn piece(identification: u32, ports: Option<[u16; 2]>) -> Frame {
        let [from, to] = ports.unwrap_or_default();
        let packet = Packet {
            at: Instant::now(),
            from: SocketAddr::from(([10, 0, 0, 1], from)),
            to: SocketAddr::from(([10, 0, 0, 2], to)),
            carries: match ports {
                Some(_) => Carries::Udp,
                None => Carries::Fragment { tcp: false, identification },
            },
            fragmented: Some(identification),
            len: 0,
            payload: Box::default(),
            damaged: false,
        };
        let (link, checksum) = (Link::Ip, Checksum::Unsaid);
        Frame { packet, interface: 1, way: Way::In, len: 0, link, checksum, head: [].into() }
    }

    fn ports(frames: &[Frame]) -> Vec<[u16; 2]> {
        frames.iter().map(|frame| [frame.packet.from.port(), frame.packet.to.port()]).collect()
    }

    #[test]
    fn a_piece_that_comes_before_the_first_waits_for_it() {
        let mut pieces = Pieces::default();
        assert!(pieces.sort(piece(7, None)).is_empty());
        assert!(pieces.sort(piece(8, None)).is_empty());
        assert_eq!(ports(&pieces.sort(piece(7, Some([1, 2])))), [[1, 2]; 2]);
        assert_eq!(ports(&pieces.sort(piece(7, None))), [[1, 2]]);
        assert_eq!(ports(&pieces.sort(piece(8, Some([3, 4])))), [[3, 4]; 2]);
    }

    #[test]
    fn an_identification_that_comes_again_is_that_of_the_latest() {
        let mut pieces = Pieces::default();
        pieces.sort(piece(7, Some([1, 2])));
        pieces.sort(piece(7, Some([3, 4])));
        assert_eq!(ports(&pieces.sort(piece(7, None))), [[3, 4]]);
    }

    #[test]
    fn pieces_whose_first_never_comes_are_given_up() {
        let mut pieces = Pieces::default();
        for identification in 0..=u32::try_from(CUT).expect("small") {
            pieces.sort(piece(identification, None));
        }
        assert_eq!(ports(&pieces.sort(piece(0, Some([1, 2])))), [[1, 2]], "the oldest");
        assert_eq!(ports(&pieces.sort(piece(1, Some([1, 2])))), [[1, 2]; 2]);
    }
}
