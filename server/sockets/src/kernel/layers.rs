//! A captured frame taken apart: every bit of every header in exactly one field.
//!
//! Fields are taken one after the other from where a header begins to where it ends, so they leave no hole and do not
//! overlap; where a header is cut off, what is left of it is one field.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::capture::{Checksum, Link};

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

const HOP_BY_HOP: u8 = 0;
const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const ICMPV6: u8 = 58;
const DESTINATION_OPTIONS: u8 = 60;

/// A header that is read, bit by bit.
struct Header<'a> {
    bytes: &'a [u8],
    name: &'static str,
    start: usize,
    /// The next bit, and behind the last there is.
    bit: usize,
    end: usize,
    fields: Vec<Field>,
}

impl Header<'_> {
    /// Takes a field; none where it is cut off.
    fn take(&mut self, name: &'static str, bits: usize) -> Option<u128> {
        if self.bit + bits > self.end {
            return None;
        }
        let value = (self.bit..self.bit + bits)
            .fold(0, |value, bit| value << 1 | u128::from(self.bytes[bit / 8] >> (7 - bit % 8) & 1));
        self.push(name, bits, value.to_string());
        Some(value)
    }

    /// Takes a field and says what it means.
    fn say(&mut self, name: &'static str, bits: usize, say: impl FnOnce(u128) -> String) -> Option<u128> {
        let value = self.take(name, bits)?;
        self.fields.last_mut()?.value = say(value);
        Some(value)
    }

    fn flag(&mut self, name: &'static str) -> Option<bool> {
        let set = self.say(name, 1, |bit| if bit == 1 { "set" } else { "not set" }.into())?;
        Some(set == 1)
    }

    /// Takes bytes as they are, as many as there are of them.
    fn raw(&mut self, name: &'static str, bytes: usize) {
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

    fn remark(&mut self, name: &str, remark: Option<Remark>) {
        if let Some(field) = self.fields.iter_mut().find(|field| field.name == name) {
            field.remark = field.remark.or(remark);
        }
    }

    /// The header turns out to end here, or where the capture does.
    fn ends(&mut self, len: usize) {
        self.end = (8 * (self.start + len)).min(self.end).max(self.bit);
    }

    /// What is left of the header, at most these bytes.
    fn left(&self) -> usize {
        (self.end - self.bit) / 8
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        (8 * ahead < self.end - self.bit).then(|| self.bytes[self.bit / 8 + ahead])
    }
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).expect("a frame is short")
}

/// Where a payload begins and ends.
type Range = (usize, usize);

/// Addresses and protocol, as a sum (RFC 9293 §3.1, RFC 8200 §8.1); the length is added where it is known.
#[derive(Clone, Copy)]
struct Pseudo {
    sum: u64,
    v6: bool,
}

struct Apart<'a> {
    bytes: &'a [u8],
    layers: Vec<Layer>,
}

impl<'a> Apart<'a> {
    fn header(&self, name: &'static str, start: usize, len: usize) -> Header<'a> {
        let start = start.min(self.bytes.len());
        let end = (start + len).min(self.bytes.len());
        Header { bytes: self.bytes, name, start, bit: 8 * start, end: 8 * end, fields: Vec::new() }
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

/// What a transport checksum is judged by: the segment from `at` to `end`.
#[derive(Clone, Copy)]
struct Judge {
    checksum: Checksum,
    pseudo: Pseudo,
    at: usize,
    end: usize,
}

impl Judge {
    /// The checksum lies `field` bytes into the header.
    fn remark(self, bytes: &[u8], field: usize) -> Option<Remark> {
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
    fn wrong(self, bytes: &[u8], plain: bool) -> bool {
        let len = if plain { 0 } else { (self.end - self.at) as u64 };
        self.checksum != Checksum::Valid
            && bytes
                .get(self.at..self.end)
                .is_some_and(|segment| fold(self.pseudo.sum + len + sum(segment)) != 0xffff)
    }
}

/// The sum of 16-bit words (RFC 1071), not folded.
fn sum(bytes: &[u8]) -> u64 {
    bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0))).sum()
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).expect("folded")
}

