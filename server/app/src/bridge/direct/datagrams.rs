//! Datagrams of a channel: a packet is one, with where it goes or came from, of a socket that is not connected.

use std::{io, net::SocketAddr, pin::pin};

use sockscope_sockets::{
    dial,
    drops::Drops,
    errno::Errno,
    fact::{Denied, Fact, Failed, Failure, PauseReason, Phase, Recorder as _, Stamp, What},
    open::Family,
    options::MAX_DATAGRAM,
    policy::{CheckedAddr, Purpose, Refusal},
    target::{Scheme, Target, parse_endpoint},
};
use sockscope_wire::Code;
use tokio::{net::UdpSocket, time::Instant};

use super::{
    DATAGRAM_COST, Head, PacketType,
    open::url,
    packet::{head, packet, place_of},
    stream::{Channel, Stream},
    told::{Why, json},
    upload::{Piece, Upload},
};
use crate::{
    ask,
    bridge::{
        buffer::Buffer,
        end::End,
        frame::{self, HEADER, Kind},
        keys::TARGETS,
        ledger::Ledger,
        outbox::Outbox,
        pace::Pace,
        udp_errors::{Met, failed, refusal, stirred},
    },
    failure::problem_of_fact,
    problem::problem,
};

/// The longest that stands between a head and a datagram: four bytes, and an address with its zone.
const PLACE: usize = 4 + 60;

/// What stands in front of the payload in a buffer.
const FRONT: usize = HEADER + Head::LEN + PLACE;

impl Stream {
    /// From the client: one after the other, as the socket takes them. None is taken while the client reads nothing of what was lost.
    pub(super) async fn up_datagrams(&self, socket: &UdpSocket, ledger: &Ledger, channel: &Channel) -> End {
        let mut pace = Pace::default();
        loop {
            if let Some(end) = self.upload().end() {
                return end;
            }
            // Whoever closes it does not wait for a client that does not read.
            tokio::select! {
                biased;
                () = self.until(|upload| upload.over.is_some()) => continue,
                () = channel.outbox.room() => {}
            }
            let more = tokio::select! {
                biased;
                // However long a name is looked up.
                () = self.until(Upload::is_dropped) => continue,
                more = self.send_oldest(socket, ledger, channel) => more,
            };
            if more {
                pace.round(MAX_DATAGRAM).await;
            } else {
                // Not just any wake: one may have come while a name was looked up.
                self.until(|upload| upload.over.is_some() || !upload.is_empty()).await;
            }
        }
    }

    /// Sends the oldest that waits, if one does, once there is room to tell the client that it did not go.
    pub(super) async fn send_next(&self, socket: &UdpSocket, ledger: &Ledger, channel: &Channel) -> bool {
        channel.outbox.room().await;
        self.send_oldest(socket, ledger, channel).await
    }

    /// Sends the oldest that waits, if one does, and tells the client if it did not go. Stands still no longer than the local buffer
    /// is full, or a name is looked up: a client that leaves meanwhile is seen by whoever reads the connection, and its key and its
    /// owner by whoever polls this.
    async fn send_oldest(&self, socket: &UdpSocket, ledger: &Ledger, channel: &Channel) -> bool {
        let next = self.upload().next();
        let Some(piece) = next else { return false };
        if let Err(why) = self.send(socket, &piece, ledger, channel).await {
            channel.outbox.say(&packet(PacketType::Lost, self.id(), &json(&why)));
        }
        self.upload().is_sent();
        self.grants(piece.cost(), &channel.outbox);
        true
    }

    /// Sends one, or says why it did not go.
    async fn send(
        &self,
        socket: &UdpSocket,
        piece: &Piece,
        ledger: &Ledger,
        channel: &Channel,
    ) -> Result<(), Why> {
        let connected = socket.peer_addr().is_ok();
        let to = match &piece.to {
            None if connected => None,
            Some(to) if !connected => Some(destination(socket, to, ledger, channel).await?),
            None => return Err(Why::refused(&problem(Code::MissingTo, "say where it goes"))),
            Some(_) => return Err(Why::refused(&problem(Code::UnexpectedTo, "the socket has one peer"))),
        };
        let mut met = Met::default();
        loop {
            let entered = ledger.entering_send();
            match dial::try_send(socket, &piece.data, to) {
                Ok(_) => {
                    match to {
                        None => ledger.sent(entered, &piece.data),
                        Some(to) => ledger.sent_to(entered, to.get(), &piece.data),
                    }
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let writable = pin!(socket.writable());
                    let waited = ledger.stand_still(What::Send, PauseReason::PeerNotReading, writable).await;
                    if let Err(error) = waited {
                        return Err(Why::os(Phase::Send, Errno::from(&error)));
                    }
                }
                Err(error) => {
                    if let Some(errno) = met.failed(&error, ledger) {
                        return Err(Why::os(Phase::Send, errno));
                    }
                }
            }
        }
    }

