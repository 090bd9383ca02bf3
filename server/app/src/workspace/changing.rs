//! Half-closing, closing, renaming sockets and setting their options.

use std::sync::Arc;

use sockscope_sockets::{
    fact::EndReason,
    mailbox::{Command, Refused as MailRefused},
};
use sockscope_wire::{Code, PatchSocket, Role, Socket, SocketId, SocketState};

use super::{
    Order, SocketEntry, Workspace,
    command::{Watching, mail_problem, not_of_a_bridge, within, wrong_state},
    unknown_socket,
    watch::Progress,
};
use crate::{ask, failure, problem::Refused};

impl Workspace {
    /// Half-closes a stream, and waits until that is done or failed.
    ///
    /// # Errors
    /// When the socket is no open stream, or shutdown(2) failed.
    pub async fn shutdown_and_wait(self: &Arc<Self>, order: &Order, id: SocketId) -> Result<Socket, Refused> {
        let watch = Watching::new(self, order, id);
        self.shutdown(order, id)?;
        let done = |progress: &Progress| match (progress.shut_down, &progress.failed, &progress.ended) {
            (Some(_), _, _) => Some(Ok(())),
            (None, Some(record), _) | (None, None, Some(record)) => {
                Some(Err(failure::problem_of(record, id)))
            }
            (None, None, None) => None,
        };
        within(watch.watcher.until(done)).await??;
        self.socket(id)
    }

    /// Half-closes a stream after what is queued.
    ///
    /// # Errors
    /// When the socket is no open stream.
    pub fn shutdown(&self, order: &Order, id: SocketId) -> Result<(), Refused> {
        let inner = self.lock();
        inner.must_take_commands()?;
        let entry = inner.sockets.get(&id).ok_or_else(|| unknown_socket(id))?;
        not_of_a_bridge(entry, id)?;
        let stream = matches!(entry.role, Role::Client | Role::Accepted);
        if !stream
            || entry.practice.is_some()
            || !matches!(entry.state, SocketState::Open | SocketState::HalfClosedRemote)
        {
            return Err(wrong_state(entry, id, "only an open stream has a direction to shut down"));
        }
        entry.tell(Command::Shutdown(order.cause())).map_err(|refused| mail_problem(refused, id))
    }

    /// Closes a socket, cancels its opening, or removes a closed one from the list. With `children`, what a listener
    /// accepted is closed, too.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn close(&self, order: &Order, id: SocketId, reset: bool, children: bool) -> Result<(), Refused> {
        {
            let mut inner = self.lock();
            if !inner.sockets.contains_key(&id) {
                return Err(unknown_socket(id));
            }
            if children {
                if let Some(listener) = inner.sockets.get_mut(&id) {
                    listener.children_end = Some(order.cause());
                }
                let of_it =
                    inner.sockets.values().filter(|child| child.parent == Some(id) && !child.is_over());
                for child in of_it {
                    let end = if reset {
                        Command::Reset(order.cause())
                    } else {
                        Command::End(order.cause(), EndReason::ListenerClosed)
                    };
                    // Refused only when it has ended meanwhile, which is what was wanted.
                    child.tell(end).ok();
                }
            }
            let entry = inner.sockets.get(&id).ok_or_else(|| unknown_socket(id))?;
            if !entry.is_over() {
                let command =
                    if reset { Command::Reset(order.cause()) } else { Command::Close(order.cause()) };
                return match entry.tell(command) {
                    Ok(()) | Err(MailRefused::Ended) => Ok(()),
                    Err(refused) => Err(mail_problem(refused, id)),
                };
            }
            inner.note(&self.anchor, Some(id), &order.cause(), Code::Removed, Vec::new());
            inner.sockets.remove(&id);
            inner.closed.retain(|closed| *closed != id);
        }
        self.news.notify_waiters();
        Ok(())
    }

    /// Closes a socket and waits until its descriptor is closed.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn close_and_wait(
        self: &Arc<Self>,
        order: &Order,
        id: SocketId,
        reset: bool,
        children: bool,
    ) -> Result<(), Refused> {
        let watch = Watching::new(self, order, id);
        self.close(order, id, reset, children)?;
        if self.lock().sockets.get(&id).is_none_or(SocketEntry::is_over) {
            return Ok(());
        }
        within(watch.watcher.until(|progress| progress.ended.as_ref().map(|_| ()))).await
    }

    /// Renames a socket and sets options; waits until the kernel has answered for each.
    ///
    /// # Errors
    /// When the request is not understood or does not apply, or the kernel refuses one of the options; the others
    /// are set all the same.
    pub async fn patch_and_wait(
        self: &Arc<Self>,
        order: &Order,
        id: SocketId,
        patch: &PatchSocket,
    ) -> Result<Socket, Refused> {
        let watch = Watching::new(self, order, id);
        let asked = self.patch(order, id, patch)?;
        if asked > 0 {
            let done = |progress: &Progress| {
                if progress.options >= asked {
                    let refused = progress.failed.as_ref().map(|record| failure::problem_of(record, id));
                    return Some(refused.map_or(Ok(()), Err));
                }
                progress.ended.as_ref().map(|record| Err(failure::problem_of(record, id)))
            };
            within(watch.watcher.until(done)).await??;
        }
        self.socket(id)
    }

    /// Renames a socket and asks for options. Returns how many facts about options will follow.
    ///
    /// # Errors
    /// When the request is not understood or does not apply.
    pub fn patch(&self, order: &Order, id: SocketId, patch: &PatchSocket) -> Result<usize, Refused> {
        let name = patch.name.as_deref().map(ask::name).transpose()?;
        let mut inner = self.lock();
        inner.must_take_commands()?;
        let entry = inner.sockets.get_mut(&id).ok_or_else(|| unknown_socket(id))?;
        let options =
            patch.options.as_ref().map(|options| ask::live_options(options, entry.role)).transpose()?;
        let mut asked = 0;
        if let Some((options, count)) = options
            && count > 0
        {
            not_of_a_bridge(entry, id)?;
            let deaf = entry.practice.is_some() && entry.role != Role::Listener;
            if entry.is_over() || entry.state == SocketState::Opening || deaf {
                return Err(wrong_state(entry, id, "options are set on an open socket"));
            }
            let command = Command::Set(Box::new((options, order.cause())));
            entry.tell(command).map_err(|refused| mail_problem(refused, id))?;
            asked = count;
        }
        if let Some(name) = name {
            let said = name.as_deref().unwrap_or_default().to_owned();
            entry.name = name;
            inner.note(&self.anchor, Some(id), &order.cause(), Code::Renamed, vec![("name", said)]);
        }
        drop(inner);
        self.news.notify_waiters();
        Ok(asked)
    }
}
