//! Memory of open TCP sockets over which nothing goes: dialled, and accepted.

use std::cell::RefCell;

use anyhow::{Context as _, Result};

use super::{Effort, memory};
use crate::{peer::Peer, report::Row, server::Server};

const TARGET: &str = "≤ 8 KiB";
const EACH: u64 = 8 << 10;

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let count = effort.pick(5_000, 500);
    let mut rows = dialled(effort, count)?.rows(
        "a dialled socket",
        TARGET,
        EACH,
        "task, mailbox, place in the list, its first events in the log; peers in another process",
    );
    rows.extend(accepted(effort, count)?.rows(
        "an accepted socket",
        TARGET,
        EACH,
        "the same, of one listener, with the listener's `accepted` event",
    ));
    Ok(rows)
}

fn start(effort: &Effort) -> Result<Server> {
    Server::start(&effort.sockscope, &["--max-sockets", "6000"])
}

fn id(socket: &serde_json::Value) -> Result<String> {
    Ok(socket["id"].as_str().context("a socket has an id")?.to_owned())
}

fn dialled(effort: &Effort, count: usize) -> Result<memory::Rounds> {
    let mut server = start(effort)?;
    let (_peer, port) = Peer::listening(&["hold"])?;
    let target = format!("tcp://127.0.0.1:{port}");
    let warm = server.open(&target)?;
    server.close(&id(&warm)?, "")?;
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

fn accepted(effort: &Effort, count: usize) -> Result<memory::Rounds> {
    let mut server = start(effort)?;
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
