//! The kernel's side: what it says of datagrams, what its knobs do, the states connections pass through, and how much of it
//! is recorded.
//!
//! Needs what the pipeline has: root, or CAP_NET_RAW.

mod datagrams;
mod knobs;
mod shelf;
mod sight;
mod states;

use serde_json::{Value, json};

use crate::kit::{Server, list, text};

/// What a socket's segments say, oldest first.
pub(crate) fn segments(server: &Server, id: &str) -> Vec<Value> {
    server.history(&format!("socket={id}&type=segment")).0
}

/// The states one end was told to be in, in order. One that waits is told again with every change of its timer.
pub(crate) fn path(server: &Server, id: &str, end: &str) -> Vec<String> {
    let told = server.history(&format!("socket={id}&type=kernel_state")).0;
    let mut path: Vec<_> = told
        .iter()
        .filter(|event| event["end"] == end)
        .filter_map(|event| event["state"].as_str())
        .map(str::to_owned)
        .collect();
    path.dedup();
    path
}

/// Whether all of `some` are in `all`, in that order.
pub(crate) fn is_within(some: &[String], all: &[String]) -> bool {
    let mut all = all.iter();
    some.iter().all(|state| all.any(|other| other == state))
}

/// The value of a field of a captured frame.
pub(crate) fn field(server: &Server, segment: &Value, name: &str) -> Option<String> {
    let frame = server.ask("GET", &format!("events/{}/frame", segment["seq"]), None).ok();
    let layers = list(&frame["layers"]);
    let fields = layers.iter().flat_map(|layer| list(&layer["fields"]));
    fields.into_iter().find(|field| field["name"] == name).map(|field| text(&field["value"]))
}

/// Sets an option of a living socket.
#[track_caller]
fn set(server: &Server, id: &str, options: &Value) {
    server.ask("PATCH", &format!("sockets/{id}"), Some(&json!({ "options": options }))).ok();
}

/// Whether a list of names has that one.
fn has(value: &Value, name: &str) -> bool {
    value.as_array().is_some_and(|names| names.contains(&json!(name)))
}
