//! A captured frame taken apart: every bit of every header in exactly one field.
//!
//! Fields are taken one after the other from where a header begins to where it ends, so they leave no hole and do not
//! overlap; where a header is cut off, what is left of it is one field.

pub(super) mod checksum;
mod fields;
mod header;

use super::capture::{Checksum, Link};
use checksum::{Judge, Pseudo, fold, sum};
use fields::{
    ICMP, ICMPV6, TCP, UDP, extension, icmp_fields, ipv4_fields, ipv4_option, ipv6_fields, mac, tcp_fields,
    tcp_option, udp_fields,
};
use header::{Header, to_u32};

/// Something to know of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// The card, or nobody, fills it in later: it holds a partial sum.
    ChecksumUnfilled,
    /// It does not fit what was captured.
    ChecksumWrong,
    /// The packet is longer than this can say: it is cut later (segmentation offload).
    OffloadedLength,
}

impl Remark {
    /// Its code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ChecksumUnfilled => "checksum_unfilled",
            Self::ChecksumWrong => "checksum_wrong",
            Self::OffloadedLength => "offloaded_length",
        }
    }
}

/// One field of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, as in the RFC, in snake case.
    pub name: &'static str,
    /// What it says, as people read it.
    pub value: String,
    /// Where it begins in the frame, in bits.
    pub bit_offset: u32,
    /// How long it is, in bits.
    pub bit_len: u32,
    /// Something to know of it.
    pub remark: Option<Remark>,
}

/// One layer of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Which: `ethernet`, `ipv4`, `ipv6`, `tcp`, `udp`, `icmp`, `icmpv6`, `payload`.
    pub name: &'static str,
    /// Where it begins in the frame, in bytes.
    pub offset: u32,
    /// How long it is, in bytes; of the payload, as much as the frame had.
    pub len: u32,
    /// Its fields, in the order of the bytes.
    pub fields: Vec<Field>,
}

/// Takes a frame apart, outermost layer first: its captured bytes, how long it was, what it begins with, and what the
/// kernel says of its checksum. An ICMP error's own quotation follows as layers too.
#[must_use]
pub fn layers(bytes: &[u8], len: u32, link: Link, checksum: Checksum) -> Vec<Layer> {
    // Longer than any frame, and its bits still fit.
    let len = (len as usize).clamp(bytes.len(), 1 << 26);
    let mut apart = Apart { bytes, layers: Vec::new() };
    let (at, kind) = match link {
        Link::Ethernet => apart.ethernet(),
        Link::Ip => (0, if bytes.first().is_some_and(|byte| byte >> 4 == 6) { IPV6 } else { IPV4 }),
    };
    let end = apart.network(at, len, kind, Some(checksum));
    apart.payload(end.0, end.1, len);
    apart.layers
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Where a payload begins and ends.
type Range = (usize, usize);

struct Apart<'a> {
    bytes: &'a [u8],
    layers: Vec<Layer>,
}

