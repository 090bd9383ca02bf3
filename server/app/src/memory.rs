//! How the allocator keeps memory.
#![allow(unsafe_code, reason = "mallopt has no safe wrapper; the call is confined to this module")]

/// Tells glibc to serve all threads from one arena. By default each thread prefers its own, and what the log frees stays
/// with the arena it came from: a flood that moves between threads then holds the log's share once per thread, and
/// `--log-bytes` would bound nothing (measured: 455 MiB for a log of 256, against 241 with one arena). Small blocks come
/// from per-thread caches all the same.
pub fn share_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only sets a limit the allocator reads under its own lock; it takes no pointer.
    let set = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
    #[cfg(not(target_env = "gnu"))]
    let set = 1;
    if set == 0 {
        tracing::debug!("the allocator keeps several arenas: memory may exceed what the log is given");
    }
}
