use proptest::prelude::*;

use super::*;

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

/// A CONNECT, as a client says it.
fn connect(stream: u32, kind: u8, port: u16, host: &[u8]) -> Vec<u8> {
    [&head(PacketType::Connect, stream)[..], &[kind], &port.to_le_bytes(), host].concat()
}

/// A whole packet of each type, of a stream that is not 0 where it may be.
fn each() -> [(PacketType, Vec<u8>); 5] {
    let mut info = Vec::new();
    info_packet(&mut info, 2, 0, &[Extension { id: 1, payload: &[] }]);
    [
        (PacketType::Connect, connect(0x0403_0201, 1, 0x5678, "köln.example".as_bytes())),
        (PacketType::Data, [&data_head(7)[..], b"payload"].concat()),
        (PacketType::Continue, continue_packet(7, 64).to_vec()),
        (PacketType::Close, close_packet(7, reason::REFUSED).to_vec()),
        (PacketType::Info, info),
    ]
}

/// By hand from the tables of the specification: type, stream, then the fields, low bytes first.
#[test]
fn bytes_lie_where_the_specification_has_them() {
    let [connect, ..] = each();
    assert_eq!(&connect.1[..8], [0x01, 0x01, 0x02, 0x03, 0x04, 0x01, 0x78, 0x56]);
    assert_eq!(&connect.1[8..], "köln.example".as_bytes());
    assert_eq!(data_head(0xa0b0_c0d0), [0x02, 0xd0, 0xc0, 0xb0, 0xa0]);
    assert_eq!(continue_packet(1, 0x0102), [0x03, 0x01, 0, 0, 0, 0x02, 0x01, 0, 0]);
    assert_eq!(close_packet(0x0100, 0x44), [0x04, 0, 0x01, 0, 0, 0x44]);
    let mut info = Vec::new();
    let listed = [Extension { id: 4, payload: b"hi" }, Extension { id: 5, payload: &[] }];
    info_packet(&mut info, 2, 1, &listed);
    assert_eq!(info, [5, 0, 0, 0, 0, 2, 1, 4, 2, 0, 0, 0, b'h', b'i', 5, 0, 0, 0, 0]);
}

/// Which bytes are missing decides whose fault it is: without a head nothing is known, with one the stream is.
#[test]
fn a_packet_cut_anywhere_is_the_fault_of_who_is_known_by_then() {
    for (packet_type, whole) in each() {
        let fields = match packet_type {
            PacketType::Connect => 8,
            PacketType::Data => 5,
            PacketType::Continue => 9,
            PacketType::Close => 6,
            PacketType::Info => 7,
        };
        let stream = Head::parse(&whole).expect("a type").expect("a head").stream;
        for cut in 0..whole.len() {
            let (part, known) = (&whole[..cut], Head::parse(&whole[..cut]));
            assert_eq!(
                known,
                Ok((cut >= 5).then_some(Head { packet_type, stream })),
                "{packet_type:?} cut at {cut}"
            );
            let expected = match (packet_type, cut) {
                (_, 0..5) | (PacketType::Info, 5..7) => Fault::Connection(Wrong::Truncated),
                (PacketType::Connect, 5..8) => {
                    Fault::Stream { stream, wrong: Wrong::Truncated, reason: reason::INVALID }
                }
                // Within the ö.
                (PacketType::Connect, 10) => {
                    Fault::Stream { stream, wrong: Wrong::Host, reason: reason::INVALID }
                }
                (_, cut) if cut < fields => {
                    Fault::Stream { stream, wrong: Wrong::Truncated, reason: reason::UNSPECIFIED }
                }
                _ => {
                    assert!(Packet::parse(part).is_ok(), "{packet_type:?} cut at {cut} has all its fields");
                    continue;
                }
            };
            assert_eq!(Packet::parse(part), Err(expected), "{packet_type:?} cut at {cut}");
        }
    }
}

#[test]
fn any_other_type_is_the_fault_of_the_connection_and_the_first_byte_tells() {
    for byte in (0..=u8::MAX).filter(|byte| !(1..=5).contains(byte)) {
        let fault = Fault::Connection(Wrong::PacketType(byte));
        assert_eq!(Head::parse(&[byte]), Err(fault));
        assert_eq!(Packet::parse(&[byte, 1, 0, 0, 0, 0, 0, 0, 0]), Err(fault));
    }
}

