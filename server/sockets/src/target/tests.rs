use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Result<Target, TargetError> {
    text.parse()
}

#[test]
fn canonical_form_of_what_is_understood() {
    for (text, canonical) in [
        ("tcp://example.com:80", "tcp://example.com:80"),
        ("TCP://Example.COM.:80", "tcp://example.com:80"),
        ("tcp://127.0.0.1:80", "tcp://127.0.0.1:80"),
        ("tcp://[::1]:80", "tcp://[::1]:80"),
        ("tcp://[0:0:0:0:0:0:0:1]:80", "tcp://[::1]:80"),
        ("tcp://[::FFFF:127.0.0.1]:80", "tcp://[::ffff:127.0.0.1]:80"),
        ("tcp://[fe80::1%eth0]:80", "tcp://[fe80::1%eth0]:80"),
        ("tcp://[fe80::1%25eth0]:80", "tcp://[fe80::1%eth0]:80"),
        ("tcp://[fe80::1%2]:80", "tcp://[fe80::1%2]:80"),
        ("tcp://[fe80::1%25]:80", "tcp://[fe80::1%25]:80"),
        ("tcp://[fe80::1%252]:80", "tcp://[fe80::1%2]:80"),
        ("tcp://[fe80::1%25251]:80", "tcp://[fe80::1%25251]:80"),
        ("udp://bücher.example:53", "udp://xn--bcher-kva.example:53"),
        ("udp://例え。テスト:53", "udp://xn--r8jz45g.xn--zckzah:53"),
        ("udp://ｅｘａｍｐｌｅ．com:53", "udp://example.com:53"),
        ("udp://_dns._udp.example:53", "udp://_dns._udp.example:53"),
        ("udp://r3---sn-4g5e6n7k.example:53", "udp://r3---sn-4g5e6n7k.example:53"),
        ("udp://1e100.net:53", "udp://1e100.net:53"),
        ("udp://10.example:53", "udp://10.example:53"),
        ("tcp-listen://:9000", "tcp-listen://:9000"),
        ("udp-bind://:0", "udp-bind://:0"),
        ("tcp-listen://0.0.0.0:0", "tcp-listen://0.0.0.0:0"),
        ("udp-bind://[::]:65535", "udp-bind://[::]:65535"),
    ] {
        assert_eq!(read(text).map(|target| target.to_string()).as_deref(), Ok(canonical), "{text}");
    }
}

#[test]
fn a_complaint_names_its_reason_and_its_place() {
    for (text, reason, position) in [
        ("", "no_scheme", Some(0)),
        ("example.com:80", "no_scheme", Some(0)),
        ("://a:1", "no_scheme", Some(0)),
        ("t\u{1b}cp://a:1", "control_character", Some(1)),
        ("gopher://a:1", "unsupported_scheme", None),
        ("tcp:// a:1", "whitespace", Some(6)),
        ("tcp://é\u{a0}:1", "whitespace", Some(7)),
        ("tcp://u:p@a:1", "userinfo", Some(9)),
        ("tcp://a:1/", "path", Some(9)),
        ("tcp://a:1?x", "query", Some(9)),
        ("tcp://a:1#x", "fragment", Some(9)),
        ("tcp://:1", "host_missing", Some(6)),
        ("tcp://127.1:1", "numeric", Some(6)),
        ("tcp://a_b!c:1", "character", Some(9)),
        ("tcp://\u{202e}a:1", "unicode", Some(6)),
        ("tcp://-a:1", "hyphen", Some(6)),
        ("tcp://a..b:1", "empty_label", Some(6)),
        ("tcp://[]:1", "not_ipv6", Some(7)),
        ("tcp://[::1:1", "bracket", Some(6)),
        ("tcp://[::1]]:1", "bracket", Some(11)),
        ("tcp://::1", "unbracketed_ipv6", Some(6)),
        ("tcp://fe80::1%lo:80", "unbracketed_ipv6", Some(6)),
        ("tcp://[fe80::1%]:1", "zone", Some(15)),
        ("tcp://a", "port_missing", Some(7)),
        ("tcp://a:", "port_missing", Some(8)),
        ("tcp://a:8o", "not_a_number", Some(9)),
        ("tcp://a:-1", "not_a_number", Some(8)),
        ("tcp://a:０", "not_a_number", Some(8)),
        ("tcp://a:080", "leading_zero", Some(8)),
        ("tcp://a:65536", "out_of_range", Some(8)),
        ("tcp://a:99999999999999999999", "out_of_range", Some(8)),
        ("tcp://a:0", "zero", Some(8)),
        ("tcp://a:1:2", "doubled", Some(9)),
    ] {
        let error = read(text).expect_err(text);
        assert_eq!((error.reason(), error.position()), (reason, position), "{text}: {error}");
    }
}

