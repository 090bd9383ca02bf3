//! From what the house works with to what is said on the wire. Exhaustive on purpose: a new fact or field is a compile
//! error here, not a silent loss.

mod kernel;

use std::{net::SocketAddr, time::Duration};

use sockscope_sockets::{
    errno::Errno,
    fact::{
        Chunk, Denied, DropReason, EndReason, Fact, Failed, Failure, Icmp, Leftover, PauseReason, Peer,
        Phase, Place, Relayed, What,
    },
    options::Options,
    policy::{ResolveError, display_addr},
};
use sockscope_wire as wire;
use sockscope_wire::{Code, Counted, Counters, Direction, How, Payload, PayloadMode};

use crate::{
    clock::Anchor,
    log::{Entry, Kernel, Record, Stored},
};

/// A record as an event.
#[must_use]
pub fn event(record: &Record, anchor: &Anchor, mode: PayloadMode) -> wire::Event {
    let Record { seq, t_us, took_us, origin, socket, hidden: _, entry, payload } = record;
    wire::Event {
        seq: *seq,
        t_us: *t_us,
        at: anchor.wall(*t_us),
        took_us: (*took_us != Record::NO_CALL).then_some(*took_us),
        socket: *socket,
        cause: origin.as_ref().map(|origin| origin.cause.to_string()),
        by: origin.as_ref().map(|origin| origin.by.to_string()),
        fact: fact(entry, payload, anchor, mode),
    }
}

fn fact(entry: &Entry, payload: &Stored, anchor: &Anchor, mode: PayloadMode) -> wire::Fact {
    match entry {
        Entry::Opening(opening) => {
            let crate::log::Opening { target, role, name, practice, bridge, options } = &**opening;
            wire::Fact::Opening {
                target: target.to_string(),
                role: *role,
                name: name.as_deref().map(str::to_owned),
                practice: *practice,
                bridge: *bridge,
                options: self::options(options),
            }
        }
        Entry::Accepted(accepted) => {
            wire::Fact::Accepted { child: accepted.0, remote: display_addr(&accepted.1) }
        }
        Entry::Born(born) => {
            let crate::log::Born { local, remote, parent, practice, bridge } = &**born;
            wire::Fact::Connected {
                local: display_addr(local),
                remote: display_addr(remote),
                parent: Some(*parent),
                practice: *practice,
                bridge: *bridge,
            }
        }
        Entry::Closed(end) => closed(end.0, end.1, end.2),
        Entry::Kernel(kernel) => kernel::fact(kernel),
        Entry::Segment(frame) => kernel::segment(frame.seen()),
        Entry::Note(note) => wire::Fact::Note(wire::Note {
            code: note.0,
            params: note.1.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        }),
        // Readers pass over what is gone; were one to ask, it would hear what it is.
        Entry::Gone => {
            wire::Fact::Note(wire::Note { code: Code::Evicted, params: std::collections::BTreeMap::new() })
        }
        Entry::Fact(fact) => socket_fact(fact, payload, anchor, mode),
    }
}

