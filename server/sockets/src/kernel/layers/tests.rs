use etherparse::{PacketBuilder, TcpOptionElement};
use proptest::prelude::*;

use super::*;

/// Headers are tiled, one layer follows the other, and nothing reaches beyond the frame.
fn assert_tiled(bytes: &[u8], len: u32, layers: &[Layer]) {
    let mut at = 0;
    for layer in layers {
        assert_eq!(layer.offset, at, "{layers:#?}");
        let mut bit = 8 * at;
        for field in &layer.fields {
            assert_eq!(field.bit_offset, bit, "{layer:#?}");
            assert!(field.bit_len > 0, "{layer:#?}");
            bit += field.bit_len;
        }
        at += layer.len;
        assert_eq!(bit, 8 * at, "{layer:#?}");
        assert!(layer.name == "payload" || at as usize <= bytes.len());
    }
    assert_eq!(at, len.max(u32::try_from(bytes.len()).expect("short")), "{layers:#?}");
}

fn apart(bytes: &[u8]) -> Vec<Layer> {
    let len = u32::try_from(bytes.len()).expect("short");
    let layers = layers(bytes, len, Link::Ethernet, Checksum::Unsaid);
    assert_tiled(bytes, len, &layers);
    layers
}

fn names(layers: &[Layer]) -> Vec<&'static str> {
    layers.iter().map(|layer| layer.name).collect()
}

fn field<'a>(layers: &'a [Layer], layer: &str, name: &str) -> &'a Field {
    let layer = layers.iter().find(|it| it.name == layer).expect("the layer");
    layer.fields.iter().find(|field| field.name == name).expect("the field")
}

fn segment(v6: bool) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([0; 6], [1, 2, 3, 4, 5, 6]);
    let builder = if v6 {
        builder.ipv6([1; 16], [2; 16], 64)
    } else {
        builder.ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
    };
    let mut bytes = Vec::new();
    builder
        .tcp(80, 5000, 7, 1000)
        .syn()
        .ack(9)
        .options(&[
            TcpOptionElement::MaximumSegmentSize(1460),
            TcpOptionElement::SelectiveAcknowledgementPermitted,
            TcpOptionElement::Timestamp(1, 2),
            TcpOptionElement::Noop,
            TcpOptionElement::WindowScale(7),
        ])
        .expect("they fit")
        .write(&mut bytes, b"hello")
        .expect("written to memory");
    bytes
}

#[test]
fn a_segment_is_named_to_the_last_bit() {
    for v6 in [false, true] {
        let layers = apart(&segment(v6));
        assert_eq!(names(&layers), ["ethernet", if v6 { "ipv6" } else { "ipv4" }, "tcp", "payload"]);
        assert_eq!(field(&layers, "ethernet", "destination").value, "01:02:03:04:05:06");
        for (name, value) in [
            ("source_port", "80"),
            ("sequence_number", "7"),
            ("acknowledgment_number", "9"),
            ("syn", "set"),
            ("ack", "set"),
            ("fin", "not set"),
            ("option_mss", "1460"),
            ("option_window_scale", "7 (times 128)"),
            ("option_timestamps", "value 1, echo 2"),
            ("option_sack_permitted", "permitted"),
        ] {
            assert_eq!(field(&layers, "tcp", name).value, value, "{name}");
        }
        assert_eq!(field(&layers, "payload", "data").value, "5 bytes");
        assert!(layers.iter().flat_map(|layer| &layer.fields).all(|field| field.remark.is_none()));
    }
}

#[test]
fn a_checksum_is_right_wrong_or_not_filled_in() {
    for v6 in [false, true] {
        let mut bytes = segment(v6);
        let at = 14 + if v6 { 40 } else { 20 };
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(field(&apart(&bytes), "tcp", "checksum").remark, Some(Remark::ChecksumWrong));
        let addresses = if v6 { 14 + 8..14 + 40 } else { 14 + 12..14 + 20 };
        let partial = fold(sum(&bytes[addresses]) + 6 + (bytes.len() - at) as u64);
        bytes[at + 16..at + 18].copy_from_slice(&partial.to_be_bytes());
        assert_eq!(field(&apart(&bytes), "tcp", "checksum").remark, Some(Remark::ChecksumUnfilled));
        // Where not everything was captured, nobody can say.
        let (bytes, len) = (segment(v6), u32::try_from(bytes.len()).expect("short"));
        let cut = layers(&bytes[..bytes.len() - 1], len, Link::Ethernet, Checksum::Unsaid);
        assert_tiled(&bytes[..bytes.len() - 1], len, &cut);
        assert_eq!(field(&cut, "tcp", "checksum").remark, None);
        let unfilled = layers(&bytes, len, Link::Ethernet, Checksum::Unfilled);
        assert_eq!(field(&unfilled, "tcp", "checksum").remark, Some(Remark::ChecksumUnfilled));
    }
    let mut bytes = segment(false);
    bytes[14 + 8] = 1;
    assert_eq!(field(&apart(&bytes), "ipv4", "header_checksum").remark, Some(Remark::ChecksumWrong));
}

