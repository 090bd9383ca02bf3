//! Datagrams of 64 bytes over `/bridge/udp/…`, none of them unaccounted for.

use std::{
    net::{Ipv4Addr, UdpSocket},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt};

use super::{ECHOES, Effort, PATIENCE, median, nanos, start};
use crate::{
    bridge::{Bridge, frames},
    report::Row,
    server::Server,
};

const PAYLOAD: [u8; 64] = [b'u'; 64];

/// Microseconds.
const TARGET: f64 = 5.0;

/// Messages in one write of the client.
const TOGETHER: usize = 2048;

/// On their way to the client at once: no more than the bridge's socket holds by default, and more than all buffers there are.
const FEW: usize = 128;
const MANY: usize = 200_000;

/// What the target's socket may hold, the kernel's overhead included: more than is ever on its way.
const ROOM: usize = 4 << 20;

/// Nanoseconds each.
struct Turn {
    up: f64,
    down: f64,
    flood: f64,
    trip: f64,
}

pub(super) fn measure(effort: &Effort) -> Result<Vec<Row>> {
    let (rounds, bursts) = (effort.pick(7, 3), effort.pick(20, 5));
    let mut server = start(effort)?;
    let mut one = One::open(&mut server)?;
    let mut echo = Echo::open(&server)?;
    let mut turns = Vec::new();
    // The first turn warms up.
    for round in 0..=rounds {
        let turn = Turn {
            up: one.up(&server, bursts)?,
            down: one.down(&mut server, FEW, bursts * TOGETHER / FEW)?,
            flood: one.down(&mut server, MANY, 1)?,
            trip: echo.trips(&server, bursts * 10)?,
        };
        if round > 0 {
            turns.push(turn);
        }
    }
    let One { up, down, received, dropped, .. } = one.close(&mut server)?;
    let row = |what: &str, of: fn(&Turn) -> f64, note: String| {
        let micros = median(turns.iter().map(of).collect())? / 1e3;
        let row = Row::new(what, format!("{micros:.2} µs")).note(note);
        anyhow::Ok((row, micros <= TARGET))
    };
    let way = |what: &str, of: fn(&Turn) -> f64, note: String| {
        row(what, of, note).map(|(row, met)| row.target("≤ 5 µs", met))
    };
    Ok(vec![
        way(
            "a datagram from client to target",
            |turn| turn.up,
            format!(
                "aimed for: 1.5 µs; the server's CPU; 64 bytes, {TOGETHER} messages in one write; {up} sent, as many counted by the bridge, as \
                 many arrived: the target's buffer holds all that are on their way; median of {rounds} turns"
            ),
        )?,
        way(
            "a datagram from target to client",
            |turn| turn.down,
            format!("64 bytes, at most {FEW} on their way, which the bridge's socket holds"),
        )?,
        way(
            "the same, many at once",
            |turn| turn.flood,
            format!("{MANY} before the client reads any; of those that reach it"),
        )?,
        Row::new(
            "sent − received − counted drops, target to client",
            format!("{}", i128::from(down) - i128::from(received) - i128::from(dropped)),
        )
        .target("0, exactly", down == received + dropped)
        .note(format!(
            "{down} sent, {received} received by the client and counted by the bridge, {dropped} counted as dropped by \
             the kernel at the bridge's socket"
        )),
        row(
            "an echo over each of 64 bridges",
            |turn| turn.trip,
            "64 bytes there and back; one message of each on its way".to_owned(),
        )?
        .0,
    ])
}

/// A target; what is sent to it at once finds room.
fn target() -> Result<UdpSocket> {
    let target = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    setsockopt(&target, sockopt::RcvBuf, &ROOM)?;
    target.set_read_timeout(Some(PATIENCE))?;
    Ok(target)
}

fn bridge(server: &Server, target: &UdpSocket) -> Result<Bridge> {
    Bridge::open(server, None, &format!("udp/127.0.0.1/{}", target.local_addr()?.port()))
}

/// One bridge, and the books of both its ends.
struct One {
    client: Bridge,
    target: UdpSocket,
    /// The bridge's socket.
    id: String,
    /// Sent to the target, which got them all.
    up: u64,
    /// Sent to the client, which got those that were received.
    down: u64,
    received: u64,
    dropped: u64,
}

