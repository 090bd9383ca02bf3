//! Packets made up where none were captured: IP, TCP and UDP headers around the bytes that calls moved.

use std::net::{IpAddr, SocketAddr};

use etherparse::{IpNumber, Ipv4Header, Ipv6Header, TcpHeader, TcpOptionElement, UdpHeader, ip_number};

/// The most payload of one packet: with any headers it fits IPv4's 65,535.
pub(super) const MOST: usize = 65_000;

/// What every end offers: windows in units of 16 KiB, so that none is ever full, whoever reads late.
const SHIFT: u8 = 14;
const WINDOW: u16 = u16::MAX;

/// Payload: its length, and what there is of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Payload<'a> {
    pub(super) len: usize,
    pub(super) bytes: &'a [u8],
}

/// What a TCP packet says.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Say {
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) psh: bool,
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
}

/// A packet from the IP header on, as much of it as there is, and its whole length.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) bytes: Vec<u8>,
    pub(super) len: u32,
}

/// A TCP packet. Its checksum is right where all of its payload is there, else 0.
pub(super) fn tcp(from: SocketAddr, to: SocketAddr, say: Say, payload: Payload<'_>) -> Made {
    let mut header = TcpHeader::new(from.port(), to.port(), say.seq, WINDOW);
    header.syn = say.syn;
    header.fin = say.fin;
    header.rst = say.rst;
    header.psh = say.psh;
    if let Some(ack) = say.ack {
        header.ack = true;
        header.acknowledgment_number = ack;
    }
    if say.syn {
        let options = [TcpOptionElement::MaximumSegmentSize(u16::MAX), TcpOptionElement::WindowScale(SHIFT)];
        header.set_options(&options).expect("seven bytes of forty");
    }
    let (from, to) = ips(from, to);
    let sum = match (from, to) {
        _ if payload.bytes.len() < payload.len => Ok(0),
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            header.calc_checksum_ipv4_raw(from.octets(), to.octets(), payload.bytes)
        }
        (from, to) => header.calc_checksum_ipv6_raw(six(from), six(to), payload.bytes),
    };
    header.checksum = sum.expect("pieces are short");
    packet((from, to), ip_number::TCP, &header.to_bytes(), payload)
}

/// A UDP packet. Its checksum is right where all of its payload is there, else 0.
pub(super) fn udp(from: SocketAddr, to: SocketAddr, payload: Payload<'_>) -> Made {
    // The largest datagram is 65,507 bytes, or 65,527 over IPv6.
    let length = u16::try_from(payload.len + UdpHeader::LEN).unwrap_or(u16::MAX);
    let mut header = UdpHeader { source_port: from.port(), destination_port: to.port(), length, checksum: 0 };
    let (from, to) = ips(from, to);
    let sum = match (from, to) {
        _ if payload.bytes.len() < payload.len => Ok(0),
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            header.calc_checksum_ipv4_raw(from.octets(), to.octets(), payload.bytes)
        }
        (from, to) => header.calc_checksum_ipv6_raw(six(from), six(to), payload.bytes),
    };
    header.checksum = sum.unwrap_or(0);
    packet((from, to), ip_number::UDP, &header.to_bytes(), payload)
}

/// On the wire, ::ffff:192.0.2.1 is 192.0.2.1. A socket bound to every address of IPv6 that talks over IPv4 is as good as
/// bound to every address of that.
fn ips(from: SocketAddr, to: SocketAddr) -> (IpAddr, IpAddr) {
    let (from, to) = (from.ip().to_canonical(), to.ip().to_canonical());
    let like = |ip: IpAddr, other: IpAddr| match other {
        IpAddr::V4(_) if ip.is_unspecified() => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        _ => ip,
    };
    (like(from, to), like(to, from))
}

fn six(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn packet(ends: (IpAddr, IpAddr), protocol: IpNumber, header: &[u8], payload: Payload<'_>) -> Made {
    let carried = header.len() + payload.len;
    let said = u16::try_from(carried).unwrap_or(0);
    let mut bytes = Vec::with_capacity(Ipv6Header::LEN + header.len() + payload.bytes.len());
    match ends {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            // A datagram that is too long for IPv4 was never sent over it.
            let said = said.min(u16::MAX - 20);
            let ip = Ipv4Header::new(said, 64, protocol, from.octets(), to.octets());
            ip.expect("it fits").write(&mut bytes).expect("written to memory");
        }
        (from, to) => {
            let ip = Ipv6Header {
                payload_length: said,
                next_header: protocol,
                hop_limit: 64,
                source: six(from),
                destination: six(to),
                ..Ipv6Header::default()
            };
            ip.write(&mut bytes).expect("written to memory");
        }
    }
    let len = u32::try_from(bytes.len() + carried).expect("pieces are short");
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(payload.bytes);
    Made { bytes, len }
}
