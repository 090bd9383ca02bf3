//! Bytes on their way to a viewer.

use std::{fmt, str::FromStr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The bytes of an event exactly as they were handed over; base64 (RFC 4648 §4, padded) in JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(pub Arc<[u8]>);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map(|bytes| Self(bytes.into())).map_err(de::Error::custom)
    }
}

/// Where an event's bytes lie in the raw part of a binary batch: `[start, length]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "codegen", derive(ts_rs::TS, utoipa::ToSchema))]
pub struct ByteRange(pub u32, pub u32);

/// How much of each payload a viewer wants: `full`, `none`, or `preview:N` for the first N bytes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum PayloadMode {
    /// Every byte.
    #[default]
    Full,
    /// The first bytes only; a cut payload is marked `payload_preview`.
    Preview(u32),
    /// No bytes; `len` still says how many there were.
    None,
}

impl fmt::Display for PayloadMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Preview(bytes) => write!(f, "preview:{bytes}"),
            Self::None => f.write_str("none"),
        }
    }
}

impl FromStr for PayloadMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "full" => Ok(Self::Full),
            "none" => Ok(Self::None),
            _ => text
                .strip_prefix("preview:")
                // `parse` takes a plus sign, too.
                .filter(|bytes| bytes.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|bytes| bytes.parse().ok())
                .map(Self::Preview)
                .ok_or("payload is full, none or preview:N"),
        }
    }
}

impl Serialize for PayloadMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PayloadMode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "codegen")]
crate::codegen::string_type!(Payload, "Bytes as base64 (RFC 4648 §4, padded)", "^[A-Za-z0-9+/]*={0,2}$");
#[cfg(feature = "codegen")]
crate::codegen::string_type!(
    PayloadMode,
    "`full`, `none`, or `preview:N` for the first N bytes",
    "^(full|none|preview:[0-9]+)$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_mode_reads_back_as_it_is_written() {
        for mode in [PayloadMode::Full, PayloadMode::None, PayloadMode::Preview(64)] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert!("preview:".parse::<PayloadMode>().is_err());
        assert!("preview:-1".parse::<PayloadMode>().is_err());
        assert!("preview:+1".parse::<PayloadMode>().is_err());
        assert!("Full".parse::<PayloadMode>().is_err());
    }

    #[test]
    fn payload_is_base64_in_json() {
        let payload = Payload(Arc::from(*b"hello"));
        let json = serde_json::to_string(&payload).expect("serialises");
        assert_eq!(json, "\"aGVsbG8=\"");
        assert_eq!(serde_json::from_str::<Payload>(&json).expect("parses"), payload);
    }
}
