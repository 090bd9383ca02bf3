//! What arithmetic says of a lane, and whether it is so; the page reckons by the same rules.

use std::{collections::BTreeMap, net::IpAddr};

use serde::Serialize;
use sockscope_wire::{Lane, Meter};

use super::{Settings, bill, delays::Summary, prices::Prices};

/// One figure's arithmetic: what it should be, and whether it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Expected {
    /// What is predicted.
    pub value: f64,
    /// It may be less.
    pub at_most: bool,
    /// What was measured is as predicted. Nothing where too few messages came to say.
    pub agrees: Option<bool>,
}

/// Figures by name, as in a lane's report.
pub(super) type Figures = BTreeMap<&'static str, Expected>;

/// What arithmetic says of a lane.
#[derive(Debug, Clone, Serialize)]
pub struct Predicted {
    /// Requests of all its clients.
    pub requests: f64,
    /// Mean delay in ms, where the way of asking makes one; a push adds none of its own.
    pub mean_delay_ms: f64,
    /// The requests counted are as predicted, give or take 5 %, two a client, and twice the standard error of how many
    /// messages come together.
    pub requests_agree: Option<bool>,
    /// The mean delay is as predicted, give or take 10 %, twice its standard error, and 5 ms of the machine's.
    pub delay_agrees: Option<bool>,
    /// Every other figure that can be predicted. Absent where the premises are not known; CPU time always is: it is the
    /// machine's.
    pub figures: BTreeMap<&'static str, Expected>,
}

/// What arithmetic needs to know of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Premises<'a> {
    pub(super) settings: &'a Settings,
    /// How long it ran.
    pub(super) seconds: f64,
    /// Messages each client was told.
    pub(super) messages: f64,
    /// Bytes a TCP segment takes on the way from the server.
    pub(super) segment: f64,
}

/// A count as predicted, and by how much it may differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Asked {
    pub(super) value: f64,
    pub(super) slack: f64,
}

/// Of fewer messages luck says more than arithmetic: what is predicted is said, and no verdict.
pub(super) const ENOUGH_FOR_VERDICT: usize = 20;

/// The machine's own share of a delay, in ms.
const MACHINE_MS: f64 = 5.0;

/// Every so many seconds a long poll of which nothing came is answered empty, and asked again.
pub(super) const LONG_POLL_S: u32 = 30;

/// What a poll is answered with at most: so many events, so many bytes of payload, each with what keeping it takes.
const PAGE_EVENTS: f64 = 1000.0;
const PAGE_BYTES: f64 = 1_048_576.0;
const KEPT: f64 = 32.0;

/// The server closes a connection on which nothing was asked for so many seconds.
const IDLE_S: f64 = 10.0;

/// How long TCP's segments are on this machine's loopback, and on an Ethernet: the MTU less headers of IP and TCP with
/// timestamps.
pub(super) fn segment_to(server: IpAddr) -> f64 {
    if server.is_loopback() { 65_483.0 } else { 1448.0 }
}

/// A figure that is as predicted, give or take.
pub(super) fn near(value: f64, measured: u64, slack: f64) -> Expected {
    Expected { value, at_most: false, agrees: Some((measured as f64 - value).abs() <= slack) }
}

/// A figure that is no more than predicted.
pub(super) fn at_most(value: f64, measured: f64, slack: f64) -> Expected {
    Expected { value, at_most: true, agrees: Some(measured <= value + slack) }
}

