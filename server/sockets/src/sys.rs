//! The system calls that no crate wraps.
#![allow(
    unsafe_code,
    reason = "SO_MEMINFO, SO_RCVLOWAT, sockatmark, FIONREAD, SIOCOUTQ, IP_MINTTL, the whole TCP_INFO and packet(7) with its ring, and an AsyncFd, have no safe wrapper; the calls are confined to this module"
)]

use std::{
    io, mem,
    os::fd::{AsRawFd, OwnedFd},
    ptr::{self, NonNull},
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::io::{Interest, unix::AsyncFd};

/// `SK_MEMINFO_DROPS` of linux/sock_diag.h: the place of the drop counter in SO_MEMINFO's array.
const SK_MEMINFO_DROPS: usize = 8;
/// `SK_MEMINFO_VARS`: how many u32 the array has.
const SK_MEMINFO_VARS: usize = 9;

/// How many datagrams the kernel dropped for this socket because its receive buffer was full (SO_MEMINFO, socket(7),
/// Linux ≥ 4.12). Counts from the socket's creation and wraps at 2³².
///
/// # Errors
/// What getsockopt(2) says.
pub(crate) fn datagrams_dropped(socket: &impl AsRawFd) -> io::Result<u32> {
    let mut info = [0_u32; SK_MEMINFO_VARS];
    let mut len = libc::socklen_t::try_from(mem::size_of_val(&info)).expect("36 fits");
    // SAFETY: `info` is a live, writable array of `len` bytes and `len` is a live socklen_t; the kernel writes at most
    // `len` bytes and keeps neither pointer. The descriptor is borrowed from a living socket for the call's duration.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result == 0 { Ok(info[SK_MEMINFO_DROPS]) } else { Err(io::Error::last_os_error()) }
}

/// How many bytes of a stream lie unread in the kernel (FIONREAD, tcp(7)).
///
/// # Errors
/// What ioctl(2) says.
pub(crate) fn unread(socket: &impl AsRawFd) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int through its argument, which points to a live one, and keeps no pointer. The
    // descriptor is borrowed from a living socket for the call's duration.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if result == 0 { Ok(u64::try_from(bytes).unwrap_or(0)) } else { Err(io::Error::last_os_error()) }
}

/// How many bytes of a stream were written and are not acknowledged (SIOCOUTQ, tcp(7)), of a datagram socket not sent.
///
/// # Errors
/// What ioctl(2) says.
pub(crate) fn unsent(socket: &impl AsRawFd) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ, which is SIOCOUTQ, writes one int through its argument, which points to a live one, and keeps no
    // pointer. The descriptor is borrowed from a living socket for the call's duration.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result == 0 { Ok(u64::try_from(bytes).unwrap_or(0)) } else { Err(io::Error::last_os_error()) }
}

/// Whether reading a stream has come to urgent data (sockatmark(3), tcp(7)): a read stops there, however much lies behind. A
/// socket that cannot be asked is taken to have: then reading goes on and finds out.
pub(crate) fn is_at_mark(socket: &impl AsRawFd) -> bool {
    unsafe extern "C" {
        /// POSIX.1-2001; the libc crate does not declare it.
        fn sockatmark(socket: libc::c_int) -> libc::c_int;
    }
    // SAFETY: declared as POSIX does; it takes a descriptor, which is borrowed from a living socket for the call's duration.
    unsafe { sockatmark(socket.as_raw_fd()) != 0 }
}

/// Fills in what the kernel knows of a TCP connection (TCP_INFO, tcp(7)): `struct tcp_info` of linux/tcp.h, as much of it
/// as this kernel has. Returns how many bytes that is.
///
/// # Errors
/// What getsockopt(2) says.
pub(crate) fn tcp_info(socket: &impl AsRawFd, info: &mut [u8; 256]) -> io::Result<usize> {
    let mut len = libc::socklen_t::try_from(info.len()).expect("256 fits");
    // SAFETY: `info` is a live, writable array of `len` bytes and `len` is a live socklen_t; the kernel writes at most
    // `len` bytes and keeps neither pointer. The descriptor is borrowed from a living socket for the call's duration.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result == 0 { Ok(len as usize) } else { Err(io::Error::last_os_error()) }
}

/// Makes the kernel drop every packet that reaches this socket over fewer than no hops (IP_MINTTL, ip(7);
/// IPV6_MINHOPCOUNT): nothing is received any more, and nothing acknowledged, as if the network had gone.
///
/// # Errors
/// What setsockopt(2) says.
pub(crate) fn drop_incoming(socket: &impl AsRawFd, ipv6: bool) -> io::Result<()> {
    let (level, option) =
        if ipv6 { (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT) } else { (libc::IPPROTO_IP, libc::IP_MINTTL) };
    set_option(socket, level, option, &[255])
}

/// Has the kernel wake who waits to read only when so many bytes have come, or the end of them (SO_RCVLOWAT, socket(7)).
///
/// # Errors
/// What setsockopt(2) says.
pub fn set_low_water(socket: &impl AsRawFd, bytes: u32) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVLOWAT, &[bytes])
}

/// Has the runtime wait for a descriptor to become readable. Call it within one.
///
/// # Errors
/// What epoll_ctl(2) says.
pub(crate) fn readable<T: Owned>(descriptor: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: an `Owned` is open, always the same one, and closed only when it is dropped, which the AsyncFd that owns it
    // does after it has deregistered it. Nobody gets at it but by reference.
    unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }.map_err(Into::into)
}

