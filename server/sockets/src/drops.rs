//! Datagrams that were lost on this machine, counted to the last one.
//!
//! SO_RXQ_OVFL comes with a datagram and places drops in time; SO_MEMINFO can be asked at any time and is the truth.

use std::{mem, os::fd::AsRawFd, time::Duration};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::{net::UdpSocket, time::Instant};

use crate::{
    fact::{DropReason, Fact, Recorder, Stamp},
    sys,
};

/// How often the drop counter is looked at while a socket is idle: drops that no later datagram tells of.
pub const IDLE_LOOK: Duration = Duration::from_millis(250);

/// The least time between two `dropped` events of a flood.
const APART: Duration = Duration::from_millis(100);

/// What one datagram socket has lost.
#[derive(Debug)]
pub struct Drops {
    /// The kernel's counter as last seen; wraps at 2³².
    overflow: u32,
    /// Drops seen and not yet recorded, and when drops were last recorded: in a flood, every datagram tells of some.
    unrecorded: u64,
    recorded_at: Option<Instant>,
    /// Datagrams lost in all.
    total: u64,
}

impl Drops {
    /// Begins to count. A kernel without SO_RXQ_OVFL still counts, it only does not say when.
    #[must_use]
    pub fn of(socket: &UdpSocket) -> Self {
        if let Err(errno) = setsockopt(socket, sockopt::RxqOvfl, &1) {
            tracing::debug!(%errno, "SO_RXQ_OVFL is not to be had");
        }
        Self { overflow: 0, unrecorded: 0, recorded_at: None, total: 0 }
    }

    /// Takes over the counter a datagram came with, and records what it grew by unless that was just done. With `hold`
    /// nothing is recorded: a full log gets one event for all of them when it has room again.
    pub fn note(&mut self, overflow: u32, recorder: &dyn Recorder, hold: bool) {
        let grew = overflow.wrapping_sub(self.overflow);
        // A datagram tells the counter of when it was queued, which may be before we last asked (SO_MEMINFO).
        if grew > u32::MAX / 2 {
            return;
        }
        self.unrecorded += u64::from(grew);
        self.overflow = overflow;
        if !hold && self.recorded_at.is_none_or(|at| at.elapsed() >= APART) {
            self.record(recorder);
        }
    }

    /// Asks the kernel how many were dropped, and records what was not recorded yet.
    pub fn look(&mut self, socket: &impl AsRawFd, recorder: &dyn Recorder) {
        match sys::datagrams_dropped(socket) {
            Ok(dropped) => self.note(dropped, recorder, true),
            Err(error) => tracing::debug!(%error, "SO_MEMINFO is not to be had"),
        }
        self.record(recorder);
    }

    /// Records datagrams that found no room on their way in or out.
    pub fn lost(&mut self, count: u64, reason: DropReason, recorder: &dyn Recorder) {
        if count > 0 {
            self.total += count;
            let fact = Fact::Dropped(Box::new((count, self.total, reason)));
            recorder.record(Stamp::now(), &None, fact, None);
        }
    }

    fn record(&mut self, recorder: &dyn Recorder) {
        if self.unrecorded > 0 {
            self.recorded_at = Some(Instant::now());
            let count = mem::take(&mut self.unrecorded);
            self.lost(count, DropReason::KernelBufferFull, recorder);
        }
    }
}
