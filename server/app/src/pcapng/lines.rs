//! Facts as short lines: comments in a capture, in the words of its reader.

use sockscope_wire::{Direction, Event, Fact};

/// The longest line, in characters: what a user or a peer named may be long.
const LONGEST: usize = 300;

/// A fact as a line; nothing of facts that are frames or figures.
pub(super) fn line(event: &Event) -> Option<String> {
    let mut line = event.socket.map_or_else(String::new, |socket| format!("{socket} "));
    line.push_str(&said(&event.fact)?);
    if let Some(took) = event.took_us {
        line.push_str(&format!(", took {took} µs"));
    }
    Some(clean(&line))
}

/// Without control characters, and not too long.
fn clean(line: &str) -> String {
    line.chars().take(LONGEST).map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

fn end(end: Direction) -> &'static str {
    match end {
        Direction::Local => "this end",
        Direction::Peer => "the peer",
    }
}

/// A word of the contract, as JSON has it.
fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

fn said(fact: &Fact) -> Option<String> {
    Some(match fact {
        Fact::Opening { target, .. } => format!("opening {target}"),
        Fact::Resolved { name, addresses } => format!("{name} is {}", addresses.join(", ")),
        Fact::Connecting { remote, attempt, of } => format!("connecting to {remote} ({attempt} of {of})"),
        Fact::Connected { local, remote, parent: None, .. } => format!("connected {local} to {remote}"),
        Fact::Connected { local, remote, parent: Some(parent), .. } => {
            format!("accepted by {parent}, {local} from {remote}")
        }
        Fact::Bound { local, .. } => format!("bound to {local}"),
        Fact::Listening { local, backlog, .. } => format!("listening on {local}, backlog {backlog}"),
        Fact::Accepted { child, remote } => format!("accepted {child} from {remote}"),
        Fact::Sent { len, to, .. } => {
            format!(
                "sent {}{}",
                bytes((*len).into()),
                to.as_ref().map_or_else(String::new, |to| format!(" to {to}"))
            )
        }
        Fact::Received { len, from, truncated, .. } => format!(
            "received {}{}{}",
            bytes((*len).into()),
            from.as_ref().map_or_else(String::new, |from| format!(" from {from}")),
            if *truncated { ", cut" } else { "" }
        ),
        Fact::Relayed { sent_bytes, received_bytes, .. } => {
            format!("{} passed to the peer and {} from it", bytes(*sent_bytes), bytes(*received_bytes))
        }
        Fact::Eof { offset } => format!("eof after {}", bytes(*offset)),
        Fact::Shutdown { how } => format!("shutdown({})", word(how)),
        Fact::Reset { side: Direction::Local, .. } => "reset by this end".to_owned(),
        Fact::Reset { side: Direction::Peer, phase, errno } => format!(
            "reset by the peer, met by {}{}",
            phase.map(word).unwrap_or_default(),
            errno.as_ref().map_or_else(String::new, |errno| format!(" ({errno})"))
        ),
        Fact::Closing { queued_bytes } => format!("closing, {} wait to be sent", bytes(*queued_bytes)),
        Fact::Closed { reason, unsent_bytes, unread_bytes, .. } => {
            let mut said = format!("closed: {}", reason.as_str());
            if *unsent_bytes > 0 {
                said.push_str(&format!(", {} unsent", bytes(*unsent_bytes)));
            }
            if *unread_bytes > 0 {
                said.push_str(&format!(", {} unread", bytes(*unread_bytes)));
            }
            said
        }
        Fact::RefusedByPolicy { target, rule, .. } => format!("the policy refused {target}: {rule}"),
        Fact::Failed { code, phase, errno, remote, .. } => format!(
            "{} failed{}: {}{}",
            word(phase),
            remote.as_ref().map_or_else(String::new, |remote| format!(" for {remote}")),
            code.as_str(),
            errno.as_ref().map_or_else(String::new, |errno| format!(" ({errno})"))
        ),
        Fact::OptionSet { option, asked, granted } => {
            format!("option {option}: asked {asked}, granted {granted}")
        }
        Fact::Dropped { count, reason, .. } => format!("{count} datagrams lost: {}", reason.as_str()),
        Fact::Paused { what, reason, .. } => format!("{} stands still: {}", word(what), reason.as_str()),
        Fact::Resumed { what, after_us } => format!("{} goes on after {after_us} µs", word(what)),
        Fact::KernelState { end: which, state, evidence, .. } => {
            let state = state.map_or_else(|| "unknown".to_owned(), word);
            format!("kernel: {} {state} ({})", end(*which), word(evidence))
        }
        Fact::AcceptQueue { length, limit } => format!("accept queue {length} of {limit}"),
        Fact::CaptureLost { count, .. } => format!("the capture missed {count} frames"),
        Fact::Note(note) => {
            let said: Vec<_> = note.params.iter().map(|(name, value)| format!("{name} {value}")).collect();
            format!("note {}: {}", note.code.as_str(), said.join(", "))
        }
        Fact::TcpInfo { .. } | Fact::Segment { .. } => return None,
    })
}
