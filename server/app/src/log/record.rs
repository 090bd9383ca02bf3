//! What the log keeps of one fact.

use std::{mem, sync::Arc};

use sockscope_sockets::{
    fact::{Cause, EndReason, Fact, Leftover},
    kernel::{
        info::{Queues, TcpInfo},
        state::{TcpState, Timer},
    },
};
use sockscope_wire::{Code, Contract, Counters, Direction, Evidence, Owner, PeerKind, Role, Seq, SocketId};

use super::frames::Frame;

/// One fact as the log keeps it. Small, because there are millions of them.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its place.
    pub seq: Seq,
    /// When it happened, in µs since the epoch's anchor.
    pub t_us: u64,
    /// How long the call took in µs; [`Record::NO_CALL`] where the fact is no call.
    pub took_us: u64,
    /// Who asked for it.
    pub origin: Cause,
    /// The socket; `None` for facts of the workspace.
    pub socket: Option<SocketId>,
    /// It happened to a practice peer's socket.
    pub hidden: bool,
    /// What happened.
    pub entry: Entry,
    /// The bytes.
    pub payload: Stored,
}

impl Record {
    /// The `took_us` of a fact that is no call.
    pub const NO_CALL: u64 = u64::MAX;
}

/// What happened: to a socket, as its task reports it, or in the workspace that owns it.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A socket's task reports.
    Fact(Fact),
    /// A socket came to be.
    Opening(Box<Opening>),
    /// A listener accepted this socket.
    Accepted(Box<(SocketId, std::net::SocketAddr)>),
    /// An accepted socket came to be, connected from the start.
    Born(Box<Born>),
    /// A socket's descriptor is closed: why, what it left undone, its final counters.
    Closed(Box<(EndReason, Leftover, Counters)>),
    /// What the kernel did.
    Kernel(Box<Kernel>),
    /// A frame was seen.
    Segment(Frame),
    /// A remark.
    Note(Box<(Code, Vec<(&'static str, String)>)>),
    /// Given up; only its place is left until its chunk is compacted.
    Gone,
}

/// What the kernel did with a socket.
#[derive(Debug, Clone)]
pub enum Kernel {
    /// The state of one end changed.
    State {
        /// Which end.
        end: Direction,
        /// The state; `None` where nobody can say.
        state: Option<TcpState>,
        /// How it is known.
        evidence: Evidence,
        /// The timer that runs.
        timer: Option<Timer>,
        /// Who holds it, when that is first known.
        owner: Option<Owner>,
    },
    /// What the kernel counts of one end changed.
    Info {
        /// Which end.
        end: Direction,
        /// What it counts.
        info: Box<TcpInfo>,
        /// What waits there.
        queues: Queues,
    },
    /// So many connections wait for accept(2), of so many that may.
    AcceptQueue(u32, u32),
    /// The capture missed frames: how many, how many in all.
    Lost(u64, u64),
}

/// What the `opening` of a socket says.
#[derive(Debug, Clone)]
pub struct Opening {
    /// What was asked for.
    pub target: Box<str>,
    /// What the socket will be.
    pub role: Role,
    /// What it is called.
    pub name: Option<Box<str>>,
    /// The practice peer it belongs to.
    pub practice: Option<PeerKind>,
    /// How a program reaches it, of the socket of a bridge.
    pub bridge: Option<Contract>,
    /// Options asked for.
    pub options: sockscope_sockets::options::Options,
}

/// What the `connected` of an accepted socket says.
#[derive(Debug, Clone)]
pub struct Born {
    /// Our address.
    pub local: std::net::SocketAddr,
    /// The peer's.
    pub remote: std::net::SocketAddr,
    /// The listener.
    pub parent: SocketId,
    /// The practice peer it belongs to.
    pub practice: Option<PeerKind>,
    /// How a program reaches it, where a bridge's listener accepted it.
    pub bridge: Option<Contract>,
}

/// The bytes of a record, or why they are not there.
#[derive(Debug, Clone, Default)]
pub enum Stored {
    /// The fact has no bytes.
    #[default]
    None,
    /// Here they are.
    Kept(Arc<[u8]>),
    /// Given up when the log was full.
    Evicted,
    /// Never recorded: a practice peer's calls, whose bytes the other end has.
    Unrecorded,
}

/// What an `Arc<[u8]>` costs beside its bytes: two counters, and what the allocator rounds up to (16 on glibc).
const ARC_OVERHEAD: usize = 16 + 16;

impl Stored {
    /// The bytes this holds on the heap, overhead included.
    #[must_use]
    pub fn cost(&self) -> usize {
        match self {
            Self::Kept(bytes) => bytes.len() + ARC_OVERHEAD,
            Self::None | Self::Evicted | Self::Unrecorded => 0,
        }
    }
}

impl Entry {
    /// The piece of memory it shares with others; entries with the same have it together.
    pub(super) fn piece(&self) -> Option<usize> {
        if let Self::Segment(frame) = self { Some(frame.piece()) } else { None }
    }

    /// The bytes this holds on the heap beside the record itself, at least roughly: these are rare and small.
    #[must_use]
    pub fn cost(&self) -> usize {
        const BOX: usize = 16;
        match self {
            Self::Fact(fact) => match fact {
                Fact::Sent(_) | Fact::Received(_) | Fact::Eof(_) | Fact::Shutdown | Fact::ResetByUs => 0,
                Fact::ResetByPeer(..) | Fact::Closing(_) | Fact::Closed(..) => 0,
                Fact::Paused(..) | Fact::Resumed(..) | Fact::Forgotten(_) => 0,
                Fact::Abandoned(boxed) | Fact::Unserved(boxed) => BOX + mem::size_of_val(&**boxed),
                Fact::Resolved(resolved) => {
                    BOX + mem::size_of_val(&**resolved)
                        + resolved.0.len()
                        + mem::size_of_val(resolved.1.as_slice())
                }
                Fact::Relayed(boxed) => BOX + mem::size_of_val(&**boxed),
                Fact::Connecting(boxed) => BOX + mem::size_of_val(&**boxed),
                Fact::Connected(boxed) => BOX + mem::size_of_val(&**boxed),
                Fact::Bound(boxed) => BOX + mem::size_of_val(&**boxed),
                Fact::Listening(boxed) => BOX + mem::size_of_val(&**boxed),
                Fact::Denied(boxed) => BOX + mem::size_of_val(&**boxed) + boxed.target.len(),
                Fact::Failed(boxed) => BOX + mem::size_of_val(&**boxed),
                Fact::OptionSet(boxed) => BOX + mem::size_of_val(&**boxed),
                Fact::Dropped(boxed) => BOX + mem::size_of_val(&**boxed),
            },
            Self::Opening(opening) => {
                BOX + mem::size_of_val(&**opening)
                    + opening.target.len()
                    + opening.name.as_ref().map_or(0, |name| name.len())
            }
            Self::Accepted(boxed) => BOX + mem::size_of_val(&**boxed),
            Self::Born(boxed) => BOX + mem::size_of_val(&**boxed),
            Self::Closed(boxed) => BOX + mem::size_of_val(&**boxed),
            Self::Kernel(boxed) => {
                let more = match &**boxed {
                    Kernel::Info { info, .. } => BOX + mem::size_of_val(&**info),
                    _ => 0,
                };
                BOX + mem::size_of_val(&**boxed) + more
            }
            Self::Segment(frame) => frame.cost(),
            Self::Note(note) => {
                BOX + mem::size_of_val(&**note)
                    + note.1.iter().map(|(_, text)| 40 + text.len()).sum::<usize>()
            }
            Self::Gone => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stays_small() {
        assert!(mem::size_of::<Record>() <= 112, "{} bytes", mem::size_of::<Record>());
    }
}
