//! Which sockets somebody looks at: those are sampled.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use sockscope_wire::SocketId;
use tokio::sync::Notify;

/// The most sockets one viewer may look at.
pub const LOOKED_AT: usize = 100;

/// Everybody's looks.
#[derive(Debug, Default)]
pub(super) struct Looks {
    by_viewer: Mutex<BTreeMap<u64, Vec<SocketId>>>,
    next: AtomicU64,
    pub(super) changed: Notify,
}

impl Looks {
    /// Every socket somebody looks at.
    pub(super) fn all(&self) -> BTreeSet<SocketId> {
        let by_viewer = self.by_viewer.lock().unwrap_or_else(PoisonError::into_inner);
        by_viewer.values().flatten().copied().collect()
    }

    fn set(&self, viewer: u64, sockets: Vec<SocketId>) {
        let mut by_viewer = self.by_viewer.lock().unwrap_or_else(PoisonError::into_inner);
        if sockets.is_empty() {
            by_viewer.remove(&viewer);
        } else {
            by_viewer.insert(viewer, sockets);
        }
        drop(by_viewer);
        self.changed.notify_one();
    }
}

/// What one viewer looks at; nothing any more once it is dropped.
#[derive(Debug)]
pub struct Look {
    looks: Arc<Looks>,
    viewer: u64,
}

impl Look {
    pub(super) fn new(looks: &Arc<Looks>) -> Self {
        Self { looks: Arc::clone(looks), viewer: looks.next.fetch_add(1, Relaxed) }
    }

    /// Looks at these instead of those before.
    pub fn at(&self, sockets: Vec<SocketId>) {
        self.looks.set(self.viewer, sockets);
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.looks.set(self.viewer, Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_viewers_look_at_is_sampled_until_both_have_left() {
        let looks = Arc::new(Looks::default());
        let (a, b) = (Look::new(&looks), Look::new(&looks));
        a.at(vec![SocketId(1), SocketId(2)]);
        b.at(vec![SocketId(2)]);
        drop(a);
        assert_eq!(looks.all(), BTreeSet::from([SocketId(2)]));
        b.at(Vec::new());
        assert!(looks.all().is_empty());
    }
}
