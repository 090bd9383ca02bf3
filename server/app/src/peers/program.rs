//! What a practice peer is started with, read and refused whole.

use std::time::Duration;

use sockscope_sockets::target::{Scheme, Target};
use sockscope_wire::{Arrivals, Code, MiddleboxSettings, PeerKind, PracticeRequest, TickerSettings};

use crate::{
    ask,
    problem::{Refused, Saying as _, problem},
};

/// Bytes a second a ticker sends at most.
const TICKER_BYTES: f64 = (4 << 20) as f64;

/// A practice peer and its settings.
#[derive(Debug, Clone, PartialEq)]
pub enum Program {
    /// One that has none.
    Plain(PeerKind),
    /// A ticker.
    Ticker(Ticking),
    /// A middlebox.
    Middlebox(Relaying),
}

/// How a ticker ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ticking {
    /// Ticks a second.
    pub rate: f64,
    /// Bytes a tick.
    pub payload: usize,
    /// When they come.
    pub arrivals: Arrivals,
    /// For how long.
    pub lasts: Option<Duration>,
    /// Not before the client has said something.
    pub hold: bool,
}

/// What a middlebox does.
#[derive(Debug, Clone, PartialEq)]
pub struct Relaying {
    /// Where it hands connections on to.
    pub to: Target,
    /// After how long without a segment it forgets one.
    pub idle: Duration,
}

impl Program {
    /// Reads a request.
    ///
    /// # Errors
    /// When a setting is out of range, missing, or of another peer.
    pub fn of(request: &PracticeRequest) -> Result<Self, Refused> {
        let PracticeRequest { peer, ticker, middlebox } = request;
        match (peer, ticker, middlebox) {
            (PeerKind::Ticker, ticker, None) => ticking(ticker.as_ref()).map(Self::Ticker),
            (PeerKind::Middlebox, None, Some(settings)) => relaying(settings).map(Self::Middlebox),
            (PeerKind::Middlebox, None, None) => {
                Err(wrong("middlebox", "a middlebox needs to know where it stands"))
            }
            (_, Some(_), _) => Err(wrong("ticker", "only a ticker takes these settings")),
            (_, _, Some(_)) => Err(wrong("middlebox", "only a middlebox takes these settings")),
            (peer, None, None) => Ok(Self::Plain(*peer)),
        }
    }

    /// Which peer it is.
    #[must_use]
    pub fn kind(&self) -> PeerKind {
        match self {
            Self::Plain(kind) => *kind,
            Self::Ticker(_) => PeerKind::Ticker,
            Self::Middlebox(_) => PeerKind::Middlebox,
        }
    }
}

fn wrong(field: &str, detail: &str) -> Refused {
    problem(Code::InvalidPractice, detail).with("field", field)
}

fn within(field: &str, value: f64, min: f64, max: f64) -> Result<f64, Refused> {
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(wrong(field, &format!("{field} is {min} to {max}")).with("min", min).with("max", max))
    }
}

fn ticking(settings: Option<&TickerSettings>) -> Result<Ticking, Refused> {
    let (rate, payload, arrivals, seconds, hold) = match settings {
        None => (None, None, None, None, false),
        Some(TickerSettings { rate, payload, arrivals, seconds, hold }) => {
            (*rate, *payload, *arrivals, *seconds, *hold)
        }
    };
    let rate = within("rate", rate.unwrap_or(10.0), 0.1, 1000.0)?;
    let payload = within("payload", f64::from(payload.unwrap_or(64)), 16.0, 65_536.0)?;
    if rate * payload > TICKER_BYTES {
        let detail = "rate × payload is at most 4 MiB a second";
        return Err(wrong("payload", detail).with("max", (TICKER_BYTES / rate) as u64));
    }
    let lasts = seconds.map(|seconds| within("seconds", seconds, 0.1, 86_400.0)).transpose()?;
    Ok(Ticking {
        rate,
        payload: payload as usize,
        arrivals: arrivals.unwrap_or(Arrivals::Poisson),
        lasts: lasts.map(Duration::from_secs_f64),
        hold,
    })
}

fn relaying(settings: &MiddleboxSettings) -> Result<Relaying, Refused> {
    let MiddleboxSettings { to, idle_ms } = settings;
    let to: Target = to.parse().map_err(|error| ask::target_problem(&error))?;
    if to.scheme != Scheme::Tcp {
        return Err(wrong("to", "a middlebox hands TCP on: tcp://host:port"));
    }
    let idle = within("idle_ms", f64::from(*idle_ms), 500.0, 3_600_000.0)?;
    Ok(Relaying { to, idle: Duration::from_secs_f64(idle / 1000.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticker(rate: f64, payload: u32) -> PracticeRequest {
        let settings = TickerSettings {
            rate: Some(rate),
            payload: Some(payload),
            arrivals: None,
            seconds: None,
            hold: false,
        };
        PracticeRequest { peer: PeerKind::Ticker, ticker: Some(settings), middlebox: None }
    }

    #[test]
    fn a_ticker_out_of_range_is_refused_with_the_range() {
        for (rate, payload) in [(0.1, 16), (1000.0, 4194), (64.0, 65_536), (10.0, 64)] {
            Program::of(&ticker(rate, payload)).expect("in range");
        }
        for (rate, payload, field) in [
            (0.09, 64, "rate"),
            (1000.5, 64, "rate"),
            (f64::NAN, 64, "rate"),
            (10.0, 15, "payload"),
            (10.0, 65_537, "payload"),
            (1000.0, 4195, "payload"),
        ] {
            let refused = Program::of(&ticker(rate, payload)).expect_err("out of range");
            assert_eq!((refused.code, refused.status), (Code::InvalidPractice, 422));
            assert_eq!(refused.params["field"], field, "{rate} {payload}");
            assert!(refused.params.contains_key("max"), "{rate} {payload}");
        }
    }

    #[test]
    fn settings_of_another_peer_are_refused() {
        let mut request = ticker(1.0, 64);
        request.peer = PeerKind::Echo;
        assert_eq!(Program::of(&request).expect_err("no ticker").params["field"], "ticker");
        let alone = PracticeRequest { peer: PeerKind::Middlebox, ticker: None, middlebox: None };
        assert_eq!(Program::of(&alone).expect_err("in front of nothing").params["field"], "middlebox");
        for (to, idle_ms, code) in [
            ("udp://127.0.0.1:9", 1000, Code::InvalidPractice),
            ("nonsense", 1000, Code::InvalidTarget),
            ("tcp://127.0.0.1:9", 499, Code::InvalidPractice),
        ] {
            let settings = MiddleboxSettings { to: to.to_owned(), idle_ms };
            let request = PracticeRequest { middlebox: Some(settings), ..alone.clone() };
            assert_eq!(Program::of(&request).expect_err(to).code, code);
        }
    }
}
