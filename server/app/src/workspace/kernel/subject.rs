//! What the observer knows of one socket.

use std::{net::SocketAddr, time::Duration};

use sockscope_sockets::kernel::{
    capture::Capture,
    diag::{Ask, Seen},
    info::TcpInfo,
    state::{Protocol, TcpState, Timer, TimerKind},
};
use sockscope_wire::{Direction, Evidence, Owner, Role};
use tokio::time::Instant;

use super::{
    end::{End, Told},
    flows::canonical,
    paths::Passed,
};
use crate::log::{Kernel, Queues};

/// How soon a state that passes quickly is looked at again; each look that finds nothing new doubles it.
const SOON: Duration = Duration::from_millis(1);

/// How often a state is looked at that changes by itself only when nobody hears of it: the peer of a socket that is not
/// read, the queue of a listener.
const SELDOM: Duration = Duration::from_secs(1);

/// How often the queue of a listener that does not accept is looked at.
const QUEUE: Duration = Duration::from_millis(50);

/// How often a TIME_WAIT is looked at that should be over: the kernel ends it up to some seconds late.
const OVERDUE: Duration = Duration::from_millis(250);

/// How soon segments of before what was read are looked for again: the capture hands a block of its ring over 5 ms after the
/// first frame in it.
const RETIRED: Duration = Duration::from_millis(5);

/// How long segments of a connection whose ends are gone are still expected.
const LINGER: Duration = Duration::from_secs(1);

/// One socket under observation.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) protocol: Protocol,
    pub(super) listens: bool,
    pub(super) local: Option<SocketAddr>,
    pub(super) remote: Option<SocketAddr>,
    /// Not accepting: its queue grows.
    pub(super) held: bool,
    near: End,
    far: End,
    /// Which sockets they are (SO_COOKIE), the far one from when it was first read: others may have the same addresses later.
    near_cookie: Option<u64>,
    far_cookie: Option<u64>,
    near_info: Option<Box<TcpInfo>>,
    far_info: Option<Box<TcpInfo>>,
    near_waits: Waits,
    far_waits: Waits,
    queue: Option<(u32, u32)>,
    /// Who holds the far end was asked.
    owner_asked: bool,
    /// Somebody was told that nothing can be said of the far end.
    far_unknown: bool,
    /// When to look.
    pub(super) due: Option<Instant>,
    pause: Duration,
    /// Its descriptor is closed.
    pub(super) closed: Option<Instant>,
}

/// What a look at a socket's ends brought.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Our end; `None` where there is none.
    pub(super) near: Option<Seen>,
    /// The peer's, where it is on this host.
    pub(super) far: Option<Seen>,
}

/// For what an end waits that keeps it from going on, and how often it has asked again in vain.
type Waits = Option<(TimerKind, u8)>;

/// For how long at most a state that was read waits for the segments of before: longer, and the ring is full, or the kernel has
/// no time to hand them over.
const HOLD: Duration = Duration::from_millis(250);

/// When sockets were looked at, and until when all segments of before are there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    now: Instant,
    complete: Instant,
}

impl Moment {
    /// Now, as far as that capture has come, where there is one.
    pub(super) fn of(capture: Option<&Capture>) -> Self {
        let now = Instant::now();
        let complete = capture.map_or(now, Capture::complete_until);
        Self { now, complete: now.checked_sub(HOLD).map_or(complete, |least| complete.max(least)) }
    }
}

/// Something to record: when, what.
pub(super) type Telling = (Instant, Kernel);

impl Subject {
    pub(super) fn new(role: Role) -> Self {
        Self {
            protocol: match role {
                Role::Client | Role::Listener | Role::Accepted => Protocol::Tcp,
                Role::Bound | Role::Connected => Protocol::Udp,
            },
            listens: role == Role::Listener,
            local: None,
            remote: None,
            held: false,
            near: End::new(if role == Role::Accepted { TcpState::Listen } else { TcpState::Closed }),
            far: End::new(if role == Role::Accepted { TcpState::Closed } else { TcpState::Listen }),
            near_cookie: None,
            far_cookie: None,
            near_info: None,
            far_info: None,
            near_waits: None,
            far_waits: None,
            queue: None,
            owner_asked: false,
            far_unknown: false,
            due: None,
            pause: SOON,
            closed: None,
        }
    }

    /// What to ask of it: its own end, then its peer's.
    pub(super) fn asks(&self, asks: &mut Vec<Ask>) {
        match (self.protocol, self.local, self.remote) {
            (Protocol::Tcp, Some(local), _) if self.listens => asks.push(Ask::taker(Protocol::Tcp, local)),
            (Protocol::Tcp, Some(local), Some(remote)) => {
                asks.push(Ask { protocol: Protocol::Tcp, local, remote });
                asks.push(Ask { protocol: Protocol::Tcp, local: remote, remote: local });
            }
            // A datagram socket has no state that would change, and no end that would be gone before it is closed.
            _ => {}
        }
    }

    /// Something happened to it: it is looked at, at once and for a while.
    pub(super) fn stir(&mut self, now: Instant) {
        self.due = Some(now);
        self.pause = SOON;
    }

