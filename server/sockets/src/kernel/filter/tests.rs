use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{IpNumber, PacketBuilder};
use proptest::prelude::*;

use super::*;

/// A frame and the kernel's notes on it.
struct Frame {
    bytes: Vec<u8>,
    kind: u8,
    hardware: u16,
    protocol: u16,
    vlan: bool,
    /// Where the network header begins.
    network: usize,
}

/// What the kernel does with it (linux/filter.h), for the instructions used here.
fn run(program: &[Instruction], frame: &Frame) -> u32 {
    let (mut a, mut x, mut memory, mut pc) = (0_u32, 0_u32, [None; 16], 0);
    let load = |offset: u32, len: usize| -> Option<u32> {
        let offset = offset.cast_signed();
        let value = |n: u32| Some(n);
        if (libc::SKF_AD_OFF..0).contains(&offset) {
            return match offset - libc::SKF_AD_OFF {
                libc::SKF_AD_PKTTYPE => value(frame.kind.into()),
                libc::SKF_AD_HATYPE => value(frame.hardware.into()),
                libc::SKF_AD_PROTOCOL => value(frame.protocol.into()),
                libc::SKF_AD_VLAN_TAG_PRESENT => value(frame.vlan.into()),
                other => panic!("ancillary {other}"),
            };
        }
        let at = if offset < 0 {
            usize::try_from(offset - libc::SKF_NET_OFF).ok()? + frame.network
        } else {
            usize::try_from(offset).ok()?
        };
        let bytes = frame.bytes.get(at..at + len)?;
        Some(bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)))
    };
    loop {
        let Instruction { code, jt, jf, k } = program[pc];
        pc += 1;
        let mut branch = |holds: bool| pc += usize::from(if holds { jt } else { jf });
        match code {
            LD_W_ABS | LD_W_IND | LD_H_IND | LD_B_IND => {
                let (offset, len) = match code {
                    LD_W_ABS => (k, 4),
                    LD_W_IND => (x.wrapping_add(k), 4),
                    LD_H_IND => (x.wrapping_add(k), 2),
                    _ => (x.wrapping_add(k), 1),
                };
                let Some(value) = load(offset, len) else { return 0 };
                a = value;
            }
            LD_MEM => a = memory[k as usize].expect("the kernel refuses to read what was not written"),
            LDX_IMM => x = k,
            LDX_MEM => x = memory[k as usize].expect("the kernel refuses to read what was not written"),
            ST => memory[k as usize] = Some(a),
            STX => memory[k as usize] = Some(x),
            ADD_X => a = a.wrapping_add(x),
            AND_K => a &= k,
            LSH_K => a <<= k,
            TAX => x = a,
            JA => pc += k as usize,
            JEQ_K => branch(a == k),
            JGE_K => branch(a >= k),
            JSET_K => branch(a & k != 0),
            RET => return k,
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn frame(bytes: Vec<u8>) -> Frame {
    let protocol = u16::from_be_bytes([bytes[12], bytes[13]]);
    Frame { bytes, kind: 0, hardware: libc::ARPHRD_ETHER, protocol, vlan: false, network: 14 }
}

fn datagram(protocol: Protocol, from: (IpAddr, u16), to: (IpAddr, u16)) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([0; 6], [0; 6]);
    let builder = match (from.0, to.0) {
        (IpAddr::V4(from), IpAddr::V4(to)) => builder.ipv4(from.octets(), to.octets(), 64),
        (IpAddr::V6(from), IpAddr::V6(to)) => builder.ipv6(from.octets(), to.octets(), 64),
        _ => panic!("one family"),
    };
    let mut bytes = Vec::new();
    match protocol {
        Protocol::Tcp => builder.tcp(from.1, to.1, 1, 1000).write(&mut bytes, b"hello"),
        Protocol::Udp => builder.udp(from.1, to.1).write(&mut bytes, b"hello"),
    }
    .expect("written to memory");
    bytes
}

fn endpoint(protocol: Protocol, address: Option<&str>, port: u16) -> Endpoint {
    Endpoint { protocol, address: address.map(|address| address.parse().expect("an address")), port }
}

fn at(address: &str, port: u16) -> (IpAddr, u16) {
    (address.parse().expect("an address"), port)
}

fn passes(wanted: &[Endpoint], frame: &Frame) -> bool {
    run(&program(&wanted.iter().copied().collect()), frame) == SNAP_LEN
}

#[test]
fn an_end_is_matched_by_protocol_address_and_port_in_both_directions() {
    use Protocol::{Tcp, Udp};
    let wanted = [
        endpoint(Tcp, Some("192.0.2.1"), 80),
        endpoint(Udp, None, 53),
        endpoint(Tcp, Some("2001:db8::1"), 443),
        endpoint(Tcp, Some("::ffff:192.0.2.9"), 99),
    ];
    let table = [
        (Tcp, at("192.0.2.1", 80), at("192.0.2.7", 5), true),
        (Tcp, at("192.0.2.7", 5), at("192.0.2.1", 80), true),
        (Tcp, at("192.0.2.7", 80), at("192.0.2.1", 5), false),
        (Tcp, at("192.0.2.1", 81), at("192.0.2.7", 5), false),
        (Udp, at("192.0.2.1", 80), at("192.0.2.7", 5), false),
        (Udp, at("192.0.2.3", 53), at("192.0.2.7", 5), true),
        (Udp, at("2001:db8::5", 5), at("2001:db8::6", 53), true),
        (Tcp, at("2001:db8::5", 5), at("2001:db8::6", 53), false),
        (Tcp, at("2001:db8::1", 443), at("2001:db8::6", 1), true),
        (Tcp, at("2001:db8::6", 1), at("2001:db8::1", 443), true),
        (Tcp, at("2001:db8::2", 443), at("2001:db8::6", 1), false),
        (Tcp, at("3001:db8::1", 443), at("2001:db8::6", 1), false),
        (Tcp, at("192.0.2.9", 99), at("192.0.2.7", 5), true),
    ];
    for (protocol, from, to, expected) in table {
        let packet = frame(datagram(protocol, from, to));
        assert_eq!(passes(&wanted, &packet), expected, "{protocol:?} {from:?} {to:?}");
    }
}

#[test]
fn each_frame_is_seen_once() {
    let wanted = [endpoint(Protocol::Tcp, None, 80)];
    let seen = |kind: u8, hardware: u16, vlan: bool| {
        let bytes = datagram(Protocol::Tcp, at("127.0.0.1", 80), at("127.0.0.1", 5));
        passes(&wanted, &Frame { kind, hardware, vlan, ..frame(bytes) })
    };
    assert!(seen(libc::PACKET_HOST, libc::ARPHRD_LOOPBACK, false));
    assert!(!seen(libc::PACKET_OUTGOING, libc::ARPHRD_LOOPBACK, false));
    assert!(seen(libc::PACKET_OUTGOING, libc::ARPHRD_ETHER, false));
    assert!(seen(libc::PACKET_HOST, libc::ARPHRD_ETHER, false));
    assert!(!seen(libc::PACKET_OTHERHOST, libc::ARPHRD_ETHER, false));
    assert!(!seen(libc::PACKET_HOST, libc::ARPHRD_ETHER, true));
}

#[test]
fn a_link_without_a_header_is_read_from_the_network_header() {
    let bytes = datagram(Protocol::Tcp, at("192.0.2.1", 80), at("192.0.2.7", 5))[14..].to_vec();
    let packet = Frame {
        bytes,
        kind: libc::PACKET_OUTGOING,
        hardware: 65534,
        protocol: 0x0800,
        vlan: false,
        network: 0,
    };
    assert!(passes(&[endpoint(Protocol::Tcp, Some("192.0.2.1"), 80)], &packet));
    assert!(!passes(&[endpoint(Protocol::Tcp, Some("192.0.2.1"), 81)], &packet));
}

#[test]
fn later_fragments_pass_by_address_alone() {
    let mut bytes = datagram(Protocol::Udp, at("192.0.2.1", 80), at("192.0.2.7", 5));
    bytes[14 + 7] = 100;
    let fragment = frame(bytes);
    assert!(passes(&[endpoint(Protocol::Udp, Some("192.0.2.7"), 1)], &fragment));
    assert!(!passes(&[endpoint(Protocol::Udp, Some("192.0.2.8"), 1)], &fragment));
    assert!(passes(&[endpoint(Protocol::Udp, None, 1)], &fragment));
}

#[test]
fn extension_headers_pass_by_address_alone() {
    let mut bytes = datagram(Protocol::Udp, at("2001:db8::1", 80), at("2001:db8::2", 5));
    bytes[14 + 6] = 44;
    let fragment = frame(bytes);
    assert!(passes(&[endpoint(Protocol::Tcp, Some("2001:db8::2"), 1)], &fragment));
    assert!(!passes(&[endpoint(Protocol::Tcp, Some("2001:db8::3"), 1)], &fragment));
}

#[test]
fn icmp_errors_pass_and_nothing_else_of_it() {
    let wanted = [endpoint(Protocol::Udp, Some("192.0.2.7"), 1)];
    for kind in 0..=255_u8 {
        let mut v4 = Vec::new();
        let builder = PacketBuilder::ethernet2([0; 6], [0; 6]).ipv4([1, 2, 3, 4], [5, 6, 7, 8], 64);
        builder.icmpv4_raw(kind, 0, [0; 4]).write(&mut v4, &[0; 28]).expect("written to memory");
        assert_eq!(passes(&wanted, &frame(v4)), [3, 11, 12].contains(&kind), "{kind}");
        let mut v6 = Vec::new();
        let builder = PacketBuilder::ethernet2([0; 6], [0; 6]).ipv6([1; 16], [2; 16], 64);
        builder.icmpv6_raw(kind, 0, [0; 4]).write(&mut v6, &[0; 48]).expect("written to memory");
        assert_eq!(passes(&wanted, &frame(v6)), kind < 128, "{kind}");
    }
}

#[test]
fn too_many_endpoints_make_it_coarse() {
    let wanted =
        (1..=1000).map(|port| endpoint(Protocol::Tcp, Some("2001:db8::1"), port)).collect::<BTreeSet<_>>();
    assert_eq!(program(&wanted), coarse());
    assert!(coarse().len() < 128);
    let other = frame(datagram(Protocol::Udp, at("192.0.2.1", 80), at("192.0.2.7", 5)));
    assert_eq!(run(&coarse(), &other), SNAP_LEN);
}

#[test]
fn nothing_wanted_is_nothing_seen() {
    assert!(!passes(&[], &frame(datagram(Protocol::Tcp, at("192.0.2.1", 80), at("192.0.2.7", 5)))));
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0..4_u8).prop_map(|n| Ipv4Addr::new(192, 0, 2, n).into()),
        (0..4_u16, 0..2_u16).prop_map(|(m, n)| Ipv6Addr::new(0x2001, m, 0, 0, 0, 0, n, 1).into()),
    ]
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    (any::<bool>(), proptest::option::of(addresses()), 1..6_u16).prop_map(|(tcp, address, port)| {
        let protocol = if tcp { Protocol::Tcp } else { Protocol::Udp };
        Endpoint { protocol, address, port }
    })
}

