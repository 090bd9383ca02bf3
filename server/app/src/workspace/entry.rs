//! One socket as the workspace knows it: what its facts add up to, and how to reach its task.

use std::{collections::HashMap, net::SocketAddr};

use sockscope_sockets::{
    fact::{Cause, Fact, Phase, Relayed},
    mailbox::{Command, Mailbox, Refused as MailRefused},
    options::Options,
    policy::display_addr,
};
use sockscope_wire::{
    Contract, Counters, PeerKind, PeerSeen, Role, SendQueue, Seq, Socket, SocketId, SocketState,
};

use super::convert;

/// The most senders an unconnected datagram socket remembers; the one heard of longest ago leaves.
const PEERS: usize = 256;

/// A socket of the workspace. Changed by its facts alone, under the same lock that gives them their seq, so a list of
/// sockets is exact as of the log's head.
pub(super) struct SocketEntry {
    pub(super) name: Option<Box<str>>,
    pub(super) target: Box<str>,
    pub(super) role: Role,
    pub(super) state: SocketState,
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: Option<SocketAddr>,
    pub(super) parent: Option<SocketId>,
    pub(super) counters: Counters,
    pub(super) opened_seq: Seq,
    pub(super) closed_seq: Option<Seq>,
    pub(super) options: Options,
    pub(super) practice: Option<PeerKind>,
    pub(super) bridge: Option<Contract>,
    /// Reaches the task; let go when the socket is over.
    mailbox: Option<Mailbox>,
    /// It was closed with its children, by that command: what it still accepts ends at once.
    pub(super) children_end: Option<Cause>,
    /// Senders seen; only unconnected datagram sockets have any.
    peers: HashMap<SocketAddr, Seen>,
}

#[derive(Default, Clone, Copy)]
struct Seen {
    counters: Counters,
    last_us: u64,
}

impl SocketEntry {
    pub(super) fn new(target: Box<str>, role: Role, mailbox: Mailbox) -> Self {
        Self {
            name: None,
            target,
            role,
            state: SocketState::Opening,
            local: None,
            remote: None,
            parent: None,
            counters: Counters::default(),
            opened_seq: Seq(0),
            closed_seq: None,
            options: Options::default(),
            practice: None,
            bridge: None,
            mailbox: Some(mailbox),
            children_end: None,
            peers: HashMap::new(),
        }
    }

    /// The way to its task, while there is one.
    pub(super) fn mailbox(&self) -> Option<Mailbox> {
        self.mailbox.clone()
    }

    /// Gives its task a command.
    pub(super) fn tell(&self, command: Command) -> Result<(), MailRefused> {
        self.mailbox.as_ref().ok_or(MailRefused::Ended)?.tell(command)
    }

    /// Takes a fact into account. Returns whether it ended the socket.
    pub(super) fn fold(&mut self, seq: Seq, t_us: u64, fact: &Fact) -> bool {
        if self.is_over() {
            return false;
        }
        let ended = self.take(t_us, fact);
        if ended {
            self.closed_seq = Some(seq);
            self.mailbox = None;
        }
        ended
    }

