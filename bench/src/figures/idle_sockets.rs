//! Memory of open TCP sockets over which nothing goes: dialled, and accepted.

use std::cell::RefCell;

use anyhow::{Context as _, Result};

use super::{Effort, memory};
use crate::{peer::Peer, report::Row, server::Server};

const EACH: u64 = 8 << 10;

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let count = effort.pick(5_000, 400);
    let mut rows = dialled(effort, count, "off")?.rows(
        "a dialled socket",
        Some(EACH),
        "task, mailbox, place in the list, its first events in the log, with `--kernel off`; peers in another process",
    );
    rows.extend(accepted(effort, count, "off")?.rows(
        "an accepted socket",
        Some(EACH),
        "the same, of one listener, with the listener's `accepted` event",
    ));
    rows.extend(dialled(effort, count, "all")?.rows(
        "a dialled socket whose handshake was captured",
        None,
        "the same, and what the observer knows of both ends: four states and three segments in the log",
    ));
    Ok(rows)
}

fn start(effort: &Effort, kernel: &str) -> Result<Server> {
    effort.server(&["--kernel", kernel])
}

fn id(socket: &serde_json::Value) -> Result<String> {
    Ok(socket["id"].as_str().context("a socket has an id")?.to_owned())
}

fn dialled(effort: &Effort, count: usize, kernel: &str) -> Result<memory::Rounds> {
    let mut server = start(effort, kernel)?;
    let (_peer, port) = Peer::listening(&["hold"])?;
    let target = format!("tcp://127.0.0.1:{port}");
    let idle = server.descriptors()?;
    let warm = server.open(&target)?;
    server.close(&id(&warm)?, "")?;
    server.until_descriptors(|now| now <= idle)?;
    let open = RefCell::new(Vec::with_capacity(count));
    memory::rounds(
        &mut server,
        count,
        |server| {
            for _ in 0..count {
                open.borrow_mut().push(id(&server.open(&target)?)?);
            }
            Ok(())
        },
        |server| open.borrow_mut().drain(..).try_for_each(|id| server.close(&id, "")),
    )
}

fn accepted(effort: &Effort, count: usize, kernel: &str) -> Result<memory::Rounds> {
    let mut server = start(effort, kernel)?;
    let listener = RefCell::new(None);
    memory::rounds(
        &mut server,
        count,
        |server| {
            let socket = server.open("tcp-listen://127.0.0.1:0")?;
            let local = socket["local"].as_str().context("a listener has an address")?;
            let mut peer = Peer::start(&["connect", local])?;
            peer.ask(&format!("open {count}"))?;
            *listener.borrow_mut() = Some((id(&socket)?, peer));
            Ok(())
        },
        |server| {
            let (id, _peer) = listener.borrow_mut().take().context("opened before")?;
            server.close(&id, "?children=true")
        },
    )
}
