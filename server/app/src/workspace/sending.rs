//! Sending bytes.

use std::{sync::Arc, time::Duration};

use sockscope_sockets::{
    fact::{Cause, Fact, Stamp},
    mailbox::{Outgoing, Refused as MailRefused},
    policy::{CheckedAddr, Purpose, Refusal},
    target::parse_endpoint,
};
use sockscope_wire::{Code, Phase, Role, SendAnswer, SendRequest, Seq, SocketId, SocketState};
use tokio::time::Instant;

use super::{
    Order, SocketEntry, Workspace,
    command::{Watching, mail_problem, not_of_a_bridge, wrong_state},
    unknown_socket,
    watch::Progress,
};
use crate::{
    ask, failure,
    log::{Entry, Stored, Tag},
    problem::{Refused, Saying as _, problem},
};

impl Workspace {
    /// Queues bytes for sending. Nothing is taken unless all of it is.
    ///
    /// # Errors
    /// When the request is not understood, the socket cannot send, or its queue or the log is full.
    pub async fn send(
        &self,
        order: &Order,
        id: SocketId,
        data: Vec<u8>,
        to: Option<&str>,
    ) -> Result<(), Refused> {
        let role = {
            let inner = self.lock();
            inner.must_take_commands()?;
            let entry = inner.sockets.get(&id).ok_or_else(|| unknown_socket(id))?;
            can_send(entry, id)?;
            entry.role
        };
        let to = match (role, to) {
            (Role::Bound, Some(to)) => Some(self.destination(order, id, to).await?),
            (Role::Bound, None) => return Err(problem(Code::MissingTo, "give `to` as host:port")),
            (_, Some(_)) => return Err(problem(Code::UnexpectedTo, "this socket has one peer")),
            (_, None) => None,
        };
        if data.is_empty() && !matches!(role, Role::Bound | Role::Connected) {
            return Err(problem(Code::InvalidData, "a stream cannot carry an empty send"));
        }
        let outgoing = Outgoing { data: data.into(), to, cause: order.cause() };
        let bytes = outgoing.data.len();
        let mut inner = self.lock();
        let entry = inner.sockets.get(&id).ok_or_else(|| unknown_socket(id))?;
        can_send(entry, id)?;
        let mailbox = entry.mailbox().ok_or_else(|| mail_problem(MailRefused::Ended, id))?;
        let granted = inner.log.grant(bytes);
        if granted < bytes {
            drop(inner);
            self.settle(granted);
            return Err(problem(Code::LogFull, "trim the log first"));
        }
        drop(inner);
        mailbox.send(outgoing).map_err(|refused| {
            self.settle(bytes);
            mail_problem(refused, id)
        })
    }

    /// Queues bytes and waits until the kernel has all of them.
    ///
    /// # Errors
    /// As [`Workspace::send`]; when the socket ended meanwhile; or when the time is over, with what was taken.
    pub async fn send_and_wait(
        self: &Arc<Self>,
        order: &Order,
        id: SocketId,
        request: &SendRequest,
        data: Vec<u8>,
        timeout: Duration,
    ) -> Result<SendAnswer, Refused> {
        let total = data.len() as u64;
        let watch = Watching::new(self, order, id);
        self.send(order, id, data, request.to.as_deref()).await?;
        let done = watch.watcher.until(|progress| sent(progress, total, id));
        match tokio::time::timeout(timeout, done).await {
            Ok(result) => result,
            Err(_) => {
                let progress = watch.watcher.progress();
                let mut late = problem(Code::SendTimedOut, "the rest stays queued").in_phase(Phase::Send);
                late.taken = Some(progress.sent);
                late.socket = Some(id);
                Err(late)
            }
        }
    }

    async fn destination(&self, order: &Order, id: SocketId, to: &str) -> Result<CheckedAddr, Refused> {
        let (host, port) = parse_endpoint(to).map_err(|error| ask::target_problem(&error))?;
        let config = &self.config;
        let entered = Instant::now();
        let refused = match config.policy.targets(&config.resolver, &host, port, Purpose::SendTo).await {
            Ok(checked) => {
                let v4 = self
                    .lock()
                    .sockets
                    .get(&id)
                    .and_then(|entry| entry.local)
                    .is_some_and(|local| local.is_ipv4());
                // A socket speaks one family; of a name's addresses take the first it can reach.
                let fitting = checked.allowed.iter().find(|address| address.get().is_ipv4() == v4);
                return fitting.copied().ok_or_else(|| {
                    let family = if v4 { "IPv4" } else { "IPv6" };
                    let mut refused = problem(Code::WrongFamily, format!("the socket speaks {family}"))
                        .in_phase(Phase::Send)
                        .with("family", family);
                    refused.socket = Some(id);
                    refused
                });
            }
            Err(refused) => refused,
        };
        let stamp = Stamp::since(entered);
        let fact = match refused {
            Refusal::Denied(denials) => match denials.into_iter().next() {
                Some(denial) => Fact::Denied(Box::new(sockscope_sockets::fact::Denied {
                    target: to.to_owned(),
                    address: denial.address,
                    class: denial.class,
                    rule: denial.rule,
                    fatal: false,
                })),
                None => return Err(problem(Code::Denied, to)),
            },
            Refusal::Resolve(error) => {
                let failure = sockscope_sockets::fact::Failure::Resolve(error);
                let phase = sockscope_sockets::fact::Phase::Resolve;
                Fact::Failed(Box::new(sockscope_sockets::fact::Failed::minor(failure, phase)))
            }
        };
        let mut refused = failure::problem_of_fact(&fact);
        refused.socket = Some(id);
        refused.seq = Some(self.record_for(id, stamp, &order.cause(), fact));
        Err(refused)
    }

    fn record_for(&self, id: SocketId, stamp: Stamp, cause: &Cause, fact: Fact) -> Seq {
        let tag = Tag {
            t_us: self.anchor.micros(stamp.at),
            took_us: stamp.took_us(),
            origin: cause.clone(),
            socket: Some(id),
            hidden: false,
        };
        let seq = self.lock().append(tag, Entry::Fact(fact), Stored::None);
        self.news.notify_waiters();
        seq
    }
}

fn sent(progress: &Progress, total: u64, id: SocketId) -> Option<Result<SendAnswer, Refused>> {
    // Asked first: what became of the socket after the kernel had all of it is another matter.
    if progress.sent >= total && progress.sent_seq != Seq(0) {
        return Some(Ok(SendAnswer { seq: progress.sent_seq, sent: progress.sent }));
    }
    let record = progress.failed.as_ref().or(progress.ended.as_ref())?;
    let mut refused = failure::problem_of(record, id);
    refused.taken = Some(progress.sent);
    Some(Err(refused))
}

fn can_send(entry: &SocketEntry, id: SocketId) -> Result<(), Refused> {
    not_of_a_bridge(entry, id)?;
    let ready = match entry.role {
        Role::Listener => {
            return Err(wrong_state(entry, id, "a listener has no peer; send on an accepted socket"));
        }
        Role::Client | Role::Accepted | Role::Bound | Role::Connected => {
            matches!(entry.state, SocketState::Open | SocketState::HalfClosedRemote)
        }
    };
    if ready && entry.practice.is_none() {
        Ok(())
    } else {
        Err(wrong_state(entry, id, "the socket cannot send"))
    }
}
