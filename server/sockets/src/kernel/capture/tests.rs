use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd as _,
};

use tokio::time::timeout;

use super::*;
use crate::kernel::{
    packet::{Carries, Flags, Packet},
    state::Protocol,
};

/// Opens a capture. Without CAP_NET_RAW these tests fail: they have nothing to say.
pub(in crate::kernel) fn open() -> Capture {
    Capture::open().expect("CAP_NET_RAW is needed to test the capture")
}

/// What is captured until something is, which must be soon.
pub(in crate::kernel) async fn until(
    capture: &Capture,
    mine: impl Fn(&Packet) -> bool,
    mut done: impl FnMut(&[Packet]) -> bool,
) -> Vec<Packet> {
    let (mut raw, mut packets) = (Vec::new(), Vec::new());
    while !done(&packets) {
        raw.clear();
        if timeout(Duration::from_secs(5), capture.next_batch(&mut raw)).await.is_err() {
            let last = &packets[packets.len().saturating_sub(20)..];
            panic!("it never came; of {} the last are {last:#?}", packets.len());
        }
        packets.extend(raw.iter().filter_map(Packet::parse).filter(&mine));
    }
    packets
}

pub(in crate::kernel) fn wanted(protocol: Protocol, address: SocketAddr) -> Endpoint {
    Endpoint { protocol, address: Some(address.ip()), port: address.port() }
}

fn flags(packet: &Packet) -> Flags {
    packet.tcp().expect("a segment").flags
}

/// One connection: five bytes there, three back, closed by the client first.
pub(in crate::kernel) fn converse(listener: &TcpListener, to: SocketAddr) {
    let mut near = TcpStream::connect(to).expect("it listens");
    let (mut far, _) = listener.accept().expect("it connected");
    near.write_all(b"hello").expect("written");
    far.read_exact(&mut [0; 5]).expect("it arrives");
    far.write_all(b"you").expect("written");
    near.read_exact(&mut [0; 3]).expect("it arrives");
    drop(near);
    assert_eq!(far.read(&mut [0]).expect("it ends"), 0);
}

pub(in crate::kernel) fn ended(packets: &[Packet]) -> bool {
    let fins = packets.iter().filter(|packet| flags(packet).fin).count();
    fins == 2 && packets.last().is_some_and(|last| !flags(last).fin)
}

async fn a_connection_is_seen(bind: SocketAddr, to: Option<IpAddr>) {
    let listener = TcpListener::bind(bind).expect("a free port");
    let mut to = SocketAddr::new(to.unwrap_or(bind.ip()), listener.local_addr().expect("bound").port());
    let capture = open();
    capture.want(wanted(Protocol::Tcp, to)).expect("attached");
    let (wall, mono) = (Clocks::read().wall, Instant::now());
    converse(&listener, to);
    let after = Instant::now();
    let packets = until(&capture, |packet| packet.tcp().is_some(), ended).await;
    to.set_ip(to.ip().to_canonical());
    let seen = packets
        .iter()
        .map(|packet| {
            let Flags { syn, ack, psh, fin, rst, .. } = flags(packet);
            let name = |is: bool, name: char| is.then_some(name);
            let text = [name(syn, 'S'), name(psh, 'P'), name(fin, 'F'), name(rst, 'R'), name(ack, 'a')];
            let way = if packet.to == to { '>' } else { '<' };
            assert!(packet.to == to || packet.from == to, "{packet:?}");
            assert!((mono..=after).contains(&packet.at), "{:?} {mono:?} {after:?}", packet.at);
            format!("{way}{}{}", text.into_iter().flatten().collect::<String>(), packet.len)
        })
        .collect::<Vec<_>>();
    // The acknowledgement of the second FIN may be missing from the end, never from the middle.
    assert_eq!(seen, [">S0", "<Sa0", ">a0", ">Pa5", "<a0", "<Pa3", ">a0", ">Fa0", "<Fa0", ">a0"]);
    assert!(packets.is_sorted_by_key(|packet| packet.at));
    assert_eq!(&*packets[3].payload, b"hello");
    let syn = &packets[0].tcp().expect("a segment").options;
    assert!(syn.mss.is_some() && syn.window_scale.is_some() && syn.sack_permitted, "{syn:?}");
    assert_eq!(capture.lost().expect("asked"), 0);
    assert!(wall > Duration::ZERO);
}

