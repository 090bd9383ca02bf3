//! Events as text: one line each, and the bytes as a hex dump beneath. For export; the page has sentences of its own.

use std::fmt::Write as _;

use sockscope_wire::{Counted, Event, Fact, Gap};

/// An event as lines. Bytes of peers are never written raw: control characters could drive a terminal.
#[must_use]
pub fn event_lines(event: &Event) -> String {
    let mut value = serde_json::to_value(&event.fact).unwrap_or_default();
    let mut line = format!("{} #{}", event.at, event.seq);
    if let Some(socket) = event.socket {
        write!(line, " {socket}").ok();
    }
    if let Some(map) = value.as_object_mut() {
        if let Some(kind) = map.remove("type").and_then(|kind| kind.as_str().map(str::to_owned)) {
            write!(line, " {kind}").ok();
        }
        map.remove("payload");
        for (name, value) in map {
            // Strings stay JSON strings: quoted, with every control character escaped.
            write!(line, " {name}={value}").ok();
        }
    }
    if let Some(took) = event.took_us {
        write!(line, " took_us={took}").ok();
    }
    line.push('\n');
    if let Fact::Sent { bytes: Counted { payload: Some(payload), .. }, .. }
    | Fact::Received { bytes: Counted { payload: Some(payload), .. }, .. } = &event.fact
    {
        hex_dump(&mut line, &payload.0);
    }
    line
}

/// A gap as a line.
#[must_use]
pub fn gap_line(gap: &Gap) -> String {
    let reason = serde_json::to_value(gap.reason).unwrap_or_default();
    format!("-- events {} to {} are gone: {reason}\n", gap.from, gap.to)
}

fn hex_dump(text: &mut String, bytes: &[u8]) {
    for (row, chunk) in bytes.chunks(16).enumerate() {
        let hex: Vec<_> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown: String = chunk
            .iter()
            .map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' })
            .collect();
        // Writing to a String cannot fail.
        writeln!(text, "    {:08x}  {:<47}  |{shown}|", row * 16, hex.join(" ")).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sockscope_wire::{Payload, Seq, SocketId};

    use super::*;

    #[test]
    fn bytes_are_dumped_and_never_written_raw() {
        let bytes = Counted { payload: Some(Payload(Arc::from(*b"hi\x1b[31m\n"))), ..Counted::default() };
        let event = Event {
            seq: Seq(7),
            t_us: 1,
            at: "2026-11-21T08:00:00.000001Z".into(),
            took_us: Some(5),
            socket: Some(SocketId(2)),
            cause: None,
            by: None,
            fact: Fact::Received {
                len: 8,
                offset: Some(0),
                from: None,
                truncated: false,
                arrival: None,
                bytes,
            },
        };
        let text = event_lines(&event);
        assert!(
            text.starts_with("2026-11-21T08:00:00.000001Z #7 s2 received len=8 offset=0 took_us=5\n"),
            "{text}"
        );
        assert!(text.contains("68 69 1b 5b 33 31 6d 0a"), "{text}");
        assert!(text.ends_with("|hi.[31m.|\n"), "{text}");
        assert!(!text.contains('\x1b'));
    }
}
