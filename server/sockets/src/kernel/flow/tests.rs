use proptest::prelude::*;

use super::*;
use crate::kernel::{
    capture::tests::{converse, ended, open, until, wanted},
    packet::{Carries, Options},
    state::Protocol,
};

const LOCAL: &str = "192.0.2.1:1000";
const REMOTE: &str = "192.0.2.2:80";

/// A segment: flags by letter, sequence and acknowledgement number, length, window.
fn packet(sender: End, at: Instant, flags: &str, numbers: (u32, u32), len: u32, window: u16) -> Packet {
    let (local, remote) = (LOCAL.parse().expect("an address"), REMOTE.parse().expect("an address"));
    let (from, to) = if sender == End::Local { (local, remote) } else { (remote, local) };
    let has = |flag| flags.contains(flag);
    let syn = has('S');
    Packet {
        at,
        from,
        to,
        carries: Carries::Tcp(Tcp {
            flags: Flags {
                syn,
                ack: has('A'),
                fin: has('F'),
                rst: has('R'),
                psh: has('P'),
                ..Flags::default()
            },
            seq: numbers.0,
            ack: numbers.1,
            window,
            options: Options {
                mss: syn.then_some(1460),
                window_scale: syn.then_some(7),
                timestamps: syn.then_some((1, 0)),
                ..Options::default()
            },
        }),
        fragmented: None,
        len,
        payload: Box::default(),
    }
}

struct Story {
    flow: Flow,
    now: Instant,
}

impl Story {
    fn new() -> Self {
        let (local, remote) = (LOCAL.parse().expect("an address"), REMOTE.parse().expect("an address"));
        Self { flow: Flow::new(local, remote), now: Instant::now() }
    }

    /// After a handshake of 100 µs: the client's first number is 999, the server's 4999.
    fn established() -> Self {
        let mut story = Self::new();
        story.see(End::Local, "S", (999, 0), 0, 1000);
        story.see(End::Peer, "SA", (4999, 1000), 0, 1000);
        story.see(End::Local, "A", (1000, 5000), 0, 1000);
        story
    }

    fn see(&mut self, end: End, flags: &str, numbers: (u32, u32), len: u32, window: u16) -> Segment {
        self.after(Duration::from_micros(50), end, flags, numbers, len, window)
    }

    fn after(
        &mut self,
        pause: Duration,
        end: End,
        flags: &str,
        numbers: (u32, u32),
        len: u32,
        window: u16,
    ) -> Segment {
        self.now += pause;
        let packet = packet(end, self.now, flags, numbers, len, window);
        assert_eq!(self.flow.sender(&packet), Some(end));
        self.flow.see(end, &packet).expect("a segment")
    }

    fn marks(&mut self, end: End, flags: &str, numbers: (u32, u32), len: u32, window: u16) -> Vec<Mark> {
        self.see(end, flags, numbers, len, window).marks
    }
}

const LATER: Duration = Duration::from_millis(200);

#[test]
fn numbers_are_told_from_the_first() {
    let mut story = Story::established();
    let data = story.see(End::Local, "PA", (1000, 5000), 3000, 1000);
    assert_eq!((data.seq_relative, data.ack_relative, data.offset), (Some(1), Some(1), Some(0)));
    assert_eq!((data.window, data.mss, data.pieces), (1000 << 7, Some(1448), Some(3)));
    let answer = story.see(End::Peer, "A", (5000, 4000), 0, 1000);
    assert_eq!((answer.seq_relative, answer.ack_relative, answer.offset), (Some(1), Some(3001), None));
    assert_eq!(answer.marks, []);
}

#[test]
fn without_the_handshake_nothing_is_relative() {
    let mut story = Story::new();
    let data = story.see(End::Local, "PA", (1000, 5000), 30, 1000);
    assert_eq!((data.seq_relative, data.ack_relative, data.offset), (None, None, None));
    assert_eq!((data.window, data.mss, data.pieces), (1000, None, None));
    assert_eq!(story.see(End::Local, "PA", (1000, 5000), 30, 1000).marks, [Mark::Retransmission]);
}

