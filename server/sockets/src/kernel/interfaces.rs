//! What interfaces are called.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

/// For how long the name of an interface is believed.
const AGE: Duration = Duration::from_secs(2);

/// How many interfaces are remembered; those beyond begin anew.
const NAMES: usize = 1024;

/// Names that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<u32, (Instant, Arc<str>)>);

impl Names {
    /// What an interface is called. One that is gone keeps the name it had; one that was never asked for while it was
    /// there is called by its number.
    pub(crate) fn of(&mut self, index: u32) -> Arc<str> {
        let known = self.0.get(&index);
        if let Some((asked, name)) = known
            && asked.elapsed() < AGE
        {
            return Arc::clone(name);
        }
        // Where there is none, nix answers with an empty name.
        let name = match (nix::net::if_::if_indextoname(index), known) {
            (Ok(name), _) if !name.is_empty() => name.to_string_lossy().into(),
            (_, Some((_, name))) => Arc::clone(name),
            (_, None) => format!("if{index}").into(),
        };
        if self.0.len() >= NAMES {
            self.0.clear();
        }
        self.0.insert(index, (Instant::now(), Arc::clone(&name)));
        name
    }
}
