//! Opening the socket of a bridge: what a key allows comes first, then everything that holds for any socket.

use std::{future::pending, net::SocketAddr, sync::Arc};

use sockscope_sockets::{fact::Stamp, mailbox::Inbox, open::Opened, target::Target};
use sockscope_wire::{Contract, SocketId};
use tokio::net::TcpStream;

use super::{
    keys::{NoLease, Over, TARGETS, Visit},
    ledger::Ledger,
};
use crate::{
    problem::Refused,
    workspace::{Attached, Order, Wish, Workspace},
};

/// Who opens sockets, by which contract, and by whose leave.
pub(crate) struct Opener {
    pub(crate) workspace: Arc<Workspace>,
    /// Who it is, for `by`.
    pub(crate) principal: Arc<str>,
    /// What its sockets are called.
    pub(crate) name: Box<str>,
    pub(crate) contract: Contract,
    /// The key that let it in, where one did, and its place among those that it lets in.
    pub(crate) grant: Option<Arc<Visit>>,
}

/// A socket that is open: whoever has it carries its bytes, hears how it is to end, and keeps its books.
pub(crate) type Carried = (Opened, Inbox, Ledger);

/// Why a socket was not opened.
pub(crate) enum Unopened {
    /// The key has no room for it.
    NoLease(NoLease),
    /// The key is over.
    Over(Over),
    /// The key does not allow the target.
    Target,
    /// As for any socket.
    Refused(Refused),
}

impl Opener {
    /// Ends when the key does; without one, never.
    pub(crate) async fn over(&self) -> Over {
        match &self.grant {
            Some(grant) => grant.over().await,
            None => pending().await,
        }
    }

    /// How many sockets may be open at once, at most.
    pub(super) fn most_sockets(&self) -> usize {
        let most = self.workspace.most_sockets();
        self.grant.as_ref().map_or(most, |grant| most.min(grant.most_sockets()))
    }

    /// Opens it. Whatever keeps it from opening is in the log.
    pub(crate) async fn open(&self, target: &Target) -> Result<Carried, Unopened> {
        self.open_as(&target.clone().into()).await
    }

    /// The same, as its client wishes it.
    pub(super) async fn open_as(&self, wish: &Wish) -> Result<Carried, Unopened> {
        let target = &wish.target;
        let Self { workspace, principal, name, contract, grant } = self;
        let order = Order::new(workspace.name('b'), principal);
        let name = Some(name.clone());
        let Some(grant) = grant else {
            let seat = workspace.seat().map_err(Unopened::Refused)?;
            let attached = workspace.attach_bridge(&order, wish, name, *contract, false, seat).await;
            return attached.map(|attached| carried(attached, false)).map_err(Unopened::Refused);
        };
        let tell = |rule| {
            if let Err(error) = workspace.refuse_bridge(&order, target, name.clone(), *contract, rule) {
                tracing::debug!(detail = error.detail, "what a key does not allow could not be listed");
            }
        };
        let lease = grant.lease().map_err(|why| {
            if grant.is_news(&why) {
                tell(why.rule());
            }
            Unopened::NoLease(why)
        })?;
        if !grant.allows(target) {
            tell(TARGETS);
            return Err(Unopened::Target);
        }
        let seat = workspace.common_seat().map_err(Unopened::Refused)?;
        let records = grant.records();
        let attaching = workspace.attach_bridge(&order, wish, name.clone(), *contract, records, seat);
        let attached = tokio::select! {
            biased;
            over = grant.over() => return Err(Unopened::Over(over)),
            attached = attaching => attached.map_err(Unopened::Refused)?,
        };
        let (opened, inbox, ledger) = carried(attached, records);
        Ok((opened, inbox, ledger.under(Some(lease))))
    }
}

impl Opener {
    /// Takes what one of its listeners has accepted. `None` where there is no room for it; the key is asked as for any socket.
    pub(super) fn accepts(
        &self,
        listener: SocketId,
        stream: TcpStream,
        remote: SocketAddr,
        stamp: Stamp,
    ) -> Option<Carried> {
        let lease = match &self.grant {
            Some(grant) => Some(grant.lease().ok()?),
            None => None,
        };
        let records = self.grant.as_ref().is_some_and(|grant| grant.records());
        let attached =
            self.workspace.attach_accepted(listener, stream, remote, stamp, self.contract, records)?;
        let (opened, inbox, ledger) = carried(attached, records);
        Some((opened, inbox, ledger.under(lease)))
    }
}

fn carried(attached: Attached, records: bool) -> Carried {
    let Attached { opened, recorder, inbox, .. } = attached;
    let ledger = Ledger::new(recorder, matches!(opened, Opened::Datagram(_)), records);
    (opened, inbox, ledger)
}
