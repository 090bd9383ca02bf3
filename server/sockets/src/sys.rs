//! The system calls that no crate wraps.
#![allow(
    unsafe_code,
    reason = "SO_MEMINFO, FIONREAD, IP_MINTTL and the whole TCP_INFO have no safe wrapper; the calls are confined to this module"
)]

use std::{io, mem, os::fd::AsRawFd};

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
    let most: libc::c_int = 255;
    let (level, option) =
        if ipv6 { (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT) } else { (libc::IPPROTO_IP, libc::IP_MINTTL) };
    // SAFETY: `most` is a live int of the length given; the kernel reads it and keeps no pointer. The descriptor is
    // borrowed from a living socket for the call's duration.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const most).cast(),
            libc::socklen_t::try_from(mem::size_of_val(&most)).expect("4 fits"),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
