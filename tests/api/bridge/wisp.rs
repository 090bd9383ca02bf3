//! Wisp, version 1 and 2: many streams over one WebSocket.

use std::{io::Write as _, time::Duration};

use serde_json::json;
use sockscope_wire::{Code, Contract, Fact, SocketId, SocketState};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinHandle};

use crate::{
    kit::{key, listed},
    raw::{Asking, BINARY, CLOSE, closing, ended, facts, logged, no_names, noise, open_server, the_socket},
    support::{peer, wait::within_time, *},
    wisp_client::{CONNECT, CONTINUE, DATA, INFO, OVER, TCP, UDP, Wisp, connect, info, packet, to},
};

#[tokio::test]
async fn version_1_needs_no_header_and_carries_tcp_and_udp() {
    let server = open_server(&[]);
    let (tcp, udp) = (TcpPeer::listen().await, UdpPeer::bind().await);
    let mut wisp = Wisp::v1(&server).await;
    let mut stream = wisp.stream(0xdead_beef, &tcp).await;
    wisp.alive(0xdead_beef, &mut stream).await;
    wisp.say(&connect(7, UDP, "127.0.0.1", udp.address().port())).await;
    for said in [&b"one"[..], b"", b"three", &noise(65_507)] {
        wisp.say(&packet(DATA, 7, said)).await;
        let (heard, from) = udp.receive().await;
        assert!(heard == said, "one DATA is one datagram");
        let before = wisp.messages.get(&7).map_or(0, Vec::len);
        udp.send(said, &from.to_string()).await;
        wisp.until("a datagram", |wisp| wisp.messages.get(&7).is_some_and(|all| all.len() > before)).await;
        assert!(wisp.messages[&7].last().expect("one") == said, "one datagram is one DATA");
    }
    assert!(!wisp.credits.contains_key(&7), "UDP has no credits");
    let sockets = server.client().sockets().await.sockets;
    assert_eq!(sockets.len(), 2);
    assert!(sockets.iter().all(|s| s.bridge == Some(Contract::Wisp) && s.state == SocketState::Open));
    wisp.say(&packet(OVER, 7, &[2])).await;
    let udp_id = sockets[1].id.max(sockets[0].id);
    let (reason, counters) = ended(server.client(), udp_id).await;
    assert_eq!(reason, Code::ClientClosed);
    assert_eq!((counters.sent_bytes, counters.sent_events), (65_515, 4));
    assert_eq!((counters.received_bytes, counters.received_events), (65_515, 4));
    wisp.alive(0xdead_beef, &mut stream).await;
}

#[tokio::test]
async fn version_2_begins_with_info_and_confirms_that_a_stream_is_open() {
    let server = open_server(&["--wisp-motd", "Hello, people"]);
    let (tcp, udp) = (TcpPeer::listen().await, UdpPeer::bind().await);
    let mut wisp = Wisp::v2(&server).await;
    let (version, extensions) = wisp.info.clone().expect("heard");
    assert_eq!(version, (2, 0));
    assert_eq!(extensions, [(1, vec![]), (4, b"Hello, people".to_vec()), (5, vec![])]);
    wisp.say(&info(&[(1, &[]), (5, &[]), (0x77, b"of tomorrow")])).await;
    wisp.until("CONTINUE of stream 0", |wisp| wisp.credits.contains_key(&0)).await;
    wisp.say(&to(1, tcp.address())).await;
    wisp.until("the stream's confirmation", |wisp| wisp.credits.contains_key(&1)).await;
    let mut stream = tcp.accept().await;
    wisp.alive(1, &mut stream).await;
    wisp.say(&connect(2, UDP, "127.0.0.1", udp.address().port())).await;
    wisp.say(&packet(DATA, 2, b"datagram")).await;
    assert_eq!(udp.receive().await.0, b"datagram");
    // Who did not list UDP has none; the connection goes on.
    let mut without = Wisp::v2(&server).await;
    without.say(&info(&[])).await;
    without.say(&connect(2, UDP, "127.0.0.1", udp.address().port())).await;
    assert_eq!(without.over(2).await, 0x41);
    let mut stream = without.stream(1, &tcp).await;
    without.alive(1, &mut stream).await;
    // A client of version 1 that names a subprotocol all the same: what it says first counts.
    let mut old = Wisp::v2(&server).await;
    let mut stream = old.stream(9, &tcp).await;
    old.until("CONTINUE of stream 0", |wisp| wisp.credits.contains_key(&0)).await;
    old.alive(9, &mut stream).await;
    // Another version is refused.
    let mut later = Wisp::v2(&server).await;
    later.say(&packet(INFO, 0, &[3, 0])).await;
    assert_eq!(later.over(0).await, 0x04);
    later.left().await;
}

