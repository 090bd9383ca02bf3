//! The fields of each header, in the order of its bytes.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::header::Header;

pub(super) const HOP_BY_HOP: u8 = 0;
pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ROUTING: u8 = 43;
pub(super) const FRAGMENT: u8 = 44;
pub(super) const ICMPV6: u8 = 58;
pub(super) const DESTINATION_OPTIONS: u8 = 60;

pub(super) fn mac(value: u128) -> String {
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

pub(super) struct Ipv4 {
    pub(super) len: usize,
    pub(super) total: usize,
    pub(super) more: bool,
    pub(super) offset: u128,
    pub(super) protocol: u8,
    /// Both addresses, as words of the pseudo-header.
    pub(super) addresses: u64,
}

/// A length below the least there is is taken for the least: the fields are there all the same.
pub(super) fn ipv4_fields(header: &mut Header<'_>) -> Option<Ipv4> {
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

pub(super) fn ipv4_option(header: &mut Header<'_>) {
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

pub(super) fn ipv6_fields(header: &mut Header<'_>) -> Option<(usize, u8)> {
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

pub(super) struct Extension {
    pub(super) next: u8,
    pub(super) fragment: bool,
    /// It is not the first fragment: what follows is no header.
    pub(super) later: bool,
}

/// An extension header (RFC 8200 §4); none where something else follows.
pub(super) fn extension(header: &mut Header<'_>, kind: u8) -> Option<Extension> {
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
pub(super) fn tcp_fields(header: &mut Header<'_>) -> Option<usize> {
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

pub(super) fn tcp_option(header: &mut Header<'_>) {
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
pub(super) fn udp_fields(header: &mut Header<'_>, v6: bool) -> Option<u128> {
    header.take("source_port", 16)?;
    header.take("destination_port", 16)?;
    header.take("length", 16)?;
    header.say("checksum", 16, |sum| if sum == 0 && !v6 { "0x0000 (none)".into() } else { hex16(sum) })
}

/// Returns the type.
pub(super) fn icmp_fields(header: &mut Header<'_>, v6: bool) -> Option<u128> {
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