    /// It is to be connected between these, or is.
    pub(super) fn connects(&mut self, local: SocketAddr, remote: SocketAddr) {
        if (self.local, self.remote) != (Some(local), Some(remote)) {
            (self.near_cookie, self.far_cookie) = (None, None);
            self.near.begins();
            self.far.begins();
        }
        (self.local, self.remote) = (Some(local), Some(remote));
    }

    /// Its own socket, where the kernel says which it is.
    pub(super) fn is_called(&mut self, cookie: Option<u64>) {
        self.near_cookie = cookie;
    }

    /// Whether its connection is between these, both as on the wire.
    pub(super) fn is_between(&self, local: SocketAddr, remote: SocketAddr) -> bool {
        (self.local.map(canonical), self.remote.map(canonical)) == (Some(local), Some(remote))
    }

    /// A segment put one of its ends into a state.
    pub(super) fn passes(&mut self, Passed { end, state, at }: Passed) {
        match end {
            Direction::Local => self.near.passes(state, at),
            Direction::Peer => self.far.passes(state, at),
        }
        self.stir(Instant::now());
    }

    /// Takes in what a look brought. States are told that were read before all segments were there, which is until the
    /// moment is `complete`. With `sample`, counters that changed are told as well.
    pub(super) fn take(
        &mut self,
        looked: Looked,
        sample: bool,
        can_read: bool,
        Moment { now, complete }: Moment,
    ) -> Vec<Telling> {
        if self.listens {
            return self.take_queue(looked.near, now);
        }
        let near = its_own(&mut self.near_cookie, looked.near);
        // Once ours is gone, who has the peer's address now need not be our peer.
        let may_be_first = near.is_some() || self.far_cookie.is_some();
        let far = its_own(&mut self.far_cookie, looked.far.filter(|_| may_be_first));
        let looked = Looked { near, far };
        // Ours is told from others by its cookie.
        if self.closed.is_some() && self.near_cookie.is_some() && can_read {
            self.near.is_known();
        }
        let before = (self.near.state(), self.far.state());
        let mut tellings = Vec::new();
        for (end, told, waits, seen) in [
            (Direction::Local, &mut self.near, &mut self.near_waits, looked.near.as_ref()),
            (Direction::Peer, &mut self.far, &mut self.far_waits, looked.far.as_ref()),
        ] {
            // Nobody to ask is not the same as nothing there.
            if can_read || !told.readable() {
                told.reads(seen.map(|seen| seen.state), now);
            }
            let settled = told.settle(complete);
            let goes_on = settled.is_empty();
            tell(&mut tellings, end, settled, seen, now);
            let Some(seen) = seen.filter(|seen| told.state() == Some(seen.state)) else { continue };
            // What it waits for has changed: the state is told again, with the timer; or without, when it goes on.
            let now_waits = waits_for(seen);
            if std::mem::replace(waits, now_waits) != now_waits && goes_on {
                let (state, timer) = (Some(seen.state), now_waits.and(seen.timer));
                tellings
                    .push((now, Kernel::State { end, state, evidence: Evidence::Read, timer, owner: None }));
            }
        }
        tellings.sort_by_key(|(at, _)| *at);
        // A peer on another host, and no segments: nobody can say, which is said once. What they say may wait to be told.
        if can_read
            && self.near.readable()
            && self.far.state().is_none()
            && !self.far.is_ahead()
            && looked.far.is_none()
            && !self.far_unknown
            && matches!(self.near.state(), Some(TcpState::Established))
        {
            self.far_unknown = true;
            let state = Kernel::State {
                end: Direction::Peer,
                state: None,
                evidence: Evidence::Unknown,
                timer: None,
                owner: None,
            };
            tellings.push((now, state));
        }
        if sample {
            for (end, seen, last) in [
                (Direction::Local, looked.near.as_ref(), &mut self.near_info),
                (Direction::Peer, looked.far.as_ref(), &mut self.far_info),
            ] {
                let Some(seen) = seen else { continue };
                let Some(info) = &seen.info else { continue };
                let queues = Queues { receive: seen.receive_queue, send: seen.send_queue };
                tellings.extend(counts(last, end, info, queues).map(|kernel| (now, kernel)));
            }
        }
        self.schedule(&looked, before != (self.near.state(), self.far.state()), now);
        tellings
    }

    /// Whether that socket is at this end, as far as it is known which one is.
    pub(super) fn is(&self, end: Direction, cookie: u64) -> bool {
        let known = if end == Direction::Local { self.near_cookie } else { self.far_cookie };
        known.is_none_or(|known| known == cookie)
    }

    /// What the kernel counts of an end, if it is not what was told last.
    pub(super) fn counts(&mut self, end: Direction, info: &TcpInfo, queues: Queues) -> Option<Kernel> {
        let last = if end == Direction::Local { &mut self.near_info } else { &mut self.far_info };
        counts(last, end, info, queues)
    }

    /// Somebody else told what the kernel counts of our end.
    pub(super) fn was_told(&mut self, info: &TcpInfo) {
        self.near_info = Some(Box::new(info.clone()));
    }