#[tokio::test]
async fn a_password_is_asked_for_where_there_are_some() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "# who may\nann:a secret\nbob:").expect("written");
    let server = open_server(&["--wisp-passwords-file", file.path().to_str().expect("UTF-8")]);
    let peer = TcpPeer::listen().await;
    for (said, refused) in [
        (Some(&b"\x03anna secret"[..]), None),
        (Some(b"\x03bob"), None),
        (Some(b"\x03anna secreT"), Some(0xc0)),
        (Some(b"\x03ann"), Some(0xc0)),
        (Some(b"\x03eve"), Some(0xc0)),
        (Some(b"\xff"), Some(0xc0)),
        (Some(b""), Some(0xc2)),
        (None, Some(0xc2)),
    ] {
        let mut wisp = Wisp::v2(&server).await;
        let offered = wisp.info.clone().expect("heard").1;
        assert!(offered.contains(&(2, vec![1])), "{offered:?}: required");
        let extensions: Vec<(u8, &[u8])> = said.iter().map(|said| (2, *said)).collect();
        wisp.say(&info(&extensions)).await;
        match refused {
            None => {
                let mut stream = wisp.stream(1, &peer).await;
                wisp.alive(1, &mut stream).await;
            }
            Some(reason) => {
                assert_eq!(wisp.over(0).await, reason, "{said:?}");
                assert!(!wisp.credits.contains_key(&0));
                wisp.left().await;
            }
        }
    }
    // Version 1 cannot say one.
    let mut wisp = Wisp::ask(&server, "/wisp/", &Asking::default()).await;
    assert_eq!(wisp.over(0).await, 0xc2);
    wisp.left().await;
    assert_eq!(server.client().sockets().await.sockets.len(), 2, "nobody else got as far as a socket");
}

#[tokio::test]
async fn each_connect_that_fails_is_answered_with_why() {
    let dns = no_names().await;
    let server = open_server(&["--dns", &dns.to_string()]);
    let (nobody, good) = (Nobody::bind(), TcpPeer::listen().await);
    let mut wisp = Wisp::v1(&server).await;
    let mut stream = wisp.stream(1, &good).await;
    let own = server.address().port();
    let wrong_kind = packet(CONNECT, 20, &[3, 80, 0, b'x']);
    let not_text = packet(CONNECT, 21, &[1, 80, 0, 0xff, 0xfe]);
    for (id, said, reason) in [
        (10, to(10, nobody.address()), 0x44),
        (11, connect(11, TCP, "127.0.0.1", own), 0x48),
        (12, connect(12, UDP, "127.0.0.1", own), 0x48),
        (13, connect(13, TCP, "169.254.169.254", 80), 0x48),
        (14, connect(14, TCP, "127.0.0.1", 0), 0x41),
        (15, connect(15, TCP, "", 80), 0x41),
        (16, connect(16, TCP, "2130706433", 80), 0x41),
        (17, connect(17, TCP, "not a host", 80), 0x41),
        (18, connect(18, TCP, "240.0.0.1", 80), 0x48),
        (19, connect(19, TCP, "nobody.example", 80), 0x42),
        (20, wrong_kind, 0x41),
        (21, not_text, 0x41),
    ] {
        wisp.say(&said).await;
        assert_eq!(wisp.over(id).await, reason, "stream {id}");
    }
    assert!(wisp.over.values().all(|closes| closes.len() == 1), "each once: {:?}", wisp.over);
    wisp.alive(1, &mut stream).await;
}

#[tokio::test]
async fn data_of_streams_that_are_not_open_is_ignored() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let mut stream = wisp.stream(1, &peer).await;
    for said in [
        packet(DATA, 2, b"to nobody"),
        packet(DATA, 2, &noise(300_000)),
        packet(DATA, 0, b"to the connection"),
        packet(OVER, 3, &[2]),
        packet(CONTINUE, 1, &[0, 0, 0, 0]),
        packet(INFO, 0, &[2, 0]),
    ] {
        wisp.say(&said).await;
    }
    wisp.alive(1, &mut stream).await;
    assert!(wisp.over.is_empty() && wisp.closed.is_none());
    assert_eq!(server.client().sockets().await.sockets.len(), 1);
}

