//! What the kernel says of processes: memory, time, cores.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{Signal, kill},
    },
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

/// The memory a process holds now, in bytes: VmRSS.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    status(pid, "VmRSS:")
}

/// The most it ever held: VmHWM.
pub(crate) fn resident_peak(pid: u32) -> Result<u64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, name: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).context("the process has ended")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).context("a status without memory")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("not a number of kB")?;
    Ok(kib * 1024)
}

/// User and system time of a process so far, all threads together: by its clock, since the ticks of `/proc/PID/stat` are a
/// sample.
pub(crate) fn cpu_of(pid: u32) -> Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid)?)).context("the process has ended")?;
    Ok(clock_gettime(clock).map(Duration::from)?)
}

/// Ends a process that this one has started, or one of those.
pub(crate) fn end(pid: u32) -> Result<()> {
    signal(pid, Signal::SIGKILL)
}

/// Asks it to end by itself.
pub(crate) fn ask_to_end(pid: u32) -> Result<()> {
    signal(pid, Signal::SIGTERM)
}

fn signal(pid: u32, signal: Signal) -> Result<()> {
    Ok(kill(Pid::from_raw(i32::try_from(pid)?), signal)?)
}

/// A process and all that it, or one of them, has started.
pub(crate) fn family(pid: u32) -> Result<Vec<u32>> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(parent) = family.get(next) {
        for task in fs::read_dir(format!("/proc/{parent}/task")).context("the process has ended")? {
            let children = fs::read_to_string(task?.path().join("children"))?;
            for child in children.split_whitespace() {
                family.push(child.parse().context("not a process")?);
            }
        }
        next += 1;
    }
    Ok(family)
}

/// Keeps the calling thread, and those it starts, on one core. `false` where there is no such core.
pub(crate) fn pin(core: usize) -> bool {
    let mut set = CpuSet::new();
    set.set(core).is_ok() && sched_setaffinity(Pid::from_raw(0), &set).is_ok()
}

/// Thousands of connections need as many descriptors; what the hard limit allows.
pub(crate) fn raise_descriptors() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok();
    }
}