impl Premises<'_> {
    /// A short poll asks at its rate and finds a message half an interval old on average; a long poll is asked once a
    /// message, less those that come together; a push is asked for once.
    pub(super) fn predict(
        &self,
        lane: Lane,
        meter: &Meter,
        delay: Option<&Summary>,
        prices: Option<&Prices>,
    ) -> Predicted {
        let interval = self.settings.poll_interval * 1000.0;
        let full = self.continued(lane, meter, prices);
        let asked = self.requests(lane, delay, full.value, prices);
        let mean = if lane == Lane::ShortPoll { interval / 2.0 } else { 0.0 };
        // The mean of n delays that are spread evenly over an interval strays by its standard error; twice that is met
        // 19 times of 20.
        let error = |delay: &Summary| 2.0 * interval / (12.0 * delay.samples.max(1) as f64).sqrt();
        let mut figures = Figures::from([
            ("empty_requests", self.empty(lane, meter)),
            ("full_requests", full),
            ("connections", self.connections(lane, meter)),
        ]);
        figures.extend(bill::acknowledged(meter));
        if let Some(prices) = prices {
            figures.extend(bill::bill(lane, self, prices, asked, meter));
        }
        let told = judge(&mut figures, self.messages as usize);
        let mut timed = false;
        if let Some(delay) = delay {
            let mut quantiles = if lane == Lane::ShortPoll { self.quantiles(delay) } else { Figures::new() };
            timed = judge(&mut quantiles, delay.samples);
            figures.extend(quantiles);
        }
        Predicted {
            requests: asked.value,
            mean_delay_ms: mean,
            requests_agree: near(asked.value, meter.requests, asked.slack).agrees.filter(|_| told),
            delay_agrees: delay.filter(|_| timed).map(|delay| {
                let chance = if lane == Lane::ShortPoll { error(delay) + self.lockstep() } else { 0.0 };
                (delay.mean - mean).abs() <= mean * 0.1 + chance + MACHINE_MS
            }),
            figures,
        }
    }

    /// Events a message: what comes in the same millisecond is read together.
    fn reads_each(&self, prices: Option<&Prices>) -> f64 {
        prices.filter(|_| self.messages > 0.0).map_or(1.0, |prices| prices.reads / self.messages)
    }

    pub(super) fn clients(&self) -> f64 {
        f64::from(self.settings.viewers)
    }

    /// Requests, of which `full` only continued.
    fn requests(&self, lane: Lane, delay: Option<&Summary>, full: f64, prices: Option<&Prices>) -> Asked {
        let clients = self.clients();
        let Settings { rate, poll_interval, regular, .. } = *self.settings;
        // What comes while an answer and the next question are on their way is told together: k messages on average.
        // One of them, or the next if there was none, ends the poll; e^−k is the chance of none.
        let rate = rate * self.reads_each(prices);
        let median = delay.map_or(0.0, |delay| delay.p50.max(0.0) / 1000.0);
        let k = rate * round_trip(median, rate, regular);
        let together = if regular { k.max(1.0) } else { k + (-k).exp() };
        let told = clients * self.messages * self.reads_each(prices);
        let before = prices.map_or(clients, |prices| prices.before);
        let (value, luck) = match lane {
            Lane::ShortPoll => (before + clients * self.seconds / poll_interval + full, 0.0),
            Lane::LongPoll => (told / together + 2.0 * clients, 2.0 * (told - told / together).sqrt()),
            Lane::Sse | Lane::Websocket => (clients, 0.0),
        };
        Asked { value, slack: value * 0.05 + 2.0 * clients + luck }
    }

    /// Messages at even intervals keep step with polls at even intervals: by how much, in ms, that may shift all delays.
    fn lockstep(&self) -> f64 {
        let Settings { rate, poll_interval, regular, .. } = *self.settings;
        if regular { poll_interval.min(1.0 / rate) * 500.0 } else { 0.0 }
    }

    /// Delays are spread evenly over an interval; a quantile of n of them strays by its standard error.
    fn quantiles(&self, delay: &Summary) -> Figures {
        let interval = self.settings.poll_interval * 1000.0;
        let quantile = |share: f64, measured: f64| {
            let chance =
                2.0 * interval * (share * (1.0 - share) / delay.samples as f64).sqrt() + self.lockstep();
            let (value, slack) = (interval * share, interval * share * 0.1 + chance + MACHINE_MS);
            Expected { value, at_most: false, agrees: Some((measured - value).abs() <= slack) }
        };
        Figures::from([
            ("p50", quantile(0.5, delay.p50)),
            ("p95", quantile(0.95, delay.p95)),
            ("max", at_most(interval, delay.max, interval * 0.1 + MACHINE_MS)),
        ])
    }

    /// How often nothing comes within one wait: e^(−rate × wait) for messages that come independently of each other.
    fn empty(&self, lane: Lane, meter: &Meter) -> Expected {
        let wait = match lane {
            Lane::ShortPoll => self.settings.poll_interval,
            Lane::LongPoll => f64::from(LONG_POLL_S),
            Lane::Sse | Lane::Websocket => return near(0.0, meter.empty_requests, 0.0),
        };
        let due = self.settings.rate * wait;
        let share = if self.settings.regular { (1.0 - due).max(0.0) } else { (-due).exp() };
        // Everybody's first question is for nothing; it is among the two a client.
        let value = meter.requests as f64 * share;
        let slack = value * 0.05 + 2.0 * (value * (1.0 - share)).sqrt() + 2.0 * self.clients();
        near(value, meter.empty_requests, slack)
    }

    /// Polls whose page was full: as many whole pages as come in one interval. A long poll is answered long before that.
    fn continued(&self, lane: Lane, meter: &Meter, prices: Option<&Prices>) -> Expected {
        if lane != Lane::ShortPoll {
            return near(0.0, meter.full_requests, 0.0);
        }
        let Settings { rate, payload, poll_interval, regular, .. } = *self.settings;
        let each = self.reads_each(prices);
        let due = rate * each * poll_interval;
        let pages = due / PAGE_EVENTS.min((PAGE_BYTES / (f64::from(payload) / each + KEPT)).floor());
        // Three standard deviations of a Poisson count: of a thousand intervals three are further off.
        let spread = if regular { 0.0 } else { 3.0 / due.sqrt() };
        let intervals = (self.messages * each / due).floor() * self.clients();
        let [least, value, most] =
            [1.0 - spread, 1.0, 1.0 + spread].map(|times| (pages * times).floor().max(0.0));
        // Where a whole number of pages is near, luck says each time on which side of it an interval is. And the source
        // begins and ends within one.
        let ends = if most > 0.0 { (most + 1.0) * self.clients() } else { 0.0 };
        let luck = (most - value).max(value - least) * intervals + ends;
        near(value * intervals, meter.full_requests, value * intervals * 0.05 + luck)
    }

    /// One a client for as long as it lasts, unless a poll idles too long in between.
    fn connections(&self, lane: Lane, meter: &Meter) -> Expected {
        if lane == Lane::ShortPoll && self.settings.poll_interval >= IDLE_S {
            return at_most(meter.requests as f64, meter.connections as f64, 0.0);
        }
        near(self.clients(), meter.connections, 0.0)
    }
}

