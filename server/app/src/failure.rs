//! What went wrong with a socket, as an answer to the one who asked.

use sockscope_sockets::{
    errno::Errno,
    fact::{Fact, Failure},
    policy::display_addr,
};
use sockscope_wire::{Code, Phase, SocketId};

use crate::{
    log::{Entry, Record},
    problem::{Refused, Saying as _, problem},
    workspace::convert,
};

/// The problem a record tells of.
#[must_use]
pub fn problem_of(record: &Record, id: SocketId) -> Refused {
    let mut refused = match &record.entry {
        Entry::Fact(fact) => problem_of_fact(fact),
        Entry::Closed(end) => problem(convert::end_code(end.0), "the socket was closed meanwhile"),
        _ => problem(Code::Internal, "an unexpected end"),
    };
    refused.seq = Some(record.seq);
    refused.socket = Some(id);
    refused
}

/// The problem a fact tells of.
#[must_use]
pub fn problem_of_fact(fact: &Fact) -> Refused {
    match fact {
        Fact::Failed(failed) => {
            // The kernel knows better than our table what a socket can be set to.
            let code = match failed.option {
                Some(_) => Code::InvalidOption,
                None => convert::failure_code(&failed.failure),
            };
            let detail = match &failed.failure {
                Failure::Resolve(error) => error.to_string(),
                Failure::Os(errno) => format!("{errno}"),
                Failure::TimedOut => "no answer within the time allowed".to_owned(),
            };
            let mut refused = problem(code, detail).in_phase(convert::phase(failed.phase));
            refused.errno = convert::errno_name(&failed.failure);
            if let Some(option) = failed.option {
                refused = refused.with("option", option.as_str());
            }
            match failed.remote {
                Some(remote) => refused.with("remote", display_addr(&remote)),
                None => refused,
            }
        }
        Fact::Denied(denied) => {
            let mut refused =
                problem(Code::Denied, format!("{} is refused by {}", denied.target, denied.rule))
                    .in_phase(Phase::Policy)
                    .with("rule", denied.rule);
            refused.rule = Some(denied.rule.to_owned());
            if let Some(address) = denied.address {
                refused = refused.with("address", display_addr(&address));
            }
            if let Some(class) = denied.class {
                refused = refused.with("class", class);
            }
            refused
        }
        Fact::ResetByPeer(phase, errno) => {
            let mut refused =
                problem(Code::Reset, "the peer reset the connection").in_phase(convert::phase(*phase));
            refused.errno = Some(errno.name());
            refused
        }
        Fact::ResetByUs => {
            let mut refused = problem(Code::WasReset, "the connection was reset here");
            refused.errno = Some(Errno::ECONNRESET.name());
            refused
        }
        _ => problem(Code::Internal, "an unexpected fact"),
    }
}
