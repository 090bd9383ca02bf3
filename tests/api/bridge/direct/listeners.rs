//! Many listeners of one page.

use std::process::Command;

use super::*;

#[tokio::test]
async fn each_of_many_listeners_accepts_however_many_others_wait() {
    const LISTENERS: u32 = 40;
    let server = open_server(&[]);
    let mut direct = Direct::open(&server).await;
    let mut ports = Vec::new();
    for id in 1..=LISTENERS {
        let ends = direct.opens(id, &json!({ "kind": "listen", "host": "127.0.0.1" })).await;
        direct.say(CREDIT, id, &1_u32.to_le_bytes()).await;
        ports.push((id, format!("127.0.0.1:{}", ends["localPort"])));
    }
    for (id, port) in ports.into_iter().rev() {
        let mut peer = within("connecting", TcpStream::connect(port)).await.expect("it listens");
        direct.until("an ACCEPTED", |direct| direct.accepted.contains_key(&id)).await;
        let child = direct.accepted[&id][0]["socket"].as_u64().expect("a number");
        direct.alive(u32::try_from(child).expect("32 bits"), &mut peer).await;
    }
}

/// How many connections wait in the kernel for the listener of this port.
fn waiting(port: &str) -> usize {
    let output = Command::new("ss").args(["-Hltn", &format!("sport = :{port}")]).output().expect("ss runs");
    let line = String::from_utf8(output.stdout).expect("text");
    line.split_whitespace().nth(1).and_then(|queue| queue.parse().ok()).expect("its queue")
}

#[tokio::test]
async fn a_connection_whose_listener_ends_before_it_has_a_place_is_in_the_log() {
    /// So many are accepted while the client is told of none, and one more waits for a place.
    const PLACES: usize = 16;
    let server = open_server(&[]);
    let client = server.client();
    let mut direct = Direct::open(&server).await;
    let asked = json!({ "kind": "listen", "host": "127.0.0.1", "backlog": 100 });
    let port = direct.opens(1, &asked).await["localPort"].to_string();
    direct.say(CREDIT, 1, &100_u32.to_le_bytes()).await;
    let id = client.sockets().await.sockets[0].id;
    direct.is_deaf().await;
    let mut peers = Vec::new();
    for _ in 0..PLACES + 4 {
        let peer = within("connecting", TcpStream::connect(format!("127.0.0.1:{port}"))).await;
        peers.push(peer.expect("it listens"));
    }
    eventually("those with a place are open, and one waits for one", async || {
        client.sockets().await.sockets.len() == 1 + PLACES && waiting(&port) == 3
    })
    .await;
    assert_eq!(client.delete(&format!("sockets/{id}")).await.status(), 204);
    ended(client, id).await;
    let unserved = |fact: &Fact| matches!(fact, Fact::Note(note) if note.code == Code::AcceptedUnserved);
    assert_eq!(facts(client, id).await.iter().filter(|fact| unserved(fact)).count(), 1);
}
