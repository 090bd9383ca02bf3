//! The bill of a lane: what bytes and segments it takes.

use sockscope_wire::{Lane, Meter};

use super::{
    predict::{Asked, Expected, Figures, Premises, at_most, near},
    prices::Prices,
};

/// Numbers in headers and events get digits as a run goes on: at most ten characters of two hundred.
const DIGITS: f64 = 0.05;

/// A stream that is busy brings together what comes within so many seconds (`PACE` in `feed.rs`).
const TOGETHER_S: f64 = 0.008;

/// A WebSocket is asked whether it lives every so many seconds, and says so in a masked frame without content.
const PING_S: f64 = 20.0;
const PONG_BYTES: f64 = 6.0;
const PING_BYTES: f64 = 2.0;

/// Segments of a connection without data: SYN, its acknowledgement, FIN.
const HANDSHAKE: f64 = 3.0;

/// A kernel fills no segment beyond half the largest window its peer has shown, and the first is of one segment of
/// loopback.
const HALF_WINDOW: f64 = 32_741.0;

/// What arithmetic says of bytes and of segments with data.
pub(super) fn bill(
    lane: Lane,
    premises: &Premises<'_>,
    prices: &Prices,
    asked: Asked,
    meter: &Meter,
) -> Figures {
    let Bill { up, down, segments_up, segments_down } = match lane {
        Lane::ShortPoll | Lane::LongPoll => polled(premises, prices, asked),
        Lane::Sse | Lane::Websocket => pushed(lane, premises, prices),
    };
    let told = premises.messages.max(1.0) * premises.clients();
    let each = (up.value + down.value) / told;
    let measured = (meter.bytes_up + meter.bytes_down) as f64 / told;
    let agrees = (measured - each).abs() <= (up.slack + down.slack) / told;
    Figures::from([
        ("bytes_up", near(up.value, meter.bytes_up, up.slack)),
        ("bytes_down", near(down.value, meter.bytes_down, down.slack)),
        ("bytes_per_event", Expected { value: each, at_most: false, agrees: Some(agrees) }),
        ("data_up", near(segments_up.value, meter.segments.data_up, segments_up.slack)),
        ("data_down", near(segments_down.value, meter.segments.data_down, segments_down.slack)),
    ])
}

/// Every segment with data is acknowledged once at most, and what opens and closes a connection has none.
pub(super) fn acknowledged(meter: &Meter) -> Figures {
    let shaken = HANDSHAKE * meter.connections as f64;
    let most = |data: u64, measured: u64| at_most(data as f64 + shaken, measured as f64, 0.0);
    let segments = &meter.segments;
    Figures::from([
        ("acks_up", most(segments.data_down, segments.acks_up)),
        ("acks_down", most(segments.data_up, segments.acks_down)),
    ])
}

struct Bill {
    up: Asked,
    down: Asked,
    segments_up: Asked,
    segments_down: Asked,
}

impl Premises<'_> {
    /// Of how many messages one comes so soon after another that both may be told together.
    fn together(&self) -> f64 {
        let within = self.settings.rate * TOGETHER_S;
        if self.settings.regular { (1.0 - 1.0 / within).max(0.0) } else { 1.0 - (-within).exp() }
    }

    /// Segments for so many bytes, for `most` of them if luck has it so.
    fn segments(&self, bytes: f64, most: f64) -> Asked {
        let value = (bytes / self.segment).ceil().max(1.0);
        Asked { value, slack: (most / self.segment.min(HALF_WINDOW)).ceil().max(value) - value }
    }
}

/// A request each, an answer each, and the messages in them.
fn polled(premises: &Premises<'_>, prices: &Prices, asked: Asked) -> Bill {
    let Asked { value, slack } = asked;
    let Prices { up, down, event, .. } = *prices;
    let reads = prices.reads * premises.clients();
    let (bytes_up, bytes_down) = (value * up, value * down + reads * event);
    // Messages that come independently of each other are not the same number each time (Poisson: two standard deviations).
    let spread = 2.0 * (reads / value).sqrt() * event;
    let answer = premises.segments(bytes_down / value, bytes_down / value + spread);
    // The end of the stream is an event, too.
    let ends = premises.clients() * event;
    Bill {
        up: Asked { value: bytes_up, slack: bytes_up * DIGITS + slack * up },
        down: Asked { value: bytes_down, slack: bytes_down * DIGITS + slack * down + ends },
        segments_up: asked,
        segments_down: Asked {
            value: value * answer.value,
            slack: slack * answer.value + value * answer.slack,
        },
    }
}

/// Once what connecting costs, a push a message, and one for the end; fewer where messages come together.
fn pushed(lane: Lane, premises: &Premises<'_>, prices: &Prices) -> Bill {
    let Prices { up, down, event, around, segments: (segments_up, segments_down), .. } = *prices;
    let clients = premises.clients();
    let reads = prices.reads * clients;
    let share = premises.together();
    // Fewer pushes by the share that may come together, twice the standard error of that, and two a client: the end comes
    // by itself or not. Clients of one lane are told the same, so what comes together does for all of them.
    let luck = 2.0 * (prices.reads * share * (1.0 - share)).sqrt() * clients;
    let fewer = reads * share + luck + 2.0 * clients;
    let pings = if lane == Lane::Websocket { clients * (premises.seconds / PING_S).floor() } else { 0.0 };
    let push = premises.segments(event + around, event + around);
    let content = pings * PING_BYTES + reads * (event + around);
    Bill {
        up: Asked { value: up + pings * PONG_BYTES, slack: 2.0 * PONG_BYTES * clients },
        down: Asked {
            value: down + content,
            slack: content * DIGITS + fewer * around + clients * (event + around),
        },
        segments_up: Asked { value: segments_up + pings, slack: 2.0 * clients },
        segments_down: Asked {
            value: segments_down + pings + reads * push.value + clients,
            slack: fewer * push.value + reads * push.slack,
        },
    }
}

