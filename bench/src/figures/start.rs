//! From spawn to the first line on standard output; how large what is shipped is.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};

use super::{Effort, median};
use crate::{report::Row, server};

const LISTENING: Duration = Duration::from_millis(50);
const IMAGE: u64 = 12_000_000;

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let runs = effort.pick(20, 5);
    let times = (0..runs).map(|_| server::start_timed(&effort.sockscope)).collect::<Result<Vec<_>>>()?;
    let (worst, middle) = (times.iter().max().copied(), median(times));
    let (worst, middle) = (worst.context("ran once")?, middle.context("ran once")?);
    let binary = fs::metadata(&effort.sockscope)?.len();
    let mut rows = vec![
        Row::new("start to listening, median", format!("{:.1} ms", millis(middle)))
            .target("≤ 50 ms", middle <= LISTENING)
            .note(format!(
                "spawn to the line that names the address; {runs} starts, slowest {:.1} ms",
                millis(worst)
            )),
        Row::new("release binary", format!("{:.2} MB", megabytes(binary)))
            .note("stripped, with the page embedded"),
    ];
    rows.push(match server::image_bytes() {
        Some(image) => Row::new("container image", format!("{:.2} MB", megabytes(image)))
            .target("< 12 MB", image < IMAGE)
            .note("as the container engine says"),
        None => Row::new("container image", "not measured")
            .target("< 12 MB", None)
            .note("give its size in `SOCKSCOPE_IMAGE_BYTES`"),
    });
    Ok(rows)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
