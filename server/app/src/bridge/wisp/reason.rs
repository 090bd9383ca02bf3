//! Why a stream is closed, or a connection refused: the byte that CLOSE holds.

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