#[tokio::test]
async fn data_may_come_before_the_stream_is_open_and_arrives_in_order() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let sent = noise(100_000);
    // A name takes longer than an address.
    for (id, host) in [(1, "localhost"), (2, "127.0.0.1")] {
        let mut burst = crate::raw::frame(BINARY, &connect(id, TCP, host, peer.address().port()));
        for part in sent.chunks(sent.len().div_ceil(wisp.credits[&0][0] as usize)) {
            burst.extend(crate::raw::frame(BINARY, &packet(DATA, id, part)));
        }
        wisp.raw.up.bytes(&burst).await;
        let mut stream = peer.accept().await;
        assert!(peer::read(&mut stream, sent.len()).await == sent, "{host}");
        wisp.alive(id, &mut stream).await;
    }
}

#[tokio::test]
async fn all_that_a_target_sent_comes_before_the_close_of_its_stream() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let mut stays = wisp.stream(1, &peer).await;
    let mut stream = wisp.stream(2, &peer).await;
    let sent = noise(2 << 20);
    let sending = async {
        within("sending all of it", stream.write_all(&sent)).await.expect("sends");
        stream.shutdown().await.expect("a FIN");
    };
    let ((), reason) = tokio::join!(sending, wisp.over(2));
    assert_eq!((reason, wisp.over[&2].as_slice()), (0x02, &[(0x02, sent.len())][..]));
    assert!(wisp.data[&2] == sent);
    assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN"), b"");
    // A reset is no voluntary end.
    let stream = wisp.stream(3, &peer).await;
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
    drop(stream);
    assert_eq!(wisp.over(3).await, 0x03);
    wisp.alive(1, &mut stays).await;
}

#[tokio::test]
async fn a_stream_the_client_closes_ends_alone_and_its_number_may_be_used_again() {
    let server = open_server(&[]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let mut stays = wisp.stream(1, &peer).await;
    for round in 0..20 {
        let mut stream = wisp.stream(2, &peer).await;
        // Once it is open: a CLOSE before that gives it up. Credits would not say so, they may be the ones of before.
        wisp.alive(2, &mut stream).await;
        let sent = noise(20_000);
        // In one breath: what was said before the CLOSE arrives, and nothing is confused with what comes after.
        let burst =
            [packet(DATA, 2, &sent), packet(OVER, 2, &[2])].map(|said| crate::raw::frame(BINARY, &said));
        wisp.raw.up.bytes(&burst.concat()).await;
        assert!(peer::read_to_end(&mut stream).await.expect("a FIN") == sent, "round {round}");
    }
    let mut last = wisp.stream(2, &peer).await;
    wisp.alive(2, &mut last).await;
    wisp.alive(1, &mut stays).await;
    assert!(wisp.over.is_empty(), "a CLOSE is not answered: {:?}", wisp.over);
    let closed = async || {
        let events = client.events().await;
        let closed = |fact: &Fact| matches!(fact, Fact::Closed { reason: Code::ClientClosed, .. });
        events.iter().filter(|event| closed(&event.fact)).count() == 20
    };
    eventually("all are closed in the log", closed).await;
    // Also right after the server has closed it.
    for _ in 0..50 {
        drop(wisp.stream(3, &peer).await);
        wisp.over.clear();
        assert_eq!(wisp.over(3).await, 0x02);
    }
    // Two of one number at once: the client could mean either, and has neither.
    let mut first = wisp.stream(4, &peer).await;
    wisp.say(&to(4, peer.address())).await;
    assert_eq!(wisp.over(4).await, 0x41);
    assert_eq!(peer::read_to_end(&mut first).await.expect("a FIN"), b"");
    wisp.alive(1, &mut stays).await;
}

#[tokio::test]
async fn whoever_sends_packets_of_no_known_type_is_told_so() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    for kind in [0, 6, 0x7f, 0xff] {
        let mut wisp = Wisp::v1(&server).await;
        let mut stream = wisp.stream(1, &peer).await;
        wisp.say(&packet(kind, 1, b"what?")).await;
        assert_eq!(wisp.left().await, Some(1002), "type {kind}");
        assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN"), b"");
    }
    let mut wisp = Wisp::v1(&server).await;
    wisp.raw.up.frame(0x81, b"text").await;
    assert_eq!(wisp.left().await, Some(1003));
    let mut still = Wisp::v1(&server).await;
    let mut stream = still.stream(1, &peer).await;
    still.alive(1, &mut stream).await;
}

