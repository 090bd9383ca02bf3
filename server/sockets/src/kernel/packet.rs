//! A captured frame, understood: who sent what to whom.
//!
//! What comes from the wire may say anything; whatever cannot be understood is no packet.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TcpHeaderSlice, TcpOptionElement, ip_number};
use tokio::time::Instant;

use super::capture::{Link, Raw};

/// The flags of a TCP segment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Synchronise: a sequence begins.
    pub syn: bool,
    /// The acknowledgement number counts.
    pub ack: bool,
    /// Hand over at once.
    pub psh: bool,
    /// The sender sends no more.
    pub fin: bool,
    /// The connection is over, at once.
    pub rst: bool,
    /// Urgent.
    pub urg: bool,
    /// Congestion was met.
    pub ece: bool,
    /// The congestion window was reduced.
    pub cwr: bool,
}

/// The options of a TCP segment that are understood.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Options {
    /// The most payload of a segment the sender takes.
    pub mss: Option<u16>,
    /// How many bits its windows are shifted by.
    pub window_scale: Option<u8>,
    /// It understands selective acknowledgements.
    pub sack_permitted: bool,
    /// What it has received beyond what it acknowledges: first sequence number, and the one behind the last.
    pub sack: Vec<(u32, u32)>,
    /// Its clock, and the one it echoes.
    pub timestamps: Option<(u32, u32)>,
}

/// The header of a TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// Its flags.
    pub flags: Flags,
    /// Its sequence number.
    pub seq: u32,
    /// The number it acknowledges.
    pub ack: u32,
    /// The window, as in the header.
    pub window: u16,
    /// Its options.
    pub options: Options,
}

/// What of a packet an ICMP error quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original {
    /// It was TCP; else it was UDP.
    pub tcp: bool,
    /// Who sent it.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// Its sequence number, of a TCP segment.
    pub seq: Option<u32>,
}

/// An ICMP error about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp {
    /// It is ICMPv6.
    pub v6: bool,
    /// Its type.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// The packet it is about.
    pub original: Original,
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carries {
    /// A TCP segment.
    Tcp(Tcp),
    /// A UDP datagram, or the first fragment of one.
    Udp,
    /// A later fragment: its ports are in the first, which has the same identification.
    Fragment {
        /// It is one of TCP; else of UDP.
        tcp: bool,
        /// What its siblings have too.
        identification: u32,
    },
    /// An ICMP error.
    Icmp(Icmp),
}

/// A packet, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When it was seen.
    pub at: Instant,
    /// Who sent it; the port is 0 where it has none. Of an ICMP error: who reports.
    pub from: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// What it carries.
    pub carries: Carries,
    /// The identification of an IPv4 packet that was cut into fragments, or of an IPv6 one: of its first.
    pub fragmented: Option<u32>,
    /// Bytes of payload: behind the TCP or UDP header. Of a fragment as many as this one has.
    pub len: u32,
    /// The first of them, as many as were captured.
    pub payload: Box<[u8]>,
}

impl Packet {
    /// Understands a frame: TCP, UDP or an ICMP error about one of them; anything else is none.
    #[must_use]
    pub fn parse(raw: &Raw) -> Option<Self> {
        let (sliced, network) = match raw.link {
            Link::Ethernet => (LaxSlicedPacket::from_ethernet(&raw.bytes).ok()?, 14),
            Link::Ip => {
                let kind = if raw.bytes.first()? >> 4 == 6 { EtherType::IPV6 } else { EtherType::IPV4 };
                (LaxSlicedPacket::from_ether_type(kind, &raw.bytes), 0)
            }
        };
        let network = network + 4 * sliced.link_exts.len();
        let ip = Ip::of(sliced.net.as_ref()?, raw.len as usize, network)?;
        let mut packet = Self {
            at: raw.at,
            from: SocketAddr::new(ip.from, 0),
            to: SocketAddr::new(ip.to, 0),
            carries: Carries::Udp,
            fragmented: ip.fragmented,
            len: 0,
            payload: Box::default(),
        };
        // How long the header is that the payload stands behind.
        let header = match ip.number {
            ip_number::TCP | ip_number::UDP if ip.later_fragment => {
                let identification = ip.fragmented.unwrap_or(0);
                packet.carries = Carries::Fragment { tcp: ip.number == ip_number::TCP, identification };
                0
            }
            ip_number::TCP => {
                let tcp = TcpHeaderSlice::from_slice(ip.payload).ok()?;
                packet.from.set_port(tcp.source_port());
                packet.to.set_port(tcp.destination_port());
                let header = tcp.slice().len();
                packet.carries = Carries::Tcp(read_tcp(&tcp));
                header
            }
            ip_number::UDP => {
                packet.from.set_port(half(ip.payload, 0)?);
                packet.to.set_port(half(ip.payload, 2)?);
                8
            }
            ip_number::ICMP | ip_number::IPV6_ICMP if !ip.later_fragment => {
                packet.carries = Carries::Icmp(read_icmp(&ip)?);
                8
            }
            _ => return None,
        };
        packet.len = u32::try_from(ip.payload_len.saturating_sub(header)).ok()?;
        let captured = ip.payload.get(header..).unwrap_or_default();
        packet.payload = captured[..captured.len().min(packet.len as usize)].into();
        Some(packet)
    }

    /// Its TCP header, if it is a TCP segment.
    #[must_use]
    pub fn tcp(&self) -> Option<&Tcp> {
        match &self.carries {
            Carries::Tcp(tcp) => Some(tcp),
            Carries::Udp | Carries::Fragment { .. } | Carries::Icmp(_) => None,
        }
    }
}

