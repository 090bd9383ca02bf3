//! Names of things: a socket, a place in the log.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A place in the log: 1 for the first event of an epoch, then 2, 3 … without gaps. 0 is "before everything".
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The seq that follows this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A socket of a workspace, written `s1`, `s2` …; never used twice within an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u32);

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

/// The text is not a socket's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseIdError;

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a socket is named s1, s2, s3 …")
    }
}

impl std::error::Error for ParseIdError {}

impl FromStr for SocketId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('s').ok_or(ParseIdError)?;
        if digits.is_empty() || digits.starts_with(['0', '+']) {
            return Err(ParseIdError);
        }
        digits.parse().map(Self).map_err(|_| ParseIdError)
    }
}

impl Serialize for SocketId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SocketId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "codegen")]
crate::codegen::string_type!(SocketId, "A socket of a workspace, written `s1`, `s2` …", "^s[1-9][0-9]*$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_id_reads_back_as_it_is_written() {
        assert_eq!("s12".parse(), Ok(SocketId(12)));
        assert_eq!(SocketId(12).to_string(), "s12");
        for wrong in ["", "s", "12", "s-1", "s+1", "s01", "s0", "s4294967296", "S1", "s1 "] {
            assert_eq!(wrong.parse::<SocketId>(), Err(ParseIdError), "{wrong:?}");
        }
    }
}