    /// To the client, one after the other: what it has no credits for stays in the kernel, which counts what it drops.
    pub(super) async fn down_datagrams(
        &self,
        socket: &UdpSocket,
        ledger: &Ledger,
        outbox: &Outbox,
        drops: &mut Option<Drops>,
    ) -> End {
        let connected = socket.peer_addr().is_ok();
        let mut pace = Pace::default();
        loop {
            let entered = ledger.entering_receive();
            if let Err(error) = stirred(socket).await {
                return End::Target(Phase::Receive, Errno::from(&error));
            }
            if let Some(error) = refusal(socket) {
                failed(ledger, Phase::Receive, Errno::from(&error));
            }
            let mut came = 0;
            let write = async {
                came = self.receive(entered, connected, socket, ledger, outbox).await?;
                Ok(())
            };
            if ledger.stand_still(What::Read, PauseReason::ClientNotReading, pin!(write)).await.is_err() {
                return End::ClientLost;
            }
            if let Some(drops) = drops {
                drops.look(socket, ledger.recorder().as_ref());
            }
            pace.round(came).await;
        }
    }

    /// Waits until the client takes one however long, and for the turn to write; receives one, and writes it.
    async fn receive(
        &self,
        entered: Option<Instant>,
        connected: bool,
        socket: &UdpSocket,
        ledger: &Ledger,
        outbox: &Outbox,
    ) -> io::Result<usize> {
        self.affords(MAX_DATAGRAM as u64 + u64::from(DATAGRAM_COST)).await;
        let _turn = outbox.turn.lock().await;
        let mut buffer = Buffer::take();
        let (n, from) = match socket.try_recv_from(&mut buffer[FRONT..FRONT + MAX_DATAGRAM]) {
            Ok(came) => came,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => {
                failed(ledger, Phase::Receive, Errno::from(&error));
                return Ok(0);
            }
        };
        let bytes = &buffer[FRONT..FRONT + n];
        let place = if connected {
            ledger.received(entered, bytes);
            place_of(None)
        } else {
            ledger.received_from(entered, from, bytes);
            place_of(Some(from))
        };
        self.spends(n as u64 + u64::from(DATAGRAM_COST));
        let mut room = [0; HEADER];
        let begin = frame::header(&mut room, Kind::Binary, Head::LEN + place.len() + n);
        let front = [&room[begin..], &head(PacketType::Datagram, self.id()), &place].concat();
        let start = FRONT - front.len();
        buffer[start..FRONT].copy_from_slice(&front);
        outbox.client.write(&buffer[start..FRONT + n]).await?;
        Ok(n)
    }
}

/// Where a datagram goes: what the key allows comes first, then the policy, as for any datagram.
async fn destination(
    socket: &UdpSocket,
    (host, port, family): &(String, u16, Option<Family>),
    ledger: &Ledger,
    channel: &Channel,
) -> Result<CheckedAddr, Why> {
    let text = url(Scheme::Udp, host, *port);
    let endpoint = text.strip_prefix("udp://").unwrap_or(&text);
    let (host, port) =
        parse_endpoint(endpoint).map_err(|error| Why::refused(&ask::target_problem(&error)))?;
    let target = Target { scheme: Scheme::Udp, host, port };
    let recorder = ledger.recorder();
    let denied = |address, class, rule| {
        let denied = Denied { target: target.to_string(), address, class, rule, fatal: false };
        recorder.record(Stamp::now(), &None, Fact::Denied(Box::new(denied)), None);
    };
    if channel.opener.grant.as_ref().is_some_and(|grant| !grant.allows(&target)) {
        denied(None, None, TARGETS);
        return Err(Why::key(TARGETS, "the key does not allow datagrams to there"));
    }
    let config = channel.opener.workspace.config();
    let entered = Instant::now();
    let purpose = Purpose::SendTo;
    let checked = match config.policy.targets(&config.resolver, &target.host, target.port, purpose).await {
        Ok(checked) => checked,
        Err(Refusal::Resolve(error)) => {
            let fact = Fact::Failed(Box::new(Failed::minor(Failure::Resolve(error), Phase::Resolve)));
            let why = Why::refused(&problem_of_fact(&fact));
            recorder.record(Stamp::since(entered), &None, fact, None);
            return Err(why);
        }
        Err(Refusal::Denied(denials)) => {
            let denials =
                denials.into_iter().next().map(|denial| (denial.address, denial.class, denial.rule));
            let (address, class, rule) = denials.unwrap_or((None, None, TARGETS));
            denied(address, class, rule);
            return Err(Why::refused(&problem(Code::Denied, "the policy does not allow datagrams to there")));
        }
    };
    // A socket speaks one family; of a name's addresses take the first it can reach.
    let v4 = socket.local_addr().is_ok_and(|local: SocketAddr| local.is_ipv4());
    let asked = family.filter(|_| checked.resolved.is_some());
    let fits = |address: &&CheckedAddr| {
        address.get().is_ipv4() == v4 && asked.is_none_or(|family| family.has(&address.get()))
    };
    checked.allowed.iter().find(fits).copied().ok_or_else(|| {
        let speaks = if v4 { "IPv4" } else { "IPv6" };
        Why::refused(&problem(Code::WrongFamily, format!("the socket speaks {speaks}")))
    })
}