fn socket_fact(fact: &Fact, payload: &Stored, anchor: &Anchor, mode: PayloadMode) -> wire::Fact {
    match fact {
        Fact::Resolved(resolved) => wire::Fact::Resolved {
            name: resolved.0.clone(),
            addresses: resolved.1.iter().map(display_addr).collect(),
        },
        Fact::Connecting(attempt) => {
            wire::Fact::Connecting { remote: display_addr(&attempt.0), attempt: attempt.1, of: attempt.2 }
        }
        Fact::Connected(ends) => wire::Fact::Connected {
            local: display_addr(&ends.0),
            remote: display_addr(&ends.1),
            parent: None,
            practice: None,
            bridge: None,
        },
        Fact::Bound(local) => {
            wire::Fact::Bound { local: display_addr(local), reachable_from_outside: is_reachable(local) }
        }
        Fact::Listening(listening) => wire::Fact::Listening {
            local: display_addr(&listening.0),
            backlog: listening.1,
            reachable_from_outside: is_reachable(&listening.0),
        },
        Fact::Sent(Chunk { len, cut: _, place, peer }) => wire::Fact::Sent {
            len: *len,
            offset: offset(*place),
            to: peer.as_ref().map(|peer| display_addr(&peer.address)),
            bytes: counted(payload, mode),
        },
        Fact::Received(Chunk { len, cut, place, peer }) => wire::Fact::Received {
            len: *len,
            offset: offset(*place),
            from: peer.as_ref().map(|peer| display_addr(&peer.address)),
            truncated: *cut > 0,
            arrival: arrival(*cut, *place, peer.as_deref(), anchor),
            bytes: counted(payload, mode),
        },
        Fact::Eof(offset) => wire::Fact::Eof { offset: *offset },
        Fact::Shutdown => wire::Fact::Shutdown { how: How::Write },
        Fact::ResetByPeer(phase, errno) => wire::Fact::Reset {
            side: Direction::Peer,
            phase: Some(self::phase(*phase)),
            errno: Some(errno.name()),
        },
        Fact::ResetByUs => wire::Fact::Reset { side: Direction::Local, phase: None, errno: None },
        Fact::Closing(queued) => wire::Fact::Closing { queued_bytes: *queued },
        // The workspace records the end with its counters (`Entry::Closed`); a task alone does not know them.
        Fact::Closed(reason, left) => closed(*reason, *left, Counters::default()),
        Fact::Denied(denied) => {
            let Denied { target, address, class, rule, fatal } = &**denied;
            wire::Fact::RefusedByPolicy {
                target: target.clone(),
                address: address.as_ref().map(display_addr),
                class: class.map(|class| class.to_string()),
                rule: (*rule).to_owned(),
                fatal: *fatal,
            }
        }
        Fact::Failed(failed) => {
            let Failed { failure, phase, remote, option, icmp, fatal } = &**failed;
            wire::Fact::Failed {
                code: failure_code(failure),
                phase: self::phase(*phase),
                errno: errno_name(failure),
                remote: remote.as_ref().map(display_addr),
                option: option.map(|option| option.as_str().to_owned()),
                icmp: icmp.map(self::icmp),
                fatal: *fatal,
            }
        }
        Fact::OptionSet(set) => {
            wire::Fact::OptionSet { option: set.0.as_str().to_owned(), asked: set.1, granted: set.2 }
        }
        Fact::Dropped(dropped) => wire::Fact::Dropped {
            count: dropped.0,
            total: dropped.1,
            reason: match dropped.2 {
                DropReason::KernelBufferFull => Code::KernelBufferFull,
                DropReason::LogFull => Code::LogFull,
                DropReason::QueueFull => Code::QueueFull,
            },
        },
        Fact::Paused(what, reason, queued) => wire::Fact::Paused {
            what: self::what(*what),
            reason: match reason {
                PauseReason::LogFull => Code::LogFull,
                PauseReason::PeerNotReading => Code::PeerNotReading,
                PauseReason::ClientNotReading => Code::ClientNotReading,
                PauseReason::TooManySockets => Code::TooManySockets,
                PauseReason::NoDescriptors => Code::NoDescriptors,
            },
            queued_bytes: (*what == What::Send).then_some(*queued),
        },
        Fact::Resumed(what, after) => {
            wire::Fact::Resumed { what: self::what(*what), after_us: micros(*after) }
        }
        Fact::Relayed(relayed) => {
            let Relayed { sent_bytes, sent_calls, received_bytes, received_calls } = **relayed;
            wire::Fact::Relayed { sent_bytes, sent_calls, received_bytes, received_calls }
        }
        Fact::Abandoned(remote) => about(Code::AttemptAbandoned, remote),
        Fact::Unserved(remote) => about(Code::AcceptedUnserved, remote),
        Fact::Forgotten(idle) => wire::Fact::Note(wire::Note {
            code: Code::Forgotten,
            params: [("idle_ms".to_owned(), idle.as_millis().to_string())].into(),
        }),
    }
}

fn offset(place: Place) -> Option<u64> {
    match place {
        Place::Offset(offset) => Some(offset),
        Place::Arrived(_) | Place::Nowhere => None,
    }
}

/// How a datagram arrived; nothing of a stream, and nothing where the kernel says nothing.
fn arrival(cut: u32, place: Place, peer: Option<&Peer>, anchor: &Anchor) -> Option<wire::Arrival> {
    let (ttl, interface) = match peer {
        Some(Peer { address: _, ttl, interface }) => (*ttl, interface.as_deref().map(str::to_owned)),
        None => (None, None),
    };
    let kernel_us = match place {
        Place::Arrived(at) => Some(anchor.micros(at)),
        Place::Offset(_) | Place::Nowhere => None,
    };
    let arrival = wire::Arrival { ttl, interface, kernel_us, len: (cut > 0).then_some(cut) };
    (arrival != wire::Arrival { ttl: None, interface: None, kernel_us: None, len: None }).then_some(arrival)
}

