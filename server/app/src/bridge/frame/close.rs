//! Close frames (RFC 6455 §5.5.1, §7.4).

/// Status codes.
pub mod code {
    /// All is done.
    pub const NORMAL: u16 = 1000;
    /// The server goes.
    pub const GOING_AWAY: u16 = 1001;
    /// What came is no WebSocket.
    pub const PROTOCOL: u16 = 1002;
    /// Text came where bytes are meant.
    pub const UNSUPPORTED: u16 = 1003;
    /// Text that is no UTF-8.
    pub const INVALID: u16 = 1007;
    /// Not allowed.
    pub const POLICY: u16 = 1008;
    /// A message is too long.
    pub const TOO_BIG: u16 = 1009;
    /// The other side of a bridge failed.
    pub const INTERNAL: u16 = 1011;
    /// Not now; later it may go.
    pub const LATER: u16 = 1013;
}

/// What a close frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close<'a> {
    /// Why, where it says so.
    pub code: Option<u16>,
    /// The same for people.
    pub reason: &'a str,
}

impl<'a> Close<'a> {
    /// Reads the payload of one; with which code it is refused.
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, u16> {
        let Some((high_low, reason)) = payload.split_first_chunk::<2>() else {
            return if payload.is_empty() {
                Ok(Self { code: None, reason: "" })
            } else {
                Err(code::PROTOCOL)
            };
        };
        let said = u16::from_be_bytes(*high_low);
        if !may_be_sent(said) {
            return Err(code::PROTOCOL);
        }
        let reason = std::str::from_utf8(reason).map_err(|_| code::INVALID)?;
        Ok(Self { code: Some(said), reason })
    }

    /// The code to answer with (RFC 6455 §5.5.1): the same, or none.
    #[must_use]
    pub fn answer(&self) -> Option<u16> {
        self.code
    }
}

/// Whether an end may send a code: those that are registered for that (IANA WebSocket Close Code Number Registry), and those of
/// libraries and programs.
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
