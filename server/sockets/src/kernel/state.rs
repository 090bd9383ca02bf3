//! What a socket speaks; the states of a TCP connection and the timers that run for it.

/// What a socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A state of a TCP connection (RFC 9293 §3.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TcpState {
    /// There is no connection.
    Closed,
    /// Waiting for connections.
    Listen,
    /// Our SYN went.
    SynSent,
    /// A SYN came and was answered.
    SynReceived,
    /// Both directions carry bytes.
    Established,
    /// Our FIN went and is not acknowledged.
    FinWait1,
    /// Our FIN is acknowledged, the peer's has not come.
    FinWait2,
    /// Both FINs went past each other; ours is not acknowledged.
    Closing,
    /// The peer's FIN came, ours has not gone.
    CloseWait,
    /// The peer's FIN came, ours went and is not acknowledged.
    LastAck,
    /// Both FINs are acknowledged; segments that are late die out.
    TimeWait,
}

impl TcpState {
    /// From the kernel's number (linux/tcp_states.h). A request socket (`TCP_NEW_SYN_RECV`) is SYN_RECEIVED.
    #[must_use]
    pub const fn from_kernel(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            _ => return None,
        })
    }
}

/// What a timer of the kernel waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerKind {
    /// An acknowledgement, else it sends again.
    Retransmit,
    /// Silence: a keepalive probe goes, or FIN_WAIT_2 is given up.
    Keepalive,
    /// The end of TIME_WAIT.
    TimeWait,
    /// A window that is not zero, else it probes.
    ZeroWindowProbe,
}

/// A timer of the kernel that runs for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// Which.
    pub kind: TimerKind,
    /// In how many ms it fires.
    pub expires_ms: u32,
    /// How often it has fired in a row.
    pub retransmits: u8,
}
