//! Packets of the channel, and what they ask for, from a fuzzer.

use super::{
    Head, Packet, PacketType, Place, Wrong,
    open::{Carries, read},
    packet,
};
use sockscope_sockets::{
    open::Family,
    target::{Host, Scheme},
};

/// What is asked to be opened: whatever is understood is of one kind, leads where a person could have written it, and where it
/// listens is an address.
pub(crate) fn direct_open(data: &[u8]) {
    let Ok((wish, carries)) = read(data) else { return };
    let target = &wish.target;
    let expected = match target.scheme {
        Scheme::Tcp => Carries::Bytes,
        Scheme::Udp | Scheme::UdpBind => Carries::Datagrams,
        Scheme::TcpListen => Carries::Connections,
    };
    assert_eq!(carries, expected);
    assert!(!target.scheme.is_local() || matches!(target.host, Host::Ip { .. }), "{target}");
    assert_eq!(target.to_string().parse().as_ref(), Ok(target), "{target}");
}

/// What is read can be written again as it was, and the head says of every beginning what the whole is.
pub(crate) fn direct_packet(data: &[u8]) {
    let whole = Packet::parse(data);
    for cut in 0..=data.len().min(Head::LEN) {
        match (Head::parse(&data[..cut]), &whole) {
            (Ok(None), _) => assert!(cut < Head::LEN, "a head takes no more"),
            (Err(wrong), whole) => assert_eq!(whole.as_ref().err(), Some(&wrong)),
            (Ok(Some(head)), Ok(read)) => assert_eq!(written(read).get(..cut), data.get(..cut), "{head:?}"),
            (Ok(Some(_)), Err(wrong)) => assert!(!matches!(wrong, Wrong::PacketType(_))),
        }
    }
    match whole {
        Ok(read) => assert_eq!(written(&read), data),
        Err(wrong) => {
            assert!(data.len() >= Head::LEN || matches!(wrong, Wrong::Truncated | Wrong::PacketType(_)))
        }
    }
}

fn written(read: &Packet<'_>) -> Vec<u8> {
    match read {
        Packet::Open { socket, asked } => packet(PacketType::Open, *socket, asked),
        Packet::Data { socket, payload } => packet(PacketType::Data, *socket, payload),
        Packet::Datagram { socket, to, payload } => {
            packet(PacketType::Datagram, *socket, &[&place(to.as_ref()), *payload].concat())
        }
        Packet::Credit { socket, amount } => packet(PacketType::Credit, *socket, &amount.to_le_bytes()),
        Packet::Fin { socket } => packet(PacketType::Fin, *socket, &[]),
        Packet::Close { socket, discard } => packet(PacketType::Close, *socket, &[u8::from(*discard)]),
    }
}

fn place(to: Option<&Place<'_>>) -> Vec<u8> {
    let Some(Place { host, port, family }) = to else { return vec![0; 4] };
    let family = match family {
        None => 0,
        Some(Family::V4) => 4,
        Some(Family::V6) => 6,
    };
    let [low, high] = port.to_le_bytes();
    [&[family, u8::try_from(host.len()).expect("one byte said it"), low, high], host.as_bytes()].concat()
}
