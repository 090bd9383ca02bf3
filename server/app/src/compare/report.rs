//! What a comparison found, for programs and for people.

use std::fmt::{self, Write as _};

use serde::Serialize;
use sockscope_wire::{Lane, Meter};

use super::{Settings, delays::Summary};

/// What one comparison found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// With which settings.
    pub settings: Settings,
    /// How long it ran, from the first tick allowed to the last lane's end, in seconds.
    pub seconds: f64,
    /// Messages the source sent.
    pub sent: u64,
    /// By how much clocks here and in the server may differ after correction, in ms.
    pub clock_uncertainty_ms: f64,
    /// The raw socket as the server reads it: from the source's send to the read, both on the server's clock.
    pub reference: Option<Summary>,
    /// Each lane.
    pub lanes: Vec<LaneReport>,
    /// Everything ran to its end and nothing was cut short.
    pub complete: bool,
}

/// What one lane cost and brought.
#[derive(Debug, Clone, Serialize)]
pub struct LaneReport {
    /// Which it is.
    pub name: Lane,
    /// HTTP requests, upgrades included.
    pub requests: u64,
    /// Of those, answered without any event.
    pub empty_requests: u64,
    /// Of those, answered by a page that ended at a limit, so that the next only continued.
    pub full_requests: u64,
    /// Bytes to the server: request lines, headers, frames.
    pub bytes_up: u64,
    /// Bytes from the server: headers, bodies, frames.
    pub bytes_down: u64,
    /// Of those, content: the rest is headers and framing.
    pub body_down: u64,
    /// Messages the measured client had whole.
    pub events: u64,
    /// Messages that were sent and never had whole, measured client and the others together.
    pub missing: u64,
    /// Every byte came, in order, to everybody.
    pub complete: bool,
    /// Why the lane broke, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// From the source's send to the client having the message, in ms.
    pub delay_ms: Option<Summary>,
    /// TCP segments; those without data are approximate.
    pub segments: sockscope_wire::MeterSegments,
    /// CPU time the server spent on the lane's connections, in µs.
    pub cpu_us: u64,
    /// Connections the lane used.
    pub connections: u64,
    /// What arithmetic says.
    pub predicted: Predicted,
}

/// What arithmetic says of a lane.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Predicted {
    /// Requests of one client.
    pub requests: f64,
    /// Mean delay in ms, where the way of asking makes one; a push adds none of its own.
    pub mean_delay_ms: f64,
    /// The requests counted are as predicted, give or take 5 % and two a client.
    pub requests_agree: bool,
    /// The mean delay is as predicted, give or take 10 %, twice its standard error, and 5 ms of the machine's.
    pub delay_agrees: bool,
}

impl Predicted {
    /// For a lane that ran for so many seconds: a short poll asks at its rate and finds a message half an interval old
    /// on average; a long poll is asked once a message, less those that come together; a push is asked for once.
    #[must_use]
    pub fn of(lane: Lane, settings: &Settings, seconds: f64, meter: &Meter, delay: Option<&Summary>) -> Self {
        let clients = f64::from(settings.viewers);
        let interval = settings.poll_interval;
        let (requests, mean_delay_ms) = match lane {
            Lane::ShortPoll => (clients * (seconds / interval + 1.0), interval * 500.0),
            // What comes while an answer and the next question are on their way is told together: k messages on
            // average. One of them, or the next if there was none, ends the poll; e^−k is the chance of none.
            Lane::LongPoll => {
                let trip = delay.map_or(0.0, |delay| 2.0 * delay.p50.max(0.0) / 1000.0);
                let messages = delay.map_or(0.0, |delay| delay.samples as f64);
                let k = settings.rate * trip;
                let together = if settings.regular { k.max(1.0) } else { k + (-k).exp() };
                (clients * (messages / together + 2.0), 0.0)
            }
            Lane::Sse | Lane::Websocket => (clients, 0.0),
        };
        let requests_agree = (meter.requests as f64 - requests).abs() <= requests * 0.05 + 2.0 * clients;
        let delay_agrees = delay.is_some_and(|delay| {
            // The mean of n delays that are spread evenly over an interval strays by its standard error; twice that is
            // met 19 times of 20. Five milliseconds are the machine's.
            let chance = 2.0 * interval * 1000.0 / (12.0 * delay.samples.max(1) as f64).sqrt();
            let chance = if lane == Lane::ShortPoll { chance } else { 0.0 };
            (delay.mean - mean_delay_ms).abs() <= mean_delay_ms * 0.1 + chance + 5.0
        });
        Self { requests, mean_delay_ms, requests_agree, delay_agrees }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { rate, payload, poll_interval, viewers, .. } = &self.settings;
        writeln!(
            f,
            "{} messages of {payload} bytes, {rate}/s, for {:.1} s; short polls every {poll_interval} s; {viewers} \
             client(s) a lane; clocks agree to ±{:.2} ms{}",
            self.sent,
            self.seconds,
            self.clock_uncertainty_ms,
            if self.complete { "" } else { "; INCOMPLETE" }
        )?;
        let heads = [
            "",
            "mean ms",
            "p50",
            "p95",
            "p99",
            "max",
            "requests",
            "empty",
            "bytes up",
            "bytes down",
            "B/message",
            "CPU ms",
            "missing",
        ];
        let mut rows = vec![heads.map(str::to_owned).to_vec()];
        if let Some(reference) = &self.reference {
            let mut row = vec!["raw socket".to_owned()];
            row.extend(delays(Some(reference)));
            row.extend(std::iter::repeat_n("–".to_owned(), heads.len() - row.len()));
            rows.push(row);
        }
        for lane in &self.lanes {
            let mut row = vec![lane.name.as_str().to_owned()];
            row.extend(delays(lane.delay_ms.as_ref()));
            let told = lane.events.max(1) * u64::from(*viewers);
            row.extend([
                lane.requests.to_string(),
                lane.empty_requests.to_string(),
                lane.bytes_up.to_string(),
                lane.bytes_down.to_string(),
                format!("{:.0}", (lane.bytes_up + lane.bytes_down) as f64 / told as f64),
                format!("{:.1}", lane.cpu_us as f64 / 1000.0),
                lane.missing.to_string(),
            ]);
            rows.push(row);
        }
        let widths: Vec<usize> = (0..heads.len())
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        for row in rows {
            let mut line = String::new();
            for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Names to the left, figures to the right. Writing to a String cannot fail.
                if index == 0 {
                    write!(line, "{cell:<width$}").ok()
                } else {
                    write!(line, "  {cell:>width$}").ok()
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        for lane in &self.lanes {
            if let Some(error) = &lane.error {
                writeln!(f, "{}: {error}", lane.name.as_str())?;
            }
        }
        Ok(())
    }
}

fn delays(summary: Option<&Summary>) -> Vec<String> {
    let none = "–".to_owned();
    let Some(Summary { samples: _, mean, p50, p95, p99, max }) = summary else {
        return vec![none; 5];
    };
    let ms = |value: f64| format!("{value:.2}");
    vec![ms(*mean), ms(*p50), ms(*p95), p99.map_or(none, ms), ms(*max)]
}
