//! A connection that a key let in.

use std::ops::Deref;

use tokio::sync::OwnedSemaphorePermit;

use super::Grant;

/// A connection that a key let in, counted among the key's; it ends by being dropped, which whoever serves the connection does
/// last.
pub(crate) struct Visit {
    key: Grant,
    /// Its place among the connections that keys may let in.
    _seat: OwnedSemaphorePermit,
}

impl Visit {
    /// Begins one. `None` where it is for `many` sockets and the key has as many connections as it allows sockets: such a
    /// connection asks for no socket's place before its client does, which may be never. One for one socket asks at once,
    /// and is told in its close frame what it lacks.
    pub(crate) fn begin(key: Grant, many: bool, seat: OwnedSemaphorePermit) -> Option<Self> {
        key.connect(many).then(|| Self { key, _seat: seat })
    }
}

impl Deref for Visit {
    type Target = Grant;

    fn deref(&self) -> &Grant {
        &self.key
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.key.disconnect();
    }
}
