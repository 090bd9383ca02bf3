//! A network device whose other side is the test: what the kernel sends is read from it, what is written comes in.
#![allow(unsafe_code, reason = "TUNSETIFF has no safe wrapper; the call is confined to this module")]

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::{AsFd as _, AsRawFd as _},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::wait::DEADLINE;

/// A TUN device: IP packets without a link header. It goes when this is dropped.
pub struct Tun(File);

impl Tun {
    /// Makes one with that name in the network namespace of this thread.
    pub fn new(name: &str) -> Self {
        let path = "/dev/net/tun";
        let file = File::options().read(true).write(true).open(path);
        let file = file.unwrap_or_else(|error| panic!("{path}: {error}; this test needs it, and root"));
        let mut request = libc::ifreq {
            ifr_name: [0; libc::IFNAMSIZ],
            ifr_ifru: libc::__c_anonymous_ifr_ifru {
                ifru_flags: libc::c_short::try_from(libc::IFF_TUN | libc::IFF_NO_PI).expect("16 bits"),
            },
        };
        assert!(name.len() < libc::IFNAMSIZ, "{name}");
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from.cast_signed();
        }
        // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives here, and keeps no pointer to it. The descriptor is
        // borrowed from an open file for the call's duration.
        let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
        assert_eq!(result, 0, "{name}: {}", std::io::Error::last_os_error());
        Self(file)
    }

    /// The next packet the kernel sends; `None` if none comes before the deadline.
    pub fn read(&self) -> Option<Vec<u8>> {
        let wait = PollTimeout::try_from(DEADLINE).expect("it is not that long");
        let ready = poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], wait).expect("polled");
        if ready == 0 {
            return None;
        }
        let mut packet = vec![0; 65_536];
        let len = (&self.0).read(&mut packet).expect("there is one");
        packet.truncate(len);
        Some(packet)
    }

    /// A packet comes in.
    pub fn write(&self, packet: &[u8]) {
        assert_eq!((&self.0).write(packet).expect("the device is up"), packet.len());
    }
}
