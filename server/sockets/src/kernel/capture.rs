//! Sees frames: a packet socket on all interfaces (packet(7)), with a filter in the kernel and a ring it writes to.
//!
//! A frame costs the sockets it belongs to one run of the filter and a copy of its first bytes. When the ring is full the
//! kernel drops the copy, never the frame, and counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use socket2::{Domain, SockFilter, Socket, Type};
use tokio::{io::unix::AsyncFd, task::coop::consume_budget, time::Instant};

use super::{
    clocks::Clocks,
    filter::{self, Endpoint, Instruction},
    interfaces::Names,
};
use crate::sys::{self, Ring};

/// The ring: 64 blocks of 128 KiB, each of about 350 frames. Full, it loses frames and counts them; at a frame of 64 KiB
/// it holds those of a gigabyte.
const BLOCKS: u32 = 64;
const BLOCK_LEN: u32 = 128 << 10;

/// What a frame may take in the ring at most: its headers there, and the snap length. A block is divided by it only on
/// paper, version 3 packs frames densely.
const FRAME_LEN: u32 = 512;

/// How long a frame lies in a block that is not full before it is handed over. Its time is taken when it is seen.
const RETIRE_MS: u32 = 5;

/// How many frames a batch has at least before the blocks that are left wait for the next.
const BATCH: usize = 4096;

/// What a frame begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// An Ethernet header; on loopback one of zero addresses.
    Ethernet,
    /// The IP header: the interface has no link header, or one that was taken off.
    Ip,
}

/// What the kernel says of a frame's transport checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Nothing.
    Unsaid,
    /// The card, or nobody, fills it in later: what is there is a partial sum.
    Unfilled,
    /// It was found right.
    Valid,
}

/// A captured frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// When it was seen.
    pub at: Instant,
    /// The same since 1970, by the wall clock of that moment.
    pub wall: Duration,
    /// The index of the interface it was seen at.
    pub interface: u32,
    /// This host sent it. Never on loopback, where only the receiving side is looked at.
    pub outgoing: bool,
    /// What it begins with.
    pub link: Link,
    /// What the kernel says of its checksum.
    pub checksum: Checksum,
    /// How long it was, in bytes.
    pub len: u32,
    /// Its first bytes, at most [`filter::SNAP_LEN`].
    pub bytes: Arc<[u8]>,
}

/// A packet socket and what is wanted of it.
#[derive(Debug)]
pub struct Capture {
    socket: AsyncFd<Socket>,
    ring: Ring,
    /// The block that is read next. Held for one look at the ring, never across an await.
    next: Mutex<usize>,
    /// What is wanted, and how often. Held while the filter is attached, so that the last change wins.
    wanted: Mutex<BTreeMap<Endpoint, usize>>,
    lost: AtomicU64,
    names: Mutex<Names>,
}

impl Capture {
    /// Opens the socket. Nothing is seen until something is wanted. Needs CAP_NET_RAW, and must be called within a
    /// runtime; it sees the network namespace of the calling thread.
    ///
    /// # Errors
    /// What socket(2), setsockopt(2), mmap(2) and bind(2) say: EPERM is the ordinary answer without the capability.
    pub fn open() -> io::Result<Self> {
        // With protocol 0 it receives nothing until it is bound, when filter and ring are there.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        attach(&socket, &filter::nothing())?;
        let ring = Ring::map(&socket, BLOCKS, BLOCK_LEN, FRAME_LEN, RETIRE_MS)?;
        sys::bind_packet(&socket)?;
        Ok(Self {
            socket: sys::readable(socket)?,
            ring,
            next: Mutex::new(0),
            wanted: Mutex::default(),
            lost: AtomicU64::new(0),
            names: Mutex::new(Names::open()),
        })
    }

    /// Wants an endpoint once more. When this returns the kernel looks for it: nothing sent afterwards is missed.
    ///
    /// # Errors
    /// What setsockopt(2) says; it is wanted all the same, and looked for when the filter next changes.
    pub fn want(&self, endpoint: Endpoint) -> io::Result<()> {
        let mut wanted = lock(&self.wanted);
        let count = wanted.entry(endpoint).or_insert(0);
        *count += 1;
        if *count == 1 { self.refilter(&wanted) } else { Ok(()) }
    }

    /// Takes back one [`Capture::want`]; what was not wanted stays so.
    ///
    /// # Errors
    /// What setsockopt(2) says; the filter then lets more through than is wanted.
    pub fn unwant(&self, endpoint: Endpoint) -> io::Result<()> {
        let mut wanted = lock(&self.wanted);
        let Some(count) = wanted.get_mut(&endpoint) else { return Ok(()) };
        *count -= 1;
        if *count == 0 {
            wanted.remove(&endpoint);
            return self.refilter(&wanted);
        }
        Ok(())
    }

    fn refilter(&self, wanted: &BTreeMap<Endpoint, usize>) -> io::Result<()> {
        let program = filter::program(&wanted.keys().copied().collect::<BTreeSet<_>>());
        attach(self.socket.get_ref(), &program).or_else(|error| {
            // The kernel gives a socket little memory for options (net.core.optmem_max).
            tracing::debug!(%error, instructions = program.len(), "the exact filter cannot be attached");
            attach(self.socket.get_ref(), &filter::coarse())
        })
    }

