//! Datagrams of a page that do not go.

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
