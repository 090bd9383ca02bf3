//! A peer that is played: the test stands at the other side of a TUN device and says what no stack would say by itself, when
//! it wants to. So the order of what passes each other on the wire is written down here, not left to chance.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    thread,
    time::Duration,
};

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use serde_json::{Value, json};

use super::{Frame, Left, at, compare, told};
use crate::{
    kernel::{path, segments},
    kit::{Server, apart, eventually, id, list, number, run},
    support::tun::Tun,
};

const FIN: u16 = 1;
const SYN: u16 = 2;
const RST: u16 = 4;
const ACK: u16 = 16;

/// The peer's first sequence number: the kernel's own is unlikely to be near.
const FIRST: u32 = 0x7000_0000;

/// Behind the device.
const THERE: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 2);

/// One end of one connection, played.
struct Peer<'a> {
    tun: &'a Tun,
    port: u16,
    /// Who connects, and its first sequence number; learnt from its SYN.
    other: Option<(SocketAddrV4, u32)>,
    /// What the next segment of this end begins with, and what it has received.
    next: u32,
    received: u32,
    /// What passed, both ways, in order.
    passed: Vec<Frame>,
}

impl<'a> Peer<'a> {
    fn new(tun: &'a Tun, port: u16) -> Self {
        Self { tun, port, other: None, next: FIRST, received: 0, passed: Vec::new() }
    }

    /// The next segment for this end must have these flags.
    #[track_caller]
    fn hears(&mut self, flags: u16) {
        loop {
            let packet = self.tun.read().unwrap_or_else(|| panic!("no {flags:#b} after {:?}", self.passed));
            // The kernel also asks this device for routers.
            let Ok(sliced) = SlicedPacket::from_ip(&packet) else { continue };
            let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Tcp(tcp))) = (&sliced.net, &sliced.transport)
            else {
                continue;
            };
            if tcp.destination_port() != self.port {
                continue;
            }
            let from = SocketAddrV4::new(ip.header().source_addr(), tcp.source_port());
            let (_, first) = *self.other.get_or_insert((from, tcp.sequence_number()));
            let len = u32::try_from(tcp.payload().len()).expect("a segment");
            let bits = u16::from(tcp.slice()[13]);
            self.passed.push(Frame::Tcp {
                ours: true,
                flags: bits,
                seq: tcp.sequence_number().wrapping_sub(first).into(),
                ack: tcp.ack().then(|| tcp.acknowledgment_number().wrapping_sub(FIRST).into()),
                len: len.into(),
            });
            assert_eq!(bits, flags, "{:?}", self.passed);
            let end = tcp.sequence_number().wrapping_add(len);
            self.received = end.wrapping_add((bits & (SYN | FIN) != 0).into());
            return;
        }
    }

    /// Sends a segment that acknowledges, with ACK, so much.
    fn says_acknowledging(&mut self, flags: u16, ack: u32) {
        let (to, first) = self.other.expect("somebody connects");
        let mut packet = PacketBuilder::ipv4(THERE.octets(), to.ip().octets(), 64).tcp(
            self.port,
            to.port(),
            self.next,
            8192,
        );
        if flags & FIN != 0 {
            packet = packet.fin();
        }
        if flags & SYN != 0 {
            packet = packet.syn();
        }
        if flags & RST != 0 {
            packet = packet.rst();
        }
        if flags & ACK != 0 {
            packet = packet.ack(ack);
        }
        self.passed.push(Frame::Tcp {
            ours: false,
            flags,
            seq: self.next.wrapping_sub(FIRST).into(),
            ack: (flags & ACK != 0).then(|| ack.wrapping_sub(first).into()),
            len: 0,
        });
        let mut bytes = Vec::new();
        packet.write(&mut bytes, &[]).expect("into memory");
        self.next = self.next.wrapping_add((flags & (SYN | FIN) != 0).into());
        self.tun.write(&bytes);
    }

    /// Sends a segment; what it acknowledges is all that came.
    fn says(&mut self, flags: u16) {
        self.says_acknowledging(flags, self.received);
    }

    /// As every listener answers.
    fn accepts(&mut self) {
        self.hears(SYN);
        self.says(SYN | ACK);
        self.hears(ACK);
    }

    /// The other end closes first.
    fn is_closed(&mut self) {
        self.hears(FIN | ACK);
        self.says(ACK);
        self.says(FIN | ACK);
        self.hears(ACK);
    }
}

