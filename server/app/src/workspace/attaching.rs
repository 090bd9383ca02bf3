//! Sockets whose bytes belong to one consumer of this server's: an HTTP client, a bridge. The workspace opens them, records and
//! lists them, and lets whoever may end them; reading and writing is left to the consumer.

use std::{net::SocketAddr, sync::Arc};

use sockscope_sockets::{
    fact::{Denied, Fact, Recorder as _, Stamp},
    mailbox::Inbox,
    open::{Family, Opened, Opening},
    options::Options,
    target::Target,
};
use sockscope_wire::{Code, Contract, SocketId};
use tokio::{net::TcpStream, sync::OwnedSemaphorePermit};

use super::{
    Order, SocketRecorder, Workspace,
    command::Watching,
    opening::{Making, New, open_unless_ended},
    record::Newcomer,
};
use crate::{
    failure,
    problem::{Refused, problem},
};

/// A socket that is open, and nobody's task has it.
pub(crate) struct Attached {
    pub(crate) id: SocketId,
    pub(crate) opened: Opened,
    pub(crate) recorder: Arc<SocketRecorder>,
    /// How somebody ends it.
    pub(crate) inbox: Inbox,
}

/// What the client of a bridge asks for.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) target: Target,
    pub(crate) options: Options,
    /// Addresses of a name are taken of this family only.
    pub(crate) family: Option<Family>,
}

impl From<Target> for Wish {
    fn from(target: Target) -> Self {
        Self { target, options: Options::default(), family: None }
    }
}

impl Workspace {
    /// Opens a socket for a bridge. With `recorded`, all that happens to it goes into the log, the kernel's side included: to
    /// look at that costs more than to carry what a connection carries. The seat says whose socket it is.
    ///
    /// # Errors
    /// Why it did not open.
    pub(crate) async fn attach_bridge(
        self: &Arc<Self>,
        order: &Order,
        wish: &Wish,
        name: Option<Box<str>>,
        bridge: Contract,
        recorded: bool,
        seat: OwnedSemaphorePermit,
    ) -> Result<Attached, Refused> {
        let Wish { target, options, family } = wish;
        let like = Making::of(target, options);
        let making = Making { family: *family, name, bridge: Some(bridge), observed: recorded, ..like };
        self.attach(order, making, seat).await
    }

    /// Takes what the listener of a bridge has accepted, for the same bridge. `None` where no more sockets may be open, or the
    /// listener is forgotten: nobody has a use for the connection then.
    pub(crate) fn attach_accepted(
        self: &Arc<Self>,
        parent: SocketId,
        stream: TcpStream,
        remote: SocketAddr,
        stamp: Stamp,
        bridge: Contract,
        recorded: bool,
    ) -> Option<Attached> {
        let seat = self.common_seat().ok()?;
        let newcomer = Newcomer {
            parent,
            stream: &stream,
            remote,
            stamp,
            seat,
            practice: None,
            bridge: Some(bridge),
            observed: recorded,
        };
        let (New { id, inbox, recorder }, _) = self.bear(newcomer)?;
        Some(Attached { id, opened: Opened::Stream(stream), recorder, inbox })
    }

    /// Records a socket that a bridge's key does not allow: it is listed as refused by that rule, and nothing is dialled.
    ///
    /// # Errors
    /// When there is no room for another socket.
    pub(crate) fn refuse_bridge(
        self: &Arc<Self>,
        order: &Order,
        target: &Target,
        name: Option<Box<str>>,
        bridge: Contract,
        rule: &'static str,
    ) -> Result<(), Refused> {
        let options = Options::default();
        let making = Making { name, bridge: Some(bridge), observed: false, ..Making::of(target, &options) };
        let seat = self.common_seat()?;
        let New { recorder, .. } = self.register(order.cause(), making, seat)?;
        let denied = Denied { target: target.to_string(), address: None, class: None, rule, fatal: true };
        recorder.record(Stamp::now(), &order.cause(), Fact::Denied(Box::new(denied)), None);
        Ok(())
    }

    /// Opens a socket for whoever calls. Dropping this cancels it.
    ///
    /// # Errors
    /// Why it did not open.
    pub(super) async fn attach(
        self: &Arc<Self>,
        order: &Order,
        making: Making<'_>,
        seat: OwnedSemaphorePermit,
    ) -> Result<Attached, Refused> {
        let (target, options, family) = (making.target, making.options.clone(), making.family);
        let New { id, mut inbox, recorder } = self.register(order.cause(), making, seat)?;
        let watch = Watching::new(self, order, id);
        let opening = Opening { options, family, ..self.dialling(target, order.cause(), recorder.clone()) };
        match open_unless_ended(opening, &mut inbox).await {
            Some(opened) => Ok(Attached { id, opened, recorder, inbox }),
            None => Err(watch.watcher.progress().ended.map_or_else(
                || problem(Code::Internal, "it did not open and did not say why"),
                |record| failure::problem_of(&record, id),
            )),
        }
    }
}