#[tokio::test]
async fn a_packet_cut_short_anywhere_harms_nobody_else() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let port = peer.address().port();
    let mut bystander = Wisp::v1(&server).await;
    let mut stream = bystander.stream(1, &peer).await;
    let packets = [
        connect(5, TCP, "127.0.0.1", port),
        packet(DATA, 1, b"data"),
        packet(CONTINUE, 1, &[1, 0, 0, 0]),
        packet(OVER, 1, &[2]),
        packet(INFO, 0, &[2, 0, 1, 0, 0, 0, 0]),
    ];
    for whole in &packets {
        for cut in 0..whole.len() {
            let mut wisp = Wisp::v1(&server).await;
            let _own = wisp.stream(1, &peer).await;
            wisp.say(&whole[..cut]).await;
            // It is told, or nothing follows and the connection lives: that it is either is seen in its answer to this.
            wisp.say(&connect(77, TCP, "", 1)).await;
            within("an answer", async {
                while wisp.closed.is_none() && !wisp.over.contains_key(&77) {
                    wisp.hear().await;
                }
            })
            .await;
            // A head that is cut is no packet, nor an INFO without its version; of a CONNECT the stream is refused; the rest is
            // too little to mean anything, or not a client's to say.
            let (closed, refused) = match (cut, whole[0]) {
                (..5, _) | (5 | 6, INFO) => (Some(Some(1002)), None),
                (_, CONNECT) => (None, (cut < 8).then_some(0x41)),
                _ => (None, None),
            };
            let said = wisp.over.get(&5).map(|over| over[0].0);
            if closed.is_some() || refused.is_some() {
                assert_eq!((wisp.closed, said), (closed, refused), "{whole:?} cut at {cut}");
            } else {
                assert_eq!(wisp.closed, None, "{whole:?} cut at {cut}");
            }
        }
    }
    bystander.alive(1, &mut stream).await;
    let client = server.client();
    let closed = async || {
        let sockets = client.sockets().await.sockets;
        sockets.iter().filter(|socket| socket.state == SocketState::Open).count()
    };
    drop(bystander);
    eventually("nothing is left open", async || closed().await == 0).await;
}

#[tokio::test]
async fn a_packet_without_meaning_ends_the_stream_it_is_about_and_no_other() {
    let server = open_server(&[]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let mut stays = wisp.stream(1, &peer).await;
    let cut = |whole: &[u8], len: usize| whole[..len].to_vec();
    for (id, said, reason) in [
        (2, cut(&packet(OVER, 2, &[2]), 5), 0x01),
        (3, cut(&packet(CONTINUE, 3, &[1, 0, 0, 0]), 8), 0x01),
        (4, packet(CONNECT, 4, &[3, 80, 0, b'x']), 0x41),
        (5, packet(CONNECT, 5, &[1, 80, 0, 0xff]), 0x41),
        (6, cut(&connect(6, TCP, "127.0.0.1", 80), 7), 0x41),
    ] {
        let mut stream = wisp.stream(id, &peer).await;
        wisp.alive(id, &mut stream).await;
        let socket = client.sockets().await.sockets.iter().map(|socket| socket.id).max().expect("some");
        wisp.say(&said).await;
        assert_eq!(wisp.over(id).await, reason, "{said:?}");
        assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN"), b"", "{said:?}");
        assert_eq!(ended(client, socket).await.0, Code::ClientClosed, "{said:?}");
        // Of one that is over it says no more, but to a CONNECT.
        wisp.say(&said).await;
        wisp.say(&packet(DATA, id, b"late")).await;
        let told = if reason == 0x41 { 2 } else { 1 };
        // Of what other streams say this may be overtaken.
        wisp.until("all that is said of it", |wisp| wisp.over[&id].len() == told).await;
        wisp.alive(1, &mut stays).await;
        assert_eq!(wisp.over[&id].len(), told, "{said:?}");
    }
}

#[tokio::test]
async fn who_exceeds_their_credits_loses_that_stream_alone() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let credits = wisp.credits[&0][0];
    let mut stays = wisp.stream(1, &peer).await;
    let deaf = wisp.stream(2, &peer).await;
    let data = crate::raw::frame(BINARY, &packet(DATA, 2, &noise(30_000)));
    let mut sent = 0;
    // What the kernel takes comes back as credits; a client that pays no heed ends up with more under way than it may.
    while !wisp.over.contains_key(&2) {
        assert!(sent < 2000, "it is found out");
        wisp.raw.up.bytes(&data).await;
        sent += 1;
        while let Ok(()) = tokio::time::timeout(Duration::ZERO, wisp.hear()).await {}
    }
    assert_eq!(wisp.over[&2][0].0, 0x49);
    assert!(sent > credits, "not before: {sent}");
    wisp.alive(1, &mut stays).await;
    drop(deaf);
}

