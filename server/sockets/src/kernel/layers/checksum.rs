//! Whether a checksum is right, wrong, or not filled in yet.

use std::net::IpAddr;

use super::Remark;
use crate::kernel::capture::Checksum;

/// Addresses and protocol, as a sum (RFC 9293 §3.1, RFC 8200 §8.1); the length is added where it is known.
#[derive(Clone, Copy)]
pub(super) struct Pseudo {
    pub(super) sum: u64,
    pub(super) v6: bool,
}

/// What a transport checksum is judged by: the segment from `at` to `end`.
#[derive(Clone, Copy)]
pub(super) struct Judge {
    pub(super) checksum: Checksum,
    pub(super) pseudo: Pseudo,
    pub(super) at: usize,
    pub(super) end: usize,
}

impl Judge {
    /// The checksum lies `field` bytes into the header.
    pub(super) fn remark(self, bytes: &[u8], field: usize) -> Option<Remark> {
        let [high, low] = *bytes.get(self.at + field..self.at + field + 2)? else { return None };
        // The kernel leaves the sum over the pseudo-header there for the card to go on with.
        let partial = fold(self.pseudo.sum + (self.end - self.at) as u64);
        if self.checksum == Checksum::Unfilled || u16::from_be_bytes([high, low]) == partial {
            Some(Remark::ChecksumUnfilled)
        } else {
            self.wrong(bytes, false).then_some(Remark::ChecksumWrong)
        }
    }

    /// Everything was captured, and does not add up.
    pub(super) fn wrong(self, bytes: &[u8], plain: bool) -> bool {
        let len = if plain { 0 } else { (self.end - self.at) as u64 };
        self.checksum != Checksum::Valid
            && bytes
                .get(self.at..self.end)
                .is_some_and(|segment| fold(self.pseudo.sum + len + sum(segment)) != 0xffff)
    }
}

/// The sum of 16-bit words (RFC 1071), not folded.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0))).sum()
}

pub(super) fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).expect("folded")
}

/// Whether a TCP segment or UDP datagram that was captured whole does not add up; one that is not filled in yet is no such.
pub(in crate::kernel) fn is_damaged(from: IpAddr, to: IpAddr, protocol: u8, segment: &[u8]) -> bool {
    let words = |address: IpAddr| match address {
        IpAddr::V4(address) => sum(&address.octets()),
        IpAddr::V6(address) => sum(&address.octets()),
    };
    let (field, optional) = if protocol == 17 { (6, from.is_ipv4()) } else { (16, false) };
    let pseudo = Pseudo { sum: words(from) + words(to) + u64::from(protocol), v6: from.is_ipv6() };
    let none = optional && segment.get(field..field + 2) == Some(&[0, 0]);
    let judge = Judge { checksum: Checksum::Unsaid, pseudo, at: 0, end: segment.len() };
    !none && judge.remark(segment, field) == Some(Remark::ChecksumWrong)
}