fn icmp(icmp: Icmp) -> wire::Icmp {
    let Icmp { kind, code, from } = icmp;
    wire::Icmp { kind, code, from: from.map(|from| from.to_string()) }
}

fn closed(reason: EndReason, left: Leftover, counters: Counters) -> wire::Fact {
    let Leftover { unsent, unread } = left;
    wire::Fact::Closed { reason: end_code(reason), counters, unsent_bytes: unsent, unread_bytes: unread }
}

fn about(code: Code, remote: &SocketAddr) -> wire::Fact {
    let params = [("remote".to_owned(), display_addr(remote))].into();
    wire::Fact::Note(wire::Note { code, params })
}

fn counted(payload: &Stored, mode: PayloadMode) -> Counted {
    match payload {
        Stored::None => Counted::default(),
        Stored::Evicted => Counted { payload_evicted: true, ..Counted::default() },
        Stored::Unrecorded => Counted { payload_unrecorded: true, ..Counted::default() },
        Stored::Kept(bytes) => match mode {
            PayloadMode::Full => Counted { payload: Some(Payload(bytes.clone())), ..Counted::default() },
            PayloadMode::None => Counted::default(),
            PayloadMode::Preview(most) => match bytes.get(..most as usize) {
                Some(first) if first.len() < bytes.len() => Counted {
                    payload: Some(Payload(first.into())),
                    payload_preview: true,
                    ..Counted::default()
                },
                _ => Counted { payload: Some(Payload(bytes.clone())), ..Counted::default() },
            },
        },
    }
}

/// Other machines may reach a local address: everything but loopback.
#[must_use]
pub fn is_reachable(local: &SocketAddr) -> bool {
    !local.ip().to_canonical().is_loopback()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn what(what: What) -> wire::PauseWhat {
    match what {
        What::Read => wire::PauseWhat::Read,
        What::Send => wire::PauseWhat::Send,
        What::Accept => wire::PauseWhat::Accept,
    }
}

/// A step of an operation.
#[must_use]
pub fn phase(phase: Phase) -> wire::Phase {
    match phase {
        Phase::Resolve => wire::Phase::Resolve,
        Phase::Socket => wire::Phase::Socket,
        Phase::Connect => wire::Phase::Connect,
        Phase::Bind => wire::Phase::Bind,
        Phase::Listen => wire::Phase::Listen,
        Phase::Accept => wire::Phase::Accept,
        Phase::Send => wire::Phase::Send,
        Phase::Receive => wire::Phase::Receive,
        Phase::Shutdown => wire::Phase::Shutdown,
        Phase::Option => wire::Phase::Option,
    }
}

/// Why a socket ended.
#[must_use]
pub fn end_code(reason: EndReason) -> Code {
    match reason {
        EndReason::Closed => Code::Closed,
        EndReason::Cancelled => Code::Cancelled,
        EndReason::BothEnded => Code::BothEnded,
        EndReason::Reset => Code::WasReset,
        EndReason::Failed => Code::WasFailed,
        EndReason::ListenerClosed => Code::ListenerClosed,
        EndReason::ShuttingDown => Code::ShuttingDown,
        EndReason::ClientClosed => Code::ClientClosed,
        EndReason::ClientLost => Code::ClientLost,
        EndReason::KeySpent => Code::KeySpent,
    }
}

/// What a failure is called.
#[must_use]
pub fn failure_code(failure: &Failure) -> Code {
    match failure {
        Failure::TimedOut => Code::TimedOut,
        Failure::Resolve(error) => match error {
            ResolveError::NameNotFound => Code::NameNotFound,
            ResolveError::NoAddress => Code::NoAddress,
            ResolveError::TimedOut => Code::ResolveTimedOut,
            ResolveError::UnknownZone => Code::InvalidHost,
            ResolveError::Failed(_) => Code::ResolveFailed,
        },
        Failure::Os(errno) => match *errno {
            Errno::ECONNREFUSED => Code::Refused,
            Errno::ECONNRESET => Code::Reset,
            Errno::EPIPE | Errno::ENOTCONN => Code::BrokenPipe,
            Errno::ETIMEDOUT => Code::TimedOut,
            Errno::EHOSTUNREACH | Errno::ENETUNREACH => Code::Unreachable,
            Errno::EADDRINUSE => Code::AddressInUse,
            Errno::EADDRNOTAVAIL => Code::AddressNotAvailable,
            Errno::EACCES | Errno::EPERM => Code::PermissionDenied,
            Errno::EMFILE | Errno::ENFILE => Code::NoDescriptors,
            Errno::EMSGSIZE => Code::MessageTooLong,
            _ => Code::Os,
        },
    }
}

/// The errno of a failure, by its POSIX name.
#[must_use]
pub fn errno_name(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Os(errno) => Some(errno.name()),
        Failure::TimedOut => Some(Errno::ETIMEDOUT.name()),
        Failure::Resolve(error) => Some(error.errno().to_owned()),
    }
}

