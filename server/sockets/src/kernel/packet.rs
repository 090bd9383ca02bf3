//! A captured frame, understood: who sent what to whom.
//!
//! What comes from the wire may say anything; whatever cannot be understood is no packet.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    EtherType, IpNumber, Ipv6FragmentHeaderSlice, LaxNetSlice, LaxSlicedPacket, TcpHeaderSlice,
    TcpOptionElement, ip_number,
};
use tokio::time::Instant;

use super::{
    capture::{Checksum, Link, Raw, Way},
    layers::checksum,
};

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
    /// It came, was captured whole, and its checksum is wrong: the kernel drops it.
    pub damaged: bool,
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
            damaged: false,
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
        if matches!(ip.number, ip_number::TCP | ip_number::UDP)
            && ip.fragmented.is_none()
            && (raw.way, raw.checksum) == (Way::In, Checksum::Unsaid)
            && let Some(segment) = ip.payload.get(..ip.payload_len)
        {
            packet.damaged = checksum::is_damaged(ip.from, ip.to, ip.number.0, segment);
        }
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
    number: IpNumber,
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
                let fragment = fragment(extensions.first_header(), extensions.slice());
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
                        .map(Ipv6FragmentHeaderSlice::identification),
                    payload: ip.payload().payload,
                    payload_len: real(said).saturating_sub(40 + extensions.slice().len()),
                }
            }
            LaxNetSlice::Arp(_) => return None,
        })
    }
}

/// The first fragment header among extension headers. etherparse has an iterator over them, which takes for granted that the
/// last leads to none, and else reads beyond what there is.
fn fragment(first: Option<IpNumber>, headers: &[u8]) -> Option<Ipv6FragmentHeaderSlice<'_>> {
    let (mut number, mut rest) = (first?, headers);
    while number != ip_number::IPV6_FRAG {
        let &[next, len] = rest.first_chunk()?;
        let len = usize::from(len);
        // Each counts in units of its own (RFC 8200 §4, RFC 4302 §2.2).
        let len = if number == ip_number::AUTH { 4 * (len + 2) } else { 8 * (len + 1) };
        (number, rest) = (IpNumber(next), rest.get(len..)?);
    }
    Ipv6FragmentHeaderSlice::from_slice(rest).ok()
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
mod tests;
