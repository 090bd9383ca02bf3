//! Why a stream or a connection is over, to the byte, where that takes more than a target; `wisp.rs` has the others.

use std::{fs, io::Write as _};

use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sockscope_wire::{Code, Fact};
use tokio::net::UdpSocket;

use crate::{
    kit::{ask_upgrade, key},
    raw::{Asking, ended, facts, open_server, the_socket},
    support::{
        network::{alone, run},
        peer, *,
    },
    wisp_client::{DATA, OVER, TCP, Wisp, connect, info, packet, to},
};

#[tokio::test]
async fn a_target_or_a_name_server_that_does_not_answer_in_time_is_0x43() {
    // It hears, and says nothing.
    let deaf = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let server = open_server(&["--dns", &deaf.local_addr().expect("an address").to_string()]);
    let (hole, good) = (Blackhole::open(), TcpPeer::listen().await);
    let mut wisp = Wisp::v1(&server).await;
    let mut stream = wisp.stream(1, &good).await;
    wisp.say(&to(2, hole.address())).await;
    wisp.say(&connect(3, TCP, "silent.example", 80)).await;
    assert_eq!((wisp.over(2).await, wisp.over(3).await), (0x43, 0x43));
    let failed = |code: Code| move |fact: &Fact| matches!(fact, Fact::Failed { code: said, fatal: true, .. } if *said == code);
    let events = server.client().events().await;
    for code in [Code::TimedOut, Code::ResolveTimedOut] {
        assert!(events.iter().any(|event| failed(code)(&event.fact)), "{code:?} is in the log");
    }
    wisp.alive(1, &mut stream).await;
}

#[test]
fn what_the_network_says_of_a_connect_is_told() {
    alone(async || {
        for route in ["unreachable 192.0.2.0/24", "prohibit 198.51.100.0/24", "blackhole 203.0.113.0/24"] {
            run("ip", &format!("route add {route}"));
        }
        // One SYN again after one second, and then the kernel itself gives up.
        fs::write("/proc/sys/net/ipv4/tcp_syn_retries", "1").expect("a namespace of ours");
        let (server, hole) = (open_server(&[]), Blackhole::open());
        let mut wisp = Wisp::v1(&server).await;
        wisp.say(&to(1, hole.address())).await;
        for (id, host, reason, errno) in [
            (2, "192.0.2.1", 0x42, "EHOSTUNREACH"),
            (3, "8.8.8.8", 0x42, "ENETUNREACH"),
            (4, "198.51.100.1", 0x48, "EACCES"),
            (5, "203.0.113.1", 0x03, "EINVAL"),
        ] {
            wisp.say(&connect(id, TCP, host, 80)).await;
            assert_eq!(wisp.over(id).await, reason, "{host}");
            let events = server.client().events().await;
            let said = |fact: &Fact| matches!(fact, Fact::Failed { errno: Some(said), .. } if said == errno);
            assert!(events.iter().any(|event| said(&event.fact)), "{errno} of {host}");
        }
        assert_eq!(wisp.over(1).await, 0x43);
    });
}

#[test]
fn a_transfer_that_nobody_acknowledges_is_0x47() {
    alone(async || {
        // Sent again once, and then the kernel gives up (tcp(7)).
        fs::write("/proc/sys/net/ipv4/tcp_retries2", "1").expect("a namespace of ours");
        let server = open_server(&[]);
        let peer = TcpPeer::listen().await;
        let mut wisp = Wisp::v1(&server).await;
        let mut stream = wisp.stream(1, &peer).await;
        wisp.alive(1, &mut stream).await;
        run("iptables", &format!("-A INPUT -p tcp --dport {} -j DROP", peer.address().port()));
        wisp.say(&packet(DATA, 1, b"to nobody")).await;
        assert_eq!(wisp.over(1).await, 0x47);
        let id = the_socket(server.client()).await.id;
        let timed_out =
            |fact: &Fact| matches!(fact, Fact::Failed { errno: Some(errno), .. } if errno == "ETIMEDOUT");
        assert!(facts(server.client(), id).await.iter().any(timed_out));
    });
}

