use proptest::prelude::*;
use tokio_tungstenite::tungstenite::{
    Message, WebSocket,
    protocol::{Role, WebSocketConfig},
};

use super::*;
use crate::bridge::frame::{HEADER, KEPT, header, write};

/// A frame of a client: masked, with any bits.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    masked(first, payload, [0x11, 0x22, 0x33, 0x44])
}

fn masked(first: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | short as u8),
        middle @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// What a whole stream holds, read in pieces as long as these in turn.
#[derive(Debug, Default, PartialEq)]
struct Read {
    messages: Vec<(Kind, Vec<u8>)>,
    open: Vec<u8>,
    pings: Vec<Vec<u8>>,
    pongs: Vec<Vec<u8>>,
    closed: Option<(Option<u16>, String)>,
    failed: Option<u16>,
}

fn read(stream: &[u8], pieces: &[usize]) -> Read {
    let (mut reader, mut read, mut kept) = (Reader::new(), Read::default(), Vec::new());
    let mut pieces = pieces.iter().copied().cycle();
    let mut rest = stream;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(pieces.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        rest = behind;
        kept.extend_from_slice(piece);
        let mut used = 0;
        loop {
            let buffer = &mut kept[used..];
            let copy = buffer.to_vec();
            match reader.next(buffer) {
                Ok(None) => break,
                Ok(Some((more, item))) => {
                    assert!(more > 0 && more <= copy.len(), "it goes on");
                    match item {
                        Item::Data { kind, start, len, last } => {
                            assert!(start + len <= more);
                            read.open.extend_from_slice(&kept[used + start..used + start + len]);
                            if last {
                                read.messages.push((kind, std::mem::take(&mut read.open)));
                            }
                        }
                        Item::Ping(payload) => read.pings.push(payload.to_vec()),
                        Item::Pong(payload) => read.pongs.push(payload.to_vec()),
                        Item::Close(close) => {
                            read.closed = Some((close.code, close.reason.to_owned()));
                            return read;
                        }
                    }
                    used += more;
                }
                Err(Failed(code)) => {
                    read.failed = Some(code);
                    return read;
                }
            }
        }
        kept.drain(..used);
        assert!(kept.len() <= KEPT, "{} bytes are kept", kept.len());
    }
    read
}

fn fails(stream: &[u8]) -> Option<u16> {
    let whole = read(stream, &[stream.len()]);
    assert_eq!(read(stream, &[1]).failed, whole.failed, "byte by byte");
    whole.failed
}

/// What RFC 6455 does not allow, and the close code it has for that.
#[test]
fn sixteen_ways_to_be_wrong() {
    let unmasked = [0x82, 0x01, b'x'];
    let cases: [(&str, Vec<u8>, u16); 16] = [
        ("no mask", unmasked.to_vec(), 1002),
        ("RSV1, without an extension", frame(0xc2, b"x"), 1002),
        ("RSV2", frame(0xa2, b"x"), 1002),
        ("RSV3", frame(0x92, b"x"), 1002),
        ("a reserved opcode for data", frame(0x83, b"x"), 1002),
        ("a reserved opcode for control", frame(0x8b, b"x"), 1002),
        ("a fragmented ping", frame(0x09, b"x"), 1002),
        ("a ping of 126 bytes", frame(0x89, &[0; 126]), 1002),
        ("a continuation of nothing", frame(0x80, b"x"), 1002),
        ("a message within a message", [frame(0x02, b"x"), frame(0x82, b"y")].concat(), 1002),
        ("two bytes of length for what one can say", vec![0x82, 0xfe, 0, 125, 0, 0, 0, 0], 1002),
        (
            "eight bytes of length for what two can say",
            vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0],
            1002,
        ),
        ("a length of 64 bits", vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1002),
        ("half a close code", frame(0x88, &[3]), 1002),
        ("a close code nobody may send", frame(0x88, &1005_u16.to_be_bytes()), 1002),
        ("a reason that is no text", frame(0x88, &[3, 232, 0xff]), 1007),
    ];
    for (what, stream, code) in cases {
        assert_eq!(fails(&stream), Some(code), "{what}");
    }
}

