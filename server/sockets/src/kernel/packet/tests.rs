use std::time::Duration;

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;
use crate::kernel::capture::{Checksum, Way};

fn raw(bytes: &[u8], len: usize, link: Link) -> Raw {
    Raw {
        at: Instant::now(),
        wall: Duration::ZERO,
        interface: 1,
        way: Way::In,
        link,
        checksum: Checksum::Unsaid,
        len: u32::try_from(len).expect("short"),
        bytes: bytes.into(),
    }
}

fn understood(bytes: &[u8]) -> Packet {
    Packet::parse(&raw(bytes, bytes.len(), Link::Ethernet)).expect("a packet")
}

fn builder(v6: bool) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    let builder = PacketBuilder::ethernet2([0; 6], [0; 6]);
    if v6 { builder.ipv6([1; 16], [2; 16], 64) } else { builder.ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64) }
}

fn segment(v6: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    builder(v6)
        .tcp(80, 5000, 7, 1000)
        .psh()
        .ack(9)
        .options(&[
            TcpOptionElement::SelectiveAcknowledgement((1, 2), [Some((5, 6)), None, None]),
            TcpOptionElement::Timestamp(1, 2),
        ])
        .expect("they fit")
        .write(&mut bytes, b"hello")
        .expect("written to memory");
    bytes
}

#[test]
fn a_segment_is_understood() {
    for v6 in [false, true] {
        let packet = understood(&segment(v6));
        assert_eq!((packet.from.port(), packet.to.port(), packet.from.is_ipv6()), (80, 5000, v6));
        let tcp = packet.tcp().expect("a segment");
        assert_eq!((tcp.seq, tcp.ack, tcp.window), (7, 9, 1000));
        assert_eq!(tcp.flags, Flags { psh: true, ack: true, ..Flags::default() });
        assert_eq!(tcp.options.sack, [(1, 2), (5, 6)]);
        assert_eq!(tcp.options.timestamps, Some((1, 2)));
        assert_eq!((packet.len, &*packet.payload), (5, &b"hello"[..]));
        // From the network header on, where there is no other.
        let bytes = &segment(v6)[14..];
        assert_eq!(Packet::parse(&raw(bytes, bytes.len(), Link::Ip)).expect("a packet").len, 5);
    }
}

#[test]
fn the_length_is_the_packets_not_that_of_what_was_captured() {
    for v6 in [false, true] {
        let mut bytes = segment(v6);
        let header = bytes.len() - 5;
        let cut = Packet::parse(&raw(&bytes[..header + 2], bytes.len(), Link::Ethernet));
        let cut = cut.expect("a packet");
        assert_eq!((cut.len, &*cut.payload), (5, &b"he"[..]));
        // Padding is not payload.
        let padded = Packet::parse(&raw(&[&bytes[..], &[0; 9]].concat(), bytes.len() + 9, Link::Ethernet));
        assert_eq!(padded.expect("a packet").len, 5);
        // A packet that is longer than its field can say has 0 there.
        let length = if v6 { 18..20 } else { 16..18 };
        bytes[length].fill(0);
        let big = Packet::parse(&raw(&bytes, header + 150_000, Link::Ethernet)).expect("a packet");
        assert_eq!(big.len, 150_000);
    }
}

#[test]
fn fragments_are_told_from_whole_packets() {
    let mut bytes = Vec::new();
    builder(false).udp(53, 54).write(&mut bytes, b"hello").expect("written to memory");
    assert_eq!((understood(&bytes).carries, understood(&bytes).fragmented), (Carries::Udp, None));
    bytes[18..22].copy_from_slice(&[0x12, 0x34, 0x20, 0]);
    let first = understood(&bytes);
    assert_eq!((first.carries, first.fragmented, first.from.port()), (Carries::Udp, Some(0x1234), 53));
    bytes[20..22].copy_from_slice(&[0, 3]);
    let later = understood(&bytes);
    assert_eq!(later.carries, Carries::Fragment { tcp: false, identification: 0x1234 });
    assert_eq!((later.from.port(), later.len), (0, 13));
}