    /// Appends the frames that came, oldest first; waits until there is one. For one task at a time; when it is dropped
    /// no frame is lost.
    ///
    /// # Errors
    /// What the socket reports, or the runtime's shutdown.
    pub async fn next_batch(&self, batch: &mut Vec<Raw>) -> io::Result<()> {
        consume_budget().await;
        loop {
            if self.drain(batch) {
                return Ok(());
            }
            let mut ready = self.socket.readable().await?;
            if self.drain(batch) {
                return Ok(());
            }
            // An error makes a socket ready too, again and again until it is taken.
            if let Some(error) = self.socket.get_ref().take_error()? {
                return Err(error);
            }
            ready.clear_ready();
        }
    }

    /// Appends the frames that are there now, oldest first; does not wait.
    pub fn batch(&self, batch: &mut Vec<Raw>) {
        self.drain(batch);
    }

    /// How many frames were lost since the capture was opened: they passed the filter and found the ring full.
    ///
    /// # Errors
    /// What getsockopt(2) says.
    pub fn lost(&self) -> io::Result<u64> {
        let more = u64::from(sys::packets_dropped(self.socket.get_ref())?);
        Ok(self.lost.fetch_add(more, Ordering::Relaxed) + more)
    }

    /// What an interface is called. One that is gone keeps the name it had; one that was never asked for while it was
    /// there is called by its number.
    pub fn interface(&self, index: u32) -> Arc<str> {
        lock(&self.names).of(index)
    }

    /// Takes what is in the ring now; whether there was anything.
    fn drain(&self, batch: &mut Vec<Raw>) -> bool {
        let mut next = lock(&self.next);
        let before = batch.len();
        let mut clocks = None;
        while batch.len() - before < BATCH {
            let block = *next * BLOCK_LEN as usize;
            if self.ring.acquire(block + BLOCK_STATUS) & STATUS_USER == 0 {
                break;
            }
            let clocks = clocks.get_or_insert_with(Clocks::read);
            self.read_block(block, clocks, batch);
            self.ring.release(block + BLOCK_STATUS, STATUS_KERNEL);
            *next = (*next + 1) % BLOCKS as usize;
        }
        if batch.len() > before {
            lock(&self.names).refresh();
        }
        batch.len() > before
    }

    fn read_block(&self, block: usize, clocks: &Clocks, batch: &mut Vec<Raw>) {
        let count = self.ring.acquire(block + BLOCK_FRAMES);
        let mut frame = block + self.ring.acquire(block + BLOCK_FIRST) as usize;
        for _ in 0..count {
            let mut header = [0; FRAME_HEADER];
            if !self.ring.copy(frame, &mut header) {
                break;
            }
            let word =
                |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
            let (mac, net) = (half(FRAME_MAC), half(FRAME_NET));
            let wall = Duration::new(word(FRAME_SECONDS).into(), word(FRAME_NANOSECONDS));
            let (link, skip) = match half(FRAME_HARDWARE) {
                libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => (Link::Ethernet, 0),
                _ => (Link::Ip, u32::from(net.saturating_sub(mac))),
            };
            let status = word(FRAME_STATUS);
            let kept = word(FRAME_KEPT).saturating_sub(skip).min(filter::SNAP_LEN);
            let mut bytes = [0; filter::SNAP_LEN as usize];
            let bytes = &mut bytes[..kept as usize];
            if self.ring.copy(frame + usize::from(mac) + skip as usize, bytes) {
                batch.push(Raw {
                    at: clocks.instant(wall),
                    wall,
                    interface: word(FRAME_INTERFACE),
                    outgoing: header[FRAME_KIND] == libc::PACKET_OUTGOING,
                    link,
                    checksum: if status & libc::TP_STATUS_CSUMNOTREADY != 0 {
                        Checksum::Unfilled
                    } else if status & libc::TP_STATUS_CSUM_VALID != 0 {
                        Checksum::Valid
                    } else {
                        Checksum::Unsaid
                    },
                    len: word(FRAME_WHOLE).saturating_sub(skip),
                    bytes: Arc::from(&*bytes),
                });
            }
            frame += word(FRAME_NEXT) as usize;
        }
    }
}

// Where things lie in a block (`struct tpacket_block_desc` and `tpacket_hdr_v1`, linux/if_packet.h) …
const BLOCK_STATUS: usize = 8;
const BLOCK_FRAMES: usize = 12;
const BLOCK_FIRST: usize = 16;

// … and in a frame: `struct tpacket3_hdr`, and behind it `struct sockaddr_ll`.
const FRAME_NEXT: usize = 0;
const FRAME_SECONDS: usize = 4;
const FRAME_NANOSECONDS: usize = 8;
const FRAME_KEPT: usize = 12;
const FRAME_WHOLE: usize = 16;
const FRAME_STATUS: usize = 20;
const FRAME_MAC: usize = 24;
const FRAME_NET: usize = 26;
const FRAME_INTERFACE: usize = 48 + 4;
const FRAME_HARDWARE: usize = 48 + 8;
const FRAME_KIND: usize = 48 + 10;
const FRAME_HEADER: usize = 48 + 12;

/// Whose a block is (`TP_STATUS_KERNEL`, `TP_STATUS_USER`).
const STATUS_KERNEL: u32 = 0;
const STATUS_USER: u32 = 1;

fn attach(socket: &Socket, program: &[Instruction]) -> io::Result<()> {
    let program = program
        .iter()
        .map(|&Instruction { code, jt, jf, k }| SockFilter::new(code, jt, jf, k))
        .collect::<Vec<_>>();
    socket.attach_filter(&program)
}

/// Nothing that is done under these locks can be left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "two ends on loopback to look at")]
pub(super) mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
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
                until(&capture, |_| true, |packets| packets.iter().any(|packet| about(packet).is_some()))
                    .await;
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
            until(&capture, |_| true, |packets| packets.iter().any(|packet| &*packet.payload == b"last"))
                .await;
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
        let sent = 60_000;
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
}
