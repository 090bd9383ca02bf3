//! What a comparison found, for programs and for people.

use std::fmt::{self, Write as _};

use serde::Serialize;
use sockscope_wire::Lane;

use super::{
    Settings,
    delays::Summary,
    predict::{ENOUGH_FOR_VERDICT, Predicted},
};

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
    /// What arithmetic says; nothing of a run that is incomplete.
    pub predicted: Option<Predicted>,
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
        write_table(f, &rows)?;
        writeln!(f)?;
        if self.lanes.iter().any(|lane| lane.predicted.is_some()) {
            write_table(f, &self.predictions())?;
            writeln!(f, "CPU: no prediction, it is the machine's")?;
        } else {
            writeln!(f, "No predictions: the run is incomplete.")?;
        }
        for lane in &self.lanes {
            if let Some(error) = &lane.error {
                writeln!(f, "{}: {error}", lane.name.as_str())?;
            }
        }
        Ok(())
    }
}

impl Report {
    /// What arithmetic says of each lane, and which of its figures are not so; ≤ stands for at most.
    fn predictions(&self) -> Vec<Vec<String>> {
        let mut heads = vec!["predicted", "mean ms", "requests"];
        heads.extend(PREDICTED.map(|(_, head)| head));
        heads.push("differs");
        let mut rows = vec![heads.into_iter().map(str::to_owned).collect::<Vec<_>>()];
        for lane in &self.lanes {
            let Some(predicted) = &lane.predicted else { continue };
            let Predicted { requests, mean_delay_ms, requests_agree, delay_agrees, figures } = predicted;
            let mut row =
                vec![lane.name.as_str().to_owned(), mean_delay_ms.to_string(), format!("{requests:.0}")];
            row.extend(PREDICTED.map(|(name, _)| {
                figures.get(name).map_or_else(
                    || "–".to_owned(),
                    |expected| format!("{}{:.0}", if expected.at_most { "≤" } else { "" }, expected.value),
                )
            }));
            let known = [("mean", *delay_agrees), ("requests", *requests_agree)].into_iter();
            let all = known.chain(figures.iter().map(|(name, expected)| (*name, expected.agrees)));
            let (unknown, known): (Vec<_>, Vec<_>) = all.partition(|(_, agrees)| agrees.is_none());
            let differ: Vec<_> =
                known.iter().filter(|(_, agrees)| *agrees == Some(false)).map(|(name, _)| *name).collect();
            row.push(match (differ.is_empty(), unknown.is_empty()) {
                (false, _) => differ.join(","),
                (true, true) => "nothing".to_owned(),
                (true, false) => format!("too few messages to say, fewer than {ENOUGH_FOR_VERDICT}"),
            });
            rows.push(row);
        }
        rows
    }
}

/// Figures of the second table that are not in every prediction, by their names in JSON.
const PREDICTED: [(&str, &str); 10] = [
    ("empty_requests", "empty"),
    ("full_requests", "full"),
    ("bytes_up", "bytes up"),
    ("bytes_down", "bytes down"),
    ("bytes_per_event", "B/message"),
    ("data_up", "segments up"),
    ("data_down", "down"),
    ("acks_up", "ACKs up"),
    ("acks_down", "down"),
    ("connections", "connections"),
];

/// Names to the left, figures to the right.
fn write_table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if index == 0 {
                write!(line, "{cell:<width$}")?;
            } else {
                write!(line, "  {cell:>width$}")?;
            }
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

fn delays(summary: Option<&Summary>) -> Vec<String> {
    let none = "–".to_owned();
    let Some(Summary { samples: _, mean, p50, p95, p99, max }) = summary else {
        return vec![none; 5];
    };
    let ms = |value: f64| format!("{value:.2}");
    vec![ms(*mean), ms(*p50), ms(*p95), p99.map_or(none, ms), ms(*max)]
}
