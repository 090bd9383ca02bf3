//! Frames that were seen, in pieces of memory that come and go together.
//!
//! A frame is small and stays long beside what calls read: on its own it would keep the page of memory it lies in from
//! everybody, long after the reads around it are gone.

use std::{mem, net::IpAddr, sync::Arc};

use sockscope_sockets::kernel::{
    capture::{Checksum, Link},
    flow::Segment,
};
use sockscope_wire::{Direction, SocketId};

/// A frame that was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Who sent it.
    pub sender: Direction,
    /// By which interface.
    pub interface: Arc<str>,
    /// The socket at the other end, where it is one of this workspace.
    pub far: Option<SocketId>,
    /// What it carries.
    pub carried: Carried,
    /// How long it was, in bytes.
    pub len: u32,
    /// What it begins with.
    pub link: Link,
    /// What the kernel says of its checksum.
    pub checksum: Checksum,
}

/// What a frame carries.
#[derive(Debug, Clone)]
pub enum Carried {
    /// A TCP segment, in its connection.
    Tcp(Segment),
    /// A datagram, or a fragment of one: how much of it.
    Udp {
        /// Bytes of payload.
        len: u32,
    },
    /// An ICMP error.
    Icmp {
        /// Its type.
        kind: u8,
        /// Its code.
        code: u8,
        /// Who reports it.
        from: IpAddr,
        /// Bytes of the packet it is about.
        len: u32,
    },
}

/// One frame of those of a socket that were recorded together.
#[derive(Debug, Clone)]
pub struct Frame {
    all: Arc<Frames>,
    at: u32,
}

/// Frames, and behind one another what was captured of each.
#[derive(Debug)]
struct Frames {
    seen: Box<[(Seen, usize)]>,
    heads: Box<[u8]>,
}

impl Frame {
    /// Puts frames and their first bytes together. They are given up together: memory is free when the last is.
    pub fn all(frames: Vec<(Seen, Box<[u8]>)>) -> impl Iterator<Item = Self> {
        let mut heads = Vec::with_capacity(frames.iter().map(|(_, head)| head.len()).sum());
        let seen = frames.into_iter().map(|(seen, head)| {
            heads.extend_from_slice(&head);
            (seen, heads.len())
        });
        let seen = seen.collect::<Box<[_]>>();
        let count = u32::try_from(seen.len()).unwrap_or(u32::MAX);
        let all = Arc::new(Frames { seen, heads: heads.into() });
        (0..count).map(move |at| Self { all: Arc::clone(&all), at })
    }

    /// What was seen.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.all.seen[self.at as usize].0
    }

    /// Its first bytes.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        let end = |at: usize| self.all.seen[at].1;
        let at = self.at as usize;
        &self.all.heads[at.checked_sub(1).map_or(0, end)..end(at)]
    }

    /// The same for frames that were put together.
    pub(super) fn piece(&self) -> usize {
        Arc::as_ptr(&self.all).addr()
    }

    /// Its part of what they hold on the heap.
    pub(super) fn cost(&self) -> usize {
        // Three allocations, and the counters of one of them.
        const SHARED: usize = 3 * 16 + mem::size_of::<Frames>() + 16;
        mem::size_of::<(Seen, usize)>() + self.head().len() + SHARED.div_ceil(self.all.seen.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_frame_has_its_own_first_bytes() {
        let seen = |len| Seen {
            sender: Direction::Local,
            interface: "lo".into(),
            far: None,
            carried: Carried::Udp { len },
            len,
            link: Link::Ethernet,
            checksum: Checksum::Unsaid,
        };
        let heads: [&[u8]; 4] = [b"one", b"", b"three", b"four"];
        let frames = heads.iter().zip(0..).map(|(head, len)| (seen(len), Box::from(*head))).collect();
        let frames = Frame::all(frames).collect::<Vec<_>>();
        assert_eq!(frames.iter().map(Frame::head).collect::<Vec<_>>(), heads);
        assert_eq!(frames.iter().map(|frame| frame.seen().len).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(Frame::all(Vec::new()).next().is_none());
    }
}
