//! Which process holds a socket, as far as /proc may be read.

use std::{
    fs,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    time::{Duration, Instant},
};

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// What it is called: its `comm`, 15 bytes at most.
    pub name: String,
}

/// How long looking may take; where it takes longer, nobody is found.
const TIME: Duration = Duration::from_millis(100);

/// How many processes are looked at.
const PROCESSES: usize = 4096;

/// This process.
#[must_use]
pub fn this() -> Option<Process> {
    named(std::process::id())
}

fn named(pid: u32) -> Option<Process> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(Process { pid, name: String::from_utf8_lossy(&name).trim_end().to_owned() })
}

/// Finds the process that holds the socket of this inode ([`super::diag::Seen::inode`]): this one if it does, else the
/// first of those whose descriptors may be read. Reads much of /proc, some ms in all: not for an async task.
#[must_use]
pub fn process_of(inode: u32) -> Option<Process> {
    let until = Instant::now() + TIME;
    let wanted = format!("socket:[{inode}]");
    let own = std::process::id();
    let others = fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&pid: &u32| pid != own)
        .take(PROCESSES);
    for pid in std::iter::once(own).chain(others) {
        if holds(pid, wanted.as_bytes(), until) {
            return named(pid);
        }
        if Instant::now() >= until {
            break;
        }
    }
    None
}

/// Whether one of a process's descriptors is this socket; false where that may not be read.
fn holds(pid: u32, wanted: &[u8], until: Instant) -> bool {
    let Ok(descriptors) = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd")) else {
        return false;
    };
    descriptors.flatten().take_while(|_| Instant::now() < until).any(|descriptor| {
        fs::read_link(descriptor.path()).is_ok_and(|to| to.as_os_str().as_bytes() == wanted)
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a socket to look for")]
mod tests {
    use std::{fs, net::TcpListener, os::fd::AsRawFd as _};

    use super::process_of;

    #[test]
    fn we_hold_our_own_sockets() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let link = fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).expect("it is open");
        let link = link.to_str().expect("ASCII").to_owned();
        let inode = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')).expect("a socket");
        let inode = inode.parse().expect("a number");
        let process = process_of(inode).expect("found");
        assert_eq!(process.pid, std::process::id());
        assert_eq!(process.name, fs::read_to_string("/proc/self/comm").expect("readable").trim_end());
        drop(listener);
        assert_eq!(process_of(inode), None);
    }
}
