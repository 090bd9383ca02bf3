//! What the kernel counts of one TCP connection (TCP_INFO, tcp(7)), and how full its queues are.

use std::{io, os::fd::AsRawFd};

use super::state::TcpState;
use crate::sys;

/// What TCP_INFO says of a connection. A counter that this kernel does not have is 0.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct TcpInfo {
    /// The state; absent where there is none or its number is not known.
    pub state: Option<TcpState>,
    /// Smoothed round trip in µs.
    pub rtt_us: u32,
    /// Its mean deviation in µs.
    pub rtt_var_us: u32,
    /// The least round trip in µs of the last minutes; 0 while none was measured.
    pub min_rtt_us: u32,
    /// Retransmission timeout in µs.
    pub rto_us: u32,
    /// Segments retransmitted in a row without an answer.
    pub retransmits: u8,
    /// Segments retransmitted in all.
    pub total_retransmits: u32,
    /// The most payload of a segment sent, in bytes.
    pub send_mss: u32,
    /// The same of one received.
    pub receive_mss: u32,
    /// The path's MTU in bytes.
    pub path_mtu: u32,
    /// Congestion window in segments.
    pub congestion_window: u32,
    /// Slow start threshold in segments; absent while none is known.
    pub slow_start_threshold: Option<u32>,
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// Of those, acknowledged selectively.
    pub sacked: u32,
    /// Of those, taken for lost.
    pub lost: u32,
    /// The window the peer offers, in bytes (Linux ≥ 5.4).
    pub send_window: u32,
    /// Room for received bytes that is offered at most: the kernel's `rcv_ssthresh`, which bounds the window.
    pub receive_space: u32,
    /// Bytes acknowledged by the peer, its SYN and FIN among them.
    pub bytes_acked: u64,
    /// Bytes received, the peer's FIN among them.
    pub bytes_received: u64,
    /// Payload bytes sent, retransmissions included.
    pub bytes_sent: u64,
    /// Of those, retransmitted.
    pub bytes_retransmitted: u64,
    /// Bytes written and not sent yet.
    pub not_sent: u32,
    /// Segments sent, of any kind.
    pub segments_out: u32,
    /// Segments received, of any kind.
    pub segments_in: u32,
    /// Segments sent with data.
    pub data_segments_out: u32,
    /// Segments received with data.
    pub data_segments_in: u32,
    /// How fast the path delivers, bytes/s.
    pub delivery_rate: u64,
    /// How fast it is paced, bytes/s; absent where it is not.
    pub pacing_rate: Option<u64>,
    /// For how long it had something to send, in µs. Runs while that lasts.
    pub busy_us: u64,
    /// Of that, the peer's window was full. Runs too.
    pub window_limited_us: u64,
    /// Of that, the send buffer was. Runs too.
    pub buffer_limited_us: u64,
    /// Segments received out of order.
    pub out_of_order: u32,
}

/// `TCP_INFINITE_SSTHRESH` of net/tcp.h: no slow start threshold is known.
const NO_THRESHOLD: u32 = 0x7fff_ffff;

impl TcpInfo {
    /// Reads `struct tcp_info` of linux/tcp.h, as much of it as the kernel gave: the struct grows at its end and never
    /// moves.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        let word = |at| word(bytes, at).unwrap_or(0);
        let long = |at| long(bytes, at).unwrap_or(0);
        let threshold = word(76);
        let pacing = long(104);
        Self {
            state: TcpState::from_kernel(byte(0)),
            retransmits: byte(2),
            rto_us: word(8),
            send_mss: word(16),
            receive_mss: word(20),
            unacked: word(24),
            sacked: word(28),
            lost: word(32),
            path_mtu: word(60),
            receive_space: word(64),
            rtt_us: word(68),
            rtt_var_us: word(72),
            slow_start_threshold: (threshold != 0 && threshold < NO_THRESHOLD).then_some(threshold),
            congestion_window: word(80),
            total_retransmits: word(100),
            // All ones: nothing is paced.
            pacing_rate: (pacing != 0 && pacing != u64::MAX).then_some(pacing),
            bytes_acked: long(120),
            bytes_received: long(128),
            segments_out: word(136),
            segments_in: word(140),
            not_sent: word(144),
            // All ones until the first is measured.
            min_rtt_us: Some(word(148)).filter(|&us| us != u32::MAX).unwrap_or(0),
            data_segments_in: word(152),
            data_segments_out: word(156),
            delivery_rate: long(160),
            busy_us: long(168),
            window_limited_us: long(176),
            buffer_limited_us: long(184),
            bytes_sent: long(200),
            bytes_retransmitted: long(208),
            out_of_order: word(224),
            send_window: word(228),
        }
    }

    /// Asks a descriptor.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn of(socket: &impl AsRawFd) -> io::Result<Self> {
        let mut info = [0; 256];
        let len = sys::tcp_info(socket, &mut info)?;
        Ok(Self::parse(info.get(..len).unwrap_or(&info)))
    }

    /// Whether nothing happened between two looks. The three clocks that run by themselves do not count.
    #[must_use]
    pub fn same_facts(&self, other: &Self) -> bool {
        let still =
            |info: &Self| Self { busy_us: 0, window_limited_us: 0, buffer_limited_us: 0, ..info.clone() };
        still(self) == still(other)
    }
}