#[tokio::test]
async fn a_connection_over_ipv4_is_seen_once() {
    a_connection_is_seen(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0), None).await;
}

#[tokio::test]
async fn a_connection_over_ipv6_is_seen_once() {
    a_connection_is_seen(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0), None).await;
}

#[tokio::test]
async fn a_mapped_connection_is_seen_once() {
    let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    a_connection_is_seen(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0), Some(mapped.into())).await;
}

#[tokio::test]
async fn a_refused_datagram_and_its_icmp_error_are_seen() {
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let near = UdpSocket::bind((address, 0)).expect("a free port");
        let free = UdpSocket::bind((address, 0)).expect("a free port").local_addr().expect("bound");
        let from = near.local_addr().expect("bound");
        let capture = open();
        capture.want(wanted(Protocol::Udp, free)).expect("attached");
        near.send_to(b"anybody?", free).expect("sent");
        let about = |packet: &Packet| match &packet.carries {
            Carries::Icmp(icmp) if icmp.original.to == free => Some(*icmp),
            _ => None,
        };
        let packets =
            until(&capture, |_| true, |packets| packets.iter().any(|packet| about(packet).is_some())).await;
        assert_eq!((packets[0].from, packets[0].to, packets[0].len), (from, free, 8));
        assert_eq!(&*packets[0].payload, b"anybody?");
        let icmp = packets.iter().find_map(about).expect("it came");
        assert_eq!((icmp.kind, icmp.code), if address.is_ipv4() { (3, 3) } else { (1, 4) });
        assert_eq!((icmp.original.from, icmp.original.to, icmp.original.tcp), (from, free, false));
    }
}

#[tokio::test]
async fn wanting_is_counted() {
    let near = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let far = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let to = far.local_addr().expect("bound");
    let capture = open();
    let port = Endpoint { protocol: Protocol::Udp, address: None, port: to.port() };
    let send = |what: &[u8]| near.send_to(what, to).expect("sent");
    send(b"unseen");
    capture.want(port).expect("attached");
    capture.want(port).expect("attached");
    capture.unwant(port).expect("attached");
    send(b"seen");
    capture.unwant(port).expect("attached");
    capture.unwant(port).expect("nothing to do");
    send(b"unseen");
    capture.want(port).expect("attached");
    send(b"last");
    let packets =
        until(&capture, |_| true, |packets| packets.iter().any(|packet| &*packet.payload == b"last")).await;
    let seen = packets
        .iter()
        .filter(|packet| packet.to == to)
        .map(|packet| String::from_utf8_lossy(&packet.payload))
        .collect::<Vec<_>>();
    assert_eq!(seen, ["seen", "last"]);
}

#[tokio::test]
async fn too_much_to_want_is_seen_all_the_same() {
    let near = UdpSocket::bind("[::1]:0").expect("a free port");
    let capture = open();
    for port in 1..400 {
        let address = Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, port).into());
        capture.want(Endpoint { protocol: Protocol::Tcp, address, port }).expect("attached");
    }
    let to = near.local_addr().expect("bound");
    capture.want(wanted(Protocol::Udp, to)).expect("attached");
    // It sees the floods of other tests too, and may lose some of it.
    until(
        &capture,
        |_| true,
        |packets| {
            near.send_to(b"hello", to).expect("sent");
            packets.iter().any(|packet| packet.to == to && packet.len == 5)
        },
    )
    .await;
}

#[tokio::test]
async fn what_finds_no_room_is_counted() {
    let near = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let to = near.local_addr().expect("bound");
    let capture = open();
    capture.want(wanted(Protocol::Udp, to)).expect("attached");
    // A frame takes more than 100 bytes of the ring: half as many again as it holds, however well they are packed.
    let sent = u64::from(BLOCKS * BLOCK_LEN / 100) * 3 / 2;
    for _ in 0..sent {
        near.send_to(b"hello", to).expect("sent");
    }
    let (mut raw, mut seen) = (Vec::new(), 0);
    while timeout(Duration::from_millis(200), capture.next_batch(&mut raw)).await.is_ok() {
        let packets = raw.drain(..).filter_map(|raw| Packet::parse(&raw));
        seen += packets.filter(|packet| packet.to == to).count() as u64;
    }
    let lost = capture.lost().expect("asked");
    assert!(lost > 0, "the ring held all {sent}");
    assert_eq!(seen + lost, sent);
    assert_eq!(capture.lost().expect("asked"), lost, "it only grows");
}