    fn take_queue(&mut self, seen: Option<Seen>, now: Instant) -> Vec<Telling> {
        self.due = self.closed.is_none().then(|| now + if self.held { QUEUE } else { SELDOM });
        let Some(seen) = seen else { return Vec::new() };
        let queue = (seen.receive_queue, seen.send_queue);
        // The limit is told with the first look.
        if self.queue.replace(queue) == Some(queue) {
            return Vec::new();
        }
        vec![(now, Kernel::AcceptQueue(queue.0, queue.1))]
    }

    /// When to look next: soon while a state passes quickly, at the end of a timer, else seldom.
    fn schedule(&mut self, looked: &Looked, changed: bool, now: Instant) {
        self.pause = if changed { SOON } else { (self.pause * 2).min(SELDOM) };
        let waits = |seen: &Option<Seen>| match seen {
            Some(Seen { state: TcpState::TimeWait, timer: Some(Timer { expires_ms, .. }), .. }) => {
                Some(Duration::from_millis(u64::from(*expires_ms) + 1).max(OVERDUE))
            }
            Some(seen) if is_settled(seen) => Some(SELDOM),
            Some(Seen {
                timer: Some(Timer { kind: TimerKind::ZeroWindowProbe, expires_ms, .. }), ..
            }) => {
                // Also when the window opens, which may be before it fires.
                Some(Duration::from_millis(u64::from(*expires_ms) + 1).min(SELDOM))
            }
            Some(_) => Some(self.pause),
            None => None,
        };
        let next = [waits(&looked.near), waits(&looked.far)].into_iter().flatten().min();
        let ahead = (self.near.is_ahead() || self.far.is_ahead()).then_some(self.pause);
        let untold = (self.near.has_untold() || self.far.has_untold()).then_some(RETIRED);
        self.due = match (next.into_iter().chain(ahead).chain(untold).min(), self.closed) {
            (Some(wait), _) => Some(now + wait),
            // Neither end is there; what is on its way still may be.
            (None, Some(closed)) if now < closed + LINGER => Some(closed + LINGER),
            (None, Some(_)) => None,
            // Before there is a connection, and of a datagram socket, there is nothing to ask.
            (None, None) if self.protocol == Protocol::Udp || self.remote.is_none() => None,
            (None, None) => Some(now + self.pause),
        };
    }

    /// Nothing is to be learned of it any more.
    pub(super) fn is_over(&self) -> bool {
        self.closed.is_some() && self.due.is_none()
    }

    /// Whether who holds the far end is still to be asked.
    pub(super) fn wants_owner(&mut self) -> bool {
        !std::mem::replace(&mut self.owner_asked, true)
    }
}

fn counts(last: &mut Option<Box<TcpInfo>>, end: Direction, info: &TcpInfo, queues: Queues) -> Option<Kernel> {
    if last.as_ref().is_some_and(|last| last.same_facts(info)) {
        return None;
    }
    *last = Some(Box::new(info.clone()));
    Some(Kernel::Info { end, info: Box::new(info.clone()), queues })
}

/// What was read, if it is of the socket that was read before.
fn its_own(cookie: &mut Option<u64>, seen: Option<Seen>) -> Option<Seen> {
    seen.filter(|seen| *cookie.get_or_insert(seen.cookie) == seen.cookie)
}

/// A state that stays until somebody does something.
fn is_settled(seen: &Seen) -> bool {
    match seen.state {
        TcpState::Established | TcpState::CloseWait | TcpState::Listen => waits_for(seen).is_none(),
        _ => false,
    }
}

/// A closed window, or an acknowledgement that has failed to come at least once. That one is due soon is the normal course.
fn waits_for(seen: &Seen) -> Waits {
    let Timer { kind, retransmits, .. } = seen.timer?;
    match (kind, retransmits) {
        (TimerKind::ZeroWindowProbe, _) | (TimerKind::Retransmit, 1..) => Some((kind, retransmits)),
        _ => None,
    }
}

/// Puts states into words, with the timer that runs for the last of them. It was read now and the state is from before, so
/// that it fires is counted from then.
fn tell(tellings: &mut Vec<Telling>, end: Direction, told: Vec<Told>, seen: Option<&Seen>, now: Instant) {
    for Told { state, evidence, at } in told {
        let timer = seen.filter(|seen| seen.state == state).and_then(|seen| seen.timer);
        let since = u32::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(u32::MAX);
        let timer = timer.map(|timer| Timer { expires_ms: timer.expires_ms.saturating_add(since), ..timer });
        tellings.push((at, Kernel::State { end, state: Some(state), evidence, timer, owner: None }));
    }
}

/// Says who holds an end, with the first state of it that is told.
pub(super) fn owned(tellings: &mut [Telling], owner: Owner) {
    let first = tellings.iter_mut().find_map(|(_, kernel)| match kernel {
        Kernel::State { end: Direction::Peer, owner: place, state: Some(_), .. } => Some(place),
        _ => None,
    });
    if let Some(place) = first {
        *place = Some(owner);
    }
}
