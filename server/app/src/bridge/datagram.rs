//! One datagram socket for one client: a message is a datagram.

mod held;

use std::{
    io::{self, IoSlice},
    os::fd::AsRawFd as _,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use nix::sys::socket::{ControlMessage, MsgFlags, getsockopt, sendmsg, sockopt};
use sockscope_sockets::{
    drops::Drops,
    errno::Errno,
    fact::{PauseReason, Phase, What},
    mailbox::Inbox,
    options::MAX_DATAGRAM,
};
use tokio::{io::Interest, net::UdpSocket};

use super::{
    buffer::Buffer,
    client::{Client, Incoming},
    end::{End, run},
    frame::{self, HEADER, Item, Kind, code},
    ledger::Ledger,
    pace::{CALLS, Pace},
    udp_errors::{Met, failed, refusal, stirred},
};
use held::Held;

/// So many datagrams leave in one call: as many as any kernel takes (UDP_MAX_SEGMENTS of linux/udp.h), and together no longer than
/// one can be.
const AT_ONCE: usize = 64;
const TOGETHER: usize = 65_507;

/// Carries datagrams both ways until one side ends.
pub(crate) async fn carry(
    client: &Client,
    incoming: &mut Incoming,
    target: UdpSocket,
    inbox: &mut Inbox,
    ledger: &Ledger,
) {
    let mut drops = Drops::of(&target);
    // A kernel that does not know of it (Linux before 4.18) would send the piece.
    let cuts = if getsockopt(&target, sockopt::UdpGsoSegment).is_ok() { usize::MAX } else { 0 };
    let (cuts, unsent) = (AtomicUsize::new(cuts), AtomicUsize::new(0));
    let bridge = Bridge { client, target: &target, ledger, cuts, unsent };
    let mut held = Held::default();
    let (end, last) = {
        let up = pin!(async {
            let end = bridge.up(incoming, &mut held).await;
            // What comes behind the end is nothing.
            held = Held::default();
            end
        });
        let down = pin!(bridge.down(&mut drops));
        run(client, ledger, inbox, up, down).await
    };
    let unsent = bridge.unsent.load(Relaxed) + held.lost(&mut incoming.reader);
    drops.look(&target, ledger.recorder().as_ref());
    drop(target);
    inbox.close();
    end.closed(ledger, unsent as u64);
    if let Some(last) = last {
        client.part(incoming, last, end.is_ordered()).await;
    }
}

struct Bridge<'a> {
    client: &'a Client,
    target: &'a UdpSocket,
    ledger: &'a Ledger,
    /// The kernel takes several datagrams shorter than this as one piece and cuts it (UDP_SEGMENT): those that fit no frame on their
    /// path it does not.
    cuts: AtomicUsize,
    /// Bytes of messages that were looked at and are not sent.
    unsent: AtomicUsize,
}

