//! What `ss -tan` says, again and again: the states somebody would have seen who looked on.

use std::{
    collections::HashMap,
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

/// The states of each end of each connection, by its own address and the other, in order, each as often as it changed.
pub(super) struct Sampled(HashMap<(SocketAddr, SocketAddr), Vec<String>>);

impl Sampled {
    /// Samples until somebody says stop.
    pub(super) fn until(stop: &AtomicBool) -> Self {
        let mut paths = HashMap::<_, Vec<String>>::new();
        while !stop.load(Ordering::Relaxed) {
            let output = Command::new("ss").args(["-t", "-a", "-n", "-H"]).output();
            let output = output.expect("ss; this test needs it: apt-get install iproute2");
            assert!(output.status.success(), "ss: {}", String::from_utf8_lossy(&output.stderr));
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                let [state, _, _, local, remote] = line.split_whitespace().collect::<Vec<_>>()[..] else {
                    panic!("ss says: {line}");
                };
                // A listener has no other end.
                let (Some(local), Some(remote)) = (address(local), address(remote)) else { continue };
                let path = paths.entry((local, remote)).or_default();
                let state = name(state);
                if path.last() != Some(&state) {
                    path.push(state);
                }
            }
        }
        Self(paths)
    }

    /// What was seen of the end at `local`.
    pub(super) fn of(&self, local: SocketAddr, remote: SocketAddr) -> &[String] {
        self.0.get(&(local, remote)).map_or(&[], |path| path)
    }
}

/// An address as it is on the wire, which says an IPv4 one in one way only.
pub(super) fn address(said: &str) -> Option<SocketAddr> {
    let address: SocketAddr = said.parse().ok()?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// `FIN-WAIT-1` as the wire says it: `FIN_WAIT_1`.
fn name(state: &str) -> String {
    match state {
        "ESTAB" => "ESTABLISHED".to_owned(),
        "SYN-RECV" => "SYN_RECEIVED".to_owned(),
        state => state.replace('-', "_"),
    }
}