#[test]
fn a_syn_ack_tells_of_the_syn() {
    let mut story = Story::new();
    let answer = story.see(End::Peer, "SA", (4999, 1000), 0, 1000);
    assert_eq!((answer.seq_relative, answer.ack_relative), (Some(0), Some(1)));
    assert_eq!(story.see(End::Local, "A", (1000, 5000), 0, 1000).seq_relative, Some(1));
}

#[test]
fn a_refusal_is_one_as_in_wireshark() {
    let mut story = Story::new();
    story.see(End::Local, "S", (999, 0), 0, 1000);
    let refused = story.see(End::Peer, "RA", (0, 1000), 0, 0);
    assert_eq!((refused.seq_relative, refused.ack_relative), (Some(1), Some(1)));
    assert_eq!(refused.marks, []);
}

#[test]
fn what_went_before_is_a_retransmission() {
    let mut story = Story::established();
    assert_eq!(story.marks(End::Local, "PA", (1000, 5000), 100, 1000), []);
    assert_eq!(story.marks(End::Local, "PA", (1000, 5000), 100, 1000), [Mark::Retransmission]);
    assert_eq!(story.marks(End::Local, "PA", (1050, 5000), 100, 1000), [Mark::Retransmission]);
    assert_eq!(story.marks(End::Local, "FA", (1150, 5000), 0, 1000), []);
    assert_eq!(story.marks(End::Local, "FA", (1150, 5000), 0, 1000), [Mark::Retransmission]);
    let mut story = Story::new();
    assert_eq!(story.marks(End::Local, "S", (999, 0), 0, 1000), []);
    assert_eq!(story.marks(End::Local, "S", (999, 0), 0, 1000), [Mark::Retransmission]);
}

#[test]
fn who_fills_a_hole_soon_was_overtaken_and_later_was_sent_again() {
    for (pause, mark) in [(Duration::from_micros(50), Mark::OutOfOrder), (LATER, Mark::Retransmission)] {
        let mut story = Story::established();
        let early = story.see(End::Local, "A", (1100, 5000), 100, 1000);
        assert_eq!((early.marks.as_slice(), early.missing), (&[][..], 100));
        let late = story.after(pause, End::Local, "A", (1000, 5000), 100, 1000);
        assert_eq!((late.marks, late.missing), (vec![mark], 0));
    }
}

#[test]
fn an_acknowledgement_is_duplicate_only_while_something_is_outstanding() {
    let mut story = Story::established();
    story.see(End::Local, "A", (1000, 5000), 100, 1000);
    assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 1000), []);
    assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 1000), []);
    story.see(End::Local, "A", (1200, 5000), 100, 1000);
    assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 1000), [Mark::DuplicateAck]);
    assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 999), [Mark::WindowUpdate]);
}

#[test]
fn a_closed_window_is_probed_and_opens() {
    let mut story = Story::established();
    story.see(End::Local, "A", (1000, 5000), 100, 1000);
    assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 0), [Mark::ZeroWindow]);
    // As Linux does it, and as the others do.
    assert_eq!(story.marks(End::Local, "A", (1099, 5000), 0, 1000), [Mark::ZeroWindowProbe]);
    assert_eq!(story.marks(End::Local, "A", (1100, 5000), 1, 1000), [Mark::ZeroWindowProbe]);
    assert_eq!(story.marks(End::Local, "A", (1100, 5000), 1, 1000), [Mark::ZeroWindowProbe]);
    assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 0), [Mark::ZeroWindow]);
    assert_eq!(story.marks(End::Peer, "A", (5000, 1100), 0, 500), [Mark::WindowUpdate]);
    assert_eq!(story.marks(End::Local, "A", (1100, 5000), 100, 1000), []);
}