#[test]
fn limits_of_length_hold_to_the_byte() {
    let label = |len| "a".repeat(len);
    let name = |last| [label(63), label(63), label(63), label(last)].join(".");
    let reason = |host: String| read(&format!("tcp://{host}:1")).map_err(|error| error.reason());
    assert!(reason(label(63)).is_ok());
    assert_eq!(reason(label(64)), Err("label_too_long"));
    assert!(reason(name(61)).is_ok());
    assert!(reason(name(61) + ".").is_ok(), "the final dot does not count");
    assert_eq!(reason(name(62)), Err("name_too_long"));
    let zone = |len| format!("[fe80::1%{}]", label(len));
    assert!(reason(zone(15)).is_ok());
    assert_eq!(reason(zone(16)), Err("zone"));
    assert_eq!(reason(label(512)), Err("too_long"));
    let long = "é".repeat(300);
    assert_eq!(read(&long).map_err(|error| error.position()), Err(Some(256)));
}

#[test]
fn an_endpoint_is_a_host_and_a_port_and_nothing_else() {
    let name = Host::Name("example.com".into());
    assert_eq!(parse_endpoint("example.com:53"), Ok((name, 53)));
    for (text, reason) in [
        ("example.com", "port_missing"),
        (":53", "host_missing"),
        ("a:0", "zero"),
        ("udp://a:53", "path"),
        ("[::1]", "port_missing"),
    ] {
        assert_eq!(parse_endpoint(text).map_err(|error| error.reason()), Err(reason), "{text}");
    }
}

/// Texts near to targets, where mistakes hide.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("tcp://"),
        Just("udp-bind://"),
        Just("["),
        Just("]"),
        Just(":"),
        Just("::"),
        Just("%"),
        Just("%25"),
        Just("127.0.0.1"),
        Just("0x7f"),
        Just("fe80::1"),
        Just("eth0"),
        Just("."),
        Just("。"),
        Just("①"),
        Just("xn--"),
        Just("a"),
        Just("-"),
        Just("@"),
        Just("/"),
        Just("80"),
        Just("0"),
        Just("\u{ad}"),
        Just("ß"),
        Just("\0"),
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), near in nearly()) {
        for text in [text.clone(), format!("tcp://{text}"), format!("tcp://[{text}]:1"), format!("tcp://{text}:1"), near] {
            let _ = read(&text);
            let _ = parse_endpoint(&text);
        }
    }

    #[test]
    fn the_canonical_form_reads_back_as_itself(text in prop_oneof![
        nearly(),
        r"tcp-listen://\PC{0,30}:[0-9]{1,5}",
        r"udp://\[[0-9a-f:]{2,20}(%[a-z0-9]{1,6})?\]:[1-9][0-9]{0,4}",
    ]) {
        if let Ok(target) = read(&text) {
            prop_assert_eq!(read(&target.to_string()), Ok(target));
        }
    }

    #[test]
    fn a_name_is_letters_digits_hyphens_and_no_number(host in r"\PC{1,40}") {
        if let Ok(Target { host: Host::Name(name), .. }) = read(&format!("tcp://{host}:1")) {
            prop_assert!(name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.')), "{}", name);
            prop_assert!(name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len())));
            prop_assert!(name.parse::<std::net::IpAddr>().is_err());
            prop_assert!(!name.rsplit('.').next().expect("a part").bytes().all(|b| b.is_ascii_digit()));
        }
    }

    #[test]
    fn every_position_is_within_the_text(text in any::<String>(), near in nearly()) {
        for text in [text, near] {
            if let Err(error) = read(&text) {
                prop_assert!(error.position().is_none_or(|at| at <= text.chars().count()));
            }
        }
    }
}
