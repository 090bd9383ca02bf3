//! What is measured inside of this process, of parts of the server that are compiled into it.

pub(super) mod append;
pub(super) mod ping_pong;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use nix::time::{ClockId, clock_gettime};
use sockscope::workspace::{Eyes, Workspace, WorkspaceConfig};
use sockscope_sockets::policy::{Policy, PolicyConfig, Resolver};
use sockscope_wire::LogFull;

use super::{Effort, median};

/// User and system time so far: of this process, or of this thread.
fn clock(id: ClockId) -> Duration {
    clock_gettime(id).map_or(Duration::ZERO, Duration::from)
}

/// A workspace without doors.
fn workspace(log_bytes: usize) -> Arc<Workspace> {
    let policy = Arc::new(Policy::new(PolicyConfig {
        control: Vec::new(),
        listen_ports: None,
        default_listen_host: Ipv4Addr::LOCALHOST.into(),
    }));
    Workspace::new(WorkspaceConfig {
        log_bytes,
        log_full: LogFull::Evict,
        max_sockets: 8,
        policy: Arc::clone(&policy),
        practice_policy: policy,
        resolver: Arc::new(Resolver::with_servers(Vec::new())),
        eyes: Eyes::Shut,
    })
}