impl One {
    fn open(server: &mut Server) -> Result<Self> {
        let target = target()?;
        let mut client = bridge(server, &target)?;
        client.write(&frames(&PAYLOAD, 1))?;
        let (_, from) = target.recv_from(&mut [0; PAYLOAD.len()])?;
        target.connect(from)?;
        let id = server.latest()?["id"].as_str().context("a socket has an id")?.to_owned();
        Ok(Self { client, target, id, up: 1, down: 0, received: 0, dropped: 0 })
    }

    /// From client to target: CPU each.
    fn up(&mut self, server: &Server, bursts: usize) -> Result<f64> {
        let messages = frames(&PAYLOAD, TOGETHER);
        let mut datagram = [0; PAYLOAD.len() + 1];
        let spent = nanos(server.pid(), || {
            for _ in 0..bursts {
                self.client.write(&messages)?;
                for n in 0..TOGETHER {
                    let len = self
                        .target
                        .recv(&mut datagram)
                        .with_context(|| format!("{} of {TOGETHER} never arrived", TOGETHER - n))?;
                    ensure!(datagram[..len] == PAYLOAD, "a datagram arrived altered");
                }
            }
            Ok(())
        })?;
        self.up += (bursts * TOGETHER) as u64;
        Ok(spent / (bursts * TOGETHER) as f64)
    }

    /// From target to client: CPU each, of those that reach it.
    fn down(&mut self, server: &mut Server, burst: usize, bursts: usize) -> Result<f64> {
        let (before, mut spent) = (self.received, 0.0);
        for _ in 0..bursts {
            spent += nanos(server.pid(), || {
                for _ in 0..burst {
                    self.target.send(&PAYLOAD)?;
                }
                self.down += burst as u64;
                self.listen()
            })?;
            self.account(server)?;
        }
        Ok(spent / (self.received - before) as f64)
    }

    /// Takes what comes until that is all, or nothing more comes.
    fn listen(&mut self) -> Result<()> {
        while self.received + self.dropped < self.down && self.client.stirs()? {
            ensure!(*self.client.read()? == PAYLOAD, "a datagram came altered");
            self.received += 1;
        }
        Ok(())
    }

    /// What did not come has been dropped: the bridge counts it.
    fn account(&mut self, server: &mut Server) -> Result<()> {
        let begun = Instant::now();
        while self.received + self.dropped != self.down {
            let Self { down, received, dropped, .. } = self;
            ensure!(
                begun.elapsed() < PATIENCE && *received + *dropped < *down,
                "{down} were sent, {received} received, {dropped} counted as dropped"
            );
            self.dropped = count(server, &self.id, "dropped")?;
            self.listen()?;
        }
        Ok(())
    }

    /// Ends it, and holds its counters against ours.
    fn close(self, server: &mut Server) -> Result<Self> {
        server.close(&self.id, "")?;
        for (name, ours) in
            [("sent_events", self.up), ("received_events", self.received), ("dropped", self.dropped)]
        {
            let counted = count(server, &self.id, name)?;
            ensure!(counted == ours, "{name}: the bridge counts {counted}, we {ours}");
        }
        Ok(self)
    }
}

fn count(server: &mut Server, id: &str, name: &str) -> Result<u64> {
    server.socket(id)?["counters"][name].as_u64().with_context(|| format!("counters have {name}"))
}

/// Bridges to a target that sends everything back.
struct Echo {
    clients: Vec<Bridge>,
    target: UdpSocket,
}

impl Echo {
    fn open(server: &Server) -> Result<Self> {
        let target = target()?;
        let clients = (0..ECHOES).map(|_| bridge(server, &target)).collect::<Result<_>>()?;
        Ok(Self { clients, target })
    }

    /// CPU a round trip.
    fn trips(&mut self, server: &Server, rounds: usize) -> Result<f64> {
        let message = frames(&PAYLOAD, 1);
        let mut datagram = [0; PAYLOAD.len()];
        let spent = nanos(server.pid(), || {
            for _ in 0..rounds {
                self.clients.iter_mut().try_for_each(|client| client.write(&message))?;
                for _ in 0..ECHOES {
                    let (len, from) = self.target.recv_from(&mut datagram)?;
                    self.target.send_to(&datagram[..len], from)?;
                }
                for client in &mut self.clients {
                    ensure!(*client.read()? == PAYLOAD, "an echo came altered");
                }
            }
            Ok(())
        })?;
        Ok(spent / (rounds * ECHOES) as f64)
    }
}
