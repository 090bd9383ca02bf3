//! What a client is told, beside bytes: JSON.

use std::net::SocketAddr;

use serde::Serialize;
use sockscope_sockets::{
    errno::Errno,
    fact::{Failure, Phase as Step},
    mailbox::Ending,
};
use sockscope_wire::{Code, Phase};

use super::packet::host_of;
use crate::{
    bridge::{end::End, frame::code, opening::Unopened},
    problem::Refused,
    workspace::convert,
};

/// The addresses of a socket.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ends {
    local_address: String,
    local_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_port: Option<u16>,
}

impl Ends {
    pub(super) fn new(local: &SocketAddr, remote: Option<&SocketAddr>) -> Self {
        Self {
            local_address: host_of(local),
            local_port: local.port(),
            remote_address: remote.map(host_of),
            remote_port: remote.map(SocketAddr::port),
        }
    }
}

/// The payload of ACCEPTED.
#[derive(Debug, Serialize)]
pub(super) struct Accepted {
    pub(super) socket: u32,
    #[serde(flatten)]
    pub(super) ends: Ends,
}

/// Why something did not go, as the standard calls it, and what it does not say.
#[derive(Debug, Default, Serialize)]
pub(super) struct Why {
    /// Nothing where a socket ended as it was meant to.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

const NOT_ALLOWED: Option<&str> = Some("NotAllowedError");
const NETWORK: Option<&str> = Some("NetworkError");

impl Why {
    /// The key does not allow it, by that rule.
    pub(super) fn key(rule: &str, detail: &str) -> Self {
        Self {
            error: NOT_ALLOWED,
            code: Some(rule.to_owned()),
            detail: Some(detail.to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn os(step: Step, errno: Errno) -> Self {
        Self {
            error: NETWORK,
            errno: Some(errno.name()),
            phase: Some(convert::phase(step)),
            code: Some(convert::failure_code(&Failure::Os(errno)).as_str().to_owned()),
            detail: Some(errno.to_string()),
        }
    }

    pub(super) fn refused(refused: &Refused) -> Self {
        let denied = matches!(refused.code, Code::Denied);
        Self {
            error: if denied { NOT_ALLOWED } else { NETWORK },
            errno: refused.errno.clone(),
            phase: refused.phase,
            code: Some(refused.code.as_str().to_owned()),
            detail: Some(refused.detail.clone()),
        }
    }

    pub(super) fn unopened(unopened: &Unopened) -> Self {
        match unopened {
            Unopened::NoLease(why) => Self::key(why.rule(), why.as_str()),
            Unopened::Over(over) => Self::key("key", over.as_str()),
            Unopened::Target => Self::key(crate::bridge::keys::TARGETS, "the key does not allow this target"),
            Unopened::Refused(refused) => Self::refused(refused),
        }
    }

    /// Why a socket that was open is closed.
    pub(super) fn end(end: &End) -> Self {
        let network = |code: &str, detail: &str| Self {
            error: NETWORK,
            code: Some(code.to_owned()),
            detail: Some(detail.to_owned()),
            ..Self::default()
        };
        match end {
            End::ClientClosed(_) | End::ClientLost | End::Eof => Self::default(),
            End::ClientFailed(code::UNSUPPORTED) => {
                network("wrong_packet", "what was sent is not what such a socket carries")
            }
            End::ClientFailed(_) => network("credits_exceeded", "more was sent than there were credits for"),
            End::Target(step, errno) => Self::os(*step, *errno),
            End::Ordered(Ending::Close(_, reason)) => {
                network(convert::end_code(*reason).as_str(), "it was closed in sockscope")
            }
            End::Ordered(Ending::Reset(_)) => network(Code::WasReset.as_str(), "it was reset in sockscope"),
            End::Key(over) => Self::key("key", over.as_str()),
        }
    }
}

/// As it goes into a packet.
pub(super) fn json(told: &impl Serialize) -> Vec<u8> {
    // Texts and numbers: there is nothing that JSON cannot say.
    serde_json::to_vec(told).unwrap_or_default()
}
