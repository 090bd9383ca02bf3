//! What is written about the doors is what the doors do.

use std::{collections::BTreeSet, path::Path};

use futures_util::StreamExt as _;
use serde_json::Value;
use sockscope_wire::Fact;
use tokio_tungstenite::tungstenite::Message;

use crate::support::*;

/// A file of the repository.
fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_router_and_the_document_name_the_same_routes() {
    let document: Value = serde_json::from_str(&file("docs/openapi.json")).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let told: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().expect("a path item").keys().map(move |method| (path, method))
        })
        .map(|(path, method)| (path.clone(), method.to_uppercase()))
        .collect();
    let there: BTreeSet<(String, String)> = sockscope::http::table()
        .iter()
        .map(|route| (route.path.to_owned(), route.method.to_string()))
        .collect();
    assert_eq!(told, there);
}

#[test]
fn generated_files_are_fresh() {
    for (path, fresh) in [
        ("docs/openapi.json", sockscope_wire::codegen::openapi()),
        ("web/src/wire/generated.ts", sockscope_wire::codegen::typescript()),
    ] {
        assert!(file(path) == fresh, "{path} is stale: run `cargo xtask codegen`");
    }
}

#[tokio::test]
async fn the_document_is_served() {
    let server = TestServer::start();
    let answer = server.client().get("/api/v1/openapi.json").await;
    assert_eq!(answer.response.header("content-type"), Some("application/json"));
    assert_eq!(answer.response.text(), file("docs/openapi.json"));
}

/// The bytes of a hex dump: an address, pairs of digits, the same as text between bars.
fn undump(dump: &str) -> Vec<u8> {
    let rows = dump.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_hexdigit()));
    rows.flat_map(|row| {
        let (_, rest) = row.split_once("  ").expect("an address");
        let hex = rest.split('|').next().expect("digits").split_whitespace();
        hex.map(|pair| u8::from_str_radix(pair, 16).expect("a pair of digits")).collect::<Vec<_>>()
    })
    .collect()
}

/// The example between the markers of docs/PROTOCOL.md.
fn example() -> Vec<u8> {
    let protocol = file("docs/PROTOCOL.md");
    let (_, rest) = protocol.split_once("<!-- binary-example -->").expect("the marker of the example");
    let (dump, _) = rest.split_once("<!-- /binary-example -->").expect("the marker of its end");
    undump(dump)
}

#[test]
fn the_binary_example_of_the_protocol_decodes_to_what_it_says() {
    let page = decode_batch(&example()).expect("a batch");
    assert_eq!((page.events.len(), page.gaps.len(), page.head), (1, 0, page.events[0].seq));
    let Fact::Received { len, offset, bytes, .. } = &page.events[0].fact else { panic!("{page:?}") };
    assert_eq!((*len, *offset), (5, Some(0)));
    assert_eq!(&*bytes.payload.as_ref().expect("a payload").0, b"hello");
}

#[test]
fn a_batch_that_lies_about_itself_is_told_from_a_good_one() {
    let good = example();
    for length in 0..good.len() {
        assert!(decode_batch(&good[..length]).is_err(), "cut at {length}");
    }
    assert!(decode_batch(&[good.as_slice(), b"!"].concat()).is_err(), "a byte too many");
}

/// The names of an object's members.
fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_server_writes_batches_like_the_example() {
    let server = TestServer::start();
    let client = server.client();
    let peer = TcpPeer::listen().await;
    client.open(&peer.target()).await;
    peer::write(&mut peer.accept().await, b"hello").await;
    let bearer = format!("Bearer {TOKEN}");
    let query = "binary=1&type=received";
    let (mut ws, _) =
        viewer::upgrade(server.address(), query, &[("authorization", &bearer)]).await.expect("let in");
    let hello = within("the hello", ws.next()).await.expect("a frame").expect("no error");
    assert!(hello.is_text(), "hello is text, also for a viewer that asks for binary frames");
    let frame = within("a batch", ws.next()).await.expect("a frame").expect("no error");
    let Message::Binary(ours) = frame else { panic!("{frame:?}") };
    let json = |batch: &[u8]| -> Value {
        let length = u32::from_be_bytes(*batch.first_chunk().expect("a length")) as usize;
        serde_json::from_slice(&batch[4..4 + length]).expect("JSON")
    };
    let (ours, theirs) = (json(&ours), json(&example()));
    assert_eq!(names(&ours), names(&theirs));
    assert_eq!(names(&ours["events"][0]), names(&theirs["events"][0]));
    assert_eq!(ours["events"][0]["payload_range"], serde_json::json!([0, 5]));
}