#[test]
fn a_keepalive_is_answered() {
    let mut story = Story::established();
    assert_eq!(story.marks(End::Local, "A", (999, 5000), 0, 1000), [Mark::Keepalive]);
    // The window of a SYN/ACK is not scaled: the first one behind it is more.
    assert_eq!(story.marks(End::Peer, "A", (5000, 1000), 0, 1000), [Mark::WindowUpdate]);
    assert_eq!(story.marks(End::Local, "A", (999, 5000), 0, 1000), [Mark::Keepalive]);
    assert_eq!(story.marks(End::Peer, "A", (5000, 1000), 0, 1000), [Mark::KeepaliveAck]);
}

#[test]
fn a_new_connection_between_the_same_ports_begins_anew() {
    let mut story = Story::established();
    story.see(End::Local, "A", (1000, 5000), 100, 1000);
    assert_eq!(story.see(End::Local, "S", (77, 0), 0, 1000).seq_relative, Some(0));
    assert_eq!(story.see(End::Peer, "RA", (0, 78), 0, 0).seq_relative, Some(1));
}

proptest! {
    #[test]
    fn numbers_survive_the_wrap(isn in any::<u32>(), steps in 100..2000_u32) {
        let mut story = Story::new();
        story.see(End::Local, "S", (isn, 0), 0, 1000);
        story.see(End::Peer, "SA", (1, isn.wrapping_add(1)), 0, 1000);
        // Steps of a few MiB: past 4 GiB.
        let (mut sent, step) = (0_u64, 5 << 20);
        for _ in 0..steps {
            let seq = isn.wrapping_add(1).wrapping_add(sent as u32);
            let segment = story.see(End::Local, "A", (seq, 2), step, 1000);
            prop_assert_eq!(segment.offset, Some(sent));
            prop_assert_eq!(segment.seq_relative, Some(sent + 1));
            prop_assert!(segment.marks.is_empty());
            sent += u64::from(step);
            let ack = isn.wrapping_add(1).wrapping_add(sent as u32);
            prop_assert_eq!(story.see(End::Peer, "A", (2, ack), 0, 1000).ack_relative, Some(sent + 1));
        }
    }

    #[test]
    fn any_order_of_any_segments_is_judged(
        segments in proptest::collection::vec(
            (any::<bool>(), 0..16_u8, any::<(u32, u32)>(), any::<u32>(), any::<u16>()), 1..200),
    ) {
        let mut story = Story::new();
        for (local, bits, numbers, len, window) in segments {
            let flags = "SAFR".chars().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, c)| c);
            let end = if local { End::Local } else { End::Peer };
            story.see(end, &flags.collect::<String>(), numbers, len, window);
        }
        prop_assert!(story.flow.ends.iter().all(|end| end.seen.len() <= STRETCHES));
    }
}

#[expect(clippy::disallowed_methods, reason = "two ends on loopback to look at")]
#[tokio::test]
async fn a_real_connection_has_the_right_numbers() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let to = listener.local_addr().expect("bound");
    let capture = open();
    capture.want(wanted(Protocol::Tcp, to)).expect("attached");
    converse(&listener, to);
    let packets = until(&capture, |packet| packet.tcp().is_some(), ended).await;
    let mut flow = Flow::new(packets[0].from, to);
    let seen = packets
        .iter()
        .map(|packet| {
            let end = flow.sender(packet).expect("of this connection");
            let segment = flow.see(end, packet).expect("a segment");
            assert_eq!(segment.marks, [], "{segment:?}");
            (end, segment.seq_relative.expect("known"), segment.ack_relative, segment.offset)
        })
        .collect::<Vec<_>>();
    use End::{Local, Peer};
    assert_eq!(
        seen,
        [
            (Local, 0, None, None),
            (Peer, 0, Some(1), None),
            (Local, 1, Some(1), None),
            (Local, 1, Some(1), Some(0)),
            (Peer, 1, Some(6), None),
            (Peer, 1, Some(6), Some(0)),
            (Local, 6, Some(4), None),
            (Local, 6, Some(4), None),
            (Peer, 4, Some(7), None),
            (Local, 7, Some(5), None),
        ]
    );
}