fn mac(value: u128) -> String {
    let bytes = value.to_be_bytes();
    bytes[10..].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn hex16(value: u128) -> String {
    format!("{value:#06x}")
}

fn protocol(value: u128) -> String {
    match u8::try_from(value) {
        Ok(HOP_BY_HOP) => "0 (hop-by-hop options)".into(),
        Ok(ICMP) => "1 (ICMP)".into(),
        Ok(TCP) => "6 (TCP)".into(),
        Ok(UDP) => "17 (UDP)".into(),
        Ok(ROUTING) => "43 (routing)".into(),
        Ok(FRAGMENT) => "44 (fragment)".into(),
        Ok(ICMPV6) => "58 (ICMPv6)".into(),
        Ok(DESTINATION_OPTIONS) => "60 (destination options)".into(),
        _ => value.to_string(),
    }
}

fn address_v4(value: u128) -> String {
    Ipv4Addr::from_bits(u32::try_from(value).expect("32 bits")).to_string()
}

struct Ipv4 {
    len: usize,
    total: usize,
    more: bool,
    offset: u128,
    protocol: u8,
    /// Both addresses, as words of the pseudo-header.
    addresses: u64,
}

/// A length below the least there is is taken for the least: the fields are there all the same.
fn ipv4_fields(header: &mut Header<'_>) -> Option<Ipv4> {
    header.take("version", 4)?;
    let len = 4 * header.say("header_length", 4, |words| format!("{} bytes", 4 * words))?;
    header.take("dscp", 6)?;
    header.take("ecn", 2)?;
    let total = header.take("total_length", 16)?;
    header.say("identification", 16, hex16)?;
    header.flag("reserved")?;
    header.flag("dont_fragment")?;
    let more = header.flag("more_fragments")?;
    let offset = header.say("fragment_offset", 13, |units| format!("{} bytes", 8 * units))?;
    header.take("time_to_live", 8)?;
    let protocol = header.say("protocol", 8, protocol)?;
    header.say("header_checksum", 16, hex16)?;
    let from = header.say("source_address", 32, address_v4)?;
    let to = header.say("destination_address", 32, address_v4)?;
    let words = |address: u128| u64::try_from((address >> 16) + (address & 0xffff)).expect("17 bits");
    Some(Ipv4 {
        len: usize::try_from(len).expect("6 bits").max(20),
        total: usize::try_from(total).expect("16 bits"),
        more,
        offset,
        protocol: u8::try_from(protocol).expect("8 bits"),
        addresses: words(from) + words(to),
    })
}

fn ipv4_option(header: &mut Header<'_>) {
    let left = header.left();
    match header.peek(0) {
        Some(0) => header.raw("option_end", left),
        Some(1) => header.raw("option_no_operation", 1),
        Some(kind) => {
            let len = header.peek(1).map_or(left, |len| usize::from(len).max(2));
            let name = match kind & 0x7f {
                7 => "option_record_route",
                68 => "option_timestamp",
                3 => "option_loose_source_route",
                9 => "option_strict_source_route",
                20 => "option_router_alert",
                _ => "option_unknown",
            };
            header.raw(name, len);
        }
        None => {}
    }
}

fn ipv6_fields(header: &mut Header<'_>) -> Option<(usize, u8)> {
    let address = |value| Ipv6Addr::from_bits(value).to_string();
    header.take("version", 4)?;
    header.take("dscp", 6)?;
    header.take("ecn", 2)?;
    header.say("flow_label", 20, |label| format!("{label:#07x}"))?;
    let len = header.take("payload_length", 16)?;
    let next = header.say("next_header", 8, protocol)?;
    header.take("hop_limit", 8)?;
    header.say("source_address", 128, address)?;
    header.say("destination_address", 128, address)?;
    Some((usize::try_from(len).expect("16 bits"), u8::try_from(next).expect("8 bits")))
}

struct Extension {
    next: u8,
    fragment: bool,
    /// It is not the first fragment: what follows is no header.
    later: bool,
}

/// An extension header (RFC 8200 §4); none where something else follows.
fn extension(header: &mut Header<'_>, kind: u8) -> Option<Extension> {
    let names = match kind {
        HOP_BY_HOP => ["hop_by_hop_next_header", "hop_by_hop_length", "hop_by_hop_options"],
        ROUTING => ["routing_next_header", "routing_length", "routing_data"],
        DESTINATION_OPTIONS => {
            ["destination_options_next_header", "destination_options_length", "destination_options"]
        }
        FRAGMENT => {
            let next = header.say("fragment_next_header", 8, protocol)?;
            header.take("fragment_reserved", 8)?;
            let offset = header.say("fragment_offset", 13, |units| format!("{} bytes", 8 * units))?;
            header.take("fragment_reserved_2", 2)?;
            let more = header.flag("more_fragments")?;
            header.say("identification", 32, |id| format!("{id:#010x}"))?;
            let next = u8::try_from(next).expect("8 bits");
            return Some(Extension { next, fragment: more || offset > 0, later: offset > 0 });
        }
        _ => return None,
    };
    let next = header.say(names[0], 8, protocol)?;
    let len = header.say(names[1], 8, |units| format!("{} bytes", 8 * (units + 1)))?;
    header.raw(names[2], 8 * usize::try_from(len).expect("8 bits") + 6);
    Some(Extension { next: u8::try_from(next).expect("8 bits"), fragment: false, later: false })
}

/// Returns how long the header is.
fn tcp_fields(header: &mut Header<'_>) -> Option<usize> {
    header.take("source_port", 16)?;
    header.take("destination_port", 16)?;
    header.take("sequence_number", 32)?;
    header.take("acknowledgment_number", 32)?;
    let len = 4 * header.say("data_offset", 4, |words| format!("{} bytes", 4 * words))?;
    header.take("reserved", 4)?;
    for flag in ["cwr", "ece", "urg", "ack", "psh", "rst", "syn", "fin"] {
        header.flag(flag)?;
    }
    header.take("window", 16)?;
    header.say("checksum", 16, hex16)?;
    header.take("urgent_pointer", 16)?;
    Some(usize::try_from(len).expect("6 bits").max(20))
}

fn tcp_option(header: &mut Header<'_>) {
    let left = header.left();
    let (Some(kind), said) = (header.peek(0), header.peek(1)) else { return };
    if kind <= 1 {
        let (name, len) = if kind == 0 { ("option_end", left) } else { ("option_no_operation", 1) };
        return header.raw(name, len);
    }
    // One that says it is shorter than its own head takes its head; one that says it is longer takes what there is.
    let len = said.map_or(left, |len| usize::from(len).max(2)).min(left);
    let data = (2..len).filter_map(|at| header.peek(at)).collect::<Vec<_>>();
    let words = data
        .chunks_exact(4)
        .map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
        .collect::<Vec<_>>();
    let (name, value) = match (kind, data.as_slice(), words.as_slice()) {
        (2, [high, low], _) => ("option_mss", Some(u16::from_be_bytes([*high, *low]).to_string())),
        (3, [shift], _) => {
            let times = 1_u32 << shift.min(&14);
            ("option_window_scale", Some(format!("{shift} (times {times})")))
        }
        (4, [], _) => ("option_sack_permitted", Some("permitted".into())),
        (5, _, [_, ..]) if data.len() % 8 == 0 => {
            let blocks = words.chunks(2).map(|block| format!("{}-{}", block[0], block[1]));
            ("option_sack", Some(blocks.collect::<Vec<_>>().join(", ")))
        }
        (8, _, [clock, echo]) if data.len() == 8 => {
            ("option_timestamps", Some(format!("value {clock}, echo {echo}")))
        }
        (28, [_, _], _) => ("option_user_timeout", None),
        (30, ..) => ("option_mptcp", None),
        (34, ..) => ("option_fast_open", None),
        _ => ("option_unknown", None),
    };
    header.raw(name, len);
    if let (Some(value), Some(field)) = (value, header.fields.last_mut()) {
        field.value = value;
    }
}

/// Returns the checksum.
fn udp_fields(header: &mut Header<'_>, v6: bool) -> Option<u128> {
    header.take("source_port", 16)?;
    header.take("destination_port", 16)?;
    header.take("length", 16)?;
    header.say("checksum", 16, |sum| if sum == 0 && !v6 { "0x0000 (none)".into() } else { hex16(sum) })
}

/// Returns the type.
fn icmp_fields(header: &mut Header<'_>, v6: bool) -> Option<u128> {
    let kind = header.say("type", 8, |kind| match (v6, kind) {
        (false, 3) | (true, 1) => format!("{kind} (destination unreachable)"),
        (false, 11) | (true, 3) => format!("{kind} (time exceeded)"),
        (false, 12) | (true, 4) => format!("{kind} (parameter problem)"),
        (true, 2) => "2 (packet too big)".into(),
        _ => kind.to_string(),
    })?;
    let code = header.say("code", 8, |code| match (v6, kind, code) {
        (false, 3, 0) => "0 (network unreachable)".into(),
        (false, 3, 1) => "1 (host unreachable)".into(),
        (false, 3, 2) => "2 (protocol unreachable)".into(),
        (false, 3, 3) | (true, 1, 4) => format!("{code} (port unreachable)"),
        (false, 3, 4) => "4 (fragmentation needed)".into(),
        (false, 3, 9 | 10 | 13) | (true, 1, 1) => format!("{code} (administratively prohibited)"),
        (true, 1, 0) => "0 (no route)".into(),
        (true, 1, 3) => "3 (address unreachable)".into(),
        _ => code.to_string(),
    })?;
    header.say("checksum", 16, hex16)?;
    match (v6, kind, code) {
        (true, 2, _) => {
            header.take("mtu", 32)?;
        }
        (true, 4, _) => {
            header.take("pointer", 32)?;
        }
        (false, 3, 4) => {
            header.take("unused", 16)?;
            header.take("next_hop_mtu", 16)?;
        }
        (false, 12, _) => {
            header.take("pointer", 8)?;
            header.take("unused", 24)?;
        }
        (false, 3 | 11, _) | (true, 1 | 3, _) => {
            header.take("unused", 32)?;
        }
        _ => header.raw("rest_of_header", 4),
    }
    Some(kind)
}

#[cfg(test)]
mod tests;