#[tokio::test]
async fn a_client_may_close_a_stream_for_any_reason_and_is_not_answered() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v1(&server).await;
    let mut stays = wisp.stream(1, &peer).await;
    for (id, reason) in (2..).zip([0x00, 0x01, 0x02, 0x03, 0x04, 0x41, 0x44, 0x81, 0xff]) {
        let mut stream = wisp.stream(id, &peer).await;
        wisp.alive(id, &mut stream).await;
        let socket =
            server.client().sockets().await.sockets.iter().map(|socket| socket.id).max().expect("two");
        wisp.say(&packet(OVER, id, &[reason])).await;
        assert_eq!(peer::read_to_end(&mut stream).await.expect("a FIN"), b"", "{reason:#x}");
        assert_eq!(ended(server.client(), socket).await.0, Code::ClientClosed, "{reason:#x}");
    }
    wisp.alive(1, &mut stays).await;
    assert!(wisp.over.is_empty(), "{:?}", wisp.over);
    // In a handshake, that the extensions do not fit.
    let mut leaves = Wisp::v2(&server).await;
    leaves.say(&packet(OVER, 0, &[0x04])).await;
    leaves.left().await;
    assert!(leaves.over.is_empty() && leaves.credits.is_empty());
}

#[tokio::test]
async fn a_signature_that_is_not_the_keys_is_0xc1() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    // Any point of the curve; nobody here has its other half (RFC 8032 §7.1, the first test's public key).
    writeln!(file, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").expect("written");
    let server = open_server(&["--wisp-keys-file", file.path().to_str().expect("UTF-8")]);
    // SHA-256 of that key, and of nothing.
    let listed = hex("21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9");
    let unlisted = hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (what, said, reason) in [
        ("another's", [&[1][..], &listed, &[7; 64]].concat(), 0xc1),
        ("of a key nobody listed", [&[1][..], &unlisted, &[7; 64]].concat(), 0xc1),
        ("of another algorithm", [&[2][..], &listed, &[7; 64]].concat(), 0xc1),
        ("cut short", [&[1][..], &listed, &[7; 63]].concat(), 0xc1),
    ] {
        let mut wisp = Wisp::v2(&server).await;
        let offered = wisp.info.clone().expect("heard").1;
        assert!(offered.iter().any(|(id, said)| *id == 3 && said[..2] == [1, 1]), "{offered:?}: required");
        wisp.say(&info(&[(3, &said)])).await;
        assert_eq!(wisp.over(0).await, reason, "{what}");
        wisp.left().await;
    }
    let mut silent = Wisp::v2(&server).await;
    silent.say(&info(&[])).await;
    assert_eq!(silent.over(0).await, 0xc2);
    let mut first = Wisp::ask(&server, "/wisp/", &Asking::default()).await;
    assert_eq!(first.over(0).await, 0xc2, "version 1 cannot sign");
}

#[tokio::test]
async fn whoever_signs_the_challenge_with_a_listed_key_comes_in() {
    let peer = TcpPeer::listen().await;
    let [mine, theirs] = [[7; 32], [8; 32]].map(|seed| SigningKey::from_bytes(&seed));
    let public = |key: &SigningKey| key.verifying_key().to_bytes();
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "# ours").expect("written");
    for key in [&theirs, &mine] {
        let digits: String = public(key).iter().map(|byte| format!("{byte:02X}")).collect();
        writeln!(file, "{digits}").expect("written");
    }
    let server = open_server(&["--wisp-keys-file", file.path().to_str().expect("UTF-8")]);
    let mut before = Vec::new();
    for key in [&mine, &theirs] {
        let mut wisp = Wisp::v2(&server).await;
        let offered = wisp.info.clone().expect("heard").1;
        let challenge = offered.iter().find(|(id, _)| *id == 3).expect("it asks").1[2..].to_vec();
        let name = Sha256::digest(public(key));
        let signed = |over: &[u8]| [&[1][..], &name, &key.sign(over).to_bytes()].concat();
        wisp.say(&info(&[(3, &signed(&challenge))])).await;
        let mut stream = wisp.stream(1, &peer).await;
        wisp.alive(1, &mut stream).await;
        // What was signed once opens no second connection.
        let mut again = Wisp::v2(&server).await;
        again.say(&info(&[(3, &signed(&challenge))])).await;
        assert_eq!(again.over(0).await, 0xc1);
        before.push(challenge);
    }
    assert_ne!(before[0], before[1], "each is asked anew");
}

