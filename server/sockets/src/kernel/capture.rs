//! Sees frames: a packet socket on all interfaces (packet(7)), with a filter in the kernel and a ring it writes to.
//!
//! A frame costs the sockets it belongs to one run of the filter and a copy of its first bytes. When the ring is full the
//! kernel drops the copy, never the frame, and counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use socket2::{Domain, SockFilter, Socket, Type};
use tokio::{io::unix::AsyncFd, task::coop::consume_budget, time::Instant};

use super::{
    clocks::Clocks,
    filter::{self, Endpoint, Instruction},
    interfaces::Names,
};
use crate::sys::{self, Ring};

/// The ring: 64 blocks of 128 KiB, each of about 350 frames. Full, it loses frames and counts them; at a frame of 64 KiB
/// it holds those of a gigabyte.
const BLOCKS: u32 = 64;
const BLOCK_LEN: u32 = 128 << 10;

/// What a frame may take in the ring at most: its headers there, and the snap length. A block is divided by it only on
/// paper, version 3 packs frames densely.
const FRAME_LEN: u32 = 512;

/// How long a frame lies in a block that is not full before it is handed over. Its time is taken when it is seen.
const RETIRE_MS: u32 = 5;

/// How many frames a batch has at least before the blocks that are left wait for the next.
const BATCH: usize = 4096;

/// What a frame begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// An Ethernet header; on loopback one of zero addresses.
    Ethernet,
    /// The IP header: the interface has no link header, or one that was taken off.
    Ip,
}

/// What the kernel says of a frame's transport checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Nothing.
    Unsaid,
    /// The card, or nobody, fills it in later: what is there is a partial sum.
    Unfilled,
    /// It was found right.
    Valid,
}

/// Which way a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// This host sent it, or passed it on.
    Out,
    /// It came.
    In,
    /// From this host to itself; seen once, where it comes in.
    Loopback,
}

/// A captured frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// When it was seen.
    pub at: Instant,
    /// The same since 1970, by the wall clock of that moment.
    pub wall: Duration,
    /// The index of the interface it was seen at.
    pub interface: u32,
    /// Which way it went.
    pub way: Way,
    /// What it begins with.
    pub link: Link,
    /// What the kernel says of its checksum.
    pub checksum: Checksum,
    /// How long it was, in bytes.
    pub len: u32,
    /// Its first bytes, at most [`filter::SNAP_LEN`].
    pub bytes: Box<[u8]>,
}

/// A packet socket and what is wanted of it.
#[derive(Debug)]
pub struct Capture {
    socket: AsyncFd<Socket>,
    ring: Ring,
    /// The block that is read next. Held for one look at the ring, never across an await.
    next: Mutex<usize>,
    /// Held while the filter is attached, so that the last change wins.
    wanted: Mutex<Wanted>,
    lost: AtomicU64,
    names: Mutex<Names>,
}

/// What is wanted of a packet socket.
#[derive(Debug, Default)]
struct Wanted {
    /// How often each is.
    endpoints: BTreeMap<Endpoint, usize>,
    /// Something was, and the socket is bound. Until then no packet of this machine is cloned for the filter to say no to: a server
    /// that is nothing but a bridge never pays for that. To let go again would take the kernel milliseconds (synchronize_net).
    bound: bool,
}

impl Capture {
    /// Opens the socket. Nothing is seen until something is wanted. Needs CAP_NET_RAW, and must be called within a
    /// runtime; it sees the network namespace of the calling thread.
    ///
    /// # Errors
    /// What socket(2), setsockopt(2) and mmap(2) say: EPERM is the ordinary answer without the capability.
    pub fn open() -> io::Result<Self> {
        // With protocol 0 it receives nothing until it is bound.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        attach(&socket, &filter::nothing())?;
        let ring = Ring::map(&socket, BLOCKS, BLOCK_LEN, FRAME_LEN, RETIRE_MS)?;
        Ok(Self {
            socket: sys::readable(socket)?,
            ring,
            next: Mutex::new(0),
            wanted: Mutex::default(),
            lost: AtomicU64::new(0),
            names: Mutex::new(Names::open()),
        })
    }