proptest! {
    #[test]
    fn the_program_says_what_the_definition_says(
        wanted in proptest::collection::btree_set(endpoints(), 1..40),
        tcp in any::<bool>(), from in addresses(), to in addresses(), ports in (1..8_u16, 1..8_u16),
    ) {
        prop_assume!(from.is_ipv4() == to.is_ipv4());
        let protocol = if tcp { Protocol::Tcp } else { Protocol::Udp };
        let packet = frame(datagram(protocol, (from, ports.0), (to, ports.1)));
        let expected = wanted.iter().any(|end| {
            end.protocol == protocol
                && [(from, ports.0), (to, ports.1)].iter().any(|(address, port)| {
                    end.port == *port && end.address.is_none_or(|wanted| wanted == *address)
                })
        });
        prop_assert_eq!(run(&program(&wanted), &packet) == SNAP_LEN, expected);
    }

    #[test]
    fn any_bytes_are_judged(
        wanted in proptest::collection::btree_set(endpoints(), 0..40),
        bytes in proptest::collection::vec(any::<u8>(), 14..100), v6 in any::<bool>(),
    ) {
        let mut packet = frame(bytes);
        packet.protocol = if v6 { 0x86dd } else { 0x0800 };
        let verdict = run(&program(&wanted), &packet);
        prop_assert!(verdict == 0 || verdict == SNAP_LEN);
    }
}

#[test]
fn options_of_the_ip_header_are_stepped_over() {
    let mut bytes = Vec::new();
    PacketBuilder::ethernet2([0; 6], [0; 6])
        .ip(etherparse::IpHeaders::Ipv4(
            etherparse::Ipv4Header {
                options: [1, 1, 1, 1, 1, 1, 1, 0].into(),
                ..etherparse::Ipv4Header::new(0, 64, IpNumber::TCP, [192, 0, 2, 1], [192, 0, 2, 2])
                    .expect("short")
            },
            etherparse::Ipv4Extensions::default(),
        ))
        .tcp(80, 5, 1, 1)
        .write(&mut bytes, &[])
        .expect("written to memory");
    assert!(passes(&[endpoint(Protocol::Tcp, Some("192.0.2.1"), 80)], &frame(bytes.clone())));
    assert!(!passes(&[endpoint(Protocol::Tcp, Some("192.0.2.1"), 5)], &frame(bytes)));
}
