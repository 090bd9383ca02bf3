//! Messages that were read together, until each is looked at.

use crate::bridge::{
    buffer::Buffer,
    frame::{Item, Reader},
};

/// What was read from a client and is not looked at yet. It outlives the pump, which may be ended while it sends.
#[derive(Default)]
pub(super) struct Held {
    pub(super) buffer: Option<Buffer>,
    pub(super) at: usize,
    pub(super) len: usize,
}

impl Held {
    /// How many bytes of messages there are, which nobody looks at any more.
    pub(super) fn lost(mut self, reader: &mut Reader) -> usize {
        let mut bytes = 0;
        let Some(buffer) = &mut self.buffer else { return bytes };
        while let Ok(Some((used, item))) = reader.next(&mut buffer[self.at..self.len]) {
            match item {
                Item::Data { len, .. } => bytes += len,
                Item::Ping(_) | Item::Pong(_) => {}
                Item::Close(_) => break,
            }
            self.at += used;
        }
        bytes
    }
}
