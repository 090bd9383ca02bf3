use std::{sync::Arc, time::Duration};

use sockscope_wire::SocketId;
use tokio::sync::Semaphore;

use super::{pattern::Pattern, *};

fn request(targets: &[&str]) -> KeyRequest {
    KeyRequest {
        name: None,
        targets: targets.iter().map(|&target| target.to_owned()).collect(),
        origins: Vec::new(),
        max_streams: None,
        connects_per_second: None,
        max_bytes: None,
        record: false,
    }
}

fn key(request: &KeyRequest) -> Grant {
    let keys = Keys::default();
    let made = keys.make(request, String::new()).expect("a key");
    keys.find(&made.secret).expect("the secret finds it")
}

#[test]
fn patterns_are_read_strictly_and_shown_in_one_spelling() {
    for (text, shown) in [
        ("tcp://example.com:80", "tcp://example.com:80"),
        ("TCP://Example.COM.:80", "tcp://example.com:80"),
        ("udp://*:53", "udp://*:53"),
        ("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"),
        ("tcp://*:*", "tcp://*:*"),
        ("tcp://[::1]:8000-8099", "tcp://[::1]:8000-8099"),
        ("tcp://[::ffff:127.0.0.1]:1-65535", "tcp://127.0.0.1:*"),
        ("tcp-listen://127.0.0.1:8000-8099", "tcp-listen://127.0.0.1:8000-8099"),
        ("tcp-listen://[::]:1-65535", "tcp-listen://[::]:1-65535"),
        ("udp-bind://*:*", "udp-bind://*:*"),
        ("tcp://bücher.example:7-7", "tcp://xn--bcher-kva.example:7"),
    ] {
        assert_eq!(Pattern::parse(text).map(|pattern| pattern.to_string()).as_deref(), Ok(shown), "{text}");
    }
    for wrong in [
        "",
        "*",
        "tcp://",
        "tcp://*",
        "tcp://host",
        "tcp://host:",
        "tcp://:80",
        "tcp://host:0",
        "tcp://host:080",
        "tcp://host:+80",
        "tcp://host:80-",
        "tcp://host:-80",
        "tcp://host:90-80",
        "tcp://host:65536",
        "tcp://host:80-90-99",
        "tcp://*.example.com:80",
        "tcp://ho*:80",
        "tcp://2130706433:80",
        "tcp://0x7f.1:80",
        "tcp://::1:80",
        "tcp://a@host:80",
        "tcp-listen://:80",
        "tcp-listen://localhost:80",
        "udp-bind://127.0.0.1:0",
        "udp-listen://127.0.0.1:80",
        "http://host:80",
        "tcp://host/:80",
        " tcp://host:80",
    ] {
        assert!(Pattern::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_key_allows_what_it_names_however_that_is_spelled() {
    let key = key(&request(&[
        "tcp://localhost:80",
        "udp://127.0.0.1:53",
        "tcp://10.0.0.1:8000-8099",
        "tcp://*:22",
    ]));
    let allows = |target: &str| key.allows(&target.parse().expect("a target"));
    for fine in [
        "tcp://LOCALHOST.:80",
        "udp://127.0.0.1:53",
        "udp://[::ffff:127.0.0.1]:53",
        "tcp://10.0.0.1:8099",
        "tcp://anything.example:22",
        "tcp://[::1]:22",
    ] {
        assert!(allows(fine), "{fine}");
    }
    for foreign in [
        "tcp://localhost:81",
        "udp://localhost:80",
        // What a name leads to is another matter than the name.
        "tcp://127.0.0.1:80",
        "tcp://localhost.example:80",
        "tcp://127.0.0.1:53",
        "tcp://10.0.0.1:7999",
        "tcp://10.0.0.1:8100",
        "tcp://[::127.0.0.1]:80",
        "udp://anything.example:22",
    ] {
        assert!(!allows(foreign), "{foreign}");
    }
}

#[test]
fn to_listen_is_allowed_by_patterns_of_its_own_and_any_port_by_a_star_only() {
    let key = key(&request(&["tcp://*:*", "tcp-listen://127.0.0.1:*", "udp-bind://127.0.0.1:5000-5010"]));
    let allows = |target: &str| key.allows(&target.parse().expect("a target"));
    for fine in
        ["tcp-listen://127.0.0.1:0", "tcp-listen://127.0.0.1:80", "udp-bind://[::ffff:127.0.0.1]:5010"]
    {
        assert!(allows(fine), "{fine}");
    }
    for foreign in [
        "tcp-listen://127.0.0.2:80",
        "udp-bind://127.0.0.1:0",
        "udp-bind://127.0.0.1:4999",
        "udp://127.0.0.1:5000",
    ] {
        assert!(!allows(foreign), "{foreign}");
    }
}

#[test]
fn origins_are_taken_only_as_a_browser_writes_them() {
    let with = |origin: &str| {
        let request = KeyRequest { origins: vec![origin.to_owned()], ..request(&["tcp://*:*"]) };
        Keys::default().make(&request, String::new())
    };
    for fine in [
        "https://example.com",
        "http://localhost:8080",
        "http://127.0.0.1:7625",
        "http://[::1]:3000",
        "http://[::1]",
        "http://example.com:443",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    ] {
        assert!(with(fine).is_ok(), "{fine}");
    }
    for wrong in [
        "",
        "*",
        "null",
        "example.com",
        "https://example.com/",
        "https://Example.com",
        "HTTPS://example.com",
        "https://example.com:443",
        "http://example.com:80",
        "https://example.com.",
        "https://*.example.com",
        "https://a@example.com",
        "https://",
        "https://bücher.example",
        "https://example.com:0",
        "http://[fe80::1%eth0]:8080",
    ] {
        assert_eq!(with(wrong).map_err(|refused| refused.code).err(), Some(Code::InvalidKey), "{wrong}");
    }
}

#[test]
fn there_are_at_most_so_many_keys_and_revoking_makes_room() {
    let keys = Keys::default();
    let mut last = None;
    for _ in 0..KEYS {
        last = keys.make(&request(&["tcp://*:*"]), String::new()).ok();
    }
    let refused = keys.make(&request(&["tcp://*:*"]), String::new()).map_err(|refused| refused.code);
    assert_eq!(refused.err(), Some(Code::TooManyKeys));
    let last = last.expect("as many as that are made");
    keys.revoke(&last.key.id, None).expect("it is there");
    assert!(keys.find(&last.secret).is_none());
    assert_eq!(keys.revoke(&last.key.id, None).map_err(|refused| refused.code), Err(Code::UnknownKey));
    assert!(keys.make(&request(&["tcp://*:*"]), String::new()).is_ok());
}

#[test]
fn limits_are_taken_only_within_their_ranges() {
    let fine = request(&["tcp://*:*"]);
    for wrong in [
        KeyRequest { targets: Vec::new(), ..fine.clone() },
        KeyRequest { targets: vec!["tcp://*:*".to_owned(); 65], ..fine.clone() },
        KeyRequest { origins: vec!["https://example.com".to_owned(); 65], ..fine.clone() },
        KeyRequest { max_streams: Some(0), ..fine.clone() },
        KeyRequest { max_streams: Some(65_537), ..fine.clone() },
        KeyRequest { connects_per_second: Some(0), ..fine.clone() },
        KeyRequest { connects_per_second: Some(100_001), ..fine.clone() },
        KeyRequest { max_bytes: Some(0), ..fine },
    ] {
        let code = Keys::default().make(&wrong, String::new()).map_err(|refused| refused.code);
        assert_eq!(code.err(), Some(Code::InvalidKey), "{wrong:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn leases_are_counted_given_back_and_limited_in_a_second() {
    let request =
        KeyRequest { max_streams: Some(2), connects_per_second: Some(4), ..request(&["tcp://*:*"]) };
    let key = key(&request);
    let first = key.lease().expect("the first");
    first.opened(SocketId(7));
    let second = key.lease().expect("the second");
    assert!(matches!(key.lease(), Err(NoLease::Streams)));
    assert_eq!((key.shown().sockets, key.shown().opened), (vec![SocketId(7)], 1));
    first.end();
    drop(first);
    assert_eq!(key.shown().sockets, []);
    let third = key.lease().expect("one place was given back, once");
    let tells = || {
        let why = key.lease().err().expect("the fifth within a second");
        assert!(matches!(why, NoLease::Rate));
        key.is_news(&why)
    };
    assert_eq!([tells(), tells()], [true, false]);
    drop((second, third));
    tokio::time::advance(Duration::from_millis(250)).await;
    assert!(key.lease().is_ok());
    assert!(!tells(), "that is the same second");
}

#[test]
fn connections_are_counted_and_those_for_many_sockets_limited() {
    let key = key(&KeyRequest { max_streams: Some(2), ..request(&["tcp://*:*"]) });
    let seats = Arc::new(Semaphore::new(8));
    let begin = |many| {
        let seat = Arc::clone(&seats).try_acquire_owned().expect("a seat");
        Visit::begin(Grant::clone(&key), many, seat)
    };
    let one = begin(false).expect("the first");
    let many = begin(true).expect("the second");
    assert!(begin(true).is_none(), "as many as it allows sockets");
    let more = begin(false).expect("that is no question for one socket");
    assert_eq!((key.shown().connections, seats.available_permits()), (3, 5));
    drop((one, more));
    let other = begin(true).expect("there is room again");
    drop((many, other));
    assert_eq!((key.shown().connections, seats.available_permits()), (0, 8));
}

#[tokio::test]
async fn a_key_is_over_when_its_bytes_are_spent() {
    let key = key(&KeyRequest { max_bytes: Some(10), ..request(&["tcp://*:*"]) });
    let lease = key.lease().expect("the first");
    lease.spend(9);
    let other = key.lease().expect("there is one byte left");
    other.spend(1);
    assert!(matches!(key.over().await, Over::Spent));
    assert!(matches!(key.lease(), Err(NoLease::Over(Over::Spent))));
}

#[tokio::test(start_paused = true)]
async fn that_a_key_is_over_is_told_once_a_second() {
    let key = key(&KeyRequest { max_bytes: Some(1), ..request(&["tcp://*:*"]) });
    key.lease().expect("the first").spend(1);
    let tells = || {
        let why = key.lease().err().expect("it is spent");
        assert!(matches!(why, NoLease::Over(Over::Spent)));
        key.is_news(&why)
    };
    assert_eq!([tells(), tells(), tells()], [true, false, false]);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!([tells(), tells()], [true, false]);
}