#[tokio::test]
async fn a_stream_whose_target_does_not_read_stalls_no_other() {
    stalls_no_other(30_000).await;
}

#[tokio::test]
async fn a_stream_that_begins_with_a_short_packet_stalls_no_other() {
    stalls_no_other(100).await;
}

/// The first packet has that length, as a handshake would; the others are long.
async fn stalls_no_other(first: usize) {
    let server = open_server(&[]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let mut stays = wisp.stream(1, &peer).await;
    let mut deaf = wisp.stream(2, &peer).await;
    let deaf_id = client.sockets().await.sockets.iter().map(|socket| socket.id).max().expect("two");
    let chunk = noise(60_000);
    let mut has = wisp.credits[&0][0] - 1;
    let mut sent = first;
    let mut heard = 0;
    wisp.say(&packet(DATA, 2, &chunk[..first])).await;
    let paused = |fact: &Fact| matches!(fact, Fact::Paused { reason: Code::PeerNotReading, .. });
    // As the protocol wants it: a packet a credit. When no more are given, the stream stands still.
    loop {
        while has > 0 {
            wisp.say(&packet(DATA, 2, &chunk)).await;
            (has, sent) = (has - 1, sent + chunk.len());
        }
        let known = |wisp: &Wisp| wisp.credits.get(&2).map_or(0, Vec::len);
        wisp.alive(1, &mut stays).await;
        if known(&wisp) > heard {
            heard = known(&wisp);
            has = *wisp.credits[&2].last().expect("one");
        } else if facts(client, deaf_id).await.iter().any(paused) {
            break;
        }
        assert!(sent < 64 << 20, "it is bounded");
    }
    wisp.alive(1, &mut stays).await;
    // It reads on, and all of it arrives.
    let expected = [&chunk[..first], &chunk.repeat(sent / chunk.len())].concat();
    assert!(peer::read(&mut deaf, sent).await == expected);
    wisp.until("more credits", |wisp| wisp.credits[&2].len() > heard).await;
    wisp.alive(2, &mut deaf).await;
}

#[tokio::test]
async fn what_was_sent_before_a_close_goes_though_the_stream_was_not_open() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    for id in 1..=20 {
        for said in [to(id, peer.address()), packet(DATA, id, b"last words"), packet(OVER, id, &[2])] {
            wisp.say(&said).await;
        }
        let mut stream = peer.accept().await;
        assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN"), b"last words");
    }
}

#[tokio::test]
async fn what_a_target_said_before_it_reset_the_connection_arrives() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let answer = noise(20_000);
    for id in 1..=20 {
        let mut stream = wisp.stream(id, &peer).await;
        for _ in 0..8 {
            wisp.say(&packet(DATA, id, &[7; 30_000])).await;
        }
        peer::read(&mut stream, 10).await;
        peer::write(&mut stream, &answer).await;
        // With bytes unread: that is a RST (RFC 2525, 2.17).
        drop(stream);
        wisp.until("its end", |wisp| wisp.over.contains_key(&id)).await;
        assert_eq!(wisp.over[&id][0].0, 0x03);
        assert!(wisp.data.get(&id).is_some_and(|came| *came == answer), "all of the answer");
    }
}

