//! Datagrams of 64 bytes, faster than they can be recorded; then the sums are compared.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result};

use super::Effort;
use crate::{report::Row, server::Server};

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let bursts = effort.pick(20, 5);
    let each = effort.pick(200_000, 50_000);
    let mut server = Server::start(&effort.sockscope, &["--log-bytes", "256M"])?;
    let socket = server.open("udp-bind://127.0.0.1:0")?;
    let id = socket["id"].as_str().context("a socket has an id")?.to_owned();
    let local = socket["local"].as_str().context("a bound socket has an address")?;
    let mut sender = crate::peer::Peer::start(&["datagrams", local])?;
    let (mut sent, mut nanos) = (0_u64, 0_u64);
    for _ in 0..bursts {
        let answer = sender.ask(&format!("send {each}"))?;
        let (n, took) = answer.split_once(' ').context("a count and a time")?;
        sent += n.parse::<u64>()?;
        nanos += took.parse::<u64>()?;
    }
    // Longer than the socket may be idle before it looks at the kernel's counter; closing looks again.
    thread::sleep(Duration::from_millis(500));
    server.close(&id, "")?;
    let counters = server.socket(&id)?["counters"].clone();
    let number = |name: &str| counters[name].as_u64().with_context(|| format!("counters have {name}"));
    let (recorded, dropped) = (number("received_events")?, number("dropped")?);
    let seconds = nanos as f64 / 1e9;
    Ok(vec![
        Row::new("recorded", format!("{:.0} thousand/s", recorded as f64 / seconds / 1e3)).note(format!(
            "of {:.0} thousand/s sent by one thread of another process in {bursts} bursts of {each}",
            sent as f64 / seconds / 1e3
        )),
        Row::new(
            "sent − recorded − counted drops",
            format!("{}", i128::from(sent) - i128::from(recorded) - i128::from(dropped)),
        )
        .target("0, exactly", sent == recorded + dropped)
        .note(format!("{sent} sent, {recorded} recorded, {dropped} counted as dropped by the kernel")),
    ])
}