#[cfg(test)]
mod tests {
    use sockscope_wire::MeterSegments;

    use super::*;
    use crate::compare::{
        Settings,
        predict::tests::{premises, settings},
    };

    const POLL: Prices = Prices {
        before: 1.0,
        up: 210.0,
        down: 500.0,
        segments: (1.0, 1.0),
        event: 250.0,
        around: 0.0,
        reads: 600.0,
    };
    const STREAM: Prices = Prices { down: 600.0, event: 300.0, around: 7.0, ..POLL };
    const SOCKET: Prices = Prices { up: 300.0, down: 700.0, segments: (1.0, 2.0), around: 150.0, ..POLL };

    fn counted(bytes_up: u64, bytes_down: u64, data_up: u64, data_down: u64) -> Meter {
        let segments = MeterSegments { data_up, data_down, ..MeterSegments::default() };
        Meter { bytes_up, bytes_down, segments, ..Meter::default() }
    }

    /// What is predicted, and which of it is not so.
    fn differing(
        lane: Lane,
        prices: &Prices,
        meter: &Meter,
        settings: &Settings,
    ) -> (Figures, Vec<&'static str>) {
        let premises = Premises { seconds: 60.0, messages: 600.0, ..premises(settings) };
        let figures = bill(lane, &premises, prices, Asked { value: 61.0, slack: 5.0 }, meter);
        let differ = figures
            .iter()
            .filter(|(_, expected)| expected.agrees == Some(false))
            .map(|(name, _)| *name)
            .collect();
        (figures, differ)
    }

    #[test]
    fn a_poll_pays_a_request_and_an_answer_each_time_and_each_message_once() {
        let good = counted(61 * 212, 61 * 505 + 600 * 252, 61, 61);
        let (figures, differ) = differing(Lane::ShortPoll, &POLL, &good, &settings());
        assert!(differ.is_empty(), "{figures:?}");
        let values = ["bytes_up", "bytes_down", "data_up", "data_down"].map(|name| figures[name].value);
        assert_eq!(values, [61.0 * 210.0, 61.0 * 500.0 + 600.0 * 250.0, 61.0, 61.0]);
        let bad = counted(61 * 400, 61 * 500 + 600 * 400, 122, 122);
        assert_eq!(differing(Lane::LongPoll, &POLL, &bad, &settings()).1.len(), 5);
    }

    #[test]
    fn a_push_pays_once_and_a_push_a_message() {
        let good = counted(210, 600 + 590 * 307, 1, 595);
        let (figures, differ) = differing(Lane::Sse, &STREAM, &good, &settings());
        assert!(differ.is_empty(), "{figures:?}");
        let values = ["bytes_up", "bytes_down", "data_up", "data_down"].map(|name| figures[name].value);
        assert_eq!(values, [210.0, 600.0 + 600.0 * 307.0, 1.0, 602.0]);
        let bad = counted(420, 600 + 600 * 400, 4, 400);
        assert_eq!(differing(Lane::Sse, &STREAM, &bad, &settings()).1.len(), 5);
        // At even intervals longer than a batch, no two come together.
        let even = Settings { regular: true, ..settings() };
        assert_eq!(
            differing(Lane::Sse, &STREAM, &counted(210, 600 + 590 * 307, 1, 560), &even).1,
            ["data_down"]
        );
    }

    #[test]
    fn a_web_socket_says_that_it_lives() {
        let (figures, differ) =
            differing(Lane::Websocket, &SOCKET, &counted(318, 706 + 600 * 400, 4, 606), &settings());
        assert!(differ.is_empty(), "{figures:?}");
        let values = ["bytes_up", "bytes_down", "data_up", "data_down"].map(|name| figures[name].value);
        assert_eq!(values, [318.0, 706.0 + 600.0 * 400.0, 4.0, 606.0]);
    }

    #[test]
    fn every_client_has_a_bill_of_its_own() {
        let many = Settings { viewers: 10, ..settings() };
        let together = Prices { up: 2100.0, down: 6000.0, segments: (10.0, 10.0), ..STREAM };
        let good = counted(2100, 6000 + 6000 * 307, 10, 6000);
        assert!(differing(Lane::Sse, &together, &good, &many).1.is_empty());
        assert!(!differing(Lane::Sse, &together, &counted(210, 600 + 600 * 307, 1, 600), &many).1.is_empty());
    }

    #[test]
    fn what_is_longer_than_a_segment_is_cut() {
        let even = Settings { regular: true, ..settings() };
        let large = Prices { event: 90_000.0, reads: 10.0, ..STREAM };
        let segments = |sent| differing(Lane::Sse, &large, &counted(210, 0, 1, sent), &even).0["data_down"];
        assert_eq!(segments(31), Expected { value: 22.0, at_most: false, agrees: Some(true) });
        assert_eq!(segments(41).agrees, Some(false));
    }

    #[test]
    fn a_segment_is_acknowledged_once_at_most() {
        let acks = |acks_up, acks_down| {
            let segments = MeterSegments { data_up: 10, data_down: 20, acks_up, acks_down };
            acknowledged(&Meter { connections: 2, segments, ..Meter::default() })
        };
        assert!(acks(26, 16).values().all(|expected| expected.agrees == Some(true) && expected.at_most));
        assert!(acks(27, 17).values().all(|expected| expected.agrees == Some(false)));
    }
}