#[test]
fn close_codes_are_those_an_end_may_send() {
    let taken = |code: u16| read(&frame(0x88, &code.to_be_bytes()), &[200]).failed.is_none();
    let taken = (0..=u16::MAX).filter(|code| taken(*code)).collect::<Vec<_>>();
    let expected: Vec<u16> = (1000..=1003).chain(1007..=1014).chain(3000..=4999).collect();
    assert_eq!(taken, expected);
    let read = read(&[frame(0x88, b""), frame(0x82, b"not read")].concat(), &[200]);
    assert_eq!(read, Read { closed: Some((None, String::new())), ..Read::default() });
}

#[test]
fn text_is_refused_where_bytes_are_gathered() {
    let mut text = frame(0x81, b"text");
    assert_eq!(Reader::new().gather(&mut text), Err(Failed(1003)));
}

/// One frame a message may be cut into, and what may stand between.
#[derive(Debug, Clone)]
enum Said {
    Message { text: bool, parts: Vec<Vec<u8>>, key: [u8; 4] },
    Ping(Vec<u8>),
}

fn said() -> impl Strategy<Value = Vec<Said>> {
    let bytes = |most: usize| proptest::collection::vec(any::<u8>(), 0..most);
    let part = prop_oneof![8 => bytes(200), 1 => bytes(700), 1 => (65_530_usize..65_540).prop_map(|len| vec![7; len])];
    let message = (any::<bool>(), proptest::collection::vec(part, 1..4), any::<[u8; 4]>())
        .prop_map(|(text, parts, key)| Said::Message { text, parts, key });
    proptest::collection::vec(prop_oneof![3 => message, 1 => bytes(126).prop_map(Said::Ping)], 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However it is cut into frames and pieces, the same comes out; a ping may stand between the frames of a message.
    #[test]
    fn what_was_said_is_read(said in said(), pieces in proptest::collection::vec(1_usize..9000, 1..6)) {
        let (mut stream, mut expected) = (Vec::new(), Read::default());
        for said in &said {
            match said {
                Said::Message { text, parts, key } => {
                    let kind = if *text { Kind::Text } else { Kind::Binary };
                    for (i, part) in parts.iter().enumerate() {
                        let opcode = if i == 0 { kind.opcode() } else { 0 };
                        let fin = if i + 1 == parts.len() { 0x80 } else { 0 };
                        stream.extend(masked(fin | opcode, part, *key));
                        stream.extend(frame(0x8a, b"between"));
                        expected.pongs.push(b"between".to_vec());
                    }
                    expected.messages.push((kind, parts.concat()));
                }
                Said::Ping(payload) => {
                    stream.extend(frame(0x89, payload));
                    expected.pings.push(payload.clone());
                }
            }
        }
        prop_assert_eq!(read(&stream, &pieces), expected);
    }

    /// Gathered, the same bytes are one stream.
    #[test]
    fn what_is_gathered_is_all_payload(
        messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..30),
        pieces in proptest::collection::vec(1_usize..600, 1..6),
    ) {
        let stream: Vec<u8> = messages
            .iter()
            .enumerate()
            .flat_map(|(i, message)| {
                let ping = if i % 3 == 0 { frame(0x89, &[i as u8]) } else { Vec::new() };
                [frame(0x82, message), ping].concat()
            })
            .collect();
        let (mut reader, mut kept, mut gathered, mut pings) = (Reader::new(), Vec::new(), Vec::new(), 0);
        let (mut pieces, mut rest) = (pieces.iter().cycle(), &stream[..]);
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at((*pieces.next().expect("one")).min(rest.len()));
            rest = behind;
            kept.extend_from_slice(piece);
            loop {
                let Ok(Gathered { start, payload, used, control }) = reader.gather(&mut kept) else { panic!("it is right") };
                let more = control.is_some();
                pings += usize::from(matches!(control, Some(Item::Ping(_))));
                gathered.extend_from_slice(&kept[start..start + payload]);
                kept.drain(..used);
                if !more {
                    break;
                }
            }
        }
        prop_assert_eq!(gathered, messages.concat());
        prop_assert_eq!(pings, messages.len().div_ceil(3));
        prop_assert!(kept.is_empty());
    }

    /// Read together, messages of one length are the same as read one by one.
    #[test]
    fn those_of_one_length_are_read_together(
        lengths in proptest::collection::vec((prop_oneof![0_usize..4, 120_usize..130], 1_usize..9), 1..9),
        most in 1_usize..600,
        cut in 0_usize..20,
    ) {
        let messages: Vec<Vec<u8>> = lengths
            .iter()
            .flat_map(|(len, count)| (0..*count).map(|n| vec![n as u8; *len]))
            .collect();
        let mut stream: Vec<u8> = messages.iter().flat_map(|message| frame(0x82, message)).collect();
        // The last may not be whole.
        stream.truncate(stream.len() - cut.min(messages.last().map_or(0, Vec::len)));
        let (mut reader, mut used, mut seen) = (Reader::new(), 0, Vec::new());
        while let Ok(Some((more, item))) = reader.next(&mut stream[used..]) {
            let Item::Data { kind: Kind::Binary, start, len, last } = item else { panic!("it is data") };
            if !last {
                break;
            }
            let first = used + start..used + start + len;
            let (end, all) = reader.alike(&mut stream, first.clone(), most, used + more);
            prop_assert!(end <= all && (end == first.end || end - first.start <= most));
            match len {
                0 => seen.push(Vec::new()),
                len => seen.extend(stream[first.start..end].chunks(len).map(<[u8]>::to_vec)),
            }
            used = all;
        }
        let whole = messages.len() - usize::from(cut > 0 && messages.last().is_some_and(|last| !last.is_empty()));
        prop_assert_eq!(&seen[..], &messages[..whole]);
    }

    /// Whatever comes: it is read or refused, and what is read one by one is what is read at once.
    #[test]
    fn nothing_makes_it_panic(stream in proptest::collection::vec(any::<u8>(), 0..400), pieces in proptest::collection::vec(1_usize..40, 1..4)) {
        let (whole, cut) = (read(&stream, &[stream.len().max(1)]), read(&stream, &pieces));
        prop_assert_eq!(&whole.messages, &cut.messages);
        prop_assert_eq!(&whole.failed, &cut.failed);
        prop_assert_eq!(&whole.closed, &cut.closed);
    }

    /// A client of another maker understands what is sent.
    #[test]
    fn another_implementation_reads_what_is_written(len in prop_oneof![0_usize..300, 65_500_usize..65_600], reason in ".{0,200}") {
        let payload = vec![9; len];
        let mut sent = Vec::new();
        let mut room = [0; HEADER];
        let start = header(&mut room, Kind::Binary, len);
        sent.extend_from_slice(&room[start..]);
        sent.extend_from_slice(&payload);
        let mut space = [0; 2 + CONTROL];
        sent.extend_from_slice(write::ping(&mut space, b"there?"));
        sent.extend_from_slice(write::close(&mut space, Some(1011), &reason));
        let mut client = WebSocket::from_raw_socket(std::io::Cursor::new(sent), Role::Client, Some(WebSocketConfig::default()));
        prop_assert_eq!(client.read().expect("a message"), Message::binary(payload));
        prop_assert_eq!(client.read().expect("a ping"), Message::Ping("there?".into()));
        let Ok(Message::Close(Some(close))) = client.read() else { panic!("a close") };
        prop_assert_eq!(u16::from(close.code), 1011);
        prop_assert!(reason.starts_with(close.reason.as_str()) && (close.reason.len() + 3 >= CONTROL - 2 || close.reason.as_str() == reason));
    }
}
