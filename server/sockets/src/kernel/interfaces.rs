//! What interfaces are called.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    sync::Arc,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
    },
};
use tokio::time::Instant;

/// For how long the name of an interface is believed where nobody says that one changed.
const AGE: Duration = Duration::from_secs(2);

/// How many interfaces are remembered; those beyond begin anew.
const NAMES: usize = 1024;

/// The group that is told when an interface comes, goes or changes (RTMGRP_LINK, rtnetlink(7)).
const LINKS: u32 = 1;

/// Names that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashMap<u32, (Instant, Arc<str>)>,
    changes: Option<OwnedFd>,
}

impl Names {
    /// Those of this thread's network namespace. Without notices a name may be that of before for a while.
    pub(crate) fn open() -> Self {
        let changes = changes().inspect_err(|error| tracing::debug!(%error, "interfaces change unnoticed"));
        Self { known: HashMap::new(), changes: changes.ok() }
    }

    /// Asks anew for every name if an interface came, went or changed since the last time.
    pub(crate) fn refresh(&mut self) {
        let Some(changes) = &self.changes else { return };
        let mut changed = false;
        loop {
            // Which one does not matter, so what does not fit is not missed.
            match recv(changes.as_raw_fd(), &mut [0; 1], MsgFlags::empty()) {
                // That there was no room for some is a notice, too.
                Ok(_) | Err(Errno::ENOBUFS) => changed = true,
                Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        if changed && let Some(stale) = Instant::now().checked_sub(AGE) {
            self.known.values_mut().for_each(|(asked, _)| *asked = stale);
        }
    }

    /// What an interface is called. One that is gone keeps the name it had; one that was never asked for while it was
    /// there is called by its number.
    pub(crate) fn of(&mut self, index: u32) -> Arc<str> {
        let known = self.known.get(&index);
        if let Some((asked, name)) = known
            && asked.elapsed() < AGE
        {
            return Arc::clone(name);
        }
        // Where there is none, nix answers with an empty name.
        let name = match (nix::net::if_::if_indextoname(index), known) {
            (Ok(name), _) if !name.is_empty() => name.to_string_lossy().into(),
            (_, Some((_, name))) => Arc::clone(name),
            (_, None) => format!("if{index}").into(),
        };
        if self.known.len() >= NAMES {
            self.known.clear();
        }
        self.known.insert(index, (Instant::now(), Arc::clone(&name)));
        name
    }
}

fn changes() -> io::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkRoute,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, LINKS))?;
    Ok(socket)
}
