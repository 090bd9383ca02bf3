//! Socket versus HTTP, measured: the same events over four ways of delivery at the same time, by clients of our own.
//!
//! The lanes are the product's own doors, used as any client would use them; nothing here knows the server from inside.
//! The page runs the same comparison with the browser's clients.

mod bill;
mod clients;
mod crowd;
mod delays;
mod lane;
mod link;
mod predict;
mod prices;
mod report;
mod run;
mod source;

use std::net::SocketAddr;

use clap::Args;
use serde::Serialize;
use sockscope_wire::Lane;

pub use crowd::{Crowd, CrowdSpec, MOST, serve};
pub use delays::Summary;
pub use lane::Following;
pub(crate) use link::Http;
pub use link::Place;
pub use predict::{Expected, Predicted};
pub use report::{LaneReport, Report};
pub use run::run;

/// What a comparison is run with.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Settings {
    /// Messages a second (0.1 to 1,000)
    #[arg(long, value_name = "R", default_value = "10", value_parser = |text: &str| ranged(text, 0.1, 1000.0))]
    pub rate: f64,
    /// For how many seconds the source sends (1 to 3,600)
    #[arg(long, value_name = "S", default_value = "30", value_parser = |text: &str| ranged(text, 1.0, 3600.0))]
    pub seconds: f64,
    /// Bytes a message (16 to 65,536); rate × payload is at most 4 MiB/s
    #[arg(long, value_name = "B", default_value = "64", value_parser = clap::value_parser!(u32).range(16..=65_536))]
    pub payload: u32,
    /// Clients a lane, the measured one among them (1 to 1,001)
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1001))]
    pub viewers: u32,
    /// Seconds between two short polls (0.01 to 60)
    #[arg(long, value_name = "T", default_value = "1", value_parser = |text: &str| ranged(text, 0.01, 60.0))]
    pub poll_interval: f64,
    /// Only this lane: short_poll, long_poll, sse or websocket; may be repeated
    #[arg(long = "lane", value_name = "LANE", value_parser = lane_named)]
    pub lanes: Vec<Lane>,
    /// A running server to measure instead of one of its own; SOCKSCOPE_TOKEN holds its token
    #[arg(long, value_name = "ADDR:PORT")]
    pub server: Option<SocketAddr>,
    /// Send at even intervals instead of at random ones (Poisson)
    #[arg(long)]
    pub regular: bool,
}

impl Settings {
    /// The lanes to run: all unless some were chosen.
    #[must_use]
    pub fn chosen(&self) -> Vec<Lane> {
        Lane::ALL.into_iter().filter(|lane| self.lanes.is_empty() || self.lanes.contains(lane)).collect()
    }
}

fn lane_named(name: &str) -> Result<Lane, String> {
    let names = Lane::ALL.map(Lane::as_str).join(", ");
    Lane::ALL.into_iter().find(|lane| lane.as_str() == name).ok_or_else(|| format!("one of {names}"))
}

fn ranged(text: &str, min: f64, max: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (min..=max).contains(&value) => Ok(value),
        _ => Err(format!("a number from {min} to {max}")),
    }
}