#[tokio::test]
async fn ten_thousand_connects_at_once_are_each_answered_or_opened() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let port = peer.address().port();
    let mut wisp = Wisp::v1(&server).await;
    let all = 10_000_u32;
    let burst: Vec<u8> =
        (1..=all).flat_map(|id| crate::raw::frame(BINARY, &connect(id, TCP, "127.0.0.1", port))).collect();
    let accepting = tokio::spawn(async move {
        let mut accepted = Vec::new();
        loop {
            accepted.push(peer.accept().await);
        }
    });
    wisp.flood(&burst).await;
    // Of an open one the first CONTINUE says so.
    let answered = |wisp: &Wisp| wisp.over.len() + wisp.credits.len() - 1;
    wisp.until("an answer to each", |wisp| answered(wisp) == all as usize).await;
    let opened = wisp.credits.len() - 1;
    assert!(opened > 100, "{opened} were opened");
    let throttled = |closes: &Vec<(u8, usize)>| closes[..] == [(0x49, 0)];
    assert!(wisp.over.values().all(throttled), "the others know that they were too many");
    // The server has room for others again as soon as these are gone.
    wisp.raw.up.frame(CLOSE, &closing(1000, "")).await;
    assert_eq!(wisp.left().await, Some(1000));
    let over =
        |socket: &sockscope_wire::Socket| matches!(socket.state, SocketState::Closed | SocketState::Failed);
    let client = server.client();
    eventually("all are closed", async || client.sockets().await.sockets.iter().all(over)).await;
    accepting.abort();
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let mut stream = wisp.stream(1, &peer).await;
    wisp.alive(1, &mut stream).await;
}

/// A client with a small window: its stream 1, which stays, and stream 2, whose target is to write more than it reads.
struct Two {
    wisp: Wisp,
    stays: TcpStream,
    floods: TcpStream,
    /// The second's socket.
    id: SocketId,
}

async fn two(server: &TestServer, peer: &TcpPeer) -> Two {
    let asking = Asking { receive_buffer: Some(4096), ..Asking::default() };
    let mut wisp = Wisp::ask(server, "/wisp/", &asking).await;
    wisp.hear().await;
    let (stays, floods) = (wisp.stream(1, peer).await, wisp.stream(2, peer).await);
    let sockets = server.client().sockets().await.sockets;
    let id = sockets.iter().map(|socket| socket.id).max().expect("two");
    Two { wisp, stays, floods, id }
}

/// Has a target write until it cannot.
fn flood(mut target: TcpStream) -> JoinHandle<()> {
    tokio::spawn(async move {
        let chunk = noise(1 << 20);
        while target.write_all(&chunk).await.is_ok() {}
    })
}

#[tokio::test]
async fn a_stream_that_ends_in_the_middle_of_a_frame_leaves_the_others_whole() {
    let server = open_server(&[]);
    let client = server.client();
    for by_client in [true, false] {
        let peer = TcpPeer::listen().await;
        let Two { mut wisp, mut stays, floods, id } = two(&server, &peer).await;
        let flood = flood(floods);
        let paused = |fact: &Fact| matches!(fact, Fact::Paused { reason: Code::ClientNotReading, .. });
        logged(client, id, "the client does not read", paused).await;
        if by_client {
            wisp.say(&packet(OVER, 2, &[2])).await;
        } else {
            assert_eq!(client.delete(&format!("sockets/{id}")).await.status(), 204);
        }
        within("the flood's end", flood).await.expect("no panic");
        wisp.alive(1, &mut stays).await;
        assert_eq!(wisp.over.get(&2).map(|closes| closes[0].0), (!by_client).then_some(0x02));
        assert_eq!(ended(client, id).await.0, if by_client { Code::ClientClosed } else { Code::Closed });
    }
}