#[tokio::test]
async fn interfaces_have_names() {
    let capture = open();
    let lo = nix::net::if_::if_nametoindex("lo").expect("everybody has it");
    assert_eq!(&*capture.interface(lo), "lo");
    assert_eq!(&*capture.interface(987_654), "if987654");
}

/// Bulk over loopback with the capture off and on: the figures in the report. `cargo test --release -- --ignored`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn bulk_throughput() {
    const BULK: usize = 4 << 30;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let to = listener.local_addr().expect("bound");
    let flood = || {
        let mut near = TcpStream::connect(to).expect("it listens");
        let (mut far, _) = listener.accept().expect("it connected");
        let writer = std::thread::spawn(move || {
            let block = vec![7; 256 << 10];
            (0..BULK / block.len()).for_each(|_| near.write_all(&block).expect("written"));
        });
        let (start, mut total, mut buffer) = (Instant::now(), 0, vec![0; 256 << 10]);
        while total < BULK {
            total += far.read(&mut buffer).expect("read");
        }
        writer.join().expect("it wrote");
        BULK as f64 / start.elapsed().as_secs_f64() / f64::from(1 << 30)
    };
    for _ in 0..5 {
        let off = flood();
        let capture = Arc::new(open());
        capture.want(wanted(Protocol::Tcp, to)).expect("attached");
        let reader = tokio::spawn({
            let capture = Arc::clone(&capture);
            async move {
                let (mut raw, mut seen) = (Vec::new(), 0);
                while timeout(Duration::from_millis(500), capture.next_batch(&mut raw)).await.is_ok() {
                    seen += raw.drain(..).filter_map(|raw| Packet::parse(&raw)).count();
                }
                seen
            }
        });
        let on = tokio::task::block_in_place(flood);
        let seen = reader.await.expect("it ran");
        let lost = capture.lost().expect("asked");
        eprintln!(
            "off {off:.2} GiB/s, on {on:.2} GiB/s ({:.0} %), {seen} seen, {lost} lost",
            on / off * 100.0
        );
    }
}

/// A frame that lies in a block of the ring was seen before it is handed over, and until then it is known to be missing.
#[tokio::test]
async fn what_is_not_handed_over_yet_is_known_to_be_missing() {
    let capture = open();
    let near = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let to = near.local_addr().expect("bound");
    capture.want(wanted(Protocol::Udp, to)).expect("attached");
    assert!(
        capture.complete_until() >= Instant::now() - Duration::from_secs(1),
        "there is nothing to wait for"
    );
    for _ in 0..3 {
        let before = Instant::now();
        assert!(capture.complete_until() >= before, "all of before is there");
        near.send_to(b"x", to).expect("sent");
        let after = Instant::now();
        assert!(capture.complete_until() < after, "the datagram is still to come");
        until(&capture, |packet| packet.to == to, |seen| seen.len() == 1).await;
        assert!(capture.complete_until() >= after, "it came");
    }
}

/// Whether the kernel hands packets of this machine to it (`R` in /proc/net/packet, for the socket of that inode).
fn is_running(capture: &Capture) -> bool {
    let descriptor = format!("/proc/self/fd/{}", capture.socket.get_ref().as_raw_fd());
    let link = std::fs::read_link(descriptor).expect("it is open").to_string_lossy().into_owned();
    let inode = link.trim_start_matches("socket:[").trim_end_matches(']');
    let all = std::fs::read_to_string("/proc/thread-self/net/packet").expect("packet sockets");
    let mut rows = all.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.find(|row| row.last() == Some(&inode)).expect("it is listed")[5] == "1"
}

#[tokio::test]
async fn no_packet_of_this_machine_is_cloned_before_something_is_wanted() {
    let capture = open();
    assert!(!is_running(&capture));
    let endpoint = wanted(Protocol::Tcp, SocketAddr::from(([127, 0, 0, 1], 9)));
    capture.want(endpoint).expect("wanted");
    assert!(is_running(&capture));
}