/// What owns its descriptor for as long as it lives.
pub(crate) trait Owned: AsRawFd {}
impl Owned for OwnedFd {}
impl Owned for std::sync::Arc<OwnedFd> {}
impl Owned for socket2::Socket {}

/// Lets a packet socket receive every protocol of every interface (bind(2), packet(7)).
///
/// # Errors
/// What bind(2) says.
pub(crate) fn bind_packet(socket: &impl AsRawFd) -> io::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::c_ushort::try_from(libc::AF_PACKET).expect("17 fits"),
        sll_protocol: libc::c_ushort::try_from(libc::ETH_P_ALL).expect("3 fits").to_be(),
        sll_ifindex: 0,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let len = libc::socklen_t::try_from(mem::size_of_val(&address)).expect("20 fits");
    // SAFETY: `address` is a live sockaddr_ll of `len` bytes; the kernel reads it and keeps no pointer. The descriptor is
    // borrowed from a living socket for the call's duration.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How many frames passed the filter of a packet socket and found no room, since this was last asked (PACKET_STATISTICS,
/// packet(7)): asking sets the counter to nothing. For a socket with a ring of version 3.
///
/// # Errors
/// What getsockopt(2) says.
pub(crate) fn packets_dropped(socket: &impl AsRawFd) -> io::Result<u32> {
    // `struct tpacket_stats_v3`: packets, drops, and how often the ring was full.
    let mut stats = [0_u32; 3];
    let mut len = libc::socklen_t::try_from(mem::size_of_val(&stats)).expect("12 fits");
    // SAFETY: `stats` is a live, writable array of `len` bytes and `len` is a live socklen_t; the kernel writes at most
    // `len` bytes and keeps neither pointer. The descriptor is borrowed from a living socket for the call's duration.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            stats.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    if result == 0 { Ok(stats[1]) } else { Err(io::Error::last_os_error()) }
}

/// Memory that the kernel fills with frames: the receive ring of a packet socket, version 3 (packet_mmap.rst in the
/// kernel's documentation). The kernel writes to it at any time, so nothing of it is ever borrowed: it is copied out, and
/// only what is in a block that belongs to us means anything.
#[derive(Debug)]
pub(crate) struct Ring {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread; every access goes through atomics or copies out.
unsafe impl Send for Ring {}
// SAFETY: as above; no method hands out a reference into the mapping.
unsafe impl Sync for Ring {}

impl Ring {
    /// Makes the ring of a packet socket and maps it: `blocks` of `block_len` bytes, a block handed over when it is full
    /// or `retire_ms` after its first frame.
    ///
    /// # Errors
    /// What setsockopt(2) and mmap(2) say.
    pub(crate) fn map(
        socket: &impl AsRawFd,
        blocks: u32,
        block_len: u32,
        frame_len: u32,
        retire_ms: u32,
    ) -> io::Result<Self> {
        /// `TPACKET_V3` of linux/if_packet.h.
        const VERSION: [u32; 1] = [2];
        set_option(socket, libc::SOL_PACKET, libc::PACKET_VERSION, &VERSION)?;
        // `struct tpacket_req3`; the last two: no private area, no features.
        let frames = blocks * (block_len / frame_len);
        let request = [block_len, blocks, frame_len, frames, retire_ms, 0, 0];
        set_option(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let len = blocks as usize * block_len as usize;
        // SAFETY: a new shared mapping of the ring just made, at an address of the kernel's choice, of exactly its length.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        assert!(at.is_multiple_of(4) && at + 4 <= self.len, "a word of the ring");
        // SAFETY: the word lies inside the mapping, which lives as long as `self`, and is aligned: the mapping is to a
        // page, `at` to four bytes. Kernel and process both use it atomically.
        unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(at).cast()) }
    }

    /// Reads a word the kernel hands something over with: what it wrote before is seen after.
    pub(crate) fn acquire(&self, at: usize) -> u32 {
        self.word(at).load(Ordering::Acquire)
    }

    /// Writes a word that hands something back to the kernel: what was read before is read before.
    pub(crate) fn release(&self, at: usize, value: u32) {
        self.word(at).store(value, Ordering::Release);
    }

    /// Copies bytes out, as many as `to` is long; false, and nothing copied, where the ring has none.
    #[must_use]
    pub(crate) fn copy(&self, at: usize, to: &mut [u8]) -> bool {
        if at.checked_add(to.len()).is_none_or(|end| end > self.len) {
            return false;
        }
        // SAFETY: the source lies inside the mapping, the destination is a live slice of the same length elsewhere. The
        // bytes belong to us until their block is released, so nobody writes them meanwhile.
        unsafe { ptr::copy_nonoverlapping(self.start.as_ptr().add(at), to.as_mut_ptr(), to.len()) };
        true
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: exactly what `map` mapped, and nothing borrows from it any more. It cannot fail for a whole mapping.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// Sets an option that is made of words: an int that is not negative, or a structure of them.
fn set_option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    words: &[u32],
) -> io::Result<()> {
    // SAFETY: `words` is live and of the length given; the kernel reads it and keeps no pointer. The descriptor is
    // borrowed from a living socket for the call's duration.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            words.as_ptr().cast(),
            libc::socklen_t::try_from(mem::size_of_val(words)).expect("a few words"),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Keeps connections in SYN_RECEIVED until their first byte has come (TCP_DEFER_ACCEPT, tcp(7)).
///
/// # Errors
/// What setsockopt(2) says.
#[cfg(test)]
pub(crate) fn defer_accept(listener: &impl AsRawFd, seconds: u32) -> io::Result<()> {
    set_option(listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, &[seconds])
}