/// Options as they are said on the wire.
#[must_use]
pub fn options(options: &Options) -> wire::SocketOptions {
    let Options {
        connect_timeout,
        reuse_addr,
        backlog,
        read_size,
        nodelay,
        keepalive,
        keepalive_idle_s,
        keepalive_interval_s,
        keepalive_count,
        user_timeout_ms,
        recv_buffer,
        send_buffer,
        cork,
        quickack,
        maxseg,
        reading,
        accepting,
        broadcast,
        ipv6_only,
    } = options;
    wire::SocketOptions {
        connect_timeout_ms: connect_timeout
            .map(|timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)),
        reuse_addr: *reuse_addr,
        backlog: *backlog,
        read_size: *read_size,
        nodelay: *nodelay,
        keepalive: *keepalive,
        keepalive_idle_s: *keepalive_idle_s,
        keepalive_interval_s: *keepalive_interval_s,
        keepalive_count: *keepalive_count,
        user_timeout_ms: *user_timeout_ms,
        recv_buffer: *recv_buffer,
        send_buffer: *send_buffer,
        cork: *cork,
        quickack: *quickack,
        maxseg: *maxseg,
        reading: *reading,
        accepting: *accepting,
        broadcast: *broadcast,
        ipv6_only: *ipv6_only,
    }
}

/// The `type` an entry has as an event.
#[must_use]
pub fn type_name(entry: &Entry) -> &'static str {
    match entry {
        Entry::Opening(_) => "opening",
        Entry::Accepted(_) => "accepted",
        Entry::Born(_) => "connected",
        Entry::Closed(_) => "closed",
        Entry::Kernel(kernel) => match **kernel {
            Kernel::State { .. } => "kernel_state",
            Kernel::Info { .. } => "tcp_info",
            Kernel::AcceptQueue(..) => "accept_queue",
            Kernel::Lost(..) => "capture_lost",
        },
        Entry::Segment(_) => "segment",
        Entry::Note(_) | Entry::Gone => "note",
        Entry::Fact(fact) => match fact {
            Fact::Resolved(_) => "resolved",
            Fact::Connecting(_) => "connecting",
            Fact::Connected(_) => "connected",
            Fact::Bound(_) => "bound",
            Fact::Listening(_) => "listening",
            Fact::Sent(_) => "sent",
            Fact::Received(_) => "received",
            Fact::Eof(_) => "eof",
            Fact::Shutdown => "shutdown",
            Fact::ResetByPeer(..) | Fact::ResetByUs => "reset",
            Fact::Closing(_) => "closing",
            Fact::Closed(..) => "closed",
            Fact::Denied(_) => "refused_by_policy",
            Fact::Failed(_) => "failed",
            Fact::OptionSet(_) => "option_set",
            Fact::Dropped(_) => "dropped",
            Fact::Paused(..) => "paused",
            Fact::Resumed(..) => "resumed",
            Fact::Relayed(_) => "relayed",
            Fact::Abandoned(_) | Fact::Unserved(_) | Fact::Forgotten(_) => "note",
        },
    }
}

/// Every `type` an event may have, for checking a filter.
pub const TYPE_NAMES: [&str; 27] = [
    "opening",
    "resolved",
    "connecting",
    "connected",
    "bound",
    "listening",
    "accepted",
    "sent",
    "received",
    "eof",
    "shutdown",
    "reset",
    "closing",
    "closed",
    "refused_by_policy",
    "failed",
    "option_set",
    "dropped",
    "paused",
    "resumed",
    "relayed",
    "kernel_state",
    "tcp_info",
    "accept_queue",
    "segment",
    "capture_lost",
    "note",
];