/// Bytes that lie in a socket's queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queues {
    /// Received and unread.
    pub receive: u32,
    /// Written and not acknowledged.
    pub send: u32,
}

/// How many bytes lie in a socket's queues: received and unread (SIOCINQ), written and not acknowledged (SIOCOUTQ). Of a
/// datagram socket: the next datagram's length, and what is not sent, with the kernel's overhead.
///
/// # Errors
/// What ioctl(2) says; `InvalidInput` of a listener.
pub fn queues(socket: &impl AsRawFd) -> io::Result<Queues> {
    let bytes = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    Ok(Queues { receive: bytes(sys::unread(socket)?), send: bytes(sys::unsent(socket)?) })
}

/// The four bytes at an offset, as a number of this machine; none where they are not all there.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

/// The same of eight bytes.
pub(super) fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "two ends on loopback to ask about")]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    use proptest::prelude::*;

    use super::{Queues, TcpInfo, queues};
    use crate::{kernel::state::TcpState, sys, tcp_info};

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        (near, listener.accept().expect("it connected").0)
    }

    #[test]
    fn a_descriptor_tells_what_was_said_and_heard() {
        let (mut near, mut far) = pair();
        near.write_all(b"ping!").expect("written");
        far.read_exact(&mut [0; 5]).expect("it arrives");
        far.write_all(b"pong").expect("written");
        near.read_exact(&mut [0; 4]).expect("it arrives");
        let (info, other) = (TcpInfo::of(&near).expect("asked"), TcpInfo::of(&far).expect("asked"));
        assert_eq!(info.state, Some(TcpState::Established));
        assert_eq!((info.bytes_sent, info.bytes_received, info.bytes_retransmitted), (5, 4, 0));
        assert_eq!((other.bytes_sent, other.bytes_received), (4, 5));
        assert_eq!((info.data_segments_out, info.data_segments_in), (1, 1));
        assert_eq!(info.slow_start_threshold, None, "nothing was lost");
        assert_eq!(info.path_mtu, 65535, "lo's");
        for plausible in
            [info.rtt_us, info.rto_us, info.congestion_window, info.send_window, info.receive_space]
        {
            assert!(plausible > 0, "{info:?}");
        }
        assert!((200_000..300_000).contains(&info.rto_us), "{info:?}");
        let segments = tcp_info::segments(&near).expect("counted");
        assert_eq!((info.segments_in, info.segments_out), (segments.all_in, segments.all_out));
    }

    #[test]
    fn queues_hold_what_nobody_read() {
        let (mut near, mut far) = pair();
        near.write_all(&[7; 1000]).expect("written");
        far.peek(&mut [0; 1]).expect("it arrives");
        assert_eq!(queues(&far).expect("asked").receive, 1000);
        far.read_exact(&mut [0; 1000]).expect("it arrived");
        assert_eq!(queues(&far).expect("asked"), Queues { receive: 0, send: 0 });
    }

    #[test]
    fn clocks_alone_are_no_change() {
        let before = TcpInfo { busy_us: 5, ..TcpInfo::default() };
        assert!(before.same_facts(&TcpInfo { window_limited_us: 9, ..TcpInfo::default() }));
        assert!(!before.same_facts(&TcpInfo { unacked: 1, ..before.clone() }));
    }

    #[test]
    fn a_short_answer_leaves_the_rest_at_nothing() {
        let (mut near, mut far) = pair();
        near.write_all(b"ping").expect("written");
        far.read_exact(&mut [0; 4]).expect("it arrives");
        let mut bytes = [0; 256];
        let len = sys::tcp_info(&near, &mut bytes).expect("asked");
        let whole = TcpInfo::parse(&bytes[..len]);
        // Linux 3.x: up to tcpi_total_retrans.
        let old = TcpInfo::parse(&bytes[..104]);
        assert_eq!((old.rtt_us, old.path_mtu), (whole.rtt_us, whole.path_mtu));
        assert_eq!((old.bytes_sent, old.pacing_rate, old.min_rtt_us), (0, None, 0));
        assert_eq!(whole.bytes_sent, 4);
        assert_eq!(TcpInfo::parse(&[]), TcpInfo::default());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = TcpInfo::parse(&bytes);
        }
    }
}
