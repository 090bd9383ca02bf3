use super::*;
use Class::*;
use proptest::prelude::*;

fn class(text: &str) -> Class {
    classify(text.parse().expect(text))
}

/// The first and the last address of every range, and their neighbours outside.
#[test]
fn every_range_begins_and_ends_where_its_document_says() {
    for (text, expected) in [
        ("0.0.0.0", Unspecified),
        ("0.0.0.1", Reserved),
        ("0.255.255.255", Reserved),
        ("1.0.0.0", Public),
        ("9.255.255.255", Public),
        ("10.0.0.0", Private),
        ("10.255.255.255", Private),
        ("11.0.0.0", Public),
        ("100.63.255.255", Public),
        ("100.64.0.0", Cgnat),
        ("100.127.255.255", Cgnat),
        ("100.128.0.0", Public),
        ("126.255.255.255", Public),
        ("127.0.0.0", Loopback),
        ("127.255.255.255", Loopback),
        ("128.0.0.0", Public),
        ("169.253.255.255", Public),
        ("169.254.0.0", LinkLocal),
        ("169.254.255.255", LinkLocal),
        ("169.255.0.0", Public),
        ("172.15.255.255", Public),
        ("172.16.0.0", Private),
        ("172.31.255.255", Private),
        ("172.32.0.0", Public),
        ("191.255.255.255", Public),
        ("192.0.0.0", Reserved),
        ("192.0.0.8", Reserved),
        ("192.0.0.9", Public),
        ("192.0.0.10", Public),
        ("192.0.0.11", Reserved),
        ("192.0.0.255", Reserved),
        ("192.0.1.0", Public),
        ("192.0.2.0", Private),
        ("192.0.2.255", Private),
        ("192.0.3.0", Public),
        ("192.31.196.1", Public),
        ("192.88.98.255", Public),
        ("192.88.99.0", Reserved),
        ("192.88.100.0", Public),
        ("192.167.255.255", Public),
        ("192.168.0.0", Private),
        ("192.168.255.255", Private),
        ("192.169.0.0", Public),
        ("198.17.255.255", Public),
        ("198.18.0.0", Private),
        ("198.19.255.255", Private),
        ("198.20.0.0", Public),
        ("198.51.99.255", Public),
        ("198.51.100.0", Private),
        ("198.51.101.0", Public),
        ("203.0.112.255", Public),
        ("203.0.113.0", Private),
        ("203.0.114.0", Public),
        ("223.255.255.255", Public),
        ("224.0.0.0", Multicast),
        ("239.255.255.255", Multicast),
        ("240.0.0.0", Reserved),
        ("255.255.255.254", Reserved),
        ("255.255.255.255", Broadcast),
        ("::", Unspecified),
        ("::1", Loopback),
        ("100::1", Reserved),
        ("100:0:0:1::1", Reserved),
        ("1fff:ffff::1", Reserved),
        ("2000::", Public),
        ("2001:1::", Reserved),
        ("2001:1::1", Public),
        ("2001:1::2", Public),
        ("2001:1::3", Public),
        ("2001:1::4", Reserved),
        ("2001:2::1", Private),
        ("2001:2:1::1", Reserved),
        ("2001:3::1", Public),
        ("2001:4:111::1", Reserved),
        ("2001:4:112::1", Public),
        ("2001:10::1", Reserved),
        ("2001:20::1", Reserved),
        ("2001:30::1", Reserved),
        ("2001:1ff:ffff::1", Reserved),
        ("2001:200::1", Public),
        ("2001:db7:ffff::1", Public),
        ("2001:db8::1", Private),
        ("2001:db8:ffff::1", Private),
        ("2001:db9::1", Public),
        ("2606:4700::1", Public),
        ("3ffe::1", Public),
        ("3fff::1", Private),
        ("3fff:fff:ffff::1", Private),
        ("3fff:1000::1", Public),
        ("4000::1", Reserved),
        ("5f00::1", Reserved),
        ("fbff::1", Reserved),
        ("fc00::", Ula),
        ("fdff:ffff::1", Ula),
        ("fe00::1", Reserved),
        ("fe80::1", LinkLocal),
        ("febf::1", LinkLocal),
        ("fec0::1", Reserved),
        ("feff::1", Reserved),
        ("ff00::", Multicast),
        ("ff02::1", Multicast),
        ("ffff::1", Multicast),
    ] {
        assert_eq!(class(text), expected, "{text}");
    }
}