/// What an IP header says, extension headers included.
struct Ip<'a> {
    from: IpAddr,
    to: IpAddr,
    number: etherparse::IpNumber,
    later_fragment: bool,
    fragmented: Option<u32>,
    /// What was captured of what it carries, and how long that was.
    payload: &'a [u8],
    payload_len: usize,
}

impl<'a> Ip<'a> {
    /// `frame_len` is how long the whole frame was, `network` where this header begins in it.
    fn of(net: &LaxNetSlice<'a>, frame_len: usize, network: usize) -> Option<Self> {
        let whole = frame_len.checked_sub(network)?;
        // With segmentation offload a packet can be longer than the field that says how long it is: then it is 0, and
        // the frame knows.
        let real = |said: usize| if said == 0 { whole } else { said.min(whole) };
        Some(match net {
            LaxNetSlice::Ipv4(ip) => {
                let header = ip.header();
                let fragmented = header.is_fragmenting_payload().then(|| header.identification().into());
                let headers =
                    header.slice().len() + ip.extensions().auth.map_or(0, |auth| auth.slice().len());
                Self {
                    from: header.source_addr().into(),
                    to: header.destination_addr().into(),
                    number: ip.payload_ip_number(),
                    later_fragment: header.fragments_offset().value() > 0,
                    fragmented,
                    payload: ip.payload().payload,
                    payload_len: real(header.total_len().into()).saturating_sub(headers),
                }
            }
            LaxNetSlice::Ipv6(ip) => {
                let header = ip.header();
                let extensions = ip.extensions();
                let fragment = extensions.clone().into_iter().find_map(|extension| match extension {
                    etherparse::Ipv6ExtensionSlice::Fragment(fragment) => Some(fragment),
                    _ => None,
                });
                let said = match header.payload_length() {
                    0 => 0,
                    len => usize::from(len) + 40,
                };
                Self {
                    from: header.source_addr().into(),
                    to: header.destination_addr().into(),
                    number: ip.payload().ip_number,
                    later_fragment: fragment.as_ref().is_some_and(|f| f.fragment_offset().value() > 0),
                    fragmented: fragment
                        .as_ref()
                        .filter(|fragment| fragment.is_fragmenting_payload())
                        .map(etherparse::Ipv6FragmentHeaderSlice::identification),
                    payload: ip.payload().payload,
                    payload_len: real(said).saturating_sub(40 + extensions.slice().len()),
                }
            }
            LaxNetSlice::Arp(_) => return None,
        })
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

fn read_tcp(tcp: &TcpHeaderSlice<'_>) -> Tcp {
    let mut options = Options::default();
    // Behind the first option that makes no sense, nothing does.
    for option in tcp.options_iterator().map_while(Result::ok) {
        match option {
            TcpOptionElement::Noop => {}
            TcpOptionElement::MaximumSegmentSize(mss) => options.mss = Some(mss),
            TcpOptionElement::WindowScale(shift) => options.window_scale = Some(shift),
            TcpOptionElement::SelectiveAcknowledgementPermitted => options.sack_permitted = true,
            TcpOptionElement::SelectiveAcknowledgement(first, more) => {
                options.sack = [Some(first)].into_iter().chain(more).flatten().collect();
            }
            TcpOptionElement::Timestamp(clock, echo) => options.timestamps = Some((clock, echo)),
        }
    }
    Tcp {
        flags: Flags {
            syn: tcp.syn(),
            ack: tcp.ack(),
            psh: tcp.psh(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            urg: tcp.urg(),
            ece: tcp.ece(),
            cwr: tcp.cwr(),
        },
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
        window: tcp.window_size(),
        options,
    }
}

/// An ICMP error and what it quotes: at least the IP header and eight bytes (RFC 792).
fn read_icmp(ip: &Ip<'_>) -> Option<Icmp> {
    let v6 = ip.number == ip_number::IPV6_ICMP;
    let [kind, code, _, _, _, _, _, _, quoted @ ..] = ip.payload else { return None };
    let error = if v6 { *kind < 128 } else { matches!(kind, 3 | 11 | 12) };
    if !error {
        return None;
    }
    let version = if v6 { EtherType::IPV6 } else { EtherType::IPV4 };
    let inner = LaxSlicedPacket::from_ether_type(version, quoted);
    let inner = Ip::of(inner.net.as_ref()?, quoted.len(), 0)?;
    let tcp = match inner.number {
        ip_number::TCP => true,
        ip_number::UDP => false,
        _ => return None,
    };
    if inner.later_fragment {
        return None;
    }
    let header = inner.payload;
    let seq = tcp.then(|| Some(u32::from(half(header, 4)?) << 16 | u32::from(half(header, 6)?))).flatten();
    Some(Icmp {
        v6,
        kind: *kind,
        code: *code,
        original: Original {
            tcp,
            from: SocketAddr::new(inner.from, half(header, 0)?),
            to: SocketAddr::new(inner.to, half(header, 2)?),
            seq,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::capture::Checksum;

    fn raw(bytes: &[u8], len: usize, link: Link) -> Raw {
        Raw {
            at: Instant::now(),
            wall: Duration::ZERO,
            interface: 1,
            outgoing: false,
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
            let padded =
                Packet::parse(&raw(&[&bytes[..], &[0; 9]].concat(), bytes.len() + 9, Link::Ethernet));
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
}
