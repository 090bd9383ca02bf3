//! Datagrams of a page that do not go, and what is none.

use super::*;
use crate::{
    raw::reject,
    support::network::{alone, run},
};

#[test]
fn a_datagram_that_a_firewall_rejects_is_told_and_the_socket_goes_on() {
    alone(async || {
        let server = open_server(&[]);
        let peer = UdpPeer::bind().await;
        let port = peer.address().port();
        reject(port);
        let mut direct = Direct::open(&server).await;
        direct.opens(1, &json!({ "kind": "udp", "host": "127.0.0.1", "port": port })).await;
        for _ in 0..3 {
            direct.say(DATAGRAM, 1, &[&[0; 4], &b"rejected"[..]].concat()).await;
        }
        direct.until("three LOST", |direct| direct.lost.get(&1).is_some_and(|lost| lost.len() == 3)).await;
        assert!(direct.lost[&1].iter().all(|why| why["errno"] == "EPERM"), "{:?}", direct.lost);
        run("iptables", "-F OUTPUT");
        direct.say(DATAGRAM, 1, &[&[0; 4], &b"now"[..]].concat()).await;
        assert_eq!(peer.receive().await.0, b"now");
    });
}

#[tokio::test]
async fn datagrams_that_would_be_lost_wait_for_a_client_that_reads_of_no_loss() {
    /// More than the short packets that wait for a client (64 KiB) tell of.
    const BEHIND: usize = 1400;
    const TOLD: usize = 700;
    // A name server that says nothing: the first waits until that is given up, the others behind it.
    let dns = UdpPeer::bind().await;
    let server = open_server(&["--dns", &dns.address().to_string()]);
    let client = server.client();
    let mut direct = Direct::open(&server).await;
    direct.opens(1, &json!({ "kind": "udp-bind", "host": "127.0.0.1" })).await;
    let id = client.sockets().await.sockets[0].id;
    direct.say(DATAGRAM, 1, &place("late.example", 9, &[7; 100])).await;
    let denied = packet(DATAGRAM, 1, &place("169.254.169.254", 9, &[7; 100]));
    direct.raw.up.bytes(&frame(BINARY, &denied).repeat(BEHIND)).await;
    direct.is_deaf().await;
    let refused = async || {
        let facts = facts(client, id).await;
        facts.iter().filter(|fact| matches!(fact, Fact::RefusedByPolicy { .. })).count()
    };
    assert_eq!(refused().await, 0, "or this shows nothing");
    let (mut lost, mut since) = (0, Instant::now());
    eventually("some are lost, and then no more", async || {
        let now = refused().await;
        if std::mem::replace(&mut lost, now) != now {
            since = Instant::now();
        }
        lost > 0 && since.elapsed() > Duration::from_millis(500)
    })
    .await;
    assert_eq!(client.delete(&format!("sockets/{id}")).await.status(), 204);
    ended(client, id).await;
    assert!(lost < TOLD, "{lost} are lost");
    let waited = 100 * (BEHIND - lost) as u64;
    let unsent = |fact: &Fact| matches!(fact, Fact::Closed { unsent_bytes, .. } if *unsent_bytes == waited);
    assert!(facts(client, id).await.iter().any(unsent), "and the others waited");
}

#[tokio::test]
async fn what_a_socket_does_not_carry_ends_it_and_is_called_that() {
    let server = open_server(&[]);
    let peer = TcpPeer::listen().await;
    let mut direct = Direct::open(&server).await;
    let _stream = direct.stream(1, &peer).await;
    direct.opens(2, &json!({ "kind": "udp-bind", "host": "127.0.0.1" })).await;
    direct.opens(3, &json!({ "kind": "listen", "host": "127.0.0.1" })).await;
    for (id, kind) in [(1, DATAGRAM), (2, DATA), (3, DATA)] {
        direct.say(kind, id, &[0; 4]).await;
        let why = direct.over(id).await;
        assert_eq!((&why["error"], &why["code"]), (&json!("NetworkError"), &json!("wrong_packet")), "{id}");
    }
}
