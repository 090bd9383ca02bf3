//! What things cost on a lane: from what connecting cost, and from one event as it is encoded.

use sockscope_wire::{Event, Fact, Lane, Meter};

/// How the server read the source.
#[derive(Debug, Clone)]
pub(super) struct Reads {
    /// How often, the end not counted.
    pub(super) count: u64,
    /// How many bytes that were.
    pub(super) bytes: u64,
    /// One of these reads.
    pub(super) sample: Event,
    /// The log it is in.
    pub(super) epoch: String,
}

/// An empty answer to a poll, in bytes: all of it, and its content alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Empty {
    pub(super) whole: f64,
    pub(super) body: f64,
}

/// What things cost on a lane, in bytes; of connecting, all its clients together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Prices {
    /// Requests made before the first message.
    pub(super) before: f64,
    /// Up: of one request; of all that connecting takes where it is a push.
    pub(super) up: f64,
    /// Down: of an empty answer; of what a push says before the first event.
    pub(super) down: f64,
    /// Data segments of connecting a push, up and down.
    pub(super) segments: (f64, f64),
    /// Of one event, with what is said for it alone.
    pub(super) event: f64,
    /// Of what wraps a push, however many events it brings.
    pub(super) around: f64,
    /// Events each client is told.
    pub(super) reads: f64,
}

impl Prices {
    /// What this lane pays, whose meter said `base` when every client was connected and no message was sent yet.
    pub(super) fn of(lane: Lane, base: &Meter, empty: Empty, reads: &Reads) -> Self {
        let segments = (base.segments.data_up as f64, base.segments.data_down as f64);
        let before = base.requests as f64;
        let connecting = Self {
            before,
            up: base.bytes_up as f64,
            down: base.bytes_down as f64,
            segments,
            event: event(reads),
            around: 0.0,
            reads: reads.count as f64,
        };
        match lane {
            // Between two events there is a comma. What a long poll is answered with was held until then.
            Lane::ShortPoll | Lane::LongPoll => Self {
                up: connecting.up / before.max(1.0),
                down: empty.whole,
                event: connecting.event + 1.0,
                ..connecting
            },
            Lane::Sse => {
                let head = format!("id: {}:{}\ndata: \n\n", reads.epoch, reads.sample.seq);
                let event = connecting.event + head.len() as f64;
                let chunk = format!("{:x}\r\n\r\n", event as u64);
                Self { event, around: chunk.len() as f64, ..connecting }
            }
            // A frame is a page as a poll is answered with.
            Lane::Websocket => {
                let around = empty.body + frame_header(empty.body + connecting.event);
                Self { around, ..connecting }
            }
        }
    }
}

/// An event's JSON. The sample's own payload may be longer or shorter than most: the rest of it is what every event has.
fn event(reads: &Reads) -> f64 {
    let json = serde_json::to_string(&reads.sample).map_or(0, |json| json.len());
    let payload = match &reads.sample.fact {
        Fact::Received { len, .. } => base64(u64::from(*len)),
        _ => 0,
    };
    json as f64 - payload as f64 + base64(reads.bytes / reads.count.max(1)) as f64
}

fn base64(bytes: u64) -> u64 {
    4 * bytes.div_ceil(3)
}

/// A WebSocket frame's header, unmasked (RFC 6455 §5.2).
fn frame_header(bytes: f64) -> f64 {
    match bytes {
        ..126.0 => 2.0,
        ..65_536.0 => 4.0,
        _ => 10.0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reads(bytes: u64) -> Reads {
        let sample = json!({
            "seq": 14, "t_us": 1_713_620, "at": "2026-11-21T10:09:34.565846Z", "took_us": 168_313, "socket": "s2",
            "type": "received", "len": 64, "offset": 128, "payload": format!("{}==", "A".repeat(86)),
        });
        let sample = serde_json::from_value(sample).expect("an event");
        Reads { count: 100, bytes, sample, epoch: "e".repeat(22) }
    }

    fn prices(lane: Lane, bytes: u64) -> Prices {
        let mut base = Meter { requests: 2, bytes_up: 420, bytes_down: 700, ..Meter::default() };
        (base.segments.data_up, base.segments.data_down) = (1, 2);
        Prices::of(lane, &base, Empty { whole: 500.0, body: 147.0 }, &reads(bytes))
    }

    #[test]
    fn a_poll_pays_for_asking_and_a_push_for_connecting() {
        let json = serde_json::to_string(&reads(6400).sample).expect("JSON").len() as f64;
        let poll = prices(Lane::LongPoll, 6400);
        assert_eq!(
            (poll.before, poll.up, poll.down, poll.event, poll.around),
            (2.0, 210.0, 500.0, json + 1.0, 0.0)
        );
        let sse = prices(Lane::Sse, 6400);
        let block = json + 22.0 + "id: :14\ndata: \n\n".len() as f64;
        assert_eq!((sse.up, sse.down, sse.event, sse.around), (420.0, 700.0, block, 7.0));
        assert_eq!((sse.segments, sse.reads), ((1.0, 2.0), 100.0));
        let ws = prices(Lane::Websocket, 6400);
        assert_eq!((ws.event, ws.around), (json, 147.0 + 4.0));
    }

    #[test]
    fn what_was_read_on_average_counts_whatever_the_sample_brought() {
        let json = serde_json::to_string(&reads(0).sample).expect("JSON").len() as f64;
        let ws = prices(Lane::Websocket, 6_400_000);
        assert_eq!((ws.event, ws.around), (json - 88.0 + 85_336.0, 147.0 + 10.0));
    }
}