/// Plays a peer to which a server connects and from which it then goes, beside dumpcap on the device. What passed, the log,
/// and what tshark says must be the same; what else was promised is asked of the server and the socket.
fn against(play: impl Fn(&mut Peer<'_>) + Sync, then: impl Fn(&Server, &str) + Send + Sync) {
    apart(|| {
        let tun = Tun::new("played");
        run("ip", "address add 10.78.0.1/24 dev played");
        run("ip", "link set played up");
        let server = Server::seeing("all", &[]);
        let exchange = |server: &Server| {
            let address = at(&THERE.to_string());
            let mut peer =
                Peer::new(&tun, address.rsplit_once(':').expect("a port").1.parse().expect("a port"));
            let port = peer.port;
            let (socket, passed) = thread::scope(|scope| {
                let playing = scope.spawn(|| {
                    play(&mut peer);
                    peer.passed
                });
                let socket = id(&server.open(&format!("tcp://{address}")));
                server.close(&socket);
                (socket, playing.join().expect("it went as scripted"))
            });
            let left = Left::with_peer(&socket, port);
            eventually("all that passed is told", || told(server, &left).len() >= passed.len());
            assert_eq!(told(server, &left), passed, "the log, and what passed the device");
            then(server, &socket);
            left
        };
        compare(&server, "played", &[("a peer that is played", &exchange)]);
    });
}

/// The states an end was told to be in must be these, and none is told to have begun before the one that led to it.
#[track_caller]
fn went(server: &Server, socket: &str, end: &str, way: &[&str]) {
    eventually(&format!("{end} goes {way:?}"), || path(server, socket, end).len() >= way.len());
    assert_eq!(path(server, socket, end), way, "{end}");
    let mut told = server.history(&format!("socket={socket}&type=kernel_state")).0;
    told.retain(|event| event["end"] == end);
    assert!(told.is_sorted_by_key(|event| number(&event["t_us"])), "{end}: {told:#?}");
    assert!(told.iter().all(|event| event["evidence"] != "unknown"), "its segments were seen: {told:#?}");
}

fn marks(server: &Server, socket: &str) -> Vec<Value> {
    segments(server, socket).iter().filter_map(|segment| segment.get("marks")).flat_map(list).collect()
}

const OPENED_AT_ONCE: [&str; 3] = ["SYN_SENT", "SYN_RECEIVED", "ESTABLISHED"];

/// Two SYNs pass each other (RFC 9293 §3.5): nobody listens, and both ends are clients.
#[test]
fn both_ends_may_open_at_once() {
    against(
        |peer| {
            peer.hears(SYN);
            peer.says(SYN);
            peer.hears(SYN | ACK);
            // The RFC draws this one with the SYN once more, too; kernels before 6.12 drop that.
            peer.says(ACK);
            peer.is_closed();
        },
        |server, socket| {
            let closed = ["FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"];
            went(server, socket, "local", &[&OPENED_AT_ONCE[..], &closed].concat());
            let closed = ["CLOSE_WAIT", "LAST_ACK", "CLOSED"];
            went(server, socket, "peer", &[&OPENED_AT_ONCE[..], &closed].concat());
            // Our SYN, with the acknowledgement of the other. Wireshark calls it the same.
            assert_eq!(marks(server, socket), ["retransmission"]);
        },
    );
}

/// Each has the other's FIN before the acknowledgement of its own.
#[test]
fn both_ends_may_close_at_once() {
    against(
        |peer| {
            peer.accepts();
            let before = peer.received;
            peer.hears(FIN | ACK);
            peer.says_acknowledging(FIN | ACK, before);
            peer.hears(ACK);
            peer.says(ACK);
        },
        |server, socket| {
            let closed = ["FIN_WAIT_1", "CLOSING", "TIME_WAIT"];
            went(server, socket, "local", &[&["SYN_SENT", "ESTABLISHED"][..], &closed].concat());
            went(server, socket, "peer", &[&["SYN_RECEIVED", "ESTABLISHED"][..], &closed].concat());
        },
    );
}

/// A RST that is in the window but not where the next byte would be is doubted: the kernel asks, and goes on (RFC 5961 §3.2).
/// Anybody may have sent it.
#[test]
fn a_reset_that_the_kernel_doubts_moves_nobody() {
    against(
        |peer| {
            peer.accepts();
            peer.hears(FIN | ACK);
            let next = peer.next;
            peer.next = next.wrapping_add(1000);
            peer.says(RST);
            peer.next = next;
            peer.hears(ACK);
            peer.says(ACK);
            peer.says(FIN | ACK);
            peer.hears(ACK);
        },
        |server, socket| {
            let closed = ["FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"];
            went(server, socket, "local", &[&["SYN_SENT", "ESTABLISHED"][..], &closed].concat());
            let closed = ["CLOSE_WAIT", "LAST_ACK", "CLOSED"];
            went(server, socket, "peer", &[&["SYN_RECEIVED", "ESTABLISHED"][..], &closed].concat());
        },
    );
}

/// The time a connection takes is the way there and back, and the kernel measures the same.
#[test]
fn a_long_way_shows_in_the_connect_and_in_the_round_trip() {
    const WAY: Duration = Duration::from_millis(50);
    against(
        |peer| {
            peer.hears(SYN);
            // Not a condition that is waited for: this is how far away it is.
            thread::sleep(WAY);
            peer.says(SYN | ACK);
            peer.hears(ACK);
            peer.is_closed();
        },
        |server, socket| {
            let way = u64::try_from(WAY.as_micros()).expect("not that far");
            let took = number(&server.fact(socket, json!({ "type": "connected" }))["took_us"]);
            assert!(took >= way, "{took}");
            // The last reading is from just before the close, and no other round trip was made.
            let info = &server.fact(socket, json!({ "type": "tcp_info", "end": "local" }))["info"];
            for measured in ["rtt_us", "min_rtt_us"] {
                let measured = number(&info[measured]);
                assert!((way..=took).contains(&measured), "{measured} of {took}: {info}");
            }
            let segments = segments(server, socket);
            let between = number(&segments[1]["t_us"]) - number(&segments[0]["t_us"]);
            assert!((way..=took).contains(&between), "{between} of {took}");
        },
    );
}
