//! A header that is read, bit by bit.

use super::{Field, Remark};

/// A header that is read, bit by bit.
pub(super) struct Header<'a> {
    bytes: &'a [u8],
    pub(super) name: &'static str,
    pub(super) start: usize,
    /// The next bit, and behind the last there is.
    pub(super) bit: usize,
    end: usize,
    pub(super) fields: Vec<Field>,
}

impl<'a> Header<'a> {
    /// The header that begins at `start` and takes `len` bytes, or as many as were captured.
    pub(super) fn new(bytes: &'a [u8], name: &'static str, start: usize, len: usize) -> Self {
        let start = start.min(bytes.len());
        let end = (start + len).min(bytes.len());
        Header { bytes, name, start, bit: 8 * start, end: 8 * end, fields: Vec::new() }
    }

    /// Takes a field; none where it is cut off.
    pub(super) fn take(&mut self, name: &'static str, bits: usize) -> Option<u128> {
        if self.bit + bits > self.end {
            return None;
        }
        let value = (self.bit..self.bit + bits)
            .fold(0, |value, bit| value << 1 | u128::from(self.bytes[bit / 8] >> (7 - bit % 8) & 1));
        self.push(name, bits, value.to_string());
        Some(value)
    }

    /// Takes a field and says what it means.
    pub(super) fn say(
        &mut self,
        name: &'static str,
        bits: usize,
        say: impl FnOnce(u128) -> String,
    ) -> Option<u128> {
        let value = self.take(name, bits)?;
        self.fields.last_mut()?.value = say(value);
        Some(value)
    }

    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let set = self.say(name, 1, |bit| if bit == 1 { "set" } else { "not set" }.into())?;
        Some(set == 1)
    }

    /// Takes bytes as they are, as many as there are of them.
    pub(super) fn raw(&mut self, name: &'static str, bytes: usize) {
        let bits = (8 * bytes).min(self.end - self.bit);
        if bits > 0 {
            let text = self.bytes[self.bit / 8..(self.bit + bits).div_ceil(8)]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<Vec<_>>();
            self.push(name, bits, text.join(" "));
        }
    }

    fn push(&mut self, name: &'static str, bits: usize, value: String) {
        let (bit_offset, bit_len) = (to_u32(self.bit), to_u32(bits));
        self.fields.push(Field { name, value, bit_offset, bit_len, remark: None });
        self.bit += bits;
    }

    pub(super) fn remark(&mut self, name: &str, remark: Option<Remark>) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name) {
            field.remark = field.remark.or(remark);
        }
    }

    /// The header turns out to end here, or where the capture does.
    pub(super) fn ends(&mut self, len: usize) {
        self.end = (8 * (self.start + len)).min(self.end).max(self.bit);
    }

    /// What is left of the header, at most these bytes.
    pub(super) fn left(&self) -> usize {
        (self.end - self.bit) / 8
    }

    pub(super) fn peek(&self, ahead: usize) -> Option<u8> {
        (8 * ahead < self.end - self.bit).then(|| self.bytes[self.bit / 8 + ahead])
    }
}

pub(super) fn to_u32(value: usize) -> u32 {
    u32::try_from(value).expect("a frame is short")
}