impl<'a> Apart<'a> {
    fn header(&self, name: &'static str, start: usize, len: usize) -> Header<'a> {
        Header::new(self.bytes, name, start, len)
    }

    /// Adds the layer; returns where it ends.
    fn close(&mut self, mut header: Header<'_>) -> usize {
        let left = header.left();
        header.raw("cut_off", left + 1);
        let end = header.bit / 8;
        if end > header.start {
            self.layers.push(Layer {
                name: header.name,
                offset: to_u32(header.start),
                len: to_u32(end - header.start),
                fields: header.fields,
            });
        }
        end
    }

    fn ethernet(&mut self) -> (usize, u16) {
        let mut header = self.header("ethernet", 0, 14);
        let mut kind = None;
        if header.say("destination", 48, mac).and_then(|_| header.say("source", 48, mac)).is_some() {
            kind = header.say("ether_type", 16, |kind| match u16::try_from(kind) {
                Ok(IPV4) => "0x0800 (IPv4)".into(),
                Ok(IPV6) => "0x86dd (IPv6)".into(),
                _ => format!("{kind:#06x}"),
            });
        }
        let kind = kind.and_then(|kind| u16::try_from(kind).ok());
        (self.close(header), kind.unwrap_or(0))
    }

    /// An IP packet that ends, at the latest, at `end`; of a quoted one nothing is said of its checksum. Returns where
    /// the payload is.
    fn network(&mut self, at: usize, end: usize, kind: u16, checksum: Option<Checksum>) -> Range {
        match kind {
            IPV4 => self.ipv4(at, end, checksum),
            IPV6 => self.ipv6(at, end, checksum),
            _ => (at, end),
        }
    }

    fn ipv4(&mut self, at: usize, end: usize, checksum: Option<Checksum>) -> Range {
        let mut header = self.header("ipv4", at, 60);
        let read = ipv4_fields(&mut header);
        let Some(ip) = read else {
            header.ends(20);
            let behind = self.close(header);
            return (behind, end.max(behind));
        };
        let whole = header.left() >= ip.len.saturating_sub(20);
        header.ends(ip.len);
        while header.left() > 0 {
            ipv4_option(&mut header);
        }
        if checksum.is_some() && whole && fold(sum(&self.bytes[at..at + ip.len])) != 0xffff {
            header.remark("header_checksum", Some(Remark::ChecksumWrong));
        }
        let said = if ip.total == 0 { end } else { end.min(at + ip.total) };
        if checksum.is_some() && ip.total == 0 && end > at + ip.len {
            header.remark("total_length", Some(Remark::OffloadedLength));
        }
        let behind = self.close(header);
        let said = said.max(behind);
        let pseudo = Pseudo { sum: ip.addresses + u64::from(ip.protocol), v6: false };
        let checksum = checksum.filter(|_| !ip.more);
        if ip.offset > 0 {
            (behind, said)
        } else {
            self.transport(behind, said, ip.protocol, checksum, pseudo)
        }
    }

    fn ipv6(&mut self, at: usize, end: usize, checksum: Option<Checksum>) -> Range {
        // With its extension headers it may take all there is.
        let mut header = self.header("ipv6", at, self.bytes.len());
        let Some((payload_len, mut next)) = ipv6_fields(&mut header) else {
            header.ends(40);
            let behind = self.close(header);
            return (behind, end.max(behind));
        };
        let said = if payload_len == 0 { end } else { end.min(at + 40 + payload_len) };
        if checksum.is_some() && payload_len == 0 && end > at + 40 {
            header.remark("payload_length", Some(Remark::OffloadedLength));
        }
        header.ends(said.saturating_sub(at));
        let mut sum_of = Pseudo { sum: sum(&self.bytes[at + 8..at + 40]), v6: true };
        let (mut checksum, mut later) = (checksum, false);
        while let Some(extension) = extension(&mut header, next) {
            next = extension.next;
            if extension.fragment {
                checksum = None;
            }
            if extension.later {
                later = true;
                break;
            }
        }
        let behind = header.bit / 8;
        header.ends(behind - header.start);
        let behind = self.close(header);
        let said = said.max(behind);
        sum_of.sum += u64::from(next);
        if later { (behind, said) } else { self.transport(behind, said, next, checksum, sum_of) }
    }

    fn transport(
        &mut self,
        at: usize,
        end: usize,
        protocol: u8,
        checksum: Option<Checksum>,
        pseudo: Pseudo,
    ) -> Range {
        let judged = checksum.map(|checksum| Judge { checksum, pseudo, at, end });
        match protocol {
            TCP => self.tcp(at, end, judged),
            UDP => self.udp(at, end, judged),
            ICMP if !pseudo.v6 => self.icmp("icmp", at, end, judged),
            ICMPV6 if pseudo.v6 => self.icmp("icmpv6", at, end, judged),
            _ => (at, end),
        }
    }

    fn tcp(&mut self, at: usize, end: usize, judged: Option<Judge>) -> Range {
        let mut header = self.header("tcp", at, 60.min(end - at));
        match tcp_fields(&mut header) {
            Some(len) => {
                header.ends(len);
                while header.left() > 0 {
                    tcp_option(&mut header);
                }
            }
            None => header.ends(20),
        }
        if let Some(judged) = judged {
            header.remark("checksum", judged.remark(self.bytes, 16));
        }
        (self.close(header), end)
    }

    fn udp(&mut self, at: usize, end: usize, judged: Option<Judge>) -> Range {
        let mut header = self.header("udp", at, 8.min(end - at));
        let v6 = judged.is_some_and(|judged| judged.pseudo.v6);
        let sum = udp_fields(&mut header, v6);
        // Over IPv4 a checksum is a courtesy (RFC 768).
        if let Some(judged) = judged
            && (v6 || sum != Some(0))
        {
            header.remark("checksum", judged.remark(self.bytes, 6));
        }
        (self.close(header), end)
    }

    fn icmp(&mut self, name: &'static str, at: usize, end: usize, judged: Option<Judge>) -> Range {
        let mut header = self.header(name, at, 8.min(end - at));
        let v6 = name == "icmpv6";
        let kind = icmp_fields(&mut header, v6);
        if let Some(mut judged) = judged {
            // ICMP has no pseudo-header (RFC 792), ICMPv6 has (RFC 4443 §2.3).
            if !v6 {
                judged.pseudo.sum = 0;
            }
            let wrong = judged.wrong(self.bytes, !v6);
            header.remark("checksum", wrong.then_some(Remark::ChecksumWrong));
        }
        let behind = self.close(header);
        // What it quotes; once: a quoted error has no quotation that means anything.
        let error = kind.is_some_and(|kind| if v6 { kind < 128 } else { matches!(kind, 3 | 11 | 12) });
        if error && judged.is_some() {
            self.network(behind, end.max(behind), if v6 { IPV6 } else { IPV4 }, None)
        } else {
            (behind, end.max(behind))
        }
    }

    /// What is behind the headers: the payload as long as the packet says, and what fills the frame.
    fn payload(&mut self, at: usize, end: usize, frame: usize) {
        let mut fields = Vec::new();
        let mut field = |name, from: usize, to: usize| {
            if to > from {
                let value = if to - from == 1 { "1 byte".into() } else { format!("{} bytes", to - from) };
                let (bit_offset, bit_len) = (to_u32(8 * from), to_u32(8 * (to - from)));
                fields.push(Field { name, value, bit_offset, bit_len, remark: None });
            }
        };
        let end = end.min(frame);
        field("data", at, end);
        field("padding", end.max(at), frame);
        if !fields.is_empty() {
            self.layers.push(Layer { name: "payload", offset: to_u32(at), len: to_u32(frame - at), fields });
        }
    }
}

#[cfg(test)]
mod tests;