#[tokio::test]
async fn a_stream_that_is_closed_while_its_target_stands_still_holds_up_no_other() {
    let server = open_server(&[]);
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let Two { mut wisp, mut stays, floods, id } = two(&server, &peer).await;
    let is_paused =
        |reason| move |fact: &Fact| matches!(fact, Fact::Paused { reason: why, .. } if *why == reason);
    // It does not read: all credits are spent, and what they were for waits.
    let data = packet(DATA, 2, &noise(60_000));
    let (mut left, mut heard) = (wisp.credits[&0][0], 0);
    let stands_still = is_paused(Code::PeerNotReading);
    while !facts(client, id).await.iter().any(&stands_still) {
        for _ in 0..std::mem::take(&mut left) {
            wisp.say(&data).await;
        }
        while let Ok(()) = tokio::time::timeout(Duration::from_millis(10), wisp.hear()).await {}
        let continued = wisp.credits.get(&2).map_or(&[][..], Vec::as_slice);
        if let Some(more) = continued.get(heard..).and_then(<[u32]>::last) {
            (left, heard) = (*more, continued.len());
        }
    }
    // It writes, and nobody reads that: its turn to write to the client does not end.
    let flood = flood(floods);
    logged(client, id, "the client does not read", is_paused(Code::ClientNotReading)).await;
    wisp.say(&packet(OVER, 2, &[2])).await;
    // Less than what it sent may wait for.
    within_time(Duration::from_secs(3), "the other", wisp.alive(1, &mut stays)).await;
    assert_eq!(ended(client, id).await.0, Code::ClientClosed);
    within("the flood's end", flood).await.expect("no panic");
}

#[tokio::test]
async fn who_exceeds_their_credits_before_a_stream_is_open_is_told_so() {
    let server = open_server(&[]);
    let (nowhere, good) = (Blackhole::open(), TcpPeer::listen().await);
    let address = nowhere.target().trim_start_matches("tcp://").parse().expect("an address");
    let mut wisp = Wisp::v1(&server).await;
    let mut stays = wisp.stream(1, &good).await;
    wisp.say(&to(2, address)).await;
    for _ in 0..=wisp.credits[&0][0] {
        wisp.say(&packet(DATA, 2, b"too much")).await;
    }
    assert_eq!(within_time(Duration::from_secs(3), "its end", wisp.over(2)).await, 0x49);
    wisp.alive(1, &mut stays).await;
}

#[tokio::test]
async fn a_datagram_that_was_refused_is_in_the_log_and_its_stream_lives() {
    let server = open_server(&[]);
    let (one, other) = (UdpPeer::bind().await, UdpPeer::bind().await);
    let port = one.address().port();
    // Held, and closed for everybody but another.
    let one = one.into_socket();
    one.connect(other.address()).await.expect("connects");
    let mut wisp = Wisp::v1(&server).await;
    wisp.say(&connect(1, UDP, "127.0.0.1", port)).await;
    wisp.say(&packet(DATA, 1, b"to nobody")).await;
    let id = the_socket(server.client()).await.id;
    let refused = |fact: &Fact| matches!(fact, Fact::Failed { code: Code::Refused, fatal: false, .. });
    logged(server.client(), id, "the refusal", refused).await;
    let local = server.client().socket(id).await.local.expect("an address");
    one.connect(&local).await.expect("connects");
    one.send(b"back").await.expect("sends");
    assert_eq!(wisp.came(1, 4).await, b"back");
    assert!(wisp.over.is_empty());
}

#[tokio::test]
async fn with_the_session_end_all_its_sockets_in_the_log_too() {
    let server = open_server(&[]);
    let client = server.client();
    for (n, reason) in [Code::ClientClosed, Code::ClientLost, Code::ClientClosed].into_iter().enumerate() {
        let peer = TcpPeer::listen().await;
        let mut wisp = Wisp::v1(&server).await;
        let mut streams = Vec::new();
        for id in 1..=10 {
            streams.push(wisp.stream(id, &peer).await);
        }
        wisp.until("all are open", |wisp| wisp.credits.len() == 11).await;
        match n {
            0 => {
                wisp.raw.up.frame(CLOSE, &closing(4000, "")).await;
                assert_eq!(wisp.left().await, Some(4000));
            }
            1 => wisp.raw.reset(),
            _ => {
                wisp.say(&packet(OVER, 0, &[2])).await;
                assert_eq!(wisp.left().await, Some(1000));
            }
        }
        for stream in &mut streams {
            assert_eq!(peer::read_to_end(stream).await.expect("a FIN"), b"");
        }
        let closed = async || {
            let is = |fact: &Fact| matches!(fact, Fact::Closed { reason: said, .. } if *said == reason);
            client.events().await.iter().filter(|event| is(&event.fact)).count()
        };
        let all = if n == 2 { 20 } else { 10 };
        eventually("the log has their ends", async || closed().await == all).await;
    }
}

