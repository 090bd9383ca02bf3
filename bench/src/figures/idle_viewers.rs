//! Memory of WebSocket viewers that follow a quiet log.

use anyhow::Result;

use super::{Effort, memory};
use crate::report::Row;

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let count = effort.pick(5_000, 400);
    let mut server = effort.server(&[])?;
    let mut viewers = server.peer("viewers")?;
    // What is made once is made now.
    let idle = server.descriptors()?;
    viewers.ask("open 10")?;
    viewers.ask("close")?;
    server.until_descriptors(|now| now <= idle)?;
    let viewers = std::cell::RefCell::new(viewers);
    let rounds = memory::rounds(
        &mut server,
        count,
        |_| viewers.borrow_mut().ask(&format!("open {count}")).map(|_| ()),
        |_| viewers.borrow_mut().ask("close").map(|_| ()),
    )?;
    Ok(rounds.rows("a viewer", Some(16 << 10), "greeted and following the head, clients in another process"))
}