#[test]
fn an_error_tells_what_it_is_about() {
    for v6 in [false, true] {
        let quoted = &segment(v6)[14..][..if v6 { 48 } else { 28 }];
        let mut bytes = Vec::new();
        let outer = builder(v6);
        if v6 {
            outer.icmpv6_raw(1, 4, [0; 4]).write(&mut bytes, quoted)
        } else {
            outer.icmpv4_raw(3, 3, [0; 4]).write(&mut bytes, quoted)
        }
        .expect("written to memory");
        let Carries::Icmp(icmp) = understood(&bytes).carries else { panic!("an error") };
        assert_eq!((icmp.v6, icmp.kind, icmp.code), if v6 { (true, 1, 4) } else { (false, 3, 3) });
        let original = icmp.original;
        assert_eq!((original.tcp, original.seq), (true, Some(7)));
        assert_eq!((original.from.port(), original.to.port()), (80, 5000));
    }
}

/// An extension header that leads to another, of which nothing was captured or which may not stand there.
#[test]
fn an_extension_header_that_leads_nowhere_is_left_alone() {
    let mut bytes = segment(true);
    bytes.truncate(54);
    bytes[14 + 6] = 0;
    for next in [0, 43, 44, 51, 60] {
        let led = [&bytes[..], &[next, 0, 1, 4, 0, 0, 0, 0]].concat();
        assert_eq!(Packet::parse(&raw(&led, 200, Link::Ethernet)), None, "to {next}");
    }
    let fragment = [
        &bytes[..],
        &[60, 0, 1, 4, 0, 0, 0, 0, 51, 0, 1, 4, 0, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    let fragment = [&fragment.concat()[..], &[17, 0, 0, 9, 0, 0, 0, 7, 0, 53, 0, 54, 0, 0, 0, 0]].concat();
    let packet = Packet::parse(&raw(&fragment, 200, Link::Ethernet)).expect("the second of two fragments");
    assert_eq!(packet.carries, Carries::Fragment { tcp: false, identification: 7 });
}

proptest! {
    #[test]
    fn any_bytes_are_judged(
        bytes in proptest::collection::vec(any::<u8>(), 0..256), len in any::<u32>(),
        ip in any::<bool>(), v6 in any::<bool>(),
    ) {
        let mut bytes = bytes;
        if let [_, _, _, _, _, _, _, _, _, _, _, _, high, low, ..] = bytes.as_mut_slice() && !ip {
            [*high, *low] = if v6 { [0x86, 0xdd] } else { [8, 0] };
        }
        let frame = Raw { len, ..raw(&bytes, 0, if ip { Link::Ip } else { Link::Ethernet }) };
        if let Some(packet) = Packet::parse(&frame) {
            prop_assert!(packet.payload.len() <= packet.len as usize);
            prop_assert!(packet.len <= len);
        }
    }

    #[test]
    fn mutated_frames_are_judged(
        v6 in any::<bool>(), cut in 0..100_usize, len in 0..200_usize,
        changes in proptest::collection::vec((0..100_usize, any::<u8>()), 0..6),
    ) {
        let mut bytes = segment(v6);
        for (at, byte) in changes {
            if let Some(it) = bytes.get_mut(at) {
                *it = byte;
            }
        }
        bytes.truncate(cut);
        if let Some(packet) = Packet::parse(&raw(&bytes, len, Link::Ethernet)) {
            prop_assert!(packet.payload.len() <= packet.len as usize);
        }
    }
}

#[test]
fn what_came_damaged_is_said_to_be() {
    for v6 in [false, true] {
        for tcp in [true, false] {
            let builder = PacketBuilder::ethernet2([0; 6], [1; 6]);
            let builder = if v6 {
                builder.ipv6([1; 16], [2; 16], 64)
            } else {
                builder.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            };
            let mut bytes = Vec::new();
            if tcp {
                builder.tcp(1, 2, 3, 4).write(&mut bytes, b"payload").expect("into memory");
            } else {
                builder.udp(1, 2).write(&mut bytes, b"payload").expect("into memory");
            }
            let damaged = |bytes: &[u8], way, checksum| {
                let raw = Raw { way, checksum, ..raw(bytes, bytes.len(), Link::Ethernet) };
                Packet::parse(&raw).expect("a packet").damaged
            };
            assert!(!damaged(&bytes, Way::In, Checksum::Unsaid), "as it was sent");
            *bytes.last_mut().expect("payload") ^= 1;
            assert!(damaged(&bytes, Way::In, Checksum::Unsaid));
            assert!(!damaged(&bytes, Way::In, Checksum::Valid), "the card says otherwise");
            assert!(!damaged(&bytes, Way::In, Checksum::Unfilled));
            assert!(!damaged(&bytes, Way::Loopback, Checksum::Unsaid), "nobody looks at it");
        }
    }
}
