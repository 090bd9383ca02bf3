use crate::support::*;

#[tokio::test]
async fn the_real_binary_serves_every_door_and_ends_in_order() {
    let mut server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    let socket = client.open(&peer.target()).await;
    let mut stream = peer.accept().await;
    let mut viewer = server.viewer("").await;
    client.send(socket.id, "hello").await;
    assert_eq!(peer::read(&mut stream, 5).await, b"hello");
    peer::write(&mut stream, b"back").await;
    viewer.until_event("received", |event| matches!(event.fact, sockscope_wire::Fact::Received { .. })).await;
    let mut sse = Sse::open(client, "", None).await;
    let count = client.events().await.len();
    sse.events(count).await;
    client.close(socket.id).await;
    let hole = Blackhole::open();
    let refused = client
        .post("sockets", &serde_json::json!({"open": hole.target(), "options": {"connect_timeout_ms": 100}}))
        .await;
    refused.refused(504, sockscope_wire::Code::TimedOut);
    assert_eq!(server.terminate(std::time::Duration::from_secs(5)).await.code(), Some(0));
}
