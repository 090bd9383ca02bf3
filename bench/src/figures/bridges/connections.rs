//! What a TCP bridge costs that carries a byte each way: the upgrade, the dial, the byte, and the end of both.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
};

use anyhow::{Context as _, Result, ensure};

use super::{Effort, median, nanos, patient, start};
use crate::{
    bridge::{Bridge, frames},
    report::Row,
    server::Server,
};

/// Asked for before any of them is answered.
const AT_ONCE: [usize; 2] = [1, 32];

/// Microseconds.
const TARGET: f64 = 140.0;

const BYTE: [u8; 1] = *b"c";

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let (rounds, count) = (effort.pick(7, 3), effort.pick(4096, 2048));
    let server = start(effort)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    patient(&listener)?;
    let mut turns = [const { Vec::new() }; AT_ONCE.len()];
    // The first turn warms up.
    for round in 0..=rounds {
        for (at_once, turns) in AT_ONCE.into_iter().zip(&mut turns) {
            let spent = nanos(server.pid(), || {
                (0..count / at_once).try_for_each(|_| together(&server, &listener, at_once))
            })?;
            if round > 0 {
                turns.push(spent / count as f64);
            }
        }
    }
    let [alone, many] = turns.map(|turns| median(turns).map(|nanos| nanos / 1e3));
    let note = format!(
        "the server's CPU; upgrade, dial, a byte each way, and the end, from a client that leaves behind its close frame; median \
         of {rounds} turns of {count}"
    );
    let (alone, many) = (alone?, many?);
    Ok(vec![
        Row::new("a connection and its first byte, one at a time", format!("{alone:.0} µs")).note(note),
        Row::new("the same, 32 at a time", format!("{many:.0} µs"))
            .target("≤ 140 µs", many <= TARGET)
            .note("aimed for: 100 µs"),
    ])
}

/// So many connections from the first to the last of each.
fn together(server: &Server, listener: &TcpListener, count: usize) -> Result<()> {
    let target = format!("tcp/127.0.0.1/{}", listener.local_addr()?.port());
    let mut clients = (0..count).map(|_| Bridge::ask(server, None, &target)).collect::<Result<Vec<_>>>()?;
    let mut targets = Vec::with_capacity(count);
    for _ in 0..count {
        let (target, _) = listener.accept().context("the target was not dialled")?;
        patient(&target)?;
        targets.push(target);
    }
    let message = frames(&BYTE, 1);
    for client in &mut clients {
        client.granted()?;
        client.write(&message)?;
    }
    let mut byte = BYTE;
    for target in &mut targets {
        target.read_exact(&mut byte)?;
        target.write_all(&byte)?;
    }
    for mut client in clients {
        ensure!(*client.read()? == BYTE, "the byte came altered");
        client.close()?;
    }
    for mut target in targets {
        ensure!(target.read(&mut byte)? == 0, "more came than was sent");
    }
    Ok(())
}