    /// Wants an endpoint once more. When this returns the kernel looks for it: nothing sent afterwards is missed.
    ///
    /// # Errors
    /// What setsockopt(2) or bind(2) say; it is wanted all the same, and looked for when something new is next wanted.
    pub fn want(&self, endpoint: Endpoint) -> io::Result<()> {
        let mut wanted = lock(&self.wanted);
        let count = wanted.endpoints.entry(endpoint).or_insert(0);
        *count += 1;
        if *count > 1 {
            return Ok(());
        }
        self.refilter(&wanted.endpoints)?;
        if !wanted.bound {
            sys::bind_packet(self.socket.get_ref())?;
            wanted.bound = true;
        }
        Ok(())
    }

    /// Takes back one [`Capture::want`]; what was not wanted stays so.
    ///
    /// # Errors
    /// What setsockopt(2) says; the filter then lets more through than is wanted.
    pub fn unwant(&self, endpoint: Endpoint) -> io::Result<()> {
        let mut wanted = lock(&self.wanted);
        let Some(count) = wanted.endpoints.get_mut(&endpoint) else { return Ok(()) };
        *count -= 1;
        if *count == 0 {
            wanted.endpoints.remove(&endpoint);
            return self.refilter(&wanted.endpoints);
        }
        Ok(())
    }

    fn refilter(&self, wanted: &BTreeMap<Endpoint, usize>) -> io::Result<()> {
        let program = filter::program(&wanted.keys().copied().collect::<BTreeSet<_>>());
        attach(self.socket.get_ref(), &program).or_else(|error| {
            // The kernel gives a socket little memory for options (net.core.optmem_max).
            tracing::debug!(%error, instructions = program.len(), "the exact filter cannot be attached");
            attach(self.socket.get_ref(), &filter::coarse())
        })
    }

    /// Appends the frames that came, oldest first; waits until there is one. For one task at a time; when it is dropped
    /// no frame is lost.
    ///
    /// # Errors
    /// What the socket reports, or the runtime's shutdown.
    pub async fn next_batch(&self, batch: &mut Vec<Raw>) -> io::Result<()> {
        consume_budget().await;
        loop {
            if self.drain(batch) {
                return Ok(());
            }
            let mut ready = self.socket.readable().await?;
            if self.drain(batch) {
                return Ok(());
            }
            // An error makes a socket ready too, again and again until it is taken.
            if let Some(error) = self.socket.get_ref().take_error()? {
                return Err(error);
            }
            ready.clear_ready();
        }
    }

    /// Appends the frames that are there now, oldest first; does not wait.
    pub fn batch(&self, batch: &mut Vec<Raw>) {
        self.drain(batch);
    }

    /// Until when all frames there were have been handed over, at the least; what is in the ring is from after. A frame is there
    /// before its connection changes for it.
    pub fn complete_until(&self) -> Instant {
        let next = lock(&self.next);
        let block = *next * BLOCK_LEN as usize;
        let now = Instant::now();
        let waits = self.ring.acquire(block + BLOCK_STATUS) & STATUS_USER != 0;
        // The kernel counts the frames of a block while it is filling it.
        if !waits && self.ring.acquire(block + BLOCK_FRAMES) == 0 {
            return now;
        }
        let word = |at| self.ring.acquire(block + at);
        let opened = Duration::new(word(BLOCK_SECONDS).into(), word(BLOCK_NANOSECONDS));
        Clocks::read().instant(opened).min(now)
    }