#[test]
fn every_metadata_address_is_one_mapped_too() {
    for &v4 in METADATA_V4 {
        assert_eq!(classify(v4.into()), Metadata, "{v4}");
        assert_eq!(classify(v4.to_ipv6_mapped().into()), Metadata, "::ffff:{v4}");
    }
    for &v6 in METADATA_V6 {
        assert_eq!(classify(v6.into()), Metadata, "{v6}");
    }
    for named in [
        "169.254.169.254",
        "fd00:ec2::254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd20:ce::254",
    ] {
        assert_eq!(class(named), Metadata, "{named}");
    }
    for neighbour in ["169.254.169.253", "fd00:ec2::253", "168.63.129.17"] {
        assert_ne!(class(neighbour), Metadata, "{neighbour}");
    }
}

/// An IPv4 address in every wrapping there is.
fn wrapped(inner: Ipv4Addr) -> Vec<(&'static str, Ipv6Addr)> {
    let [a, b, c, d] = inner.octets();
    let (hi, lo) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let octets = |prefix: &[u8], at: &[(usize, u8)]| {
        let mut octets = [0; 16];
        octets[..prefix.len()].copy_from_slice(prefix);
        at.iter().for_each(|&(i, b)| octets[i] = b);
        Ipv6Addr::from(octets)
    };
    let local = [0, 0x64, 0xff, 0x9b, 0, 1];
    vec![
        ("compatible", v6([0, 0, 0, 0, 0, 0, hi, lo])),
        ("translated", v6([0, 0, 0, 0, 0xffff, 0, hi, lo])),
        ("nat64", v6([0x64, 0xff9b, 0, 0, 0, 0, hi, lo])),
        ("local nat64 /48", octets(&local, &[(6, a), (7, b), (9, c), (10, d)])),
        ("local nat64 /56", octets(&local, &[(6, 9), (7, a), (9, b), (10, c), (11, d)])),
        ("local nat64 /64", octets(&local, &[(6, 9), (7, 9), (9, a), (10, b), (11, c), (12, d)])),
        ("local nat64 /96", v6([0x64, 0xff9b, 1, 2, 3, 4, hi, lo])),
        ("6to4", v6([0x2002, hi, lo, 1, 0, 0, 0, 1])),
        ("teredo server", v6([0x2001, 0, hi, lo, 0x8000, 0x63bf, 0x3fff, 0xfdd2])),
        ("teredo client", v6([0x2001, 0, 0x4136, 0xe378, 0x8000, 0x63bf, !hi, !lo])),
        ("isatap link-local", v6([0xfe80, 0, 0, 0, 0, 0x5efe, hi, lo])),
        ("isatap global", v6([0x2606, 1, 2, 3, 0x200, 0x5efe, hi, lo])),
        ("isatap ula", v6([0xfd12, 1, 2, 3, 0, 0x5efe, hi, lo])),
    ]
}

#[test]
fn a_wrapping_is_metadata_inside_and_embedded_otherwise() {
    for (inner, expected) in [
        (v4(192, 168, 1, 1), Embedded),
        (v4(127, 0, 0, 1), Embedded),
        (v4(93, 184, 216, 34), Embedded),
        (v4(169, 254, 169, 254), Metadata),
        (v4(100, 100, 100, 200), Metadata),
        (v4(168, 63, 129, 16), Metadata),
    ] {
        for (how, addr) in wrapped(inner) {
            assert!(embed::embedded(addr).contains(&inner), "{how} {addr} hides {inner}");
            assert_eq!(classify(addr.into()), expected, "{how}: {addr} around {inner}");
        }
    }
}

#[test]
fn what_only_looks_like_a_wrapping_is_none() {
    for text in
        ["2606:4700::6810:84e5", "fe80::5efe", "fd00:5efe::a9fe:a9fe", "ff02::5efe:a9fe:a9fe", "::", "::1"]
    {
        let addr: Ipv6Addr = text.parse().expect(text);
        assert_eq!(embed::embedded(addr), Vec::<Ipv4Addr>::new(), "{text}");
    }
}

proptest! {
    #[test]
    fn mapped_is_what_it_maps(bits in any::<u32>()) {
        let v4 = Ipv4Addr::from_bits(bits);
        prop_assert_eq!(classify(v4.into()), classify(v4.to_ipv6_mapped().into()));
    }

    #[test]
    fn no_wrapping_of_anything_is_public(bits in any::<u32>()) {
        for (how, addr) in wrapped(Ipv4Addr::from_bits(bits)) {
            let class = classify(addr.into());
            let itself = addr == Ipv6Addr::UNSPECIFIED || addr == Ipv6Addr::LOCALHOST;
            prop_assert!(itself || matches!(class, Embedded | Metadata), "{} {} {}", how, addr, class);
        }
    }

    #[test]
    fn every_address_has_a_class_and_never_our_own(bits in any::<u128>(), prefix in 0u16..) {
        for bits in [bits, bits >> 96, bits >> 16 | u128::from(prefix) << 112] {
            prop_assert_ne!(classify(Ipv6Addr::from_bits(bits).into()), SelfControl);
        }
    }
}
