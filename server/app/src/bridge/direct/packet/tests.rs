use proptest::prelude::*;

use super::*;

/// A whole packet of each type that a client says.
fn each() -> [(PacketType, Vec<u8>); 6] {
    [
        (PacketType::Open, packet(PacketType::Open, 1, b"{}")),
        (PacketType::Data, packet(PacketType::Data, 7, b"payload")),
        (PacketType::Datagram, packet(PacketType::Datagram, 7, b"\x04\x09\x35\x00127.0.0.1data")),
        (PacketType::Credit, packet(PacketType::Credit, 7, &64_u32.to_le_bytes())),
        (PacketType::Fin, packet(PacketType::Fin, 7, &[])),
        (PacketType::Close, packet(PacketType::Close, 7, &[1])),
    ]
}

#[test]
fn bytes_lie_where_the_document_has_them() {
    assert_eq!(head(PacketType::Data, 0xa0b0_c0d0), [2, 0xd0, 0xc0, 0xb0, 0xa0]);
    assert_eq!(place_of(None), [0; 4]);
    assert_eq!(place_of(Some(([127, 0, 0, 1], 53).into())), b"\x04\x09\x35\x00127.0.0.1");
    assert_eq!(place_of(Some("[::1]:256".parse().expect("an address"))), b"\x06\x03\x00\x01::1");
    let [_, _, datagram, credit, _, close] = each();
    let place = Place { host: "127.0.0.1", port: 53, family: Some(Family::V4) };
    assert_eq!(
        Packet::parse(&datagram.1),
        Ok(Packet::Datagram { socket: 7, to: Some(place), payload: b"data" })
    );
    assert_eq!(Packet::parse(&credit.1), Ok(Packet::Credit { socket: 7, amount: 64 }));
    assert_eq!(Packet::parse(&close.1), Ok(Packet::Close { socket: 7, discard: true }));
}

#[test]
fn a_packet_cut_anywhere_is_wrong_or_what_is_left_of_its_payload() {
    for (packet_type, whole) in each() {
        let socket = Head::parse(&whole).expect("a type").expect("a head").socket;
        assert!(Packet::parse(&whole).is_ok(), "{packet_type:?}");
        for cut in 0..whole.len() {
            let part = &whole[..cut];
            assert_eq!(
                Head::parse(part),
                Ok((cut >= 5).then_some(Head { packet_type, socket })),
                "{packet_type:?} at {cut}"
            );
            let parsed = Packet::parse(part);
            match packet_type {
                PacketType::Open | PacketType::Data if cut >= 5 => assert!(parsed.is_ok()),
                // Four bytes and the host; the rest is the datagram's.
                PacketType::Datagram if cut >= 18 => assert!(parsed.is_ok()),
                _ => assert_eq!(parsed, Err(Wrong::Truncated), "{packet_type:?} at {cut}"),
            }
        }
    }
}

#[test]
fn what_no_client_says_is_wrong() {
    for (said, wrong) in [
        (packet(PacketType::Opened, 1, b"{}"), Wrong::PacketType(7)),
        (packet(PacketType::Closed, 1, b"{}"), Wrong::PacketType(9)),
        (vec![0], Wrong::PacketType(0)),
        (vec![0xff, 0, 0], Wrong::PacketType(0xff)),
        (packet(PacketType::Credit, 1, &[0; 5]), Wrong::Long),
        (packet(PacketType::Fin, 1, &[0]), Wrong::Long),
        (packet(PacketType::Close, 1, &[2]), Wrong::Close(2)),
        (packet(PacketType::Close, 1, &[0, 0]), Wrong::Long),
        (packet(PacketType::Datagram, 1, &[5, 0, 0, 0]), Wrong::Family(5)),
        (packet(PacketType::Datagram, 1, &[0, 0, 1, 0]), Wrong::Place),
        (packet(PacketType::Datagram, 1, &[4, 0, 0, 0]), Wrong::Place),
        (packet(PacketType::Datagram, 1, &[0, 1, 0, 0, b'a']), Wrong::Place),
        (packet(PacketType::Datagram, 1, &[0, 1, 1, 0, 0xff]), Wrong::Place),
    ] {
        assert_eq!(Packet::parse(&said), Err(wrong), "{said:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_much_for_it(message in proptest::collection::vec(any::<u8>(), 0..64)) {
        match (Head::parse(&message), Packet::parse(&message)) {
            (Err(wrong), parsed) => prop_assert_eq!(parsed, Err(wrong)),
            (Ok(None), parsed) => prop_assert_eq!(parsed, Err(Wrong::Truncated)),
            (Ok(Some(_)), _) => prop_assert!(message.len() >= Head::LEN),
        }
    }

    #[test]
    fn what_came_from_somewhere_can_be_sent_back_there(ip: std::net::IpAddr, port in 1_u16.., data in proptest::collection::vec(any::<u8>(), 0..64)) {
        let payload = [&place_of(Some((ip, port).into())), &data[..]].concat();
        let said = packet(PacketType::Datagram, 1, &payload);
        match Packet::parse(&said) {
            Ok(Packet::Datagram { to: Some(to), payload, .. }) => {
                prop_assert_eq!(to.host.parse::<std::net::IpAddr>().ok(), Some(ip));
                prop_assert_eq!(to.port, port);
                prop_assert_eq!(payload, &data[..]);
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
