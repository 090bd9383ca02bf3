//! Datagrams that meet errors, or the end of their bridge.

use std::time::Duration;

use nix::sys::signal::Signal;
use sockscope_wire::{Code, Fact};

use super::{closed_port, datagrams, facts, udp_to};
use crate::{
    raw::{
        Asking, BINARY, CLOSE, PING, Raw, closing, cpu, ended, frame, logged, noise, open_server, reject,
        the_socket,
    },
    support::{
        network::{alone, run, slow_link},
        *,
    },
};

/// A call that failed, and the socket lives.
fn failed(fact: &Fact, name: &str) -> bool {
    matches!(fact, Fact::Failed { errno: Some(errno), fatal: false, .. } if errno == name)
}

#[test]
fn datagrams_that_a_firewall_rejects_are_told_and_the_bridge_goes_on() {
    alone(async || {
        let server = open_server(&[]);
        let client = server.client();
        let (mut raw, peer, _) = datagrams(&server, &Asking::default()).await;
        // More than is recorded of every bridge: from now on several may leave in one call.
        raw.send(&noise(2000)).await;
        assert_eq!(peer.receive().await.0.len(), 2000);
        let id = the_socket(client).await.id;
        reject(peer.address().port());
        raw.up.bytes(&[frame(BINARY, &[7; 100]).repeat(150), frame(PING, b"behind")].concat()).await;
        raw.down.pong(b"behind").await;
        logged(client, id, "why they did not go", |fact| failed(fact, "EPERM")).await;
        let before = cpu(&server);
        // No condition: what turns in place without holding up others is seen by its CPU alone.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let hundredths = cpu(&server) - before;
        assert!(hundredths < 25, "{hundredths} hundredths of a second of CPU for nothing");
        run("iptables", "-F OUTPUT");
        raw.send(b"now").await;
        assert_eq!(peer.receive().await.0, b"now");
        raw.up.frame(CLOSE, &closing(1000, "")).await;
        let (reason, counters) = ended(client, id).await;
        assert_eq!((reason, counters.sent_events), (Code::ClientClosed, 3));
    });
}

#[test]
fn each_word_of_a_refusal_is_told_also_where_the_call_that_met_it_was_too_long() {
    alone(async || {
        // Datagrams that fit no frame are not taken in one call.
        run("ip", "link set lo mtu 1500");
        let server = open_server(&[]);
        let client = server.client();
        let (port, _held) = closed_port().await;
        let mut raw = Raw::open(&server, &udp_to(port)).await;
        raw.up.bytes(&[frame(BINARY, &noise(2000)), frame(BINARY, &[7; 1900]).repeat(4)].concat()).await;
        let id = the_socket(client).await.id;
        let refused =
            async || facts(client, id).await.iter().filter(|fact| failed(fact, "ECONNREFUSED")).count();
        eventually("a refusal of each", async || refused().await == 5).await;
    });
}

#[tokio::test]
async fn who_ends_a_bridge_while_datagrams_are_written_is_heard_behind_whole_frames() {
    let server = open_server(&[]);
    let client = server.client();
    let asking = Asking { receive_buffer: Some(4096), ..Asking::default() };
    let (mut raw, peer, from) = datagrams(&server, &asking).await;
    let id = the_socket(client).await.id;
    // Together a little more than a buffer.
    let pair = [noise(64_590), noise(65_507)];
    let stands = |fact: &Fact| matches!(fact, Fact::Paused { reason: Code::ClientNotReading, .. });
    let mut sent = 0;
    loop {
        // Both are there when the server looks.
        server.signal(Signal::SIGSTOP);
        for datagram in &pair {
            peer.send(datagram, &from).await;
        }
        server.signal(Signal::SIGCONT);
        sent += 2;
        let mut stuck = false;
        eventually("they are received, or the client's kernel takes no more", async || {
            stuck = facts(client, id).await.iter().any(stands);
            stuck || client.socket(id).await.counters.received_events == sent
        })
        .await;
        if stuck {
            break;
        }
    }
    assert_eq!(client.delete(&format!("sockets/{id}")).await.status(), 204);
    let (_, counters) = ended(client, id).await;
    let mut came = 0;
    loop {
        match raw.down.frame().await {
            Some((BINARY, payload)) => assert!(payload == pair[came % 2], "datagram {came} is whole"),
            Some((CLOSE, payload)) => break assert_eq!(payload[..2], 1001_u16.to_be_bytes()),
            other => panic!("{other:?} after {came} datagrams"),
        }
        came += 1;
    }
    assert_eq!(came as u64, counters.received_events);
}

#[test]
fn datagrams_that_came_and_were_not_sent_when_their_bridge_ended_are_counted() {
    alone(async || {
        slow_link("8kbit");
        let server = open_server(&[]);
        let client = server.client();
        let mut raw = Raw::open(&server, "/bridge/udp/192.0.2.2/9").await;
        let id = the_socket(client).await.id;
        let stands = |fact: &Fact| matches!(fact, Fact::Paused { reason: Code::PeerNotReading, .. });
        // Twenty of one length and ten of others come at once.
        let mut burst = frame(BINARY, &[7; 1000]).repeat(20);
        (0..10).for_each(|n| burst.extend(frame(BINARY, &vec![8; 1001 + n])));
        let bytes = 20 * 1000 + (0..10).map(|n| 1001 + n).sum::<u64>();
        let mut sent = 0;
        loop {
            raw.up.bytes(&burst).await;
            sent += bytes;
            let mut stuck = false;
            eventually("they are sent, or the kernel takes no more", async || {
                stuck = facts(client, id).await.iter().any(stands);
                stuck || client.socket(id).await.counters.sent_bytes == sent
            })
            .await;
            if stuck {
                break;
            }
        }
        assert_eq!(client.delete(&format!("sockets/{id}")).await.status(), 204);
        let (_, counters) = ended(client, id).await;
        let unsent = facts(client, id).await.into_iter().find_map(|fact| match fact {
            Fact::Closed { unsent_bytes, .. } => Some(unsent_bytes),
            _ => None,
        });
        assert!(counters.sent_bytes < sent, "some were lost, or this shows nothing");
        assert_eq!(unsent, Some(sent - counters.sent_bytes), "each that was not sent is counted");
    });
}