/// The same frames as tshark sees, one for one. `cargo test -- --ignored wireshark`.
#[expect(clippy::disallowed_methods, reason = "two ends on loopback to look at")]
#[tokio::test]
#[ignore = "needs tshark"]
async fn wireshark_says_the_same() {
    use std::{
        io::{BufRead as _, BufReader, Read as _, Write as _},
        process::{Command, Stdio},
        thread,
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let to = listener.local_addr().expect("bound");
    let capture = open();
    capture.want(wanted(Protocol::Tcp, to)).expect("attached");
    let mut tshark = Command::new("tshark")
        .args([
            "-i",
            "lo",
            "-l",
            "-s",
            "256",
            "-B",
            "64",
            "-a",
            "duration:15",
            "-o",
            "tcp.desegment_tcp_streams:FALSE",
        ])
        .args(["-f", &format!("tcp port {}", to.port()), "-T", "fields", "-E", "separator=,"])
        .args(["-e", "tcp.dstport", "-e", "tcp.flags", "-e", "tcp.seq", "-e", "tcp.ack", "-e", "tcp.len"])
        .args(["-e", "tcp.window_size", "-e", "_ws.expert.message"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tshark is installed");
    let stderr = BufReader::new(tshark.stderr.take().expect("piped"));
    let stdout = BufReader::new(tshark.stdout.take().expect("piped"));
    let mut stderr = stderr.lines().map(|line| line.expect("text"));
    assert!(stderr.any(|line| line.contains("Capture started")));
    converse(&listener, to);
    // A reader that pauses: the window closes, is probed, and opens.
    let mut near = std::net::TcpStream::connect(to).expect("it listens");
    let (mut far, _) = listener.accept().expect("it connected");
    let writer = thread::spawn(move || {
        near.write_all(&vec![7; 8 << 20]).expect("written");
        near
    });
    thread::sleep(Duration::from_millis(900));
    far.read_exact(&mut vec![0; 8 << 20]).expect("it arrives");
    drop(far);
    drop(writer.join().expect("it wrote"));
    let fins = |packets: &[Packet]| {
        packets.iter().filter(|p| p.tcp().is_some_and(|tcp| tcp.flags.fin)).count() == 4
            && packets.last().is_some_and(|last| last.tcp().is_some_and(|tcp| !tcp.flags.fin))
    };
    let packets = until(&capture, |packet| packet.tcp().is_some(), fins).await;
    let mut flows = std::collections::HashMap::new();
    let ours = packets.iter().map(|packet| {
        let near = if packet.to == to { packet.from } else { packet.to };
        let flow = flows.entry(near).or_insert_with(|| Flow::new(near, to));
        let end = flow.sender(packet).expect("of this connection");
        flow.see(end, packet).expect("a segment")
    });
    let ours = ours.collect::<Vec<_>>();
    let theirs = stdout.lines().take(ours.len()).map(|line| line.expect("text")).collect::<Vec<_>>();
    tshark.kill().expect("it runs");
    tshark.wait().expect("it ended");
    for ((segment, packet), line) in ours.iter().zip(&packets).zip(&theirs) {
        let f = segment.flags;
        let bits = [f.fin, f.syn, f.rst, f.psh, f.ack, f.urg, f.ece, f.cwr];
        let bits = bits.iter().enumerate().map(|(i, bit)| u32::from(*bit) << i).sum::<u32>();
        let said = format!(
            "{},{bits:#06x},{},{},{},{}",
            packet.to.port(),
            segment.seq_relative.expect("known"),
            segment.ack_relative.unwrap_or(0),
            segment.len,
            segment.window,
        );
        let theirs = line.split(',').take(6).collect::<Vec<_>>().join(",");
        assert_eq!(said, theirs, "{segment:?}");
        let remark = line.splitn(7, ',').nth(6).unwrap_or_default();
        if !segment.marks.is_empty() || remark.contains("TCP") {
            eprintln!("{said}: {:?}, tshark: {remark}", segment.marks);
        }
    }
    assert_eq!(ours.len(), theirs.len());
    eprintln!("{} frames", ours.len());
}

/// Between two network namespaces of this test's own, which end with their threads. Needs root.
#[expect(clippy::disallowed_methods, reason = "two ends to look at")]
#[test]
fn a_frame_over_ethernet_stands_for_several_segments() {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
        process::Command,
        sync::mpsc::sync_channel,
        thread,
    };

    use crate::kernel::capture::{Checksum, Link};

    fn own_network() -> String {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("root is needed to test a network");
        let thread = std::fs::read_link("/proc/thread-self").expect("Linux");
        thread.file_name().expect("its number").to_string_lossy().into_owned()
    }
    fn ip(arguments: &str) {
        let done = Command::new("ip").args(arguments.split(' ')).status().expect("iproute2 is installed");
        assert!(done.success(), "ip {arguments}");
    }
    fn up(device: &str, address: &str) {
        ip(&format!("address add {address} dev {device}"));
        ip(&format!("link set {device} up"));
    }
    const BYTES: usize = 500_000;

    let (to_near, from_far) = sync_channel(1);
    let (to_far, from_near) = sync_channel(1);
    let far = thread::spawn(move || {
        to_near.send(own_network()).expect("awaited");
        from_near.recv().expect("it tells");
        up("far", "10.77.0.2/24");
        let listener = TcpListener::bind("10.77.0.2:80").expect("a network of its own");
        to_near.send(String::new()).expect("awaited");
        let mut stream = listener.accept().expect("it connected").0;
        stream.read_exact(&mut vec![0; BYTES]).expect("it arrives");
    });
    let near = thread::spawn(move || {
        own_network();
        let thread = from_far.recv().expect("it tells");
        ip(&format!("link add near type veth peer name far netns {thread}"));
        up("near", "10.77.0.1/24");
        to_far.send(()).expect("awaited");
        from_far.recv().expect("it listens");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let capture = open();
            let to = "10.77.0.2:80".parse().expect("an address");
            capture.want(wanted(Protocol::Tcp, to)).expect("attached");
            let mut stream = TcpStream::connect(to).expect("it listens");
            stream.write_all(&vec![7; BYTES]).expect("written");
            let mut flow = Flow::new(stream.local_addr().expect("connected"), to);
            let (mut raw, mut next, mut longest) = (Vec::new(), 0, 0);
            while next < BYTES as u64 {
                raw.clear();
                capture.next_batch(&mut raw).await.expect("it goes on");
                for frame in &raw {
                    let packet = Packet::parse(frame).expect("understood");
                    let end = flow.sender(&packet).expect("of this connection");
                    let segment = flow.see(end, &packet).expect("a segment");
                    assert_eq!((frame.link, frame.outgoing), (Link::Ethernet, end == End::Local));
                    assert_eq!(frame.checksum, Checksum::Unfilled);
                    assert_eq!(&*capture.interface(frame.interface), "near");
                    assert!(!segment.marks.contains(&Mark::Retransmission), "each frame once: {segment:?}");
                    if let Some(offset) = segment.offset {
                        assert_eq!((offset, segment.mss), (next, Some(1448)));
                        next += u64::from(segment.len);
                        longest = longest.max(segment.pieces.expect("known"));
                    }
                }
            }
            assert!(longest > 1, "segmentation offload");
        });
    });
    near.join().expect("the near end is content");
    far.join().expect("the far end is content");
}