#[test]
fn a_length_of_nothing_is_offloaded() {
    let mut bytes = segment(false);
    bytes[16..18].fill(0);
    assert_eq!(field(&apart(&bytes), "ipv4", "total_length").remark, Some(Remark::OffloadedLength));
    let mut bytes = segment(true);
    bytes[18..20].fill(0);
    let layers = apart(&bytes);
    assert_eq!(field(&layers, "ipv6", "payload_length").remark, Some(Remark::OffloadedLength));
    assert_eq!(field(&layers, "payload", "data").value, "5 bytes");
}

#[test]
fn an_error_shows_what_it_quotes() {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([0; 6], [0; 6])
        .ipv4([192, 0, 2, 2], [192, 0, 2, 1], 64)
        .icmpv4_raw(3, 3, [0; 4])
        .write(&mut bytes, &segment(false)[14..14 + 28])
        .expect("written to memory");
    let layers = apart(&bytes);
    assert_eq!(names(&layers), ["ethernet", "ipv4", "icmp", "ipv4", "tcp"]);
    assert_eq!(field(&layers, "icmp", "code").value, "3 (port unreachable)");
    assert_eq!(field(&layers, "tcp", "sequence_number").value, "7");
    assert!(layers.iter().flat_map(|layer| &layer.fields).all(|field| field.remark.is_none()));
}

#[test]
fn extension_headers_belong_to_ipv6() {
    let mut bytes = segment(true);
    let tcp = bytes.split_off(54);
    // Hop-by-hop options, then a first and only fragment, then TCP.
    bytes[14 + 6] = 0;
    bytes.extend([44, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 9]);
    bytes[14 + 5] += 16;
    bytes.extend(tcp);
    let layers = apart(&bytes);
    assert_eq!(names(&layers), ["ethernet", "ipv6", "tcp", "payload"]);
    assert_eq!(field(&layers, "ipv6", "hop_by_hop_next_header").value, "44 (fragment)");
    assert_eq!(field(&layers, "ipv6", "identification").value, "0x00000009");
    assert_eq!(field(&layers, "tcp", "checksum").remark, None);
}

#[test]
fn what_fills_a_short_frame_is_padding() {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([0; 6], [0; 6])
        .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .udp(53, 54)
        .write(&mut bytes, b"hi")
        .expect("written to memory");
    bytes.resize(60, 0);
    let layers = apart(&bytes);
    assert_eq!(field(&layers, "payload", "data").value, "2 bytes");
    assert_eq!(field(&layers, "payload", "padding").value, "16 bytes");
    assert_eq!(field(&layers, "udp", "checksum").remark, None);
}

proptest! {
    #[test]
    fn any_bytes_are_tiled(
        bytes in proptest::collection::vec(any::<u8>(), 0..256), len in 0..100_000_u32,
        ip in any::<bool>(), v6 in any::<bool>(),
    ) {
        let mut bytes = bytes;
        if let [_, _, _, _, _, _, _, _, _, _, _, _, high, low, ..] = bytes.as_mut_slice() && !ip {
            [*high, *low] = if v6 { IPV6 } else { IPV4 }.to_be_bytes();
        }
        let link = if ip { Link::Ip } else { Link::Ethernet };
        let layers = layers(&bytes, len, link, Checksum::Unsaid);
        assert_tiled(&bytes, len, &layers);
    }

    #[test]
    fn mutated_frames_are_tiled(
        v6 in any::<bool>(), cut in 0..100_usize,
        changes in proptest::collection::vec((0..100_usize, any::<u8>()), 0..6),
    ) {
        let mut bytes = segment(v6);
        let len = u32::try_from(bytes.len()).expect("short");
        for (at, byte) in changes {
            if let Some(it) = bytes.get_mut(at) {
                *it = byte;
            }
        }
        bytes.truncate(cut);
        let layers = layers(&bytes, len, Link::Ethernet, Checksum::Unsaid);
        assert_tiled(&bytes, len, &layers);
    }
}
