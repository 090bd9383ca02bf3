//! The socket of a stream: what it takes and gives without waiting, and what it has lost.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use sockscope_sockets::{drops::Drops, fact::DropReason, options::MAX_DATAGRAM, stream::try_read};
use tokio::net::{TcpStream, UdpSocket};

use crate::bridge::{
    ledger::Ledger,
    low_water::LowWater,
    udp_errors::{Met, refusal, stirred},
};

pub(super) enum Socket {
    Tcp(TcpStream),
    Udp(UdpSocket, Mutex<Drops>),
}

/// What comes from a target, as whoever is to take it waits for it.
pub(super) enum Arrivals<'a> {
    Tcp(LowWater<'a>),
    Udp(&'a UdpSocket),
}

impl Arrivals<'_> {
    pub(super) async fn readable(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(mark) => mark.readable().await,
            Self::Udp(socket) => stirred(socket).await,
        }
    }

    /// So many bytes were taken.
    pub(super) fn read(&mut self, bytes: usize, ledger: &Ledger) {
        if let Self::Tcp(mark) = self {
            mark.read(bytes, ledger.sent_bytes());
        }
    }
}

impl Socket {
    pub(super) fn datagram(socket: UdpSocket) -> Self {
        let drops = Mutex::new(Drops::of(&socket));
        Self::Udp(socket, drops)
    }

    /// Hands over what the kernel takes now, and leaves in `rest` what it does not. Returns whether that was all.
    pub(super) fn send(&self, rest: &mut &[u8], ledger: &Ledger) -> io::Result<bool> {
        let mut met = Met::default();
        loop {
            if rest.is_empty() && matches!(self, Self::Tcp(_)) {
                return Ok(true);
            }
            let entered = ledger.entering_send();
            let result = match self {
                Self::Tcp(socket) => socket.try_write(rest),
                Self::Udp(socket, _) => socket.try_send(rest),
            };
            match (result, self) {
                (Ok(n), _) => {
                    ledger.sent(entered, &rest[..n]);
                    *rest = &rest[n..];
                    if matches!(self, Self::Udp(..)) {
                        return Ok(true);
                    }
                }
                (Err(error), _) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                (Err(error), Self::Tcp(_)) => return Err(error),
                (Err(error), Self::Udp(..)) => {
                    // It is lost.
                    if met.failed(&error, ledger).is_some() {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Has datagrams recorded that were lost: so many on their way out, and those that the kernel dropped meanwhile.
    pub(super) fn lost(&self, count: u64, ledger: &Ledger) {
        if let Self::Udp(socket, drops) = self {
            let recorder = ledger.recorder().as_ref();
            // A count that was being changed is still a count.
            let mut drops = drops.lock().unwrap_or_else(PoisonError::into_inner);
            drops.lost(count, DropReason::QueueFull, recorder);
            drops.look(socket, recorder);
        }
    }

    /// Takes what there is; `None` at the end of a stream.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self {
            Self::Tcp(socket) => try_read(socket, buffer).map(|n| (n > 0).then_some(n)),
            Self::Udp(socket, _) => match refusal(socket) {
                Some(error) => Err(error),
                None => socket.try_recv(&mut buffer[..MAX_DATAGRAM]).map(Some),
            },
        }
    }

    /// What there is to wait for.
    pub(super) fn arrivals(&self) -> Arrivals<'_> {
        match self {
            Self::Tcp(socket) => Arrivals::Tcp(LowWater::of(socket)),
            Self::Udp(socket, _) => Arrivals::Udp(socket),
        }
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.writable().await,
            Self::Udp(socket, _) => socket.writable().await,
        }
    }
}
