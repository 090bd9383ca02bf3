//! Frames as the wire has them, and what netlink says.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    capture::{Checksum, Link, Raw, Way},
    destroyed::gone,
    diag::{messages, report},
    flow::{End, Flow},
    info::TcpInfo,
    layers::{Layer, Remark, layers},
    packet::{Carries, Packet},
    path::{Path, leads},
    state::TcpState,
};

/// Frames of one connection, one behind the other: what each begins with and what the kernel says of it (one byte), how many
/// bytes of it were captured and how many were not (a byte each), and those that were.
///
/// Both ways of taking a frame apart say the same of it, and whatever comes can be followed.
pub fn packet(data: &[u8]) {
    let (mut rest, mut at, mut followed) = (data, Instant::now(), None);
    while let [kind, captured, beyond, behind @ ..] = rest {
        let bytes;
        (bytes, rest) = behind.split_at(usize::from(*captured).min(behind.len()));
        at += Duration::from_micros(500);
        let raw = Raw {
            at,
            wall: Duration::ZERO,
            interface: 1,
            way: [Way::In, Way::Out, Way::Loopback][usize::from(kind >> 1 & 3) % 3],
            link: if kind & 1 == 0 { Link::Ethernet } else { Link::Ip },
            checksum: [Checksum::Unsaid, Checksum::Unfilled, Checksum::Valid][usize::from(kind >> 3 & 3) % 3],
            // With segmentation offload a frame is longer than a header can say.
            len: bytes.len() as u32 + u32::from(*beyond) * if kind & 0x20 == 0 { 1 } else { 1000 },
            bytes: bytes.into(),
        };
        let apart = layers(&raw.bytes, raw.len, raw.link, raw.checksum);
        assert_tiled(&raw, &apart);
        let Some(packet) = Packet::parse(&raw) else { continue };
        assert!(packet.payload.len() <= packet.len as usize && packet.len <= raw.len);
        assert_same(&raw, &packet, &apart);
        let (flow, paths) = followed.get_or_insert_with(|| {
            let path = |end| Path::new(end, TcpState::Closed);
            (Flow::new(packet.from, packet.to), [path(End::Local), path(End::Peer)])
        });
        let Some(sender) = flow.sender(&packet) else { continue };
        let Some(segment) = flow.see(sender, &packet) else { continue };
        if !segment.doubted {
            paths.iter_mut().for_each(|path| follow(path, |path| path.see(&segment)));
        }
    }
}

fn follow(path: &mut Path, see: impl FnOnce(&mut Path) -> Vec<super::path::Step>) {
    let mut state = path.state();
    for step in see(path) {
        assert!(leads(state, step.state), "from {state:?} to {:?}", step.state);
        state = step.state;
    }
    assert_eq!(path.state(), state);
}

/// Every bit belongs to one field.
fn assert_tiled(raw: &Raw, apart: &[Layer]) {
    let mut end = 0;
    for layer in apart {
        assert_eq!(layer.offset, end, "{apart:#?}");
        let fields = layer.fields.iter().fold(8 * end, |bit, field| {
            assert!(field.bit_offset == bit && field.bit_len > 0, "{apart:#?}");
            bit + field.bit_len
        });
        end += layer.len;
        assert_eq!(fields, 8 * end, "{apart:#?}");
    }
    assert_eq!(end, raw.len, "{apart:#?}");
}

/// What is understood of a segment or datagram is what its fields show.
fn assert_same(raw: &Raw, packet: &Packet, apart: &[Layer]) {
    let (name, tcp) = match &packet.carries {
        Carries::Tcp(tcp) => ("tcp", Some(tcp)),
        Carries::Udp => ("udp", None),
        Carries::Fragment { .. } | Carries::Icmp(_) => return,
    };
    // Behind what only one of them looks into (VLAN tags, authentication headers) there is none.
    let Some(layer) = apart.iter().find(|layer| layer.name == name) else { return };
    let field = |name: &str| layer.fields.iter().find(|field| field.name == name);
    let ports = [("source_port", packet.from.port().into()), ("destination_port", packet.to.port().into())];
    let numbers = tcp.map(|tcp| {
        [("sequence_number", tcp.seq), ("acknowledgment_number", tcp.ack), ("window", tcp.window.into())]
    });
    for (name, value) in ports.into_iter().chain(numbers.into_iter().flatten()) {
        assert_eq!(field(name).map(|field| &field.value), Some(&u32::to_string(&value)), "{name} of {raw:?}");
    }
    if packet.damaged {
        let remark = field("checksum").and_then(|field| field.remark);
        assert_eq!(remark, Some(Remark::ChecksumWrong), "{raw:?}");
    }
}

/// A datagram of netlink: whatever is not understood is skipped, and nothing is read that is not there.
pub fn sock_diag(data: &[u8]) {
    let read: usize = messages(data).map(|message| 16 + message.payload.len()).sum();
    assert!(read <= data.len());
    let known = messages(data).filter_map(|message| report(message.payload)).collect::<Vec<_>>();
    for seen in &known {
        assert!(seen.uid.is_none() || seen.inode.is_some());
        for end in [seen.local, seen.remote] {
            assert_eq!(end.ip().to_canonical(), end.ip(), "a mapped address is said as IPv4");
        }
    }
    assert_eq!(gone(data).count(), known.len());
    // Alone, and cut: what is not there counts as 0.
    let cut = TcpInfo::parse(&data[..data.len() / 2]);
    assert!(cut.rtt_us == 0 || cut.rtt_us == TcpInfo::parse(data).rtt_us);
}