    fn take(&mut self, t_us: u64, fact: &Fact) -> bool {
        match fact {
            Fact::Connected(ends) => {
                (self.local, self.remote) = (Some(ends.0), Some(ends.1));
                self.state = SocketState::Open;
            }
            Fact::Bound(local) => {
                self.local = Some(**local);
                if self.role == Role::Bound {
                    self.state = SocketState::Open;
                }
            }
            Fact::Listening(listening) => {
                self.local = Some(listening.0);
                self.state = SocketState::Listening;
            }
            Fact::Sent(chunk) => {
                self.counters.sent_bytes += u64::from(chunk.len);
                self.counters.sent_events += 1;
                if let (Role::Bound, Some(peer)) = (self.role, &chunk.peer) {
                    let seen = self.seen(peer.address, t_us);
                    seen.sent_bytes += u64::from(chunk.len);
                    seen.sent_events += 1;
                }
            }
            Fact::Received(chunk) => {
                self.counters.received_bytes += u64::from(chunk.len);
                self.counters.received_events += 1;
                if let (Role::Bound, Some(peer)) = (self.role, &chunk.peer) {
                    let seen = self.seen(peer.address, t_us);
                    seen.received_bytes += u64::from(chunk.len);
                    seen.received_events += 1;
                }
            }
            Fact::Eof(_) if self.state == SocketState::Open => self.state = SocketState::HalfClosedRemote,
            Fact::Shutdown if self.state == SocketState::Open => self.state = SocketState::HalfClosedLocal,
            Fact::Dropped(dropped) => self.counters.dropped = dropped.1,
            Fact::Relayed(relayed) => {
                let Relayed { sent_bytes, sent_calls, received_bytes, received_calls } = **relayed;
                self.counters.sent_bytes += sent_bytes;
                self.counters.sent_events += sent_calls;
                self.counters.received_bytes += received_bytes;
                self.counters.received_events += received_calls;
            }
            Fact::Closed(..) => {
                if self.state != SocketState::Failed {
                    self.state = SocketState::Closed;
                }
                return true;
            }
            Fact::Failed(failed) if failed.fatal => {
                self.state = SocketState::Failed;
                // One that was open is closed afterwards, which is another fact.
                return matches!(
                    failed.phase,
                    Phase::Resolve | Phase::Socket | Phase::Connect | Phase::Bind | Phase::Listen
                );
            }
            Fact::Denied(denied) if denied.fatal => {
                self.state = SocketState::Failed;
                return true;
            }
            Fact::Closing(_) => self.state = SocketState::Closing,
            // What it was opened with is known already; defaults of ours that opening sets nobody asked for.
            Fact::OptionSet(set) if self.state != SocketState::Opening => self.options.note(set.0, set.1),
            Fact::Eof(_)
            | Fact::Shutdown
            | Fact::Resolved(_)
            | Fact::Connecting(_)
            | Fact::ResetByPeer(..)
            | Fact::ResetByUs
            | Fact::Denied(_)
            | Fact::Failed(_)
            | Fact::OptionSet(_)
            | Fact::Paused(..)
            | Fact::Resumed(..)
            | Fact::Abandoned(_)
            | Fact::Unserved(_)
            | Fact::Forgotten(_) => {}
        }
        false
    }

    fn seen(&mut self, peer: SocketAddr, t_us: u64) -> &mut Counters {
        if self.peers.len() >= PEERS
            && !self.peers.contains_key(&peer)
            && let Some(oldest) =
                self.peers.iter().min_by_key(|(_, seen)| seen.last_us).map(|(peer, _)| *peer)
        {
            self.peers.remove(&oldest);
        }
        let seen = self.peers.entry(peer).or_default();
        seen.last_us = t_us;
        &mut seen.counters
    }

    pub(super) fn is_over(&self) -> bool {
        self.closed_seq.is_some()
    }

    /// What the list shows of it, copied: spelling it out is not done under the lock.
    pub(super) fn snapshot(&self, id: SocketId) -> Snapshot {
        let queue = self.mailbox.as_ref().map_or_else(SendQueue::default, |mailbox| {
            let queue = mailbox.queue();
            SendQueue { bytes: queue.bytes(), blocked_since_us: queue.blocked_since_us() }
        });
        let socket = Socket {
            id,
            name: self.name.as_deref().map(str::to_owned),
            target: self.target.to_string(),
            role: self.role,
            state: self.state,
            local: None,
            remote: None,
            parent: self.parent,
            counters: self.counters,
            opened_seq: self.opened_seq,
            closed_seq: self.closed_seq,
            options: convert::options(&self.options),
            queue,
            practice: self.practice,
            bridge: self.bridge,
            reachable_from_outside: matches!(self.role, Role::Listener | Role::Bound)
                && self.local.as_ref().is_some_and(convert::is_reachable),
            peers: Vec::new(),
        };
        let peers = self.peers.iter().map(|(peer, seen)| (*peer, *seen)).collect();
        Snapshot { socket, local: self.local, remote: self.remote, peers }
    }
}

/// A socket as it was at one moment, its addresses not spelled out yet.
pub(super) struct Snapshot {
    socket: Socket,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    peers: Vec<(SocketAddr, Seen)>,
}

impl Snapshot {
    /// As the list shows it.
    pub(super) fn view(self) -> Socket {
        let Self { socket, local, remote, mut peers } = self;
        peers.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.last_us));
        Socket {
            local: local.as_ref().map(display_addr),
            remote: remote.as_ref().map(display_addr),
            peers: peers.iter().map(|(peer, seen)| seen.view(peer)).collect(),
            ..socket
        }
    }
}

impl Seen {
    fn view(&self, peer: &SocketAddr) -> PeerSeen {
        let Counters { sent_bytes, received_bytes, sent_events, received_events, dropped: _ } = self.counters;
        let address = display_addr(peer);
        PeerSeen { address, received_events, received_bytes, sent_events, sent_bytes, last_us: self.last_us }
    }
}
