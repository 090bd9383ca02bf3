//! Binary batches, decoded as docs/PROTOCOL.md says and as nobody else's code does.

use std::sync::Arc;

use sockscope_wire::{Counted, Fact, Page, Payload};

/// A binary batch as the page it is, every payload put back in its place: `u32` big-endian length of the JSON, the
/// JSON, the raw bytes. Checks that the ranges cover the raw bytes exactly, in order.
pub fn decode_batch(batch: &[u8]) -> Result<Page, String> {
    let (length, rest) = batch.split_first_chunk::<4>().ok_or("shorter than its length field")?;
    let length = u32::from_be_bytes(*length) as usize;
    let (json, raw) = rest.split_at_checked(length).ok_or("shorter than its JSON")?;
    let mut page: Page = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let mut at = 0;
    for event in &mut page.events {
        let Some(bytes) = counted(&mut event.fact) else { continue };
        if bytes.payload.is_some() {
            return Err(format!("event {} carries base64 in a binary batch", event.seq));
        }
        let Some(range) = bytes.payload_range.take() else { continue };
        let (start, length) = (range.0 as usize, range.1 as usize);
        if start != at {
            return Err(format!("event {} begins at {start}, not {at}", event.seq));
        }
        at = start + length;
        let slice = raw.get(start..at).ok_or(format!("event {} ends behind the raw bytes", event.seq))?;
        bytes.payload = Some(Payload(Arc::from(slice)));
    }
    if at == raw.len() { Ok(page) } else { Err(format!("{} raw bytes belong to no event", raw.len() - at)) }
}

/// The bytes of a fact that carries some.
pub fn counted(fact: &mut Fact) -> Option<&mut Counted> {
    match fact {
        Fact::Sent { bytes, .. } | Fact::Received { bytes, .. } => Some(bytes),
        _ => None,
    }
}
