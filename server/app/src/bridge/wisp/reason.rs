//! Why a stream is closed, or a connection refused: the byte that CLOSE holds.

use sockscope_sockets::errno::Errno;
use sockscope_wire::Code;

use crate::bridge::{end::End, keys::NoLease, opening::Unopened};

/// Nothing more is known. Said by both sides.
pub const UNSPECIFIED: u8 = 0x01;
/// One side is done, or resets the connection. Said by both sides.
pub const VOLUNTARY: u8 = 0x02;
/// The network failed. Said by both sides.
pub const NETWORK: u8 = 0x03;
/// The extensions, or the versions, do not fit. Said by both sides, in the handshake only.
pub const INCOMPATIBLE: u8 = 0x04;

/// No such address or port can be. Said by the server, of a stream that was not opened.
pub const INVALID: u8 = 0x41;
/// The host cannot be reached, or its name does not resolve. Said by the server, of a stream that was not opened.
pub const UNREACHABLE: u8 = 0x42;
/// The host did not answer in time. Said by the server, of a stream that was not opened.
pub const CONNECT_TIMEOUT: u8 = 0x43;
/// The host refused. Said by the server, of a stream that was not opened.
pub const REFUSED: u8 = 0x44;
/// A transfer over TCP timed out. Said by the server.
pub const TRANSFER_TIMEOUT: u8 = 0x47;
/// The server does not allow this destination. Said by the server.
pub const BLOCKED: u8 = 0x48;
/// The client asks for too much. Said by the server.
pub const THROTTLED: u8 = 0x49;

/// The client failed, and can receive no more. Said by the client.
pub const CLIENT: u8 = 0x81;

/// No such user, or another password. Said by the server, in the handshake only.
pub const PASSWORD: u8 = 0xc0;
/// No such key, or a signature that is not its. Said by the server, in the handshake only.
pub const SIGNATURE: u8 = 0xc1;
/// The server asks for credentials, and there were none. Said by both sides, in the handshake only.
pub const CREDENTIALS: u8 = 0xc2;

/// Why a stream could not be opened.
pub(super) fn of_unopened(unopened: &Unopened) -> u8 {
    let refused = match unopened {
        Unopened::NoLease(NoLease::Streams | NoLease::Rate) => return THROTTLED,
        Unopened::NoLease(NoLease::Over(_)) | Unopened::Over(_) | Unopened::Target => return BLOCKED,
        Unopened::Refused(refused) => refused,
    };
    match refused.code {
        Code::InvalidTarget | Code::InvalidHost | Code::InvalidPort => INVALID,
        Code::NameNotFound | Code::NoAddress | Code::ResolveFailed | Code::Unreachable => UNREACHABLE,
        Code::TimedOut | Code::ResolveTimedOut => CONNECT_TIMEOUT,
        Code::Refused => REFUSED,
        Code::Denied | Code::PermissionDenied => BLOCKED,
        Code::TooManySockets | Code::NoDescriptors => THROTTLED,
        _ => NETWORK,
    }
}

/// Why a stream ended; `None` where the client has said so itself, or nobody is there to hear it.
pub(super) fn of_end(end: &End) -> Option<u8> {
    match end {
        End::ClientClosed(_) | End::ClientLost => None,
        End::ClientFailed(_) => Some(THROTTLED),
        End::Key(_) => Some(BLOCKED),
        End::Eof | End::Ordered(_) => Some(VOLUNTARY),
        End::Target(_, Errno::ETIMEDOUT) => Some(TRANSFER_TIMEOUT),
        End::Target(..) => Some(NETWORK),
    }
}
