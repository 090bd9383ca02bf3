//! What the kernel counts of a TCP connection (TCP_INFO, tcp(7)).

use std::{io, os::fd::AsRawFd};

use tokio::net::TcpStream;

use crate::sys;

/// Segments of one connection since it began, as its own end counts them. Counters wrap at 2³². A frame that the network
/// card or loopback carries in one piece counts as the segments it stands for.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    /// Received that carried data.
    pub data_in: u32,
    /// Sent that carried data, retransmissions included.
    pub data_out: u32,
    /// Received, of any kind.
    pub all_in: u32,
    /// Sent, of any kind.
    pub all_out: u32,
}

impl Segments {
    /// What was added since an earlier look.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            data_in: self.data_in.wrapping_sub(earlier.data_in),
            data_out: self.data_out.wrapping_sub(earlier.data_out),
            all_in: self.all_in.wrapping_sub(earlier.all_in),
            all_out: self.all_out.wrapping_sub(earlier.all_out),
        }
    }
}

/// Where the counters lie in `struct tcp_info` (linux/tcp.h): appended over time, never moved.
const SEGS_OUT: usize = 136;
const SEGS_IN: usize = 140;
const MIN_RTT: usize = 148;
const DATA_SEGS_IN: usize = 152;
const DATA_SEGS_OUT: usize = 156;

/// Asks how many segments a connection has seen (Linux ≥ 4.6).
///
/// # Errors
/// What getsockopt(2) says; `Unsupported` where the kernel does not count them.
pub fn segments(socket: &impl AsRawFd) -> io::Result<Segments> {
    segments_and_min_rtt(socket).map(|(segments, _)| segments)
}

/// The same, and the least round trip measured, in µs; 0 before the first.
///
/// # Errors
/// As [`segments`].
pub fn segments_and_min_rtt(socket: &impl AsRawFd) -> io::Result<(Segments, u32)> {
    let mut info = [0; 256];
    let len = sys::tcp_info(socket, &mut info)?;
    let at = |offset: usize| -> io::Result<u32> {
        let bytes = info[..len].get(offset..offset + 4).ok_or(io::ErrorKind::Unsupported)?;
        Ok(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let segments = Segments {
        data_in: at(DATA_SEGS_IN)?,
        data_out: at(DATA_SEGS_OUT)?,
        all_in: at(SEGS_IN)?,
        all_out: at(SEGS_OUT)?,
    };
    // All ones until one is measured.
    Ok((segments, Some(at(MIN_RTT)?).filter(|&us| us != u32::MAX).unwrap_or(0)))
}

/// Makes the kernel drop whatever reaches this connection from now on, silently: no acknowledgement, no RST. What a
/// firewall does with a connection it has forgotten, done at its end.
///
/// # Errors
/// What getsockname(2) or setsockopt(2) say.
pub fn forget(stream: &TcpStream) -> io::Result<()> {
    sys::drop_incoming(stream, stream.local_addr()?.is_ipv6())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "two ends on loopback to count between")]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
    };

    use super::{Segments, segments};

    #[test]
    fn segments_with_data_are_counted_at_both_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut near = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (mut far, _) = listener.accept().expect("it connected");
        near.set_nodelay(true).expect("a living socket");
        let before = segments(&near).expect("counted");
        for _ in 0..3 {
            near.write_all(b"ping").expect("written");
            far.read_exact(&mut [0; 4]).expect("it arrives");
            far.write_all(b"pong").expect("written");
            near.read_exact(&mut [0; 4]).expect("it arrives");
        }
        let counted = segments(&near).expect("counted").since(before);
        assert_eq!((counted.data_out, counted.data_in), (3, 3));
        assert!(counted.all_out >= 3 && counted.all_in >= 3, "{counted:?}");
        assert_eq!(segments(&far).expect("counted").data_in, 3);
    }

    #[test]
    fn counters_wrap() {
        let earlier = Segments { data_in: u32::MAX, ..Segments::default() };
        assert_eq!(Segments { data_in: 1, ..Segments::default() }.since(earlier).data_in, 2);
    }
}