impl Bridge<'_> {
    /// From the client to the target.
    async fn up(&self, incoming: &mut Incoming, held: &mut Held) -> End {
        let mut pace = Pace::default();
        // A message that came in pieces; mostly none does.
        let mut pieces = Vec::new();
        loop {
            let (buffer, len) = match incoming.fill(self.client).await {
                Ok(Some(more)) => more,
                Ok(None) | Err(_) => return End::ClientLost,
            };
            (held.at, held.len) = (0, len);
            let buffer = held.buffer.insert(buffer);
            while held.at < len {
                let at = held.at;
                let (used, item) = match incoming.reader.next(&mut buffer[at..len]) {
                    Ok(Some(next)) => next,
                    Ok(None) => break,
                    Err(frame::Failed(code)) => return End::ClientFailed(code),
                };
                held.at += used;
                match item {
                    Item::Data { kind: Kind::Text, .. } => return End::ClientFailed(code::UNSUPPORTED),
                    Item::Data { start, len: long, last, .. } => {
                        let start = at + start;
                        if pieces.len() + long > MAX_DATAGRAM {
                            return End::ClientFailed(code::TOO_BIG);
                        }
                        let fits = if pieces.is_empty() && last {
                            let most = (AT_ONCE * long).min(TOGETHER);
                            let first = start..start + long;
                            let (end, used) = incoming.reader.alike(&mut buffer[..len], first, most, held.at);
                            held.at = used;
                            self.unsent.fetch_add(end - start, Relaxed);
                            self.send_all(&buffer[start..end], long, &mut pace).await
                        } else {
                            pieces.extend_from_slice(&buffer[start..start + long]);
                            self.unsent.fetch_add(long, Relaxed);
                            !last || self.send(&std::mem::take(&mut pieces), &mut pace).await
                        };
                        if !fits {
                            return End::ClientFailed(code::TOO_BIG);
                        }
                    }
                    Item::Ping(said) => self.client.pinged(said),
                    Item::Pong(_) => {}
                    Item::Close(close) => return End::ClientClosed(close.answer()),
                }
            }
            incoming.keep(&buffer[held.at..len]);
            held.buffer = None;
            pace.round(len).await;
        }
    }

    /// Sends datagrams of this length, which lie one behind the other. Returns whether a datagram can be that long.
    async fn send_all(&self, data: &[u8], long: usize, pace: &mut Pace) -> bool {
        if data.len() == long {
            return self.send(data, pace).await;
        }
        pace.call().await;
        if self.send_at_once(data, long) {
            self.unsent.fetch_sub(data.len(), Relaxed);
            return true;
        }
        for datagram in data.chunks(long) {
            if !self.send(datagram, pace).await {
                return false;
            }
        }
        true
    }

    /// The same in one call, which takes all of them or none. Those it does not take are sent one by one: then it is known which of
    /// them failed, and why.
    fn send_at_once(&self, data: &[u8], long: usize) -> bool {
        // What is recorded is recorded, and captured, as what it is.
        if long >= self.cuts.load(Relaxed) || self.ledger.entering_send().is_some() {
            return false;
        }
        // The first error may be word of a datagram of before (ICMP).
        let mut word = None;
        let taken = loop {
            let sent = self.target.try_io(Interest::WRITABLE, || {
                // Less than TOGETHER.
                let length = [ControlMessage::UdpGsoSegments(&(long as u16))];
                let piece = [IoSlice::new(data)];
                Ok(sendmsg::<()>(self.target.as_raw_fd(), &piece, &length, MsgFlags::MSG_NOSIGNAL, None)?)
            });
            let errno = match sent {
                Ok(_) => break true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break false,
                Err(error) => Errno::from(&error),
            };
            if word.is_none() {
                word = Some(errno);
                continue;
            }
            if errno == Errno::ECONNREFUSED {
                failed(self.ledger, Phase::Send, errno);
            } else {
                self.cuts.store(long, Relaxed);
                // Met again it was no word, but about the piece.
                word = word.filter(|word| *word != errno);
            }
            break false;
        };
        if let Some(errno) = word {
            failed(self.ledger, Phase::Send, errno);
        }
        if taken {
            data.chunks(long).for_each(|datagram| self.ledger.sent(None, datagram));
        }
        taken
    }

    /// Sends one. Returns whether a datagram can be that long.
    async fn send(&self, data: &[u8], pace: &mut Pace) -> bool {
        pace.call().await;
        let fits = self.send_one(data).await;
        self.unsent.fetch_sub(data.len(), Relaxed);
        fits
    }

    /// Sends it, or says in the log why not: a socket survives that, and may have been told of an earlier one. Returns whether
    /// a datagram can be that long.
    async fn send_one(&self, data: &[u8]) -> bool {
        let mut met = Met::default();
        loop {
            let entered = self.ledger.entering_send();
            match self.target.try_send(data) {
                Ok(_) => {
                    self.ledger.sent(entered, data);
                    return true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let writable = pin!(self.target.writable());
                    // An error here is met by the next call.
                    let waited =
                        self.ledger.stand_still(What::Send, PauseReason::PeerNotReading, writable).await;
                    if let Err(error) = waited {
                        failed(self.ledger, Phase::Send, Errno::from(&error));
                        return true;
                    }
                }
                Err(error) => {
                    if let Some(errno) = met.failed(&error, self.ledger) {
                        return errno != Errno::EMSGSIZE;
                    }
                }
            }
        }
    }

    /// From the target to the client: as many at once as have come.
    async fn down(&self, drops: &mut Drops) -> End {
        let mut pace = Pace::default();
        loop {
            tokio::select! {
                biased;
                () = self.client.wants() => match self.client.say_before_fin().await {
                    Ok(false) => continue,
                    // Whoever said it knows why.
                    Ok(true) | Err(_) => return End::ClientLost,
                },
                ready = stirred(self.target) => {
                    if let Err(error) = ready {
                        return End::Target(Phase::Receive, Errno::from(&error));
                    }
                }
            }
            if let Some(error) = refusal(self.target) {
                failed(self.ledger, Phase::Receive, Errno::from(&error));
            }
            let mut buffer = Buffer::take();
            let (count, len) = self.receive(&mut buffer);
            if count == 0 {
                continue;
            }
            let write = self.client.write(&buffer[..len]);
            if self.ledger.stand_still(What::Read, PauseReason::ClientNotReading, pin!(write)).await.is_err()
            {
                return End::ClientLost;
            }
            drops.look(self.target, self.ledger.recorder().as_ref());
            drop(buffer);
            pace.round_of(count, len).await;
        }
    }

    /// Takes what has come, as frames: no more than a turn, and for as long as there is room for the longest. Returns how many there
    /// are, and how long they are together.
    fn receive(&self, buffer: &mut [u8]) -> (usize, usize) {
        let (mut count, mut len) = (0, 0);
        for _ in 0..CALLS {
            if buffer.len() - len < HEADER + MAX_DATAGRAM {
                break;
            }
            let entered = self.ledger.entering_receive();
            let payload = len + HEADER;
            let n = match self.target.try_recv(&mut buffer[payload..]) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    failed(self.ledger, Phase::Receive, Errno::from(&error));
                    continue;
                }
            };
            self.ledger.received(entered, &buffer[payload..payload + n]);
            let mut head = [0; HEADER];
            let start = frame::header(&mut head, Kind::Binary, n);
            let head = &head[start..];
            // The header is shorter than the room for it: the payload moves up to it.
            buffer[len..len + head.len()].copy_from_slice(head);
            len += head.len();
            buffer.copy_within(payload..payload + n, len);
            len += n;
            count += 1;
        }
        (count, len)
    }
}
