//! What else happened, until a packet can say it.

use std::collections::BTreeMap;

use sockscope_wire::SocketId;

/// Comments that wait for a socket's next packet; of more only their number is told.
const COMMENTS: usize = 100;

/// Sockets with comments that wait; of more, those of the oldest are given up.
const COMMENTED: usize = 4096;

/// Comments of sockets, and of no socket in particular.
#[derive(Default)]
pub(super) struct Comments(BTreeMap<Option<SocketId>, Waiting>);

#[derive(Default)]
struct Waiting {
    lines: Vec<String>,
    more: usize,
}

impl Comments {
    pub(super) fn add(&mut self, socket: Option<SocketId>, line: String) {
        let waiting = self.0.entry(socket).or_default();
        if waiting.lines.len() < COMMENTS {
            waiting.lines.push(line);
        } else {
            waiting.more += 1;
        }
        if self.0.len() > COMMENTED {
            self.0.pop_first();
        }
    }

    /// Those a packet between these sockets says.
    pub(super) fn take(&mut self, ends: (SocketId, Option<SocketId>)) -> Vec<String> {
        let mut comments = Vec::new();
        for whose in [None, Some(ends.0)].into_iter().chain(ends.1.map(Some)) {
            if let Some(Waiting { lines, more }) = self.0.remove(&whose) {
                comments.extend(lines);
                if more > 0 {
                    comments.push(format!("and {more} more"));
                }
            }
        }
        comments
    }
}