#[tokio::test]
async fn a_password_is_asked_for_on_top_of_a_key() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "ann:secret").expect("written");
    let server = TestServer::with(&["--wisp-passwords-file", file.path().to_str().expect("UTF-8")]);
    let peer = TcpPeer::listen().await;
    let made = key(server.client(), &[&peer.target()], json!({})).await;
    for (said, lets_in) in [(&b"\x03annsecret"[..], true), (b"\x03annwrong", false)] {
        let asking = Asking { headers: &[("Sec-WebSocket-Protocol", "wisp-v2")], ..Asking::default() };
        let mut wisp = Wisp::ask(&server, &format!("/k/{}/wisp/", made.secret), &asking).await;
        wisp.hear().await;
        wisp.say(&info(&[(2, said)])).await;
        if lets_in {
            let mut stream = wisp.stream(1, &peer).await;
            wisp.alive(1, &mut stream).await;
        } else {
            assert_eq!(wisp.over(0).await, 0xc0);
            wisp.left().await;
        }
    }
    let host = server.host();
    assert_eq!(ask_upgrade(server.address(), "/wisp/", &[("Host", &host)]).await.0, 401, "and opens no gate");
}

#[tokio::test]
async fn wrong_passwords_are_told_with_whose_they_are_ten_a_minute_and_a_right_one_comes_in() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    writeln!(file, "ann:secret").expect("written");
    let server = TestServer::with(&["--wisp-passwords-file", file.path().to_str().expect("UTF-8")]);
    let peer = TcpPeer::listen().await;
    let made = key(server.client(), &[&peer.target()], json!({})).await;
    let path = format!("/k/{}/wisp/", made.secret);
    let asking = Asking { headers: &[("Sec-WebSocket-Protocol", "wisp-v2")], ..Asking::default() };
    for _ in 0..14 {
        let mut wisp = Wisp::ask(&server, &path, &asking).await;
        wisp.hear().await;
        wisp.say(&info(&[(2, b"\x03annguessed")])).await;
        assert_eq!(wisp.over(0).await, 0xc0);
        wisp.left().await;
    }
    let mut wisp = Wisp::ask(&server, &path, &asking).await;
    wisp.hear().await;
    wisp.say(&info(&[(2, b"\x03annsecret")])).await;
    let mut stream = wisp.stream(1, &peer).await;
    wisp.alive(1, &mut stream).await;
    let told = |what: &str| server.stderr().lines().filter(|line| line.contains(what)).count();
    let by = format!("by=\"key:{}\"}}", made.key.id);
    eventually("that is told last", async || told("more of this minute are not told") == 1).await;
    assert_eq!((told("has sent a wrong password"), told(&by)), (11, 11), "{}", server.stderr());
    assert!(!server.stderr().contains("guessed"), "what was sent may be nearly right");
}

#[tokio::test]
async fn a_client_that_names_a_version_and_says_nothing_is_spoken_to_as_of_the_first() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut wisp = Wisp::v2(&server).await;
    wisp.until("CONTINUE of stream 0", |wisp| wisp.credits.contains_key(&0)).await;
    let mut stream = wisp.stream(1, &peer).await;
    wisp.alive(1, &mut stream).await;
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("a pair of digits")).collect()
}
