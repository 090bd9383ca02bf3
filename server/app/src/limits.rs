//! How many descriptors there are, and who gets them.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Descriptors kept for the program itself: listener, epoll, standard streams, name server queries, the launch socket,
/// and refusing connections politely when there are too many.
pub const RESERVE: usize = 64;

/// The most sockets unless a flag says otherwise.
const SOCKETS: usize = 1024;

/// The most connections unless a flag says otherwise: a thousand viewers, and room for what a browser opens beside them.
const CONNECTIONS: usize = 2048;

/// Of the connections, the part that bridge keys leave to those who made them.
const KEPT: usize = 16;

/// How many sockets and HTTP connections there may be at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Sockets of the workspace.
    pub sockets: usize,
    /// HTTP connections.
    pub connections: usize,
}

/// More was asked for than there are descriptors.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{sockets} sockets and {connections} connections need {needed} file descriptors, and this process may have \
     {available}: raise the limit (ulimit -n) or lower --max-sockets and --max-connections"
)]
pub struct TooMany {
    sockets: usize,
    connections: usize,
    needed: usize,
    available: usize,
}

/// Raises the soft limit of descriptors to the hard one and returns it.
#[must_use]
pub fn raise_descriptors() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return SOCKETS };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return usize::try_from(hard).unwrap_or(usize::MAX);
    }
    usize::try_from(soft).unwrap_or(usize::MAX)
}

/// Shares descriptors out. What a flag asked for is granted or refused; a default shrinks to fit.
///
/// # Errors
/// When the flags ask for more than there is.
pub fn share(
    available: usize,
    sockets: Option<usize>,
    connections: Option<usize>,
) -> Result<Budget, TooMany> {
    let usable = available.saturating_sub(RESERVE);
    let rest = |asked: Option<usize>| usable.saturating_sub(asked.unwrap_or(0));
    let budget = match (sockets, connections) {
        (Some(sockets), Some(connections)) => Budget { sockets, connections },
        (Some(sockets), None) => Budget { sockets, connections: CONNECTIONS.min(rest(Some(sockets))) },
        (None, Some(connections)) => Budget { sockets: SOCKETS.min(rest(Some(connections))), connections },
        (None, None) => {
            let half = usable / 2;
            Budget { sockets: SOCKETS.min(half), connections: CONNECTIONS.min(half) }
        }
    };
    let needed = budget.sockets.saturating_add(budget.connections).saturating_add(RESERVE);
    if needed > available || budget.sockets == 0 || budget.connections == 0 {
        let Budget { sockets, connections } = budget;
        return Err(TooMany { sockets, connections, needed, available });
    }
    Ok(budget)
}

/// So many of the connections may be let in by bridge keys. At least one is not.
#[must_use]
pub const fn keyed(connections: usize) -> usize {
    connections - connections.div_ceil(KEPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_shrink_and_flags_are_granted_or_refused() {
        assert_eq!(share(20_000, None, None), Ok(Budget { sockets: 1024, connections: 2048 }));
        assert_eq!(share(128, None, None), Ok(Budget { sockets: 32, connections: 32 }));
        assert_eq!(share(20_000, Some(6000), Some(6000)), Ok(Budget { sockets: 6000, connections: 6000 }));
        assert_eq!(share(1024, Some(900), None), Ok(Budget { sockets: 900, connections: 60 }));
        assert!(share(1024, Some(2000), None).is_err());
        assert!(share(64, None, None).is_err());
    }

    #[test]
    fn keys_let_in_all_but_a_sixteenth_and_never_all() {
        assert_eq!([1, 2, 16, 17, 2048].map(keyed), [0, 1, 15, 15, 1920]);
    }
}