#[test]
fn any_other_kind_of_stream_is_the_fault_of_the_stream() {
    for kind in (0..=u8::MAX).filter(|kind| !(1..=2).contains(kind)) {
        let fault = Fault::Stream { stream: 9, wrong: Wrong::StreamType(kind), reason: reason::INVALID };
        assert_eq!(Packet::parse(&connect(9, kind, 80, b"a.example")), Err(fault));
    }
}

#[test]
fn a_host_that_is_no_text_is_the_fault_of_the_stream() {
    let fault = Fault::Stream { stream: 9, wrong: Wrong::Host, reason: reason::INVALID };
    assert_eq!(Packet::parse(&connect(9, 1, 80, b"\xff.example")), Err(fault));
}

/// CLOSE of stream 0 would tell the client that the connection is refused.
#[test]
fn a_fault_of_stream_0_is_the_fault_of_the_connection() {
    assert_eq!(Packet::parse(&connect(0, 1, 80, b"a")), Err(Fault::Connection(Wrong::Stream(0))));
    for packet_type in [PacketType::Continue, PacketType::Close] {
        assert_eq!(Packet::parse(&head(packet_type, 0)), Err(Fault::Connection(Wrong::Truncated)));
    }
    assert_eq!(Packet::parse(&[5, 1, 0, 0, 0, 2, 0]), Err(Fault::Connection(Wrong::Stream(1))));
}

#[test]
fn what_is_wrong_reads_as_a_sentence() {
    let fault = Packet::parse(&connect(9, 3, 80, b"a")).expect_err("there is no kind 3");
    assert_eq!(fault.to_string(), "stream 9: no stream is of kind 0x03");
    let fault = Packet::parse(&[]).expect_err("it has no head");
    assert_eq!(fault.to_string(), "the packet is truncated");
}

proptest! {
    #[test]
    fn what_a_client_connects_to_is_read(stream in 1_u32.., udp: bool, port: u16, host in ".{0,80}") {
        let kind = if udp { StreamType::Udp } else { StreamType::Tcp };
        let message = connect(stream, if udp { 2 } else { 1 }, port, host.as_bytes());
        prop_assert_eq!(Packet::parse(&message), Ok(Packet::Connect { stream, kind, port, host: &host }));
    }

    #[test]
    fn what_is_written_is_read(stream: u32, payload in bytes(300), credits: u32, reason: u8) {
        let data = [&data_head(stream)[..], &payload].concat();
        let (more, close) = (continue_packet(stream, credits), close_packet(stream, reason));
        prop_assert_eq!(Packet::parse(&data), Ok(Packet::Data { stream, payload: &payload }));
        prop_assert_eq!(Packet::parse(&more), Ok(Packet::Continue { stream, credits }));
        prop_assert_eq!(Packet::parse(&close), Ok(Packet::Close { stream, reason }));
    }

    #[test]
    fn the_extensions_of_an_info_are_read(major: u8, minor: u8, id: u8, payload in bytes(300)) {
        let (mut info, listed) = (Vec::new(), Extension { id, payload: &payload });
        info_packet(&mut info, major, minor, &[listed, listed]);
        let extensions = &info[7..];
        prop_assert_eq!(Packet::parse(&info), Ok(Packet::Info { major, minor, extensions }));
        prop_assert_eq!(extension::extensions(extensions).collect::<Vec<_>>(), [Ok(listed), Ok(listed)]);
    }

    /// Bytes that may follow one day do not change what is there.
    #[test]
    fn what_follows_the_last_field_is_left_out(stream: u32, credits: u32, reason: u8, more in bytes(9)) {
        let longer = [&continue_packet(stream, credits)[..], &more].concat();
        prop_assert_eq!(Packet::parse(&longer), Ok(Packet::Continue { stream, credits }));
        let longer = [&close_packet(stream, reason)[..], &more].concat();
        prop_assert_eq!(Packet::parse(&longer), Ok(Packet::Close { stream, reason }));
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(first in 0_u8..8, rest in bytes(40)) {
        let message = [&[first][..], &rest].concat();
        match (Head::parse(&message), Packet::parse(&message)) {
            (Err(fault), packet) => prop_assert_eq!(packet, Err(fault)),
            (Ok(None), packet) => prop_assert_eq!(packet, Err(Fault::Connection(Wrong::Truncated))),
            (Ok(Some(head)), Err(Fault::Stream { stream, .. })) => prop_assert_eq!(stream, head.stream),
            (Ok(Some(head)), Err(Fault::Connection(_))) => {
                prop_assert!(head.stream == 0 || head.packet_type == PacketType::Info);
            }
            (Ok(Some(_)), Ok(_)) => {}
        }
    }
}