/// Takes the verdicts away where too few samples came. Whether there were enough.
fn judge(figures: &mut Figures, samples: usize) -> bool {
    let enough = samples >= ENOUGH_FOR_VERDICT;
    if !enough {
        figures.values_mut().for_each(|expected| expected.agrees = None);
    }
    enough
}

/// How long an answer and the next question are under way, in seconds, where half of the messages took no longer than
/// `median`. One that was waited for takes half a round trip; one that came meanwhile waits for the question as well, and
/// as those become more, the median grows from half a round trip to a whole one.
fn round_trip(median: f64, rate: f64, regular: bool) -> f64 {
    if regular {
        return if 2.0 * median * rate < 1.0 { 2.0 * median } else { median.max(1.0 / rate) };
    }
    let (mut least, mut most) = (median, 2.0 * median);
    // Halved until it is known to a thousand millionth of itself.
    for _ in 0..30 {
        let trip = f64::midpoint(least, most);
        let none = (-rate * trip).exp();
        let waited = none / (rate * trip + none);
        let half = trip / 2.0 + trip * ((0.5 - waited) / (1.0 - waited)).max(0.0);
        if half < median { least = trip } else { most = trip }
    }
    most
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::compare::prices::{Empty, Reads};

    pub(in super::super) fn settings() -> Settings {
        Settings {
            rate: 10.0,
            seconds: 120.0,
            payload: 64,
            viewers: 1,
            poll_interval: 1.0,
            lanes: Vec::new(),
            server: None,
            regular: false,
        }
    }

    pub(in super::super) fn premises(settings: &Settings) -> Premises<'_> {
        Premises { settings, seconds: 120.0, messages: 1200.0, segment: 65_483.0 }
    }

    fn delay(mean: f64, p50: f64) -> Summary {
        Summary { samples: 1200, mean, p50, p95: 950.0, p99: Some(990.0), max: 999.0 }
    }

    fn said(settings: &Settings, lane: Lane, meter: &Meter, delay: &Summary) -> Predicted {
        premises(settings).predict(lane, meter, Some(delay), None)
    }

    fn agrees(predicted: &Predicted, figure: &str) -> bool {
        predicted.figures[figure].agrees == Some(true)
    }

    #[test]
    fn a_short_poll_is_asked_at_its_rate_and_finds_messages_half_an_interval_old() {
        let meter = Meter { requests: 121, connections: 1, ..Meter::default() };
        let good = said(&settings(), Lane::ShortPoll, &meter, &delay(500.0, 500.0));
        assert_eq!((good.requests, good.mean_delay_ms), (121.0, 500.0));
        assert!((good.requests_agree, good.delay_agrees) == (Some(true), Some(true)), "{good:?}");
        for figure in ["p50", "p95", "max", "empty_requests", "full_requests", "connections"] {
            assert!(agrees(&good, figure), "{figure}: {good:?}");
        }
        let meter =
            Meter { requests: 160, empty_requests: 9, full_requests: 1, connections: 2, ..Meter::default() };
        let mut slow = delay(600.0, 700.0);
        (slow.p95, slow.max) = (1200.0, 1300.0);
        let bad = said(&settings(), Lane::ShortPoll, &meter, &slow);
        assert!((bad.requests_agree, bad.delay_agrees) == (Some(false), Some(false)), "{bad:?}");
        for figure in ["p50", "p95", "max", "empty_requests", "full_requests", "connections"] {
            assert!(!agrees(&bad, figure), "{figure}: {bad:?}");
        }
    }

    #[test]
    fn a_long_poll_is_asked_once_a_message_less_those_that_come_together() {
        let asked = |requests, settings: &Settings, p50| {
            let meter = Meter { requests, ..Meter::default() };
            said(settings, Lane::LongPoll, &meter, &delay(2.0, p50))
        };
        let few = asked(1180, &settings(), 10.0);
        assert!(
            (few.requests - (1200.0 / (0.2 + (-0.2_f64).exp()) + 2.0)).abs() < 1e-3
                && few.requests_agree == Some(true)
        );
        assert_eq!(asked(900, &settings(), 10.0).requests_agree, Some(false));
        let many = Settings { rate: 300.0, ..settings() };
        assert!(asked(755, &many, 3.94).requests_agree == Some(true), "{:?}", asked(755, &many, 3.94));
        assert_eq!(asked(480, &many, 3.94).requests_agree, Some(false));
        let even = Settings { regular: true, ..settings() };
        assert_eq!(asked(1, &even, 10.0).requests, 1202.0);
        let even = Settings { rate: 300.0, ..even };
        assert!((asked(1, &even, 10.0).requests - 402.0).abs() < 1e-9);
    }

    #[test]
    fn a_push_is_one_request_of_each_client_and_never_empty() {
        let many = Settings { viewers: 50, ..settings() };
        let meter = Meter { requests: 50, connections: 50, ..Meter::default() };
        let good = said(&many, Lane::Sse, &meter, &delay(2.0, 1.0));
        assert!(
            (good.requests_agree, good.delay_agrees) == (Some(true), Some(true))
                && agrees(&good, "connections"),
            "{good:?}"
        );
        let meter = Meter { requests: 200, empty_requests: 1, connections: 51, ..meter };
        let bad = said(&many, Lane::Websocket, &meter, &delay(20.0, 1.0));
        assert!((bad.requests_agree, bad.delay_agrees) == (Some(false), Some(false)), "{bad:?}");
        assert!(!agrees(&bad, "connections") && !agrees(&bad, "empty_requests"), "{bad:?}");
    }

    #[test]
    fn pages_are_full_where_more_comes_in_an_interval() {
        let full = |settings: &Settings, full_requests, messages| {
            let meter = Meter { full_requests, ..Meter::default() };
            let premises = Premises { messages, ..premises(settings) };
            premises.predict(Lane::ShortPoll, &meter, None, None).figures["full_requests"]
        };
        let many = Settings { rate: 500.0, poll_interval: 5.0, regular: true, ..settings() };
        assert_eq!(full(&many, 48, 60_000.0), Expected { value: 48.0, at_most: false, agrees: Some(true) });
        assert_eq!(full(&many, 0, 60_000.0).agrees, Some(false));
        assert!(full(&many, 1, 3000.0).agrees == Some(true), "an interval and a bit");
        let large = Settings { rate: 55.0, payload: 65_536, regular: true, ..settings() };
        assert_eq!(full(&large, 360, 6600.0).value, 360.0);
        let near = Settings { rate: 1000.0, ..settings() };
        assert!(
            full(&near, 60, 120_000.0).agrees == Some(true),
            "luck says on which side of a page an interval is"
        );
    }

    #[test]
    fn messages_that_are_read_together_are_told_together() {
        let prices = Prices {
            before: 1.0,
            up: 1.0,
            down: 1.0,
            segments: (1.0, 1.0),
            event: 1.0,
            around: 1.0,
            reads: 600.0,
        };
        let predict = |settings: &Settings, lane| {
            premises(settings).predict(lane, &Meter::default(), Some(&delay(1.0, 0.0)), Some(&prices))
        };
        assert_eq!(predict(&settings(), Lane::LongPoll).requests, 602.0);
        let many = Settings { rate: 1500.0, regular: true, ..settings() };
        let busy = |reads| {
            let premises = Premises { messages: 180_000.0, ..premises(&many) };
            let prices = Prices { reads, ..prices };
            premises.predict(Lane::ShortPoll, &Meter::default(), None, Some(&prices)).requests
        };
        assert_eq!((busy(180_000.0), busy(90_000.0)), (241.0, 121.0), "750 events fit into a page");
    }

    #[test]
    fn messages_at_even_intervals_keep_step_with_polls() {
        let even = Settings { rate: 2.0, poll_interval: 0.5, regular: true, ..settings() };
        let mut stuck = delay(40.0, 40.0);
        stuck.p95 = 260.0;
        let meter = Meter::default();
        assert_eq!(said(&even, Lane::ShortPoll, &meter, &stuck).delay_agrees, Some(true));
        let quick = Settings { rate: 20.0, ..even };
        assert_eq!(said(&quick, Lane::ShortPoll, &meter, &stuck).delay_agrees, Some(false));
    }

    #[test]
    fn a_poll_that_idles_is_a_connection_each_time() {
        let rare = Settings { poll_interval: 15.0, ..settings() };
        let meter = Meter { requests: 9, connections: 9, ..Meter::default() };
        let said = said(&rare, Lane::ShortPoll, &meter, &delay(1.0, 1.0));
        assert_eq!(said.figures["connections"], Expected { value: 9.0, at_most: true, agrees: Some(true) });
    }

    /// One case of the file that the page's unit tests read too. Its figures are those by which a page is as any other
    /// client: a browser's connections and its WebSocket's goodbye are not among them.
    #[derive(serde::Deserialize)]
    struct Case {
        name: String,
        lane: Lane,
        premises: Given,
        meter: serde_json::Value,
        delay_ms: Option<Samples>,
        priced: Option<Priced>,
        prices: Option<PriceTags>,
        predicted: Said,
    }

    #[derive(serde::Deserialize)]
    struct Given {
        rate: f64,
        payload: u32,
        poll: f64,
        arrivals: sockscope_wire::Arrivals,
        seconds: f64,
        messages: f64,
        segment: f64,
    }

    #[derive(serde::Deserialize)]
    struct Samples {
        samples: usize,
        mean: f64,
        p50: f64,
        p95: f64,
        p99: Option<f64>,
        max: f64,
    }

    #[derive(serde::Deserialize)]
    struct Priced {
        base: serde_json::Value,
        reads: Read,
    }

    #[derive(serde::Deserialize)]
    struct Read {
        count: u64,
        bytes: u64,
        sample: sockscope_wire::Event,
        epoch: String,
    }

    #[derive(serde::Deserialize)]
    struct PriceTags {
        up: f64,
        down: f64,
        event: f64,
        around: f64,
    }

    #[derive(serde::Deserialize)]
    struct Said {
        requests: f64,
        mean_delay_ms: f64,
        requests_agree: Option<bool>,
        delay_agrees: Option<bool>,
        figures: BTreeMap<String, Figure>,
    }

    #[derive(serde::Deserialize)]
    struct Figure {
        value: f64,
        at_most: bool,
        agrees: Option<bool>,
    }

    /// A meter of which only the counts that matter here are given.
    fn meter(given: &serde_json::Value) -> Meter {
        let mut all = serde_json::to_value(Meter::default()).expect("JSON");
        for (field, value) in given.as_object().expect("a meter") {
            all[field] = value.clone();
        }
        serde_json::from_value(all).expect("a meter")
    }

    fn close(measured: f64, value: f64) -> bool {
        (measured - value).abs() <= 1e-9 * value.abs().max(1.0)
    }

    #[test]
    fn the_page_predicts_the_same() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../../tests/vectors/predict.json")).expect("cases");
        assert!(cases.len() > 10);
        for Case { name, lane, premises: given, meter: counted, delay_ms, priced, prices: tags, predicted } in
            cases
        {
            let settings = Settings {
                rate: given.rate,
                payload: given.payload,
                poll_interval: given.poll,
                regular: given.arrivals == sockscope_wire::Arrivals::Regular,
                ..settings()
            };
            let prices = priced.map(|Priced { base, reads: Read { count, bytes, sample, epoch } }| {
                let base = meter(&base);
                let empty = Empty { whole: base.bytes_down as f64, body: base.body_down as f64 };
                Prices::of(lane, &base, empty, &Reads { count, bytes, sample, epoch })
            });
            if let Some(PriceTags { up, down, event, around }) = tags {
                let prices = prices.expect("priced");
                assert_eq!(
                    (prices.up, prices.down, prices.event, prices.around),
                    (up, down, event, around),
                    "{name}"
                );
            }
            let Given { seconds, messages, segment, .. } = given;
            let premises = Premises { settings: &settings, seconds, messages, segment };
            let delay = delay_ms.map(|Samples { samples, mean, p50, p95, p99, max }| Summary {
                samples,
                mean,
                p50,
                p95,
                p99,
                max,
            });
            let said = premises.predict(lane, &meter(&counted), delay.as_ref(), prices.as_ref());
            assert!(close(said.requests, predicted.requests), "{name}: {said:?}");
            assert!(close(said.mean_delay_ms, predicted.mean_delay_ms), "{name}: {said:?}");
            assert_eq!(
                (said.requests_agree, said.delay_agrees),
                (predicted.requests_agree, predicted.delay_agrees),
                "{name}: {said:?}"
            );
            for (figure, Figure { value, at_most, agrees }) in predicted.figures {
                let found = said.figures.get(figure.as_str()).copied().expect("it is predicted");
                assert!(close(found.value, value), "{name}: {figure}: {found:?}, not {value}");
                assert_eq!((found.at_most, found.agrees), (at_most, agrees), "{name}: {figure}: {found:?}");
            }
        }
    }
}
