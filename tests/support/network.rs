//! A network of a test's own.

use std::{fs, process::Command, thread};

use nix::sched::{CloneFlags, unshare};

/// A command that must succeed, in the namespace of this thread.
pub fn run(program: &str, args: &str) {
    let output = Command::new(program)
        .args(args.split_whitespace())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; this test needs it: apt-get install {program}"));
    assert!(output.status.success(), "{program} {args}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs this in a network namespace of its own, with loopback up. Nobody else uses its ports, and TIME_WAIT lasts: else a busy
/// machine's late acknowledgement is answered by the listener with a RST, which ends it (RFC 1337).
pub fn apart(what: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let ran = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .expect("a network namespace: this test needs root, as CI has it");
            run("ip", "link set lo up");
            fs::write("/proc/sys/net/ipv4/tcp_rfc1337", "1").expect("a namespace of ours");
            what();
        });
        if let Err(panic) = ran.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Puts 192.0.2.2 behind a link of that rate (tc-tbf(8)), on which nobody answers. The kernel keeps what is not yet sent, up to
/// what a socket may have (SO_SNDBUF).
pub fn slow_link(rate: &str) {
    run("ip", "link add slow type veth peer name far");
    run("ip", "address add 192.0.2.1/24 dev slow");
    run("ip", "link set slow up");
    run("ip", "link set far up");
    run("ip", "neighbor add 192.0.2.2 lladdr 02:00:00:00:00:02 dev slow");
    run("tc", &format!("qdisc add dev slow root tbf rate {rate} burst 16kb limit 10mb"));
}

/// Runs this [`apart`], with nothing on another thread: a server it starts is there, too.
pub fn alone(what: impl AsyncFnOnce() + Send) {
    apart(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(what());
    });
}
