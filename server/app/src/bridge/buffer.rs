//! Buffers that exist while something is in them: an idle bridge has none.

use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
};

use super::frame::{self, Kind};

/// What one read from a target may bring. Less costs more calls a byte, more gains little, and keeps others waiting.
pub(super) const READ: usize = 64 * 1024;

/// Of a buffer, all of which a read from a client may fill: each write to a target that waits wakes it, which costs as much as
/// tens of KiB. A little less than what the allocator would ask the kernel for each time.
const LEN: usize = 127 * 1024;

/// The most unused buffers a thread keeps; more are freed.
const SPARE: usize = 4;

thread_local! {
    static SPARES: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer on loan from the thread. What is in it is left from others.
pub(super) struct Buffer(Box<[u8]>);

impl Buffer {
    /// Takes one.
    pub(super) fn take() -> Self {
        let spare = SPARES.with_borrow_mut(Vec::pop);
        Self(spare.unwrap_or_else(|| vec![0; LEN].into_boxed_slice()))
    }

    /// Puts the header of a message in front of the so many bytes that lie behind the room for one. Returns where it begins.
    pub(super) fn frames(&mut self, bytes: usize) -> usize {
        let room = self.0.first_chunk_mut().expect("a buffer is longer than a header");
        frame::header(room, Kind::Binary, bytes)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.0);
        // A thread that ends has no place for it any more: then it is freed.
        let _ = SPARES.try_with(|spares| {
            let mut spares = spares.borrow_mut();
            if spares.len() < SPARE {
                spares.push(bytes);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