#[tokio::test]
async fn the_limits_of_a_key_hold_for_each_stream() {
    let server = TestServer::start();
    let client = server.client();
    let (peer, other) = (TcpPeer::listen().await, TcpPeer::listen().await);
    let made = key(client, &[&peer.target()], json!({ "max_streams": 2 })).await;
    let mut wisp = Wisp::v1_at(&server, &format!("/k/{}/wisp/", made.secret)).await;
    let mut first = wisp.stream(1, &peer).await;
    wisp.say(&to(2, other.address())).await;
    assert_eq!(wisp.over(2).await, 0x48, "no target of the key");
    wisp.say(&connect(3, UDP, "127.0.0.1", peer.address().port())).await;
    assert_eq!(wisp.over(3).await, 0x48, "nor by another kind");
    let second = wisp.stream(4, &peer).await;
    wisp.say(&to(5, peer.address())).await;
    assert_eq!(wisp.over(5).await, 0x49, "one stream too many");
    drop(second);
    assert_eq!(wisp.over(4).await, 0x02);
    eventually("there is a place again", async || listed(client, &made.key.id).await.sockets.len() == 1)
        .await;
    let mut third = wisp.stream(6, &peer).await;
    wisp.alive(6, &mut third).await;
    wisp.alive(1, &mut first).await;
    let by = format!("key:{}", made.key.id);
    let ids = listed(client, &made.key.id).await.sockets;
    assert_eq!(client.delete(&format!("keys/{}", made.key.id)).await.status(), 204);
    assert_eq!(wisp.left().await, Some(1008));
    for stream in [&mut first, &mut third] {
        assert_eq!(peer::read_to_end(stream).await.expect("a FIN"), b"");
    }
    for id in ids {
        assert_eq!(ended(client, id).await.0, Code::Closed, "closed by whoever revoked it");
        let events = client.events().await;
        let of_it: Vec<_> = events.iter().filter(|event| event.socket == Some(id)).collect();
        assert_eq!(of_it.first().and_then(|event| event.by.as_deref()), Some(by.as_str()));
        let closed = of_it.iter().find(|event| matches!(event.fact, Fact::Closed { .. }));
        assert_eq!(closed.and_then(|event| event.by.as_deref()), Some("local"));
    }
}

#[tokio::test]
async fn a_key_whose_bytes_are_spent_ends_its_session() {
    let server = TestServer::start();
    let peer = TcpPeer::listen().await;
    let made = key(server.client(), &[&peer.target()], json!({ "max_bytes": 1000 })).await;
    let mut wisp = Wisp::v1_at(&server, &format!("/k/{}/wisp/", made.secret)).await;
    let mut streams = [wisp.stream(1, &peer).await, wisp.stream(2, &peer).await];
    wisp.say(&packet(DATA, 1, &[b'x'; 600])).await;
    peer::read(&mut streams[0], 600).await;
    wisp.say(&packet(DATA, 2, &[b'x'; 600])).await;
    assert_eq!(wisp.left().await, Some(1008));
    for (stream, rest) in streams.iter_mut().zip([0, 600]) {
        assert_eq!(peer::read_to_end(stream).await.expect("a FIN").len(), rest);
    }
}

#[tokio::test]
async fn a_revoked_key_ends_a_session_whose_client_asks_much_and_reads_nothing() {
    let server = TestServer::start();
    let client = server.client();
    let made = key(client, &["tcp://127.0.0.1:1"], json!({})).await;
    let path = format!("/k/{}/wisp/", made.secret);
    let asking = Asking { receive_buffer: Some(4096), ..Asking::default() };
    let wisp = Wisp::ask(&server, &path, &asking).await;
    // Each is answered at once, until there is no room for answers.
    let burst = crate::raw::frame(BINARY, &connect(1, TCP, "", 1)).repeat(5000);
    let mut at = 0;
    let mut sent = 0;
    let mut still = 0;
    eventually("it is held up", async || {
        match wisp.raw.up.try_write(&burst[at..]) {
            Some(n) => (at, sent, still) = ((at + n) % burst.len(), sent + n, 0),
            None => still += 1,
        }
        assert!(sent < 64 << 20, "nothing holds it up");
        still > 100
    })
    .await;
    assert_eq!(client.delete(&format!("keys/{}", made.key.id)).await.status(), 204);
    within("the connection's end", wisp.raw.up.gone()).await;
}