    /// How many frames were lost since the capture was opened: they passed the filter and found the ring full.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn lost(&self) -> io::Result<u64> {
        let more = u64::from(sys::packets_dropped(self.socket.get_ref())?);
        Ok(self.lost.fetch_add(more, Ordering::Relaxed) + more)
    }

    /// What an interface is called. One that is gone keeps the name it had; one that was never asked for while it was
    /// there is called by its number.
    pub fn interface(&self, index: u32) -> Arc<str> {
        lock(&self.names).of(index)
    }

    /// Takes what is in the ring now; whether there was anything.
    fn drain(&self, batch: &mut Vec<Raw>) -> bool {
        let mut next = lock(&self.next);
        let before = batch.len();
        let mut clocks = None;
        while batch.len() - before < BATCH {
            let block = *next * BLOCK_LEN as usize;
            if self.ring.acquire(block + BLOCK_STATUS) & STATUS_USER == 0 {
                break;
            }
            let clocks = clocks.get_or_insert_with(Clocks::read);
            self.read_block(block, clocks, batch);
            self.ring.release(block + BLOCK_STATUS, STATUS_KERNEL);
            *next = (*next + 1) % BLOCKS as usize;
        }
        if batch.len() > before {
            lock(&self.names).refresh();
        }
        batch.len() > before
    }

    fn read_block(&self, block: usize, clocks: &Clocks, batch: &mut Vec<Raw>) {
        let count = self.ring.acquire(block + BLOCK_FRAMES);
        let mut frame = block + self.ring.acquire(block + BLOCK_FIRST) as usize;
        for _ in 0..count {
            let mut header = [0; FRAME_HEADER];
            if !self.ring.copy(frame, &mut header) {
                break;
            }
            let word =
                |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
            let (mac, net) = (half(FRAME_MAC), half(FRAME_NET));
            let wall = Duration::new(word(FRAME_SECONDS).into(), word(FRAME_NANOSECONDS));
            let (link, skip) = match half(FRAME_HARDWARE) {
                libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => (Link::Ethernet, 0),
                _ => (Link::Ip, u32::from(net.saturating_sub(mac))),
            };
            let status = word(FRAME_STATUS);
            let kept = word(FRAME_KEPT).saturating_sub(skip).min(filter::SNAP_LEN);
            let mut bytes = [0; filter::SNAP_LEN as usize];
            let bytes = &mut bytes[..kept as usize];
            if self.ring.copy(frame + usize::from(mac) + skip as usize, bytes) {
                batch.push(Raw {
                    at: clocks.instant(wall),
                    wall,
                    interface: word(FRAME_INTERFACE),
                    way: match (half(FRAME_HARDWARE), header[FRAME_KIND]) {
                        (libc::ARPHRD_LOOPBACK, _) => Way::Loopback,
                        (_, libc::PACKET_OUTGOING) => Way::Out,
                        _ => Way::In,
                    },
                    link,
                    checksum: if status & libc::TP_STATUS_CSUMNOTREADY != 0 {
                        Checksum::Unfilled
                    } else if status & libc::TP_STATUS_CSUM_VALID != 0 {
                        Checksum::Valid
                    } else {
                        Checksum::Unsaid
                    },
                    len: word(FRAME_WHOLE).saturating_sub(skip),
                    bytes: Box::from(&*bytes),
                });
            }
            frame += word(FRAME_NEXT) as usize;
        }
    }
}

// Where things lie in a block (`struct tpacket_block_desc` and `tpacket_hdr_v1`, linux/if_packet.h) …
const BLOCK_STATUS: usize = 8;
const BLOCK_FRAMES: usize = 12;
const BLOCK_FIRST: usize = 16;
/// When it was opened (`ts_first_pkt`): before its first frame came.
const BLOCK_SECONDS: usize = 32;
const BLOCK_NANOSECONDS: usize = 36;

// … and in a frame: `struct tpacket3_hdr`, and behind it `struct sockaddr_ll`.
const FRAME_NEXT: usize = 0;
const FRAME_SECONDS: usize = 4;
const FRAME_NANOSECONDS: usize = 8;
const FRAME_KEPT: usize = 12;
const FRAME_WHOLE: usize = 16;
const FRAME_STATUS: usize = 20;
const FRAME_MAC: usize = 24;
const FRAME_NET: usize = 26;
const FRAME_INTERFACE: usize = 48 + 4;
const FRAME_HARDWARE: usize = 48 + 8;
const FRAME_KIND: usize = 48 + 10;
const FRAME_HEADER: usize = 48 + 12;

/// Whose a block is (`TP_STATUS_KERNEL`, `TP_STATUS_USER`).
const STATUS_KERNEL: u32 = 0;
const STATUS_USER: u32 = 1;

fn attach(socket: &Socket, program: &[Instruction]) -> io::Result<()> {
    let program = program
        .iter()
        .map(|&Instruction { code, jt, jf, k }| SockFilter::new(code, jt, jf, k))
        .collect::<Vec<_>>();
    socket.attach_filter(&program)
}

/// Nothing that is done under these locks can be left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "two ends on loopback to look at")]
pub(super) mod tests;
